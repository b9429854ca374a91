use super::*;
use crate::fixture::*;

fn blocker(assertion: Assertion) -> Test {
    Test::blocker(assertion)
}

fn shapes(text: &str) -> Assertion {
    let text = format!("@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix p: <{NAMESPACE}> . {text}");
    Assertion::ConformsTo { shapes: knhk_ontology::turtle::parse(&text).unwrap() }
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
        (&good, shapes("p:S a sh:NodeShape ; sh:targetNode p:Stroke ; sh:property [ sh:path rdfs:label ; sh:minCount 1 ] .".replace("rdfs:label", "<http://www.w3.org/2000/01/rdf-schema#label>").as_str()), true),
        (&good, shapes("p:S a sh:NodeShape ; sh:targetNode p:Stroke ; sh:property [ sh:path p:nothing ; sh:minCount 1 ] ."), false),
        (&good, shapes("p:S a sh:NodeShape ; sh:targetNode p:Stroke ; sh:noSuchConstraint 1 ."), false),
        (&good, Assertion::RollsBack, true),
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
    let missing = |criticality| Test::new(Assertion::ClassExists(iri("Nowhere")), criticality);
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

#[test]
fn a_test_that_would_take_more_than_its_limit_fails_without_being_run() {
    let bench = Bench::new(&schema());
    let good = addition("Stroke", "x");
    let triples = (bench.base.sigma.core.len() + bench.base.sigma.sector.len()) as u64;
    for (assertion, work) in
        [(Assertion::NoConflicts, 1), (Assertion::Replay, 100), (Assertion::Conforms, triples)]
    {
        let within = |limit| Test { limit, ..blocker(assertion.clone()) };
        // What the change adds is read too.
        let passed = tested(&bench, &good, &[within(work + 50)]);
        assert_eq!(passed.state(), &State::TestsPassed, "{assertion:?}");
        let failed = tested(&bench, &good, &[within(work - 1)]);
        let why = failed.results()[0].failure.as_ref().unwrap();
        assert!(why.contains(&format!("limit of {}", work - 1)), "{why}");
    }
}

#[test]
fn only_the_steps_of_the_life_of_a_shadow_are_allowed() {
    let (failed, rejected) =
        (|| State::TestsFailed { reason: "r".into() }, || State::Rejected { reason: "r".into() });
    let states = [
        State::Created,
        State::ChangesApplied,
        State::TestsRunning,
        State::TestsPassed,
        failed(),
        State::Approved,
        rejected(),
    ];
    let mut steps = Vec::new();
    for from in &states {
        for to in states.iter().filter(|to| from.may_become(to)) {
            steps.push((from.as_str(), to.as_str()));
        }
    }
    assert_eq!(
        steps,
        [
            ("created", "applied"),
            ("created", "failed"),
            ("applied", "being tested"),
            ("being tested", "tested"),
            ("being tested", "failed"),
            ("tested", "approved"),
            ("tested", "rejected"),
            ("failed", "rejected"),
        ]
    );
}

#[test]
fn only_a_tested_shadow_is_approved_and_a_rejected_one_stays_so() {
    let bench = Bench::new(&schema());
    let good = addition("Stroke", "x");
    let passed = tested(&bench, &good, &[blocker(Assertion::RollsBack)]);
    assert_eq!(passed.clone().approved().unwrap().state(), &State::Approved);
    let rejected = passed.rejected("no").unwrap();
    assert_eq!(rejected.clone().approved().unwrap_err().code(), "KNHK-E1612");
    assert_eq!(rejected.rejected("again").unwrap_err().code(), "KNHK-E1612");
    let untested = shadow(&bench, &good).applied();
    assert_eq!(untested.clone().approved().unwrap_err().code(), "KNHK-E1612");
    assert_eq!(untested.rejected("untested").unwrap_err().code(), "KNHK-E1612");
    let failed = tested(&bench, &good, &[]);
    assert_eq!(failed.clone().approved().unwrap_err().code(), "KNHK-E1612");
    assert!(failed.rejected("no test").is_ok());
}

#[test]
fn only_so_many_shadows_are_open_at_one_time() {
    let bench = Bench::new(&schema());
    let mut environment = ShadowEnvironment::default();
    let mut open: Vec<Shadow> = Vec::new();
    for _ in 0..SHADOWS_OPEN_MAX {
        open.push(environment.open(bench.base.clone(), &addition("Stroke", "x")).unwrap());
    }
    let refused = environment.open(bench.base.clone(), &addition("Stroke", "x"));
    assert_eq!(refused.unwrap_err().code(), "KNHK-E1613");
    let tested = open.pop().unwrap().tested(&[blocker(Assertion::NoConflicts)], &bench.window, &bench.guards);
    assert_eq!(environment.open_shadows(), SHADOWS_OPEN_MAX, "a tested shadow is still open");
    drop(tested);
    assert!(environment.open(bench.base.clone(), &addition("Stroke", "x")).is_ok());
}

#[test]
fn shadows_of_one_base_and_of_several_sectors_do_not_see_each_other_on_several_threads() {
    let bench = Bench::new(&schema());
    let other = {
        let mut other = schema();
        "forge".clone_into(&mut other.sector);
        Bench::new(&other)
    };
    let before = [(*bench.base).clone(), (*other.base).clone()];
    let alone = |bench: &Bench, key: &str| {
        let tests = shadow(bench, &addition("Stroke", key)).standard_tests(&bench.guards);
        let tested = tested(bench, &addition("Stroke", key), &tests);
        assert_eq!(tested.state(), &State::TestsPassed, "{:?}", tested.results());
        tested.candidate().unwrap().sigma().content_id()
    };
    let keys = ["a", "b", "c", "d"];
    let expected: Vec<_> = keys.iter().map(|key| [alone(&bench, key), alone(&other, key)]).collect();
    let found: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = keys
            .iter()
            .map(|key| (scope.spawn(|| alone(&bench, key)), scope.spawn(|| alone(&other, key))))
            .collect();
        threads.into_iter().map(|(one, two)| [one.join().unwrap(), two.join().unwrap()]).collect()
    });
    assert_eq!(found, expected, "a shadow is the same alone and among others");
    let contents: std::collections::BTreeSet<_> = found.iter().flatten().map(|id| id.0).collect();
    assert_eq!(contents.len(), 8, "and no two are alike");
    assert_eq!([(*bench.base).clone(), (*other.base).clone()], before, "no base was touched");
}
