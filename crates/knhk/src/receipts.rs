//! `knhk receipts`: list and show decisions, and prove that something is in the log.

use std::fs;
use std::io::Write;
use std::path::Path;

use knhk_evidence::entry::Entry;
use knhk_evidence::input::InputKind;
use knhk_evidence::intern::Table as Names;
use knhk_evidence::proof::Proof;
use knhk_evidence::receipt::{Draft, ReceiptId};
use knhk_evidence::record::{RECORD_LEN, dedupe_key};
use knhk_evidence::{Hash, canonical};
use knhk_kernel::decision::Body;
use knhk_storage::{audit, read};
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
    let document = match find_observation(dir, what)? {
        Some(sequence) => {
            let (proof, record) = audit::prove_observation(dir, sequence)?;
            Document { leaf: hex::encode(record.to_bytes()), proof }
        }
        None => {
            let (_, entry) = find_receipt(dir, what)?;
            let (proof, entry) = audit::prove_entry(dir, entry)?;
            Document { leaf: hex::encode(entry.leaf_data()?), proof }
        }
    };
    let text = document.to_text();
    match output {
        Some(path) => fs::write(path, &text).map_err(CliError::writing(path))?,
        None => out.write_all(text.as_bytes()).map_err(CliError::Output)?,
    }
    Ok(exit::DONE)
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
    struct Proven {
        proven: bool,
        what: &'static str,
        number: u64,
        origin: String,
        tree_size: u64,
        root: String,
    }
    let key = read_key(key)?;
    let text = fs::read_to_string(path).map_err(CliError::reading(path))?;
    let document = Document::parse(&text)?;
    let leaf = hex::decode(&document.leaf).map_err(|e| CliError::Proof { why: e.to_string() })?;
    let (what, number, checkpoint) = if document.proof.in_block.is_some() {
        let record: [u8; RECORD_LEN] =
            leaf.try_into().map_err(|_| CliError::Proof { why: "its leaf is not a record".to_owned() })?;
        let (record, checkpoint) = document.proof.verify_observation(&record, &key)?;
        if let Some(event) = event {
            let bytes = fs::read(event).map_err(CliError::reading(event))?;
            if Hash::of(bytes.trim_ascii()) != record.payload_sha256 {
                return Err(CliError::Proof {
                    why: "it is about another event than the given one".to_owned(),
                });
            }
        }
        ("observation", record.sequence, checkpoint)
    } else {
        if event.is_some() {
            return Err(CliError::Proof { why: "it is about a receipt, not about an event".to_owned() });
        }
        ("entry", document.proof.index, document.proof.verify_entry(&leaf, &key)?)
    };
    let (origin, tree_size, root) = (checkpoint.origin.clone(), checkpoint.size, checkpoint.root.to_string());
    let proven = Proven { proven: true, what, number, origin, tree_size, root };
    if format == Format::Text {
        writeln!(out, "proven: {what} {number} is in {} of {} entries", proven.origin, proven.tree_size)
            .map_err(CliError::Output)?;
    } else {
        json(out, &proven)?;
    }
    Ok(exit::DONE)
}

/// A proof file: the leaf in hex on the first line, then the C2SP proof (`docs/formats/proof.md`).
struct Document {
    leaf: String,
    proof: Proof,
}

impl Document {
    fn to_text(&self) -> String {
        format!("leaf {}\n{}", self.leaf, self.proof)
    }

    fn parse(text: &str) -> Result<Self, CliError> {
        let (first, proof) = text.split_once('\n').unwrap_or((text, ""));
        let leaf = first
            .strip_prefix("leaf ")
            .filter(|hex| !hex.bytes().any(|b| b.is_ascii_uppercase()))
            .ok_or_else(|| CliError::Proof {
                why: "its first line is not `leaf` and lower-case hex".to_owned(),
            })?;
        Ok(Self { leaf: leaf.to_owned(), proof: proof.parse()? })
    }
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
            Entry::Input(input) => {
                if input.kind == InputKind::Interned {
                    names.admit(&canonical::from_bytes(&input.body.0)?)?;
                }
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
