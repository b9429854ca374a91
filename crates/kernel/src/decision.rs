//! Decisions: receipts with their bodies. The bodies are what anyone re-derives from the inputs before them, and what a
//! restart folds instead of deciding again. See `docs/formats/decisions.md`.

use knhk_change::finding::{Finding, StageResult};
use knhk_change::proposal::{Proposal, ProposalId};
use knhk_evidence::receipt::{Draft, ReceiptId};
use knhk_evidence::{Hash, canonical};
use knhk_observation::baseline::Baseline;
use knhk_observation::pattern::Pattern;
use knhk_ontology::{ContentId, SnapshotId, TripleDelta, Version};
use serde::{Deserialize, Serialize};

use crate::error::KernelError;

/// One decision: a receipt to sign, its id, and the body that its evidence digest covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The receipt before it is signed.
    pub draft: Draft,
    /// Its id, known before the signature.
    pub id: ReceiptId,
    /// Canonical CBOR of a [`Body`].
    pub body: Vec<u8>,
}

/// What a decision says. The operation of its receipt follows from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Body {
    /// A sector's first snapshot was made from its pack.
    SectorUpdated(Genesis),
    /// A sealed block was taken in.
    ObservationIngested(Ingested),
    /// The detectors ran.
    PatternDetected(Detected),
    /// The planner ran.
    ProposalGenerated(Planned),
    /// One proposal went through the seven stages, or there was none to check.
    ValidationExecuted(Validated),
    /// A proposal would break hard invariants.
    InvariantViolation(Violated),
    /// A change became current.
    SnapshotPromoted(Promoted),
    /// A cycle ended.
    LoopCycleCompleted(CycleSummary),
    /// An ancestor's content became current again.
    RollbackExecuted(RolledBack),
}

/// The first snapshot of a sector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// Its snapshot id.
    pub snapshot_id: SnapshotId,
    /// Its content id.
    pub content_id: ContentId,
    /// The pack's version.
    pub version: Version,
    /// The pack's digest.
    pub pack_digest: Hash,
    /// When, Unix ms.
    pub promoted_at_ms: u64,
}

/// What a block held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ingested {
    /// Hash of the block's header.
    pub block: Hash,
    /// Its number in the sector.
    pub number: u64,
    /// Observations in it.
    pub observations: u64,
    /// How many conform to the ontology in force.
    pub conform: u64,
}

/// What the detectors found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detected {
    /// Observations in the window.
    pub observations: u64,
    /// How many conform to the ontology in force.
    pub conform: u64,
    /// Values and events beyond the limits of a profile: they were not examined (`docs/limits.md`).
    pub not_examined: u64,
    /// Event-time watermark of the window, Unix ms.
    pub watermark_ms: i64,
    /// Digest of the window's profile summary.
    pub profile: Hash,
    /// The patterns, in report order; many are spread over several receipts that agree in all else.
    pub patterns: Vec<Pattern>,
    /// Fingerprints, among those of this receipt, whose change waits for a person already; they are not acted on again.
    pub repeated: Vec<String>,
}

/// What the planner proposes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    /// One proposal, or none. They are checked in the order of their receipts.
    pub proposals: Vec<Proposal>,
}

/// How one proposal fared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validated {
    /// The proposal; `None` when the cycle had none.
    pub proposal: Option<ProposalId>,
    /// The snapshot it was checked against: the head at that moment.
    pub against: SnapshotId,
    /// The seven results, in order; empty when there was no proposal.
    pub stages: Vec<StageResult>,
    /// Verdict.
    pub verdict: Verdict,
}

/// What a proposal would break that nothing may break.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Violated {
    /// The proposal; it was not promoted.
    pub proposal: ProposalId,
    /// The snapshot it was checked against.
    pub against: SnapshotId,
    /// The errors of stage 2, each with the invariant as its rule.
    pub findings: Vec<Finding>,
}

/// What follows from seven results and the promotion policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// There was nothing to check.
    Nothing,
    /// Promote it.
    Promote,
    /// Keep it until a person decides.
    Hold {
        /// Why.
        why: String,
    },
    /// Refuse it.
    Reject {
        /// Why.
        why: String,
    },
}

/// A promotion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promoted {
    /// The proposal it came from.
    pub proposal: ProposalId,
    /// The new snapshot.
    pub snapshot_id: SnapshotId,
    /// Its content.
    pub content_id: ContentId,
    /// Its parents.
    pub parents: Vec<SnapshotId>,
    /// Its version.
    pub version: Version,
    /// When, Unix ms; later than its parent.
    pub promoted_at_ms: u64,
    /// The change in triples.
    pub delta: TripleDelta,
}

/// A rollback: a new snapshot with an ancestor's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolledBack {
    /// The ancestor.
    pub to: SnapshotId,
    /// The new snapshot.
    pub snapshot_id: SnapshotId,
    /// Its content: the ancestor's.
    pub content_id: ContentId,
    /// Its parents.
    pub parents: Vec<SnapshotId>,
    /// Its version.
    pub version: Version,
    /// When, Unix ms; later than its parent.
    pub promoted_at_ms: u64,
    /// The change back, in triples.
    pub delta: TripleDelta,
    /// The operator's reason.
    pub reason: String,
}

/// The end of a cycle and what it taught.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CycleSummary {
    /// Observations in its window.
    pub observations: u64,
    /// Repeats refused at the gate.
    pub duplicates: u64,
    /// Events refused at the gate.
    pub rejected: u64,
    /// Patterns found.
    pub patterns: u64,
    /// Proposals made.
    pub proposals: u64,
    /// Proposals that passed all stages.
    pub passed: u64,
    /// Proposals that failed a stage.
    pub failed: u64,
    /// Snapshots promoted.
    pub promotions: u64,
    /// Proposals held for a person.
    pub held: u64,
    /// How the cycle ended.
    pub outcome: CycleOutcome,
    /// Ids of the cycle's receipts before this one, the first [`crate::sector::CYCLE_RECEIPTS_MAX`].
    pub receipts: Vec<ReceiptId>,
    /// Rates known from now on.
    pub baseline: Baseline,
}

/// How a cycle ended; always computed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CycleOutcome {
    /// Every phase did its work, and every proposal was promoted or held.
    Success,
    /// Every phase did its work, but some proposals were rejected.
    PartialSuccess {
        /// Which.
        reason: String,
    },
    /// A phase failed.
    Failed {
        /// Which and why.
        reason: String,
    },
}

impl Body {
    /// Reads a body as it stands in a log.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KernelError> {
        Ok(canonical::from_bytes_exact(bytes)?)
    }

    /// The canonical bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, KernelError> {
        Ok(canonical::to_bytes(self)?)
    }
}
