//! Verification of a directory, and proofs from it. Nothing here writes.

use std::path::Path;

use knhk_evidence::block::Block;
use knhk_evidence::checkpoint::UnverifiedCheckpoint;
use knhk_evidence::entry::Entry;
use knhk_evidence::merkle::inclusion_path;
use knhk_evidence::proof::{InBlock, Proof, Subject};
use knhk_evidence::record::Record;
use knhk_evidence::verify::{Report, Trust, Verifier, segment_name};
use knhk_evidence::{Hash, VerifyingKey};

use crate::directory::{Directory, read_bounded};
use crate::error::{Error, Result};
use crate::read;

/// Bytes of `key.pub`.
const MAX_KEY_FILE_LEN: usize = 1024;

/// Verifies every byte of a log and its checkpoint.
///
/// `trusted` is the key obtained elsewhere; without one the log vouches for itself and the report says so. `kept` are
/// signed checkpoints kept elsewhere: the log must agree with each.
///
/// # Errors
/// Gives the first thing that is wrong, with its place. A log without checkpoint is refused.
pub fn verify(dir: &Path, trusted: Option<&VerifyingKey>, kept: &[&str]) -> Result<Report> {
    let directory = Directory::new(dir);
    let segments = directory.segments()?;
    // The directory's own key is a claim like any other: it must be one of the log's.
    let published = published_key(dir)?;
    let mut verifier = Verifier::new(trusted.map_or(Trust::SelfAttested, |key| Trust::Key(key.clone())));
    let checkpoint = directory.read_checkpoint()?.ok_or_else(|| Error::Layout {
        path: directory.checkpoint(),
        why: "there is no checkpoint: open the log once",
    })?;
    verifier.expect_checkpoint(&checkpoint)?;
    for note in kept {
        verifier.expect_checkpoint(note)?;
    }
    for number in 0..segments {
        verifier.segment(&segment_name(number), &directory.read_segment(number)?)?;
    }
    let (report, state, _) = verifier.finish_for_append()?;
    if !state.keys().contains(&published) {
        return Err(knhk_evidence::Error::Untrusted { trusted: published.label() }.into());
    }
    Ok(report)
}

/// The key that the directory publishes in `key.pub`. Whoever can change the log can change it too.
pub fn published_key(dir: &Path) -> Result<VerifyingKey> {
    let path = Directory::new(dir).public_key();
    let bytes = read_bounded(&path, MAX_KEY_FILE_LEN)?;
    let text = std::str::from_utf8(&bytes).ok().and_then(|text| text.strip_suffix('\n'));
    Ok(text.ok_or(Error::Layout { path, why: "it is not one line of text" })?.parse()?)
}

/// The newest signed checkpoint, as it stands beside the log; unverified.
pub fn checkpoint_note(dir: &Path) -> Result<String> {
    let directory = Directory::new(dir);
    directory.read_checkpoint()?.ok_or_else(|| Error::Layout {
        path: directory.checkpoint(),
        why: "there is no checkpoint: open the log once",
    })
}

/// Proves observation `sequence` under the newest checkpoint; gives its record too.
///
/// Reads the log up to the checkpoint and keeps 32 bytes per entry.
pub fn prove_observation(dir: &Path, sequence: u64) -> Result<(Proof, Record)> {
    let mut found = None;
    let (leaves, note) = leaves(dir, |index, entry| {
        if let Entry::Block { block, .. } = entry
            && let Some((at, record)) = position(block, sequence)
        {
            found = Some((index, InBlock::new(block, at)?, record));
        }
        Ok(())
    })?;
    let Some((index, in_block, record)) = found else {
        return Err(Error::NotCovered { what: "observation", number: sequence, size: leaves.len() as u64 });
    };
    let path = path(&leaves, index)?;
    Ok((Proof { index, path, subject: Subject::Observation(Box::new(in_block)), checkpoint: note }, record))
}

/// Proves entry `index` under the newest checkpoint; gives the entry too.
pub fn prove_entry(dir: &Path, index: u64) -> Result<(Proof, Entry)> {
    let mut found = None;
    let (leaves, note) = leaves(dir, |at, entry| {
        if at == index {
            found = Some(entry.clone());
        }
        Ok(())
    })?;
    let entry = found.ok_or(Error::NotCovered { what: "entry", number: index, size: leaves.len() as u64 })?;
    let subject = Subject::Entry(entry.leaf_data()?);
    Ok((Proof { index, path: path(&leaves, index)?, subject, checkpoint: note }, entry))
}

fn position(block: &Block, sequence: u64) -> Option<(u32, Record)> {
    let at = sequence.checked_sub(block.header().first_sequence)?;
    let record = block.records().get(usize::try_from(at).ok()?)?;
    Some((u32::try_from(at).ok()?, *record))
}

fn path(leaves: &[Hash], index: u64) -> Result<Vec<Hash>> {
    Ok(inclusion_path(leaves.iter().copied(), index, leaves.len() as u64)?)
}

/// The leaf hashes under the newest checkpoint, and the checkpoint.
pub(crate) fn leaves(
    dir: &Path,
    mut visit: impl FnMut(u64, &Entry) -> Result<()>,
) -> Result<(Vec<Hash>, String)> {
    let note = checkpoint_note(dir)?;
    let size = UnverifiedCheckpoint::parse(&note)?.claimed().size;
    let mut leaves = Vec::new();
    for located in read::entries(dir)? {
        let located = located?;
        if located.index >= size {
            break;
        }
        leaves.push(located.entry.leaf_hash()?);
        visit(located.index, &located.entry)?;
    }
    if (leaves.len() as u64) < size {
        return Err(knhk_evidence::Error::RolledBack { actual: leaves.len() as u64, expected: size }.into());
    }
    Ok((leaves, note))
}
