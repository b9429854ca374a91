//! Proofs that a checkpoint kept elsewhere is a prefix of the log here.

use knhk_evidence::VerifyingKey;
use knhk_evidence::checkpoint::UnverifiedCheckpoint;
use knhk_evidence::consistency::ConsistencyBuilder;
use knhk_evidence::consistency_proof::{ConsistencyProof, Consistent};
use knhk_evidence::entry::Entry;
use knhk_evidence::input::InputKind;
use knhk_evidence::sealed::SealedState;

use crate::directory::Directory;
use crate::error::Result;
use crate::prove::Leaves;

/// Proves that the signed checkpoint `kept` is a prefix of the log under its newest checkpoint.
///
/// Reads the log up to the newest checkpoint and keeps 32 bytes per entry. The proof is verified with the log's own keys
/// before it is given away.
///
/// # Errors
/// Refuses a checkpoint that covers more than the log's newest, one that has another root at its size, one that no key of
/// the log signed, and one that ends before the entries that retention has kept.
pub fn prove_consistency(
    directory: impl Into<Directory>,
    kept: &str,
) -> Result<(ConsistencyProof, Consistent)> {
    let claimed = UnverifiedCheckpoint::parse(kept)?.claimed().clone();
    let mut keys: Vec<VerifyingKey> = Vec::new();
    let leaves = Leaves::read(directory, |_, entry| {
        match entry {
            Entry::KeyChange(change) => keys.push(change.new.parse()?),
            // The keys of entries that are no longer kept.
            Entry::Input(input) if input.kind == InputKind::LogSealed && keys.is_empty() => {
                for key in SealedState::of(input)?.keys {
                    keys.push(key.parse()?);
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    let (old, new) = (claimed.size, leaves.size());
    if old > new {
        return Err(knhk_evidence::Error::RolledBack { actual: new, expected: old }.into());
    }
    let mut builder = ConsistencyBuilder::resuming(leaves.start(), old, new)?;
    let mut tree = leaves.start().clone();
    for leaf in leaves.kept() {
        if tree.size() < old {
            tree.push(*leaf);
        }
        builder.push(*leaf);
    }
    if tree.root() != claimed.root {
        let (actual, expected) = (claimed.root.to_string(), tree.root().to_string());
        return Err(knhk_evidence::Error::Checkpoint { size: old, actual, expected }.into());
    }
    let proof =
        ConsistencyProof { path: builder.finish()?, old: kept.to_owned(), new: leaves.note().to_owned() };
    let shown = proof.verify(&keys)?;
    Ok((proof, shown))
}
