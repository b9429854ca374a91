//! Proofs of inclusion that anyone checks offline: C2SP tlog-proof. See `docs/formats/proof.md` and
//! <https://c2sp.org/tlog-proof>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::block::{Block, BlockHeader, HEADER_LEN};
use crate::checkpoint::{Checkpoint, UnverifiedCheckpoint, base64_hash, decimal};
use crate::entry::EntryKind;
use crate::error::{Error, Result, within};
use crate::hash::Hash;
use crate::key::VerifyingKey;
use crate::merkle::{self, MAX_PATH_LEN};
use crate::record::{RECORD_LEN, Record, array};

/// Bytes of a proof.
pub const MAX_PROOF_LEN: usize = 96 << 10;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
const OBSERVATION: u8 = 0x01;
const EXTRA_FIXED_LEN: usize = 1 + HEADER_LEN + 4 + 1;

/// A proof that an entry, or an observation in a block, is in the log under a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Index of the entry in the log.
    pub index: u64,
    /// Inclusion path of the entry, the leaf's sibling first.
    pub path: Vec<Hash>,
    /// For an observation: the block it stands in, which is then the entry.
    pub in_block: Option<InBlock>,
    /// The signed checkpoint, verbatim.
    pub checkpoint: String,
}

/// The inner step of an observation's proof: record → block header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InBlock {
    /// The header of the block.
    pub header: BlockHeader,
    /// Index of the record in the block.
    pub index: u32,
    /// Inclusion path of the record under the header's root.
    pub path: Vec<Hash>,
}

impl InBlock {
    /// The inner step of record `index` of a block.
    ///
    /// # Errors
    /// Refuses an index outside the block.
    pub fn new(block: &Block, index: u32) -> Result<Self> {
        let leaves = block.records().iter().map(Record::leaf_hash);
        let path = merkle::inclusion_path(leaves, u64::from(index), u64::from(block.header().count))?;
        Ok(Self { header: block.header().clone(), index, path })
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![OBSERVATION];
        out.extend_from_slice(&self.header.to_bytes());
        out.extend_from_slice(&self.index.to_le_bytes());
        // A block has at most 4,096 records, so a path at most 12 hashes.
        out.push(u8::try_from(self.path.len()).unwrap_or(u8::MAX));
        for hash in &self.path {
            out.extend_from_slice(hash.as_bytes());
        }
        out
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let wrong = |why: &str| Error::Shape { what: "proof", why: why.into() };
        let Some((fixed, hashes)) = bytes.split_first_chunk::<EXTRA_FIXED_LEN>() else {
            return Err(wrong("its extra data is cut short"));
        };
        let (hashes, tail) = hashes.as_chunks::<32>();
        if fixed[0] != OBSERVATION
            || hashes.len() != usize::from(fixed[EXTRA_FIXED_LEN - 1])
            || !tail.is_empty()
        {
            return Err(wrong("its extra data is not that of an observation"));
        }
        Ok(Self {
            header: BlockHeader::from_bytes(&array(&fixed[1..=HEADER_LEN]))?,
            index: u32::from_le_bytes(array(&fixed[HEADER_LEN + 1..HEADER_LEN + 5])),
            path: hashes.iter().map(|hash| Hash(*hash)).collect(),
        })
    }
}

impl std::fmt::Display for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        if let Some(in_block) = &self.in_block {
            writeln!(f, "extra {}", BASE64.encode(in_block.to_bytes()))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{}", BASE64.encode(hash.as_bytes()))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl std::str::FromStr for Proof {
    type Err = Error;

    /// Reads a proof strictly; writing the result gives the same text.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = |why: &str| Error::Shape { what: "proof", why: why.into() };
        within("proof", text.len(), MAX_PROOF_LEN)?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or_else(|| wrong("it has no checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(wrong("it does not start with c2sp.org/tlog-proof@v1"));
        }
        let in_block = match lines.peek().and_then(|line| line.strip_prefix("extra ")) {
            None => None,
            Some(extra) => {
                let bytes = BASE64.decode(extra).map_err(|_| wrong("its extra data is not base64"))?;
                lines.next();
                Some(InBlock::from_bytes(&bytes)?)
            }
        };
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).and_then(decimal);
        let index = index.ok_or_else(|| wrong("its index is not a decimal number"))?;
        let mut path = Vec::new();
        for line in lines {
            within("inclusion path", path.len() + 1, MAX_PATH_LEN)?;
            path.push(
                base64_hash(line).ok_or_else(|| wrong("a line of its path is not base64 of 32 bytes"))?,
            );
        }
        UnverifiedCheckpoint::parse(checkpoint)?;
        Ok(Self { index, path, in_block, checkpoint: checkpoint.to_owned() })
    }
}

impl Proof {
    /// Verifies that `leaf_data` (type byte ‖ canonical bytes, see [`crate::entry::Entry::leaf_data`]) is entry
    /// [`Proof::index`] of the log that `key` signs.
    pub fn verify_entry(&self, leaf_data: &[u8], key: &VerifyingKey) -> Result<Checkpoint> {
        if self.in_block.is_some() {
            return Err(Error::Proof { why: "it is the proof of an observation, not of an entry" });
        }
        self.verify_leaf(leaf_data, key)
    }

    /// Verifies that a record is in a block that is in the log that `key` signs: two RFC 6962 steps and a signature.
    pub fn verify_observation(
        &self,
        record: &[u8; RECORD_LEN],
        key: &VerifyingKey,
    ) -> Result<(Record, Checkpoint)> {
        let Some(InBlock { header, index, path }) = &self.in_block else {
            return Err(Error::Proof { why: "it is the proof of an entry, not of an observation" });
        };
        let leaf = merkle::leaf_hash(&[record]);
        merkle::verify_inclusion(
            leaf,
            u64::from(*index),
            u64::from(header.count),
            path,
            &header.records_root,
        )?;
        let record = Record::from_bytes(record)?;
        if record.sector != header.sector || record.sequence != header.first_sequence + u64::from(*index) {
            return Err(Error::Proof { why: "the record does not belong to its place in the block" });
        }
        let checkpoint = self.verify_leaf(&EntryKind::Block.leaf_data(&header.to_bytes()), key)?;
        Ok((record, checkpoint))
    }

    fn verify_leaf(&self, leaf_data: &[u8], key: &VerifyingKey) -> Result<Checkpoint> {
        let checkpoint = Checkpoint::open(&self.checkpoint, key)?;
        let leaf = merkle::leaf_hash(&[leaf_data]);
        merkle::verify_inclusion(leaf, self.index, checkpoint.size, &self.path, &checkpoint.root)?;
        Ok(checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::tests::{START, records};
    use crate::key::SigningKey;

    struct Case {
        key: SigningKey,
        block: Block,
        leaves: Vec<Vec<u8>>,
        note: String,
    }

    /// A log of seven entries whose fourth is a block of five records.
    fn case() -> Case {
        let key = SigningKey::generate([1; 32], b"");
        let block = Block::seal(START, records(&["a", "b", "c", "d", "e"])).unwrap();
        let mut leaves: Vec<_> = (0..7).map(|i| EntryKind::Input.leaf_data(&[i])).collect();
        leaves[3] = EntryKind::Block.leaf_data(&block.header().to_bytes());
        let root = merkle::root(leaves.iter().map(|l| merkle::leaf_hash(&[l])));
        let origin = key.verifying_key().name().to_owned();
        let note = Checkpoint { origin, size: 7, root }.sign(&key).unwrap();
        Case { key, block, leaves, note }
    }

    impl Case {
        fn proof(&self, index: u64, record: Option<u32>) -> Proof {
            let leaves = self.leaves.iter().map(|l| merkle::leaf_hash(&[l]));
            let path = merkle::inclusion_path(leaves, index, 7).unwrap();
            let in_block = record.map(|index| InBlock::new(&self.block, index).unwrap());
            Proof { index, path, in_block, checkpoint: self.note.clone() }
        }
    }

    #[test]
    fn every_observation_of_a_block_is_proven_by_text_alone() {
        let case = case();
        for (index, record) in (0..).zip(case.block.records()) {
            let text = case.proof(3, Some(index)).to_string();
            let proof: Proof = text.parse().unwrap();
            assert_eq!(proof.to_string(), text);
            let (read, checkpoint) =
                proof.verify_observation(&record.to_bytes(), case.key.verifying_key()).unwrap();
            assert_eq!((read, checkpoint.size), (*record, 7));
            let other = case.block.records()[(index as usize + 1) % 5].to_bytes();
            assert!(proof.verify_observation(&other, case.key.verifying_key()).is_err());
        }
        assert!(InBlock::new(&case.block, 5).is_err());
    }

    #[test]
    fn every_entry_is_proven_by_text_alone() {
        let case = case();
        for (index, leaf) in (0..).zip(&case.leaves) {
            let proof: Proof = case.proof(index, None).to_string().parse().unwrap();
            proof.verify_entry(leaf, case.key.verifying_key()).unwrap();
            assert!(proof.verify_entry(&leaf[1..], case.key.verifying_key()).is_err());
            assert!(proof.verify_observation(&[0; RECORD_LEN], case.key.verifying_key()).is_err());
        }
        assert!(case.proof(3, Some(0)).verify_entry(&case.leaves[3], case.key.verifying_key()).is_err());
    }

    #[test]
    fn every_changed_byte_of_a_proof_or_of_its_record_is_refused() {
        let case = case();
        let text = case.proof(3, Some(2)).to_string();
        let record = case.block.records()[2].to_bytes();
        for at in 0..text.len() {
            for mask in [1, 2, 4, 0x10, 0x20] {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= mask;
                let Ok(changed) = String::from_utf8(bytes) else { continue };
                let verdict = changed
                    .parse::<Proof>()
                    .and_then(|proof| proof.verify_observation(&record, case.key.verifying_key()));
                assert!(verdict.is_err(), "byte {at} mask {mask}");
            }
        }
        let proof: Proof = text.parse().unwrap();
        for at in 0..RECORD_LEN {
            let mut changed = record;
            changed[at] ^= 1;
            assert!(
                proof.verify_observation(&changed, case.key.verifying_key()).is_err(),
                "record byte {at}"
            );
        }
        let stranger = SigningKey::generate([2; 32], b"");
        assert!(proof.verify_observation(&record, stranger.verifying_key()).is_err());
    }

    #[test]
    fn malformed_proofs_are_refused() {
        let case = case();
        let good = case.proof(3, Some(2)).to_string();
        for wrong in [
            String::new(),
            good.replace("@v1", "@v2"),
            good.replace("index 3", "index 03"),
            good.replace("index 3", "index -3"),
            good.replace("index 3\n", ""),
            good.replace("\n\n", "\n"),
            good.replace("extra ", "extra  "),
            good.replace(
                "index 3\n",
                &format!("index 3\n{}", format!("{}\n", BASE64.encode([0; 32])).repeat(65)),
            ),
            good.replace(&BASE64.encode(case.proof(3, Some(2)).in_block.unwrap().to_bytes()), "AQ=="),
            format!("{good}\n"),
            "x".repeat(MAX_PROOF_LEN + 1),
        ] {
            assert!(wrong.parse::<Proof>().is_err(), "{wrong}");
        }
    }
}
