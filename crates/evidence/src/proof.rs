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

/// Bytes of a proof: enough for the largest entry, the longest path and the largest checkpoint note together.
pub const MAX_PROOF_LEN: usize = 160 << 10;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
const OBSERVATION: u8 = 0x01;
const ENTRY: u8 = 0x02;
/// Kind, header, index, number of hashes.
const OBSERVATION_FIXED_LEN: usize = 1 + HEADER_LEN + 4 + 1;

/// A proof that an observation or an entry is in the log under a checkpoint. Its text says all that a verifier needs
/// beside the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Index of the entry in the log: of the block, for an observation.
    pub index: u64,
    /// Inclusion path of the entry, the leaf's sibling first.
    pub path: Vec<Hash>,
    /// What is proven.
    pub subject: Subject,
    /// The signed checkpoint, verbatim.
    pub checkpoint: String,
}

/// What a proof is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A record in a block.
    Observation(Box<InBlock>),
    /// An entry, by its leaf data: type byte ‖ canonical bytes (see [`crate::entry::Entry::leaf_data`]).
    Entry(Vec<u8>),
}

/// What a verified proof has shown to be in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proven {
    /// This observation.
    Observation(Box<Record>),
    /// The entry with this leaf data.
    Entry(Vec<u8>),
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
    /// The record's canonical bytes.
    pub record: [u8; RECORD_LEN],
}

impl InBlock {
    /// The inner step of record `index` of a block.
    ///
    /// # Errors
    /// Refuses an index outside the block.
    pub fn new(block: &Block, index: u32) -> Result<Self> {
        let leaves = block.records().iter().map(Record::leaf_hash);
        let path = merkle::inclusion_path(leaves, u64::from(index), u64::from(block.header().count))?;
        // An index outside the block was refused just now.
        let record = block.records().get(index as usize).copied().unwrap_or_default().to_bytes();
        Ok(Self { header: block.header().clone(), index, path, record })
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
        out.extend_from_slice(&self.record);
        out
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let wrong = |why: &str| Error::Shape { what: "proof", why: why.into() };
        let cut_short = || wrong("its extra data is cut short");
        let (fixed, rest) = bytes.split_first_chunk::<OBSERVATION_FIXED_LEN>().ok_or_else(cut_short)?;
        let (hashes, record) = rest.split_last_chunk::<RECORD_LEN>().ok_or_else(cut_short)?;
        let (hashes, tail) = hashes.as_chunks::<32>();
        if hashes.len() != usize::from(fixed[OBSERVATION_FIXED_LEN - 1]) || !tail.is_empty() {
            return Err(wrong("its extra data is not that of an observation"));
        }
        Ok(Self {
            header: BlockHeader::from_bytes(&array(&fixed[1..=HEADER_LEN]))?,
            index: u32::from_le_bytes(array(&fixed[HEADER_LEN + 1..HEADER_LEN + 5])),
            path: hashes.iter().map(|hash| Hash(*hash)).collect(),
            record: *record,
        })
    }

    /// The record, shown to stand at its place under the header's root.
    fn verify(&self) -> Result<Record> {
        let count = u64::from(self.header.count);
        let leaf = merkle::leaf_hash(&[&self.record]);
        merkle::verify_inclusion(leaf, u64::from(self.index), count, &self.path, &self.header.records_root)?;
        let record = Record::from_bytes(&self.record)?;
        let sequence = self.header.first_sequence.checked_add(u64::from(self.index));
        if record.sector != self.header.sector || Some(record.sequence) != sequence {
            return Err(Error::Proof { why: "the record does not belong to its place in the block" });
        }
        Ok(record)
    }
}

impl Subject {
    fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Observation(in_block) => in_block.to_bytes(),
            Self::Entry(leaf_data) => [&[ENTRY], leaf_data.as_slice()].concat(),
        }
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self> {
        match bytes {
            [OBSERVATION, ..] => InBlock::from_bytes(bytes).map(|step| Self::Observation(Box::new(step))),
            [ENTRY, leaf_data @ ..] => Ok(Self::Entry(leaf_data.to_vec())),
            _ => Err(Error::Shape { what: "proof", why: "its extra data is of no known kind".into() }),
        }
    }

    /// The leaf of the log's tree that the outer step starts from.
    fn leaf_hash(&self) -> Hash {
        match self {
            Self::Observation(in_block) => {
                merkle::leaf_hash(&[&EntryKind::Block.leaf_data(&in_block.header.to_bytes())])
            }
            Self::Entry(leaf_data) => merkle::leaf_hash(&[leaf_data]),
        }
    }
}

impl std::fmt::Display for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        writeln!(f, "extra {}", BASE64.encode(self.subject.to_bytes()))?;
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
        let mut lines = head.split('\n');
        if lines.next() != Some(FIRST_LINE) {
            return Err(wrong("it does not start with c2sp.org/tlog-proof@v1"));
        }
        let extra = lines.next().and_then(|line| line.strip_prefix("extra "));
        let extra =
            extra.ok_or_else(|| wrong("it does not say what it is about: its extra line is missing"))?;
        let extra = BASE64.decode(extra).map_err(|_| wrong("its extra data is not base64"))?;
        let subject = Subject::from_bytes(&extra)?;
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
        Ok(Self { index, path, subject, checkpoint: checkpoint.to_owned() })
    }
}

impl Proof {
    /// Verifies the whole proof with the log's key: for an observation two RFC 6962 steps and a signature, for an entry
    /// one step and a signature.
    pub fn verify(&self, key: &VerifyingKey) -> Result<(Proven, Checkpoint)> {
        let proven = match &self.subject {
            Subject::Observation(in_block) => Proven::Observation(Box::new(in_block.verify()?)),
            Subject::Entry(leaf_data) => Proven::Entry(leaf_data.clone()),
        };
        let checkpoint = Checkpoint::open(&self.checkpoint, key)?;
        let leaf = self.subject.leaf_hash();
        merkle::verify_inclusion(leaf, self.index, checkpoint.size, &self.path, &checkpoint.root)?;
        Ok((proven, checkpoint))
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
            let subject = match record {
                Some(index) => Subject::Observation(Box::new(InBlock::new(&self.block, index).unwrap())),
                None => Subject::Entry(self.leaves[usize::try_from(index).unwrap()].clone()),
            };
            Proof { index, path, subject, checkpoint: self.note.clone() }
        }
    }

    #[test]
    fn every_observation_of_a_block_is_proven_by_text_alone() {
        let case = case();
        for (index, record) in (0..).zip(case.block.records()) {
            let text = case.proof(3, Some(index)).to_string();
            let proof: Proof = text.parse().unwrap();
            assert_eq!(proof.to_string(), text);
            let (proven, checkpoint) = proof.verify(case.key.verifying_key()).unwrap();
            assert_eq!((proven, checkpoint.size), (Proven::Observation(Box::new(*record)), 7));
        }
        assert!(InBlock::new(&case.block, 5).is_err());
    }

    #[test]
    fn every_entry_is_proven_by_text_alone() {
        let case = case();
        for (index, leaf) in (0..).zip(&case.leaves) {
            let proof: Proof = case.proof(index, None).to_string().parse().unwrap();
            let (proven, _) = proof.verify(case.key.verifying_key()).unwrap();
            assert_eq!(proven, Proven::Entry(leaf.clone()));
            let other = Proof { subject: Subject::Entry(leaf[1..].to_vec()), ..proof };
            assert!(other.verify(case.key.verifying_key()).is_err());
        }
    }

    #[test]
    fn every_changed_byte_of_a_proof_is_refused() {
        let case = case();
        for text in [case.proof(3, Some(2)).to_string(), case.proof(5, None).to_string()] {
            for at in 0..text.len() {
                for mask in [1, 2, 4, 0x10, 0x20] {
                    let mut bytes = text.clone().into_bytes();
                    bytes[at] ^= mask;
                    let Ok(changed) = String::from_utf8(bytes) else { continue };
                    let verdict =
                        changed.parse::<Proof>().and_then(|proof| proof.verify(case.key.verifying_key()));
                    assert!(verdict.is_err(), "byte {at} mask {mask}");
                }
            }
            let stranger = SigningKey::generate([2; 32], b"");
            assert!(text.parse::<Proof>().unwrap().verify(stranger.verifying_key()).is_err());
        }
    }

    #[test]
    fn the_largest_entry_fits_a_proof() {
        let case = case();
        let subject = Subject::Entry(vec![7; crate::entry::MAX_ENTRY_LEN + 1]);
        let path = vec![Hash::ZERO; MAX_PATH_LEN];
        let text = Proof { index: u64::MAX, path, subject, checkpoint: case.note }.to_string();
        assert_eq!(text.parse::<Proof>().unwrap().to_string(), text);
    }

    #[test]
    fn malformed_proofs_are_refused() {
        let case = case();
        let good = case.proof(3, Some(2)).to_string();
        let extra = BASE64.encode(case.proof(3, Some(2)).subject.to_bytes());
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
            good.replace(&extra, "AQ=="),
            good.replace(&extra, "Aw=="),
            good.replace(&extra, ""),
            good.replace(&format!("extra {extra}\n"), ""),
            format!("{good}\n"),
            "x".repeat(MAX_PROOF_LEN + 1),
        ] {
            assert!(wrong.parse::<Proof>().is_err(), "{wrong}");
        }
    }
}
