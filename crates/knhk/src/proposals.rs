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
use crate::session::{Restore, Session, key_path, restore};
use crate::table::Table;
use crate::{choice, exit, json, measure};

/// Lists held proposals.
pub(crate) fn list(dir: &Path, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    let kernel = restore(dir, Restore::ForReading)?;
    let held: Vec<&Proposal> = kernel.sectors().flat_map(|(_, state)| state.held()).collect();
    if format == Format::Text {
        let mut table = Table::new(&["proposal", "sector", "changes>", "sure>", "reasoning"]);
        for proposal in held {
            let content = proposal.content();
            table.row([
                proposal.id().to_string().chars().take(12).collect(),
                content.sector.clone(),
                content.changes.len().to_string(),
                format!("{:.2}", f64::from(content.confidence_ppm) / 1e6),
                content.reasoning.clone(),
            ]);
        }
        table.write(out).map_err(CliError::Output)?;
    } else {
        json(out, &held)?;
    }
    Ok(exit::DONE)
}

/// Shows one held proposal in full, as JSON.
pub(crate) fn show(dir: &Path, id: &str, out: &mut dyn Write) -> Result<u8, CliError> {
    let kernel = restore(dir, Restore::ForReading)?;
    let (_, proposal) = find(&kernel, id)?;
    json(out, &proposal)?;
    Ok(exit::DONE)
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
    let (mut session, _) = Session::open(dir, &key_path(dir, key.signing_key.as_deref())?)?;
    let (sector, proposal) = find(session.kernel(), id)?;
    let command = command(proposal.id().to_string());
    if matches!(command, Command::Promote { .. }) {
        measure::before(&mut session, &sector)?;
    }
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
        writeln!(out, "{} {outcome}{reason}", &done.proposal[..12]).map_err(CliError::Output)?;
    } else {
        json(out, &done)?;
    }
    Ok(if outcome == "promoted" { exit::DONE } else { exit::HELD_OR_REJECTED })
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
    let id: ProposalId = choice::id("held proposal", text, all().map(|(_, p)| p.id()))?;
    let found = all().find(|(_, p)| p.id() == id).map(|(name, p)| (name.to_owned(), p.clone()));
    found.ok_or_else(|| CliError::Id { what: "held proposal", text: text.to_owned(), count: 0 })
}
