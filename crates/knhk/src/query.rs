//! `knhk ontology query`: a SPARQL query, asked of the ontology of a sector and the core it builds on.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use knhk_ontology::sparql::{Answer, Budget, QUERY_BYTES_MAX, Query, Solutions, answer};
use knhk_ontology::{OntologyError, Term, Triple, turtle, vocab};
use serde_json::{Map, Value, json};

use crate::cli::{self, Format};
use crate::error::CliError;
use crate::ontology::snapshot;
use crate::restore::{Restore, restore};
use crate::table::{Table, counted};
use crate::{bounded, choice, exit, json as write_json, json_line};

/// Asks and answers.
pub(crate) fn run(args: &cli::Query, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    let text = text(args)?;
    let kernel = restore(&args.data.data, Restore::ForReading)?;
    let sector = choice::sector(&kernel, args.sector.as_deref())?;
    let snapshot = snapshot(&kernel, &sector, args.snapshot.as_deref())?;
    let prefixes = [(sector.as_str(), snapshot.schema.namespace.as_str())];
    let query = Query::parse(&text, &prefixes)?;
    let index = snapshot.sigma.composed();
    // The count of steps decides the same everywhere; the clock is for people who wait.
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let is_over = || Instant::now() >= end;
    let budget = Budget::new(args.max_steps, args.max_rows).with_stop(&is_over);
    match answer(&index, &query, &budget)? {
        Answer::Boolean(truth) => {
            match format {
                Format::Text => {
                    writeln!(out, "{}", if truth { "yes" } else { "no" }).map_err(CliError::Output)?;
                }
                Format::Json => write_json(out, &json!({ "head": {}, "boolean": truth }))?,
                Format::Ndjson => json_line(out, &json!({ "boolean": truth }))?,
            }
            Ok(if truth { exit::DONE } else { exit::NO })
        }
        Answer::Solutions(solutions) => {
            rows(&solutions, format, &prefixes, out)?;
            Ok(exit::DONE)
        }
        Answer::Triples(triples) => {
            graph(triples, format, &prefixes, out)?;
            Ok(exit::DONE)
        }
    }
}

/// The text of the query, read no further than it may be long.
fn text(args: &cli::Query) -> Result<String, CliError> {
    let bytes = match (&args.text, &args.file) {
        (_, Some(path)) => bounded::bytes(path, QUERY_BYTES_MAX)?,
        (Some(query), None) if query == "-" => {
            let mut bytes = Vec::new();
            std::io::stdin()
                .lock()
                .take(QUERY_BYTES_MAX as u64 + 1)
                .read_to_end(&mut bytes)
                .map_err(CliError::reading("standard input"))?;
            bytes
        }
        (query, None) => query.clone().unwrap_or_default().into_bytes(),
    };
    String::from_utf8(bytes)
        .map_err(|_| OntologyError::BadQuery { problem: "it is not text in UTF-8".to_owned() }.into())
}

fn rows(
    solutions: &Solutions,
    format: Format,
    prefixes: &[(&str, &str)],
    out: &mut dyn Write,
) -> Result<(), CliError> {
    match format {
        Format::Text => {
            let columns: Vec<String> = solutions.variables.iter().map(|name| format!("?{name}")).collect();
            let mut table = Table::new(&columns.iter().map(String::as_str).collect::<Vec<_>>());
            for row in &solutions.rows {
                table.row(row.iter().map(|term| term.as_ref().map_or(String::new(), |t| shown(t, prefixes))));
            }
            table
                .write(out)
                .and_then(|()| writeln!(out, "{}", counted(solutions.rows.len() as u64, "row")))
                .map_err(CliError::Output)
        }
        Format::Json => {
            let bindings: Vec<Value> = solutions.rows.iter().map(|row| binding(solutions, row)).collect();
            let document =
                json!({ "head": { "vars": solutions.variables }, "results": { "bindings": bindings } });
            write_json(out, &document)
        }
        Format::Ndjson => solutions.rows.iter().try_for_each(|row| json_line(out, &binding(solutions, row))),
    }
}

fn graph(
    triples: Vec<Triple>,
    format: Format,
    prefixes: &[(&str, &str)],
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let object = |triple: &Triple| {
        json!({
            "subject": term(&triple.subject.clone().into()),
            "predicate": term(&triple.predicate.clone().into()),
            "object": term(&triple.object),
        })
    };
    match format {
        Format::Text => out.write_all(turtle::write(triples, prefixes).as_bytes()).map_err(CliError::Output),
        Format::Json => write_json(out, &triples.iter().map(object).collect::<Vec<_>>()),
        Format::Ndjson => triples.iter().try_for_each(|triple| json_line(out, &object(triple))),
    }
}

/// A row as SPARQL 1.1 Query Results JSON has it: what is not bound is left out.
fn binding(solutions: &Solutions, row: &[Option<Term>]) -> Value {
    let bound = solutions.variables.iter().zip(row);
    let cells: Map<String, Value> =
        bound.filter_map(|(name, cell)| Some((name.clone(), term(cell.as_ref()?)))).collect();
    Value::Object(cells)
}

/// A term likewise. IRIs that stand for blank nodes stay IRIs, so that they can be asked about.
fn term(term: &Term) -> Value {
    match term {
        Term::Iri(iri) => json!({ "type": "uri", "value": iri.as_str() }),
        Term::Literal(literal) => match literal.language() {
            Some(language) => json!({ "type": "literal", "value": literal.value(), "xml:lang": language }),
            None if literal.datatype() == &*vocab::XSD_STRING => {
                json!({ "type": "literal", "value": literal.value() })
            }
            None => json!({
                "type": "literal", "value": literal.value(), "datatype": literal.datatype().as_str(),
            }),
        },
    }
}

/// A term for people: with a known prefix where it has one, literals without the datatype that is plain from their text.
fn shown(term: &Term, prefixes: &[(&str, &str)]) -> String {
    let short = |iri: &str| {
        let all = vocab::PREFIXES.iter().chain(prefixes);
        all.filter_map(|(prefix, namespace)| Some((prefix, iri.strip_prefix(namespace)?)))
            .find(|(_, local)| {
                !local.is_empty() && local.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
            })
            .map_or_else(|| format!("<{iri}>"), |(prefix, local)| format!("{prefix}:{local}"))
    };
    match term {
        Term::Iri(iri) => short(iri.as_str()),
        Term::Literal(literal) => match literal.language() {
            Some(language) => format!("\"{}\"@{language}", literal.value()),
            None => match literal.datatype().local_name() {
                "string" => format!("\"{}\"", literal.value()),
                "integer" | "decimal" | "boolean" => literal.value().to_owned(),
                _ => format!("\"{}\"^^{}", literal.value(), short(literal.datatype().as_str())),
            },
        },
    }
}
