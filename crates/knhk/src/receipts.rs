//! `knhk receipts list | show | check`: decisions as they stand in the log, and proofs checked without it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use knhk_evidence::Hash;
use knhk_evidence::entry::{Entry, EntryKind};
use knhk_evidence::proof::{MAX_PROOF_LEN, Proof, Proven};
use knhk_evidence::receipt::{Draft, ReceiptId};
use knhk_evidence::record::MAX_PAYLOAD_LEN;
use knhk_kernel::decision::Body;
use knhk_storage::read;
use serde::Serialize;

use crate::cli::Format;
use crate::error::CliError;
use crate::table::{Table, counted, instant, paragraph, short_id, thousands};
use crate::verify::read_key;
use crate::{choice, exit, json, json_line, kept};

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
        Table::new(&["entry>", "sector", "no.>", "time=", "operation=", "outcome", "cycle>", "receipt="]);
    let mut rows = Vec::new();
    let mut sectors = BTreeSet::new();
    if !dir.join("log").is_dir() {
        return Err(CliError::NoLog { path: dir.to_owned() });
    }
    for located in read::entries(dir)? {
        let located = located?;
        let Entry::Receipt { signed, .. } = &located.entry else { continue };
        let draft = signed.draft();
        if sector.is_some() && !sectors.contains(&draft.sector) {
            sectors.insert(draft.sector.clone());
        }
        if sector.is_some_and(|s| s != draft.sector) {
            continue;
        }
        match format {
            Format::Text => {
                let outcome = draft.outcome.to_string();
                let (outcome, why) = outcome.split_once(": ").unwrap_or((&outcome, ""));
                table.row([
                    located.index.to_string(),
                    draft.sector.clone(),
                    draft.sequence.to_string(),
                    instant(draft.time_ms),
                    draft.operation.to_string(),
                    outcome.to_owned(),
                    draft.cycle.as_deref().map(number_of).unwrap_or_default(),
                    short_id(&signed.id().to_string()),
                ]);
                if !why.is_empty() {
                    table.note(why);
                }
            }
            Format::Json => rows.push((signed.id().to_string(), located.index, draft.clone())),
            Format::Ndjson => {
                json_line(out, &Row { id: signed.id().to_string(), entry: located.index, receipt: draft })?;
            }
        }
    }
    if let Some(start) = kept::start(dir)? {
        // A sector whose receipts were all dropped is there nevertheless.
        sectors.extend(start.receipts.into_iter().map(|(name, ..)| name));
    }
    if let Some(name) = sector.filter(|name| !sectors.contains(*name)) {
        let here = sectors.into_iter().collect::<Vec<_>>().join(", ");
        return Err(CliError::UnknownSector { name: name.to_owned(), here });
    }
    match format {
        Format::Text => {
            table.write(out).map_err(CliError::Output)?;
            if let Some(start) = kept::start(dir)? {
                let before = start.receipts.iter().filter(|(name, ..)| sector.is_none_or(|s| s == name));
                let before: u64 = before.map(|(_, next, _)| next).sum();
                let text = format!(
                    "{} before entry {} {} not kept here; the archive has what was moved there",
                    counted(before, "receipt"),
                    thousands(start.size),
                    if before == 1 { "is" } else { "are" }
                );
                paragraph(out, "  ", &text).map_err(CliError::Output)?;
            }
        }
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

/// `logistics-000012` → `12`: the sector has a column of its own.
fn number_of(cycle: &str) -> String {
    let number = cycle.rsplit_once('-').map_or(cycle, |(_, number)| number).trim_start_matches('0');
    number.to_owned()
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
    if !dir.join("log").is_dir() {
        return Err(CliError::NoLog { path: dir.to_owned() });
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
    let text = String::from_utf8(text).map_err(|_| CliError::Proof {
        why: format!("{} is not text; give a file that `knhk receipts prove` wrote", path.display()),
    })?;
    let in_file =
        |mend| move |source| CliError::InFile { path: path.to_owned(), source: Box::new(source), mend };
    let proof: Proof = text.parse().map_err(in_file("give a file that `knhk receipts prove` wrote"))?;
    let mend = "check it with the verifier key of the log that it is from, or get the proof again";
    let (proven, checkpoint) = proof.verify(&key).map_err(in_file(mend))?;
    if let Some(event) = event {
        let bytes = read_bounded(event, MAX_PAYLOAD_LEN)?;
        let about_it =
            matches!(&proven, Proven::Observation(r) if r.payload_sha256 == Hash::of(bytes.trim_ascii()));
        if !about_it {
            return Err(CliError::Proof {
                why: format!(
                    "it is not about the event in {}; give the event exactly as it was received",
                    event.display()
                ),
            });
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
        writeln!(
            out,
            "proven: {what}\n  is in the log {origin} of {}, root {}",
            counted(size, "entry"),
            checked.root
        )
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

fn find_receipt(dir: &Path, text: &str) -> Result<(ReceiptId, u64), CliError> {
    let mut ids = Vec::new();
    for located in read::entries(dir)? {
        let located = located?;
        if let Entry::Receipt { signed, .. } = &located.entry {
            let draft = signed.draft();
            ids.push((signed.id(), located.index, format!(" ({} {})", draft.operation, draft.sequence)));
        }
    }
    let kind = choice::Kind { what: "receipt", listed_by: "knhk receipts list --data DIR" };
    let id = choice::id(kind, text, ids.iter().map(|(id, _, known_by)| (*id, known_by.clone())))?;
    let entry = ids.iter().find(|(other, _, _)| *other == id).map(|(_, entry, _)| *entry).unwrap_or_default();
    Ok((id, entry))
}
