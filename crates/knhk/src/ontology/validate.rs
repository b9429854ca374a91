//! `knhk ontology validate`: RDF files against SHACL shapes.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;

use knhk_ontology::blank_nodes::is_blank;
use knhk_ontology::index::Composed;
use knhk_ontology::left_out::{LeftOut, evaluable};
use knhk_ontology::shacl::{Severity, Shapes, Violation};
use knhk_ontology::{Graph, Iri, Term, vocab};
use serde::Serialize;

use super::document::read_all;
use super::report_turtle;
use crate::cli::{Format, Validate};
use crate::error::CliError;
use crate::table::{Table, counted, noun, paragraph, shorten, thousands};
use crate::{exit, json};

/// Results that are shown as text.
const RESULTS_SHOWN: usize = 50;
/// Nodes that are named of a term that is not evaluated.
const NODES_NAMED: usize = 3;

/// What came of a validation.
#[derive(Serialize)]
struct Document {
    conforms: bool,
    triples: usize,
    shape_triples: usize,
    not_evaluated: Vec<LeftOut>,
    results: Vec<Violation>,
}

/// Validates, tells, and ends with 0 when the data conforms, with 1 when it does not.
pub(super) fn run(args: &Validate, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    let data = read_all(&args.data)?;
    let beside = read_all(&args.with)?;
    let given = if args.shapes.is_empty() { data.clone() } else { read_all(&args.shapes)? };
    let in_shapes = |source| CliError::InDocument {
        path: args.shapes.first().or(args.data.first()).cloned().unwrap_or_default(),
        source: Box::new(source),
    };
    let (shapes, not_evaluated) =
        if args.allow_unsupported { evaluable(&given).map_err(in_shapes)? } else { (given, Vec::new()) };
    let compiled = Shapes::compile(&shapes).map_err(in_shapes)?;
    if !compiled.have_targets() {
        let files = if args.shapes.is_empty() { &args.data } else { &args.shapes };
        return Err(CliError::NoShapes { files: names(files) });
    }
    let mut results = if beside.is_empty() {
        compiled.validate(&data)?.violations()
    } else {
        compiled.validate(&Composed::new(&beside, &data))?.violations()
    };
    results.retain(|result| is_under_test(&result.focus, &data, &beside));
    let document = Document {
        conforms: results.is_empty(),
        triples: data.len(),
        shape_triples: shapes.len(),
        not_evaluated,
        results,
    };
    if args.form.is_some() {
        let mut text = String::new();
        for left in &document.not_evaluated {
            // Writing to a String does not fail.
            let _ =
                std::fmt::Write::write_fmt(&mut text, format_args!("# not evaluated: {}\n", in_words(left)));
        }
        text.push_str(&report_turtle::write(&document.results));
        out.write_all(text.as_bytes()).map_err(CliError::Output)?;
    } else if format == Format::Text {
        write(&document, &names(&args.data), &shapes, out).map_err(CliError::Output)?;
    } else {
        json(out, &document)?;
    }
    Ok(if document.conforms { exit::DONE } else { exit::HELD_OR_REJECTED })
}

/// Whether a node is validated: not when only files that are looked up say something of it.
fn is_under_test(focus: &str, data: &Graph, beside: &Graph) -> bool {
    let Some(iri) = focus.strip_prefix('<').and_then(|rest| Iri::new(rest.trim_end_matches('>')).ok()) else {
        return true;
    };
    let is_said_of = |graph: &Graph| graph.matching(Some(&iri), None, None).next().is_some();
    is_said_of(data) || !is_said_of(beside)
}

fn names(files: &[PathBuf]) -> String {
    files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn in_words(left: &LeftOut) -> String {
    let mut names: Vec<&str> = left.nodes.iter().take(NODES_NAMED).map(Iri::as_str).collect();
    if left.nodes.len() > NODES_NAMED {
        names.push("…");
    }
    let nodes = counted(left.nodes.len() as u64, "node");
    format!("{} on {nodes} ({}): {}", left.term, names.join(", "), left.consequence)
}

fn write(document: &Document, files: &str, shapes: &Graph, out: &mut dyn Write) -> io::Result<()> {
    let triples = counted(document.triples as u64, "triple");
    if document.conforms {
        let so_far = if document.not_evaluated.is_empty() { "" } else { ", as far as it was evaluated" };
        writeln!(out, "{files}: {triples}; conforms{so_far}")?;
    } else {
        let count = |severity| document.results.iter().filter(|r| r.severity == severity).count() as u64;
        let told: Vec<String> =
            [(Severity::Violation, "violation"), (Severity::Warning, "warning"), (Severity::Info, "info")]
                .into_iter()
                .map(|(severity, name)| (count(severity), name))
                .filter(|(count, _)| *count > 0)
                .map(|(count, name)| counted(count, name))
                .collect();
        writeln!(out, "{files}: {triples}; does not conform: {}", told.join(", "))?;
        let mut table = Table::new(&["", "focus node<", "path", "value", "constraint="]);
        for result in document.results.iter().take(RESULTS_SHOWN) {
            let severity = match result.severity {
                Severity::Violation => "",
                Severity::Warning => "warning",
                Severity::Info => "info",
            };
            table.row([
                severity.to_owned(),
                in_table(&result.focus),
                result.path.clone().unwrap_or_default(),
                result.value.as_deref().map(in_table).unwrap_or_default(),
                component(&result.component),
            ]);
            let message = shorten(&result.message, 300);
            table.note(&match named_shape(&result.shape, shapes) {
                Some(shape) => format!("{shape}: {message}"),
                None => message,
            });
        }
        table.write(out)?;
        if let Some(more) = document.results.len().checked_sub(RESULTS_SHOWN).filter(|more| *more > 0) {
            let more = more as u64;
            writeln!(
                out,
                "  … and {} more {}; --format json shows all",
                thousands(more),
                noun(more, "result")
            )?;
        }
    }
    if !document.not_evaluated.is_empty() {
        writeln!(out, "\nNOT EVALUATED, as --allow-unsupported asked")?;
        for left in &document.not_evaluated {
            paragraph(out, "  ", &in_words(left))?;
        }
    }
    Ok(())
}

/// A blank node as people write them, `_:b3`, n-th of its file from 0; any other term as it is.
fn in_table(term: &str) -> String {
    match term.strip_prefix('<').and_then(|term| term.strip_prefix(vocab::SKOLEM_PREFIX)) {
        Some(rest) => {
            let label = rest.trim_end_matches('>');
            format!("_:{}", label.rsplit_once(':').map_or(label, |(_, label)| label))
        }
        None => term.to_owned(),
    }
}

/// The shape, or the named one that a shape without a name belongs to.
fn named_shape(shape: &str, shapes: &Graph) -> Option<Iri> {
    let mut at = Iri::new(shape).ok()?;
    let mut seen = BTreeSet::new();
    while is_blank(&at) {
        if !seen.insert(at.clone()) {
            return None;
        }
        at = shapes.matching(None, None, Some(&Term::Iri(at))).map(|triple| triple.subject).min()?;
    }
    Some(at)
}

/// `http://www.w3.org/ns/shacl#MinCountConstraintComponent` → `MinCount`.
fn component(iri: &str) -> String {
    let name = iri.rsplit_once(['#', '/']).map_or(iri, |(_, name)| name);
    name.strip_suffix("ConstraintComponent").unwrap_or(name).to_owned()
}
