//! Proofs that a kept checkpoint is a prefix of a newer one, as text that anyone checks offline. See
//! `docs/formats/consistency.md`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::checkpoint::{Checkpoint, UnverifiedCheckpoint, base64_hash};
use crate::consistency::{MAX_CONSISTENCY_PATH_LEN, verify_consistency};
use crate::error::{Error, Result, within};
use crate::hash::Hash;
use crate::key::VerifyingKey;

/// Bytes of a consistency proof: enough for the longest path and two of the largest notes.
pub const MAX_CONSISTENCY_PROOF_LEN: usize = 160 << 10;

const FIRST_LINE: &str = "knhk-consistency/v1";

/// A proof that nothing under the older checkpoint was changed in the newer one. Its text says all that a verifier needs
/// beside the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// Consistency path, in RFC 6962's order.
    pub path: Vec<Hash>,
    /// The older signed checkpoint, verbatim.
    pub old: String,
    /// The newer signed checkpoint, verbatim.
    pub new: String,
}

/// What a verified consistency proof has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consistent {
    /// The older checkpoint.
    pub old: Checkpoint,
    /// The newer checkpoint, whose tree begins with the older one's.
    pub new: Checkpoint,
}

impl ConsistencyProof {
    /// Verifies both signatures and the path. `keys` are the log's: each checkpoint must be signed by one of them.
    pub fn verify(&self, keys: &[VerifyingKey]) -> Result<Consistent> {
        let (old, new) = (open(&self.old, keys)?, open(&self.new, keys)?);
        if old.origin != new.origin {
            return Err(Error::Proof { why: "the checkpoints are of two logs" });
        }
        verify_consistency(old.size, &old.root, new.size, &new.root, &self.path)?;
        Ok(Consistent { old, new })
    }
}

/// The checkpoint, verified with the first key that does.
fn open(note: &str, keys: &[VerifyingKey]) -> Result<Checkpoint> {
    let unverified = UnverifiedCheckpoint::parse(note)?;
    let mut refusal = Error::Proof { why: "there is no key to check it with" };
    for key in keys {
        match unverified.verify(key) {
            Ok(checkpoint) => return Ok(checkpoint),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

impl std::fmt::Display for ConsistencyProof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        for hash in &self.path {
            writeln!(f, "{}", BASE64.encode(hash.as_bytes()))?;
        }
        write!(f, "\n{}\n{}", self.old, self.new)
    }
}

impl std::str::FromStr for ConsistencyProof {
    type Err = Error;

    /// Reads a proof strictly; writing the result gives the same text.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = |why: &str| Error::Shape { what: "consistency proof", why: why.into() };
        within("consistency proof", text.len(), MAX_CONSISTENCY_PROOF_LEN)?;
        // A checkpoint has one empty line, so five parts are: the path, and twice text and signatures.
        let parts: Vec<&str> = text.split("\n\n").take(6).collect();
        let [head, old, old_signatures, new, new_signatures] = parts[..] else {
            return Err(wrong("it is not a path and two checkpoints"));
        };
        let mut lines = head.split('\n');
        if lines.next() != Some(FIRST_LINE) {
            return Err(wrong("it does not start with knhk-consistency/v1"));
        }
        let mut path = Vec::new();
        for line in lines {
            within("consistency path", path.len() + 1, MAX_CONSISTENCY_PATH_LEN)?;
            path.push(
                base64_hash(line).ok_or_else(|| wrong("a line of its path is not base64 of 32 bytes"))?,
            );
        }
        let proof = Self {
            path,
            old: format!("{old}\n\n{old_signatures}\n"),
            new: format!("{new}\n\n{new_signatures}"),
        };
        UnverifiedCheckpoint::parse(&proof.old)?;
        UnverifiedCheckpoint::parse(&proof.new)?;
        Ok(proof)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consistency::consistency_path;
    use crate::key::SigningKey;
    use crate::merkle::{leaf_hash, root};

    fn key() -> SigningKey {
        SigningKey::generate([1; 32], b"")
    }

    fn note(size: u64, key: &SigningKey) -> String {
        let root = root((0..size).map(leaf));
        Checkpoint { origin: key.verifying_key().name().into(), size, root }.sign(key).unwrap()
    }

    fn leaf(i: u64) -> Hash {
        leaf_hash(&[&i.to_be_bytes()])
    }

    fn proof(old: u64, new: u64) -> ConsistencyProof {
        let path = consistency_path((0..new).map(leaf), old, new).unwrap();
        ConsistencyProof { path, old: note(old, &key()), new: note(new, &key()) }
    }

    fn check(text: &str) -> Result<Consistent> {
        text.parse::<ConsistencyProof>()?.verify(&[key().verifying_key().clone()])
    }

    #[test]
    fn a_proof_is_checked_by_text_alone() {
        for (old, new) in [(1, 1), (1, 2), (3, 7), (4, 7), (6, 21), (16, 21), (21, 21)] {
            let text = proof(old, new).to_string();
            assert_eq!(text.parse::<ConsistencyProof>().unwrap().to_string(), text);
            let shown = check(&text).unwrap();
            assert_eq!((shown.old.size, shown.new.size), (old, new));
        }
    }

    #[test]
    fn every_changed_byte_is_refused() {
        for text in [proof(3, 7).to_string(), proof(4, 9).to_string(), proof(5, 5).to_string()] {
            for at in 0..text.len() {
                for mask in [1, 2, 4, 8, 0x10, 0x20, 0x40] {
                    let mut bytes = text.clone().into_bytes();
                    bytes[at] ^= mask;
                    let Ok(changed) = String::from_utf8(bytes) else { continue };
                    assert!(check(&changed).is_err(), "byte {at} mask {mask}");
                }
            }
            for at in 0..text.len() {
                if text.is_char_boundary(at) && text.is_char_boundary(at + 1) {
                    assert!(check(&[&text[..at], &text[at + 1..]].concat()).is_err(), "byte {at} missing");
                }
                if text.is_char_boundary(at) {
                    assert!(check(&text[..at]).is_err(), "cut at byte {at}");
                }
            }
        }
    }

    #[test]
    fn another_key_order_or_log_is_refused() {
        let (key, stranger) = (key(), SigningKey::generate([2; 32], b""));
        let proof = proof(3, 7);
        assert!(proof.verify(&[stranger.verifying_key().clone()]).is_err());
        assert!(proof.verify(&[]).is_err());
        let turned = ConsistencyProof { old: proof.new.clone(), new: proof.old.clone(), ..proof.clone() };
        assert!(turned.verify(&[key.verifying_key().clone()]).is_err());
        let both = [key.verifying_key().clone(), stranger.verifying_key().clone()];
        let foreign = ConsistencyProof { new: note(7, &stranger), ..proof };
        assert!(matches!(foreign.verify(&both), Err(Error::Proof { .. })));
    }

    #[test]
    fn a_log_whose_key_changed_is_checked_with_both_keys() {
        let (first, second) = (key(), key().successor([9; 32]).unwrap());
        let proof = ConsistencyProof { new: note(7, &second), ..proof(3, 7) };
        let keys = [first.verifying_key().clone(), second.verifying_key().clone()];
        proof.verify(&keys).unwrap();
        assert!(proof.verify(&keys[..1]).is_err() && proof.verify(&keys[1..]).is_err());
    }

    #[test]
    fn malformed_proofs_are_refused() {
        let good = proof(3, 7).to_string();
        let line = format!("{}\n", BASE64.encode([0; 32]));
        for wrong in [
            String::new(),
            good.replace("/v1", "/v2"),
            good.replacen("\n\n", "\n", 1),
            good.replacen("\n\n", "\n\n\n", 1),
            good.replacen('\n', &format!("\n{line}"), 1),
            good.replacen('\n', &format!("\n{}", line.repeat(66)), 1),
            format!("{good}\n"),
            format!("{good}\n{good}"),
            "x".repeat(MAX_CONSISTENCY_PROOF_LEN + 1),
        ] {
            assert!(check(&wrong).is_err(), "{wrong}");
        }
    }
}
