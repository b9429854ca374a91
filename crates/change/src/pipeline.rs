//! The seven stages as a list: all of them run, always, so that a reader sees everything at once.

use std::sync::Arc;

use knhk_ontology::Snapshot;

use crate::finding::{Stage, StageResult};
use crate::proposal::{Checked, Proposal};
use crate::shadow::Shadow;
use crate::stages::{
    Check, Context, compatibility, doctrine, guards, invariants, performance, rollback, static_check,
};

/// The stages in order.
pub const STAGES: [(Stage, Check); 7] = [
    (Stage::Static, static_check::check),
    (Stage::Invariants, invariants::check),
    (Stage::Doctrine, doctrine::check),
    (Stage::Guards, guards::check),
    (Stage::Performance, performance::check),
    (Stage::Rollback, rollback::check),
    (Stage::Compatibility, compatibility::check),
];

/// Makes a shadow of `base`, applies the change, runs all seven stages, then the shadow's own tests. `stage_ended` is
/// called after each stage, so that a caller with a clock can time them: no time enters the results. Making the shadow
/// counts towards the first stage.
pub fn check(
    base: &Arc<Snapshot>,
    proposal: Proposal,
    context: &Context<'_>,
    stage_ended: &mut dyn FnMut(Stage),
) -> Checked {
    let shadow = Shadow::new(Arc::clone(base), &proposal.content().delta).applied();
    let results = STAGES.map(|(stage, check)| {
        let result: StageResult = check(&shadow, &proposal, context);
        stage_ended(stage);
        result
    });
    let tests = shadow.standard_tests(context.guards);
    let shadow = shadow.tested(&tests, context.window, context.guards);
    Checked::new(proposal, results, shadow)
}

#[cfg(test)]
mod tests;
