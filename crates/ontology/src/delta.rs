//! ΔΣ: a proposed change, typed. [`crate::lowering`] turns it into triples, always the same ones for the same base.

mod between;

use serde::{Deserialize, Serialize};

use crate::iri::Iri;
use crate::schema::{Class, Facets, Property};

/// A change of one sector's ontology. The default value is the empty change, which is never promoted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// Classes to add, without their properties (those come as [`AddedProperty`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added_classes: Vec<Class>,
    /// Classes to remove, with their node shape and every property whose domain they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed_classes: Vec<Iri>,
    /// Properties to add.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added_properties: Vec<AddedProperty>,
    /// Properties to remove, with their shape.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed_properties: Vec<PropertyRef>,
    /// Properties to change: range, cardinality, facets, deprecation, replacement.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed_properties: Vec<ChangedProperty>,
    /// Values to set: thresholds, expected rates, hot flags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set_values: Vec<SetValue>,
}

/// A property and the class it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PropertyRef {
    /// The class (`rdfs:domain`).
    pub domain: Iri,
    /// The JSON key inside that class.
    pub key: String,
}

/// A property to add to a class that exists or is added by the same change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddedProperty {
    /// The class that gains it.
    pub domain: Iri,
    /// The property.
    pub property: Property,
}

/// A new state of an existing property. Fields that are equal to the base's change nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedProperty {
    /// Which property.
    pub target: PropertyRef,
    /// What it shall be. `iri` and `key` must be those of the base: a rename is an addition, an alias and a deprecation.
    pub property: Property,
}

/// One literal to set on a node of the sector, e.g. a threshold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetValue {
    /// The node, e.g. the sector or an individual.
    pub subject: Iri,
    /// The predicate.
    pub predicate: Iri,
    /// Lexical form and datatype expected now; `None` when there is none yet.
    pub old: Option<TypedLiteral>,
    /// Lexical form and datatype to set.
    pub new: TypedLiteral,
}

/// A literal by lexical form and datatype IRI.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TypedLiteral {
    /// Lexical form.
    pub value: String,
    /// Datatype, e.g. `xsd:decimal`'s IRI.
    pub datatype: Iri,
}

impl Delta {
    /// How many entries each of its lists has.
    pub fn list_lengths(&self) -> [usize; 6] {
        [
            self.added_classes.len(),
            self.removed_classes.len(),
            self.added_properties.len(),
            self.removed_properties.len(),
            self.changed_properties.len(),
            self.set_values.len(),
        ]
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a change of a property's facets, range or cardinality does to data that was valid before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Labels and comments: no verdict changes.
    Neutral,
    /// Cannot invalidate data that was valid.
    Weakening,
    /// May invalidate data that was valid.
    Strengthening,
}

impl Effect {
    /// The effect of two changes together: the stronger one.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.max(other)
    }
}

/// The effect of replacing `old` by `new` on values of the property. Facets, ranges and cardinality are compared one by one.
pub fn effect_of(old: &Property, new: &Property) -> Effect {
    let ranges = if old.ranges == new.ranges {
        Effect::Neutral
    } else if old.ranges.iter().all(|range| covers(&new.ranges, range)) {
        Effect::Weakening
    } else {
        Effect::Strengthening
    };
    let (a, b) = (old.cardinality, new.cardinality);
    let cardinality = if a == b {
        Effect::Neutral
    } else if (b.is_required() && !a.is_required()) || (a.is_many() && !b.is_many()) {
        Effect::Strengthening
    } else {
        Effect::Weakening
    };
    ranges.and(cardinality).and(effect_of_facets(&old.facets, &new.facets))
}

fn covers(ranges: &std::collections::BTreeSet<crate::schema::Range>, range: &crate::schema::Range) -> bool {
    use crate::schema::{Datatype, Range};
    ranges.contains(range)
        || match range {
            Range::Datatype(Datatype::Integer) => ranges.contains(&Range::Datatype(Datatype::Decimal)),
            Range::Datatype(Datatype::DateTime | Datatype::Date | Datatype::AnyUri) => {
                ranges.contains(&Range::Datatype(Datatype::String))
            }
            _ => false,
        }
}

fn effect_of_facets(old: &Facets, new: &Facets) -> Effect {
    let bound = |old: Option<i128>, new: Option<i128>| match (old, new) {
        (a, b) if a == b => Effect::Neutral,
        (None, Some(_)) => Effect::Strengthening,
        (Some(a), Some(b)) if b < a => Effect::Strengthening,
        _ => Effect::Weakening,
    };
    let values = match (&old.values, &new.values) {
        (a, b) if a == b => Effect::Neutral,
        (Some(_), None) => Effect::Weakening,
        (Some(a), Some(b)) if a.is_subset(b) => Effect::Weakening,
        _ => Effect::Strengthening,
    };
    let scaled = |d: &Option<crate::decimal::Decimal>| d.as_ref().map(crate::decimal::Decimal::scaled);
    let negative = |d: Option<i128>| d.map(i128::saturating_neg);
    values
        .and(bound(scaled(&old.max), scaled(&new.max)))
        .and(bound(negative(scaled(&old.min)), negative(scaled(&new.min))))
        .and(bound(old.max_length.map(i128::from), new.max_length.map(i128::from)))
        .and(bound(old.min_length.map(|v| -i128::from(v)), new.min_length.map(|v| -i128::from(v))))
}
