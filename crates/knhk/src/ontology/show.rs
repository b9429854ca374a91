//! `knhk ontology show`: an overview for people, or the sector's layer as Turtle.

use std::collections::BTreeMap;
use std::io::{self, Write};

use knhk_ontology::schema::{Class, Property, Range, Schema, Settings};
use knhk_ontology::{Iri, Snapshot, export};
use serde::Serialize;

use super::{name_of, opened, snapshot, term};
use crate::cli::{Format, OntologyShow};
use crate::error::CliError;
use crate::show_drift::last_segment;
use crate::table::{Table, counted, instant};
use crate::{exit, json};

/// Shows a snapshot, or one of its terms.
pub(super) fn run(args: &OntologyShow, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    let (kernel, sector) = opened(&args.of)?;
    let snapshot = snapshot(&kernel, &sector, args.snapshot.as_deref())?;
    if let Some(text) = &args.term {
        return term::run(&snapshot, text, format, out);
    }
    if args.form.is_some() {
        let head = format!(
            "# {sector} {}, snapshot {}, content {}\n",
            snapshot.version, snapshot.id, snapshot.content_id
        );
        let prefixes = [(sector.as_str(), snapshot.schema.namespace.as_str())];
        let text = export::turtle(&snapshot.sigma, export::Layer::Sector, &prefixes);
        out.write_all((head + &text).as_bytes()).map_err(CliError::Output)?;
    } else if format == Format::Text {
        overview(&snapshot, out).map_err(CliError::Output)?;
    } else {
        json(out, &Shown::of(&snapshot))?;
    }
    Ok(exit::DONE)
}

#[derive(Serialize)]
struct Shown<'s> {
    sector: &'s str,
    version: String,
    snapshot_id: String,
    content_id: String,
    promoted_at_ms: u64,
    namespace: &'s str,
    core_triples: usize,
    sector_triples: usize,
    settings: &'s Settings,
    event_types: &'s BTreeMap<String, Iri>,
    classes: Vec<&'s Class>,
}

impl<'s> Shown<'s> {
    fn of(snapshot: &'s Snapshot) -> Self {
        let schema = &snapshot.schema;
        Self {
            sector: &snapshot.sector,
            version: snapshot.version.to_string(),
            snapshot_id: snapshot.id.to_string(),
            content_id: snapshot.content_id.to_string(),
            promoted_at_ms: snapshot.promoted_at_ms,
            namespace: &schema.namespace,
            core_triples: snapshot.sigma.core.len(),
            sector_triples: snapshot.sigma.sector.len(),
            settings: &schema.settings,
            event_types: &schema.event_types,
            classes: schema.classes.values().collect(),
        }
    }
}

fn overview(snapshot: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
    let schema = &snapshot.schema;
    let since = instant(i64::try_from(snapshot.promoted_at_ms).unwrap_or(i64::MAX));
    writeln!(out, "{} {}, in force since {since}", snapshot.sector, snapshot.version)?;
    writeln!(out, "  snapshot  {}\n  content   {}", snapshot.id, snapshot.content_id)?;
    let keys: usize = schema.classes.values().map(|class| class.properties.len()).sum();
    writeln!(
        out,
        "  terms     in {}: {}, {}, {}; {} and {} of core",
        schema.namespace,
        counted(schema.event_types.len() as u64, "event type"),
        counted(schema.classes.len() as u64, "class"),
        counted(keys as u64, "key"),
        counted(snapshot.sigma.sector.len() as u64, "triple"),
        snapshot.sigma.core.len(),
    )?;
    if !schema.classes.is_empty() {
        writeln!(out, "\nCLASSES and their keys; what is below a class has its keys too")?;
        classes(schema).write(out)?;
    }
    writeln!(out, "\nSETTINGS")?;
    settings(schema).write(out)?;
    writeln!(
        out,
        "\n--term NAME shows one class or key with its shape, --as turtle the triples, --format json everything."
    )
}

/// Classes as a tree: below the classes of core, each level two characters further in; keys two further than their class.
fn classes(schema: &Schema) -> Table {
    let mut below: BTreeMap<&Iri, Vec<&Class>> = BTreeMap::new();
    for class in schema.classes.values() {
        below.entry(&class.subclass_of).or_default().push(class);
    }
    let mut table = Table::new(&["class, key", "values", "card.=", "constraints", "label"]);
    let roots = below.keys().filter(|parent| !schema.classes.contains_key(**parent));
    let mut next: Vec<(&Class, usize)> =
        roots.flat_map(|parent| &below[*parent]).map(|class| (*class, 0)).rev().collect();
    while let Some((class, depth)) = next.pop() {
        let mut what: Vec<String> =
            class.event_types.iter().map(|name| format!("event {}", last_segment(name))).collect();
        if class.hot {
            what.push("hot".to_owned());
        }
        if depth == 0 && class.event_types.is_empty() {
            what.push(class.subclass_of.local_name().to_lowercase());
        }
        let name = name_of(&class.iri, &schema.namespace);
        table.row([
            format!("{}{name}", "  ".repeat(depth)),
            String::new(),
            String::new(),
            what.join(", "),
            unless_same(&class.label, name),
        ]);
        for property in class.properties.values() {
            table.row([
                format!("{}. {}", "  ".repeat(depth), property.key),
                ranges(property, &schema.namespace),
                property.cardinality.as_str().to_owned(),
                constraints(property, &schema.namespace),
                unless_same(&property.label, &property.key),
            ]);
        }
        next.extend(below.get(&class.iri).into_iter().flatten().rev().map(|class| (*class, depth + 1)));
    }
    table
}

/// A label that says more than the name.
pub(super) fn unless_same(label: &str, name: &str) -> String {
    let letters = |text: &str| text.to_lowercase().replace([' ', '_', '-'], "");
    if letters(label) == letters(name) { String::new() } else { label.to_owned() }
}

/// What a value may be, e.g. `decimal | Address`.
pub(super) fn ranges(property: &Property, namespace: &str) -> String {
    let names: Vec<&str> = property
        .ranges
        .iter()
        .map(|range| match range {
            Range::Datatype(datatype) => datatype.iri().local_name(),
            Range::Class(class) => name_of(class, namespace),
        })
        .collect();
    if names.is_empty() { "no value seen".to_owned() } else { names.join(" | ") }
}

/// What is asked of values beside, e.g. `0 to 100; one of a, b; deprecated for newName`.
pub(super) fn constraints(property: &Property, namespace: &str) -> String {
    let facets = &property.facets;
    let mut all = Vec::new();
    let between = |low: Option<String>, high: Option<String>, of: &str| match (low, high) {
        (Some(low), Some(high)) if low == high => Some(format!("{of}{low}")),
        (Some(low), Some(high)) => Some(format!("{of}{low} to {high}")),
        (Some(low), None) => Some(format!("{of}at least {low}")),
        (None, Some(high)) => Some(format!("{of}at most {high}")),
        (None, None) => None,
    };
    let text = |value: &Option<_>| value.as_ref().map(knhk_ontology::decimal::Decimal::to_string);
    all.extend(between(text(&facets.min), text(&facets.max), ""));
    let length = |value: Option<u32>| value.map(|value| value.to_string());
    all.extend(between(length(facets.min_length), length(facets.max_length), "length "));
    if let Some(values) = &facets.values {
        all.push(format!("one of {}", values.iter().map(String::as_str).collect::<Vec<_>>().join(", ")));
    }
    if property.deprecated {
        all.push(property.replaced_by.as_ref().map_or_else(
            || "deprecated".to_owned(),
            |by| format!("deprecated for {}", name_of(by, namespace)),
        ));
    }
    all.join("; ")
}

fn settings(schema: &Schema) -> Table {
    let settings = &schema.settings;
    let mut table = Table::new(&["setting=", "value"]);
    let mut say = |name: &str, value: String| table.row([name.to_owned(), value]);
    say("compatibility", settings.compatibility.as_str().to_owned());
    say("promotion policy", settings.promotion_policy.as_str().to_owned());
    say("minimum evidence", counted(settings.minimum_evidence.into(), "event"));
    say("minimum confidence", percent(settings.minimum_confidence_ppm));
    say("frequency limit", format!("{} of one type in 60 s", settings.frequency_limit));
    say("error share", format!("{} in 60 s", percent(settings.error_share_ppm)));
    say("heartbeat", format!("{} ms", settings.heartbeat_ms));
    for (event_type, rate) in &settings.expected_rates {
        say("expected rate", format!("{event_type}: {rate} a minute"));
    }
    for event_type in &settings.error_event_types {
        say("error event type", event_type.clone());
    }
    table
}

/// Parts per million as people write shares.
fn percent(ppm: u32) -> String {
    let digits = format!("{}.{:04}", ppm / 10_000, ppm % 10_000);
    format!("{} %", digits.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_written_as_people_do() {
        assert_eq!(
            [0, 50_000, 700_000, 1, 12_500].map(percent),
            ["0 %", "5 %", "70 %", "0.0001 %", "1.25 %"]
        );
        assert_eq!(unless_same("Order total", "orderTotal"), "");
        assert_eq!(unless_same("Betrag", "orderTotal"), "Betrag");
    }
}
