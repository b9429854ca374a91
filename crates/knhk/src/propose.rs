//! `knhk check` and `knhk propose`: a change that a person wrote goes through the seven stages, in thought or for real.

use std::io::Write;

use knhk_change::proposal::Proposal;
use knhk_evidence::input::InputKind;
use knhk_kernel::decision::{Body, Decision, Verdict};
use knhk_kernel::inputs::Command;
use knhk_ontology::semantic_diff::{SemanticChange, diff};
use serde::Serialize;

use crate::cli::{Check, Format, Propose};
use crate::cycle::StageTimes;
use crate::error::CliError;
use crate::ontology::{in_words, snapshot};
use crate::report::{ProposalReport, StageReport};
use crate::restore::{Restore, restore};
use crate::session::{Session, now_ms};
use crate::show_proposal::{self, Shown};
use crate::{change_file, choice, exit, json, measure, signing};

/// What a checked change would do, or did.
#[derive(Serialize)]
struct Told {
    sector: String,
    base: String,
    differences: Vec<SemanticChange>,
    #[serde(flatten)]
    proposal: ProposalReport,
    next_version: Option<String>,
}

/// Rehearses the change: nothing is written.
pub(crate) fn check(args: &Check, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    let kernel = restore(&args.data.data, Restore::ForDeciding)?;
    let sector = choice::sector(&kernel, args.sector.as_deref())?;
    let world = kernel.world().current();
    let Some(current) = world.sectors.get(&sector) else { return Err(CliError::NoSector) };
    let delta = change_file::read(&args.change, &current.snapshot)?;
    let proposal =
        Proposal::by_person(&current.snapshot, delta, "checked only", now_ms().max(kernel.time_ms()))?;
    let measured = measure::now(&kernel, &sector)?;
    let mut times = StageTimes::start();
    let time_ms = proposal.content().time_ms;
    let (checked, verdict) = kernel.rehearse(&proposal, measured, time_ms, &mut times)?;
    let mut report = ProposalReport::new(&proposal);
    report.stages = checked
        .results()
        .iter()
        .map(|result| StageReport::new(result, Some(times.of(proposal.id(), result.stage))))
        .collect();
    let candidate = checked.shadow().candidate();
    let history = kernel.sector(&sector)?.history();
    let told = Told {
        base: in_words(history, &current.snapshot.id),
        differences: candidate.map(|c| diff(&current.snapshot.schema, c.schema())).unwrap_or_default(),
        next_version: candidate.map(|c| c.version().to_string()),
        proposal: judged(report, &verdict, true),
        sector,
    };
    tell(&told, format, out)?;
    Ok(code(&verdict))
}

/// Puts the change before the kernel: it is logged, checked and, where policy lets it, promoted.
pub(crate) fn propose(args: &Propose, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    let dir = &args.data.data;
    let (mut session, _) = Session::open(dir, &signing::key_of(dir, &args.key)?)?;
    let sector = choice::sector(session.kernel(), args.sector.as_deref())?;
    let before = snapshot(session.kernel(), &sector, None)?;
    let delta = change_file::read(&args.change, &before)?;
    let now = now_ms().max(session.kernel().time_ms());
    let before = std::sync::Arc::new(before);
    let proposal = Proposal::by_person(&before, delta, &args.reason, now)?;
    measure::before(&mut session, &sector)?;
    let command = Command::Propose { proposal: Box::new(proposal.clone()) };
    let mut times = StageTimes::start();
    let decisions = session.input(InputKind::OperatorCommand, Some(&sector), &command, &mut times)?;
    session.commit()?;
    let (report, verdict) = decided(&proposal, &decisions, &times)?;
    let after = snapshot(session.kernel(), &sector, None)?;
    let promoted = after.id != before.id;
    let told = Told {
        base: in_words(session.kernel().sector(&sector)?.history(), &before.id),
        differences: if promoted { diff(&before.schema, &after.schema) } else { Vec::new() },
        next_version: promoted.then(|| after.version.to_string()),
        proposal: judged(report, &verdict, false),
        sector,
    };
    tell(&told, format, out)?;
    Ok(code(&verdict))
}

/// What the decisions say of the proposal.
fn decided(
    proposal: &Proposal,
    decisions: &[Decision],
    times: &StageTimes,
) -> Result<(ProposalReport, Verdict), CliError> {
    let mut report = ProposalReport::new(proposal);
    let mut verdict = Verdict::Nothing;
    for decision in decisions {
        if let Body::ValidationExecuted(validated) = Body::from_bytes(&decision.body)? {
            let stage = |s| StageReport::new(s, Some(times.of(proposal.id(), s.stage)));
            report.stages = validated.stages.iter().map(stage).collect();
            report.receipt = decision.id.to_string();
            verdict = validated.verdict;
        }
    }
    Ok((report, verdict))
}

fn judged(mut report: ProposalReport, verdict: &Verdict, in_thought: bool) -> ProposalReport {
    let (outcome, reason) = match (verdict, in_thought) {
        (Verdict::Promote | Verdict::Nothing, true) => ("would be promoted", None),
        (Verdict::Promote | Verdict::Nothing, false) => ("promoted", None),
        (Verdict::Hold { why }, true) => ("would wait for a person", Some(why.clone())),
        (Verdict::Hold { why }, false) => ("held", Some(why.clone())),
        (Verdict::Reject { why }, true) => ("would be rejected", Some(why.clone())),
        (Verdict::Reject { why }, false) => ("rejected", Some(why.clone())),
    };
    (report.outcome, report.reason) = (outcome, reason);
    report
}

fn code(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Promote | Verdict::Nothing => exit::DONE,
        Verdict::Hold { .. } | Verdict::Reject { .. } => exit::HELD_OR_REJECTED,
    }
}

fn tell(told: &Told, format: Format, out: &mut dyn Write) -> Result<(), CliError> {
    if format != Format::Text {
        return json(out, told);
    }
    let next = told.next_version.as_ref().map(|version| format!(" → {version}")).unwrap_or_default();
    writeln!(out, "CHANGE of {} {}{next}", told.sector, told.base)
        .and_then(|()| show_proposal::write(&told.proposal, Shown::ALONE, out))
        .map_err(CliError::Output)
}
