//! Proofs of inclusion from a directory. Nothing here writes.

use knhk_evidence::Hash;
use knhk_evidence::block::Block;
use knhk_evidence::checkpoint::UnverifiedCheckpoint;
use knhk_evidence::entry::Entry;
use knhk_evidence::merkle::{Frontier, PathBuilder};
use knhk_evidence::proof::{InBlock, Proof, Subject};
use knhk_evidence::record::Record;
use knhk_evidence::sealed::SealedState;

use crate::audit::checkpoint_note;
use crate::directory::Directory;
use crate::error::{Error, Result};
use crate::read;

/// The leaves under the newest checkpoint, as far as their entries are kept.
#[derive(Debug)]
pub struct Leaves {
    /// What stands for the entries that retention dropped.
    start: Frontier,
    /// From there on, in order.
    kept: Vec<Hash>,
    /// The checkpoint.
    note: String,
}

impl Leaves {
    /// Reads the log up to its checkpoint, keeping 32 bytes an entry; `visit` sees each entry with its index.
    ///
    /// # Errors
    /// Refuses a log that ends before its checkpoint.
    pub fn read(
        directory: impl Into<Directory>,
        mut visit: impl FnMut(u64, &Entry) -> Result<()>,
    ) -> Result<Self> {
        let directory = directory.into();
        let note = checkpoint_note(&directory)?;
        let size = UnverifiedCheckpoint::parse(&note)?.claimed().size;
        let mut leaves = Self { start: Frontier::new(), kept: Vec::new(), note };
        for located in read::entries(&directory)? {
            let located = located?;
            if located.index >= size {
                break;
            }
            if leaves.kept.is_empty()
                && located.index > 0
                && let Entry::Input(input) = &located.entry
            {
                let SealedState { size, peaks, .. } = SealedState::of(input)?;
                leaves.start = Frontier::from_peaks(size, peaks)?;
            }
            leaves.kept.push(located.entry.leaf_hash()?);
            visit(located.index, &located.entry)?;
        }
        if leaves.size() < size {
            return Err(knhk_evidence::Error::RolledBack { actual: leaves.size(), expected: size }.into());
        }
        Ok(leaves)
    }

    /// Entries under the checkpoint.
    pub fn size(&self) -> u64 {
        self.start.size() + self.kept.len() as u64
    }

    /// The signed checkpoint.
    pub fn note(&self) -> &str {
        &self.note
    }

    /// What stands for the entries that are no longer kept.
    pub fn start(&self) -> &Frontier {
        &self.start
    }

    /// The leaf hashes from there on.
    pub fn kept(&self) -> &[Hash] {
        &self.kept
    }

    /// The inclusion path of an entry that is kept.
    pub fn path(&self, index: u64) -> Result<Vec<Hash>> {
        let mut builder = PathBuilder::resuming(&self.start, index, self.size())?;
        self.kept.iter().for_each(|leaf| builder.push(*leaf));
        Ok(builder.finish()?)
    }

    fn not_covered(&self, what: &'static str, number: u64) -> Error {
        Error::NotCovered { what, number, size: self.size() }
    }
}

/// Proves observation `sequence` under the newest checkpoint; gives its record too.
pub fn prove_observation(directory: impl Into<Directory>, sequence: u64) -> Result<(Proof, Record)> {
    let mut found = None;
    let leaves = Leaves::read(directory, |index, entry| {
        if let Entry::Block { block, .. } = entry
            && let Some((at, record)) = position(block, sequence)
        {
            found = Some((index, InBlock::new(block, at)?, record));
        }
        Ok(())
    })?;
    let (index, in_block, record) = found.ok_or_else(|| leaves.not_covered("observation", sequence))?;
    let path = leaves.path(index)?;
    let subject = Subject::Observation(Box::new(in_block));
    Ok((Proof { index, path, subject, checkpoint: leaves.note }, record))
}

/// Proves entry `index` under the newest checkpoint; gives the entry too.
pub fn prove_entry(directory: impl Into<Directory>, index: u64) -> Result<(Proof, Entry)> {
    let mut found = None;
    let leaves = Leaves::read(directory, |at, entry| {
        if at == index {
            found = Some(entry.clone());
        }
        Ok(())
    })?;
    let entry = found.ok_or_else(|| leaves.not_covered("entry", index))?;
    let subject = Subject::Entry(entry.leaf_data()?);
    Ok((Proof { index, path: leaves.path(index)?, subject, checkpoint: leaves.note }, entry))
}

fn position(block: &Block, sequence: u64) -> Option<(u32, Record)> {
    let at = sequence.checked_sub(block.header().first_sequence)?;
    let record = block.records().get(usize::try_from(at).ok()?)?;
    Some((u32::try_from(at).ok()?, *record))
}
