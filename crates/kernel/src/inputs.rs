//! The bodies of logged inputs (`docs/formats/input.md`): everything the kernel decides on comes through one of these or
//! through a sealed block.

use std::collections::BTreeMap;

use knhk_change::proposal::Proposal;
use knhk_evidence::hash::Bytes;
use knhk_evidence::input::{Input, InputKind};
use serde::{Deserialize, Serialize};

use crate::error::KernelError;
use crate::sealed::StateSealed;

/// Version of the rules by which this code decides. It changes whenever the same inputs may give other decisions.
pub const SEMANTICS_VERSION: u32 = 3;

/// Name and version of this build, as logs name it.
pub const BUILD: &str = concat!("knhk ", env!("CARGO_PKG_VERSION"));

/// Body of `kernel_started`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelStarted {
    /// [`SEMANTICS_VERSION`] of the kernel that runs from here on.
    pub semantics_version: u32,
    /// Name and version of the program, for people.
    pub build: String,
    /// C2SP key id of the key that signs from here on.
    pub key_id: u32,
}

/// Body of `sector_admitted`: the pack as it was on disk, so that the log needs no other file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SectorAdmitted {
    /// File name → content, of the pack (`docs/formats/pack.md`).
    pub files: BTreeMap<String, Bytes>,
}

/// How a change that passed all stages is let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromoteMode {
    /// As the sector's policy says.
    Policy,
    /// Hold every change for a person.
    Hold,
    /// A person has reviewed this change: what the policy would hold for review goes through.
    Reviewed,
}

/// Body of `cycle_due`: one window ends here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CycleDue {
    /// Events refused at the gate since the last cycle; they are in the dead-letter file, not in the log.
    pub rejected: u64,
    /// Repeats of known identities since the last cycle.
    pub duplicates: u64,
    /// How to let changes through.
    pub promote: PromoteMode,
}

/// Body of `measurement`: what the shell measured before a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Mean time of one admission verdict over a batch of events (the median batch), in nanoseconds.
    pub admission_batch_mean_ns: u64,
    /// 99th percentile of one admission verdict, in nanoseconds.
    pub admission_p99_ns: u64,
    /// Resident memory of the process, in bytes.
    pub resident_bytes: u64,
}

/// Body of `operator_command`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Make an ancestor's content current again.
    Rollback {
        /// Snapshot id of the ancestor, hex.
        to: String,
        /// Why, for the record.
        reason: String,
    },
    /// Promote a held proposal, after checking it again against the current snapshot.
    Promote {
        /// Proposal id, hex.
        proposal: String,
    },
    /// Check a change that a person proposes and, where policy lets it, promote it.
    Propose {
        /// What is proposed.
        proposal: Box<Proposal>,
    },
    /// Reject a held proposal.
    Reject {
        /// Proposal id, hex.
        proposal: String,
        /// Why, for the record.
        reason: String,
    },
    /// The payloads of these observations are erased. Nothing is decided on it.
    Erase {
        /// Their sequences.
        sequences: Vec<u64>,
        /// Who asked for it, and why, for the record.
        reason: String,
    },
}

/// An input by what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The kernel started.
    Started(KernelStarted),
    /// A name got a number; see [`knhk_evidence::intern`].
    Interned,
    /// The log's own bookkeeping, on which no decision depends.
    OfTheLog,
    /// A pack was admitted.
    Admitted(SectorAdmitted),
    /// The state was sealed.
    Sealed(StateSealed),
    /// A cycle is due.
    Cycle(CycleDue),
    /// A measurement was taken.
    Measured(Measured),
    /// An operator commands.
    Command(Command),
}

impl Meaning {
    /// Reads the body by its kind. A kind that this version does not decide on is refused, never skipped.
    pub fn of(input: &Input) -> Result<Self, KernelError> {
        fn body<T: Serialize + serde::de::DeserializeOwned>(input: &Input) -> Result<T, KernelError> {
            Ok(knhk_evidence::canonical::from_bytes_exact(&input.body.0)?)
        }
        Ok(match input.kind {
            InputKind::KernelStarted => Self::Started(body(input)?),
            InputKind::Interned => Self::Interned,
            InputKind::LogSealed
            | InputKind::LogRetained
            | InputKind::LogSalvaged
            | InputKind::ProducerOpened
            | InputKind::ProducerClosed => Self::OfTheLog,
            InputKind::SectorAdmitted => Self::Admitted(body(input)?),
            InputKind::StateSealed => Self::Sealed(body(input)?),
            InputKind::CycleDue => Self::Cycle(body(input)?),
            InputKind::Measurement => Self::Measured(body(input)?),
            InputKind::OperatorCommand => Self::Command(body(input)?),
            kind => return Err(KernelError::UnknownInput { kind: kind.name() }),
        })
    }
}
