//! One cycle of the loop as the command line runs it: measured first, its stages timed.

use std::collections::BTreeMap;
use std::time::Instant;

use knhk_change::finding::Stage;
use knhk_change::proposal::ProposalId;
use knhk_evidence::input::InputKind;
use knhk_kernel::Probe;
use knhk_kernel::decision::Decision;
use knhk_kernel::inputs::{CycleDue, PromoteMode};

use crate::cli::Promote;
use crate::error::CliError;
use crate::measure;
use crate::report::Observations;
use crate::session::Session;

/// Measures, then runs the cycle.
pub(crate) fn run(
    session: &mut Session,
    sector: &str,
    promote: Promote,
    counts: Observations,
) -> Result<(Vec<Decision>, StageTimes), CliError> {
    measure::before(session, sector)?;
    let due = CycleDue {
        rejected: counts.rejected,
        duplicates: counts.duplicates,
        promote: match promote {
            Promote::Auto => PromoteMode::Policy,
            Promote::Hold => PromoteMode::Hold,
        },
    };
    let mut times = StageTimes::start();
    let decisions = session.input(InputKind::CycleDue, Some(sector), &due, &mut times)?;
    Ok((decisions, times))
}

/// Wall-clock time of each stage, kept out of every decision.
#[derive(Debug)]
pub(crate) struct StageTimes {
    last: Instant,
    elapsed_us: BTreeMap<(ProposalId, Stage), u64>,
}

impl StageTimes {
    pub(crate) fn start() -> Self {
        Self { last: Instant::now(), elapsed_us: BTreeMap::new() }
    }

    /// Microseconds that a stage took on a proposal.
    pub(crate) fn of(&self, proposal: ProposalId, stage: Stage) -> u64 {
        self.elapsed_us.get(&(proposal, stage)).copied().unwrap_or_default()
    }
}

impl Probe for StageTimes {
    fn pipeline_started(&mut self, _: &ProposalId) {
        self.last = Instant::now();
    }

    fn stage_ended(&mut self, proposal: &ProposalId, stage: Stage) {
        let elapsed = self.last.elapsed();
        self.last = Instant::now();
        let elapsed = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        self.elapsed_us.insert((*proposal, stage), elapsed);
    }
}
