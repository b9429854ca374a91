//! The report of a run, told from its decisions.

use knhk_kernel::decision::{Body, CycleOutcome, Decision, Verdict};
use knhk_ontology::Snapshot;

use crate::cycle::StageTimes;
use crate::error::CliError;
use crate::report::{
    Conformance, CycleReport, Observations, PatternReport, ProposalReport, ReceiptsReport, Report,
    SnapshotReport, StageReport,
};

/// Tells what the cycle's decisions say. What they do not hold (what waits, receipts, times) is left for the caller.
pub(crate) fn report(
    sector: &str,
    counts: Observations,
    head: &Snapshot,
    decisions: &[Decision],
    times: &StageTimes,
) -> Result<Report, CliError> {
    let mut report = Report {
        sector: sector.to_owned(),
        observations: counts,
        conformance: Conformance::default(),
        conformance_after: Conformance::default(),
        patterns: Vec::new(),
        proposals: Vec::new(),
        notices: Vec::new(),
        waiting: 0,
        snapshots: vec![SnapshotReport {
            snapshot_id: head.id.to_string(),
            content_id: head.content_id.to_string(),
            version: head.version.to_string(),
            parents: head.parents.iter().map(ToString::to_string).collect(),
        }],
        receipts: ReceiptsReport { count: 0, checkpoint: String::new() },
        cycle: CycleReport {
            id: String::new(),
            outcome: String::new(),
            reason: None,
            receipts: Vec::new(),
            elapsed_ms: 0,
            peak_resident_bytes: None,
        },
    };
    for decision in decisions {
        if let Some(cycle) = &decision.draft.cycle {
            report.cycle.id.clone_from(cycle);
        }
        match Body::from_bytes(&decision.body)? {
            Body::PatternDetected(detected) => {
                report.conformance = Conformance {
                    conform: detected.conform,
                    of: detected.observations,
                    not_examined: detected.not_examined,
                };
                report.patterns.extend(detected.patterns.iter().map(PatternReport::from));
            }
            Body::ProposalGenerated(planned) => {
                report.proposals.extend(planned.proposals.iter().map(ProposalReport::new));
            }
            Body::ValidationExecuted(validated) => {
                let Some(id) = validated.proposal else { continue };
                let text = id.to_string();
                let Some(proposal) = report.proposals.iter_mut().find(|p| p.id == text) else { continue };
                proposal.stages = validated
                    .stages
                    .iter()
                    .map(|s| StageReport::new(s, Some(times.of(id, s.stage))))
                    .collect();
                proposal.receipt = decision.id.to_string();
                (proposal.outcome, proposal.reason) = match validated.verdict {
                    Verdict::Promote | Verdict::Nothing => ("promoted", None),
                    Verdict::Hold { why } => ("held", Some(why)),
                    Verdict::Reject { why } => ("rejected", Some(why)),
                };
            }
            Body::SnapshotPromoted(promoted) => {
                let text = promoted.proposal.to_string();
                if let Some(proposal) = report.proposals.iter_mut().find(|p| p.id == text) {
                    proposal.receipt = decision.id.to_string();
                }
                report.snapshots.push(SnapshotReport {
                    snapshot_id: promoted.snapshot_id.to_string(),
                    content_id: promoted.content_id.to_string(),
                    version: promoted.version.to_string(),
                    parents: promoted.parents.iter().map(ToString::to_string).collect(),
                });
            }
            Body::LoopCycleCompleted(summary) => {
                let mut receipts: Vec<String> = summary.receipts.iter().map(ToString::to_string).collect();
                receipts.push(decision.id.to_string());
                report.cycle.receipts = receipts;
                (report.cycle.outcome, report.cycle.reason) = match summary.outcome {
                    CycleOutcome::Success => ("success".to_owned(), None),
                    CycleOutcome::PartialSuccess { reason } => ("partial_success".to_owned(), Some(reason)),
                    CycleOutcome::Failed { reason } => ("failed".to_owned(), Some(reason)),
                };
            }
            Body::SectorUpdated(_)
            | Body::ObservationIngested(_)
            | Body::InvariantViolation(_)
            | Body::RollbackExecuted(_) => {}
        }
    }
    Ok(report)
}
