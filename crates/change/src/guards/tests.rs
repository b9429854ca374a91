use std::sync::Arc;

use knhk_ontology::decimal::Decimal;
use knhk_ontology::delta::{AddedProperty, ChangedProperty, Delta};
use knhk_ontology::schema::{Cardinality, Datatype, Property};
use knhk_ontology::{lower, vocab};
use proptest::prelude::*;

use super::*;
use crate::finding::{Severity, Stage};
use crate::fixture::*;

fn guard(extra: &str) -> String {
    format!(
        r#"
        [[guard]]
        id = "G"
        name = "The guard"
        description = "Why."
        type = "safety_interlock"
        criticality = "critical"
        properties = ["urn:knhk:plant#Stroke.guardClosed"]
        tier = "hot"
        {extra}
        "#
    )
}

fn code(text: &str) -> &'static str {
    GuardSet::from_toml(text.as_bytes()).unwrap_err().code()
}

/// The errors that a guard of this type, over these terms, has against a change.
fn harm_in(schema: &Schema, guard_type: &str, terms: &str, delta: &Delta) -> Vec<Code> {
    let text = guard("").replace("safety_interlock", guard_type);
    let text = text.replace(r#"properties = ["urn:knhk:plant#Stroke.guardClosed"]"#, terms);
    let set = GuardSet::from_toml(text.as_bytes()).unwrap();
    let base = snapshot(schema);
    let triples = lower(delta, &base.sigma, &base.schema).unwrap();
    let after = base.sigma.apply(&triples).unwrap().schema().unwrap();
    let meaning = Meaning::between(&base.schema, &after, &triples.added, &triples.removed);
    let ground = Ground { meaning: &meaning, before: &base.schema, after: &after, graph: &base.sigma.sector };
    let errors = set.evaluate(&ground).into_iter().filter(|finding| finding.severity == Severity::Error);
    errors.map(|finding| finding.code).collect()
}

fn harm(guard_type: &str, terms: &str, delta: &Delta) -> Vec<Code> {
    harm_in(&schema(), guard_type, terms, delta)
}

const FORCE: &str = r#"properties = ["urn:knhk:plant#Stroke.force"]"#;
const STROKE_CLASS: &str = r#"classes = ["urn:knhk:plant#Stroke"]"#;
const ALL_TYPES: [&str; 5] =
    ["approval_chain", "safety_interlock", "data_residency", "performance_bound", "compliance_rule"];

fn change(set: impl FnOnce(&mut Property)) -> Delta {
    Bench::new(&schema()).change("Stroke", "force", set)
}

// --- Reading

#[test]
fn a_guard_cannot_be_off_by_default_nor_by_a_switch() {
    assert_eq!(code(&guard("enforced = false")), "KNHK-E1601");
    assert_eq!(code(&guard("enforced = true")), "KNHK-E1601");
    let read = GuardSet::from_toml(guard("").as_bytes()).unwrap();
    let only = read.get("G").unwrap();
    assert_eq!((only.relaxable, only.max_run_len), (false, 8));
}

#[test]
fn guards_that_could_never_hold_are_refused() {
    assert_eq!(code(&guard("max_run_len = 9")), "KNHK-E1604");
    assert_eq!(code(&guard("max_run_len = 0")), "KNHK-E1604");
    assert_eq!(code(&guard("immutable = true\nrelaxable = true")), "KNHK-E1604");
    assert_eq!(code(&guard("").replace(r#"["urn:knhk:plant#Stroke.guardClosed"]"#, "[]")), "KNHK-E1604");
    assert_eq!(code(&guard("").replace("\"G\"", "\"\"")), "KNHK-E1604");
    assert_eq!(code(&guard("").replace("urn:knhk:plant#Stroke.guardClosed", "not an iri")), "KNHK-E1601");
    assert_eq!(code(&guard("").replace("critical", "grave")), "KNHK-E1601");
    assert_eq!(code(&format!("{0}{0}", guard(""))), "KNHK-E1605");
}

#[test]
fn criticality_sets_quorum_and_review() {
    let table = [Criticality::Critical, Criticality::High, Criticality::Medium, Criticality::Low];
    assert_eq!(table.map(Criticality::quorum), [3, 2, 1, 1]);
    assert_eq!(table.map(Criticality::minimum_review_ms), [86_400_000, 43_200_000, 3_600_000, 0]);
}

#[test]
fn the_digest_names_every_field_and_no_order() {
    let digest = |text: &str| GuardSet::from_toml(text.as_bytes()).unwrap().digest();
    let text = guard("");
    for extra in [
        "max_run_len = 7",
        "relaxable = true",
        "immutable = true",
        "rules = [\"R\"]",
        "classes = [\"urn:x:y\"]",
    ] {
        assert_ne!(digest(&text), digest(&guard(extra)), "{extra}");
    }
    let other = text.replace("\"G\"", "\"H\"");
    assert_eq!(digest(&format!("{text}{other}")), digest(&format!("{other}{text}")));
}

#[test]
fn rules_and_guards_may_only_name_each_other_when_they_exist() {
    let doctrine = |guards: &str| {
        let text = format!(
            "[[rule]]\nid = \"R\"\nname = \"\"\ndescription = \"\"\nenforcement = \"advisory\"\nsource = \"\"\nversion = 1\n\
             guards = {guards}\nconstraint = {{ type = \"custom\", predicate = \"no_removal\" }}\n"
        );
        DoctrineSet::from_toml(text.as_bytes()).unwrap()
    };
    let guards = |rules: &str| GuardSet::from_toml(guard(&format!("rules = {rules}")).as_bytes()).unwrap();
    assert!(check_references(&doctrine("[\"G\"]"), &guards("[\"R\"]")).is_ok());
    assert_eq!(check_references(&doctrine("[\"X\"]"), &guards("[]")).unwrap_err().code(), "KNHK-E1606");
    assert_eq!(check_references(&doctrine("[]"), &guards("[\"X\"]")).unwrap_err().code(), "KNHK-E1606");
}

// --- What harms a protected term

#[test]
fn every_type_of_guard_stops_removal_redefinition_range_change_and_narrowing() {
    let cases: [(Delta, Code); 8] = [
        (removal("Stroke", "force"), Code::ProtectedRemoved),
        (change(|p| p.deprecated = true), Code::ProtectedRedefined),
        (change(|p| "Something else.".clone_into(&mut p.comment)), Code::ProtectedRedefined),
        (change(|p| p.ranges = literal(Datatype::String)), Code::ProtectedRangeChanged),
        (
            change(|p| {
                p.facets.min = None;
                p.facets.max = None;
                p.ranges.insert(knhk_ontology::schema::Range::Class(iri("Tool")));
            }),
            Code::ProtectedRangeChanged,
        ),
        (change(|p| p.facets.max = Some(50.into())), Code::ProtectedNarrowed),
        (change(|p| p.facets.min = Some(1.into())), Code::ProtectedNarrowed),
        (change(|p| p.cardinality = Cardinality::One), Code::ProtectedNarrowed),
    ];
    for guard_type in ALL_TYPES {
        for (delta, expected) in &cases {
            assert!(harm(guard_type, FORCE, delta).contains(expected), "{guard_type}: {expected}");
        }
    }
}

#[test]
fn interlocks_and_compliance_rules_may_not_be_weakened_either() {
    let weakened = [
        change(|p| p.facets.max = None),
        change(|p| p.facets.max = Some(200.into())),
        change(|p| p.cardinality = Cardinality::ZeroOrMore),
        Bench::new(&schema()).change("Stroke", "mode", |p| p.facets.values = None),
        Bench::new(&schema()).change("Stroke", "guardClosed", |p| p.cardinality = Cardinality::ZeroOrOne),
    ];
    let all = r#"properties = ["urn:knhk:plant#Stroke.force", "urn:knhk:plant#Stroke.mode", "urn:knhk:plant#Stroke.guardClosed"]"#;
    for delta in &weakened {
        for guard_type in ALL_TYPES {
            let strict = matches!(guard_type, "safety_interlock" | "compliance_rule");
            let found = harm(guard_type, all, delta);
            assert_eq!(found.contains(&Code::ProtectedWeakened), strict, "{guard_type}: {delta:?}");
            assert_eq!(found.is_empty(), !strict, "{guard_type}");
        }
    }
}

#[test]
fn a_protected_class_keeps_its_place_its_event_types_and_its_keys() {
    let removed = Delta {
        removed_classes: vec![iri("Tool")],
        removed_properties: vec![place("Stroke", "tool")],
        ..Delta::default()
    };
    let tool = r#"classes = ["urn:knhk:plant#Tool"]"#;
    assert!(harm("data_residency", tool, &removed).contains(&Code::ProtectedRemoved));
    assert_eq!(harm("data_residency", tool, &removal("Tool", "wear")), [Code::ProtectedRemoved]);
    let mut required = addition("Tool", "serial");
    required.added_properties[0].property.cardinality = Cardinality::One;
    assert_eq!(harm("data_residency", tool, &required), [Code::ProtectedNarrowed]);
    assert_eq!(
        harm("safety_interlock", tool, &addition("Tool", "serial")),
        [],
        "an optional key asks for nothing"
    );
    assert_eq!(
        harm("safety_interlock", tool, &addition("Stroke", "x")),
        [],
        "another class is not protected"
    );
}

#[test]
fn a_guarded_class_stays_on_the_hot_path() {
    let mut hot = schema();
    hot.classes.get_mut(&iri("Stroke")).unwrap().hot = true;
    let cooled =
        set_value(iri("Stroke").as_str(), &vocab::KNHK_HOT, Some("true"), "false", &vocab::XSD_BOOLEAN);
    assert_eq!(harm_in(&hot, "approval_chain", STROKE_CLASS, &cooled), [Code::TierLowered]);
    let heated = set_value(iri("Stroke").as_str(), &vocab::KNHK_HOT, None, "true", &vocab::XSD_BOOLEAN);
    assert_eq!(harm("approval_chain", STROKE_CLASS, &heated), []);
}

#[test]
fn a_run_may_not_grow_beyond_the_guards_length() {
    let ticks = ticks(&schema(), STROKE).unwrap().0;
    let short = |length: u32| format!("{STROKE_CLASS}\nmax_run_len = {length}");
    let mut bounded = addition("Stroke", "x");
    bounded.added_properties[0].property.facets.max_length = Some(9);
    assert_eq!(harm("performance_bound", &short(ticks + 1), &bounded), []);
    assert_eq!(harm("performance_bound", &short(ticks), &bounded), [Code::RunLength]);
    assert_eq!(harm("performance_bound", &short(ticks - 1), &addition("Tool", "x")), [], "it was so before");
}

#[test]
fn a_subclass_may_not_redefine_a_protected_key() {
    // The ontology refuses this by itself; the guard does not rely on it.
    let base = schema();
    let mut after = base.clone();
    let mut special = class("Special", &["com.example.press.special"], vec![]);
    special.subclass_of = iri("Stroke");
    let loose = property("Special", "guardClosed", literal(Datatype::String), Cardinality::ZeroOrOne);
    special.properties.insert(loose.key.clone(), loose);
    after.event_types.insert("com.example.press.special".to_owned(), special.iri.clone());
    after.classes.insert(special.iri.clone(), special);
    let found = between(&base, &after, &guard(""));
    assert_eq!(found, [Code::ProtectedRedefined]);
}

fn between(before: &Schema, after: &Schema, guards: &str) -> Vec<Code> {
    let set = GuardSet::from_toml(guards.as_bytes()).unwrap();
    let meaning = Meaning::between(before, after, [], []);
    let graph = Graph::new();
    let ground = Ground { meaning: &meaning, before, after, graph: &graph };
    set.evaluate(&ground).into_iter().map(|finding| finding.code).collect()
}

#[test]
fn a_protected_property_may_not_move_to_another_class_or_key() {
    let base = schema();
    let mut moved = base.clone();
    let property = moved.classes.get_mut(&iri("Stroke")).unwrap().properties.remove("guardClosed").unwrap();
    moved
        .classes
        .get_mut(&iri("Tool"))
        .unwrap()
        .properties
        .insert("guardClosed".to_owned(), property.clone());
    let found = between(&base, &moved, &guard(""));
    assert!(
        found.contains(&Code::ProtectedRedomained) && found.contains(&Code::ProtectedRemoved),
        "{found:?}"
    );
    let mut aliased = base.clone();
    let alias = Property { key: "closed".to_owned(), ..property };
    aliased.classes.get_mut(&iri("Stroke")).unwrap().properties.insert("closed".to_owned(), alias);
    assert_eq!(between(&base, &aliased, &guard("")), [Code::ProtectedRedefined]);
    let mut replaced = base.clone();
    let stroke = replaced.classes.get_mut(&iri("Stroke")).unwrap();
    stroke.properties.get_mut("guardClosed").unwrap().iri = iri("Stroke.other");
    assert!(between(&base, &replaced, &guard("")).contains(&Code::ProtectedRedefined));
}

#[test]
fn classes_are_not_reparented_nor_given_other_event_types_under_a_guard() {
    let base = schema();
    let guards = guard("").replace(r#"properties = ["urn:knhk:plant#Stroke.guardClosed"]"#, STROKE_CLASS);
    let guards = guards.replace("hot", "warm");
    let stroke = |set: &dyn Fn(&mut knhk_ontology::schema::Class)| {
        let mut after = base.clone();
        set(after.classes.get_mut(&iri("Stroke")).unwrap());
        between(&base, &after, &guards)
    };
    assert_eq!(stroke(&|class| class.subclass_of = iri("Tool")), [Code::ProtectedRedefined]);
    assert_eq!(stroke(&|class| class.event_types.extend(["x".to_owned()])), [Code::ProtectedRedefined]);
    assert_eq!(stroke(&|class| class.event_types.clear()), [Code::ProtectedRedefined]);
    assert_eq!(stroke(&|class| "Other".clone_into(&mut class.comment)), [Code::ProtectedRedefined]);
}

#[test]
fn a_protected_value_may_not_be_taken_away_nor_changed_under_an_interlock() {
    let base = snapshot(&schema());
    let first = set_value(iri("limits").as_str(), &iri("threshold"), None, "50", &vocab::XSD_DECIMAL);
    let triples = lower(&first, &base.sigma, &base.schema).unwrap();
    let set = Arc::new(base.child(&triples, base.version, 5_000).unwrap());
    for terms in [r#"properties = ["urn:knhk:plant#threshold"]"#, r#"properties = ["urn:knhk:plant#limits"]"#]
    {
        for guard_type in ALL_TYPES {
            let strict = matches!(guard_type, "safety_interlock" | "compliance_rule");
            let text = guard("").replace("safety_interlock", guard_type);
            let text = text.replace(r#"properties = ["urn:knhk:plant#Stroke.guardClosed"]"#, terms);
            let guards = GuardSet::from_toml(text.as_bytes()).unwrap();
            let judge = |meaning: &Meaning| {
                let ground =
                    Ground { meaning, before: &set.schema, after: &set.schema, graph: &set.sigma.sector };
                guards.evaluate(&ground).into_iter().map(|finding| finding.code).collect::<Vec<_>>()
            };
            let away = Meaning::between(&set.schema, &set.schema, [], &triples.added);
            assert_eq!(judge(&away), [Code::ProtectedValue]);
            let change =
                set_value(iri("limits").as_str(), &iri("threshold"), Some("50"), "40", &vocab::XSD_DECIMAL);
            let changed = lower(&change, &set.sigma, &set.schema).unwrap();
            let lowered = Meaning::between(&set.schema, &set.schema, &changed.added, &changed.removed);
            assert_eq!(!judge(&lowered).is_empty(), strict, "{guard_type}");
        }
    }
}

#[test]
fn a_guard_over_a_misspelt_term_is_told() {
    let set = GuardSet::from_toml(guard("").replace("guardClosed", "gaurdClosed").as_bytes()).unwrap();
    let mut bench = Bench::new(&schema());
    bench.guards = set;
    let result = bench.check(addition("Tool", "x"));
    assert!(result.result(Stage::Guards).has(Code::ProtectsNothing));
}

// --- The property: nothing that touches a protected term gets past stage 4

fn any_property() -> impl Strategy<Value = Property> {
    let ranges = prop_oneof![
        Just(literal(Datatype::Boolean)),
        Just(literal(Datatype::String)),
        Just(literal(Datatype::Integer)),
        Just([literal(Datatype::Boolean), literal(Datatype::String)].concat_ranges()),
    ];
    let cardinality = prop_oneof![
        Just(Cardinality::One),
        Just(Cardinality::ZeroOrOne),
        Just(Cardinality::ZeroOrMore),
        Just(Cardinality::OneOrMore)
    ];
    (ranges, cardinality, any::<bool>(), proptest::option::of(0_i64..5), proptest::option::of(1_u32..5))
        .prop_map(|(ranges, cardinality, deprecated, max, max_length)| {
            let mut property = property("Stroke", "guardClosed", ranges, cardinality);
            property.deprecated = deprecated;
            property.facets.max = max.map(Decimal::from);
            property.facets.max_length = max_length;
            property
        })
}

trait Concat {
    fn concat_ranges(self) -> BTreeSet<knhk_ontology::schema::Range>;
}

impl Concat for [BTreeSet<knhk_ontology::schema::Range>; 2] {
    fn concat_ranges(self) -> BTreeSet<knhk_ontology::schema::Range> {
        self.into_iter().flatten().collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_change_that_touches_a_protected_term_never_passes_stage_four(
        touched in prop_oneof![
            any_property().prop_map(Some),
            Just(None),
        ],
        beside in proptest::collection::btree_set("[a-z]{3,6}", 0..4),
        order in any::<bool>(),
    ) {
        let bench = Bench::new(&schema());
        let mut delta = Delta::default();
        for key in &beside {
            let property = property("Tool", &format!("x{key}"), literal(Datatype::String), Cardinality::ZeroOrOne);
            delta.added_properties.push(AddedProperty { domain: iri("Tool"), property });
        }
        let original = bench.base.schema.classes[&iri("Stroke")].properties["guardClosed"].clone();
        match touched {
            None => delta.removed_properties.push(place("Stroke", "guardClosed")),
            Some(property) => {
                prop_assume!(property != original);
                delta.changed_properties.push(ChangedProperty { target: place("Stroke", "guardClosed"), property });
            }
        }
        if order {
            delta.added_properties.reverse();
        }
        let checked = bench.check(delta);
        let stage = checked.result(Stage::Guards);
        // What the ontology refuses outright never reaches the guards; it must not be promoted either.
        prop_assert!(stage.failed() || checked.result(Stage::Static).failed(), "{:?}", stage);
        prop_assert!(checked.approve(knhk_ontology::schema::PromotionPolicy::Automatic, crate::policy::Mode::Auto).is_err());
    }

    #[test]
    fn a_change_that_only_adds_optional_keys_elsewhere_passes_stage_four(
        keys in proptest::collection::btree_set("[a-z]{3,6}", 1..6),
    ) {
        let bench = Bench::new(&schema());
        let mut delta = Delta::default();
        for key in keys {
            let property = property("Stroke", &format!("x{key}"), literal(Datatype::String), Cardinality::ZeroOrOne);
            delta.added_properties.push(AddedProperty { domain: iri("Stroke"), property });
        }
        let checked = bench.check(delta);
        prop_assert_eq!(checked.result(Stage::Guards).result.as_str(), "passed");
    }
}
