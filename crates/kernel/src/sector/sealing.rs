//! A sector's state as a sealed object, and back. Every field of the state is named here, so none can be forgotten.

use std::collections::BTreeMap;

use knhk_change::proposal::{Proposal, ProposalId};
use knhk_change::window::Window;
use knhk_evidence::Hash;
use knhk_evidence::receipt::ReceiptId;
use knhk_observation::baseline::Baseline;
use knhk_observation::profile::Profile;
use knhk_ontology::{SnapshotId, TripleDelta, Version};
use serde::{Deserialize, Serialize};

use super::SectorState;
use crate::chain::Chain;
use crate::decision::Verdict;
use crate::dedupe::Seen;
use crate::error::KernelError;
use crate::inputs::SectorAdmitted;
use crate::kernel::Kernel;
use crate::lineage::Lineage;
use crate::sealed::{Objects, Source};

/// A snapshot's way from the one before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    pub(crate) delta: TripleDelta,
    pub(crate) version: Version,
    pub(crate) promoted_at_ms: u64,
    pub(crate) snapshot_id: SnapshotId,
}

/// What genesis was made of.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) pack: SectorAdmitted,
    pub(crate) admitted_at_ms: i64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealedSector {
    /// Object of the pack's files.
    pack: Hash,
    admitted_at_ms: i64,
    /// Whether genesis was decided on.
    begun: bool,
    steps: Vec<Step>,
    next_sequence: u64,
    parent: Option<ReceiptId>,
    /// Object of the identities remembered, 16 bytes each, the oldest first.
    seen: Hash,
    receipts: Vec<ReceiptId>,
    baseline: Baseline,
    cycles: u64,
    held: Vec<Proposal>,
    refused: BTreeMap<String, String>,
    approved: Vec<(ProposalId, Vec<String>)>,
    lineage: Lineage,
    corpus: Vec<(ProposalId, Verdict)>,
    violations: BTreeMap<String, u64>,
}

impl SectorState {
    pub(crate) fn seal(&self, objects: &mut Objects) -> Result<Hash, KernelError> {
        let Self {
            name,
            origin,
            // Both follow from the origin and the steps.
            genesis: _,
            history: _,
            current,
            steps,
            chain,
            seen,
            // Of the last window nothing is kept, and there is no open one.
            profile: _,
            window: _,
            window_closed,
            observations: _,
            conform: _,
            measured: _,
            planned: _,
            receipts,
            baseline,
            cycles,
            held,
            refused,
            approved,
            lineage,
            corpus,
            violations,
        } = self;
        if !window_closed {
            return Err(KernelError::WindowOpen { sector: name.clone() });
        }
        let sealed = SealedSector {
            pack: objects.keep_value(&origin.pack)?,
            admitted_at_ms: origin.admitted_at_ms,
            begun: current.is_some(),
            steps: steps.clone(),
            next_sequence: chain.len(),
            parent: chain.last(),
            seen: objects.keep(seen.to_bytes()),
            receipts: receipts.clone(),
            baseline: baseline.clone(),
            cycles: *cycles,
            held: held.values().cloned().collect(),
            refused: refused.clone(),
            approved: approved.iter().map(|(id, patterns)| (*id, patterns.clone())).collect(),
            lineage: lineage.clone(),
            corpus: corpus.iter().map(|(id, verdict)| (*id, verdict.clone())).collect(),
            violations: violations.clone(),
        };
        objects.keep_value(&sealed)
    }

    pub(crate) fn unseal(name: &str, digest: Hash, source: &mut Source<'_>) -> Result<Self, KernelError> {
        let sealed: SealedSector = source.value(digest)?;
        let pack: SectorAdmitted = source.value(sealed.pack)?;
        let (mut state, _) = Kernel::genesis(name, &pack, sealed.admitted_at_ms)?;
        if sealed.begun {
            state.current = Some(std::sync::Arc::clone(&state.genesis));
        }
        for step in sealed.steps {
            let next =
                state.successor(&step.delta, step.version, step.promoted_at_ms, step.snapshot_id, None)?;
            state.history = next.history;
            state.current = Some(next.next);
            state.steps.push(step);
        }
        state.chain = Chain::at(sealed.next_sequence, sealed.parent);
        state.seen = Seen::from_bytes(&source.bytes(sealed.seen)?);
        state.receipts = sealed.receipts;
        state.baseline = sealed.baseline;
        state.cycles = sealed.cycles;
        state.held = sealed.held.into_iter().map(|proposal| (proposal.id(), proposal)).collect();
        state.refused = sealed.refused;
        state.approved = sealed.approved.into_iter().collect();
        state.lineage = sealed.lineage;
        state.corpus = sealed.corpus.into_iter().collect();
        state.violations = sealed.violations;
        Ok(state)
    }

    /// Lets go of the last window: who goes on from a sealed state does not have it.
    pub(crate) fn forget_window(&mut self) {
        self.profile = Profile::default();
        self.window = Window::default();
        self.measured = None;
    }
}
