use super::*;
use crate::fixture::*;

fn blocker(assertion: Assertion) -> Test {
    Test { assertion, criticality: Criticality::Blocker }
}

fn shadow(bench: &Bench, delta: &Delta) -> Shadow {
    Shadow::new(bench.base.clone(), delta)
}

fn tested(bench: &Bench, delta: &Delta, tests: &[Test]) -> Shadow {
    shadow(bench, delta).tested(tests, &bench.window, &bench.guards)
}

#[test]
fn an_empty_list_of_tests_does_not_pass() {
    let bench = Bench::new(&schema());
    let shadow = tested(&bench, &addition("Stroke", "x"), &[]);
    assert_eq!(shadow.state(), &State::TestsFailed { reason: "there was no test".to_owned() });
}

#[test]
fn states_only_move_forward() {
    let bench = Bench::new(&schema());
    let new = shadow(&bench, &addition("Stroke", "x"));
    assert_eq!((new.state(), new.candidate().is_some()), (&State::Created, false));
    let applied = new.applied();
    assert_eq!((applied.state(), applied.candidate().is_some()), (&State::ChangesApplied, true));
    let failed = applied.tested(&[], &bench.window, &bench.guards);
    let again = failed.clone().tested(&[blocker(Assertion::NoConflicts)], &bench.window, &bench.guards);
    assert_eq!(again.state(), failed.state(), "a failed shadow cannot be tested into passing");
    assert_eq!(again.applied().state(), failed.state());
}

#[test]
fn a_change_that_cannot_be_applied_fails_and_says_why() {
    let bench = Bench::new(&schema());
    let shadow = tested(&bench, &removal("Stroke", "nothing"), &[blocker(Assertion::NoConflicts)]);
    assert!(matches!(shadow.state(), State::TestsFailed { .. }));
    assert_eq!(shadow.refusal().unwrap().code(), "KNHK-E1306");
    assert!(shadow.results().is_empty());
}

#[test]
fn every_assertion_holds_and_fails_for_its_own_reason() {
    let bench = Bench::new(&schema());
    let good = addition("Stroke", "x");
    let narrowed = bench.change("Stroke", "force", |force| force.facets.max = Some(10.into()));
    let opened = removal("Stroke", "guardClosed");
    for (delta, assertion, passes) in [
        (&good, Assertion::ClassExists(iri("Stroke")), true),
        (&good, Assertion::ClassExists(iri("Nowhere")), false),
        (&good, Assertion::PropertyExists(place("Stroke", "x")), true),
        (&good, Assertion::PropertyExists(place("Tool", "x")), false),
        (&good, Assertion::GuardHolds("PLANT-G-001".to_owned()), true),
        (&good, Assertion::GuardHolds("nobody".to_owned()), false),
        (&opened, Assertion::GuardHolds("PLANT-G-001".to_owned()), false),
        (&good, Assertion::NoConflicts, true),
        (&good, Assertion::Conforms, true),
        (&good, Assertion::Replay, true),
        (&narrowed, Assertion::Replay, false),
    ] {
        let shadow = tested(&bench, delta, &[blocker(assertion.clone())]);
        assert_eq!(*shadow.state() == State::TestsPassed, passes, "{assertion:?}: {:?}", shadow.state());
        assert_eq!(shadow.results()[0].failure.is_none(), passes);
    }
}

#[test]
fn only_blocking_tests_fail_a_shadow_and_every_result_is_kept() {
    let bench = Bench::new(&schema());
    let missing = |criticality| Test { assertion: Assertion::ClassExists(iri("Nowhere")), criticality };
    let tests = [missing(Criticality::Info), missing(Criticality::Warning), blocker(Assertion::NoConflicts)];
    let shadow = tested(&bench, &addition("Stroke", "x"), &tests);
    assert_eq!(shadow.state(), &State::TestsPassed);
    assert_eq!(shadow.results().iter().filter(|result| result.failure.is_some()).count(), 2);
}

#[test]
fn shadows_are_isolated_from_the_base_and_from_each_other() {
    let bench = Bench::new(&schema());
    let before = (*bench.base).clone();
    let one = shadow(&bench, &addition("Stroke", "x")).applied();
    let other = shadow(&bench, &addition("Stroke", "y")).applied();
    let keys =
        |shadow: &Shadow| shadow.candidate().unwrap().schema().classes[&iri("Stroke")].properties.len();
    assert_eq!((keys(&one), keys(&other)), (6, 6));
    assert_ne!(
        one.candidate().unwrap().sigma().content_id(),
        other.candidate().unwrap().sigma().content_id()
    );
    assert_eq!(*bench.base, before);
}

#[test]
fn the_standard_tests_cover_what_is_added_and_every_guard() {
    let bench = Bench::new(&schema());
    let mut delta = addition("Stroke", "x");
    delta.added_classes = vec![class("New", &[], vec![])];
    let tests = shadow(&bench, &delta).standard_tests(&bench.guards);
    for assertion in [
        Assertion::ClassExists(iri("New")),
        Assertion::PropertyExists(place("Stroke", "x")),
        Assertion::GuardHolds("PLANT-G-001".to_owned()),
        Assertion::NoConflicts,
        Assertion::Conforms,
        Assertion::Replay,
    ] {
        assert!(tests.contains(&blocker(assertion.clone())), "{assertion:?}");
    }
    assert!(!shadow(&bench, &Delta::default()).standard_tests(&GuardSet::default()).is_empty());
}
