//! Audit bundles from a directory. Nothing here writes.

use std::collections::{BTreeMap, BTreeSet};

use knhk_evidence::bundle::{self, Bundle, Item, Observations, Shown};
use knhk_evidence::entry::Entry;
use knhk_evidence::input::InputKind;
use knhk_evidence::intern::Interned;
use knhk_evidence::multiproof::MultiproofBuilder;
use knhk_evidence::sealed::SealedState;

use crate::directory::Directory;
use crate::error::{Error, Result};
use crate::prove::Leaves;

/// What a bundle is to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Receipts.
    pub receipts: Receipts,
    /// Observations, by sequence.
    pub observations: BTreeSet<u64>,
    /// Whether the events themselves are to be in it, as far as they are not erased.
    pub payloads: bool,
}

/// Which receipts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipts {
    /// All under the checkpoint.
    All,
    /// Those at these entries.
    At(BTreeSet<u64>),
}

/// Puts a bundle together under the newest checkpoint, with the log's key changes and the texts that its records name.
///
/// Reads the log up to the checkpoint and keeps 32 bytes per entry beside what is chosen. The bundle is verified before it
/// is given away.
///
/// # Errors
/// Refuses what the checkpoint does not cover or the log no longer keeps, and a log that contradicts itself.
pub fn bundle(directory: impl Into<Directory>, choice: &Choice) -> Result<(Bundle, Shown)> {
    let mut items = Vec::new();
    let mut first_key = None;
    let (mut names, mut used) = (BTreeMap::new(), BTreeSet::new());
    let mut missing = choice.observations.clone();
    let mut missing_receipts = match &choice.receipts {
        Receipts::All => BTreeSet::new(),
        Receipts::At(entries) => entries.clone(),
    };
    let leaves = Leaves::read(directory, |index, entry| {
        match entry {
            Entry::KeyChange(change) => {
                if first_key.is_none() {
                    first_key = Some(change.new.parse()?);
                }
                items.push((index, Item::Entry(entry.clone())));
            }
            // Where a log begins whose front was dropped: its key and its texts stand here.
            Entry::Input(input) if input.kind == InputKind::LogSealed && first_key.is_none() => {
                first_key = SealedState::of(input)?.keys.last().map(|key| key.parse()).transpose()?;
                items.push((index, Item::Entry(entry.clone())));
            }
            Entry::Input(input) if input.kind == InputKind::Interned => {
                let Interned { table, id, .. } = input.decode()?;
                names.insert((table, id), (index, Item::Entry(entry.clone())));
            }
            Entry::Receipt { .. } => {
                if choice.receipts == Receipts::All || missing_receipts.remove(&index) {
                    items.push((index, Item::Entry(entry.clone())));
                }
            }
            Entry::Block { block, payloads } => {
                let first = block.header().first_sequence;
                let chosen = choice.observations.range(first..first + u64::from(block.header().count));
                let indexes: Vec<u32> =
                    chosen.filter_map(|sequence| u32::try_from(sequence - first).ok()).collect();
                if !indexes.is_empty() {
                    let payloads = payloads.as_ref().filter(|_| choice.payloads);
                    let shown = Observations::new(block, payloads, &indexes)?;
                    for observation in &shown.records {
                        used.extend(bundle::numbers(&observation.record));
                        missing.remove(&observation.record.sequence);
                    }
                    items.push((index, Item::Observations(shown)));
                }
            }
            Entry::Input(_) => {}
        }
        Ok(())
    })?;
    let size = leaves.size();
    if let Some(sequence) = missing.first() {
        return Err(Error::NotCovered { what: "observation", number: *sequence, size });
    }
    if let Some(entry) = missing_receipts.first() {
        return Err(Error::NotCovered { what: "receipt at entry", number: *entry, size });
    }
    items.extend(names.into_iter().filter(|(number, _)| used.contains(number)).map(|(_, item)| item));
    items.sort_by_key(|(index, _)| *index);
    let indexes: Vec<u64> = items.iter().map(|(index, _)| *index).collect();
    let mut builder = MultiproofBuilder::resuming(leaves.start(), &indexes, size)?;
    for leaf in leaves.kept() {
        builder.push(*leaf);
    }
    let hashes = builder.finish()?;
    let bundle = Bundle { checkpoint: leaves.note().to_owned(), items, hashes };
    let key = first_key
        .ok_or(knhk_evidence::Error::Proof { why: "the bundle does not begin with a key of the log" })?;
    let shown = bundle.verify(&key)?;
    Ok((bundle, shown))
}
