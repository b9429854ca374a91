//! Every road by which a change might weaken a protected term without naming it. Each must harm the guard.

use knhk_ontology::delta::{AddedProperty, ChangedProperty, Delta};
use knhk_ontology::schema::{Cardinality, Datatype, Property, Range};
use knhk_ontology::{Literal, Schema, Term, Triple, TripleDelta, lower, vocab};

use super::*;
use crate::finding::Severity;
use crate::fixture::*;

const NAME: &str = r#"properties = ["urn:knhk:plant#Tool.name"]"#;
const TOOL: &str = r#"classes = ["urn:knhk:plant#Tool"]"#;
const DIE: &str = r#"classes = ["urn:knhk:plant#Die"]"#;
const STRICT: [&str; 2] = ["safety_interlock", "compliance_rule"];
const LENIENT: [&str; 3] = ["approval_chain", "data_residency", "performance_bound"];

/// The fixture with a class below `Tool`.
fn with_die() -> Schema {
    let mut schema = schema();
    let mut die =
        class("Die", &[], vec![property("Die", "bore", literal(Datatype::Decimal), Cardinality::One)]);
    die.subclass_of = iri("Tool");
    schema.classes.insert(die.iri.clone(), die);
    schema
}

fn guards(guard_type: &str, terms: &str) -> GuardSet {
    let text = format!(
        "[[guard]]\nid = \"G\"\nname = \"The guard\"\ndescription = \"\"\ntype = \"{guard_type}\"\n\
         criticality = \"high\"\n{terms}\ntier = \"cold\"\n"
    );
    GuardSet::from_toml(text.as_bytes()).unwrap()
}

/// The errors that a guard has against a change in triples, whoever made it.
fn harm_of(base: &Schema, guard_type: &str, terms: &str, triples: &TripleDelta) -> Vec<Code> {
    let base = snapshot(base);
    let after = base.sigma.apply(triples).unwrap().schema().unwrap();
    let meaning = Meaning::between(&base.schema, &after, &triples.added, &triples.removed);
    let ground = Ground { meaning: &meaning, before: &base.schema, after: &after, graph: &base.sigma.sector };
    let found = guards(guard_type, terms).evaluate(&ground).into_iter();
    found.filter(|finding| finding.severity == Severity::Error).map(|finding| finding.code).collect()
}

fn harm(base: &Schema, guard_type: &str, terms: &str, delta: &Delta) -> Vec<Code> {
    let snapshot = snapshot(base);
    harm_of(base, guard_type, terms, &lower(delta, &snapshot.sigma, &snapshot.schema).unwrap())
}

fn changed(base: &Schema, class: &str, key: &str, set: impl FnOnce(&mut Property)) -> Delta {
    let mut property = base.classes[&iri(class)].properties[key].clone();
    set(&mut property);
    let target = place(class, key);
    Delta { changed_properties: vec![ChangedProperty { target, property }], ..Delta::default() }
}

#[test]
fn a_key_that_a_protected_class_inherits_is_protected() {
    let base = with_die();
    for guard_type in STRICT.into_iter().chain(LENIENT) {
        assert_eq!(harm(&base, guard_type, DIE, &removal("Tool", "name")), [Code::ProtectedRemoved]);
        let range = changed(&base, "Tool", "name", |name| name.ranges = literal(Datatype::Integer));
        assert!(harm(&base, guard_type, DIE, &range).contains(&Code::ProtectedRangeChanged));
        let renamed = changed(&base, "Tool", "name", |name| name.comment = "Another name.".to_owned());
        assert_eq!(harm(&base, guard_type, DIE, &renamed), [Code::ProtectedRedefined]);
        let deprecated = changed(&base, "Tool", "name", |name| name.deprecated = true);
        assert_eq!(harm(&base, guard_type, DIE, &deprecated), [Code::ProtectedRedefined]);
    }
    let optional = changed(&base, "Tool", "name", |name| name.cardinality = Cardinality::ZeroOrOne);
    assert_eq!(harm(&base, "safety_interlock", DIE, &optional), [Code::ProtectedWeakened]);
    assert_eq!(harm(&base, "data_residency", DIE, &optional), []);
}

#[test]
fn a_required_key_above_a_protected_class_narrows_it() {
    let mut delta = addition("Tool", "serial");
    delta.added_properties[0].property.cardinality = Cardinality::One;
    assert_eq!(harm(&with_die(), "data_residency", DIE, &delta), [Code::ProtectedNarrowed]);
    assert_eq!(harm(&with_die(), "safety_interlock", DIE, &addition("Tool", "serial")), []);
}

#[test]
fn the_class_above_a_protected_class_may_not_be_moved() {
    let base = with_die();
    // `Tool` is taken out and put in again below another class: by its name nothing happened to `Die`.
    let mut moved = base.classes[&iri("Tool")].clone();
    let properties = std::mem::take(&mut moved.properties);
    moved.subclass_of = iri("Other");
    let delta = Delta {
        removed_classes: vec![iri("Tool")],
        added_classes: vec![class("Other", &[], vec![]), moved],
        added_properties: properties
            .into_values()
            .map(|property| AddedProperty { domain: iri("Tool"), property })
            .collect(),
        ..Delta::default()
    };
    for guard_type in STRICT.into_iter().chain(LENIENT) {
        assert_eq!(harm(&base, guard_type, DIE, &delta), [Code::ProtectedRedefined], "{guard_type}");
    }
    assert!(harm(&base, "data_residency", TOOL, &delta).contains(&Code::ProtectedRedefined));
}

#[test]
fn the_event_types_may_not_be_led_past_a_protected_property() {
    // The property stays as it is on its class; only the events are described by another class from now on.
    let base = schema();
    let mut empty = base.classes[&iri("Stroke")].clone();
    let properties = std::mem::take(&mut empty.properties);
    empty.event_types.clear();
    let delta = Delta {
        removed_classes: vec![iri("Stroke")],
        added_classes: vec![empty, class("Loose", &[STROKE], vec![])],
        added_properties: properties
            .into_values()
            .map(|property| AddedProperty { domain: iri("Stroke"), property })
            .collect(),
        ..Delta::default()
    };
    let terms = r#"properties = ["urn:knhk:plant#Stroke.guardClosed"]"#;
    for guard_type in STRICT.into_iter().chain(LENIENT) {
        assert_eq!(harm(&base, guard_type, terms, &delta), [Code::ProtectedRedefined], "{guard_type}");
    }
}

#[test]
fn the_way_to_what_an_interlock_protects_may_not_be_widened_or_closed() {
    let mut base = schema();
    base.classes.get_mut(&iri("Stroke")).unwrap().properties.get_mut("tool").unwrap().cardinality =
        Cardinality::One;
    base.classes.insert(iri("Other"), class("Other", &[], vec![]));
    let way = |set: &dyn Fn(&mut Property)| changed(&base, "Stroke", "tool", set);
    let optional = way(&|tool| tool.cardinality = Cardinality::ZeroOrOne);
    let other = way(&|tool| tool.ranges.extend([Range::Class(iri("Other"))]));
    let text = way(&|tool| tool.ranges.extend([Range::Datatype(Datatype::String)]));
    let away = way(&|tool| tool.ranges = [Range::Class(iri("Other"))].into());
    let gone = removal("Stroke", "tool");
    for terms in [NAME, TOOL] {
        for delta in [&optional, &other, &text, &away, &gone] {
            for guard_type in STRICT {
                assert_eq!(harm(&base, guard_type, terms, delta), [Code::ProtectedWeakened], "{delta:?}");
            }
            for guard_type in LENIENT {
                assert_eq!(harm(&base, guard_type, terms, delta), []);
            }
        }
        let many = way(&|tool| tool.cardinality = Cardinality::OneOrMore);
        assert_eq!(harm(&base, "safety_interlock", terms, &many), [], "each of them is still a tool");
    }
}

#[test]
fn what_a_value_under_an_interlock_must_be_may_not_be_widened() {
    let base = schema();
    let terms = r#"properties = ["urn:knhk:plant#Stroke.tool"]"#;
    let whole = r#"classes = ["urn:knhk:plant#Stroke"]"#;
    let optional = changed(&base, "Tool", "name", |name| name.cardinality = Cardinality::ZeroOrOne);
    let wider = changed(&base, "Tool", "wear", |wear| wear.ranges = literal(Datatype::Decimal));
    let added = addition("Tool", "colour");
    for terms in [terms, whole] {
        for guard_type in STRICT {
            for delta in [&optional, &wider] {
                assert_eq!(harm(&base, guard_type, terms, delta), [Code::ProtectedWeakened]);
            }
            assert_eq!(harm(&base, guard_type, terms, &added), [], "a further optional key asks for no less");
        }
        assert_eq!(harm(&base, "data_residency", terms, &optional), []);
    }
}

#[test]
fn a_key_may_not_come_to_mean_another_property_than_the_protected_one() {
    let delta = Delta {
        removed_properties: vec![place("Stroke", "guardClosed")],
        added_properties: vec![AddedProperty {
            domain: iri("Stroke"),
            property: Property {
                iri: iri("Stroke.guardClosed2"),
                ..schema().classes[&iri("Stroke")].properties["guardClosed"].clone()
            },
        }],
        ..Delta::default()
    };
    let terms = r#"properties = ["urn:knhk:plant#Stroke.guardClosed"]"#;
    for guard_type in STRICT.into_iter().chain(LENIENT) {
        assert!(harm(&schema(), guard_type, terms, &delta).contains(&Code::ProtectedRedefined));
    }
}

#[test]
fn a_list_that_the_shape_of_a_protected_property_refers_to_is_part_of_it() {
    // Only a list cell changes: no triple names the property.
    let base = snapshot(&schema());
    let cell = base
        .sigma
        .sector
        .iter()
        .find(|t| t.predicate == *vocab::RDF_FIRST && t.object == Term::from(Literal::string("manual")))
        .unwrap();
    let other = Triple::new(&cell.subject, &cell.predicate, Literal::string("bypassed"));
    let triples = TripleDelta { added: [other].into(), removed: [cell].into() };
    let terms = r#"properties = ["urn:knhk:plant#Stroke.mode"]"#;
    for guard_type in STRICT.into_iter().chain(LENIENT) {
        assert!(harm_of(&schema(), guard_type, terms, &triples).contains(&Code::ProtectedNarrowed));
    }
    let strict = harm_of(&schema(), "safety_interlock", terms, &triples);
    assert!(
        strict.contains(&Code::ProtectedWeakened),
        "a value leaves the list and another comes: {strict:?}"
    );
}

#[test]
fn the_shape_of_a_protected_class_may_not_say_less_to_other_readers() {
    // A missing `sh:closed` is nothing to admission, where objects are always closed; to other engines it opens the shape.
    let base = snapshot(&schema());
    let closed = base
        .sigma
        .sector
        .iter()
        .find(|t| t.predicate == *vocab::SH_CLOSED && t.subject.as_str().contains("Tool"))
        .unwrap();
    let triples = TripleDelta { added: [].into(), removed: [closed].into() };
    assert_eq!(harm_of(&schema(), "data_residency", TOOL, &triples), [Code::ProtectedRedefined]);
    assert_eq!(harm_of(&schema(), "data_residency", NAME, &triples), [], "another term's shape");
}

#[test]
fn a_first_value_does_not_slip_past_the_default_that_held() {
    let lowered =
        set_value("urn:knhk:sector:plant", &vocab::KNHK_MINIMUM_EVIDENCE, None, "1", &vocab::XSD_INTEGER);
    let mut base = schema();
    base.settings = knhk_ontology::schema::Settings::default();
    let terms = r#"properties = ["urn:knhk:ns#minimumEvidence"]"#;
    let snapshot = snapshot(&base);
    let stated = snapshot.sigma.sector.objects(&base.sector_iri(), &vocab::KNHK_MINIMUM_EVIDENCE);
    if stated.is_empty() {
        assert_eq!(harm(&base, "safety_interlock", terms, &lowered), [Code::ProtectedValue]);
        let triples = lower(&lowered, &snapshot.sigma, &snapshot.schema).unwrap();
        let after = snapshot.sigma.apply(&triples).unwrap().schema().unwrap();
        let meaning = Meaning::between(&snapshot.schema, &after, &triples.added, &triples.removed);
        let breaches = meaning.breaking(
            crate::doctrine::Predicate::ValueNeverLowered,
            Some(&vocab::KNHK_MINIMUM_EVIDENCE),
            &|_| true,
        );
        assert_eq!(breaches.len(), 1, "12 holds where the ontology says nothing");
        assert_eq!(breaches[0].old.as_deref(), Some("12"));
    } else {
        panic!("the fixture states the default; set it to none: {stated:?}");
    }
}
