//! Blocks: up to 4,096 records of one sector under one header, and the payloads beside them. See
//! `docs/formats/block.md`.

use crate::error::{Error, Result, within};
use crate::hash::Hash;
use crate::merkle;
use crate::record::{RECORD_LEN, Record, array, leaf_hash};

/// Bytes of a header.
pub const HEADER_LEN: usize = 128;
/// Records of a block; at least one.
pub const MAX_BLOCK_RECORDS: usize = 4096;
/// Bytes of all payloads of a block: 32 MiB.
pub const MAX_BLOCK_PAYLOAD_LEN: usize = 32 << 20;

const MAGIC: &[u8; 4] = b"KNHB";
const VERSION: u16 = 1;
const PRESENT: u8 = 0;
const ERASED: u8 = 1;

/// The header: the leaf by which the log holds the whole block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockHeader {
    /// Interned sector.
    pub sector: u16,
    /// Records in the block, 1 to [`MAX_BLOCK_RECORDS`].
    pub count: u32,
    /// Number of the block in its sector, from 0.
    pub number: u64,
    /// Sequence of the first record; the others follow without gaps.
    pub first_sequence: u64,
    /// Least event time, Unix milliseconds.
    pub min_event_time_ms: i64,
    /// Greatest event time, Unix milliseconds.
    pub max_event_time_ms: i64,
    /// Bytes of all payloads.
    pub payload_bytes: u64,
    /// Digest of the previous header of the sector; zero for the first.
    pub previous: Hash,
    /// RFC 6962 root over the records.
    pub records_root: Hash,
}

impl BlockHeader {
    /// The 128 bytes.
    pub fn to_bytes(&self) -> [u8; HEADER_LEN] {
        let mut out = [0; HEADER_LEN];
        out[0..4].copy_from_slice(MAGIC);
        out[4..6].copy_from_slice(&VERSION.to_le_bytes());
        out[6..8].copy_from_slice(&self.sector.to_le_bytes());
        out[8..12].copy_from_slice(&self.count.to_le_bytes());
        out[16..24].copy_from_slice(&self.number.to_le_bytes());
        out[24..32].copy_from_slice(&self.first_sequence.to_le_bytes());
        out[32..40].copy_from_slice(&self.min_event_time_ms.to_le_bytes());
        out[40..48].copy_from_slice(&self.max_event_time_ms.to_le_bytes());
        out[48..56].copy_from_slice(&self.payload_bytes.to_le_bytes());
        out[64..96].copy_from_slice(self.previous.as_bytes());
        out[96..128].copy_from_slice(self.records_root.as_bytes());
        out
    }

    /// Reads a header; `to_bytes` of the result gives the same bytes.
    pub fn from_bytes(bytes: &[u8; HEADER_LEN]) -> Result<Self> {
        let wrong = |why| Err(Error::Block { why });
        if bytes[0..4] != MAGIC[..] || bytes[4..6] != VERSION.to_le_bytes() {
            return wrong("it does not start with KNHB and version 1");
        }
        if bytes[12..16].iter().chain(&bytes[56..64]).any(|byte| *byte != 0) {
            return wrong("a reserved byte is not zero");
        }
        let header = Self {
            sector: u16::from_le_bytes(array(&bytes[6..8])),
            count: u32::from_le_bytes(array(&bytes[8..12])),
            number: u64::from_le_bytes(array(&bytes[16..24])),
            first_sequence: u64::from_le_bytes(array(&bytes[24..32])),
            min_event_time_ms: i64::from_le_bytes(array(&bytes[32..40])),
            max_event_time_ms: i64::from_le_bytes(array(&bytes[40..48])),
            payload_bytes: u64::from_le_bytes(array(&bytes[48..56])),
            previous: Hash(array(&bytes[64..96])),
            records_root: Hash(array(&bytes[96..128])),
        };
        if header.count == 0 || header.count as usize > MAX_BLOCK_RECORDS {
            return wrong("its count is not 1 to 4096");
        }
        if header.payload_bytes > MAX_BLOCK_PAYLOAD_LEN as u64 {
            return wrong("its payloads are above the limit");
        }
        if header.first_sequence.checked_add(u64::from(header.count)).is_none() {
            return wrong("its sequences overflow");
        }
        Ok(header)
    }

    /// The digest by which the sector's next header names this one: SHA-256 of the 128 bytes.
    pub fn digest(&self) -> Hash {
        Hash::of(&self.to_bytes())
    }
}

/// Where a sector's next block goes: what the log knows before the block exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockPosition {
    /// Interned sector.
    pub sector: u16,
    /// Number of the block in its sector.
    pub number: u64,
    /// Digest of the previous header of the sector.
    pub previous: Hash,
    /// Sequence of its first record.
    pub first_sequence: u64,
}

/// A sealed block: its header is known to describe its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    header: BlockHeader,
    records: Vec<Record>,
    /// Header ‖ records: encoded once, since it is hashed, framed and checked.
    bytes: Vec<u8>,
}

impl Block {
    /// Seals records into a block, giving them the sector and the sequences of `position`.
    ///
    /// # Errors
    /// Refuses no records or more than [`MAX_BLOCK_RECORDS`], payloads above [`MAX_BLOCK_PAYLOAD_LEN`] in all, and
    /// records that their own format refuses.
    pub fn seal(position: BlockPosition, records: Vec<Record>) -> Result<Self> {
        Self::seal_into(position, records, Vec::new())
    }

    /// Like [`Block::seal`], with a buffer for the block's bytes that was used before: new memory of this size costs
    /// more than what is written to it. See [`Block::into_buffers`].
    pub fn seal_into(position: BlockPosition, mut records: Vec<Record>, mut bytes: Vec<u8>) -> Result<Self> {
        within("block", records.len(), MAX_BLOCK_RECORDS)?;
        bytes.clear();
        bytes.reserve_exact(HEADER_LEN + records.len() * RECORD_LEN);
        bytes.resize(HEADER_LEN, 0);
        let mut summary = Summary::default();
        for (index, record) in records.iter_mut().enumerate() {
            record.sector = position.sector;
            record.sequence = position
                .first_sequence
                .checked_add(index as u64)
                .ok_or(Error::Block { why: "its sequences overflow" })?;
            record.check().map_err(|error| at_index(error, index))?;
            let encoded = record.to_bytes();
            summary.add(record.event_time_ms, record.payload_len, &encoded);
            bytes.extend_from_slice(&encoded);
        }
        let header = BlockHeader {
            sector: position.sector,
            count: u32::try_from(records.len()).unwrap_or(u32::MAX),
            number: position.number,
            first_sequence: position.first_sequence,
            min_event_time_ms: summary.min_event_time_ms.unwrap_or_default(),
            max_event_time_ms: summary.max_event_time_ms.unwrap_or_default(),
            payload_bytes: summary.payload_bytes,
            previous: position.previous,
            records_root: summary.tree.root(),
        };
        let encoded = header.to_bytes();
        // Reading back what was written keeps one definition of a valid header.
        BlockHeader::from_bytes(&encoded)?;
        bytes[..HEADER_LEN].copy_from_slice(&encoded);
        Ok(Self { header, records, bytes })
    }

    /// Reads header ‖ records and checks every record against the header.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::from_bytes_into(bytes, (Vec::new(), Vec::new()))
    }

    /// Like [`Block::from_bytes`], with buffers that were used before. See [`Block::into_buffers`].
    pub fn from_bytes_into(bytes: &[u8], (mut records, mut own): (Vec<Record>, Vec<u8>)) -> Result<Self> {
        records.clear();
        records.reserve(bytes.len() / RECORD_LEN);
        let header = check(bytes, |record| records.push(record))?;
        own.clear();
        own.extend_from_slice(bytes);
        Ok(Self { header, records, bytes: own })
    }

    /// Checks header ‖ records like [`Block::from_bytes`], keeping the header only.
    pub fn check(bytes: &[u8]) -> Result<BlockHeader> {
        check(bytes, drop)
    }

    /// The memory of the records and of the bytes, to be used again.
    pub fn into_buffers(self) -> (Vec<Record>, Vec<u8>) {
        (self.records, self.bytes)
    }

    /// Header ‖ records.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The header.
    pub fn header(&self) -> &BlockHeader {
        &self.header
    }

    /// The records, in order.
    pub fn records(&self) -> &[Record] {
        &self.records
    }
}

/// Checks every record of header ‖ records against the header, and gives each to `take`.
fn check(bytes: &[u8], mut take: impl FnMut(Record)) -> Result<BlockHeader> {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER_LEN>() else {
        return Err(Error::Block { why: "it is shorter than 128 bytes" });
    };
    let header = BlockHeader::from_bytes(header)?;
    let (chunks, tail) = rest.as_chunks::<RECORD_LEN>();
    if chunks.len() != header.count as usize || !tail.is_empty() {
        return Err(Error::Block { why: "its count is not the number of records" });
    }
    let mut summary = Summary::default();
    for (index, chunk) in chunks.iter().enumerate() {
        let record = Record::from_bytes(chunk).map_err(|error| at_index(error, index))?;
        if record.sector != header.sector {
            return Err(Error::Record { index, why: "its sector is not the block's" });
        }
        if record.sequence != header.first_sequence + index as u64 {
            return Err(Error::Record { index, why: "its sequence does not follow" });
        }
        summary.add(record.event_time_ms, record.payload_len, chunk);
        take(record);
    }
    let times = (Some(header.min_event_time_ms), Some(header.max_event_time_ms));
    if (summary.min_event_time_ms, summary.max_event_time_ms) != times {
        return Err(Error::Block { why: "its event times are not those of the records" });
    }
    if summary.payload_bytes != header.payload_bytes {
        return Err(Error::Block { why: "its payload bytes are not those of the records" });
    }
    if summary.tree.root() != header.records_root {
        return Err(Error::Block { why: "its root is not that of the records" });
    }
    Ok(header)
}

/// What a header says of its records, gathered record by record.
#[derive(Default)]
struct Summary {
    min_event_time_ms: Option<i64>,
    max_event_time_ms: Option<i64>,
    payload_bytes: u64,
    tree: merkle::Frontier,
}

impl Summary {
    fn add(&mut self, time: i64, payload_len: u32, encoded: &[u8; RECORD_LEN]) {
        self.min_event_time_ms = Some(self.min_event_time_ms.map_or(time, |least| least.min(time)));
        self.max_event_time_ms = Some(self.max_event_time_ms.map_or(time, |greatest| greatest.max(time)));
        self.payload_bytes += u64::from(payload_len);
        self.tree.push(leaf_hash(encoded));
    }
}

fn at_index(error: Error, index: usize) -> Error {
    match error {
        Error::Record { why, .. } => Error::Record { index, why },
        other => other,
    }
}

/// The payloads of one block, each exactly as received, or erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payloads {
    /// One status byte per record, then the payloads one after another.
    bytes: Vec<u8>,
    /// End of each record's payload in `bytes`.
    ends: Vec<usize>,
}

impl Payloads {
    /// Puts a block's payloads together, one per record and in the same order, empty where there is none.
    ///
    /// # Errors
    /// Refuses a payload that is not the one its record was made from.
    pub fn seal<P: AsRef<[u8]>>(block: &Block, payloads: &[P]) -> Result<Self> {
        let count = block.records.len();
        if payloads.len() != count {
            return Err(Error::Payload { index: payloads.len(), why: "there is not one payload per record" });
        }
        let mut bytes = vec![PRESENT; count];
        bytes.reserve(usize::try_from(block.header.payload_bytes).unwrap_or_default());
        for payload in payloads {
            bytes.extend_from_slice(payload.as_ref());
        }
        Self::from_bytes(block, bytes)
    }

    /// Like [`Payloads::seal`], from the payloads one after another, as their records' lengths divide them.
    pub fn join(block: &Block, payloads: &[u8]) -> Result<Self> {
        let mut bytes = vec![PRESENT; block.records.len()];
        bytes.extend_from_slice(payloads);
        Self::from_bytes(block, bytes)
    }

    /// Reads a block's payloads; a present payload must have its record's length and SHA-256, an erased one must be
    /// all zero.
    pub fn from_bytes(block: &Block, bytes: Vec<u8>) -> Result<Self> {
        let mut end = block.records.len();
        let mut ends = Vec::with_capacity(block.records.len());
        for (index, record) in block.records.iter().enumerate() {
            let start = end;
            end += record.payload_len as usize;
            let (Some(status), Some(payload)) = (bytes.get(index), bytes.get(start..end)) else {
                return Err(Error::Payload { index, why: "it is cut short" });
            };
            match *status {
                PRESENT if Hash::of(payload) == record.payload_sha256 => {}
                PRESENT => return Err(Error::Payload { index, why: "its SHA-256 is not the record's" }),
                ERASED if payload.iter().all(|byte| *byte == 0) => {}
                ERASED => {
                    return Err(Error::Payload { index, why: "it is marked as erased but not all zero" });
                }
                _ => return Err(Error::Payload { index, why: "its status is neither present nor erased" }),
            }
            ends.push(end);
        }
        if end != bytes.len() {
            return Err(Error::Payload { index: block.records.len(), why: "bytes follow the last payload" });
        }
        Ok(Self { bytes, ends })
    }

    /// The bytes of the payload frame's body.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The payload of record `index` as received; `None` if it was erased or there is no such record.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let range = self.range(index)?;
        (self.bytes[index] == PRESENT).then(|| &self.bytes[range])
    }

    fn range(&self, index: usize) -> Option<std::ops::Range<usize>> {
        let end = *self.ends.get(index)?;
        let start = if index == 0 { self.ends.len() } else { self.ends[index - 1] };
        Some(start..end)
    }

    /// How many were erased.
    pub fn erased(&self) -> u64 {
        // A status is 0 or 1.
        self.bytes[..self.ends.len()].iter().map(|status| u64::from(*status)).sum()
    }

    /// Erases the payload of record `index`: its bytes become zero, every hash still verifies.
    pub fn erase(&mut self, index: usize) {
        if let Some(range) = self.range(index) {
            self.bytes[range].fill(0);
            self.bytes[index] = ERASED;
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const START: BlockPosition =
        BlockPosition { sector: 0, number: 0, previous: Hash::ZERO, first_sequence: 0 };

    /// Records whose payloads are `payloads`, one second apart.
    pub(crate) fn records(payloads: &[&str]) -> Vec<Record> {
        let record = |(i, payload): (i64, &&str)| {
            let mut record =
                Record { event_time_ms: i * 1000, ingest_time_ms: i * 1000 + 7, ..Record::default() };
            record.set_payload(payload.as_bytes()).unwrap();
            record
        };
        (0..).zip(payloads).map(record).collect()
    }

    const TEXTS: [&str; 3] = ["{\"a\":1}", "", "{\"b\":2}"];

    #[test]
    fn a_block_survives_its_bytes() {
        let position = BlockPosition { sector: 3, number: 7, previous: Hash::of(b"p"), first_sequence: 40 };
        let block = Block::seal(position, records(&TEXTS)).unwrap();
        assert_eq!(block.records()[2].sequence, 42);
        assert_eq!((block.header().min_event_time_ms, block.header().max_event_time_ms), (0, 2000));
        assert_eq!(Block::from_bytes(block.as_bytes()).unwrap(), block);
    }

    #[test]
    fn a_flipped_byte_is_refused_except_in_the_chain_fields() {
        let block = Block::seal(START, records(&TEXTS)).unwrap();
        let bytes = block.as_bytes().to_vec();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            // Number and previous header are checked against the log, not against the records.
            let chain_field = (16..24).contains(&at) || (64..96).contains(&at);
            assert_eq!(Block::from_bytes(&changed).is_ok(), chain_field, "byte {at}");
        }
        for len in 0..bytes.len() {
            assert!(Block::from_bytes(&bytes[..len]).is_err(), "length {len}");
        }
        assert!(Block::from_bytes(&[bytes, vec![0]].concat()).is_err());
    }

    #[test]
    fn a_block_has_1_to_4096_records_and_bounded_payloads() {
        assert!(Block::seal(START, vec![]).is_err());
        assert!(Block::seal(START, vec![Record::default(); MAX_BLOCK_RECORDS]).is_ok());
        assert!(Block::seal(START, vec![Record::default(); MAX_BLOCK_RECORDS + 1]).is_err());
        assert!(Block::seal(START, vec![Record { payload_len: 1 << 20, ..Record::default() }; 33]).is_err());
        assert!(Block::seal(START, vec![Record { flags: 0x40, ..Record::default() }]).is_err());
        let end = BlockPosition { first_sequence: u64::MAX, ..START };
        assert!(Block::seal(end, vec![Record::default()]).is_err());
    }

    #[test]
    fn payloads_come_back_as_received() {
        let block = Block::seal(START, records(&TEXTS)).unwrap();
        let payloads = Payloads::seal(&block, &TEXTS).unwrap();
        for (index, text) in TEXTS.iter().enumerate() {
            assert_eq!(payloads.get(index), Some(text.as_bytes()));
        }
        assert_eq!(payloads.get(3), None);
        assert_eq!(Payloads::from_bytes(&block, payloads.as_bytes().to_vec()).unwrap(), payloads);
    }

    #[test]
    fn a_wrong_payload_is_refused() {
        let block = Block::seal(START, records(&TEXTS)).unwrap();
        assert!(Payloads::seal(&block, &["{\"a\":2}", "", "{\"b\":2}"]).is_err());
        assert!(Payloads::seal(&block, &TEXTS[..2]).is_err());
        let good = Payloads::seal(&block, &TEXTS).unwrap().as_bytes().to_vec();
        for at in 0..good.len() {
            let mut changed = good.clone();
            changed[at] ^= 1;
            // Record 1 has no payload, so erasing it changes nothing but the count.
            assert_eq!(Payloads::from_bytes(&block, changed).is_ok(), at == 1, "byte {at}");
        }
        assert!(Payloads::from_bytes(&block, good[..good.len() - 1].to_vec()).is_err());
        assert!(Payloads::from_bytes(&block, [good, vec![0]].concat()).is_err());
    }

    #[test]
    fn an_erased_payload_is_gone_counted_and_still_consistent() {
        let block = Block::seal(START, records(&TEXTS)).unwrap();
        let mut payloads = Payloads::seal(&block, &TEXTS).unwrap();
        payloads.erase(2);
        payloads.erase(9);
        assert_eq!((payloads.get(0), payloads.get(2)), (Some(TEXTS[0].as_bytes()), None));
        assert_eq!(payloads.erased(), 1);
        let mut bytes = payloads.as_bytes().to_vec();
        assert!(Payloads::from_bytes(&block, bytes.clone()).is_ok());
        *bytes.last_mut().unwrap() = b'}';
        assert!(Payloads::from_bytes(&block, bytes).is_err());
    }
}
