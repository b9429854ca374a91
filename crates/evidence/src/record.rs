//! The observation record: 118 bytes, fixed little-endian layout. See `docs/formats/record.md`.

use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::sha256::TwoBlocks;

/// Bytes of a record: with the RFC 6962 leaf prefix, exactly two SHA-256 blocks.
pub const RECORD_LEN: usize = 118;
/// The version this code writes and the only one it reads.
pub const RECORD_VERSION: u8 = 1;
/// Flag: the event's time lay more than five seconds ahead of its ingest time; accepted and counted.
pub const FLAG_CLOCK_AHEAD: u8 = 0b0000_0001;
/// Flag: the identity is a place in its producer's count, a [`Numbered`], not a hash of source and event id.
pub const FLAG_NUMBERED: u8 = 0b0000_0010;
/// Every flag that has a meaning; the others must be zero.
pub const FLAGS: u8 = FLAG_CLOCK_AHEAD | FLAG_NUMBERED;
/// Bytes of one payload: 16 MiB.
pub const MAX_PAYLOAD_LEN: usize = 16 << 20;

/// SHA-256 of the empty string: `payload_sha256` of a record without payload.
pub const NO_PAYLOAD: Hash = Hash([
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
    0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
]);

/// One observation, as it is hashed. The event's own text travels beside it as payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Record {
    /// Bit set of `FLAG_*`.
    pub flags: u8,
    /// Interned event type.
    pub event_type: u16,
    /// Interned sector.
    pub sector: u16,
    /// Interned source (producer).
    pub source: u32,
    /// Number of the observation in its data directory, from 0, without gaps. Assigned when the block is sealed.
    pub sequence: u64,
    /// When the event says it happened, Unix milliseconds.
    pub event_time_ms: i64,
    /// When it was received, Unix milliseconds.
    pub ingest_time_ms: i64,
    /// Identity of the event within its source: see [`dedupe_key`] and [`Numbered`].
    pub dedupe_key: [u8; 16],
    /// Bytes of the payload, 0 if there is none.
    pub payload_len: u32,
    /// SHA-256 of the payload exactly as received (of the empty string if there is none).
    pub payload_sha256: Hash,
    /// First 16 bytes of the SHA-256 of the event's `data`: equal digests are equal contents under different ids.
    pub data_digest: [u8; 16],
    /// W3C trace id, zero if there is none.
    pub trace_id: [u8; 16],
}

impl Record {
    /// The 118 canonical bytes.
    pub fn to_bytes(&self) -> [u8; RECORD_LEN] {
        let mut out = [0; RECORD_LEN];
        out[0] = RECORD_VERSION;
        out[1] = self.flags;
        out[2..4].copy_from_slice(&self.event_type.to_le_bytes());
        out[4..6].copy_from_slice(&self.sector.to_le_bytes());
        out[6..10].copy_from_slice(&self.source.to_le_bytes());
        out[10..18].copy_from_slice(&self.sequence.to_le_bytes());
        out[18..26].copy_from_slice(&self.event_time_ms.to_le_bytes());
        out[26..34].copy_from_slice(&self.ingest_time_ms.to_le_bytes());
        out[34..50].copy_from_slice(&self.dedupe_key);
        out[50..54].copy_from_slice(&self.payload_len.to_le_bytes());
        out[54..86].copy_from_slice(self.payload_sha256.as_bytes());
        out[86..102].copy_from_slice(&self.data_digest);
        out[102..118].copy_from_slice(&self.trace_id);
        out
    }

    /// Reads a record; `to_bytes` of the result gives the same bytes.
    ///
    /// # Errors
    /// Refuses another version, unknown flags and a payload above [`MAX_PAYLOAD_LEN`].
    pub fn from_bytes(bytes: &[u8; RECORD_LEN]) -> Result<Self> {
        if bytes[0] != RECORD_VERSION {
            return Err(Error::Record { index: 0, why: "its version is not 1" });
        }
        let record = Self {
            flags: bytes[1],
            event_type: u16::from_le_bytes(array(&bytes[2..4])),
            sector: u16::from_le_bytes(array(&bytes[4..6])),
            source: u32::from_le_bytes(array(&bytes[6..10])),
            sequence: u64::from_le_bytes(array(&bytes[10..18])),
            event_time_ms: i64::from_le_bytes(array(&bytes[18..26])),
            ingest_time_ms: i64::from_le_bytes(array(&bytes[26..34])),
            dedupe_key: array(&bytes[34..50]),
            payload_len: u32::from_le_bytes(array(&bytes[50..54])),
            payload_sha256: Hash(array(&bytes[54..86])),
            data_digest: array(&bytes[86..102]),
            trace_id: array(&bytes[102..118]),
        };
        record.check()?;
        Ok(record)
    }

    /// The rules of the format that the type alone does not hold.
    ///
    /// # Errors
    /// Refuses unknown flags and a payload above [`MAX_PAYLOAD_LEN`].
    pub fn check(&self) -> Result<()> {
        let wrong = |why| Err(Error::Record { index: 0, why });
        if self.flags & !FLAGS != 0 {
            return wrong("a reserved flag is set");
        }
        if self.payload_len as usize > MAX_PAYLOAD_LEN {
            return wrong("its payload is above the limit");
        }
        Ok(())
    }

    /// The RFC 6962 leaf hash of the canonical bytes: SHA-256(0x00 ‖ record).
    pub fn leaf_hash(&self) -> Hash {
        leaf_hash(&self.to_bytes())
    }

    /// Its place in its producer's count, if it has one.
    pub fn numbered(&self) -> Option<Numbered> {
        (self.flags & FLAG_NUMBERED != 0).then(|| Numbered::from_bytes(self.dedupe_key))
    }

    /// Gives the observation a place in its producer's count, which replaces any other identity.
    pub fn set_numbered(&mut self, place: Numbered) {
        self.flags |= FLAG_NUMBERED;
        self.dedupe_key = place.to_bytes();
    }

    /// Sets `payload_len` and `payload_sha256` from the payload as received.
    ///
    /// # Errors
    /// Refuses a payload above [`MAX_PAYLOAD_LEN`].
    pub fn set_payload(&mut self, payload: &[u8]) -> Result<()> {
        crate::error::within("payload", payload.len(), MAX_PAYLOAD_LEN)?;
        self.payload_len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        self.payload_sha256 = Hash::of(payload);
        Ok(())
    }
}

/// The RFC 6962 leaf hash of a record's canonical bytes: two SHA-256 blocks, hashed in one piece.
pub fn leaf_hash(record: &[u8; RECORD_LEN]) -> Hash {
    let mut bytes = TwoBlocks::<{ 1 + RECORD_LEN }>::new();
    bytes.message()[1..].copy_from_slice(record);
    bytes.digest()
}

/// A place in a producer's own count: what makes a retry idempotent and a loss visible. See
/// `docs/formats/producers.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Numbered {
    /// Which count: a producer that cannot go on with its last one begins the next.
    pub epoch: u64,
    /// Number in that count, from 0.
    pub number: u64,
}

impl Numbered {
    /// The 16 bytes of a record's `dedupe_key`: epoch ‖ number, both little-endian.
    pub fn to_bytes(self) -> [u8; 16] {
        let mut out = [0; 16];
        out[..8].copy_from_slice(&self.epoch.to_le_bytes());
        out[8..].copy_from_slice(&self.number.to_le_bytes());
        out
    }

    /// Reads the 16 bytes; every value is a place.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self { epoch: u64::from_le_bytes(array(&bytes[..8])), number: u64::from_le_bytes(array(&bytes[8..])) }
    }
}

/// Identity of an event within its producer: the first 16 bytes of SHA-256(source ‖ 0x00 ‖ id), both as text.
pub fn dedupe_key(source: &str, id: &str) -> [u8; 16] {
    Hash::of_parts(&[source.as_bytes(), &[0], id.as_bytes()]).prefix()
}

/// A fixed-size copy of a slice whose length the caller has fixed by indexing.
pub(crate) fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(bytes);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_that_are_read_are_written_back_the_same(mut bytes in proptest::array::uniform32(any::<u8>())
            .prop_map(|seed| { let mut b = [0; RECORD_LEN]; for (i, x) in b.iter_mut().enumerate() { *x = seed[i % 32] ^ seed[i / 32]; } b }))
        {
            bytes[0] = RECORD_VERSION;
            bytes[1] &= FLAGS;
            bytes[52..54].fill(0);
            let record = Record::from_bytes(&bytes).unwrap();
            prop_assert_eq!(record.to_bytes(), bytes);
        }
    }

    #[test]
    fn another_version_an_unknown_flag_and_a_huge_payload_are_refused() {
        let good = Record::default().to_bytes();
        assert!(Record::from_bytes(&good).is_ok());
        for (at, value) in [(0, 2), (0, 0), (1, 4), (1, 0x80), (53, 2)] {
            let mut bytes = good;
            bytes[at] = value;
            assert!(Record::from_bytes(&bytes).is_err(), "byte {at} = {value}");
        }
    }

    #[test]
    fn every_byte_changes_the_leaf_hash() {
        let good = Record { payload_len: 5, ..Record::default() }.to_bytes();
        let hash = leaf_hash(&good);
        assert_eq!(hash, crate::merkle::leaf_hash(&[&good]));
        for at in 0..RECORD_LEN {
            let mut bytes = good;
            bytes[at] ^= 1;
            assert_ne!(leaf_hash(&bytes), hash);
        }
    }

    #[test]
    fn the_dedupe_key_does_not_confuse_source_and_id() {
        assert_ne!(dedupe_key("ab", "c"), dedupe_key("a", "bc"));
        assert_eq!(dedupe_key("a", "b"), Hash::of(b"a\0b").prefix());
    }

    #[test]
    fn a_numbered_record_carries_its_place_and_no_hash() {
        let mut record = Record { dedupe_key: dedupe_key("a", "b"), ..Record::default() };
        assert_eq!(record.numbered(), None);
        let place = Numbered { epoch: 3, number: u64::MAX };
        record.set_numbered(place);
        assert_eq!(Record::from_bytes(&record.to_bytes()).unwrap().numbered(), Some(place));
    }

    #[test]
    fn a_payload_sets_its_length_and_digest() {
        let mut record = Record::default();
        record.set_payload(b"{}").unwrap();
        assert_eq!((record.payload_len, record.payload_sha256), (2, Hash::of(b"{}")));
        assert!(record.set_payload(&vec![0; MAX_PAYLOAD_LEN + 1]).is_err());
    }
}
