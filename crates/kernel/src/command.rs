//! What an operator may order: a change of their own, a rollback, and the promotion or rejection of a held proposal.
//!
//! A command is a logged input; what it does is decided here, and a promotion is checked again against what is current now.

use knhk_change::proposal::{Proposal, ProposalId};
use knhk_evidence::Hash;
use knhk_evidence::receipt::Outcome;
use knhk_ontology::{SnapshotId, TripleDelta, Version};

use crate::cycle::check_and_promote;
use crate::decision::{Body, Decision, Planned, RolledBack, Validated, Verdict};
use crate::error::KernelError;
use crate::inputs::{Command, PromoteMode};
use crate::kernel::{Kernel, Probe, unsigned};

pub(crate) fn obey(
    kernel: &mut Kernel,
    sector: &str,
    command: &Command,
    time_ms: i64,
    probe: &mut dyn Probe,
) -> Result<Vec<Decision>, KernelError> {
    match command {
        // Said in the log before it is done; the state is sealed, so no later decision reads what goes.
        Command::Erase { .. } => Ok(Vec::new()),
        Command::Rollback { to, reason } => rollback(kernel, sector, to, reason, time_ms),
        Command::Promote { proposal } => {
            let proposal = held(kernel, sector, proposal)?;
            // The person's command is the review that the policy asked for.
            let mode = PromoteMode::Reviewed;
            Ok(check_and_promote(kernel, sector, None, time_ms, &proposal, mode, probe)?.1)
        }
        Command::Propose { proposal } => {
            if proposal.content().sector != sector {
                return Err(KernelError::UnknownProposal { proposal: proposal.id().to_string() });
            }
            let planned = Planned { proposals: vec![Proposal::clone(proposal)] };
            let body = Body::ProposalGenerated(planned);
            let mut decisions = vec![kernel.decide(sector, None, time_ms, &body, Outcome::Approved)?];
            let mode = PromoteMode::Policy;
            decisions.extend(check_and_promote(kernel, sector, None, time_ms, proposal, mode, probe)?.1);
            Ok(decisions)
        }
        Command::Reject { proposal, reason } => {
            let proposal = held(kernel, sector, proposal)?;
            let against = kernel.current(sector)?.snapshot.id;
            let why = format!("rejected by an operator: {reason}");
            let body = Body::ValidationExecuted(Validated {
                proposal: Some(proposal.id()),
                against,
                stages: Vec::new(),
                verdict: Verdict::Reject { why: why.clone() },
            });
            Ok(vec![kernel.decide(sector, None, time_ms, &body, Outcome::Rejected { reason: why })?])
        }
    }
}

fn held(kernel: &Kernel, sector: &str, proposal: &str) -> Result<Proposal, KernelError> {
    let unknown = || KernelError::UnknownProposal { proposal: proposal.to_owned() };
    let id = ProposalId(proposal.parse::<Hash>().map_err(|_| unknown())?);
    kernel.sector(sector)?.held.get(&id).cloned().ok_or_else(unknown)
}

/// A rollback is a new snapshot with the ancestor's content: history is never cut.
fn rollback(
    kernel: &mut Kernel,
    sector: &str,
    to: &str,
    reason: &str,
    time_ms: i64,
) -> Result<Vec<Decision>, KernelError> {
    let unknown = || KernelError::UnknownSnapshot { sector: sector.to_owned(), snapshot: to.to_owned() };
    let to: SnapshotId = to.parse().map_err(|_| unknown())?;
    let history = kernel.sector(sector)?.history();
    let head = history.head();
    let content = history.sigma(&to).ok_or_else(unknown)?;
    if head.content_id == content.content_id() {
        return Err(KernelError::NothingToRollBack { snapshot: to.to_string() });
    }
    let delta = TripleDelta::between(&head.sigma.sector, &content.sector);
    // Going back may refuse what was written since: a major step.
    let version = Version { major: head.version.major + 1, minor: 0, patch: 0 };
    let snapshot = head.child_known(&delta, &history.known(&to)?, version, unsigned(time_ms))?;
    let body = Body::RollbackExecuted(RolledBack {
        to,
        snapshot_id: snapshot.id,
        content_id: snapshot.content_id,
        parents: snapshot.parents.clone(),
        version,
        promoted_at_ms: snapshot.promoted_at_ms,
        delta,
        reason: reason.to_owned(),
    });
    Ok(vec![kernel.decide_made(sector, None, time_ms, &body, snapshot)?])
}
