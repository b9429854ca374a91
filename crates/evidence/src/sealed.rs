//! The sealed state of a log: enough to verify, prove and append from there on. See `docs/formats/sealed-state.md`.

use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::error::{Error, Result};
use crate::hash::{Bytes, Hash};
use crate::input::{Input, InputKind};
use crate::producers::Lost;

/// What a count of a sealed state may be at most: 2^62.
pub const MAX_COUNT: u64 = 1 << 62;

/// Body of a `log_sealed` input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedState {
    /// Entries of the log so far.
    pub size: u64,
    /// Roots of the complete subtrees, largest first.
    pub peaks: Vec<Hash>,
    /// Event types by number.
    pub event_types: Vec<String>,
    /// Sectors by number.
    pub sectors: Vec<String>,
    /// Sources by number.
    pub sources: Vec<String>,
    /// Per sector: number of the next block, digest of the last header.
    pub blocks: Vec<(u16, u64, Hash)>,
    /// Per sector: sequence of the next receipt, id of the last.
    pub receipts: Vec<(String, u64, Hash)>,
    /// Per source: epoch, next number, whether it is open.
    pub producers: Vec<(u32, u64, u64, bool)>,
    /// What producers lost.
    pub lost: Lost,
    /// Sequence of the next observation.
    pub next_sequence: u64,
    /// Every key so far, the one in force last.
    pub keys: Vec<String>,
    /// Latest time of an entry, Unix milliseconds.
    pub time_ms: i64,
    /// How much there is of each kind.
    pub counts: SealedCounts,
}

/// The counts that follow from entries alone; erased payloads do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as in Counts")]
pub struct SealedCounts {
    pub blocks: u64,
    pub observations: u64,
    pub receipts: u64,
    pub inputs: u64,
    pub keys: u64,
    pub payload_bytes: u64,
}

/// Body of a `log_retained` input: the writer drops what is older, on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retained {
    /// Entries from this index on are kept.
    pub from: u64,
    /// Under which rule, for people.
    pub reason: String,
}

/// Body of a `log_salvaged` input: damage was cut off, and with it what stood behind it. It is the first entry after the
/// cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Salvaged {
    /// Index of the first entry that was given up: this input's own.
    pub from: u64,
    /// Entries that the log had had, as far as is known: by its checkpoint, or by what was readable behind the damage.
    pub had: u64,
    /// Where the damage is, and what, for people.
    pub damage: String,
    /// The signed checkpoint that the log no longer agrees with, if there was one.
    pub checkpoint: Option<String>,
}

impl SealedState {
    /// The input that seals a log in this state.
    ///
    /// # Errors
    /// Refuses a state whose body is above 16 MiB.
    pub fn to_input(&self) -> Result<Input> {
        Input::new(InputKind::LogSealed, None, self.time_ms, self)
    }

    /// No count of a real log comes near the end of its numbers; a forged one must not make a sum overflow.
    fn check_counts(&self) -> Result<()> {
        let SealedCounts { blocks, observations, receipts, inputs, keys, payload_bytes } = self.counts;
        let all =
            [self.size, self.next_sequence, blocks, observations, receipts, inputs, keys, payload_bytes];
        let next = self
            .blocks
            .iter()
            .map(|(_, next, _)| *next)
            .chain(self.receipts.iter().map(|(_, next, _)| *next));
        if all.into_iter().chain(next).any(|count| count > MAX_COUNT) {
            return Err(Error::Sealed { why: "one of its counts is beyond that of any log" });
        }
        Ok(())
    }

    /// Reads the state that an input seals.
    ///
    /// # Errors
    /// Refuses another kind of input, and a body that is not exactly a state.
    pub fn of(input: &Input) -> Result<Self> {
        if input.kind != InputKind::LogSealed {
            return Err(Error::FrameOrder {
                what: "entry",
                actual: input.kind.name().into(),
                expected: InputKind::LogSealed.name().into(),
            });
        }
        let Bytes(body) = &input.body;
        let state: Self = canonical::from_bytes_exact(body)?;
        state.check_counts()?;
        Ok(state)
    }
}
