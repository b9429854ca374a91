//! `knhk ontology`: what an ontology says, its versions, and what changed between two of them; files of others too.

use std::fs;
use std::io::Write;
use std::path::Path;

use knhk_kernel::Kernel;
use knhk_ontology::{History, Iri, Snapshot, SnapshotId};

use crate::choice;
use crate::cli::{Format, OfSector, Ontology};
use crate::error::CliError;
use crate::query;
use crate::restore::{Restore, restore};
use crate::table::{short_id, shorten};

mod diff;
mod document;
mod document_diff;
mod export;
mod log;
mod picture;
mod report_turtle;
mod show;
mod story;
mod term;
mod validate;

/// Runs a `knhk ontology` command.
pub(crate) fn run(command: &Ontology, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    match command {
        Ontology::Show(args) => show::run(args, format, out),
        Ontology::Query(args) => query::run(args, format, out),
        Ontology::Log { of, picture: None, .. } => log::run(of, format, out),
        Ontology::Log { of, picture: Some(picture), output } => {
            picture::run(of, *picture, output.as_deref(), out)
        }
        Ontology::Diff(args) => match (&args.data, args.files.as_deref().unwrap_or_default()) {
            (Some(data), _) => diff::run(data, args, format, out),
            (None, files) => document_diff::run(files, args.exit_code, format, out),
        },
        Ontology::Export(args) => export::run(args, format, out),
        Ontology::Validate(args) => validate::run(args, format, out),
    }
}

/// Whether a command writes what programs read, also as text.
pub(crate) fn is_for_programs(command: &Ontology) -> bool {
    match command {
        Ontology::Export(_) | Ontology::Log { picture: Some(_), .. } => true,
        Ontology::Show(args) => args.form.is_some(),
        Ontology::Validate(args) => args.form.is_some(),
        Ontology::Log { .. } | Ontology::Diff(_) | Ontology::Query(_) => false,
    }
}

/// The kernel of a data directory, and the sector that was meant.
fn opened(of: &OfSector) -> Result<(Kernel, String), CliError> {
    let kernel = restore(&of.data.data, Restore::ForReading)?;
    let sector = choice::sector(&kernel, of.sector.as_deref())?;
    Ok((kernel, sector))
}

/// Both ends of a change: what was asked for, or the current snapshot and its parent.
fn ends(
    kernel: &Kernel,
    sector: &str,
    from: Option<&str>,
    to: Option<&str>,
) -> Result<(Snapshot, Snapshot), CliError> {
    let newer = snapshot(kernel, sector, to)?;
    let older = match (from, newer.parents.first()) {
        (Some(from), _) => snapshot(kernel, sector, Some(from))?,
        (None, Some(parent)) => snapshot(kernel, sector, Some(&parent.to_string()))?,
        (None, None) => newer.clone(),
    };
    Ok((older, newer))
}

/// Writes a text to a file, or to where results go.
fn deliver(text: &str, output: Option<&Path>, out: &mut dyn Write) -> Result<(), CliError> {
    match output {
        Some(path) => fs::write(path, text).map_err(CliError::writing(path)),
        None => out.write_all(text.as_bytes()).map_err(CliError::Output),
    }
}

/// A term as people know it: what follows the sector's namespace, or its last part.
fn name_of<'i>(iri: &'i Iri, namespace: &str) -> &'i str {
    match iri.as_str().strip_prefix(namespace) {
        Some(name) if !name.is_empty() => name,
        _ => iri.local_name(),
    }
}

/// The snapshot asked for, or the current one.
pub(crate) fn snapshot(kernel: &Kernel, sector: &str, asked: Option<&str>) -> Result<Snapshot, CliError> {
    let history = kernel.sector(sector)?.history();
    let Some(text) = asked else { return Ok(history.head().clone()) };
    let id = snapshot_id(kernel, sector, text)?;
    Ok(history.snapshot(&id)?)
}

/// The snapshot of version `text`, or the one whose id starts with it.
pub(crate) fn snapshot_id(kernel: &Kernel, sector: &str, text: &str) -> Result<SnapshotId, CliError> {
    let history = kernel.sector(sector)?.history();
    // A version has dots, an id has none.
    if let Some((id, _, _)) = history.chain().find(|(_, version, _)| version.to_string() == text) {
        return Ok(id);
    }
    if text.contains('.') {
        let why = format!("sector `{sector}` has no snapshot of version {}", shorten(text, 40));
        return Err(CliError::Id { why, listed_by: "knhk ontology log --data DIR" });
    }
    let kind = choice::Kind { what: "snapshot", listed_by: "knhk ontology log --data DIR" };
    choice::id(kind, text, history.chain().map(|(id, version, _)| (id, format!(" (version {version})"))))
}

/// A snapshot as people know it: its version and the first digits of its id.
pub(crate) fn in_words(history: &History, id: &SnapshotId) -> String {
    let version =
        history.chain().find(|(other, _, _)| other == id).map(|(_, version, _)| version.to_string());
    let short = short_id(&id.to_string());
    version.map_or_else(|| short.clone(), |version| format!("{version} ({short})"))
}
