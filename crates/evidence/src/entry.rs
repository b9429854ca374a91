//! Entries: the leaves of the log's tree, and how frames carry them. See `docs/formats/log.md`.

use serde::{Deserialize, Serialize};

use crate::block::{Block, Payloads};
use crate::canonical;
use crate::error::{Error, Result, within};
use crate::frame::{Commit, FrameKind};
use crate::hash::{Bytes, Hash};
use crate::input::{Input, InputKind};
use crate::key::{Signature, SigningKey, VerifyingKey};
use crate::merkle;
use crate::receipt::{MAX_RECEIPT_LEN, Signed};
use crate::record::{Record, array};
use crate::sealed::Retained;

/// Bytes of a leaf's data; also the limit of an entry in C2SP tlog-tiles.
pub const MAX_ENTRY_LEN: usize = 65_535;

/// The type byte before an entry's bytes in its leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A block header.
    Block = 1,
    /// A receipt.
    Receipt = 2,
    /// An input.
    Input = 3,
    /// A change of the signing key.
    KeyChange = 4,
}

impl EntryKind {
    /// The leaf data of an entry: type byte ‖ bytes.
    pub fn leaf_data(self, bytes: &[u8]) -> Vec<u8> {
        [&[self as u8], bytes].concat()
    }

    pub(crate) fn leaf_hash(self, bytes: &[u8]) -> Hash {
        merkle::leaf_hash(&[&[self as u8], bytes])
    }
}

/// The log's first entry and every change of its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyChange {
    /// vkey of the key in force so far; `None` in the log's first entry.
    pub old: Option<String>,
    /// vkey of the key in force from here on.
    pub new: String,
    /// When, Unix milliseconds.
    pub time_ms: i64,
    /// Ed25519 signature by the old key, or in the first entry by the new one.
    pub signature: Bytes,
}

const KEY_CHANGE_DOMAIN: &[u8] = b"knhk-key-change/v1\n";

impl KeyChange {
    /// The first entry of a log: its key, signed by itself.
    pub fn first(key: &SigningKey, time_ms: i64) -> Result<Self> {
        Self::signed(None, key.verifying_key(), time_ms, key)
    }

    /// Hands over from `old` to `new`.
    pub fn rotate(old: &SigningKey, new: &VerifyingKey, time_ms: i64) -> Result<Self> {
        Self::signed(Some(old.verifying_key().to_string()), new, time_ms, old)
    }

    fn signed(old: Option<String>, new: &VerifyingKey, time_ms: i64, signer: &SigningKey) -> Result<Self> {
        let mut change = Self { old, new: new.to_string(), time_ms, signature: Bytes(Vec::new()) };
        change.signature = Bytes(signer.sign(&change.message()?).to_vec());
        Ok(change)
    }

    fn message(&self) -> Result<Vec<u8>> {
        let unsigned = canonical::to_bytes(&(&self.old, &self.new, self.time_ms))?;
        Ok([KEY_CHANGE_DOMAIN, Hash::of(&unsigned).as_bytes()].concat())
    }

    /// Checks the change against the key in force and gives the next one.
    ///
    /// # Errors
    /// Refuses another old key than the one in force, a new key under another name, and a wrong signature.
    pub fn verify(&self, current: Option<&VerifyingKey>) -> Result<VerifyingKey> {
        let new: VerifyingKey = self.new.parse()?;
        let expected = current.map(ToString::to_string);
        if self.old != expected {
            let show = |key: &Option<String>| key.clone().unwrap_or_else(|| "none".into());
            return Err(Error::Key {
                what: "key change",
                actual: show(&self.old),
                expected: show(&expected),
            });
        }
        let signer = current.unwrap_or(&new);
        if signer.name() != new.name() {
            return Err(Error::Key {
                what: "key change",
                actual: new.name().to_owned(),
                expected: signer.name().to_owned(),
            });
        }
        let signature = Signature::try_from(self.signature.as_ref())
            .map_err(|_| Error::Shape { what: "key change", why: "its signature is not 64 bytes".into() })?;
        signer.verify("key change", &self.message()?, &signature)?;
        Ok(new)
    }
}

/// One entry of the log with what travels beside it.
#[expect(clippy::large_enum_variant, reason = "entries are handled one at a time")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A sealed block; `payloads` is `None` if no record of it has one.
    Block {
        /// Header and records.
        block: Block,
        /// The payloads, present or erased.
        payloads: Option<Payloads>,
    },
    /// A receipt and its body.
    Receipt {
        /// The receipt.
        signed: Signed,
        /// The canonical document that its evidence digest names.
        body: Vec<u8>,
    },
    /// An input with its body.
    Input(Input),
    /// A change of the signing key.
    KeyChange(KeyChange),
}

impl Entry {
    /// Its type.
    pub fn kind(&self) -> EntryKind {
        match self {
            Self::Block { .. } => EntryKind::Block,
            Self::Receipt { .. } => EntryKind::Receipt,
            Self::Input(_) => EntryKind::Input,
            Self::KeyChange(_) => EntryKind::KeyChange,
        }
    }

    /// Type byte ‖ canonical bytes: what the tree hashes and what an inclusion proof proves.
    pub fn leaf_data(&self) -> Result<Vec<u8>> {
        let data = self.kind().leaf_data(&self.leaf_bytes()?);
        within("log entry", data.len(), MAX_ENTRY_LEN)?;
        Ok(data)
    }

    /// The leaf's hash.
    pub fn leaf_hash(&self) -> Result<Hash> {
        let bytes = self.leaf_bytes()?;
        within("log entry", bytes.len() + 1, MAX_ENTRY_LEN)?;
        Ok(self.kind().leaf_hash(&bytes))
    }

    fn leaf_bytes(&self) -> Result<Vec<u8>> {
        Ok(match self {
            Self::Block { block, .. } => block.header().to_bytes().to_vec(),
            Self::Receipt { signed, .. } => signed.bytes().to_vec(),
            Self::Input(input) => input.to_bytes()?,
            Self::KeyChange(change) => canonical::to_bytes(change)?,
        })
    }

    /// Gives each frame of the entry, in order, to `write`.
    pub fn write_frames(&self, mut write: impl FnMut(FrameKind, &[&[u8]]) -> Result<()>) -> Result<()> {
        match self {
            Self::Block { block, payloads } => {
                write(FrameKind::Block, &[block.as_bytes()])?;
                payloads
                    .as_ref()
                    .map_or(Ok(()), |payloads| write(FrameKind::Payloads, &[payloads.as_bytes()]))
            }
            Self::Receipt { signed, body } => {
                let len = length_prefix(signed.bytes());
                write(FrameKind::Receipt, &[&len, signed.bytes(), signed.signature(), body])
            }
            Self::Input(input) => {
                let entry = input.to_bytes()?;
                write(FrameKind::Input, &[&length_prefix(&entry), &entry, &input.body.0])
            }
            Self::KeyChange(change) => write(FrameKind::KeyChange, &[&canonical::to_bytes(change)?]),
        }
    }
}

/// What a sequence of frames says.
#[expect(clippy::large_enum_variant, reason = "items are handled one at a time")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// An entry is complete.
    Entry(Entry),
    /// A checkpoint note, not an entry.
    Checkpoint(String),
    /// A group is complete.
    Commit(Commit),
}

/// Puts frames together into items: a block and its payloads are two frames and one entry.
#[derive(Debug, Clone, Default)]
pub struct Assembler {
    waiting: Option<Block>,
    used: Vec<(Vec<Record>, Vec<u8>)>,
}

impl Assembler {
    /// Whether the next frame must be the payloads of a block.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Forgets a block whose payloads have not come.
    pub fn restart(&mut self) {
        self.waiting = None;
    }

    /// Takes back the memory of a block that nobody needs any more, for one to come.
    pub fn recycle(&mut self, block: Block) {
        self.used.push(block.into_buffers());
    }

    /// Takes the next frame; gives an item when one is complete.
    ///
    /// # Errors
    /// Refuses bodies that break their format, and a block with payloads whose next frame is not its payloads.
    pub fn push(&mut self, kind: FrameKind, body: &[u8]) -> Result<Option<Item>> {
        let order = |actual: &str, expected: &str| Error::FrameOrder {
            what: "frame kind",
            actual: actual.into(),
            expected: expected.into(),
        };
        let waiting = self.waiting.take();
        if waiting.is_some() != (kind == FrameKind::Payloads) {
            return Err(match waiting {
                Some(_) => order(&format!("{kind:?}"), "the payloads of the block before it"),
                None => order("payloads", "an entry: the block before it has no payloads"),
            });
        }
        let entry = match kind {
            FrameKind::Block => {
                let block = Block::from_bytes_into(body, self.used.pop().unwrap_or_default())?;
                if block.header().payload_bytes > 0 {
                    self.waiting = Some(block);
                    return Ok(None);
                }
                Entry::Block { block, payloads: None }
            }
            FrameKind::Payloads => {
                let block = waiting.ok_or_else(|| order("payloads", "a block"))?;
                let payloads = Payloads::from_bytes(&block, body.to_vec())?;
                Entry::Block { block, payloads: Some(payloads) }
            }
            FrameKind::Receipt => {
                let (receipt, rest) = split_entry("receipt", body, MAX_RECEIPT_LEN)?;
                let Some((signature, body)) = rest.split_first_chunk::<64>() else {
                    return Err(Error::Frame { why: "its receipt has no signature" });
                };
                Entry::Receipt { signed: Signed::from_parts(receipt, *signature)?, body: body.to_vec() }
            }
            FrameKind::Input => {
                let (entry, body) = split_entry("input", body, MAX_ENTRY_LEN)?;
                Entry::Input(Input::from_parts(entry, body.to_vec())?)
            }
            FrameKind::KeyChange => Entry::KeyChange(canonical::from_bytes_exact(body)?),
            FrameKind::Checkpoint => {
                let text = std::str::from_utf8(body)
                    .map_err(|_| Error::Shape { what: "checkpoint", why: "it is not UTF-8".into() })?;
                return Ok(Some(Item::Checkpoint(text.to_owned())));
            }
            FrameKind::Commit => return Ok(Some(Item::Commit(Commit::from_bytes(body)?))),
        };
        Ok(Some(Item::Entry(entry)))
    }
}

/// A receipt or an input as it stands in a frame, undecoded: its leaf, and its body checked against the digest that the
/// entry names.
pub(crate) fn covered(kind: FrameKind, body: &[u8]) -> Result<(EntryKind, Hash)> {
    let (kind, entry, body, named) = match kind {
        FrameKind::Receipt => {
            let (receipt, rest) = split_entry("receipt", body, MAX_RECEIPT_LEN)?;
            let Some((_, body)) = rest.split_first_chunk::<64>() else {
                return Err(Error::Frame { why: "its receipt has no signature" });
            };
            (EntryKind::Receipt, receipt, body, "evidence_digest")
        }
        FrameKind::Input => {
            let (entry, body) = split_entry("input", body, MAX_ENTRY_LEN)?;
            (EntryKind::Input, entry, body, "body_digest")
        }
        _ => return Err(Error::Frame { why: "it is neither a receipt nor an input" }),
    };
    let (actual, expected) = (Hash::of(body), Hash::from_slice(canonical::string(entry, named)?)?);
    if actual != expected {
        let what = if kind == EntryKind::Receipt { "receipt" } else { "input" };
        return Err(Error::Body { what, actual: actual.to_string(), expected: expected.to_string() });
    }
    Ok((kind, kind.leaf_hash(entry)))
}

/// What a `log_retained` input in a frame keeps from; `None` for every other frame.
pub(crate) fn retained(kind: FrameKind, body: &[u8]) -> Result<Option<u64>> {
    if kind != FrameKind::Input {
        return Ok(None);
    }
    let (entry, body) = split_entry("input", body, MAX_ENTRY_LEN)?;
    if canonical::string(entry, "kind")? != InputKind::LogRetained.name().as_bytes() {
        return Ok(None);
    }
    Ok(Some(canonical::from_bytes_exact::<Retained>(body)?.from))
}

fn length_prefix(bytes: &[u8]) -> [u8; 4] {
    // Entries are bounded by MAX_ENTRY_LEN, which `leaf_hash` enforces before a frame is written.
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes()
}

fn split_entry<'a>(what: &'static str, body: &'a [u8], limit: usize) -> Result<(&'a [u8], &'a [u8])> {
    let cut = Error::Frame { why: "its entry is cut short" };
    let Some((len, rest)) = body.split_first_chunk::<4>() else { return Err(cut) };
    let len = u32::from_le_bytes(array(len)) as usize;
    within(what, len, limit)?;
    rest.split_at_checked(len).ok_or(cut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::tests::{START, records};
    use crate::receipt::tests::draft;

    fn through_frames(entry: &Entry) -> Entry {
        let mut assembler = Assembler::default();
        let mut last = None;
        entry
            .write_frames(|kind, parts| {
                assert!(last.is_none());
                last = assembler.push(kind, &parts.concat())?;
                Ok(())
            })
            .unwrap();
        match last {
            Some(Item::Entry(entry)) => entry,
            other => panic!("{other:?}"),
        }
    }

    fn entries() -> Vec<Entry> {
        let key = SigningKey::generate([1; 32], b"");
        let block = Block::seal(START, records(&["{}", "[1]"])).unwrap();
        let payloads = Payloads::seal(&block, &["{}", "[1]"]).unwrap();
        vec![
            Entry::KeyChange(KeyChange::first(&key, 1).unwrap()),
            Entry::Input(Input::new(InputKind::CycleDue, None, 2, &"now").unwrap()),
            Entry::Receipt { signed: draft(&key, 0, None, &[0xf6]).sign(&key).unwrap(), body: vec![0xf6] },
            Entry::Block { block, payloads: Some(payloads) },
            Entry::Block { block: Block::seal(START, records(&[""])).unwrap(), payloads: None },
        ]
    }

    #[test]
    fn every_entry_survives_its_frames_and_has_its_type_in_its_leaf() {
        for (entry, kind) in entries().iter().zip([4, 3, 2, 1, 1]) {
            assert_eq!(through_frames(entry), *entry);
            let data = entry.leaf_data().unwrap();
            assert_eq!(data[0], kind);
            assert_eq!(entry.leaf_hash().unwrap(), merkle::leaf_hash(&[&data]));
        }
    }

    #[test]
    fn payloads_stand_behind_their_block_and_nowhere_else() {
        let mut assembler = Assembler::default();
        assert!(matches!(assembler.push(FrameKind::Payloads, &[]), Err(Error::FrameOrder { .. })));
        let block = Block::seal(START, records(&["{}"])).unwrap();
        assert_eq!(assembler.push(FrameKind::Block, block.as_bytes()).unwrap(), None);
        assert!(matches!(assembler.push(FrameKind::Block, block.as_bytes()), Err(Error::FrameOrder { .. })));
    }

    #[test]
    fn bodies_cut_short_are_refused() {
        for entry in entries() {
            entry
                .write_frames(|kind, parts| {
                    let body = parts.concat();
                    for len in [0, 3, 4, 50, 127] {
                        if len < body.len() && kind != FrameKind::Payloads {
                            assert!(Assembler::default().push(kind, &body[..len]).is_err(), "{kind:?} {len}");
                        }
                    }
                    Ok(())
                })
                .unwrap();
        }
        assert!(Assembler::default().push(FrameKind::Input, &[0xff; 8]).is_err());
        assert!(Assembler::default().push(FrameKind::Checkpoint, &[0xff]).is_err());
    }

    #[test]
    fn a_key_changes_only_by_the_hand_of_the_key_in_force() {
        let old = SigningKey::generate([1; 32], b"");
        let new = old.successor([2; 32]).unwrap();
        let stranger = SigningKey::generate([3; 32], b"");
        let first = KeyChange::first(&old, 1).unwrap();
        assert_eq!(&first.verify(None).unwrap(), old.verifying_key());
        assert!(first.verify(Some(old.verifying_key())).is_err());

        let change = KeyChange::rotate(&old, new.verifying_key(), 2).unwrap();
        assert_eq!(&change.verify(Some(old.verifying_key())).unwrap(), new.verifying_key());
        assert!(change.verify(None).is_err());
        assert!(change.verify(Some(new.verifying_key())).is_err());
        assert!(KeyChange { time_ms: 3, ..change.clone() }.verify(Some(old.verifying_key())).is_err());
        assert!(
            KeyChange { signature: Bytes(vec![0; 63]), ..change }.verify(Some(old.verifying_key())).is_err()
        );
        let renamed = KeyChange::rotate(&old, stranger.verifying_key(), 2).unwrap();
        assert!(matches!(renamed.verify(Some(old.verifying_key())), Err(Error::Key { .. })));
    }
}
