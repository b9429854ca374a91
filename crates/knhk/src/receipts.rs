//! `knhk receipts`: list and show decisions, and prove that something is in the log.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use knhk_evidence::entry::{Entry, EntryKind};
use knhk_evidence::input::InputKind;
use knhk_evidence::intern::Table as Names;
use knhk_evidence::proof::{MAX_PROOF_LEN, Proof, Proven};
use knhk_evidence::receipt::{Draft, ReceiptId};
use knhk_evidence::record::{MAX_PAYLOAD_LEN, dedupe_key};
use knhk_evidence::{Hash, canonical};
use knhk_kernel::decision::Body;
use knhk_storage::{prove, read};
use serde::Serialize;

use crate::cli::Format;
use crate::error::CliError;
use crate::table::{Table, instant};
use crate::verify::read_key;
use crate::{choice, exit, json, json_line};

/// Lists receipts, oldest first.
pub(crate) fn list(
    dir: &Path,
    sector: Option<&str>,
    format: Format,
    out: &mut dyn Write,
) -> Result<u8, CliError> {
    #[derive(Serialize)]
    struct Row<'a> {
        id: String,
        entry: u64,
        #[serde(flatten)]
        receipt: &'a Draft,
    }
    let mut table =
        Table::new(&["entry>", "sector", "no.>", "time", "operation", "outcome", "cycle", "receipt"]);
    let mut rows = Vec::new();
    for located in read::entries(dir)? {
        let located = located?;
        let Entry::Receipt { signed, .. } = &located.entry else { continue };
        let draft = signed.draft();
        if sector.is_some_and(|s| s != draft.sector) {
            continue;
        }
        match format {
            Format::Text => table.row([
                located.index.to_string(),
                draft.sector.clone(),
                draft.sequence.to_string(),
                instant(draft.time_ms),
                draft.operation.to_string(),
                draft.outcome.to_string(),
                draft.cycle.clone().unwrap_or_default(),
                signed.id().to_string().chars().take(12).collect(),
            ]),
            Format::Json => rows.push((signed.id().to_string(), located.index, draft.clone())),
            Format::Ndjson => {
                json_line(out, &Row { id: signed.id().to_string(), entry: located.index, receipt: draft })?;
            }
        }
    }
    match format {
        Format::Text => table.write(out).map_err(CliError::Output)?,
        Format::Json => {
            let rows: Vec<_> = rows
                .iter()
                .map(|(id, entry, receipt)| Row { id: id.clone(), entry: *entry, receipt })
                .collect();
            json(out, &rows)?;
        }
        Format::Ndjson => {}
    }
    Ok(exit::DONE)
}

/// Shows one receipt with its body and signature, as JSON.
pub(crate) fn show(dir: &Path, id: &str, out: &mut dyn Write) -> Result<u8, CliError> {
    #[derive(Serialize)]
    struct Shown<'a> {
        id: String,
        entry: u64,
        receipt: &'a Draft,
        signature: String,
        canonical_bytes: String,
        body: Body,
    }
    let (_, entry) = find_receipt(dir, id)?;
    for located in read::entries(dir)? {
        let located = located?;
        if located.index == entry
            && let Entry::Receipt { signed, body } = &located.entry
        {
            json(
                out,
                &Shown {
                    id: signed.id().to_string(),
                    entry,
                    receipt: signed.draft(),
                    signature: hex::encode(signed.signature()),
                    canonical_bytes: hex::encode(signed.bytes()),
                    body: Body::from_bytes(body)?,
                },
            )?;
        }
    }
    Ok(exit::DONE)
}

/// Writes a proof of an observation (by event id or sequence number) or of a receipt (by id).
pub(crate) fn prove(
    dir: &Path,
    what: &str,
    output: Option<&Path>,
    out: &mut dyn Write,
) -> Result<u8, CliError> {
    let proof = if let Some(sequence) = find_observation(dir, what)? {
        prove::prove_observation(dir, sequence)?.0
    } else {
        let (_, entry) = find_receipt(dir, what)?;
        prove::prove_entry(dir, entry)?.0
    };
    match output {
        Some(path) => fs::write(path, proof.to_string()).map_err(CliError::writing(path))?,
        None => write!(out, "{proof}").map_err(CliError::Output)?,
    }
    Ok(exit::DONE)
}

/// What a proof file shows.
#[derive(Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
enum Shown {
    Observation { sequence: u64, payload_sha256: String, event_time_ms: i64 },
    Receipt { id: String, receipt: Box<Draft> },
    Entry { index: u64 },
}

impl Shown {
    fn of(proven: Proven, index: u64) -> Result<Self, CliError> {
        Ok(match proven {
            Proven::Observation(record) => Self::Observation {
                sequence: record.sequence,
                payload_sha256: record.payload_sha256.to_string(),
                event_time_ms: record.event_time_ms,
            },
            Proven::Entry(leaf) => match leaf.split_first() {
                Some((kind, bytes)) if *kind == EntryKind::Receipt as u8 => {
                    let receipt = Box::new(Draft::from_bytes(bytes)?);
                    Self::Receipt { id: Hash::of(bytes).to_string(), receipt }
                }
                _ => Self::Entry { index },
            },
        })
    }

    fn in_words(&self) -> String {
        match self {
            Self::Observation { sequence, payload_sha256, event_time_ms } => {
                format!("observation {sequence} of {}, event {payload_sha256}", instant(*event_time_ms))
            }
            Self::Receipt { id, receipt } => format!(
                "receipt {id}, {} {} of sector {}: {}",
                receipt.operation, receipt.sequence, receipt.sector, receipt.outcome
            ),
            Self::Entry { index } => format!("entry {index}"),
        }
    }
}

/// Checks a proof file with a public key and nothing else.
pub(crate) fn check(
    path: &Path,
    key: &str,
    event: Option<&Path>,
    format: Format,
    out: &mut dyn Write,
) -> Result<u8, CliError> {
    #[derive(Serialize)]
    struct Checked {
        proven: bool,
        #[serde(flatten)]
        shown: Shown,
        origin: String,
        tree_size: u64,
        root: String,
    }
    let key = read_key(key)?;
    let text = read_bounded(path, MAX_PROOF_LEN)?;
    let text = String::from_utf8(text).map_err(|_| CliError::Proof { why: "it is not text".to_owned() })?;
    let proof: Proof = text.parse()?;
    let (proven, checkpoint) = proof.verify(&key)?;
    if let Some(event) = event {
        let bytes = read_bounded(event, MAX_PAYLOAD_LEN)?;
        let about_it =
            matches!(&proven, Proven::Observation(r) if r.payload_sha256 == Hash::of(bytes.trim_ascii()));
        if !about_it {
            return Err(CliError::Proof { why: "it is not about the given event".to_owned() });
        }
    }
    let checked = Checked {
        proven: true,
        shown: Shown::of(proven, proof.index)?,
        origin: checkpoint.origin,
        tree_size: checkpoint.size,
        root: checkpoint.root.to_string(),
    };
    if format == Format::Text {
        let (what, origin, size) = (checked.shown.in_words(), &checked.origin, checked.tree_size);
        writeln!(out, "proven: {what}\n  is in the log {origin} of {size} entries, root {}", checked.root)
            .map_err(CliError::Output)?;
    } else {
        json(out, &checked)?;
    }
    Ok(exit::DONE)
}

/// A file, of which no more is read than what is refused for its length.
pub(crate) fn read_bounded(path: &Path, limit: usize) -> Result<Vec<u8>, CliError> {
    let file = fs::File::open(path).map_err(CliError::reading(path))?;
    let mut bytes = Vec::new();
    file.take(limit as u64 + 2).read_to_end(&mut bytes).map_err(CliError::reading(path))?;
    Ok(bytes)
}

/// The sequence of the observation that `what` names: its number, or an event's id under any source.
fn find_observation(dir: &Path, what: &str) -> Result<Option<u64>, CliError> {
    if let Ok(sequence) = what.parse::<u64>() {
        return Ok(Some(sequence));
    }
    let mut names = knhk_evidence::intern::Tables::default();
    let mut found = None;
    for located in read::entries(dir)? {
        let located = located?;
        match &located.entry {
            Entry::Input(input) if input.kind == InputKind::Interned => {
                names.admit(&canonical::from_bytes(&input.body.0)?)?;
            }
            Entry::Block { block, .. } => {
                for record in block.records() {
                    let source = names.text(Names::Source, record.source).unwrap_or_default();
                    if dedupe_key(source, what) == record.dedupe_key {
                        found = Some(record.sequence);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

fn find_receipt(dir: &Path, text: &str) -> Result<(ReceiptId, u64), CliError> {
    let mut ids = Vec::new();
    for located in read::entries(dir)? {
        let located = located?;
        if let Entry::Receipt { signed, .. } = &located.entry {
            ids.push((signed.id(), located.index));
        }
    }
    let id = choice::id("event or receipt", text, ids.iter().map(|(id, _)| *id))?;
    let entry = ids.iter().find(|(other, _)| *other == id).map(|(_, entry)| *entry).unwrap_or_default();
    Ok((id, entry))
}
