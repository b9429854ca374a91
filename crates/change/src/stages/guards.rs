//! Stage 4: what guards protect stays as it is, and core is untouched.

use super::{Context, candidate};
use crate::finding::{Code, Finding, Stage, StageResult};
use crate::invariants;
use crate::proposal::Proposal;
use crate::shadow::Shadow;

/// Evaluates every guard. Core is protected without one.
pub fn check(shadow: &Shadow, _proposal: &Proposal, context: &Context<'_>) -> StageResult {
    let candidate = match candidate(shadow, Stage::Guards) {
        Ok(candidate) => candidate,
        Err(skipped) => return skipped,
    };
    let mut findings = Vec::new();
    if context.guards.guards().next().is_none() {
        findings.push(
            Finding::warning(Code::NoGuards, "", "no guard is in force")
                .rule("no_guards")
                .fix("name the terms that no change may harm in guards.toml"),
        );
    }
    findings.extend(invariants::within_sector(candidate.triples(), &shadow.base().schema, candidate.sigma()));
    findings.extend(candidate.guard_findings(shadow.base(), context.guards).iter().cloned());
    StageResult::of(Stage::Guards, findings)
}
