//! Detectors of rates: too many events, too many errors, silence.

use std::collections::BTreeMap;

use crate::baseline::{Baseline, LEARNED_WINDOW_MS_MIN, span_ms};
use crate::confidence;
use crate::detect::{Finding, Findings};
use crate::pattern::{Action, PatternKind};
use crate::profile::{EventTypeProfile, Profile};

/// The seconds over which bursts are counted.
const BURST_SECONDS: i64 = 60;

/// Lowest confidence of a rate that is reported, in ppm: rates vary, and every type is tested in every cycle.
const RATE_CONFIDENCE_PPM_MIN: u32 = 990_000;

/// How many times a rate must have grown or shrunk to be reported.
const RATE_FACTOR_MIN: u64 = 2;

pub(crate) fn detect(profile: &Profile, baseline: &Baseline, findings: &mut Findings<'_>) {
    let windows = span_ms(profile) / 60_000 + 1;
    for (name, events) in profile.event_types() {
        let declared = findings.schema.settings.expected_rates.get(name).copied();
        match (declared, baseline.rate(name)) {
            (Some(rate), _) => burst(name, events, rate, true, windows, findings),
            (None, Some(before)) if before.span_ms >= LEARNED_WINDOW_MS_MIN => {
                changed(name, events, before.events, before.span_ms, span_ms(profile), findings);
            }
            (None, _) => {
                let limit = u64::from(findings.schema.settings.frequency_limit);
                burst(name, events, limit, false, windows, findings);
            }
        }
    }
    errors(profile, windows, findings);
    silence(profile, findings);
}

/// The most events in any [`BURST_SECONDS`] consecutive seconds.
fn busiest(seconds: &BTreeMap<i64, u64>) -> u64 {
    let (mut sum, mut most) = (0, 0);
    let mut tail = seconds.iter().peekable();
    for (second, count) in seconds {
        sum += count;
        while let Some((_, gone)) =
            tail.next_if(|(old, _)| second.abs_diff(**old) >= BURST_SECONDS.unsigned_abs())
        {
            sum -= gone;
        }
        most = most.max(sum);
    }
    most
}

/// More events in some minute than `rate` allows: the declared rate, or the limit while none is known.
fn burst(
    name: &str,
    events: &EventTypeProfile,
    rate: u64,
    declared: bool,
    windows: u64,
    findings: &mut Findings<'_>,
) {
    let most = busiest(events.seconds());
    let (tests, detail, action) = if declared {
        (windows, format!("more than {rate} a minute"), Action::ProposeChange)
    } else {
        (1, format!("more than {rate} in 60 s"), Action::Alert)
    };
    let confidence_ppm = confidence::excess(most, rate, tests);
    if most > rate && (!declared || confidence_ppm >= RATE_CONFIDENCE_PPM_MIN) {
        let finding = Finding {
            kind: PatternKind::FrequencyAnomaly,
            event_type: name,
            path: "",
            detail: &detail,
            confidence_ppm,
        };
        findings.add(finding, (events.events(), most, events.events().events()), None, action);
    }
}

/// Events came at another rate than in earlier windows.
fn changed(
    name: &str,
    events: &EventTypeProfile,
    before: u64,
    before_ms: u64,
    span_ms: u64,
    findings: &mut Findings<'_>,
) {
    let n = events.events().events();
    let minimum = u64::from(findings.schema.settings.minimum_evidence);
    if span_ms < LEARNED_WINDOW_MS_MIN || n.min(before) < minimum {
        return;
    }
    let now = u128::from(n) * u128::from(before_ms);
    let then = u128::from(before) * u128::from(span_ms);
    let factor = u128::from(RATE_FACTOR_MIN);
    let detail = match () {
        () if now > then.saturating_mul(factor) => "faster than before",
        () if then > now.saturating_mul(factor) => "slower than before",
        () => return,
    };
    let types = findings.schema.event_types.len() as u64;
    let confidence_ppm = confidence::rate_change(n, span_ms, before, before_ms, types);
    if confidence_ppm >= RATE_CONFIDENCE_PPM_MIN {
        let finding = Finding {
            kind: PatternKind::FrequencyAnomaly,
            event_type: name,
            path: "",
            detail,
            confidence_ppm,
        };
        findings.add(finding, (events.events(), n, n), None, Action::Alert);
    }
}

/// The 60 seconds in which errors are most clearly too large a share of all events.
fn errors(profile: &Profile, windows: u64, findings: &mut Findings<'_>) {
    let settings = &findings.schema.settings;
    let (share_ppm, minimum) = (settings.error_share_ppm, u64::from(settings.minimum_evidence));
    let mut seconds: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
    let mut loudest: Option<(&str, &EventTypeProfile)> = None;
    for (name, events) in profile.event_types() {
        let is_error = settings.error_event_types.contains(name);
        if is_error && loudest.is_none_or(|(_, other)| other.events().events() < events.events().events()) {
            loudest = Some((name, events));
        }
        for (second, count) in events.seconds() {
            let (errors, all) = seconds.entry(*second).or_default();
            *errors += if is_error { *count } else { 0 };
            *all += count;
        }
    }
    let Some((name, events)) = loudest else { return };
    let (mut sum, mut worst) = ((0, 0), (0, 0, 0));
    let mut tail = seconds.iter().peekable();
    for (second, (errors, all)) in &seconds {
        sum = (sum.0 + errors, sum.1 + all);
        while let Some((_, gone)) =
            tail.next_if(|(old, _)| second.abs_diff(**old) >= BURST_SECONDS.unsigned_abs())
        {
            sum = (sum.0 - gone.0, sum.1 - gone.1);
        }
        let too_large = u128::from(sum.0) * 1_000_000 > u128::from(sum.1) * u128::from(share_ppm);
        if sum.0 >= minimum && too_large {
            worst = worst.max((confidence::share_excess(sum.0, sum.1, share_ppm, windows), sum.0, sum.1));
        }
    }
    let (confidence_ppm, n, of) = worst;
    if confidence_ppm >= RATE_CONFIDENCE_PPM_MIN {
        let detail = format!("more than {share_ppm} ppm of all events in 60 s");
        let finding = Finding {
            kind: PatternKind::ErrorSpike,
            event_type: name,
            path: "",
            detail: &detail,
            confidence_ppm,
        };
        findings.add(finding, (events.events(), n, of), None, Action::Alert);
    }
}

/// Event types with a declared rate that fell silent before the window's end. Now is the latest event time.
fn silence(profile: &Profile, findings: &mut Findings<'_>) {
    if profile.events().events() == 0 {
        return;
    }
    let heartbeat_ms = findings.schema.settings.heartbeat_ms;
    let rates = findings.schema.settings.expected_rates.clone();
    for (name, per_minute) in rates {
        let events = profile.event_type(&name);
        let since_ms = events.map_or(profile.events().first_ms(), |events| events.events().last_ms());
        let silent_ms = profile.events().last_ms().abs_diff(since_ms);
        let confidence_ppm = confidence::silence(per_minute, silent_ms);
        if silent_ms > heartbeat_ms && confidence_ppm >= RATE_CONFIDENCE_PPM_MIN {
            let seen = events.map(|events| events.events().clone()).unwrap_or_default();
            let detail = format!("silent for more than {heartbeat_ms} ms at {per_minute} a minute");
            let finding = Finding {
                kind: PatternKind::MissingData,
                event_type: &name,
                path: "",
                detail: &detail,
                confidence_ppm,
            };
            let n = seen.events();
            findings.add(finding, (&seen, n, n), None, Action::Alert);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::baseline::Baseline;
    use crate::detect::detect;
    use crate::fixture::{profile_of, schema};
    use crate::pattern::{Action, PatternKind as K};

    /// Kind, event type, n and action of what is found in events of the given types and times.
    fn found(
        schema: knhk_ontology::schema::Schema,
        events: &[(&'static str, i64)],
        baseline: &Baseline,
    ) -> Vec<(K, String, u64, Action)> {
        let profile = profile_of(schema, events.iter().map(|(name, time_ms)| (*name, "{}", *time_ms)));
        detect(&profile, baseline)
            .into_iter()
            .map(|p| (p.kind, p.event_type, p.evidence.n, p.action))
            .collect()
    }

    fn every(ms: i64, count: i64) -> Vec<(&'static str, i64)> {
        (0..count).map(|n| ("ping", n * ms)).collect()
    }

    #[test]
    fn while_no_rate_is_known_the_limit_holds_for_any_sixty_seconds() {
        let none = Baseline::default();
        assert_eq!(found(schema(), &every(600, 100), &none), []);
        assert_eq!(found(schema(), &every(600, 1_000), &none), [], "100 in every minute, never more");
        let mut burst = every(10_000, 30);
        burst.extend((0..101).map(|n| ("ping", 100_500 + n)));
        let expected = [(K::FrequencyAnomaly, "ping".to_owned(), 107, Action::Alert)];
        assert_eq!(found(schema(), &burst, &none), expected);
        burst.reverse();
        assert_eq!(found(schema(), &burst, &none), expected, "the order of arrival does not matter");
    }

    #[test]
    fn a_declared_rate_is_proposed_on_when_it_is_clearly_exceeded() {
        let mut declared = schema();
        declared.settings.expected_rates.insert("ping".to_owned(), 30);
        let none = Baseline::default();
        let expected = [(K::FrequencyAnomaly, "ping".to_owned(), 200, Action::ProposeChange)];
        assert_eq!(found(declared.clone(), &every(300, 200), &none), expected);
        assert_eq!(found(declared, &every(1_800, 200), &none), [], "34 a minute may be chance");
    }

    #[test]
    fn a_learned_rate_is_compared_with() {
        let mut baseline = Baseline::default();
        baseline.learn(&profile_of(schema(), every(1_000, 30).into_iter().map(|(t, ms)| (t, "{}", ms))));
        assert_eq!(baseline, Baseline::default(), "half a minute teaches nothing");
        baseline.learn(&profile_of(schema(), every(1_000, 600).into_iter().map(|(t, ms)| (t, "{}", ms))));
        assert_eq!(baseline.rate("ping").map(|rate| (rate.events, rate.span_ms)), Some((600, 599_000)));
        let alert = |n| [(K::FrequencyAnomaly, "ping".to_owned(), n, Action::Alert)];
        assert_eq!(found(schema(), &every(1_000, 200), &baseline), []);
        assert_eq!(found(schema(), &every(300, 400), &baseline), alert(400));
        assert_eq!(found(schema(), &every(5_000, 40), &baseline), alert(40));
    }

    #[test]
    fn errors_are_counted_by_their_share_of_sixty_seconds() {
        let mut declared = schema();
        declared.settings.error_event_types.insert("order".to_owned());
        declared.settings.frequency_limit = 1_000;
        let mut events = every(1_000, 300);
        let none = Baseline::default();
        assert_eq!(found(declared.clone(), &events, &none), []);
        events.extend((0..14).map(|n| ("order", 100_000 + n * 1_000)));
        let found = found(declared, &events, &none);
        assert_eq!(found.iter().find(|(kind, ..)| *kind == K::ErrorSpike).map(|(.., n, _)| *n), Some(14));
    }

    #[test]
    fn silence_is_judged_by_the_declared_rate() {
        let mut declared = schema();
        declared.settings.expected_rates.insert("ping".to_owned(), 60);
        declared.settings.expected_rates.insert("other".to_owned(), 1);
        let mut events = every(1_000, 60);
        events.push(("order", 68_000));
        let none = Baseline::default();
        let silent = |events: &[_]| {
            let found = found(declared.clone(), events, &none);
            found
                .into_iter()
                .filter(|(kind, ..)| *kind == K::MissingData)
                .map(|(_, name, ..)| name)
                .collect::<Vec<_>>()
        };
        assert_eq!(silent(&events), Vec::<String>::new(), "nine seconds");
        events.push(("order", 70_000));
        assert_eq!(silent(&events), ["ping"], "eleven seconds; one a minute may well be silent so long");
        events.push(("order", 700_000));
        assert_eq!(silent(&events), ["ping", "other"], "an event type that never came is silent too");
        assert_eq!(silent(&[]), Vec::<String>::new());
    }
}
