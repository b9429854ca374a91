//! Each stage lets a good change through and stops a bad one, by the code of its finding.

use std::sync::Arc;

use knhk_ontology::delta::{AddedProperty, Delta};
use knhk_ontology::schema::{Cardinality, Compatibility, Datatype, PromotionPolicy, Range};
use knhk_ontology::{Graph, History, Iri, Literal, Sigma, Snapshot, Triple, Version, vocab};

use crate::doctrine::{Approval, DoctrineSet};
use crate::finding::{Code, Conclusion, Severity, Stage};
use crate::fixture::*;
use crate::guards::GuardSet;
use crate::policy::{Decision, Mode, decide};
use crate::proposal::Checked;
use crate::stages::Measurement;

fn conclusions(checked: &Checked) -> Vec<&str> {
    checked.results().iter().map(|result| result.result.as_str()).collect()
}

#[track_caller]
fn fails(checked: &Checked, stage: Stage, code: Code) {
    let result = checked.result(stage);
    assert!(result.failed(), "{stage} should fail: {result:?}");
    let found =
        result.findings.iter().find(|finding| finding.code == code && finding.severity == Severity::Error);
    let finding = found.unwrap_or_else(|| panic!("{stage} should say {code}: {:?}", result.findings));
    assert!(
        !finding.message.is_empty() && !finding.rule.is_empty() && !finding.fix.is_empty(),
        "{finding:?}"
    );
}

#[track_caller]
fn passes(checked: &Checked, stage: Stage) {
    assert_eq!(checked.result(stage).result, Conclusion::Passed, "{:?}", checked.result(stage).findings);
}

fn decision(checked: &Checked) -> Decision {
    decide(PromotionPolicy::Automatic, Mode::Auto, checked)
}

#[test]
fn a_good_change_passes_all_seven_stages_and_is_promoted() {
    let bench = Bench::new(&schema());
    let mut content = bench.content(addition("Stroke", "operator"));
    content.estimated_ticks = knhk_projection::ticks::ticks(&schema(), STROKE).unwrap().0;
    let checked = bench.check_content(content);
    assert_eq!(conclusions(&checked), ["passed"; 7], "{:#?}", checked.results());
    assert_eq!(decision(&checked), Decision::Promote);
    let approved = checked.approve(PromotionPolicy::Automatic, Mode::Auto).unwrap();
    let promotion = approved.promotion(&bench.base, NOW_MS).unwrap();
    assert_eq!(promotion.snapshot.version, Version { major: 1, minor: 1, patch: 0 });
    assert!(promotion.snapshot.schema.classes[&iri("Stroke")].properties.contains_key("operator"));
    assert_eq!(promotion.snapshot.parents, [bench.base.id]);
    let mut history = bench.history.clone();
    history.insert(promotion.snapshot.clone()).unwrap();
    assert!(approved.promotion(&promotion.snapshot, NOW_MS).is_err(), "a stale promotion is refused");
    assert_eq!(*bench.base, snapshot(&schema()), "the base is untouched");
}

#[test]
fn the_same_check_gives_the_same_bytes() {
    let bytes = || {
        let bench = Bench::new(&schema());
        let checked = bench.check(addition("Stroke", "operator"));
        knhk_evidence::canonical::to_bytes(checked.results()).unwrap()
    };
    assert_eq!(bytes(), bytes());
}

// --- Stage 1

#[test]
fn an_empty_change_fails() {
    fails(&Bench::new(&schema()).check(Delta::default()), Stage::Static, Code::EmptyChange);
}

#[test]
fn a_change_that_changes_nothing_is_empty() {
    let bench = Bench::new(&schema());
    let delta = bench.change("Stroke", "force", |_| {});
    fails(&bench.check(delta), Stage::Static, Code::EmptyChange);
}

#[test]
fn terms_must_lie_in_the_sectors_namespace() {
    let bench = Bench::new(&schema());
    for foreign in ["urn:knhk:ns#Event2", "urn:knhk:finance#Stroke.x", "urn:knhk:plant#"] {
        let mut delta = addition("Stroke", "operator");
        delta.added_properties[0].property.iri = Iri::new(foreign).unwrap();
        fails(&bench.check(delta), Stage::Static, Code::OutsideNamespace);
    }
}

#[test]
fn parents_domains_and_ranges_must_exist() {
    let bench = Bench::new(&schema());
    let mut orphan = class("Orphan", &[], vec![]);
    orphan.subclass_of = iri("Nowhere");
    let delta = Delta { added_classes: vec![orphan], ..Delta::default() };
    fails(&bench.check(delta), Stage::Static, Code::UnknownParent);
    fails(&bench.check(addition("Nowhere", "x")), Stage::Static, Code::UnknownDomain);
    fails(&bench.check(removal("Stroke", "nothing")), Stage::Static, Code::UnknownDomain);
    let removed = Delta { removed_classes: vec![iri("Nowhere")], ..Delta::default() };
    fails(&bench.check(removed), Stage::Static, Code::UnknownDomain);
    let mut delta = addition("Stroke", "lost");
    delta.added_properties[0].property.ranges = [Range::Class(iri("Nowhere"))].into();
    fails(&bench.check(delta), Stage::Static, Code::UnknownRange);
}

#[test]
fn names_collide_within_and_between_kinds() {
    let bench = Bench::new(&schema());
    let again = Delta { added_classes: vec![class("Tool", &[], vec![])], ..Delta::default() };
    fails(&bench.check(again), Stage::Static, Code::Collision);
    let mut as_property = addition("Stroke", "operator");
    as_property.added_properties[0].property.iri = iri("Tool");
    fails(&bench.check(as_property), Stage::Static, Code::Collision);
    let mut twice = addition("Stroke", "operator");
    twice.added_properties[0].property.iri = iri("Tool.name");
    fails(&bench.check(twice), Stage::Static, Code::Collision);
    let event_type = Delta { added_classes: vec![class("Other", &[STROKE], vec![])], ..Delta::default() };
    fails(&bench.check(event_type), Stage::Static, Code::Collision);
    let key = addition("Stroke", "force");
    fails(&bench.check(key), Stage::Static, Code::Collision);
}

#[test]
fn a_circle_of_subclasses_fails() {
    let mut a = class("A", &[], vec![]);
    a.subclass_of = iri("B");
    let mut b = class("B", &[], vec![]);
    b.subclass_of = iri("A");
    let delta = Delta { added_classes: vec![a, b], ..Delta::default() };
    fails(&Bench::new(&schema()).check(delta), Stage::Static, Code::UnknownParent);
}

#[test]
fn the_meta_ontology_is_really_evaluated_on_the_composed_graph() {
    // An individual with an event type is nothing to the schema; only the shapes of the meta-ontology refuse it.
    let mut bench = Bench::new(&schema());
    let mut sigma = bench.base.sigma.clone();
    let odd = Triple::new(&iri("odd"), &vocab::KNHK_EVENT_TYPE, Literal::string("com.example.odd"));
    sigma.sector.insert(&odd);
    let base = Snapshot::genesis(sigma, Version::FIRST, [0; 32], 1_000).unwrap();
    bench.history = History::begin(base.clone()).unwrap();
    bench.base = Arc::new(base);
    let checked = bench.check(addition("Stroke", "operator"));
    fails(&checked, Stage::Static, Code::MetaShape);
    assert!(checked.result(Stage::Static).findings[0].path.contains("urn:knhk:plant#odd"));
    assert!(matches!(decision(&checked), Decision::Reject { .. }));
}

#[test]
fn what_cannot_be_applied_skips_the_later_stages_and_says_why() {
    let checked = Bench::new(&schema()).check(removal("Stroke", "nothing"));
    for stage in [Stage::Doctrine, Stage::Guards, Stage::Performance, Stage::Rollback, Stage::Compatibility] {
        assert!(
            matches!(&checked.result(stage).result, Conclusion::Skipped { why } if why.contains("KNHK-E13"))
        );
    }
    assert!(matches!(decision(&checked), Decision::Reject { .. }));
}

// --- Stage 2

#[test]
fn q0_a_change_of_core_or_of_another_sector_fails() {
    let bench = Bench::new(&schema());
    let core = set_value("urn:knhk:ns#Event", &vocab::RDFS_COMMENT, None, "mine now", &vocab::XSD_STRING);
    let checked = bench.check(core);
    assert!(checked.failed_stages().next().is_some());
    assert!(checked.approve(PromotionPolicy::Automatic, Mode::Auto).is_err());
}

#[test]
fn q1_a_base_outside_the_history_fails() {
    let mut bench = Bench::new(&schema());
    let mut other = schema();
    other.classes.get_mut(&iri("Tool")).unwrap().comment = "Another past.".to_owned();
    let elsewhere = snapshot(&other);
    let mut content = bench.content(addition("Stroke", "operator"));
    content.base = elsewhere.id;
    fails(&bench.check_content(content), Stage::Invariants, Code::NotInHistory);
    bench.base = Arc::new(elsewhere);
    fails(&bench.check(addition("Stroke", "operator")), Stage::Invariants, Code::NotInHistory);
}

#[test]
fn q1_an_older_ancestor_is_a_base_but_the_head_is_what_is_changed() {
    let mut bench = Bench::new(&schema());
    let genesis = bench.base.clone();
    let checked = bench.check(addition("Stroke", "operator"));
    let approved = checked.approve(PromotionPolicy::Automatic, Mode::Auto).unwrap();
    let next = approved.promotion(&genesis, NOW_MS).unwrap().snapshot;
    bench.history.insert(next.clone()).unwrap();
    let stale = bench.check(addition("Stroke", "shift"));
    fails(&stale, Stage::Invariants, Code::NotInHistory);
    bench.base = Arc::new(next);
    let mut content = bench.content(addition("Stroke", "shift"));
    content.base = genesis.id;
    passes(&bench.check_content(content), Stage::Invariants);
}

#[test]
fn q1_a_proposal_from_the_future_or_of_another_sector_fails() {
    let bench = Bench::new(&schema());
    let mut content = bench.content(addition("Stroke", "operator"));
    content.time_ms = NOW_MS + 1;
    fails(&bench.check_content(content), Stage::Invariants, Code::TimeBackwards);
    let mut content = bench.content(addition("Stroke", "operator"));
    content.sector = "finance".to_owned();
    fails(&bench.check_content(content), Stage::Invariants, Code::NotInHistory);
}

#[test]
fn q1_a_relation_of_a_class_to_itself_is_not_taken_for_a_causal_loop() {
    let bench = Bench::new(&schema());
    let mut delta = addition("Tool", "partOf");
    delta.added_properties[0].property.ranges = [Range::Class(iri("Tool"))].into();
    passes(&bench.check(delta), Stage::Invariants);
}

#[test]
fn q2_a_range_that_the_events_do_not_have_fails() {
    let mut bench = Bench::new(&schema());
    for n in 0..50 {
        let text = format!(r#"{{"press":"q{n}","mode":"manual","guardClosed":true,"shift":"s{n}"}}"#);
        bench.observe(STROKE, &text, 3_000 + n);
    }
    let mut delta = addition("Stroke", "shift");
    delta.added_properties[0].property.ranges = literal(Datatype::Integer);
    fails(&bench.check(delta), Stage::Invariants, Code::Unsound);
    passes(&bench.check(addition("Stroke", "shift")), Stage::Invariants);
}

#[test]
fn q2_a_class_that_leaves_out_keys_of_its_own_events_fails() {
    let mut bench = Bench::new(&schema());
    bench.observe("com.example.press.stop", r#"{"reason":"jam","seconds":4}"#, 3_000);
    let delta =
        Delta { added_classes: vec![class("Stop", &["com.example.press.stop"], vec![])], ..Delta::default() };
    fails(&bench.check(delta.clone()), Stage::Invariants, Code::Unsound);
    let mut whole = delta;
    for (key, datatype) in [("reason", Datatype::String), ("seconds", Datatype::Integer)] {
        let property = property("Stop", key, literal(datatype), Cardinality::One);
        whole.added_properties.push(AddedProperty { domain: iri("Stop"), property });
    }
    passes(&bench.check(whole), Stage::Invariants);
}

#[test]
fn q2_more_rejected_events_than_before_fail_and_fewer_are_an_improvement() {
    let mut bench = Bench::new(&schema());
    let narrowed = bench.change("Stroke", "force", |force| force.facets.max = Some(50.into()));
    let checked = bench.check(narrowed);
    fails(&checked, Stage::Invariants, Code::MoreViolations);
    fails(&checked, Stage::Compatibility, Code::NewlyRejected);
    for n in 0..40 {
        let text = format!(r#"{{"press":"q{n}","mode":"manual","guardClosed":true,"shift":"s","crew":{n}}}"#);
        bench.observe(STROKE, &text, 3_000 + n);
    }
    let partial = bench.check(addition("Stroke", "shift"));
    let result = partial.result(Stage::Invariants);
    assert_eq!(result.result, Conclusion::Warning);
    assert!(result.has(Code::RemainingViolations), "what remains is told: {:?}", result.findings);
}

#[test]
fn an_empty_window_is_told_not_passed() {
    let mut bench = Bench::new(&schema());
    bench.window = crate::window::Window::default();
    let checked = bench.check(addition("Stroke", "operator"));
    assert!(checked.result(Stage::Invariants).has(Code::EmptyWindow));
    assert_eq!(checked.result(Stage::Invariants).result, Conclusion::Warning);
    assert!(checked.result(Stage::Compatibility).has(Code::NothingReplayed));
    assert_eq!(checked.result(Stage::Compatibility).result, Conclusion::Warning);
}

fn wide(keys: usize) -> knhk_ontology::Schema {
    let properties = (0..keys)
        .map(|n| {
            let mut wide =
                property("Stroke", &format!("k{n}"), literal(Datatype::Integer), Cardinality::ZeroOrOne);
            wide.facets.max = Some(9.into());
            wide
        })
        .collect();
    let mut stroke = class("Stroke", &[STROKE], properties);
    stroke.hot = true;
    schema_of(vec![stroke])
}

#[test]
fn a_hot_event_type_may_need_eight_ticks_and_not_nine() {
    let mut bench = Bench::new(&wide(48));
    bench.guards = GuardSet::default();
    let eight = bench.check(addition("Stroke", "plain"));
    assert!(
        !eight.result(Stage::Performance).failed() && !eight.result(Stage::Invariants).has(Code::GuardLength)
    );
    let mut delta = addition("Stroke", "bounded");
    delta.added_properties[0].property.ranges = literal(Datatype::Integer);
    delta.added_properties[0].property.facets.max = Some(9.into());
    let nine = bench.check(delta);
    fails(&nine, Stage::Performance, Code::OverBudget);
    fails(&nine, Stage::Invariants, Code::GuardLength);
    let over = &nine.result(Stage::Performance).findings[0];
    assert!(
        over.message.contains("9 ticks")
            && over.message.contains("Stroke")
            && over.message.contains("bounds 7")
    );
}

#[test]
fn q4_and_q5_without_a_measurement_are_told_and_with_a_bad_one_fail() {
    let mut bench = Bench::new(&schema());
    bench.measurement = None;
    let checked = bench.check(addition("Stroke", "operator"));
    assert_eq!(checked.result(Stage::Invariants).result, Conclusion::Warning);
    assert!(checked.result(Stage::Invariants).has(Code::NoMeasurement));
    let good = Measurement { admission_batch_mean_ns: 99, admission_p99_ns: 1, resident_bytes: 1 };
    bench.measurement = Some(Measurement { admission_p99_ns: 100_000_000, ..good });
    fails(&bench.check(addition("Stroke", "operator")), Stage::Invariants, Code::Latency);
    bench.measurement = Some(Measurement { resident_bytes: (1 << 30) + 1, ..good });
    fails(&bench.check(addition("Stroke", "operator")), Stage::Invariants, Code::Resources);
    bench.measurement = Some(Measurement { admission_batch_mean_ns: 100, ..good });
    passes(&bench.check(addition("Stroke", "operator")), Stage::Invariants);
    let mut hot = schema();
    hot.classes.get_mut(&iri("Stroke")).unwrap().hot = true;
    let mut bench = Bench::new(&hot);
    bench.measurement = Some(Measurement { admission_batch_mean_ns: 100, ..good });
    fails(&bench.check(addition("Stroke", "operator")), Stage::Invariants, Code::Latency);
}

// --- Stage 3 (the rules themselves are tested in `doctrine`)

#[test]
fn without_doctrine_in_force_stage_three_warns() {
    let mut bench = Bench::new(&schema());
    bench.doctrine = DoctrineSet::default();
    let checked = bench.check(addition("Stroke", "operator"));
    let result = checked.result(Stage::Doctrine);
    assert_eq!(result.result, Conclusion::Warning);
    assert!(result.has(Code::NoDoctrine));
}

#[test]
fn a_mandatory_rule_rejects_what_it_forbids() {
    let bench = Bench::new(&schema());
    let checked = bench.check(removal("Tool", "wear"));
    fails(&checked, Stage::Doctrine, Code::Predicate);
    assert!(matches!(decision(&checked), Decision::Reject { .. }));
}

#[test]
fn a_change_that_only_lacks_approvals_is_held_for_them_and_then_promoted() {
    let mut bench = Bench::new(&schema());
    bench.doctrine = DoctrineSet::from_toml(
        br#"
        [[rule]]
        id = "A"
        name = "Two people"
        description = ""
        enforcement = "mandatory"
        source = "SOX"
        version = 1
        constraint = { type = "approval_chain", required_signers = 2, roles = ["safety"] }
        "#,
    )
    .unwrap();
    let held = bench.check(addition("Stroke", "operator"));
    fails(&held, Stage::Doctrine, Code::ApprovalsMissing);
    assert!(matches!(decision(&held), Decision::Hold { .. }));
    let reviewed = decide(PromotionPolicy::Automatic, Mode::Reviewed, &held);
    assert!(matches!(reviewed, Decision::Hold { .. }), "a review is not an approval");
    assert!(held.approve(PromotionPolicy::Automatic, Mode::Auto).is_err());
    let approval = |person: &str, role: &str| Approval {
        person: person.to_owned(),
        role: role.to_owned(),
        sector: "plant".to_owned(),
    };
    bench.approvals = vec![approval("ada", "safety"), approval("bo", "quality")];
    assert_eq!(decision(&bench.check(addition("Stroke", "operator"))), Decision::Promote);
    let both = bench.check(bench.change("Stroke", "guardClosed", |p| p.cardinality = Cardinality::ZeroOrOne));
    assert!(matches!(decision(&both), Decision::Reject { .. }), "another failure is not held");
}

// --- Stage 4 (harm in detail is tested in `guards`)

#[test]
fn opening_the_interlock_fails_stage_four() {
    let bench = Bench::new(&schema());
    let optional = bench.change("Stroke", "guardClosed", |p| p.cardinality = Cardinality::ZeroOrOne);
    let checked = bench.check(optional);
    fails(&checked, Stage::Guards, Code::ProtectedWeakened);
    assert!(matches!(decision(&checked), Decision::Reject { .. }));
}

#[test]
fn without_guards_stage_four_warns() {
    let mut bench = Bench::new(&schema());
    bench.guards = GuardSet::default();
    let checked = bench.check(addition("Stroke", "operator"));
    assert_eq!(checked.result(Stage::Guards).result, Conclusion::Warning);
    assert!(checked.result(Stage::Guards).has(Code::NoGuards));
}

// --- Stage 5

#[test]
fn a_false_claim_of_ticks_is_told_and_nothing_rests_on_it() {
    let bench = Bench::new(&schema());
    let mut content = bench.content(addition("Stroke", "operator"));
    content.estimated_ticks = 0;
    let checked = bench.check_content(content);
    let result = checked.result(Stage::Performance);
    assert_eq!(result.result, Conclusion::Warning);
    assert!(result.has(Code::FalseClaim));
    // What was claimed of an earlier snapshot is noted, and is no false claim of this one.
    let mut earlier = bench.content(addition("Stroke", "operator"));
    earlier.estimated_ticks = 0;
    earlier.base = Bench::new(&wide(2)).base.id;
    let checked = bench.check_content(earlier);
    let result = checked.result(Stage::Performance);
    assert_eq!(result.result, Conclusion::Passed);
    assert!(result.has(Code::FalseClaim));
    let mut hot = bench.content(addition("Stroke", "bounded"));
    hot.delta.added_properties[0].property.ranges = literal(Datatype::Integer);
    hot.delta.added_properties[0].property.facets.max = Some(9.into());
    hot.estimated_ticks = 1;
    let mut bench = Bench::new(&wide(48));
    bench.guards = GuardSet::default();
    hot.base = bench.base.id;
    fails(&bench.check_content(hot), Stage::Performance, Code::OverBudget);
}

// --- Stage 6

#[test]
fn a_class_that_is_still_referred_to_cannot_be_removed() {
    let bench = Bench::new(&schema());
    let checked = bench.check(Delta { removed_classes: vec![iri("Tool")], ..Delta::default() });
    assert!(checked.result(Stage::Static).failed());
    let delta = Delta {
        removed_classes: vec![iri("Tool")],
        removed_properties: vec![place("Stroke", "tool")],
        ..Delta::default()
    };
    passes(&bench.check(delta), Stage::Rollback);
}

// --- Stage 7

#[test]
fn a_narrowed_property_names_the_events_it_would_reject() {
    let bench = Bench::new(&schema());
    let checked = bench.check(bench.change("Stroke", "force", |force| force.facets.max = Some(96.into())));
    fails(&checked, Stage::Compatibility, Code::NotBackward);
    fails(&checked, Stage::Compatibility, Code::NewlyRejected);
    let result = checked.result(Stage::Compatibility);
    let named: Vec<_> =
        result.findings.iter().filter(|finding| finding.code == Code::NewlyRejected).collect();
    assert_eq!(named.len(), 3);
    assert!(named[0].message.contains("3 of 100 events") && named[0].path == "force", "{:?}", named[0]);
    let breaking = result.findings.iter().find(|finding| finding.code == Code::NotBackward).unwrap();
    assert!(breaking.message.contains("1.0.0 into 2.0.0"), "{}", breaking.message);
}

#[test]
fn a_new_required_key_is_breaking_even_if_every_event_of_the_window_has_it() {
    let mut bench = Bench::new(&schema());
    bench.window = crate::window::Window::default();
    bench.observe(STROKE, r#"{"press":"p","mode":"manual","guardClosed":true,"shift":"a"}"#, 1);
    let mut delta = addition("Stroke", "shift");
    delta.added_properties[0].property.cardinality = Cardinality::One;
    fails(&bench.check(delta), Stage::Compatibility, Code::NotBackward);
    passes(&bench.check(addition("Stroke", "shift")), Stage::Compatibility);
}

#[test]
fn each_level_asks_for_what_its_name_says() {
    use Compatibility as C;
    let widening = |bench: &Bench| bench.change("Stroke", "force", |force| force.facets.max = None);
    let narrowing = |bench: &Bench| bench.change("Tool", "wear", |wear| wear.facets.max = Some(10.into()));
    let levels = [
        (C::Backward, false, true),
        (C::Forward, true, false),
        (C::Full, true, true),
        (C::BackwardTransitive, false, true),
        (C::ForwardTransitive, true, false),
        (C::FullTransitive, true, true),
    ];
    for (level, widening_fails, narrowing_fails) in levels {
        let mut schema = schema();
        schema.settings.compatibility = level;
        let bench = Bench::new(&schema);
        let wide = bench.check(widening(&bench));
        let narrow = bench.check(narrowing(&bench));
        assert_eq!(wide.result(Stage::Compatibility).has(Code::NotForward), widening_fails, "{level:?}");
        assert_eq!(narrow.result(Stage::Compatibility).has(Code::NotBackward), narrowing_fails, "{level:?}");
        assert_eq!(narrow.result(Stage::Compatibility).failed(), narrowing_fails, "{level:?}");
    }
}

#[test]
fn a_transitive_level_looks_past_the_parent() {
    let mut strict = schema();
    strict.settings.compatibility = Compatibility::BackwardTransitive;
    let mut bench = Bench::new(&strict);
    let promote = |bench: &mut Bench, delta| {
        let triples = knhk_ontology::lower(&delta, &bench.base.sigma, &bench.base.schema).unwrap();
        let next = bench.base.child(&triples, Version::FIRST, 5_000).unwrap();
        bench.history.insert(next.clone()).unwrap();
        bench.base = Arc::new(next);
    };
    promote(&mut bench, removal("Tool", "wear"));
    let checked = bench.check(addition("Stroke", "operator"));
    let result = checked.result(Stage::Compatibility);
    assert!(result.has(Code::NotBackward), "`wear` of the first snapshot is not readable: {result:?}");
    assert!(result.findings[0].message.contains("since 1.0.0"));
}

#[test]
fn a_change_cannot_lower_its_own_bar() {
    let bench = Bench::new(&schema());
    let mut delta = bench.change("Stroke", "force", |force| force.facets.max = Some(50.into()));
    let lowered = set_value(
        "urn:knhk:sector:plant",
        &vocab::KNHK_COMPATIBILITY,
        Some("backward"),
        "forward",
        &vocab::XSD_STRING,
    );
    delta.set_values = lowered.set_values;
    fails(&bench.check(delta), Stage::Compatibility, Code::NotBackward);
}

// --- Policy

#[test]
fn policy_and_mode_hold_what_they_should() {
    let bench = Bench::new(&schema());
    let checked = bench.check(addition("Stroke", "operator"));
    let decide = |policy, mode| decide(policy, mode, &checked);
    assert_eq!(decide(PromotionPolicy::Automatic, Mode::Auto), Decision::Promote);
    assert!(matches!(decide(PromotionPolicy::Automatic, Mode::Hold), Decision::Hold { .. }));
    assert!(matches!(decide(PromotionPolicy::HumanReview, Mode::Auto), Decision::Hold { .. }));
    assert!(matches!(decide(PromotionPolicy::HumanReview, Mode::Hold), Decision::Hold { .. }));
    assert_eq!(decide(PromotionPolicy::HumanReview, Mode::Reviewed), Decision::Promote);
}

#[test]
fn an_unsure_model_is_held_and_a_sure_one_is_not() {
    let bench = Bench::new(&schema());
    for (ppm, promoted) in [(899_999, false), (900_000, true)] {
        let mut content = bench.content(addition("Stroke", "operator"));
        content.proposer = "some-model".to_owned();
        content.confidence_ppm = ppm;
        assert_eq!(decision(&bench.check_content(content)) == Decision::Promote, promoted);
    }
}

#[test]
fn every_collision_is_told_at_once() {
    let bench = Bench::new(&schema());
    let mut delta = addition("Stroke", "operator");
    delta.added_properties[0].property.iri = iri("Tool.name");
    delta.added_classes = vec![class("Tool", &[], vec![])];
    let checked = bench.check(delta);
    let collisions =
        checked.result(Stage::Static).findings.iter().filter(|finding| finding.code == Code::Collision);
    assert_eq!(collisions.count(), 2);
}

#[test]
fn what_the_candidate_leaves_stranded_fails_stage_six() {
    let mut bench = Bench::new(&schema());
    // Without core there is no `knhk:Event` for the sector's classes to be below.
    let sigma = Sigma::new(Graph::new(), bench.base.sigma.sector.clone());
    let base = Snapshot::genesis(sigma, Version::FIRST, [0; 32], 1_000).unwrap();
    bench.history = History::begin(base.clone()).unwrap();
    bench.base = Arc::new(base);
    fails(&bench.check(addition("Stroke", "operator")), Stage::Rollback, Code::Stranded);
}

#[test]
fn removing_a_class_is_breaking_for_the_class_itself() {
    let bench = Bench::new(&schema());
    let delta = Delta {
        removed_classes: vec![iri("Tool")],
        removed_properties: vec![place("Stroke", "tool")],
        ..Delta::default()
    };
    let checked = bench.check(delta);
    let findings = &checked.result(Stage::Compatibility).findings;
    let of_class = findings.iter().find(|f| f.code == Code::NotBackward && f.path == iri("Tool").as_str());
    assert!(of_class.is_some(), "{findings:?}");
}

#[test]
fn replay_counts_events_and_not_payloads() {
    let mut bench = Bench::new(&schema());
    bench.window = crate::window::Window::default();
    for time in 0..5 {
        bench.observe(STROKE, r#"{"press":"p","mode":"manual","guardClosed":true,"force":99}"#, time);
    }
    let checked = bench.check(bench.change("Stroke", "force", |force| force.facets.max = Some(50.into())));
    let result = checked.result(Stage::Compatibility);
    let named = result.findings.iter().find(|finding| finding.code == Code::NewlyRejected).unwrap();
    assert!(named.message.contains("5 of 5 events"), "{}", named.message);
}
