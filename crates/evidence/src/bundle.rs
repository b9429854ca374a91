//! Audit bundles: receipts, observations and keys under one checkpoint, in one file that verifies offline. See
//! `docs/formats/bundle.md`.

use std::collections::BTreeMap;

use crate::block::{Block, BlockHeader, HEADER_LEN, Payloads};
use crate::checkpoint::{Checkpoint, UnverifiedCheckpoint};
use crate::entry::{Assembler, Entry, EntryKind, Item as FrameItem};
use crate::error::{Error, Result, within};
use crate::frame::FrameKind;
use crate::hash::Hash;
use crate::input::{Input, InputKind};
use crate::intern::{Interned, Table};
use crate::key::VerifyingKey;
use crate::merkle;
use crate::multiproof::{multiproof, verify_multiproof};
use crate::note::MAX_NOTE_LEN;
use crate::receipt::{ReceiptId, Signed};
use crate::record::{RECORD_LEN, Record, array};
use crate::sealed::SealedState;

/// Bytes of a bundle: 256 MiB.
pub const MAX_BUNDLE_LEN: usize = 256 << 20;

const FIRST_LINE: &[u8] = b"knhk-bundle/v1\n";

/// A bundle as it was read or made. It is proven only by [`Bundle::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The signed checkpoint, verbatim.
    pub checkpoint: String,
    /// What the bundle shows, each with the index of its entry, in ascending order.
    pub items: Vec<(u64, Item)>,
    /// The proof of all their leaves together.
    pub hashes: Vec<Hash>,
}

/// One thing in a bundle.
#[expect(clippy::large_enum_variant, reason = "most items are entries, the larger variant")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// Observations of one block.
    Observations(Observations),
    /// A receipt with its body, an `interned` or `log_sealed` input, or a key change.
    Entry(Entry),
}

/// Chosen observations of one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observations {
    /// The block's header.
    pub header: BlockHeader,
    /// The records, each with its index in the block, in ascending order.
    pub records: Vec<Observation>,
    /// The proof of all of them under the header's root.
    pub hashes: Vec<Hash>,
}

/// One observation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Index in the block.
    pub index: u32,
    /// The record.
    pub record: Record,
    /// The event as received, if it is in the bundle.
    pub payload: Option<Vec<u8>>,
}

impl Observations {
    /// The records at `indexes` of a block, in ascending order. With `payloads`, each that has a payload which was not
    /// erased comes with it.
    ///
    /// # Errors
    /// Refuses no index, indexes out of order and indexes outside the block.
    pub fn new(block: &Block, payloads: Option<&Payloads>, indexes: &[u32]) -> Result<Self> {
        let wide: Vec<u64> = indexes.iter().map(|index| u64::from(*index)).collect();
        let leaves = block.records().iter().map(Record::leaf_hash);
        let hashes = multiproof(leaves, &wide, u64::from(block.header().count))?;
        let records = indexes.iter().filter_map(|index| {
            let at = *index as usize;
            let record = *block.records().get(at)?;
            let payload =
                payloads.and_then(|payloads| payloads.get(at)).filter(|payload| !payload.is_empty());
            Some(Observation { index: *index, record, payload: payload.map(<[u8]>::to_vec) })
        });
        Ok(Self { header: block.header().clone(), records: records.collect(), hashes })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.header.to_bytes());
        write_count(self.records.len(), out);
        for Observation { index, record, payload } in &self.records {
            out.extend_from_slice(&index.to_le_bytes());
            out.extend_from_slice(&record.to_bytes());
            out.push(u8::from(payload.is_some()));
            out.extend_from_slice(payload.as_deref().unwrap_or_default());
        }
        write_hashes(&self.hashes, out);
    }

    fn read(bytes: &mut Reader<'_>) -> Result<Self> {
        let header = BlockHeader::from_bytes(&array(bytes.take(HEADER_LEN)?))?;
        let mut records = Vec::new();
        for _ in 0..bytes.u32()? {
            let index = bytes.u32()?;
            let record = Record::from_bytes(&array(bytes.take(RECORD_LEN)?))
                .map_err(|error| at_index(error, index as usize))?;
            let payload = match (bytes.take(1)?[0], record.payload_len as usize) {
                (0, _) => None,
                (1, len @ 1..) => Some(bytes.take(len)?.to_vec()),
                _ => {
                    return Err(wrong("a record says neither that its payload follows nor that it does not"));
                }
            };
            records.push(Observation { index, record, payload });
        }
        Ok(Self { header, records, hashes: bytes.hashes()? })
    }

    /// Each record stands at its place under the header's root, and each payload is its record's.
    fn verify(&self) -> Result<()> {
        let leaves: Vec<_> =
            self.records.iter().map(|shown| (u64::from(shown.index), shown.record.leaf_hash())).collect();
        verify_multiproof(&leaves, u64::from(self.header.count), &self.hashes, &self.header.records_root)?;
        for Observation { index, record, payload } in &self.records {
            let sequence = self.header.first_sequence.checked_add(u64::from(*index));
            if record.sector != self.header.sector || Some(record.sequence) != sequence {
                return Err(Error::Proof { why: "the record does not belong to its place in the block" });
            }
            if let Some(payload) = payload
                && (payload.len() != record.payload_len as usize
                    || Hash::of(payload) != record.payload_sha256)
            {
                let (index, why) = (*index as usize, "its SHA-256 is not the record's");
                return Err(Error::Payload { index, why });
            }
        }
        Ok(())
    }
}

impl Item {
    fn kind(&self) -> EntryKind {
        match self {
            Self::Observations(_) => EntryKind::Block,
            Self::Entry(entry) => entry.kind(),
        }
    }

    /// The leaf of the log's tree that holds it.
    fn leaf_hash(&self) -> Result<Hash> {
        match self {
            Self::Observations(shown) => {
                Ok(merkle::leaf_hash(&[&EntryKind::Block.leaf_data(&shown.header.to_bytes())]))
            }
            Self::Entry(entry) => entry.leaf_hash(),
        }
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Observations(shown) => {
                shown.write(out);
                Ok(())
            }
            Self::Entry(Entry::Block { .. }) => Err(wrong("a block is in it whole")),
            Self::Entry(entry) => entry.write_frames(|_, parts| {
                for part in parts {
                    out.extend_from_slice(part);
                }
                Ok(())
            }),
        }
    }

    fn read(kind: u8, content: &[u8]) -> Result<Self> {
        let kind = match kind {
            1 => {
                let mut reader = Reader(content);
                let shown = Observations::read(&mut reader)?;
                reader.end()?;
                return Ok(Self::Observations(shown));
            }
            2 => FrameKind::Receipt,
            3 => FrameKind::Input,
            4 => FrameKind::KeyChange,
            _ => return Err(wrong("it has an item of an unknown kind")),
        };
        match Assembler::default().push(kind, content)? {
            Some(FrameItem::Entry(Entry::Input(input)))
                if !matches!(input.kind, InputKind::Interned | InputKind::LogSealed) =>
            {
                Err(wrong("it has an input that is neither an interned text nor a sealed state"))
            }
            Some(FrameItem::Entry(entry)) => Ok(Self::Entry(entry)),
            _ => Err(wrong("an item is not whole")),
        }
    }
}

/// What a verified bundle has shown, beside its items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The checkpoint that everything stands under.
    pub checkpoint: Checkpoint,
    /// The keys the bundle knows, in the order in which they were in force.
    pub keys: Vec<VerifyingKey>,
    /// Receipts.
    pub receipts: u64,
    /// Observations.
    pub observations: u64,
    /// Events as received among them.
    pub payloads: u64,
    /// Per sector, the receipts that are in the bundle.
    pub chains: BTreeMap<String, Chain>,
    /// The texts behind the numbers of the records.
    pub names: Names,
}

/// A sector's receipts in a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    /// Sequence of the first.
    pub first: u64,
    /// Sequence of the last.
    pub last: u64,
    /// How many.
    pub count: u64,
    /// Id of the last.
    id: ReceiptId,
}

impl Chain {
    /// Whether it begins at the sector's first receipt and has no gap.
    pub fn is_complete(&self) -> bool {
        self.first == 0 && self.last.checked_add(1) == Some(self.count)
    }
}

/// Interned texts by table and number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(BTreeMap<(Table, u32), String>);

impl Names {
    /// The text behind a number.
    pub fn text(&self, table: Table, id: u32) -> Option<&str> {
        self.0.get(&(table, id)).map(String::as_str)
    }

    fn admit(&mut self, entry: Interned) -> Result<()> {
        let (table, id) = (entry.table, entry.id);
        if self.0.insert((table, id), entry.text).is_some() {
            let why = "it has two texts in the bundle";
            return Err(Error::Interned { table: table.name(), id: u64::from(id), why });
        }
        Ok(())
    }

    fn require(&self, table: Table, id: u32) -> Result<()> {
        self.text(table, id).map(drop).ok_or(Error::Interned {
            table: table.name(),
            id: u64::from(id),
            why: "its text is not in the bundle before it is used",
        })
    }
}

/// The numbers whose texts a bundle with this record must have.
pub fn numbers(record: &Record) -> [(Table, u32); 3] {
    [
        (Table::EventType, u32::from(record.event_type)),
        (Table::Sector, u32::from(record.sector)),
        (Table::Source, record.source),
    ]
}

impl Bundle {
    /// The bytes of the file.
    ///
    /// # Errors
    /// Refuses what is larger than [`MAX_BUNDLE_LEN`], a whole block, and entries that their own formats refuse.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut out = FIRST_LINE.to_vec();
        write_count(self.checkpoint.len(), &mut out);
        out.extend_from_slice(self.checkpoint.as_bytes());
        write_count(self.items.len(), &mut out);
        for (index, item) in &self.items {
            out.extend_from_slice(&index.to_le_bytes());
            out.push(item.kind() as u8);
            let at = out.len();
            write_count(0, &mut out);
            item.write(&mut out)?;
            // Written again once it is known.
            let len = u32::try_from(out.len() - at - 4).unwrap_or(u32::MAX);
            out[at..at + 4].copy_from_slice(&len.to_le_bytes());
            within("audit bundle", out.len(), MAX_BUNDLE_LEN)?;
        }
        write_hashes(&self.hashes, &mut out);
        within("audit bundle", out.len(), MAX_BUNDLE_LEN)?;
        Ok(out)
    }

    /// Reads a bundle strictly; writing the result gives the same bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        within("audit bundle", bytes.len(), MAX_BUNDLE_LEN)?;
        let bytes =
            bytes.strip_prefix(FIRST_LINE).ok_or_else(|| wrong("it does not start with knhk-bundle/v1"))?;
        let mut reader = Reader(bytes);
        let len = reader.u32()? as usize;
        within("signed note", len, MAX_NOTE_LEN)?;
        let checkpoint = std::str::from_utf8(reader.take(len)?)
            .map_err(|_| wrong("its checkpoint is not UTF-8"))?
            .to_owned();
        UnverifiedCheckpoint::parse(&checkpoint)?;
        let mut items = Vec::new();
        for _ in 0..reader.u32()? {
            let index = reader.u64()?;
            let kind = reader.take(1)?[0];
            let len = reader.u32()? as usize;
            items.push((index, Item::read(kind, reader.take(len)?)?));
        }
        let hashes = reader.hashes()?;
        reader.end()?;
        Ok(Self { checkpoint, items, hashes })
    }

    /// Verifies everything in the bundle: the checkpoint and the keys from `trusted` on, every receipt, record, payload
    /// and body, and that each stands in the log.
    pub fn verify(&self, trusted: &VerifyingKey) -> Result<Shown> {
        let unverified = UnverifiedCheckpoint::parse(&self.checkpoint)?;
        let mut shown = Shown {
            checkpoint: unverified.claimed().clone(),
            keys: Vec::new(),
            receipts: 0,
            observations: 0,
            payloads: 0,
            chains: BTreeMap::new(),
            names: Names::default(),
        };
        let mut leaves = Vec::with_capacity(self.items.len());
        for (index, item) in &self.items {
            leaves.push((*index, item.leaf_hash()?));
            shown.admit(*index, item)?;
        }
        let in_force = shown.in_force()?;
        shown.checkpoint = unverified.verify(in_force)?;
        verify_multiproof(&leaves, shown.checkpoint.size, &self.hashes, &shown.checkpoint.root)?;
        if !shown.keys.contains(trusted) {
            return Err(Error::Untrusted { trusted: trusted.label() });
        }
        Ok(shown)
    }
}

impl Shown {
    /// The key in force after the key changes so far.
    fn in_force(&self) -> Result<&VerifyingKey> {
        self.keys.last().ok_or(Error::Proof { why: "the bundle does not begin with a key of the log" })
    }

    fn admit(&mut self, index: u64, item: &Item) -> Result<()> {
        match item {
            Item::Entry(Entry::KeyChange(change)) => {
                if self.keys.is_empty() != (index == 0) {
                    return Err(Error::Proof { why: "the bundle does not begin with a key of the log" });
                }
                self.keys.push(change.verify(self.keys.last())?);
            }
            Item::Entry(Entry::Input(input)) if input.kind == InputKind::LogSealed => {
                self.begin(index, input)?;
            }
            Item::Entry(Entry::Input(input)) => {
                self.in_force()?;
                self.names.admit(input.decode()?)?;
            }
            Item::Entry(Entry::Receipt { signed, body }) => {
                signed.verify(self.in_force()?)?;
                signed.check_body(body)?;
                self.chain(signed)?;
                self.receipts += 1;
            }
            Item::Entry(Entry::Block { .. }) => return Err(wrong("a block is in it whole")),
            Item::Observations(observations) => {
                self.in_force()?;
                observations.verify()?;
                for observation in &observations.records {
                    for (table, id) in numbers(&observation.record) {
                        self.names.require(table, id)?;
                    }
                    self.payloads += u64::from(observation.payload.is_some());
                }
                self.observations += observations.records.len() as u64;
            }
        }
        Ok(())
    }
    /// Begins where a log whose front was dropped begins: with the key that was in force, and the texts so far.
    ///
    /// Of the earlier keys only the dropped entries know that they handed over to it, so none of them is believed here.
    fn begin(&mut self, index: u64, input: &Input) -> Result<()> {
        let sealed = SealedState::of(input)?;
        if !self.keys.is_empty() || index == 0 || sealed.size != index {
            return Err(Error::Proof { why: "a sealed state stands elsewhere than where the bundle begins" });
        }
        if let Some(key) = sealed.keys.last() {
            self.keys.push(key.parse()?);
        }
        let tables = [
            (Table::EventType, sealed.event_types),
            (Table::Sector, sealed.sectors),
            (Table::Source, sealed.sources),
        ];
        for (table, texts) in tables {
            for (id, text) in (0..).zip(texts) {
                self.names.admit(Interned { table, id, text })?;
            }
        }
        Ok(())
    }

    fn chain(&mut self, signed: &Signed) -> Result<()> {
        let draft = signed.draft();
        let link = Chain { first: draft.sequence, last: draft.sequence, count: 1, id: signed.id() };
        let Some(chain) = self.chains.get_mut(&draft.sector) else {
            self.chains.insert(draft.sector.clone(), link);
            return Ok(());
        };
        let broken = |what, actual: String, expected: String| {
            Err(Error::ReceiptChain { sector: draft.sector.clone(), what, actual, expected })
        };
        if draft.sequence <= chain.last {
            return broken("sequence", draft.sequence.to_string(), format!("more than {}", chain.last));
        }
        if draft.sequence - chain.last == 1 && draft.parent != Some(chain.id) {
            let actual = draft.parent.map_or_else(|| "none".into(), |id| id.to_string());
            return broken("parent", actual, chain.id.to_string());
        }
        *chain = Chain { first: chain.first, count: chain.count + 1, ..link };
        Ok(())
    }
}

fn wrong(why: &str) -> Error {
    Error::Shape { what: "audit bundle", why: why.into() }
}

fn at_index(error: Error, index: usize) -> Error {
    match error {
        Error::Record { why, .. } => Error::Record { index, why },
        other => other,
    }
}

fn write_count(count: usize, out: &mut Vec<u8>) {
    // A bundle above MAX_BUNDLE_LEN is refused, so no count in one reaches 2^32.
    out.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
}

fn write_hashes(hashes: &[Hash], out: &mut Vec<u8>) {
    write_count(hashes.len(), out);
    for hash in hashes {
        out.extend_from_slice(hash.as_bytes());
    }
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or_else(|| wrong("it is cut short"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(array(self.take(4)?)))
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(array(self.take(8)?)))
    }

    fn hashes(&mut self) -> Result<Vec<Hash>> {
        let len = (self.u32()? as usize).saturating_mul(32);
        let (hashes, _) = self.take(len)?.as_chunks::<32>();
        Ok(hashes.iter().map(|hash| Hash(*hash)).collect())
    }

    fn end(&self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(wrong("bytes follow where nothing should")) }
    }
}

#[cfg(test)]
mod tests;
