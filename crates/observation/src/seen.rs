//! Counting events that show something, with the evidence that lets others find them again.

/// Distinct payloads and values counted exactly; beyond, there are "many".
pub const DISTINCT_MAX: usize = 64;

/// Example digests kept.
pub const EXAMPLES_MAX: usize = 3;

/// The event being counted.
#[derive(Clone, Copy, Debug)]
pub struct EventMeta {
    /// SHA-256 of the event as received.
    pub record_digest: [u8; 32],
    /// SHA-256 of its data as received: tells distinct payloads apart.
    pub data_digest: [u8; 32],
    /// Its time, Unix ms.
    pub time_ms: i64,
}

/// How many events, and how many times over all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Events in which it occurs.
    pub events: u64,
    /// Occurrences: several in one event where arrays are involved.
    pub occurrences: u64,
    last: u64,
}

impl Tally {
    /// Counts one occurrence in the event with this ordinal (from 1, growing).
    pub(crate) fn add(&mut self, ordinal: u64) {
        self.occurrences += 1;
        if self.last != ordinal {
            self.last = ordinal;
            self.events += 1;
        }
    }
}

/// Events that show something: how many, which for example, when, and with how many distinct payloads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    tally: Tally,
    distinct: Vec<u64>,
    examples: Vec<[u8; 32]>,
    first_ms: i64,
    last_ms: i64,
}

impl Seen {
    /// Counts one occurrence in an event.
    pub(crate) fn add(&mut self, ordinal: u64, meta: &EventMeta) {
        let before = self.tally.events;
        self.tally.add(ordinal);
        if self.tally.events == before {
            return;
        }
        if before == 0 {
            (self.first_ms, self.last_ms) = (meta.time_ms, meta.time_ms);
        } else {
            self.first_ms = self.first_ms.min(meta.time_ms);
            self.last_ms = self.last_ms.max(meta.time_ms);
        }
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(meta.record_digest);
        }
        if self.distinct.len() < DISTINCT_MAX {
            // 64 bits of the digest: among 64 payloads a chance collision does not happen, and a made one only
            // understates how varied the evidence is.
            let mut first = [0; 8];
            first.copy_from_slice(&meta.data_digest[..8]);
            let payload = u64::from_be_bytes(first);
            if let Err(position) = self.distinct.binary_search(&payload) {
                self.distinct.insert(position, payload);
            }
        }
    }

    /// Events.
    pub fn events(&self) -> u64 {
        self.tally.events
    }

    /// Occurrences: several in one event where arrays are involved.
    pub fn occurrences(&self) -> u64 {
        self.tally.occurrences
    }

    /// Distinct payloads among the events, counted up to [`DISTINCT_MAX`].
    pub fn distinct(&self) -> u64 {
        self.distinct.len() as u64
    }

    /// Record digests of the first [`EXAMPLES_MAX`] events.
    pub fn examples(&self) -> &[[u8; 32]] {
        &self.examples
    }

    /// Earliest event time, Unix ms; 0 when nothing was counted.
    pub fn first_ms(&self) -> i64 {
        self.first_ms
    }

    /// Latest event time, Unix ms; 0 when nothing was counted.
    pub fn last_ms(&self) -> i64 {
        self.last_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_counts_once_and_payloads_by_content() {
        let mut seen = Seen::default();
        for ordinal in 1..=200_u64 {
            let meta = EventMeta {
                record_digest: [u8::try_from(ordinal).unwrap(); 32],
                data_digest: [u8::try_from(ordinal / 20).unwrap(); 32],
                time_ms: 1_000 - i64::try_from(ordinal).unwrap(),
            };
            seen.add(ordinal, &meta);
            seen.add(ordinal, &meta);
        }
        assert_eq!((seen.events(), seen.occurrences(), seen.distinct()), (200, 400, 11));
        assert_eq!((seen.first_ms(), seen.last_ms()), (800, 999));
        assert_eq!(seen.examples(), [[1; 32], [2; 32], [3; 32]]);
    }
}
