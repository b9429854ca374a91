//! The report of `knhk observe` for people: drift first, then each proposal with its seven stages, then the evidence.

use std::io::{self, Write};

use crate::observe::Run;
use crate::report::{ProposalReport, Report};
use crate::session::Opened;
use crate::show_drift;
use crate::show_proposal::{self, Shown};
use crate::table::{counted, paragraph, short_id, shorten, thousands};

/// Patterns shown; the JSON report has all.
const PATTERNS_SHOWN: usize = 25;

/// Writes the whole report.
pub(crate) fn write(run: &Run, out: &mut dyn Write) -> io::Result<()> {
    let report = &run.report;
    summary(report, out)?;
    for notice in &report.notices {
        writeln!(out)?;
        paragraph(out, "NOTICE ", &format!("{}.", notice.message))?;
    }
    drift(report, out)?;
    show_proposal::about_the_sector(&report.proposals, out)?;
    for (index, proposal) in report.proposals.iter().enumerate() {
        write_proposal(index + 1, proposal, out)?;
    }
    // Without --data the directory is gone when this is read.
    let data = if run.dir.exists() { run.dir.display().to_string() } else { "DIR".to_owned() };
    outcome(report, &data, out)?;
    evidence(run, out)
}

fn summary(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let counts = report.observations;
    write!(out, "{}: {}", report.sector, counted(counts.accepted, "event"))?;
    if counts.duplicates > 0 {
        write!(out, ", {}", counted(counts.duplicates, "repeat"))?;
    }
    if counts.rejected > 0 {
        write!(out, ", {} refused", thousands(counts.rejected))?;
    }
    let (before, after) = (report.conformance, report.conformance_after);
    write!(out, "; {} of {} conform", thousands(before.conform), thousands(before.of))?;
    if report.snapshots.len() > 1 {
        write!(out, ", {} of {} after this run", thousands(after.conform), thousands(after.of))?;
    }
    writeln!(out)
}

fn drift(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let conformance = report.conformance;
    if conformance.not_examined > 0 {
        let count = thousands(conformance.not_examined);
        writeln!(
            out,
            "\n{count} values or events lie beyond the limits (docs/limits.md); no drift was looked for there."
        )?;
    }
    if report.patterns.is_empty() {
        return if report.cycle.outcome == "failed" {
            writeln!(out, "\nThe cycle failed: nothing can be said about drift.")
        } else if conformance.of == 0 {
            let counts = report.observations;
            let why = match (counts.duplicates > 0, counts.rejected > 0) {
                (true, false) => "all of them came before, and repeats are not judged again",
                (false, true) => "all of them were refused",
                _ => "all of them came before or were refused",
            };
            writeln!(out, "\nNothing to compare: no new events; {why}.")
        } else if conformance.conform == conformance.of {
            writeln!(out, "\nNo drift: the events and the ontology agree.")
        } else {
            writeln!(out, "\nNo drift was found in what was examined.")
        };
    }
    writeln!(out, "\nDRIFT")?;
    show_drift::write(&report.patterns[..report.patterns.len().min(PATTERNS_SHOWN)], out)?;
    if report.patterns.len() > PATTERNS_SHOWN {
        writeln!(out, "  … and {} more; --format json shows all", report.patterns.len() - PATTERNS_SHOWN)?;
    }
    let mut steps: Vec<_> = report.patterns.iter().filter_map(|p| Some((p.kind, p.next?))).collect();
    steps.sort_unstable();
    steps.dedup();
    for (kind, next) in steps {
        paragraph(out, &format!("  {kind}: "), next)?;
    }
    Ok(())
}

fn write_proposal(number: usize, proposal: &ProposalReport, out: &mut dyn Write) -> io::Result<()> {
    let lead = format!("PROPOSAL {number} ({}), {:.2} sure: ", short_id(&proposal.id), proposal.confidence);
    writeln!(out)?;
    paragraph(out, &lead, &proposal.reasoning)?;
    show_proposal::write(proposal, Shown::IN_A_RUN, out)
}

fn outcome(report: &Report, data: &str, out: &mut dyn Write) -> io::Result<()> {
    let count = |outcome: &str| report.proposals.iter().filter(|p| p.outcome == outcome).count();
    let cycle = &report.cycle;
    writeln!(
        out,
        "\nCYCLE {}: {}; {} promoted, {} held, {} rejected; {} ms",
        cycle.id,
        cycle.outcome,
        count("promoted"),
        count("held"),
        count("rejected"),
        thousands(cycle.elapsed_ms)
    )?;
    if let Some(reason) = &cycle.reason {
        paragraph(out, "  ", &shorten(reason, 400))?;
    }
    if report.waiting > 0 {
        let (verb, dir) = (if report.waiting == 1 { "proposal waits" } else { "proposals wait" }, data);
        writeln!(out, "  {} {verb} for a person:\n    knhk proposals list --data {dir}", report.waiting)?;
    }
    if let (Some(first), Some(last)) = (report.snapshots.first(), report.snapshots.last()) {
        if first.snapshot_id == last.snapshot_id {
            let (version, id) = (&first.version, short_id(&first.snapshot_id));
            writeln!(out, "  ontology {} stays at version {version} ({id})", report.sector)?;
        } else {
            writeln!(
                out,
                "  ontology {}: version {} ({}) → {} ({})",
                report.sector,
                first.version,
                short_id(&first.snapshot_id),
                last.version,
                short_id(&last.snapshot_id)
            )?;
        }
    }
    Ok(())
}

fn evidence(run: &Run, out: &mut dyn Write) -> io::Result<()> {
    let report = &run.report;
    writeln!(
        out,
        "\nEVIDENCE {}; log of {}",
        counted(report.receipts.count, "receipt"),
        counted(run.log_size, "entry")
    )?;
    for line in report.receipts.checkpoint.lines().take(3) {
        writeln!(out, "  {line}")?;
    }
    writeln!(out, "  verifier key {}", run.verifier_key)?;
    match &run.opened {
        Opened::Created { key } if run.dir.exists() => {
            paragraph(out, "  ", &format!("new data directory {}", run.dir.display()))?;
            paragraph(out, "  ", &format!("private key {} (keep it safe)", key.display()))?;
        }
        Opened::Reopened(recovery) if recovery.truncated_bytes > 0 => {
            let bytes = counted(recovery.truncated_bytes, "byte");
            let text = format!("cut off behind the last commit: {bytes}; never reported as done");
            paragraph(out, "  repaired: ", &text)?;
        }
        _ => {}
    }
    if let Some(letters) = &run.dead_letters {
        paragraph(out, "  ", &format!("refused events are in {}; the first:", letters.path.display()))?;
        paragraph(out, "    ", &letters.first.to_string())?;
    }
    Ok(())
}
