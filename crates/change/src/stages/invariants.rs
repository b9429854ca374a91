//! Stage 2: the hard invariants. Their definitions are in [`crate::invariants`].

use super::{Context, candidate};
use crate::finding::{Stage, StageResult};
use crate::invariants;
use crate::proposal::Proposal;
use crate::shadow::Shadow;

/// Checks Q0 to Q5; only Q1 when the change cannot be applied.
pub fn check(shadow: &Shadow, proposal: &Proposal, context: &Context<'_>) -> StageResult {
    let base = shadow.base();
    let mut findings =
        invariants::no_retrocausation(proposal.content(), base, context.history, context.now_ms);
    let candidate = match candidate(shadow, Stage::Invariants) {
        Ok(candidate) => candidate,
        Err(mut skipped) => {
            if !findings.is_empty() {
                skipped = StageResult::of(Stage::Invariants, findings);
            }
            return skipped;
        }
    };
    findings.extend(invariants::within_sector(candidate.triples(), &base.schema, candidate.sigma()));
    findings.extend(invariants::type_soundness(candidate.replay(base, context.window)));
    findings.extend(invariants::guard_preservation(candidate.schema()));
    findings.extend(invariants::of_sector(&base.sigma, candidate.sigma()));
    findings.extend(invariants::latency(context.measurement.as_ref(), candidate.schema()));
    findings.extend(invariants::resources(context.measurement.as_ref()));
    StageResult::of(Stage::Invariants, findings)
}
