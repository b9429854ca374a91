//! The receipt chain of one sector: who comes next, and after whom.

use knhk_evidence::Hash;
use knhk_evidence::receipt::{Draft, Operation, Outcome, ReceiptId};

use crate::decision::{Body, Decision};
use crate::error::KernelError;

/// Digests of what was in force when a decision was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct InForce {
    /// Content id of the sector's ontology.
    pub ontology: Hash,
    /// Digest of core's and the sector's doctrine.
    pub doctrine: Hash,
    /// Digest of core's and the sector's guards.
    pub guards: Hash,
}

/// The end of a sector's receipt chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Chain {
    next_sequence: u64,
    parent: Option<ReceiptId>,
}

/// What a receipt says beside its body.
#[derive(Clone, Debug)]
pub struct Circumstances<'a> {
    /// The sector.
    pub sector: &'a str,
    /// The cycle, if any.
    pub cycle: Option<&'a str>,
    /// Time of the input that is decided on, Unix ms.
    pub time_ms: i64,
    /// What is in force.
    pub in_force: InForce,
    /// Version of the decision rules.
    pub semantics_version: u32,
    /// Key that signs.
    pub key_id: u32,
}

impl Chain {
    /// The end of a chain of `next_sequence` receipts.
    pub(crate) fn at(next_sequence: u64, last: Option<ReceiptId>) -> Self {
        Self { next_sequence, parent: last }
    }

    /// The last receipt.
    pub fn last(&self) -> Option<ReceiptId> {
        self.parent
    }

    /// Receipts so far.
    pub fn len(&self) -> u64 {
        self.next_sequence
    }

    /// Whether there is none yet.
    pub fn is_empty(&self) -> bool {
        self.next_sequence == 0
    }

    /// The next decision of this chain. The chain itself moves only when it takes effect.
    pub fn next(
        &self,
        at: &Circumstances<'_>,
        body: &Body,
        outcome: Outcome,
    ) -> Result<Decision, KernelError> {
        let bytes = body.to_bytes()?;
        let draft = Draft {
            operation: operation(body),
            outcome,
            sector: at.sector.to_owned(),
            sequence: self.next_sequence,
            parent: self.parent,
            time_ms: at.time_ms,
            cycle: at.cycle.map(str::to_owned),
            evidence_digest: Hash::of(&bytes),
            ontology_digest: at.in_force.ontology,
            doctrine_digest: at.in_force.doctrine,
            guards_digest: at.in_force.guards,
            semantics_version: at.semantics_version,
            key_id: at.key_id,
        };
        let id = draft.id()?;
        Ok(Decision { draft, id, body: bytes })
    }

    /// Whether a receipt with this place comes next.
    ///
    /// # Errors
    /// [`KernelError::BrokenChain`].
    pub fn expect(&self, sequence: u64, parent: Option<ReceiptId>) -> Result<(), KernelError> {
        if sequence != self.next_sequence || parent != self.parent {
            return Err(KernelError::BrokenChain { sequence, expected: self.next_sequence });
        }
        Ok(())
    }

    /// Moves to `id`, the receipt that was [expected](Chain::expect) and decided or read back.
    pub(crate) fn follow(&mut self, id: ReceiptId) {
        self.next_sequence += 1;
        self.parent = Some(id);
    }
}

fn operation(body: &Body) -> Operation {
    match body {
        Body::SectorUpdated(_) => Operation::SectorUpdated,
        Body::ObservationIngested(_) => Operation::ObservationIngested,
        Body::PatternDetected(_) => Operation::PatternDetected,
        Body::ProposalGenerated(_) => Operation::ProposalGenerated,
        Body::ValidationExecuted(_) => Operation::ValidationExecuted,
        Body::InvariantViolation(_) => Operation::InvariantViolation,
        Body::SnapshotPromoted(_) => Operation::SnapshotPromoted,
        Body::LoopCycleCompleted(_) => Operation::LoopCycleCompleted,
        Body::RollbackExecuted(_) => Operation::RollbackExecuted,
    }
}
