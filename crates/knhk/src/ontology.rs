//! `knhk ontology`: a sector's ontology, its versions, and what changed between two of them.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use knhk_kernel::Kernel;
use knhk_ontology::semantic_diff::diff;
use knhk_ontology::{History, Snapshot, SnapshotId, turtle};
use serde::Serialize;

use crate::cli::{Format, Ontology};
use crate::error::CliError;
use crate::restore::{Restore, restore};
use crate::table::{Table, counted, instant, short_id, shorten};
use crate::{choice, exit, json, query};

/// Runs a `knhk ontology` command.
pub(crate) fn run(command: &Ontology, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    match command {
        Ontology::Show { data, sector, snapshot } => {
            show(&data.data, sector.as_deref(), snapshot.as_deref(), format, out)
        }
        Ontology::Query(args) => query::run(args, format, out),
        Ontology::Log { data, sector } => log(&data.data, sector.as_deref(), format, out),
        Ontology::Diff { data, sector, from, to } => {
            diff_versions(&data.data, sector.as_deref(), from.as_deref(), to.as_deref(), format, out)
        }
    }
}

fn show(
    dir: &Path,
    sector: Option<&str>,
    id: Option<&str>,
    format: Format,
    out: &mut dyn Write,
) -> Result<u8, CliError> {
    let kernel = restore(dir, Restore::ForReading)?;
    let sector = choice::sector(&kernel, sector)?;
    let snapshot = snapshot(&kernel, &sector, id)?;
    if format == Format::Text {
        let prefixes = [(sector.as_str(), snapshot.schema.namespace.as_str())];
        writeln!(
            out,
            "# {sector} {}, snapshot {}, content {}",
            snapshot.version, snapshot.id, snapshot.content_id
        )
        .and_then(|()| out.write_all(turtle::write(snapshot.sigma.sector.iter(), &prefixes).as_bytes()))
        .map_err(CliError::Output)?;
    } else {
        json(out, &snapshot.schema.classes.values().collect::<Vec<_>>())?;
    }
    Ok(exit::DONE)
}

fn log(dir: &Path, sector: Option<&str>, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    #[derive(Serialize)]
    struct Row {
        snapshot_id: String,
        content_id: String,
        version: String,
        promoted_at_ms: u64,
        parents: Vec<String>,
        current: bool,
    }
    let kernel = restore(dir, Restore::ForReading)?;
    let sector = choice::sector(&kernel, sector)?;
    let history = kernel.sector(&sector)?.history();
    let mut rows: Vec<Row> = Vec::new();
    for (id, version, promoted_at_ms) in history.chain() {
        // The chain runs from the head to the first: each snapshot is the parent of the one before.
        if let Some(child) = rows.last_mut() {
            child.parents = vec![id.to_string()];
        }
        rows.push(Row {
            snapshot_id: id.to_string(),
            content_id: history.sigma(&id).map(|s| s.content_id().to_string()).unwrap_or_default(),
            version: version.to_string(),
            promoted_at_ms,
            parents: Vec::new(),
            current: id == history.head().id,
        });
    }
    rows.reverse();
    if format == Format::Text {
        let mut table = Table::new(&["", "version=", "snapshot=", "content=", "in force since=", "parent="]);
        let versions: BTreeMap<String, String> =
            rows.iter().map(|row| (row.snapshot_id.clone(), row.version.clone())).collect();
        let parent =
            |id: &String| format!("{} ({})", versions.get(id).map_or("?", String::as_str), short_id(id));
        for row in rows {
            table.row([
                if row.current { "*" } else { "" }.to_owned(),
                row.version,
                short_id(&row.snapshot_id),
                short_id(&row.content_id),
                instant(i64::try_from(row.promoted_at_ms).unwrap_or(i64::MAX)),
                row.parents.first().map(parent).unwrap_or_default(),
            ]);
        }
        table.write(out).map_err(CliError::Output)?;
    } else {
        json(out, &rows)?;
    }
    Ok(exit::DONE)
}

fn diff_versions(
    dir: &Path,
    sector: Option<&str>,
    from: Option<&str>,
    to: Option<&str>,
    format: Format,
    out: &mut dyn Write,
) -> Result<u8, CliError> {
    let kernel = restore(dir, Restore::ForReading)?;
    let sector = choice::sector(&kernel, sector)?;
    let newer = snapshot(&kernel, &sector, to)?;
    let older = match (from, newer.parents.first()) {
        (Some(from), _) => snapshot(&kernel, &sector, Some(from))?,
        (None, Some(parent)) => snapshot(&kernel, &sector, Some(&parent.to_string()))?,
        (None, None) => newer.clone(),
    };
    let changes = diff(&older.schema, &newer.schema);
    if format == Format::Text {
        let history = kernel.sector(&sector)?.history();
        let (from, to) = (in_words(history, &older.id), in_words(history, &newer.id));
        writeln!(out, "{sector} {from} → {to}: {}", counted(changes.len() as u64, "change"))
            .map_err(CliError::Output)?;
        let mut table = Table::new(&["term<", "key<", "aspect", "old", "new", "effect="]);
        for change in &changes {
            table.row([
                change.subject.rsplit_once('#').map_or(change.subject.as_str(), |(_, name)| name).to_owned(),
                change.key.clone().unwrap_or_default(),
                change.aspect.to_owned(),
                change.old.clone().unwrap_or_default(),
                change.new.clone().unwrap_or_default(),
                format!("{:?}", change.effect).to_lowercase(),
            ]);
        }
        table.write(out).map_err(CliError::Output)?;
    } else {
        json(out, &changes)?;
    }
    Ok(exit::DONE)
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
