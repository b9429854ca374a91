//! `knhk ontology log`: the snapshots of a sector, oldest first.

use std::collections::BTreeMap;
use std::io::Write;

use serde::Serialize;

use super::opened;
use crate::cli::{Format, OfSector};
use crate::error::CliError;
use crate::table::{Table, instant, short_id};
use crate::{exit, json};

/// Lists the snapshots.
pub(super) fn run(of: &OfSector, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    #[derive(Serialize)]
    struct Row {
        snapshot_id: String,
        content_id: String,
        version: String,
        promoted_at_ms: u64,
        parents: Vec<String>,
        current: bool,
    }
    let (kernel, sector) = opened(of)?;
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
