//! `knhk proposals`: what waits for a person, and what the person decides.

use std::io::Write;
use std::path::Path;

use knhk_change::proposal::{Proposal, ProposalId};
use knhk_evidence::input::InputKind;
use knhk_kernel::Kernel;
use knhk_kernel::decision::{Body, Decision, Verdict};
use knhk_kernel::inputs::Command;
use serde::Serialize;

use crate::cli::{Format, KeyFile};
use crate::error::CliError;
use crate::ontology::in_words;
use crate::report::{PatternReport, StageReport};
use crate::restore::{Restore, restore};
use crate::session::Session;
use crate::show_proposal::{self, Shown};
use crate::table::{Table, instant, paragraph, short_id, shorten};
use crate::waiting::{self, Waiting};
use crate::{choice, exit, json, measure, show_drift, signing};

/// Where proposals that wait are listed.
const LISTED_BY: &str = "knhk proposals list --data DIR";

/// Lists held proposals.
pub(crate) fn list(dir: &Path, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    let kernel = restore(dir, Restore::ForReading)?;
    if format != Format::Text {
        let held: Vec<&Proposal> = kernel.sectors().flat_map(|(_, state)| state.held()).collect();
        json(out, &held)?;
        return Ok(exit::DONE);
    }
    let mut table = Table::new(&["proposal=", "sector", "change=", "path<", "event type<", "more>", "sure>"]);
    for state in kernel.sectors().map(|(_, state)| state) {
        for proposal in state.held() {
            let content = proposal.content();
            let more = content.changes.len().saturating_sub(1);
            let first = content.changes.first();
            table.row([
                short_id(&proposal.id().to_string()),
                content.sector.clone(),
                first.map(|change| change.op.as_str().to_owned()).unwrap_or_default(),
                first.map(|change| show_drift::place(&change.path)).unwrap_or_default(),
                first.map(|change| show_drift::last_segment(&change.event_type)).unwrap_or_default(),
                if more > 0 { format!("+{more}") } else { String::new() },
                format!("{:.2}", f64::from(content.confidence_ppm) / 1e6),
            ]);
            if let Some(Verdict::Hold { why }) = state.corpus().get(&proposal.id()) {
                table.note(&format!("waits, proposed {}: {}", instant(content.time_ms), shorten(why, 240)));
            }
        }
    }
    let written = if table.is_empty() {
        writeln!(out, "no proposal waits for a person")
    } else {
        table
            .write(out)
            .and_then(|()| writeln!(out, "\nnext: knhk proposals show ID --data {}", dir.display()))
    };
    written.map_err(CliError::Output)?;
    Ok(exit::DONE)
}

/// Shows one held proposal: what it changes, its evidence, how the seven stages went, and why it waits.
pub(crate) fn show(dir: &Path, id: &str, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    #[derive(Serialize)]
    struct Document<'a> {
        /// `id` and `content`: the proposal as it is in the log.
        #[serde(flatten)]
        proposal: &'a Proposal,
        outcome: &'static str,
        reason: Option<&'a str>,
        waits_since_ms: i64,
        base_version: Option<String>,
        evidence: &'a [PatternReport],
        stages: &'a [StageReport],
        receipt: &'a str,
    }
    let kernel = restore(dir, Restore::ForReading)?;
    let (sector, proposal) = find(&kernel, id)?;
    let waiting = waiting::told(dir, &proposal)?;
    let history = kernel.sector(&sector)?.history();
    let base = proposal.content().base;
    if format == Format::Text {
        let base = in_words(history, &base);
        show_text(dir, &proposal, &waiting, &base, out).map_err(CliError::Output)?;
    } else {
        let base_version = history.chain().find(|(id, _, _)| *id == base).map(|(_, v, _)| v.to_string());
        json(
            out,
            &Document {
                proposal: &proposal,
                outcome: waiting.report.outcome,
                reason: waiting.report.reason.as_deref(),
                waits_since_ms: waiting.since_ms,
                base_version,
                evidence: &waiting.patterns,
                stages: &waiting.report.stages,
                receipt: &waiting.report.receipt,
            },
        )?;
    }
    Ok(exit::DONE)
}

fn show_text(
    dir: &Path,
    proposal: &Proposal,
    waiting: &Waiting,
    base: &str,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let content = proposal.content();
    let sure = f64::from(content.confidence_ppm) / 1e6;
    writeln!(out, "PROPOSAL {}", proposal.id())?;
    paragraph(out, &format!("  of sector {}, {sure:.2} sure: ", content.sector), &content.reasoning)?;
    writeln!(out, "  made {} by {} for version {base}", instant(content.time_ms), content.proposer)?;
    writeln!(out, "  waits since {}, receipt {}", instant(waiting.since_ms), waiting.report.receipt)?;
    writeln!(out, "\nCHANGES, STAGES AND WHY IT WAITS")?;
    show_proposal::write(&waiting.report, Shown::ALONE, out)?;
    if content.rollback == format!("knhk rollback --to {}", content.base) {
        let (to, sector) = (short_id(&content.base.to_string()), &content.sector);
        writeln!(out, "  back: knhk rollback --data {} --sector {sector} --to {to}", dir.display())?;
    } else if !content.rollback.is_empty() {
        paragraph(out, "  back: ", &content.rollback)?;
    }
    if !waiting.patterns.is_empty() {
        writeln!(out, "\nEVIDENCE")?;
        show_drift::write(&waiting.patterns, out)?;
    }
    let (id, dir) = (short_id(&proposal.id().to_string()), dir.display());
    writeln!(out, "\nnext: knhk proposals promote {id} --data {dir}")?;
    writeln!(out, "  or: knhk proposals reject {id} --data {dir} --reason WHY")
}

/// Checks a held proposal against what is current now and promotes it.
pub(crate) fn promote(
    dir: &Path,
    key: &KeyFile,
    id: &str,
    format: Format,
    out: &mut dyn Write,
) -> Result<u8, CliError> {
    order(dir, key, id, format, out, |proposal| Command::Promote { proposal })
}

/// Rejects a held proposal.
pub(crate) fn reject(
    dir: &Path,
    key: &KeyFile,
    id: &str,
    reason: &str,
    format: Format,
    out: &mut dyn Write,
) -> Result<u8, CliError> {
    order(dir, key, id, format, out, |proposal| Command::Reject { proposal, reason: reason.to_owned() })
}

fn order(
    dir: &Path,
    key: &KeyFile,
    id: &str,
    format: Format,
    out: &mut dyn Write,
    command: impl FnOnce(String) -> Command,
) -> Result<u8, CliError> {
    #[derive(Serialize)]
    struct Done {
        proposal: String,
        outcome: &'static str,
        reason: Option<String>,
        receipts: Vec<String>,
    }
    let (mut session, _) = Session::open(dir, &signing::key_of(dir, key)?)?;
    let (sector, proposal) = find(session.kernel(), id)?;
    let command = command(proposal.id().to_string());
    let ordered = match &command {
        Command::Promote { .. } => {
            measure::before(&mut session, &sector)?;
            "promoted"
        }
        _ => "rejected",
    };
    let decisions = session.input(InputKind::OperatorCommand, Some(&sector), &command, &mut ())?;
    session.commit()?;
    let (outcome, reason) = verdict(&decisions)?;
    let done = Done {
        proposal: proposal.id().to_string(),
        outcome,
        reason,
        receipts: decisions.iter().map(|d| d.id.to_string()).collect(),
    };
    if format == Format::Text {
        let reason = done.reason.as_deref().map(|r| format!(": {r}")).unwrap_or_default();
        paragraph(out, "", &format!("{} {outcome}{reason}", short_id(&done.proposal)))
            .map_err(CliError::Output)?;
    } else {
        json(out, &done)?;
    }
    // What was ordered is done; a promotion that doctrine, guards or a stage refused is not.
    Ok(if outcome == ordered { exit::DONE } else { exit::HELD_OR_REJECTED })
}

fn verdict(decisions: &[Decision]) -> Result<(&'static str, Option<String>), CliError> {
    for decision in decisions {
        if let Body::ValidationExecuted(validated) = Body::from_bytes(&decision.body)? {
            return Ok(match validated.verdict {
                Verdict::Promote | Verdict::Nothing => ("promoted", None),
                Verdict::Hold { why } => ("held", Some(why)),
                Verdict::Reject { why } => ("rejected", Some(why)),
            });
        }
    }
    Ok(("held", None))
}

fn find(kernel: &Kernel, text: &str) -> Result<(String, Proposal), CliError> {
    let all = || kernel.sectors().flat_map(|(name, state)| state.held().map(move |p| (name, p)));
    let kind = choice::Kind { what: "waiting proposal", listed_by: LISTED_BY };
    let known_by = |proposal: &Proposal| match proposal.content().changes.first() {
        Some(change) => format!(" ({} {})", change.op.as_str(), show_drift::place(&change.path)),
        None => String::new(),
    };
    let id: ProposalId = choice::id(kind, text, all().map(|(_, p)| (p.id(), known_by(p))))?;
    let found = all().find(|(_, p)| p.id() == id).map(|(name, p)| (name.to_owned(), p.clone()));
    found.ok_or_else(|| CliError::Id { why: format!("no proposal {id} waits"), listed_by: LISTED_BY })
}
