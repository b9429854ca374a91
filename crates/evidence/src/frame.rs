//! Frames: how entries stand in the segments of a log. See `docs/formats/frames.md`.

use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result, within};
use crate::hash::Hash;
use crate::key::VerifyingKey;
use crate::record::array;

/// Bytes of a frame header.
pub const FRAME_HEADER_LEN: usize = 36;
/// Bytes of a frame's body: 64 MiB.
pub const MAX_FRAME_BODY_LEN: usize = 64 << 20;
/// Bytes of a segment: 256 MiB.
pub const MAX_SEGMENT_LEN: usize = 256 << 20;

/// 0xF5 never occurs in UTF-8, so no text payload can look like a frame.
const MAGIC: [u8; 4] = [0xF5, b'K', b'N', b'F'];
const VERSION: u8 = 1;
const COMMIT_LEN: usize = 44;

/// What a frame's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FrameKind {
    /// Header and records of a block: an entry.
    Block = 1,
    /// Receipt, signature and body: an entry.
    Receipt = 2,
    /// Input and body: an entry.
    Input = 3,
    /// A change of the signing key: an entry.
    KeyChange = 4,
    /// The payloads of the block in the frame before.
    Payloads = 5,
    /// The signed checkpoint of the commit before.
    Checkpoint = 6,
    /// The end of a group: everything up to here is one durable step.
    Commit = 7,
}

impl FrameKind {
    const ALL: [Self; 7] = [
        Self::Block,
        Self::Receipt,
        Self::Input,
        Self::KeyChange,
        Self::Payloads,
        Self::Checkpoint,
        Self::Commit,
    ];

    fn from_byte(byte: u8) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| *kind as u8 == byte)
            .ok_or(Error::Frame { why: "its kind is unknown" })
    }
}

/// A frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// What the body is.
    pub kind: FrameKind,
    /// Bytes of the body.
    pub len: u32,
    /// Number of the segment.
    pub segment: u32,
    /// Number of the frame in the log, from 0.
    pub number: u64,
    /// Header checksum of the frame before; 0 for the first of the log.
    pub previous: u32,
    /// CRC-32C of the body. It lies outside the header checksum, so that erasing a payload changes its own frame only.
    pub body_crc: u32,
}

impl FrameHeader {
    fn checked_part(&self) -> [u8; 28] {
        let mut out = [0; 28];
        out[0..4].copy_from_slice(&MAGIC);
        out[4] = VERSION;
        out[5] = self.kind as u8;
        out[8..12].copy_from_slice(&self.len.to_le_bytes());
        out[12..16].copy_from_slice(&self.segment.to_le_bytes());
        out[16..24].copy_from_slice(&self.number.to_le_bytes());
        out[24..28].copy_from_slice(&self.previous.to_le_bytes());
        out
    }

    /// CRC-32C (Castagnoli) of bytes 0 to 27: what the next frame names.
    pub fn checksum(&self) -> u32 {
        crc32c::crc32c(&self.checked_part())
    }

    /// The 36 bytes.
    pub fn to_bytes(&self) -> [u8; FRAME_HEADER_LEN] {
        let mut out = [0; FRAME_HEADER_LEN];
        let checked = self.checked_part();
        out[..28].copy_from_slice(&checked);
        out[28..32].copy_from_slice(&crc32c::crc32c(&checked).to_le_bytes());
        out[32..36].copy_from_slice(&self.body_crc.to_le_bytes());
        out
    }

    /// Reads a header by itself; its place in the log is checked by [`Chain`].
    pub fn from_bytes(bytes: &[u8; FRAME_HEADER_LEN]) -> Result<Self> {
        let wrong = |why| Err(Error::Frame { why });
        if bytes[..4] != MAGIC {
            return wrong("it does not start with the frame magic");
        }
        if u32::from_le_bytes(array(&bytes[28..32])) != crc32c::crc32c(&bytes[..28]) {
            return wrong("its header checksum does not match");
        }
        if bytes[4] != VERSION || bytes[6..8] != [0, 0] {
            return wrong("its version is not 1 or a reserved byte is not zero");
        }
        let header = Self {
            kind: FrameKind::from_byte(bytes[5])?,
            len: u32::from_le_bytes(array(&bytes[8..12])),
            segment: u32::from_le_bytes(array(&bytes[12..16])),
            number: u64::from_le_bytes(array(&bytes[16..24])),
            previous: u32::from_le_bytes(array(&bytes[24..28])),
            body_crc: u32::from_le_bytes(array(&bytes[32..36])),
        };
        within("frame body", header.len as usize, MAX_FRAME_BODY_LEN)?;
        Ok(header)
    }

    /// The header of a frame whose body was replaced by another of the same length: an erasure.
    ///
    /// # Errors
    /// Refuses a body of another length, which would move every frame behind it.
    pub fn with_body(self, body: &[u8]) -> Result<Self> {
        if body.len() != self.len as usize {
            return Err(Error::Frame { why: "its new body has another length" });
        }
        Ok(Self { body_crc: crc32c::crc32c(body), ..self })
    }

    /// Checks a body against the header.
    pub fn check_body(&self, body: &[u8]) -> Result<()> {
        if body.len() != self.len as usize || crc32c::crc32c(body) != self.body_crc {
            return Err(Error::Frame { why: "its body checksum does not match" });
        }
        Ok(())
    }
}

/// The place of the next frame: the same for who writes and for who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Chain {
    segment: u32,
    number: u64,
    previous: u32,
}

impl Chain {
    /// The place of the first frame of a log, were it in this segment.
    pub(crate) fn starting_segment(segment: u32) -> Self {
        Self { segment, ..Self::default() }
    }

    /// The place at which this header stands: where reading may start in the middle of a log.
    pub fn at(header: &FrameHeader) -> Self {
        Self { segment: header.segment, number: header.number, previous: header.previous }
    }

    /// The number of the segment the next frame goes to.
    pub fn segment(&self) -> u32 {
        self.segment
    }

    /// The number of the next frame.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Goes on in the next segment.
    pub fn next_segment(&mut self) {
        self.segment = self.segment.saturating_add(1);
    }

    /// Appends a frame to `out`; the body comes in parts.
    ///
    /// # Errors
    /// Refuses a body above [`MAX_FRAME_BODY_LEN`].
    pub fn append(&mut self, kind: FrameKind, body: &[&[u8]], out: &mut Vec<u8>) -> Result<()> {
        let len = body.iter().map(|part| part.len()).sum::<usize>();
        within("frame body", len, MAX_FRAME_BODY_LEN)?;
        let header = FrameHeader {
            kind,
            len: u32::try_from(len).unwrap_or(u32::MAX),
            segment: self.segment,
            number: self.number,
            previous: self.previous,
            body_crc: body.iter().fold(0, |crc, part| crc32c::crc32c_append(crc, part)),
        };
        out.extend_from_slice(&header.to_bytes());
        for part in body {
            out.extend_from_slice(part);
        }
        self.number = self.following()?;
        self.previous = header.checksum();
        Ok(())
    }

    /// Checks that a header stands at this place and goes on behind it.
    pub fn advance(&mut self, header: &FrameHeader) -> Result<()> {
        let order = |what, actual: u64, expected: u64| {
            Err(Error::FrameOrder { what, actual: actual.to_string(), expected: expected.to_string() })
        };
        if header.segment != self.segment {
            return order("segment", u64::from(header.segment), u64::from(self.segment));
        }
        if header.number != self.number {
            return order("frame number", header.number, self.number);
        }
        if header.previous != self.previous {
            return order("previous checksum", u64::from(header.previous), u64::from(self.previous));
        }
        self.number = self.following()?;
        self.previous = header.checksum();
        Ok(())
    }

    /// The number after this one; a hostile header may name the last there is.
    fn following(&self) -> Result<u64> {
        self.number.checked_add(1).ok_or(Error::Frame { why: "its number is the last there is" })
    }

    /// Reads the frame at the start of `bytes`: its kind, its body and the bytes of both.
    pub fn read<'a>(&mut self, bytes: &'a [u8]) -> Result<(FrameKind, &'a [u8], usize)> {
        let Some((header, rest)) = bytes.split_first_chunk::<FRAME_HEADER_LEN>() else {
            return Err(Error::Frame { why: "its header is cut short" });
        };
        let header = FrameHeader::from_bytes(header)?;
        let Some(body) = rest.get(..header.len as usize) else {
            return Err(Error::Frame { why: "its body is cut short" });
        };
        header.check_body(body)?;
        self.advance(&header)?;
        Ok((header.kind, body, FRAME_HEADER_LEN + body.len()))
    }
}

/// Body of a commit frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit {
    /// Entries of the group it closes.
    pub entries: u32,
    /// Entries of the log, those of the group included.
    pub tree_size: u64,
    /// RFC 6962 root of the log at that size.
    pub root: Hash,
}

impl Commit {
    /// The 44 bytes.
    pub fn to_bytes(&self) -> [u8; COMMIT_LEN] {
        let mut out = [0; COMMIT_LEN];
        out[..4].copy_from_slice(&self.entries.to_le_bytes());
        out[4..12].copy_from_slice(&self.tree_size.to_le_bytes());
        out[12..].copy_from_slice(self.root.as_bytes());
        out
    }

    /// Reads a commit.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let bytes: &[u8; COMMIT_LEN] =
            bytes.try_into().map_err(|_| Error::Frame { why: "a commit is not 44 bytes" })?;
        Ok(Self {
            entries: u32::from_le_bytes(array(&bytes[..4])),
            tree_size: u64::from_le_bytes(array(&bytes[4..12])),
            root: Hash(array(&bytes[12..])),
        })
    }
}

/// Where the committed part of the last segment ends, and what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// Bytes up to and including the last commit frame.
    pub committed: usize,
    /// Bytes up to and including the commit frame before that one: where the last group begins.
    pub last_group: usize,
    /// Whole frames after it.
    pub frames: u64,
    /// Bytes after it, up to the last that is not zero: what follows is room for frames to come.
    pub torn: usize,
    /// What is wrong with the first frame that cannot be read, and where, if bytes follow it.
    pub broken: Option<Error>,
}

/// Finds the end of a log's last segment, given the place of the segment's first frame. `segment` names the file.
///
/// A group is one write. After a power cut any part of the last group may be missing, even before its commit frame, so
/// what follows the last commit is a torn group, unless [`signed_behind`] says otherwise.
pub fn find_tail(segment: &str, start: Chain, bytes: &[u8]) -> Tail {
    let mut chain = start;
    let mut tail = Tail { committed: 0, last_group: 0, frames: 0, torn: 0, broken: None };
    let mut at = 0;
    let written = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    // A frame may end in zeros of its own, so reading is not bounded by what was written.
    while at < written {
        let number = chain.number();
        match chain.read(&bytes[at..]) {
            Ok((kind, _, len)) => {
                at += len;
                tail.frames += 1;
                if kind == FrameKind::Commit {
                    tail = Tail { committed: at, last_group: tail.committed, frames: 0, ..tail };
                }
            }
            Err(error) => {
                tail.broken = Some(error.at(segment, at as u64, number));
                break;
            }
        }
    }
    tail.torn = written.saturating_sub(tail.committed);
    tail
}

/// Whether a checkpoint of more than `size` entries, signed by `key`, stands in `bytes`, wherever it starts: then what is
/// missing before it had been durable, since nothing is signed before it is, and these bytes are no torn group.
///
/// Nothing that others can write into the log, a payload least of all, can look like it.
pub fn signed_behind(size: u64, key: &VerifyingKey, bytes: &[u8]) -> bool {
    bytes.windows(MAGIC.len()).enumerate().filter(|(_, window)| *window == MAGIC).any(|(at, _)| {
        let Some((header, rest)) = bytes[at..].split_first_chunk::<FRAME_HEADER_LEN>() else { return false };
        let Ok(header) = FrameHeader::from_bytes(header) else { return false };
        let note = rest.get(..header.len as usize).filter(|_| header.kind == FrameKind::Checkpoint);
        let note = note.and_then(|body| std::str::from_utf8(body).ok());
        note.and_then(|note| Checkpoint::open(note, key).ok())
            .is_some_and(|checkpoint| checkpoint.size > size)
    })
}

/// Whether two segments are the same but for payloads that were erased in one of them: every frame, and every body but
/// those of payloads.
pub fn same_but_for_payloads(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while one.len() == other.len() && at < one.len() {
        let frame = |bytes: &[u8]| FrameHeader::from_bytes(bytes.get(at..)?.first_chunk()?).ok();
        let (Some(header), Some(theirs)) = (frame(one), frame(other)) else { return false };
        let end = at + FRAME_HEADER_LEN + header.len as usize;
        let bodies_differ = one.get(at..end) != other.get(at..end);
        if header.checksum() != theirs.checksum() || (bodies_differ && header.kind != FrameKind::Payloads) {
            return false;
        }
        at = end;
    }
    one.len() == other.len() && at == one.len()
}

/// Where the last commit frame ends that lies whole before byte `limit` of a segment: what can be kept of a segment that
/// is damaged there.
pub fn last_commit_before(start: Chain, bytes: &[u8], limit: u64) -> usize {
    let (mut chain, mut at, mut committed) = (start, 0, 0);
    while let Ok((kind, _, len)) = chain.read(&bytes[at..]) {
        at += len;
        if at as u64 > limit {
            break;
        }
        if kind == FrameKind::Commit {
            committed = at;
        }
    }
    committed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SigningKey;

    fn three_frames() -> Vec<u8> {
        let mut out = Vec::new();
        let mut chain = Chain::default();
        chain.append(FrameKind::Input, &[b"one", b"two"], &mut out).unwrap();
        chain.append(FrameKind::Receipt, &[], &mut out).unwrap();
        let commit = Commit { entries: 2, tree_size: 2, root: Hash::of(b"") };
        chain.append(FrameKind::Commit, &[&commit.to_bytes()], &mut out).unwrap();
        out
    }

    #[test]
    fn frames_are_read_as_they_were_written() {
        let bytes = three_frames();
        let mut chain = Chain::default();
        let (kind, body, len) = chain.read(&bytes).unwrap();
        assert_eq!((kind, body, len), (FrameKind::Input, &b"onetwo"[..], 42));
        let (kind, body, next) = chain.read(&bytes[len..]).unwrap();
        assert_eq!((kind, body), (FrameKind::Receipt, &b""[..]));
        let (kind, body, _) = chain.read(&bytes[len + next..]).unwrap();
        assert_eq!(kind, FrameKind::Commit);
        assert_eq!(Commit::from_bytes(body).unwrap().tree_size, 2);
        assert!(Commit::from_bytes(&body[1..]).is_err());
    }

    fn readable(bytes: &[u8]) -> bool {
        let (mut chain, mut at) = (Chain::default(), 0);
        while at < bytes.len() {
            let Ok((_, _, len)) = chain.read(&bytes[at..]) else { return false };
            at += len;
        }
        chain.number() == 3
    }

    #[test]
    fn a_flipped_byte_a_missing_byte_or_a_moved_frame_is_refused() {
        let bytes = three_frames();
        assert!(readable(&bytes));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            assert!(!readable(&changed), "byte {at}");
            let mut shorter = bytes.clone();
            shorter.remove(at);
            assert!(!readable(&shorter), "without byte {at}");
        }
        let (first, second) = (bytes[..42].to_vec(), bytes[42..78].to_vec());
        assert!(!readable(&[second.clone(), first.clone(), bytes[78..].to_vec()].concat()));
        assert!(!readable(&[first.clone(), first, bytes[78..].to_vec()].concat()));
    }

    #[test]
    fn a_frame_of_another_segment_is_refused() {
        let mut out = Vec::new();
        let mut chain = Chain::default();
        chain.next_segment();
        chain.append(FrameKind::Input, &[b"x"], &mut out).unwrap();
        assert!(matches!(Chain::default().read(&out), Err(Error::FrameOrder { what: "segment", .. })));
    }

    #[test]
    fn a_frame_behind_another_than_its_own_predecessor_is_refused() {
        let two = |first: &[u8]| {
            let (mut chain, mut out) = (Chain::default(), Vec::new());
            chain.append(FrameKind::Input, &[first], &mut out).unwrap();
            let at = out.len();
            chain.append(FrameKind::Receipt, &[b"second"], &mut out).unwrap();
            (out[..at].to_vec(), out[at..].to_vec())
        };
        let ((first, second), (_, stranger)) = (two(b"one"), two(b"three"));
        let mut chain = Chain::default();
        chain.read(&first).unwrap();
        let error = chain.read(&stranger).unwrap_err();
        assert!(matches!(error, Error::FrameOrder { what: "previous checksum", .. }), "{error}");
        chain.read(&second).unwrap();
    }

    #[test]
    fn a_replaced_body_has_the_same_length_and_the_same_place() {
        let bytes = three_frames();
        let header = FrameHeader::from_bytes(&array(&bytes[..FRAME_HEADER_LEN])).unwrap();
        let replaced = header.with_body(b"\0\0\0\0\0\0").unwrap();
        assert_eq!(replaced.checksum(), header.checksum());
        replaced.check_body(b"\0\0\0\0\0\0").unwrap();
        assert!(header.with_body(b"longer!").is_err());
    }

    #[test]
    fn sizes_are_checked_before_the_body_is_touched() {
        let header = FrameHeader {
            kind: FrameKind::Input,
            len: u32::MAX,
            segment: 0,
            number: 0,
            previous: 0,
            body_crc: 0,
        };
        assert!(matches!(FrameHeader::from_bytes(&header.to_bytes()), Err(Error::Limit { .. })));
    }

    #[test]
    fn a_torn_tail_ends_at_the_last_commit_and_says_what_is_broken() {
        let group = three_frames();
        let mut bytes = group.clone();
        let (mut chain, mut at) = (Chain::default(), 0);
        while at < bytes.len() {
            at += chain.read(&bytes[at..]).unwrap().2;
        }
        for _ in 0..3 {
            chain.append(FrameKind::Input, &[b"more"], &mut bytes).unwrap();
            let commit = Commit { entries: 1, tree_size: 3, root: Hash::of(b"") };
            chain.append(FrameKind::Commit, &[&commit.to_bytes()], &mut bytes).unwrap();
        }
        let group_len = (bytes.len() - group.len()) / 3;
        let last = bytes.len() - group_len;
        let tail = |bytes: &[u8]| find_tail("s", Chain::default(), bytes);
        let whole = Tail { committed: bytes.len(), last_group: last, frames: 0, torn: 0, broken: None };
        assert_eq!(tail(&bytes), whole);
        assert_eq!(tail(&[&bytes[..], &[0; 100]].concat()), whole, "zeros are room");
        let torn = tail(&[&bytes[..], &[0, 7], &[0; 100]].concat());
        assert_eq!((torn.committed, torn.last_group, torn.torn), (bytes.len(), last, 2));
        for len in last..bytes.len() {
            assert_eq!(tail(&bytes[..len]).committed, last, "length {len}");
        }
        let mut holed = bytes;
        holed[last - group_len] ^= 1;
        let tail = tail(&holed);
        assert_eq!(tail.committed, last - group_len);
        assert_eq!(tail.broken.unwrap().place().unwrap().offset, (last - group_len) as u64);
    }

    #[test]
    fn segments_that_differ_in_payloads_alone_are_the_same() {
        let segment = |input: &[u8], payload: &[u8]| {
            let (mut chain, mut out) = (Chain::default(), Vec::new());
            chain.append(FrameKind::Input, &[input], &mut out).unwrap();
            chain.append(FrameKind::Payloads, &[payload], &mut out).unwrap();
            chain.append(FrameKind::Receipt, &[b"r"], &mut out).unwrap();
            out
        };
        let whole = segment(b"input", b"text");
        assert!(same_but_for_payloads(&whole, &whole));
        assert!(same_but_for_payloads(&whole, &segment(b"input", b"\0\0\0\0")));
        assert!(!same_but_for_payloads(&whole, &segment(b"other", b"text")));
        assert!(!same_but_for_payloads(&whole, &segment(b"input", b"longer")));
        assert!(!same_but_for_payloads(&whole, &whole[..whole.len() - 1]));
        assert!(!same_but_for_payloads(&[0; 40], &[1; 40]));
    }

    #[test]
    fn only_a_signed_checkpoint_of_more_shows_that_what_is_missing_was_durable() {
        let (key, other) = (SigningKey::generate([1; 32], b""), SigningKey::generate([2; 32], b""));
        let note = |signer: &SigningKey, size| {
            let origin = signer.verifying_key().name().to_owned();
            Checkpoint { origin, size, root: Hash::ZERO }.sign(signer).unwrap()
        };
        let behind = |kind, body: &str, size| {
            let mut bytes = b"what is left of a frame".to_vec();
            Chain::default().append(kind, &[body.as_bytes()], &mut bytes).unwrap();
            signed_behind(size, key.verifying_key(), &bytes)
        };
        assert!(behind(FrameKind::Checkpoint, &note(&key, 8), 7));
        assert!(!behind(FrameKind::Checkpoint, &note(&key, 7), 7), "of what is there");
        assert!(!behind(FrameKind::Checkpoint, &note(&other, 8), 7), "by another hand");
        assert!(!behind(FrameKind::Payloads, &note(&key, 8), 7), "in a payload");
        let commit = Commit { entries: 1, tree_size: 9, root: Hash::ZERO };
        let mut bytes = Vec::new();
        let mut chain = Chain::default();
        for _ in 0..3 {
            chain.append(FrameKind::Commit, &[&commit.to_bytes()], &mut bytes).unwrap();
        }
        assert!(!signed_behind(7, key.verifying_key(), &bytes), "commits, which anyone can write");
    }
}
