//! The seven stages, one file each. What they may read is all in [`Context`]; no stage trusts what a proposal says of
//! itself. The page `docs/stages.md` lists what each checks.

pub mod compatibility;
pub mod doctrine;
pub mod guards;
pub mod invariants;
pub mod performance;
pub mod rollback;
pub mod static_check;

use knhk_ontology::History;
use serde::{Deserialize, Serialize};

use crate::doctrine::{Approval, DoctrineSet};
use crate::finding::{Finding, Stage, StageResult};
use crate::guards::GuardSet;
use crate::proposal::Proposal;
use crate::shadow::{Candidate, Shadow};
use crate::window::Window;

/// What was measured before the cycle: a logged input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measurement {
    /// Mean time of one admission, over a batch, in ns.
    pub admission_batch_mean_ns: u64,
    /// 99th percentile of the time of one admission, in ns.
    pub admission_p99_ns: u64,
    /// Resident memory, in bytes.
    pub resident_bytes: u64,
}

/// What the stages may read besides the shadow and the proposal.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Now, Unix ms.
    pub now_ms: i64,
    /// The sector's snapshots.
    pub history: &'a History,
    /// The doctrine rules in force, core's and the sector's.
    pub doctrine: &'a DoctrineSet,
    /// The guards in force, core's and the sector's.
    pub guards: &'a GuardSet,
    /// Verified approvals of this proposal.
    pub approvals: &'a [Approval],
    /// Recent events.
    pub window: &'a Window,
    /// What was measured, if anything.
    pub measurement: Option<Measurement>,
}

/// A stage: a function of what was applied, what was proposed and what it may read.
pub type Check = fn(&Shadow, &Proposal, &Context<'_>) -> StageResult;

/// The candidate, or the result of a stage that needs one and has none.
fn candidate(shadow: &Shadow, stage: Stage) -> Result<&Candidate, StageResult> {
    shadow.candidate().ok_or_else(|| {
        let why = match shadow.refusal() {
            Some(error) => format!("the change cannot be applied ({})", error.code()),
            None => "the change was not applied".to_owned(),
        };
        StageResult::skipped(stage, why, Vec::<Finding>::new())
    })
}
