//! Events from the future: how far an event's time may lie ahead of the time it came in.
//!
//! Only the service compares the two; in files, now is the latest event time.

/// Ahead by more than this, in ms, an event is refused.
pub const FUTURE_REFUSED_MS: i64 = 60_000;

/// Ahead by more than this, in ms, an event is accepted and counted.
pub const FUTURE_COUNTED_MS: i64 = 5_000;

/// How an event's time lies to the time it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skew {
    /// In the past, or ahead by no more than [`FUTURE_COUNTED_MS`].
    Fine,
    /// Ahead by this many ms: accepted and counted.
    Ahead(i64),
    /// Ahead by this many ms: refused.
    Refused(i64),
}

/// Judges `time_ms`, an event's time, by `ingest_ms`, the logged time at which it came in (both Unix ms).
pub fn skew(time_ms: i64, ingest_ms: i64) -> Skew {
    match time_ms.saturating_sub(ingest_ms) {
        ahead if ahead > FUTURE_REFUSED_MS => Skew::Refused(ahead),
        ahead if ahead > FUTURE_COUNTED_MS => Skew::Ahead(ahead),
        _ => Skew::Fine,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_exact() {
        assert_eq!(skew(5_000, 0), Skew::Fine);
        assert_eq!(skew(5_001, 0), Skew::Ahead(5_001));
        assert_eq!(skew(60_000, 0), Skew::Ahead(60_000));
        assert_eq!(skew(60_001, 0), Skew::Refused(60_001));
        assert_eq!(skew(i64::MIN, i64::MAX), Skew::Fine);
        assert_eq!(skew(i64::MAX, i64::MIN), Skew::Refused(i64::MAX));
    }
}
