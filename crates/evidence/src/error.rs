//! The one error type of this crate. Every variant has a code with a page under `docs/errors/`.

use std::fmt;

/// The result of every fallible function here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Where in a log something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Name of the segment file, e.g. `00000000.seg`.
    pub segment: String,
    /// Byte offset in the segment of the frame that is wrong.
    pub offset: u64,
    /// Number of that frame, counted from 0 over the whole log.
    pub frame: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {} (frame {})", self.segment, self.offset, self.frame)
    }
}

/// What can be wrong with evidence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A float was about to be hashed.
    #[error("a float has no canonical form: write an integer in a stated unit, or text")]
    Float,
    /// A value that canonical CBOR here does not carry (tag, big integer, map key that is not text, repeated key).
    #[error("cannot encode {what}: use text keys, integers of 64 bits, text, bytes, arrays and maps")]
    Unencodable {
        /// The kind of value.
        what: &'static str,
    },
    /// Bytes that are not the one canonical encoding of a value.
    #[error("not canonical CBOR at byte {offset}: {why}; encode it again with RFC 8949 section 4.2.1 rules")]
    NotCanonical {
        /// Offset of the first byte that breaks the rule.
        offset: usize,
        /// The rule.
        why: &'static str,
    },
    /// Something is larger than its stated limit.
    #[error("{what} is {actual}, above the limit of {limit}: split it or make it smaller")]
    Limit {
        /// The thing that is too large.
        what: &'static str,
        /// Its size.
        actual: u64,
        /// The limit.
        limit: u64,
    },
    /// Well-formed bytes or text that are not the thing expected.
    #[error("not a valid {what}: {why}")]
    Shape {
        /// The thing expected.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// An observation record breaks a rule of its format.
    #[error("record {index} of the block is wrong: {why}")]
    Record {
        /// Index of the record in its block.
        index: usize,
        /// The rule.
        why: &'static str,
    },
    /// A block header breaks a rule of its format, or does not describe its records.
    #[error("block header is wrong: {why}")]
    Block {
        /// The rule.
        why: &'static str,
    },
    /// A block does not continue its sector's chain or the log's observation numbers.
    #[error("block does not continue the chain: {what} is {actual}, expected {expected}")]
    BlockChain {
        /// The field.
        what: &'static str,
        /// What the block says.
        actual: String,
        /// What the log says.
        expected: String,
    },
    /// A payload is not the one its record was made from.
    #[error("payload of record {index} is wrong: {why}; restore it from a copy, or erase it")]
    Payload {
        /// Index of the record in its block.
        index: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// An interned id has no text, or a table entry breaks the table's rules.
    #[error("interned {table} {id}: {why}")]
    Interned {
        /// The table.
        table: &'static str,
        /// The id.
        id: u64,
        /// What is wrong.
        why: &'static str,
    },
    /// A receipt does not continue its sector's chain.
    #[error(
        "receipt of sector {sector} does not continue its chain: {what} is {actual}, expected {expected}"
    )]
    ReceiptChain {
        /// The sector.
        sector: String,
        /// The field.
        what: &'static str,
        /// What the receipt says.
        actual: String,
        /// What the log says.
        expected: String,
    },
    /// A body is not the one that a receipt or an input names by digest.
    #[error("{what} body has digest {actual}, its entry names {expected}")]
    Body {
        /// "receipt" or "input".
        what: &'static str,
        /// Digest of the body at hand.
        actual: String,
        /// Digest in the entry.
        expected: String,
    },
    /// A signature does not verify.
    #[error(
        "signature of {what} does not verify with key {key}: the bytes were changed, or the key is wrong"
    )]
    Signature {
        /// What was signed.
        what: &'static str,
        /// Name and id of the key.
        key: String,
    },
    /// Signed by, or naming, another key than the one in force.
    #[error("{what} names key {actual}, the key in force is {expected}")]
    Key {
        /// The thing.
        what: &'static str,
        /// The key it names.
        actual: String,
        /// The key in force.
        expected: String,
    },
    /// The trusted key is not one of the log's keys.
    #[error(
        "the log was not written under the trusted key {trusted}: check that this is the right log and the right key"
    )]
    Untrusted {
        /// The key the verifier was given.
        trusted: String,
    },
    /// A checkpoint and the log disagree.
    #[error(
        "checkpoint of size {size} has root {actual}, the log has {expected}: this is not the log it was signed for"
    )]
    Checkpoint {
        /// Tree size of the checkpoint.
        size: u64,
        /// Root in the checkpoint.
        actual: String,
        /// Root of the log at that size.
        expected: String,
    },
    /// A signed checkpoint covers more than the log holds.
    #[error(
        "the log ends at entry {actual}, a signed checkpoint covers {expected}: it was cut or rolled back; restore the newer copy"
    )]
    RolledBack {
        /// Entries in the log.
        actual: u64,
        /// Entries under the checkpoint.
        expected: u64,
    },
    /// A proof does not lead from the data to the checkpoint's root.
    #[error("proof does not hold: {why}")]
    Proof {
        /// The step that fails.
        why: &'static str,
    },
    /// A frame's bytes are damaged.
    #[error("frame is damaged: {why}")]
    Frame {
        /// The check that fails.
        why: &'static str,
    },
    /// A frame stands where it must not.
    #[error("frame is out of order: {what} is {actual}, expected {expected}")]
    FrameOrder {
        /// The field or position.
        what: &'static str,
        /// What the frame says.
        actual: String,
        /// What must stand there.
        expected: String,
    },
    /// A commit frame does not describe the group it closes.
    #[error("commit frame is wrong: {what} is {actual}, the log has {expected}")]
    Commit {
        /// The field.
        what: &'static str,
        /// What the frame says.
        actual: String,
        /// What was computed.
        expected: String,
    },
    /// Bytes after the last commit.
    #[error(
        "{bytes} bytes follow the last commit: a write was cut short; opening the log for append removes them"
    )]
    Uncommitted {
        /// How many.
        bytes: u64,
    },
    /// A numbered record, or the opening or closing of a count, does not continue its producer's count.
    #[error("source {source_id} does not continue its count: {what} is {actual}, expected {expected}")]
    Producer {
        /// Interned source.
        source_id: u32,
        /// The field.
        what: &'static str,
        /// What the entry says.
        actual: u64,
        /// What the log says.
        expected: String,
    },
    /// A sealed state is not the state of the log before it.
    #[error("sealed state does not match: {why}")]
    Sealed {
        /// What does not match.
        why: &'static str,
    },
    /// Any of the above, at a known place in a log.
    #[error("{place}: {error}")]
    At {
        /// The place.
        place: Box<Place>,
        /// What is wrong there.
        error: Box<Error>,
    },
}

impl Error {
    /// Every code of this crate, each with a page `docs/errors/CODE.md`.
    pub const CODES: &'static [&'static str] = &[
        "KNHK-E1101",
        "KNHK-E1102",
        "KNHK-E1103",
        "KNHK-E1104",
        "KNHK-E1105",
        "KNHK-E1106",
        "KNHK-E1107",
        "KNHK-E1108",
        "KNHK-E1109",
        "KNHK-E1110",
        "KNHK-E1111",
        "KNHK-E1112",
        "KNHK-E1113",
        "KNHK-E1114",
        "KNHK-E1115",
        "KNHK-E1116",
        "KNHK-E1117",
        "KNHK-E1118",
        "KNHK-E1119",
        "KNHK-E1120",
        "KNHK-E1121",
        "KNHK-E1122",
        "KNHK-E1140",
        "KNHK-E1141",
    ];

    /// The stable code: what `knhk explain` takes.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Float => "KNHK-E1101",
            Self::Unencodable { .. } => "KNHK-E1102",
            Self::NotCanonical { .. } => "KNHK-E1103",
            Self::Limit { .. } => "KNHK-E1104",
            Self::Shape { .. } => "KNHK-E1105",
            Self::Record { .. } => "KNHK-E1106",
            Self::Block { .. } => "KNHK-E1107",
            Self::BlockChain { .. } => "KNHK-E1108",
            Self::Payload { .. } => "KNHK-E1109",
            Self::Interned { .. } => "KNHK-E1110",
            Self::ReceiptChain { .. } => "KNHK-E1111",
            Self::Body { .. } => "KNHK-E1112",
            Self::Signature { .. } => "KNHK-E1113",
            Self::Key { .. } => "KNHK-E1114",
            Self::Untrusted { .. } => "KNHK-E1115",
            Self::Checkpoint { .. } => "KNHK-E1116",
            Self::RolledBack { .. } => "KNHK-E1117",
            Self::Proof { .. } => "KNHK-E1118",
            Self::Frame { .. } => "KNHK-E1119",
            Self::FrameOrder { .. } => "KNHK-E1120",
            Self::Commit { .. } => "KNHK-E1121",
            Self::Uncommitted { .. } => "KNHK-E1122",
            Self::Producer { .. } => "KNHK-E1140",
            Self::Sealed { .. } => "KNHK-E1141",
            Self::At { error, .. } => error.code(),
        }
    }

    /// Where it is, if it was found in a log.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::At { place, .. } => Some(place),
            _ => None,
        }
    }

    /// The same error with a place; an error that has one keeps it.
    #[must_use]
    pub fn at(self, segment: &str, offset: u64, frame: u64) -> Self {
        match self {
            Self::At { .. } => self,
            error => Self::At {
                place: Box::new(Place { segment: segment.to_owned(), offset, frame }),
                error: Box::new(error),
            },
        }
    }
}

/// Refuses a size above its limit.
pub(crate) fn within(what: &'static str, actual: usize, limit: usize) -> Result<()> {
    if actual > limit {
        return Err(Error::Limit { what, actual: actual as u64, limit: limit as u64 });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_page() {
        let pages = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors");
        for code in Error::CODES {
            let page = std::fs::read_to_string(format!("{pages}/{code}.md")).unwrap_or_default();
            assert!(page.starts_with(&format!("# {code}: ")), "{code} has no page");
            assert!(
                page.contains("\n## Cause\n") && page.contains("\n## Mend\n"),
                "{code}: a section is missing"
            );
        }
    }

    #[test]
    fn an_error_keeps_its_first_place_and_its_code() {
        let error = Error::Float.at("00000000.seg", 36, 2).at("00000001.seg", 0, 9);
        assert_eq!(error.code(), "KNHK-E1101");
        assert_eq!(error.place().unwrap().frame, 2);
        assert!(error.to_string().starts_with("00000000.seg at byte 36 (frame 2): a float"));
        assert_eq!(Error::Float.place(), None);
    }
}
