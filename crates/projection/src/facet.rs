//! Enumerations, bounds and lengths: constraints on single values beyond their type.

use knhk_ontology::schema::Facets;

use crate::json::Json;

/// The facet that refuses a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FacetBreach {
    /// Not in the enumeration.
    Values,
    /// A number below the minimum.
    Min,
    /// A number above the maximum.
    Max,
    /// A text shorter than allowed.
    MinLength,
    /// A text longer than allowed.
    MaxLength,
}

/// The first facet that refuses a value, or `None`. Facets judge booleans, numbers and strings: enumerations and
/// lengths by lexical form (as SHACL's `sh:in`, `sh:minLength`, `sh:maxLength`), bounds by exact value. A bound says
/// nothing of a value that is no number: its type does.
pub fn breach(facets: &Facets, value: &Json<'_>) -> Option<FacetBreach> {
    let lexical = value.lexical()?;
    if facets.values.as_ref().is_some_and(|values| !values.contains(lexical)) {
        return Some(FacetBreach::Values);
    }
    if let Json::Number(number) = value
        && (facets.min.is_some() || facets.max.is_some())
    {
        let (below, above) = match number.decimal() {
            Some(exact) => {
                (facets.min.is_some_and(|min| exact < min), facets.max.is_some_and(|max| exact > max))
            }
            // More digits than a bound can have: the nearest float decides.
            None => (
                facets.min.is_some_and(|min| number.to_f64() < min.to_f64()),
                facets.max.is_some_and(|max| number.to_f64() > max.to_f64()),
            ),
        };
        if below {
            return Some(FacetBreach::Min);
        }
        if above {
            return Some(FacetBreach::Max);
        }
    }
    if facets.min_length.is_some() || facets.max_length.is_some() {
        let length = u32::try_from(lexical.chars().count()).unwrap_or(u32::MAX);
        if facets.min_length.is_some_and(|min| length < min) {
            return Some(FacetBreach::MinLength);
        }
        if facets.max_length.is_some_and(|max| length > max) {
            return Some(FacetBreach::MaxLength);
        }
    }
    None
}

impl FacetBreach {
    /// The constraint in words, e.g. `at most 100`.
    pub fn describe(self, facets: &Facets) -> String {
        let bound = |words: &str, bound: Option<String>| format!("{words} {}", bound.unwrap_or_default());
        match self {
            Self::Values => {
                let count = facets.values.as_ref().map_or(0, std::collections::BTreeSet::len);
                format!("one of {count} values")
            }
            Self::Min => bound("at least", facets.min.map(|d| d.to_string())),
            Self::Max => bound("at most", facets.max.map(|d| d.to_string())),
            Self::MinLength => bound("length at least", facets.min_length.map(|n| n.to_string())),
            Self::MaxLength => bound("length at most", facets.max_length.map(|n| n.to_string())),
        }
    }
}
