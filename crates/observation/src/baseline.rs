//! What earlier cycles taught: the rate of each event type.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::profile::{EVENT_TYPES_MAX, Profile};

/// Shortest window, in ms, that teaches a rate.
pub const LEARNED_WINDOW_MS_MIN: u64 = 60_000;

/// Event types whose rates are remembered. Undeclared ones are only added up to [`EVENT_TYPES_MAX`], so that declared
/// ones keep room.
pub const RATES_MAX: usize = 4_096;

/// How often events came in earlier windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Events seen.
    pub events: u64,
    /// Event time they were seen in, in ms.
    pub span_ms: u64,
}

/// What earlier cycles taught. Learning the same windows in the same order gives the same baseline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    rates: BTreeMap<String, Rate>,
}

impl Baseline {
    /// The rate of an event type, if one was learned.
    pub fn rate(&self, event_type: &str) -> Option<Rate> {
        self.rates.get(event_type).copied()
    }

    /// Learns the rates of one window. A window of less than [`LEARNED_WINDOW_MS_MIN`] teaches nothing, and no more
    /// than [`RATES_MAX`] event types are remembered.
    pub fn learn(&mut self, profile: &Profile) {
        let span_ms = span_ms(profile);
        if span_ms < LEARNED_WINDOW_MS_MIN {
            return;
        }
        for (name, event_type) in profile.event_types() {
            let limit = if event_type.is_known() { RATES_MAX } else { EVENT_TYPES_MAX };
            if self.rates.len() < limit || self.rates.contains_key(name) {
                let rate = self.rates.entry(name.to_owned()).or_default();
                rate.events = rate.events.saturating_add(event_type.events().events());
                rate.span_ms = rate.span_ms.saturating_add(span_ms);
            }
        }
    }
}

/// The event time that a window covers, in ms.
pub(crate) fn span_ms(profile: &Profile) -> u64 {
    profile.events().first_ms().abs_diff(profile.events().last_ms())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{profile_of, schema};

    #[test]
    fn the_rate_of_a_declared_event_type_is_learned_however_many_others_there_are() {
        let names: Vec<String> = (0..EVENT_TYPES_MAX).map(|n| format!("junk{n}")).collect();
        let junk = names.iter().map(|name| (name.as_str(), "{}", 0));
        let profile = profile_of(schema(), junk.chain([("ping", "{}", 0), ("ping", "{}", 120_000)]));
        let mut baseline = Baseline::default();
        baseline.learn(&profile);
        assert_eq!(baseline.rate("ping"), Some(Rate { events: 2, span_ms: 120_000 }));
    }
}
