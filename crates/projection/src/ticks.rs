//! What judging an event of one type costs, in ticks. The rule is in `docs/ticks.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use knhk_ontology::Iri;
use knhk_ontology::schema::{Class, Property, Range, Schema};
use serde::{Deserialize, Serialize};

/// Most ticks of an event type on the hot path: the Chatman constant.
pub const CHATMAN_CONSTANT: u32 = 8;

/// Lanes that one tick compares at once.
pub const LANES_PER_TICK: u32 = 8;

const KEYS_PER_LANE: u32 = 64;
const TYPES_PER_LANE: u32 = 8;

/// A count of ticks: steps of a compiled admission program. Not a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ticks(pub u32);

impl fmt::Display for Ticks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ticks", self.0)
    }
}

/// What one class of an event costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeCost {
    /// The class.
    pub class: Iri,
    /// Ticks for which keys are there.
    pub presence: u32,
    /// Ticks for the types of their values.
    pub types: u32,
    /// Ticks for numeric bounds.
    pub bounds: u32,
    /// Ticks for lengths.
    pub lengths: u32,
    /// Ticks for enumerations.
    pub values: u32,
}

impl ShapeCost {
    /// Their sum.
    pub fn ticks(&self) -> Ticks {
        Ticks(self.presence + self.types + self.bounds + self.lengths + self.values)
    }
}

/// What an event of `event_type` costs; `None` when no class describes it.
pub fn ticks(schema: &Schema, event_type: &str) -> Option<Ticks> {
    let costs = explain(schema, event_type)?;
    Some(Ticks(costs.iter().fold(0, |sum, cost| sum.saturating_add(cost.ticks().0))))
}

/// What each class of an event of `event_type` costs, the event's own class first; `None` when no class describes it.
pub fn explain(schema: &Schema, event_type: &str) -> Option<Vec<ShapeCost>> {
    let root = schema.class_of_event(event_type)?;
    let mut seen = BTreeSet::from([&root.iri]);
    let mut queue = vec![root];
    let mut costs = Vec::new();
    while let Some(class) = queue.get(costs.len()).copied() {
        let keys = schema.keys_of(class);
        costs.push(cost(class, &keys));
        for property in keys.values() {
            for range in &property.ranges {
                if let Range::Class(iri) = range
                    && let Some(inner) = schema.classes.get(iri)
                    && seen.insert(&inner.iri)
                {
                    queue.push(inner);
                }
            }
        }
    }
    Some(costs)
}

fn cost(class: &Class, properties: &BTreeMap<&str, &Property>) -> ShapeCost {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let ticks_of = |lanes: u32| lanes.div_ceil(LANES_PER_TICK);
    let with = |test: fn(&knhk_ontology::schema::Facets) -> bool| {
        count(properties.values().filter(|property| test(&property.facets)).count())
    };
    let keys = count(properties.len());
    ShapeCost {
        class: class.iri.clone(),
        presence: ticks_of(keys.div_ceil(KEYS_PER_LANE)),
        types: ticks_of(keys.div_ceil(TYPES_PER_LANE)),
        bounds: ticks_of(with(|facets| facets.min.is_some() || facets.max.is_some())),
        lengths: ticks_of(with(|facets| facets.min_length.is_some() || facets.max_length.is_some())),
        values: ticks_of(with(|facets| facets.values.is_some())),
    }
}

#[cfg(test)]
mod tests {
    use knhk_ontology::schema::Cardinality;

    use super::*;
    use crate::fixture::{class, property, schema};

    #[test]
    fn inherited_keys_are_judged_and_cost_as_own_ones_do() {
        let parent = class("Parent", &[], vec![property("x", &["integer"], Cardinality::One)]);
        let child = class("Child", &["e"], vec![property("y", &["integer"], Cardinality::ZeroOrOne)]);
        let flat = class(
            "Child",
            &["e"],
            vec![
                property("x", &["integer"], Cardinality::One),
                property("y", &["integer"], Cardinality::ZeroOrOne),
            ],
        );
        let (with, without) = (schema(vec![parent, child]), schema(vec![flat]));
        assert_eq!(ticks(&with, "e"), ticks(&without, "e"));
        let (a, b) = (crate::Admission::new(&with), crate::Admission::new(&without));
        for text in [r#"{"x":1,"y":2}"#, r#"{"y":2}"#, r#"{"x":"a"}"#, r#"{"x":1,"z":1}"#] {
            let json = crate::json::Json::parse(text).unwrap();
            assert_eq!(a.conforms("e", &json), b.conforms("e", &json), "{text}");
        }
    }

    #[test]
    fn a_small_flat_shape_costs_two_ticks_and_one_per_further_sort() {
        let mut bounded = property("a", &["integer"], Cardinality::One);
        let flat = |property| schema(vec![class("C", &["e"], vec![property])]);
        assert_eq!(ticks(&flat(bounded.clone()), "e"), Some(Ticks(2)));
        bounded.facets.max = Some(7.into());
        assert_eq!(ticks(&flat(bounded.clone()), "e"), Some(Ticks(3)));
        bounded.facets.max_length = Some(7);
        bounded.facets.values = Some(BTreeSet::new());
        assert_eq!(ticks(&flat(bounded), "e"), Some(Ticks(5)));
    }

    #[test]
    fn lanes_fill_ticks_eight_at_a_time() {
        let wide = |n: u32| {
            let keys = (0..n).map(|n| property(&format!("k{n}"), &["string"], Cardinality::One)).collect();
            ticks(&schema(vec![class("C", &["e"], keys)]), "e").unwrap().0
        };
        assert_eq!((wide(0), wide(1), wide(64), wide(65), wide(512), wide(513)), (0, 2, 2, 3, 9, 11));
    }

    #[test]
    fn every_class_counts_once_however_often_it_is_reached() {
        let tree = schema(vec![
            class(
                "Root",
                &["e"],
                vec![
                    property("left", &["Part"], Cardinality::One),
                    property("right", &["Part"], Cardinality::One),
                    property("other", &["Missing"], Cardinality::One),
                ],
            ),
            class("Part", &[], vec![property("again", &["Part", "Root"], Cardinality::ZeroOrOne)]),
        ]);
        let costs = explain(&tree, "e").unwrap();
        assert_eq!(costs.iter().map(|c| c.class.local_name()).collect::<Vec<_>>(), ["Root", "Part"]);
        assert_eq!(ticks(&tree, "e").map(|t| t.to_string()), Some("4 ticks".to_owned()));
        assert_eq!(ticks(&tree, "unknown"), None);
    }
}
