//! A proposal's reasons and states, in words for people.

use std::collections::BTreeSet;

use knhk_observation::pattern::Pattern;
use knhk_ontology::decimal::Decimal;
use knhk_ontology::schema::{Datatype, Property, Range};

use super::Cause;

pub(super) fn reasoning(cause: &Cause, patterns: &[&Pattern]) -> String {
    let n: u64 = patterns.iter().map(|p| p.evidence.n).max().unwrap_or(0);
    let paths: BTreeSet<&str> = patterns.iter().map(|p| p.path.as_str()).collect();
    let what = match cause {
        Cause::EventType(event_type) => {
            return format!("{} of the type {event_type}, which no class describes", counted(n, "event"));
        }
        Cause::Rate(event_type) => return format!("the rate of {event_type} is no longer the declared one"),
        Cause::Class(domain) => domain.local_name(),
    };
    format!(
        "{} at {} of {what}, in up to {}",
        counted(patterns.len() as u64, "pattern"),
        counted(paths.len() as u64, "path"),
        counted(n, "event")
    )
}

/// A number and its noun.
fn counted(number: u64, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

/// A datatype by prefix and name, as ontologies write it.
fn curie(datatype: Datatype) -> &'static str {
    match datatype {
        Datatype::String => "xsd:string",
        Datatype::Boolean => "xsd:boolean",
        Datatype::Integer => "xsd:integer",
        Datatype::Decimal => "xsd:decimal",
        Datatype::DateTime => "xsd:dateTime",
        Datatype::Date => "xsd:date",
        Datatype::AnyUri => "xsd:anyURI",
        Datatype::Json => "rdf:JSON",
    }
}

/// Ranges for people: `xsd:string | xsd:integer`, a class by its IRI, `unknown` when no value was seen.
pub(super) fn ranges_text(ranges: &BTreeSet<Range>) -> String {
    if ranges.is_empty() {
        return "unknown".to_owned();
    }
    let names: Vec<String> = ranges
        .iter()
        .map(|range| match range {
            Range::Datatype(datatype) => curie(*datatype).to_owned(),
            Range::Class(class) => class.to_string(),
        })
        .collect();
    names.join(" | ")
}

pub(super) fn bounds_text(property: &Property) -> String {
    let side = |d: Option<Decimal>| d.map_or_else(|| "…".to_owned(), |d| d.to_string());
    format!("{}..{}", side(property.facets.min), side(property.facets.max))
}
