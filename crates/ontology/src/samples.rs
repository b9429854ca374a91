//! Random schemas for property tests.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::decimal::Decimal;
use crate::iri::Iri;
use crate::schema::{Cardinality, Class, Datatype, Facets, Property, Range, Schema, Settings};
use crate::sigma::Sigma;
use crate::vocab;

pub(crate) const NAMESPACE: &str = "urn:e:x#";

pub(crate) fn iri(local: &str) -> Iri {
    Iri::new(format!("{NAMESPACE}{local}")).unwrap()
}

fn any_range() -> impl Strategy<Value = Range> {
    prop_oneof![
        4 => prop::sample::select(Datatype::ALL.to_vec()).prop_map(Range::Datatype),
        1 => Just(Range::Class(iri("C1"))),
    ]
}

fn any_facets() -> impl Strategy<Value = Facets> {
    let bound = || prop::option::of(-20_i64..20);
    let length = || prop::option::of(0_u32..9);
    (prop::option::of(prop::collection::btree_set("[a-c ]{0,2}", 1..4)), bound(), bound(), length(), length())
        .prop_map(|(values, a, b, c, d)| {
            let order = |a: Option<_>, b: Option<_>| {
                if a.is_some() && b.is_some() && a > b { (b, a) } else { (a, b) }
            };
            let (min, max) = order(a, b);
            let (min_length, max_length) = if c.is_some() && d.is_some() && c > d { (d, c) } else { (c, d) };
            let half = |v: i64| Decimal::from_millionths(v * 500_000);
            Facets { values, min: min.map(half), max: max.map(half), min_length, max_length }
        })
}

pub(crate) fn any_property() -> impl Strategy<Value = Property> {
    let words = "[a-z\"\\\\é\n]{1,4}";
    (
        (words, words),
        prop::collection::btree_set(any_range(), 0..3),
        prop::sample::select(Cardinality::ALL.to_vec()),
        any_facets(),
        any::<bool>(),
    )
        .prop_map(|((label, comment), ranges, cardinality, facets, deprecated)| Property {
            iri: iri("later"),
            key: "later".into(),
            label,
            comment,
            ranges,
            cardinality,
            facets,
            deprecated,
            replaced_by: None,
        })
}

fn place(mut property: Property, class: &str, n: usize, parts: bool) -> Property {
    property.iri = iri(&format!("{class}.k{n}"));
    property.key = format!("k{n} of {class}");
    if !parts {
        property.ranges.retain(|range| matches!(range, Range::Datatype(_)));
    }
    property
}

/// Schemas over four classes: C0 an event, C1 a part, C2 below C0, C3 below C2. What a class is besides its keys is
/// always the same, as a change cannot change it.
pub(crate) fn any_schema() -> impl Strategy<Value = Schema> {
    let properties = || prop::collection::vec(prop::option::of(any_property()), 0..4);
    (any::<bool>(), 0..4_usize, prop::collection::vec(properties(), 4), any::<bool>()).prop_map(
        |(parts, events, mut properties, rated)| {
            let mut schema = Schema {
                sector: "x".into(),
                namespace: NAMESPACE.into(),
                settings: Settings { minimum_evidence: 7, error_share_ppm: 12_500, ..Settings::default() },
                event_types: BTreeMap::new(),
                classes: BTreeMap::new(),
            };
            let parents = [vocab::KNHK_EVENT.clone(), vocab::KNHK_PART.clone(), iri("C0"), iri("C2")];
            let present = [events > 0, parts, events > 1, events > 2];
            for (at, parent) in parents.into_iter().enumerate().filter(|(at, _)| present[*at]) {
                let name = format!("C{at}");
                let event_types = match at {
                    0 => BTreeSet::from(["a".to_owned(), "b".to_owned()]),
                    2 => BTreeSet::from(["c".to_owned()]),
                    _ => BTreeSet::new(),
                };
                for event_type in &event_types {
                    schema.event_types.insert(event_type.clone(), iri(&name));
                    if rated && at == 0 {
                        schema.settings.expected_rates.insert(event_type.clone(), 30);
                    }
                }
                let mut previous = None;
                let mut class = Class {
                    iri: iri(&name),
                    label: name.clone(),
                    comment: format!("The class {name}."),
                    subclass_of: parent,
                    event_types,
                    hot: at == 2,
                    properties: BTreeMap::new(),
                };
                for (n, property) in std::mem::take(&mut properties[at]).into_iter().enumerate() {
                    if let Some(property) = property {
                        let mut property = place(property, &name, n, parts);
                        if property.deprecated {
                            property.replaced_by = previous.clone();
                        }
                        previous = Some(property.iri.clone());
                        class.properties.insert(property.key.clone(), property);
                    }
                }
                schema.classes.insert(class.iri.clone(), class);
            }
            schema
        },
    )
}

pub(crate) fn sigma_of(schema: &Schema) -> Sigma {
    let triples = crate::rendering::sector_triples(schema, "X.");
    let sector = triples.into_iter().chain(crate::rendering::vocabulary_triples(schema)).collect();
    Sigma::new(crate::core_graph().unwrap().clone(), sector)
}
