//! The replay window: the recent distinct payloads, against which a change is tried before it is promoted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use knhk_evidence::Hash;

/// Most distinct payloads kept.
pub const WINDOW_EVENTS_MAX: usize = 100_000;
/// Most bytes of payloads kept: 64 MiB.
pub const WINDOW_BYTES_MAX: usize = 64 << 20;
/// Most example events named for one payload.
pub const WINDOW_EXAMPLES_MAX: usize = 3;

/// The first 16 bytes of the SHA-256 of an event's `data`: names a payload, as in its record.
pub type DataDigest = [u8; 16];

/// One distinct `data` value of one event type, and the events that carried it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The bytes of the event's `data`, as received.
    pub data: Arc<[u8]>,
    /// Events that carried it.
    pub events: u64,
    /// Record digests of the first of them, at most [`WINDOW_EXAMPLES_MAX`].
    pub examples: Vec<Hash>,
    /// Event time of the earliest, Unix ms.
    pub first_ms: i64,
    /// Event time of the latest, Unix ms.
    pub last_ms: i64,
}

/// One event to keep.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Its type.
    pub event_type: &'a str,
    /// The bytes of its `data`, as received.
    pub data: &'a [u8],
    /// Names the payload.
    pub data_digest: DataDigest,
    /// SHA-256 of the whole event as received.
    pub record_digest: Hash,
    /// Event time, Unix ms.
    pub time_ms: i64,
}

/// Distinct payloads by event type and digest, bounded by number and bytes.
///
/// When it is full, the payload that was last seen longest ago (by event time, then event type, then digest) gives way.
/// What gave way is counted, so that a replay can say that it did not see everything.
#[derive(Clone, Debug)]
pub struct Window {
    by_type: BTreeMap<Arc<str>, BTreeMap<DataDigest, Payload>>,
    by_age: BTreeSet<(i64, Arc<str>, DataDigest)>,
    bytes: usize,
    events_evicted: u64,
    payloads_max: usize,
    bytes_max: usize,
}

impl Default for Window {
    fn default() -> Self {
        Self::bounded(WINDOW_EVENTS_MAX, WINDOW_BYTES_MAX)
    }
}

impl Window {
    /// An empty window with smaller bounds than the defaults; larger ones are cut to them.
    pub fn bounded(payloads_max: usize, bytes_max: usize) -> Self {
        Self {
            by_type: BTreeMap::new(),
            by_age: BTreeSet::new(),
            bytes: 0,
            events_evicted: 0,
            payloads_max: payloads_max.min(WINDOW_EVENTS_MAX),
            bytes_max: bytes_max.min(WINDOW_BYTES_MAX),
        }
    }

    /// Adds one event. The bytes are copied only when the payload is new.
    pub fn push(&mut self, arrival: &Arrival<'_>) {
        if arrival.data.len() > self.bytes_max || self.payloads_max == 0 {
            self.events_evicted = self.events_evicted.saturating_add(1);
            return;
        }
        let event_type: Arc<str> = match self.by_type.get_key_value(arrival.event_type) {
            Some((known, _)) => known.clone(),
            None => arrival.event_type.into(),
        };
        let payloads = self.by_type.entry(event_type.clone()).or_default();
        if let Some(payload) = payloads.get_mut(&arrival.data_digest) {
            payload.events = payload.events.saturating_add(1);
            if payload.examples.len() < WINDOW_EXAMPLES_MAX {
                payload.examples.push(arrival.record_digest);
            }
            payload.first_ms = payload.first_ms.min(arrival.time_ms);
            if arrival.time_ms > payload.last_ms {
                self.by_age.remove(&(payload.last_ms, event_type.clone(), arrival.data_digest));
                payload.last_ms = arrival.time_ms;
                self.by_age.insert((payload.last_ms, event_type, arrival.data_digest));
            }
            return;
        }
        payloads.insert(
            arrival.data_digest,
            Payload {
                data: arrival.data.into(),
                events: 1,
                examples: vec![arrival.record_digest],
                first_ms: arrival.time_ms,
                last_ms: arrival.time_ms,
            },
        );
        self.bytes += arrival.data.len();
        self.by_age.insert((arrival.time_ms, event_type, arrival.data_digest));
        while self.by_age.len() > self.payloads_max || self.bytes > self.bytes_max {
            self.evict();
        }
    }

    fn evict(&mut self) {
        let Some((_, event_type, digest)) = self.by_age.pop_first() else { return };
        let Some(payloads) = self.by_type.get_mut(&event_type) else { return };
        if let Some(payload) = payloads.remove(&digest) {
            self.bytes -= payload.data.len();
            self.events_evicted = self.events_evicted.saturating_add(payload.events);
        }
        if payloads.is_empty() {
            self.by_type.remove(&event_type);
        }
    }

    /// The payloads of one event type, in order of their digests.
    pub fn payloads(&self, event_type: &str) -> impl Iterator<Item = (&DataDigest, &Payload)> {
        self.by_type.get(event_type).into_iter().flatten()
    }

    /// The event types it holds, in order.
    pub fn event_types(&self) -> impl Iterator<Item = &str> {
        self.by_type.keys().map(|event_type| &**event_type)
    }

    /// Distinct payloads kept.
    pub fn len(&self) -> usize {
        self.by_age.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.by_age.is_empty()
    }

    /// Bytes of payloads kept.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Events whose payload was too large or gave way to newer ones.
    pub fn events_evicted(&self) -> u64 {
        self.events_evicted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn push(window: &mut Window, event_type: &str, data: &[u8], time_ms: i64) {
        let mut record = data.to_vec();
        record.extend(time_ms.to_le_bytes());
        window.push(&Arrival {
            event_type,
            data,
            data_digest: Hash::of(data).0[..16].try_into().unwrap(),
            record_digest: Hash::of(&record),
            time_ms,
        });
    }

    #[test]
    fn equal_payloads_are_kept_once_and_counted() {
        let mut window = Window::default();
        for time in [30, 10, 20, 40] {
            push(&mut window, "a", b"{}", time);
        }
        push(&mut window, "b", b"{}", 5);
        assert_eq!((window.len(), window.bytes()), (2, 4));
        let (_, payload) = window.payloads("a").next().unwrap();
        assert_eq!((payload.events, payload.first_ms, payload.last_ms), (4, 10, 40));
        assert_eq!(payload.examples.len(), WINDOW_EXAMPLES_MAX);
        assert_eq!(window.event_types().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn what_was_seen_longest_ago_gives_way_and_is_counted() {
        let mut window = Window::bounded(2, 100);
        push(&mut window, "a", b"1", 1);
        push(&mut window, "a", b"2", 2);
        push(&mut window, "a", b"1", 3);
        push(&mut window, "a", b"3", 4);
        let kept: BTreeSet<_> = window.payloads("a").map(|(_, p)| p.data.to_vec()).collect();
        assert_eq!(kept, BTreeSet::from([b"1".to_vec(), b"3".to_vec()]));
        assert_eq!(window.events_evicted(), 1);
    }

    #[test]
    fn a_payload_larger_than_the_window_is_counted_not_kept() {
        let mut window = Window::bounded(10, 4);
        push(&mut window, "a", b"12345", 1);
        assert!(window.is_empty());
        assert_eq!(window.events_evicted(), 1);
    }

    proptest! {
        #[test]
        fn bounds_hold_and_no_event_is_lost_from_the_count(
            arrivals in proptest::collection::vec((0_u8..4, 0_u8..12, 0_i64..50), 0..200),
        ) {
            let mut window = Window::bounded(8, 40);
            for (event_type, payload, time) in &arrivals {
                let data = vec![*payload; usize::from(*payload)];
                push(&mut window, &event_type.to_string(), &data, *time);
                prop_assert!(window.len() <= 8 && window.bytes() <= 40);
            }
            let kept: Vec<_> = window.event_types().flat_map(|t| window.payloads(t)).collect();
            prop_assert_eq!(kept.len(), window.len());
            prop_assert_eq!(kept.iter().map(|(_, p)| p.data.len()).sum::<usize>(), window.bytes());
            let events = kept.iter().map(|(_, p)| p.events).sum::<u64>() + window.events_evicted();
            prop_assert_eq!(events, arrivals.len() as u64);
        }
    }
}
