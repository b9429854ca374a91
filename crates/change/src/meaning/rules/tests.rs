use std::collections::BTreeSet;

use knhk_ontology::Schema;
use knhk_ontology::delta::Effect;
use knhk_ontology::schema::{Cardinality, Class, Datatype, Property, Range};
use knhk_projection::admission::Admission;
use knhk_projection::json::Json;
use proptest::prelude::*;

use super::CompatibilityRule as R;
use super::*;
use crate::fixture::*;

fn met(before: &Schema, after: &Schema) -> Vec<R> {
    let found = Meaning::between(before, after, [], []).classified();
    found.into_iter().map(|classified| classified.rule).collect::<BTreeSet<_>>().into_iter().collect()
}

fn after(set: impl FnOnce(&mut Schema)) -> Vec<R> {
    let before = schema();
    let mut after = before.clone();
    set(&mut after);
    met(&before, &after)
}

fn stroke(set: impl FnOnce(&mut Class)) -> Vec<R> {
    after(|schema| set(schema.classes.get_mut(&iri("Stroke")).unwrap()))
}

fn key(key: &str, set: impl FnOnce(&mut Property)) -> Vec<R> {
    stroke(|class| set(class.properties.get_mut(key).unwrap()))
}

#[test]
fn class_rules_are_met_one_by_one() {
    let added = after(|schema| {
        let required = property("New", "x", literal(Datatype::String), Cardinality::One);
        schema.classes.insert(iri("New"), class("New", &[], vec![required]));
    });
    assert_eq!(added, [R::ClassAdded], "the keys of a new class are told by the class");
    assert_eq!(after(|schema| drop(schema.classes.remove(&iri("Tool")))), [R::ClassRemoved]);
    assert_eq!(stroke(|class| class.subclass_of = iri("Tool")), [R::ClassReparented]);
    assert_eq!(stroke(|class| class.event_types.extend(["x".to_owned()])), [R::EventTypeAdded]);
    assert_eq!(stroke(|class| class.event_types.clear()), [R::EventTypeRemoved]);
    assert_eq!(stroke(|class| class.hot = true), [R::HotPathChanged]);
    assert_eq!(stroke(|class| class.comment.push('.')), [R::DescriptionChanged]);
}

#[test]
fn property_rules_are_met_one_by_one() {
    let add = |cardinality| {
        let new = property("Stroke", "x", literal(Datatype::String), cardinality);
        stroke(|class| drop(class.properties.insert("x".to_owned(), new)))
    };
    assert_eq!(add(Cardinality::ZeroOrOne), [R::PropertyAdded]);
    assert_eq!(add(Cardinality::One), [R::PropertyAdded, R::RequiredPropertyAdded]);
    assert_eq!(stroke(|class| drop(class.properties.remove("force"))), [R::PropertyRemoved]);
    assert_eq!(
        stroke(|class| drop(class.properties.remove("press"))),
        [R::PropertyRemoved, R::RequiredPropertyRemoved]
    );
    assert_eq!(key("press", |p| p.iri = iri("Stroke.other")), [R::PropertyReplaced]);
    let ranges = |from: &str, to: &[Datatype]| {
        let to: BTreeSet<Range> = to.iter().copied().map(Range::Datatype).collect();
        key(from, |p| p.ranges = to)
    };
    assert_eq!(ranges("press", &[Datatype::String, Datatype::Integer]), [R::RangeWidened]);
    assert_eq!(ranges("press", &[Datatype::Boolean]), [R::RangeNarrowed, R::RangeWidened]);
    assert_eq!(ranges("press", &[Datatype::DateTime]), [R::RangeNarrowed]);
    assert_eq!(ranges("force", &[Datatype::Integer]), [R::RangeNarrowed]);
    let cardinality = |name, cardinality| key(name, |p| p.cardinality = cardinality);
    assert_eq!(cardinality("force", Cardinality::One), [R::MadeRequired]);
    assert_eq!(cardinality("press", Cardinality::ZeroOrOne), [R::MadeOptional]);
    assert_eq!(cardinality("press", Cardinality::OneOrMore), [R::MadeMany]);
    assert_eq!(cardinality("press", Cardinality::ZeroOrMore), [R::MadeOptional, R::MadeMany]);
    assert_eq!(cardinality("force", Cardinality::OneOrMore), [R::MadeRequired, R::MadeMany]);
    let values = |values: &[&str]| {
        let values = values.iter().map(|&value| value.to_owned()).collect();
        key("mode", |p| p.facets.values = Some(values))
    };
    assert_eq!(values(&["manual"]), [R::ValuesNarrowed]);
    assert_eq!(values(&["manual", "automatic", "off"]), [R::ValuesWidened]);
    assert_eq!(values(&["manual", "off"]), [R::ValuesNarrowed, R::ValuesWidened]);
    assert_eq!(key("mode", |p| p.facets.values = None), [R::ValuesWidened]);
    assert_eq!(key("force", |p| p.facets.max = Some(99.into())), [R::BoundsNarrowed]);
    assert_eq!(key("force", |p| p.facets.max = None), [R::BoundsWidened]);
    assert_eq!(key("force", |p| p.facets.min = Some((-1).into())), [R::BoundsWidened]);
    assert_eq!(key("press", |p| p.facets.max_length = Some(3)), [R::BoundsNarrowed]);
    assert_eq!(key("press", |p| p.facets.min_length = Some(3)), [R::BoundsNarrowed]);
    assert_eq!(key("press", |p| p.deprecated = true), [R::PropertyDeprecated]);
    assert_eq!(key("press", |p| p.replaced_by = Some(iri("Stroke.mode"))), [R::PropertyDeprecated]);
    assert_eq!(key("press", |p| p.label.push('.')), [R::DescriptionChanged]);
    let old = {
        let mut old = schema();
        let stroke = old.classes.get_mut(&iri("Stroke")).unwrap();
        stroke.properties.get_mut("press").unwrap().deprecated = true;
        stroke.properties.get_mut("press").unwrap().cardinality = Cardinality::OneOrMore;
        old
    };
    assert_eq!(met(&old, &schema()), [R::MadeSingle, R::PropertyRestored]);
}

#[test]
fn a_value_is_neutral_to_data() {
    let base = snapshot(&schema());
    let delta = set_value(iri("limits").as_str(), &iri("low"), None, "5", &knhk_ontology::vocab::XSD_DECIMAL);
    let triples = knhk_ontology::lower(&delta, &base.sigma, &base.schema).unwrap();
    let found = Meaning::between(&base.schema, &base.schema, &triples.added, []).classified();
    assert_eq!(found.iter().map(|c| c.rule).collect::<Vec<_>>(), [R::ValueChanged]);
}

/// A key that moves to the class above means the same there: nothing happens to the data of the class it leaves.
#[test]
fn a_key_that_moves_up_weakens_only_the_class_above() {
    let mut before = schema();
    let mut child =
        class("Die", &[], vec![property("Die", "x", literal(Datatype::String), Cardinality::ZeroOrOne)]);
    child.subclass_of = iri("Tool");
    before.classes.insert(child.iri.clone(), child);
    let mut after = before.clone();
    let moved = after.classes.get_mut(&iri("Die")).unwrap().properties.remove("x").unwrap();
    after.classes.get_mut(&iri("Tool")).unwrap().properties.insert("x".to_owned(), moved);
    assert_eq!(met(&before, &after), [R::PropertyAdded]);
    assert_eq!(met(&after, &before), [R::PropertyRemoved]);
}

#[test]
fn every_rule_is_met_by_a_test_above_and_stands_in_the_table_of_the_page() {
    let page = include_str!("../../../../../docs/compatibility.md");
    let source = include_str!("tests.rs");
    for rule in R::ALL {
        let forbidden = match rule.direction() {
            Direction::Neutral => "—",
            Direction::Strengthening => "`backward`, `full`",
            Direction::Weakening => "`forward`, `full`",
            Direction::Both => "`backward`, `forward`, `full`",
        };
        let row = format!("| `{}` | ", rule.as_str());
        let line = page.lines().find(|line| line.starts_with(&row));
        let line = line.unwrap_or_else(|| panic!("{} is not in the table", rule.as_str()));
        assert!(line.ends_with(&format!("| {forbidden} |")), "{line}: {forbidden}");
        assert!(source.contains(&format!("R::{rule:?}")), "{rule:?} is met by no test");
        assert_eq!(rule.fix().is_empty(), rule.direction() == Direction::Neutral);
    }
    assert_eq!(page.matches("\n| `").count(), R::ALL.len() + LEVELS, "a row too many");
}

/// Rows of the page's table of levels.
const LEVELS: usize = 6;

fn any_property(name: &'static str) -> impl Strategy<Value = Option<Property>> {
    let datatypes =
        [Datatype::String, Datatype::Integer, Datatype::Decimal, Datatype::Boolean, Datatype::Date];
    let ranges = proptest::sample::subsequence(datatypes.to_vec(), 1..3);
    let cardinality = proptest::sample::select(vec![
        Cardinality::One,
        Cardinality::ZeroOrOne,
        Cardinality::ZeroOrMore,
        Cardinality::OneOrMore,
    ]);
    let values = proptest::option::of(proptest::sample::subsequence(vec!["a", "b", "1", "2020-01-02"], 1..4));
    let bounds = (proptest::option::of(0_i64..2), proptest::option::of(2_i64..4));
    let made = (ranges, cardinality, values, bounds, proptest::option::of(0_u32..2)).prop_map(
        move |(ranges, cardinality, values, (min, max), min_length)| {
            let ranges = ranges.into_iter().map(Range::Datatype).collect();
            let mut made = property("Stroke", name, ranges, cardinality);
            made.facets.values = values.map(|values| values.into_iter().map(str::to_owned).collect());
            made.facets.min = min.map(Into::into);
            made.facets.max = max.map(Into::into);
            made.facets.min_length = min_length;
            made
        },
    );
    proptest::option::of(made)
}

fn any_stroke() -> impl Strategy<Value = Schema> {
    (any_property("x"), any_property("y"))
        .prop_map(|(x, y)| schema_of(vec![class("Stroke", &[STROKE], x.into_iter().chain(y).collect())]))
}

fn any_value() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "1",
        "0",
        "5",
        "1.5",
        "\"a\"",
        "\"b\"",
        "\"\"",
        "\"2020-01-02\"",
        "true",
        "[]",
        "[1]",
        "[\"a\",\"b\"]",
        "null",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// The rules are what admission does: without a strengthening rule no event is newly rejected, without a weakening
    /// one none is newly accepted.
    #[test]
    fn what_the_rules_call_compatible_keeps_every_verdict(
        before in any_stroke(), after in any_stroke(),
        x in proptest::option::of(any_value()), y in proptest::option::of(any_value()),
    ) {
        let fields = [("x", x), ("y", y)].into_iter().filter_map(|(key, value)| Some(format!("\"{key}\":{}", value?)));
        let text = format!("{{{}}}", fields.collect::<Vec<_>>().join(","));
        let event = Json::parse(&text).unwrap();
        let accepts = |schema: &Schema| Admission::new(schema).conforms(STROKE, &event);
        let meaning = Meaning::between(&before, &after, [], []);
        let rules = meaning.classified();
        let strengthens = rules.iter().any(|met| met.rule.direction().strengthens());
        let weakens = rules.iter().any(|met| met.rule.direction().weakens());
        prop_assert!(strengthens || !accepts(&before) || accepts(&after), "{rules:?} rejects {text}");
        prop_assert!(weakens || accepts(&before) || !accepts(&after), "{rules:?} accepts {text}");
        prop_assert_eq!(strengthens, meaning.effect() == Effect::Strengthening);
        // What strengthens on the way there weakens on the way back.
        let back = Meaning::between(&after, &before, [], []).classified();
        prop_assert_eq!(weakens, back.iter().any(|met| met.rule.direction().strengthens()));
    }
}
