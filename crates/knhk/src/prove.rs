//! `knhk receipts prove`: what is meant is found in the log, without guessing, and a proof of it is written.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;

use knhk_evidence::entry::Entry;
use knhk_evidence::intern::{Table, Tables};
use knhk_evidence::record::dedupe_key;
use knhk_storage::{prove, read};

use crate::cli::Prove;
use crate::error::CliError;
use crate::{exit, kept};

/// Digits from which on a text may be the beginning of a receipt's id: fewer would make short event ids ambiguous.
const RECEIPT_DIGITS_MIN: usize = 8;

/// Candidates that an error names.
const CANDIDATES_NAMED_MAX: usize = 10;

/// Something in the log that can be proven.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    /// An observation.
    Observation { sequence: u64, source: String, sector: String },
    /// A receipt.
    Receipt { id: String, entry: u64 },
}

impl Subject {
    fn in_words(&self) -> String {
        match self {
            Self::Observation { sequence, source, sector } => {
                format!("observation --sequence {sequence} of source `{source}` in sector {sector}")
            }
            Self::Receipt { id, .. } => format!("receipt {id}"),
        }
    }
}

/// What a text names in a log.
#[derive(Debug, Default)]
struct Found {
    subjects: Vec<Subject>,
    /// Sources, other than the one asked for, that have such an event.
    elsewhere: BTreeSet<String>,
    /// The first entry that is kept.
    begins_at: u64,
}

/// Writes a proof of an observation or of a receipt.
pub(crate) fn run(args: &Prove, out: &mut dyn Write) -> Result<u8, CliError> {
    let dir = &args.data.data;
    if !dir.join("log").is_dir() {
        return Err(CliError::NoLog { path: dir.clone() });
    }
    let proof = match (args.sequence, &args.what) {
        (Some(sequence), _) => match prove::prove_observation(dir, sequence) {
            Err(knhk_storage::Error::NotCovered { .. }) => {
                return Err(CliError::NoObservation {
                    sequence,
                    kept: kept::observations(dir, |_| false)?.kept,
                });
            }
            proven => proven?.0,
        },
        (None, what) => {
            let what = what.as_deref().unwrap_or_default();
            let found = find(dir, what, args.source.as_deref())?;
            if found.subjects.is_empty() && args.source.is_none() {
                return Err(CliError::NothingToProve { what: what.to_owned(), begins_at: found.begins_at });
            }
            match the_one(what, args.source.as_deref(), found)? {
                Subject::Observation { sequence, .. } => prove::prove_observation(dir, sequence)?.0,
                Subject::Receipt { entry, .. } => prove::prove_entry(dir, entry)?.0,
            }
        }
    };
    match &args.output {
        Some(path) => fs::write(path, proof.to_string()).map_err(CliError::writing(path))?,
        None => write!(out, "{proof}").map_err(CliError::Output)?,
    }
    Ok(exit::DONE)
}

/// The sequence of the one observation whose event has this id, under `source` if that is given.
pub(crate) fn observation(dir: &Path, id: &str, source: Option<&str>) -> Result<u64, CliError> {
    let mut found = find(dir, id, source)?;
    found.subjects.retain(|subject| matches!(subject, Subject::Observation { .. }));
    let begins_at = found.begins_at;
    match the_one(id, source, found)? {
        Subject::Observation { sequence, .. } => Ok(sequence),
        Subject::Receipt { id, .. } => {
            Err(CliError::NoEvent { id, of: None, elsewhere: Vec::new(), begins_at })
        }
    }
}

fn the_one(what: &str, source: Option<&str>, found: Found) -> Result<Subject, CliError> {
    let Found { mut subjects, elsewhere, begins_at } = found;
    match (subjects.pop(), subjects.len()) {
        (Some(only), 0) => Ok(only),
        (None, _) => Err(CliError::NoEvent {
            id: what.to_owned(),
            of: source.map(str::to_owned),
            elsewhere: elsewhere.into_iter().take(CANDIDATES_NAMED_MAX).collect(),
            begins_at,
        }),
        (Some(last), others) => {
            subjects.push(last);
            let mut named: Vec<String> =
                subjects.iter().take(CANDIDATES_NAMED_MAX).map(Subject::in_words).collect();
            if others + 1 > CANDIDATES_NAMED_MAX {
                named.push(format!("and {} more", others + 1 - CANDIDATES_NAMED_MAX));
            }
            Err(CliError::AmbiguousSubject {
                what: what.to_owned(),
                count: others + 1,
                candidates: named.join("; "),
            })
        }
    }
}

/// Everything that `what` names: observations by their event's id, receipts by their id or its first digits. With a
/// source, only its events.
fn find(dir: &Path, what: &str, source: Option<&str>) -> Result<Found, CliError> {
    let digits = what.to_ascii_lowercase();
    let may_be_receipt = source.is_none() && what.len() >= RECEIPT_DIGITS_MIN;
    let mut names = Tables::default();
    let mut found = Found::default();
    for (place, located) in read::entries(dir)?.enumerate() {
        let located = located?;
        if place == 0 {
            found.begins_at = located.index;
        }
        match &located.entry {
            Entry::Input(input) => names.follow(input)?,
            Entry::Block { block, .. } => {
                let sector = names.text(Table::Sector, u32::from(block.header().sector)).unwrap_or_default();
                for record in block.records() {
                    let from = names.text(Table::Source, record.source).unwrap_or_default();
                    if dedupe_key(from, what) != record.dedupe_key {
                        continue;
                    }
                    if source.is_some_and(|source| source != from) {
                        found.elsewhere.insert(from.to_owned());
                        continue;
                    }
                    found.subjects.push(Subject::Observation {
                        sequence: record.sequence,
                        source: from.to_owned(),
                        sector: sector.to_owned(),
                    });
                }
            }
            Entry::Receipt { signed, .. } if may_be_receipt => {
                let id = signed.id().to_string();
                if id.starts_with(&digits) {
                    found.subjects.push(Subject::Receipt { id, entry: located.index });
                }
            }
            _ => {}
        }
    }
    Ok(found)
}
