//! Proofs that a checkpoint kept elsewhere is a prefix of the log here.

use std::path::Path;

use knhk_evidence::checkpoint::UnverifiedCheckpoint;
use knhk_evidence::consistency::consistency_path;
use knhk_evidence::consistency_proof::{ConsistencyProof, Consistent};
use knhk_evidence::entry::Entry;
use knhk_evidence::{VerifyingKey, merkle};

use crate::audit::leaves;
use crate::error::Result;

/// Proves that the signed checkpoint `kept` is a prefix of the log under its newest checkpoint.
///
/// Reads the log up to the newest checkpoint and keeps 32 bytes per entry. The proof is verified with the log's own keys
/// before it is given away.
///
/// # Errors
/// Refuses a checkpoint that covers more than the log's newest, one that has another root at its size, and one that no
/// key of the log signed.
pub fn prove_consistency(dir: &Path, kept: &str) -> Result<(ConsistencyProof, Consistent)> {
    let claimed = UnverifiedCheckpoint::parse(kept)?.claimed().clone();
    let mut keys: Vec<VerifyingKey> = Vec::new();
    let (leaves, new) = leaves(dir, |_, entry| {
        if let Entry::KeyChange(change) = entry {
            keys.push(change.new.parse()?);
        }
        Ok(())
    })?;
    let size = leaves.len() as u64;
    if claimed.size > size {
        return Err(knhk_evidence::Error::RolledBack { actual: size, expected: claimed.size }.into());
    }
    // A length of what is in memory.
    let covered = usize::try_from(claimed.size).unwrap_or(leaves.len());
    let root = merkle::root(leaves.iter().take(covered).copied());
    if root != claimed.root {
        let (actual, expected) = (claimed.root.to_string(), root.to_string());
        return Err(knhk_evidence::Error::Checkpoint { size: claimed.size, actual, expected }.into());
    }
    let path = consistency_path(leaves, claimed.size, size)?;
    let proof = ConsistencyProof { path, old: kept.to_owned(), new };
    let shown = proof.verify(&keys)?;
    Ok((proof, shown))
}
