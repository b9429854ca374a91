//! `knhk ontology show --term`: one class or key in detail.

use std::collections::BTreeSet;
use std::io::{self, Write};

use knhk_ontology::blank_nodes::is_blank;
use knhk_ontology::schema::{Class, Property, Schema};
use knhk_ontology::{Graph, Iri, Snapshot, Triple, turtle, vocab};
use serde::Serialize;

use super::name_of;
use super::show::{constraints, ranges};
use crate::cli::Format;
use crate::error::CliError;
use crate::table::{Table, paragraph};
use crate::{exit, json};

/// Terms that an error names.
const NAMED_MAX: usize = 8;

/// What a name was found to mean.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
enum Found<'s> {
    Class { class: &'s Class },
    Property { of: &'s Iri, property: &'s Property },
}

impl Found<'_> {
    fn iri(&self) -> &Iri {
        match self {
            Self::Class { class } => &class.iri,
            Self::Property { property, .. } => &property.iri,
        }
    }
}

/// Shows the one term that `text` names.
pub(super) fn run(
    snapshot: &Snapshot,
    text: &str,
    format: Format,
    out: &mut dyn Write,
) -> Result<u8, CliError> {
    #[derive(Serialize)]
    struct Shown<'s> {
        #[serde(flatten)]
        found: Found<'s>,
        turtle: String,
    }
    let schema = &snapshot.schema;
    let found = find(schema, text)?;
    let prefixes = [(snapshot.sector.as_str(), schema.namespace.as_str())];
    let turtle = turtle::write(about(&snapshot.sigma.sector, found.iri()), &prefixes);
    if format == Format::Text {
        match found {
            Found::Class { class } => write_class(schema, class, out),
            Found::Property { of, property } => write_property(schema, of, property, out),
        }
        .and_then(|()| write!(out, "\n{turtle}"))
        .map_err(CliError::Output)?;
    } else {
        json(out, &Shown { found, turtle })?;
    }
    Ok(exit::DONE)
}

/// The term with this IRI, name, label, key or event type; the first of these ways that fits anything decides.
fn find<'s>(schema: &'s Schema, text: &str) -> Result<Found<'s>, CliError> {
    let classes = schema.classes.values().map(|class| Found::Class { class });
    let properties = schema.classes.values().flat_map(|class| {
        class.properties.values().map(|property| Found::Property { of: &class.iri, property })
    });
    let all: Vec<Found<'s>> = classes.chain(properties).collect();
    let by_name = |found: &Found<'_>| name_of(found.iri(), &schema.namespace) == text;
    let by_key = |found: &Found<'_>| match found {
        Found::Class { class } => class.event_types.contains(text),
        Found::Property { of, property } => {
            property.key == text || format!("{}.{}", name_of(of, &schema.namespace), property.key) == text
        }
    };
    let by_label = |found: &Found<'_>| match found {
        Found::Class { class } => class.label == text,
        Found::Property { property, .. } => property.label == text,
    };
    let ways: [&dyn Fn(&Found<'_>) -> bool; 4] =
        [&|found| found.iri().as_str() == text, &by_name, &by_key, &by_label];
    for way in ways {
        let fits: Vec<&Found<'s>> = all.iter().filter(|found| way(found)).collect();
        match fits.as_slice() {
            [] => {}
            [only] => return Ok(**only),
            fits => {
                let mut names: Vec<String> = fits
                    .iter()
                    .take(NAMED_MAX)
                    .map(|found| name_of(found.iri(), &schema.namespace).to_owned())
                    .collect();
                if fits.len() > NAMED_MAX {
                    names.push("…".to_owned());
                }
                let why = format!("`{text}` names {} terms ({})", fits.len(), names.join(", "));
                return Err(CliError::Term { why });
            }
        }
    }
    Err(CliError::Term { why: format!("no class or key is called `{text}`") })
}

fn write_class(schema: &Schema, class: &Class, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "class {} ({})", class.label, class.iri)?;
    if !class.comment.is_empty() {
        paragraph(out, "  ", &class.comment)?;
    }
    let name = |iri| name_of(iri, &schema.namespace);
    let above: Vec<&str> = schema.lineage(class).map(|class| name(&class.subclass_of)).collect();
    writeln!(out, "  below       {}", above.join(" < "))?;
    let below: Vec<&str> = schema
        .classes
        .values()
        .filter(|other| other.subclass_of == class.iri)
        .map(|other| name(&other.iri))
        .collect();
    if !below.is_empty() {
        writeln!(out, "  above       {}", below.join(", "))?;
    }
    for event_type in &class.event_types {
        writeln!(out, "  event type  {event_type}{}", if class.hot { ", on the hot path" } else { "" })?;
    }
    let mut table = Table::new(&["key", "values", "card.=", "constraints", "of class"]);
    for (key, property) in schema.keys_of(class) {
        let of = schema.lineage(class).find(|class| class.properties.contains_key(key));
        table.row([
            key.to_owned(),
            ranges(property, &schema.namespace),
            property.cardinality.as_str().to_owned(),
            constraints(property, &schema.namespace),
            of.map(|class| name(&class.iri).to_owned()).unwrap_or_default(),
        ]);
    }
    if table.is_empty() { writeln!(out, "  no keys: objects are empty") } else { table.write(out) }
}

fn write_property(schema: &Schema, of: &Iri, property: &Property, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "key {} of {} ({})", property.key, name_of(of, &schema.namespace), property.iri)?;
    if !property.comment.is_empty() {
        paragraph(out, "  ", &property.comment)?;
    }
    writeln!(out, "  label        {}", property.label)?;
    writeln!(out, "  values       {}", ranges(property, &schema.namespace))?;
    writeln!(out, "  cardinality  {}", property.cardinality.as_str())?;
    let constraints = constraints(property, &schema.namespace);
    writeln!(out, "  constraints  {}", if constraints.is_empty() { "none" } else { &constraints })
}

/// The triples of a term and of its shapes, with the list cells and other unnamed nodes that hang on them.
fn about(graph: &Graph, term: &Iri) -> Vec<Triple> {
    let mut nodes = vec![term.clone()];
    for predicate in [&*vocab::SH_TARGET_CLASS, &*vocab::SH_PATH] {
        nodes.extend(graph.subjects(predicate, &term.clone().into()));
    }
    let mut seen: BTreeSet<Iri> = nodes.iter().cloned().collect();
    let mut found = Vec::new();
    while let Some(node) = nodes.pop() {
        for triple in graph.matching(Some(&node), None, None) {
            if let Some(iri) = triple.object.as_iri() {
                let hangs_on = is_blank(iri) || graph.object(iri, &vocab::RDF_FIRST).is_some();
                if hangs_on && seen.insert(iri.clone()) {
                    nodes.push(iri.clone());
                }
            }
            found.push(triple);
        }
    }
    found
}
