//! Stage 3: every doctrine rule in force holds for what the change means, who approved it, and when.

use super::{Context, candidate};
use crate::doctrine::Facts;
use crate::finding::{Code, Finding, Stage, StageResult};
use crate::proposal::Proposal;
use crate::shadow::Shadow;
use crate::stages::performance::costliest_touched;

/// Evaluates the rules in force. None in force is a warning, not a silent pass.
pub fn check(shadow: &Shadow, proposal: &Proposal, context: &Context<'_>) -> StageResult {
    let candidate = match candidate(shadow, Stage::Doctrine) {
        Ok(candidate) => candidate,
        Err(skipped) => return skipped,
    };
    let mut findings = Vec::new();
    if !context.doctrine.any_effective(context.now_ms) {
        findings.push(
            Finding::warning(Code::NoDoctrine, "", "no doctrine rule is in force")
                .rule("no_effective_doctrine")
                .fix("write the rules that changes must keep into doctrine.toml"),
        );
    }
    findings.extend(context.doctrine.evaluate(&Facts {
        meaning: candidate.meaning(),
        approvals: context.approvals,
        proposer: &proposal.content().proposer,
        after: Some(candidate.sigma()),
        ticks: costliest_touched(shadow.base(), candidate),
        now_ms: context.now_ms,
    }));
    StageResult::of(Stage::Doctrine, findings)
}
