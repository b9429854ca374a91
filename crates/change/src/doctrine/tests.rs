use proptest::prelude::*;

use super::*;
use crate::fixture::*;
use knhk_ontology::delta::Delta;
use knhk_ontology::{lower, vocab};

fn rule(constraint: &str) -> String {
    format!(
        r#"
        [[rule]]
        id = "R"
        name = "The rule"
        description = "Why."
        enforcement = "mandatory"
        source = "SOX"
        version = 1
        constraint = {constraint}
        "#
    )
}

fn with(constraint: &str, extra: &str) -> Result<DoctrineSet> {
    DoctrineSet::from_toml(
        rule(constraint).replace("version = 1", &format!("version = 1\n{extra}")).as_bytes(),
    )
}

fn code(result: Result<DoctrineSet>) -> &'static str {
    result.unwrap_err().code()
}

fn meaning(delta: &Delta) -> Meaning {
    let base = snapshot(&schema());
    let triples = lower(delta, &base.sigma, &base.schema).unwrap();
    let after = base.sigma.apply(&triples).unwrap().schema().unwrap();
    Meaning::between(&base.schema, &after, &triples.added, &triples.removed)
}

struct World {
    meaning: Meaning,
    approvals: Vec<Approval>,
    now_ms: i64,
    ticks: Option<u32>,
}

impl World {
    fn of(delta: &Delta) -> Self {
        Self { meaning: meaning(delta), approvals: Vec::new(), now_ms: NOW_MS, ticks: Some(4) }
    }

    fn approved(mut self, approvals: &[(&str, &str, &str)]) -> Self {
        self.approvals = approvals
            .iter()
            .map(|(person, role, sector)| Approval {
                person: (*person).to_owned(),
                role: (*role).to_owned(),
                sector: (*sector).to_owned(),
            })
            .collect();
        self
    }

    fn codes(&self, constraint: &str, extra: &str) -> Vec<Code> {
        let set = with(constraint, extra).unwrap();
        let facts = Facts {
            meaning: &self.meaning,
            approvals: &self.approvals,
            proposer: "rules/1",
            ticks: self.ticks,
            after: None,
            now_ms: self.now_ms,
        };
        set.evaluate(&facts).into_iter().map(|finding| finding.code).collect()
    }
}

// --- Reading

#[test]
fn unknown_keys_types_predicates_and_resources_are_refused_with_their_place() {
    let misspelt = "[[rule]]\nid = \"R\"\nnamee = \"x\"\n";
    let error = DoctrineSet::from_toml(misspelt.as_bytes()).unwrap_err();
    assert!(
        matches!(&error, ChangeError::File { line: 3, column: 1, message, .. } if message.contains("namee")),
        "{error}"
    );
    for bad in [
        r#"{ type = "trust_me" }"#,
        r#"{ type = "custom", predicate = "all_good" }"#,
        r#"{ type = "custom", predicate = "no_removal", satisfied = true }"#,
        r#"{ type = "resource_limit", resource = "goodwill", max = 1 }"#,
        r#"{ type = "resource_limit", resource = "changes", max = -1 }"#,
        r#"{ type = "time_window", start = "25:00", end = "03:00" }"#,
        r#"{ type = "time_window", start = "01:00", end = "03:00", days = ["someday"] }"#,
    ] {
        assert_eq!(code(with(bad, "")), "KNHK-E1601", "{bad}");
    }
    assert_eq!(
        code(with(r#"{ type = "custom", predicate = "no_removal" }"#, "enforced = false")),
        "KNHK-E1601"
    );
    assert_eq!(code(DoctrineSet::from_toml(b"\xff")), "KNHK-E1601");
    assert_eq!(
        code(DoctrineSet::from_toml(&vec![b'\n'; toml_file::GOVERNANCE_FILE_BYTES_MAX + 1])),
        "KNHK-E1607"
    );
}

#[test]
fn rules_that_could_never_be_evaluated_are_refused() {
    for bad in [
        r#"{ type = "approval_chain", required_signers = 0 }"#,
        r#"{ type = "segregation_of_duties", incompatible = [] }"#,
        r#"{ type = "segregation_of_duties", incompatible = [["a", "a"]] }"#,
        r#"{ type = "time_window", start = "01:00", end = "01:00" }"#,
        r#"{ type = "custom", predicate = "value_never_raised" }"#,
        r#"{ type = "custom", predicate = "no_removal", property = "urn:x:y" }"#,
    ] {
        assert_eq!(code(with(bad, "")), "KNHK-E1602", "{bad}");
    }
    let good = r#"{ type = "custom", predicate = "no_removal" }"#;
    assert_eq!(code(with(good, "effective_from = 5\neffective_until = 5")), "KNHK-E1602");
    assert_eq!(code(with(good, "applies_to = [\"Stroke\"]")), "KNHK-E1602");
    assert_eq!(code(with(good, "applies_to = [\"urn:*:x\"]")), "KNHK-E1602");
    assert_eq!(code(with(good, "effective_from = \"soon\"")), "KNHK-E1601");
    assert_eq!(code(with(&rule(good), "")), "KNHK-E1601");
    let zero = rule(good).replace("version = 1", "version = 0");
    assert_eq!(code(DoctrineSet::from_toml(zero.as_bytes())), "KNHK-E1602");
    let nameless = rule(good).replace("id = \"R\"", "id = \"\"");
    assert_eq!(code(DoctrineSet::from_toml(nameless.as_bytes())), "KNHK-E1602");
}

#[test]
fn a_schema_constraint_is_refused_rather_than_skipped() {
    assert_eq!(code(with(r#"{ type = "schema", shapes = "" }"#, "")), "KNHK-E1603");
}

#[test]
fn one_id_is_one_rule_also_across_core_and_sector() {
    let text = rule(r#"{ type = "custom", predicate = "no_removal" }"#);
    assert_eq!(code(DoctrineSet::from_toml(format!("{text}{text}").as_bytes())), "KNHK-E1605");
    let set = DoctrineSet::from_toml(text.as_bytes()).unwrap();
    assert_eq!(code(set.and(&set)), "KNHK-E1605");
    assert_eq!(set.and(&DoctrineSet::default()).unwrap(), set);
}

#[test]
fn moments_are_read_in_all_three_spellings() {
    let constraint = r#"{ type = "custom", predicate = "no_removal" }"#;
    for spelling in
        ["1767225600000", "\"2026-01-01T00:00:00Z\"", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00"]
    {
        let set = with(constraint, &format!("effective_from = {spelling}")).unwrap();
        assert_eq!(set.get("R").unwrap().effective_from, Some(1_767_225_600_000), "{spelling}");
    }
}

#[test]
fn an_empty_set_has_the_digest_of_an_empty_map() {
    assert_eq!(DoctrineSet::default().digest(), DoctrineSet::from_toml(b"").unwrap().digest());
}

proptest! {
    #[test]
    fn the_digest_does_not_depend_on_the_order_of_anything(
        ids in proptest::collection::btree_set("[A-Z]{3}-[0-9]{3}", 2..12),
        roles in proptest::collection::btree_set("[a-z]{2,6}", 2..6),
        seed in any::<u64>(),
    ) {
        let text = |ids: &[String], roles: &[String]| {
            let mut text = String::new();
            for id in ids {
                text.push_str(&rule(&format!(
                    r#"{{ type = "approval_chain", required_signers = 2, roles = {roles:?} }}"#
                )).replace("\"R\"", &format!("{id:?}")));
            }
            text
        };
        let (mut ids, mut roles): (Vec<_>, Vec<_>) = (ids.into_iter().collect(), roles.into_iter().collect());
        let sorted = DoctrineSet::from_toml(text(&ids, &roles).as_bytes()).unwrap();
        let by = usize::try_from(seed % 7).unwrap();
        let (shift_ids, shift_roles) = (by % ids.len(), by % roles.len());
        ids.rotate_left(shift_ids);
        ids.reverse();
        roles.rotate_left(shift_roles);
        let shuffled = DoctrineSet::from_toml(text(&ids, &roles).as_bytes()).unwrap();
        prop_assert_eq!(sorted.digest(), shuffled.digest());
        prop_assert_ne!(sorted.digest(), DoctrineSet::default().digest());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = DoctrineSet::from_toml(&bytes);
    }
}

#[test]
fn every_field_of_a_rule_is_in_the_digest() {
    let text = rule(r#"{ type = "approval_chain", required_signers = 2 }"#);
    let digest = |text: &str| DoctrineSet::from_toml(text.as_bytes()).unwrap().digest();
    for (from, to) in [
        ("\"R\"", "\"S\""),
        ("The rule", "A rule"),
        ("Why.", "."),
        ("mandatory", "warning"),
        ("SOX", "GDPR"),
        ("version = 1", "version = 2"),
        ("version = 1", "version = 1\neffective_from = 1"),
        ("version = 1", "version = 1\neffective_until = 1"),
        ("version = 1", "version = 1\nguards = [\"G\"]"),
        ("version = 1", "version = 1\napplies_to = [\"urn:x:y\"]"),
        ("required_signers = 2", "required_signers = 3"),
        ("required_signers = 2", "required_signers = 2, sectors = [\"x\"]"),
    ] {
        assert_ne!(digest(&text), digest(&text.replace(from, to)), "{from} → {to}");
    }
}

// --- When a rule holds

#[test]
fn a_rule_holds_from_its_first_moment_to_before_its_last() {
    let limit = r#"{ type = "resource_limit", resource = "changes", max = 0 }"#;
    let extra = "effective_from = 100\neffective_until = 200";
    let mut world = World::of(&addition("Stroke", "x"));
    for (now, holds) in [(99, false), (100, true), (199, true), (200, false)] {
        world.now_ms = now;
        assert_eq!(!world.codes(limit, extra).is_empty(), holds, "{now}");
        assert_eq!(with(limit, extra).unwrap().any_effective(now), holds);
    }
}

#[test]
fn a_rule_is_about_the_terms_it_names() {
    let limit = r#"{ type = "resource_limit", resource = "changes", max = 0 }"#;
    let world = World::of(&addition("Stroke", "x"));
    for (pattern, concerned) in [
        ("urn:knhk:plant#Stroke", true),
        ("urn:knhk:plant#Stroke.x", true),
        ("urn:knhk:plant#Str*", true),
        ("urn:knhk:plant#Stroke.xy", false),
        ("urn:knhk:plant#Tool*", false),
    ] {
        let found = world.codes(limit, &format!("applies_to = [{pattern:?}]"));
        assert_eq!(!found.is_empty(), concerned, "{pattern}");
    }
}

#[test]
fn enforcement_decides_how_grave_a_violation_is() {
    for (enforcement, severity) in
        [("mandatory", Severity::Error), ("warning", Severity::Warning), ("advisory", Severity::Info)]
    {
        let text = rule(r#"{ type = "custom", predicate = "no_removal" }"#).replace("mandatory", enforcement);
        let set = DoctrineSet::from_toml(text.as_bytes()).unwrap();
        let meaning = meaning(&removal("Tool", "wear"));
        let facts = Facts {
            meaning: &meaning,
            approvals: &[],
            proposer: "",
            ticks: None,
            after: None,
            now_ms: NOW_MS,
        };
        assert_eq!(set.evaluate(&facts)[0].severity, severity);
    }
}

// --- Constraints

#[test]
fn the_same_person_twice_is_one_approval_and_the_proposer_is_none() {
    let two = r#"{ type = "approval_chain", required_signers = 2 }"#;
    let change = addition("Stroke", "x");
    let missing = vec![Code::ApprovalsMissing];
    assert_eq!(World::of(&change).codes(two, ""), missing);
    let twice = World::of(&change).approved(&[("ada", "a", "plant"), ("ada", "b", "plant")]);
    assert_eq!(twice.codes(two, ""), missing);
    let own = World::of(&change).approved(&[("ada", "a", "plant"), ("rules/1", "b", "plant")]);
    assert_eq!(own.codes(two, ""), missing);
    let both = World::of(&change).approved(&[("ada", "a", "plant"), ("bo", "a", "plant")]);
    assert_eq!(both.codes(two, ""), []);
}

#[test]
fn every_named_role_and_sector_must_approve() {
    let chain = r#"{ type = "approval_chain", required_signers = 1, roles = ["cfo", "legal"], sectors = ["finance"] }"#;
    let change = addition("Stroke", "x");
    let without = |approvals: &[(&str, &str, &str)]| World::of(&change).approved(approvals).codes(chain, "");
    assert_eq!(without(&[("a", "cfo", "finance")]), [Code::ApprovalsMissing]);
    assert_eq!(without(&[("a", "cfo", "plant"), ("b", "legal", "plant")]), [Code::ApprovalsMissing]);
    assert_eq!(without(&[("a", "cfo", "finance"), ("b", "legal", "plant")]), []);
}

#[test]
fn duties_are_segregated_when_different_people_hold_them() {
    let apart = r#"{ type = "segregation_of_duties", incompatible = [["doctor", "billing"]] }"#;
    let change = addition("Stroke", "x");
    let of = |approvals: &[(&str, &str, &str)]| World::of(&change).approved(approvals).codes(apart, "");
    assert_eq!(of(&[("ada", "doctor", "x"), ("bo", "billing", "x")]), []);
    assert_eq!(of(&[("ada", "doctor", "x"), ("ada", "billing", "x")]), [Code::DutiesNotSegregated]);
    assert_eq!(of(&[("ada", "doctor", "x"), ("ada", "nurse", "x")]), []);
}

#[test]
fn resources_are_counted_from_what_the_change_does() {
    let mut change = addition("Stroke", "x");
    change.removed_properties = removal("Tool", "wear").removed_properties;
    change.added_classes = vec![class("Part", &[], vec![])];
    change.changed_properties =
        Bench::new(&schema()).change("Stroke", "force", |force| force.facets.max = None).changed_properties;
    let world = World::of(&change);
    for (resource, used) in [
        ("changes", 4),
        ("added_classes", 1),
        ("removed_classes", 0),
        ("added_properties", 1),
        ("removed_properties", 1),
        ("changed_properties", 1),
        ("changed_values", 0),
        ("ticks", 4),
    ] {
        let limit =
            |max: u64| format!(r#"{{ type = "resource_limit", resource = "{resource}", max = {max} }}"#);
        assert_eq!(world.codes(&limit(used), ""), [], "{resource}");
        if used > 0 {
            assert_eq!(world.codes(&limit(used - 1), ""), [Code::ResourceLimit], "{resource}");
        }
    }
    let uncounted = World { ticks: None, ..World::of(&change) };
    let limit = r#"{ type = "resource_limit", resource = "ticks", max = 8 }"#;
    assert_eq!(uncounted.codes(limit, ""), [Code::ResourceLimit], "an absent figure does not pass");
}

#[test]
fn hours_may_cross_midnight_and_belong_to_the_day_they_begin_on() {
    const HOUR: i64 = 3_600_000;
    // 2026-11-23 is a Monday.
    let monday = 1_795_392_000_000;
    let night = r#"{ type = "time_window", start = "22:00", end = "06:00", days = ["monday"] }"#;
    let inside = |constraint: &str, now_ms: i64| {
        World { now_ms, ..World::of(&addition("Stroke", "x")) }.codes(constraint, "").is_empty()
    };
    assert!(!inside(night, monday + 21 * HOUR) && inside(night, monday + 22 * HOUR));
    assert!(inside(night, monday + 29 * HOUR) && !inside(night, monday + 30 * HOUR));
    assert!(!inside(night, monday + 3 * HOUR), "that night began on Sunday");
    let office = r#"{ type = "time_window", start = "08:30", end = "17:00", utc_offset = "+01:00" }"#;
    assert!(inside(office, monday + 8 * HOUR) && !inside(office, monday + 16 * HOUR));
    assert!(inside(office, monday + 8 * HOUR + 6 * 24 * HOUR), "no days means every day");
    assert_eq!(
        World { now_ms: monday, ..World::of(&addition("Stroke", "x")) }.codes(office, ""),
        [Code::OutsideTimeWindow]
    );
}

#[test]
fn predicates_judge_the_meaning() {
    let bench = Bench::new(&schema());
    let custom = |predicate: &str| format!(r#"{{ type = "custom", predicate = "{predicate}" }}"#);
    let wider = bench.change("Stroke", "force", |force| force.facets.max = None);
    let narrower = bench.change("Stroke", "force", |force| force.facets.max = Some(50.into()));
    let mut required = addition("Stroke", "x");
    required.added_properties[0].property.cardinality = knhk_ontology::schema::Cardinality::One;
    let cases: [(&str, &Delta, bool); 11] = [
        ("no_removal", &removal("Tool", "wear"), true),
        ("no_removal", &wider, false),
        ("removal_after_deprecation", &removal("Tool", "wear"), true),
        ("removal_after_deprecation", &wider, false),
        ("no_strengthening", &narrower, true),
        ("no_strengthening", &wider, false),
        ("no_weakening", &wider, true),
        ("no_weakening", &narrower, false),
        ("additions_optional", &required, true),
        ("additions_optional", &addition("Stroke", "x"), false),
        ("no_strengthening", &required, true),
    ];
    for (predicate, change, broken) in cases {
        let expected = if broken { vec![Code::Predicate] } else { vec![] };
        assert_eq!(World::of(change).codes(&custom(predicate), ""), expected, "{predicate}");
    }
    let removed_class = Delta {
        removed_classes: vec![iri("Tool")],
        removed_properties: vec![place("Stroke", "tool")],
        ..Delta::default()
    };
    assert!(World::of(&removed_class).codes(&custom("no_removal"), "").len() >= 2);
    let scoped = World::of(&removal("Tool", "wear"));
    assert_eq!(scoped.codes(&custom("no_removal"), "applies_to = [\"urn:knhk:plant#Stroke*\"]"), []);
    assert_eq!(
        scoped.codes(&custom("no_removal"), "applies_to = [\"urn:knhk:plant#Tool.wear\"]"),
        [Code::Predicate]
    );
}

#[test]
fn a_deprecated_property_may_be_removed_where_deprecation_comes_first() {
    let mut old = schema();
    old.classes.get_mut(&iri("Tool")).unwrap().properties.get_mut("wear").unwrap().deprecated = true;
    let base = snapshot(&old);
    let triples = lower(&removal("Tool", "wear"), &base.sigma, &base.schema).unwrap();
    let after = base.sigma.apply(&triples).unwrap().schema().unwrap();
    let meaning = Meaning::between(&base.schema, &after, &triples.added, &triples.removed);
    let world = World { meaning, approvals: vec![], now_ms: NOW_MS, ticks: None };
    assert_eq!(world.codes(r#"{ type = "custom", predicate = "removal_after_deprecation" }"#, ""), []);
}

#[test]
fn a_threshold_may_be_lowered_and_not_raised() {
    let never =
        r#"{ type = "custom", predicate = "value_never_raised", property = "urn:knhk:plant#threshold" }"#;
    let lower_bound = never.replace("raised", "lowered");
    let base = snapshot(&schema());
    let first = set_value(iri("limits").as_str(), &iri("threshold"), None, "50000", &vocab::XSD_DECIMAL);
    let triples = lower(&first, &base.sigma, &base.schema).unwrap();
    let set = base.child(&triples, base.version, 5_000).unwrap();
    let judge = |new: &str, constraint: &str| {
        let change =
            set_value(iri("limits").as_str(), &iri("threshold"), Some("50000"), new, &vocab::XSD_DECIMAL);
        let triples = lower(&change, &set.sigma, &set.schema).unwrap();
        let meaning = Meaning::between(&set.schema, &set.schema, &triples.added, &triples.removed);
        World { meaning, approvals: vec![], now_ms: NOW_MS, ticks: None }.codes(constraint, "")
    };
    assert_eq!(judge("25000", never), []);
    assert_eq!(judge("50000.01", never), [Code::Predicate]);
    assert_eq!(judge("25000", &lower_bound), [Code::Predicate]);
    assert_eq!(judge("many", never), [Code::Predicate], "what is no number cannot be shown to keep the rule");
    assert_eq!(World::of(&first).codes(never, ""), [], "a first value moves nothing");
    let away = Meaning::between(&set.schema, &set.schema, [], &triples.added);
    let world = World { meaning: away, approvals: vec![], now_ms: NOW_MS, ticks: None };
    assert_eq!(world.codes(never, ""), [Code::Predicate], "taking a limit away is raising it");
    assert_eq!(
        world.codes(r#"{ type = "custom", predicate = "no_removal" }"#, ""),
        [Code::Predicate],
        "a value is something that can be removed"
    );
}

// --- Shapes over the change

/// The findings of stage 3 under one mandatory rule with these shapes.
fn judged(shapes: &str, delta: &Delta) -> crate::finding::StageResult {
    let prefixes = "@prefix knhk: <urn:knhk:ns#> . @prefix sh: <http://www.w3.org/ns/shacl#> . \
        @prefix p: <urn:knhk:plant#> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .";
    let constraint = format!("{{ type = \"schema\", shapes = \'\'\'{prefixes} {shapes}\'\'\' }}");
    let mut bench = Bench::new(&schema());
    bench.doctrine = with(&constraint, "").unwrap();
    bench.check(delta.clone()).result(crate::finding::Stage::Doctrine).clone()
}

#[test]
fn shapes_judge_what_the_change_means_together_with_the_ontology_after_it() {
    let bench = Bench::new(&schema());
    let wider = bench.change("Stroke", "force", |force| force.facets.max = None);
    let narrower = bench.change("Stroke", "force", |force| force.facets.max = Some(5.into()));
    let no_wider = "p:S a sh:NodeShape ; sh:targetClass knhk:BoundsWidened ; \
        sh:property [ sh:path knhk:inClass ; sh:not [ sh:hasValue p:Stroke ] ; sh:message \"too wide\" ] .";
    let result = judged(no_wider, &wider);
    assert!(result.failed(), "{result:?}");
    let finding = &result.findings[0];
    assert_eq!((finding.code, finding.path.as_str()), (Code::ShapeOfChange, iri("Stroke.force").as_str()));
    assert!(
        finding.message.contains("too wide") && finding.old.is_some() && finding.new.is_some(),
        "{finding:?}"
    );
    assert!(!judged(no_wider, &narrower).failed());
    // The change as a whole, and on into the ontology: every new term is labelled in capitals.
    let whole = "p:S a sh:NodeShape ; sh:targetNode <urn:knhk:change> ; \
        sh:property [ sh:path knhk:effect ; sh:not [ sh:hasValue \"strengthening\" ] ] .";
    assert!(judged(whole, &narrower).failed() && !judged(whole, &wider).failed());
    let labels = "p:S a sh:NodeShape ; sh:targetClass knhk:PropertyAdded ; \
        sh:property [ sh:path ( knhk:about rdfs:label ) ; sh:pattern \"^[A-Z]\" ] .";
    assert!(judged(labels, &addition("Stroke", "operator")).failed());
    assert!(!judged(labels, &addition("Stroke", "Operator")).failed());
    let told = no_wider.replace("sh:message", "sh:severity sh:Info ; sh:message");
    assert!(!judged(&told, &wider).failed(), "a shape may say that it only informs");
}

#[test]
fn shapes_that_are_not_evaluated_are_refused_when_loaded() {
    for shapes in [
        "",
        "no turtle",
        "<urn:a> <urn:b> <urn:c> .",
        "<urn:s> a <http://www.w3.org/ns/shacl#NodeShape> ; <http://www.w3.org/ns/shacl#noSuchConstraint> 1 .",
    ] {
        let constraint = format!("{{ type = \"schema\", shapes = \'\'\'{shapes}\'\'\' }}");
        assert_eq!(code(with(&constraint, "")), "KNHK-E1603", "{shapes}");
    }
    let page = include_str!("../../../../docs/formats/change-graph.md");
    let rule = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    DoctrineSet::from_toml(rule.as_bytes()).unwrap();
}
