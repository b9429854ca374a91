//! The report of `knhk observe` for people: drift first, then each proposal with its seven stages, then the evidence.

use std::io::{self, Write};

use crate::observe::Run;
use crate::report::{ProposalReport, Report};
use crate::session::Opened;
use crate::table::{Table, instant, shorten, thousands};

/// Patterns shown; the JSON report has all.
const PATTERNS_SHOWN: usize = 25;
/// Changes shown of one proposal.
const CHANGES_SHOWN: usize = 12;
/// Findings shown of one proposal.
const FINDINGS_SHOWN: usize = 6;

/// Writes the whole report.
pub(crate) fn write(run: &Run, out: &mut dyn Write) -> io::Result<()> {
    let report = &run.report;
    summary(report, out)?;
    for notice in &report.notices {
        writeln!(out, "\nNOTICE {}.", notice.message)?;
    }
    drift(report, out)?;
    for (index, proposal) in report.proposals.iter().enumerate() {
        write_proposal(index + 1, proposal, out)?;
    }
    outcome(report, out)?;
    evidence(run, out)
}

fn summary(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let counts = report.observations;
    write!(out, "{}: {} events", report.sector, thousands(counts.accepted))?;
    if counts.duplicates > 0 {
        write!(out, ", {} repeats", thousands(counts.duplicates))?;
    }
    if counts.rejected > 0 {
        write!(out, ", {} refused", thousands(counts.rejected))?;
    }
    let conformance = report.conformance;
    writeln!(out, "; {} of {} conform", thousands(conformance.conform), thousands(conformance.of))
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
            writeln!(out, "\nNothing to compare: no new events. Repeats are not judged again.")
        } else if conformance.conform == conformance.of {
            writeln!(out, "\nNo drift: the events and the ontology agree.")
        } else {
            writeln!(out, "\nNo drift was found in what was examined.")
        };
    }
    writeln!(out, "\nDRIFT")?;
    let mut table = Table::new(&[
        "kind",
        "event type",
        "path",
        "what",
        "n of N>",
        "distinct>",
        "types",
        "sure>",
        "first seen",
        "last seen",
        "do",
    ]);
    for pattern in report.patterns.iter().take(PATTERNS_SHOWN) {
        let evidence = &pattern.evidence;
        let types: Vec<String> = evidence.types.iter().map(|(name, n)| format!("{name} {n}")).collect();
        table.row([
            pattern.kind.to_owned(),
            last_segment(&pattern.event_type),
            pattern.path.clone(),
            shorten(&pattern.detail, 28),
            format!("{} of {}", thousands(evidence.n), thousands(evidence.of)),
            if evidence.distinct >= 64 { "many".to_owned() } else { evidence.distinct.to_string() },
            shorten(&types.join(", "), 24),
            format!("{:.2}", pattern.confidence),
            instant(evidence.first_ms),
            instant(evidence.last_ms),
            format!("{:?}", pattern.action),
        ]);
    }
    table.write(out)?;
    if report.patterns.len() > PATTERNS_SHOWN {
        writeln!(out, "  … and {} more; --format json shows all", report.patterns.len() - PATTERNS_SHOWN)?;
    }
    let mut steps: Vec<_> = report.patterns.iter().filter_map(|p| Some((p.kind, p.next?))).collect();
    steps.sort_unstable();
    steps.dedup();
    for (kind, next) in steps {
        writeln!(out, "  {kind}: {next}")?;
    }
    Ok(())
}

fn write_proposal(number: usize, proposal: &ProposalReport, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "\nPROPOSAL {number} ({}), {:.2} sure: {}",
        &proposal.id[..12.min(proposal.id.len())],
        proposal.confidence,
        proposal.reasoning
    )?;
    let mut table =
        Table::new(&["change", "event type", "path", "datatype", "card.", "old → new", "n of N>"]);
    for change in proposal.changes.iter().take(CHANGES_SHOWN) {
        let arrow = match (&change.old, &change.new) {
            (None, None) => String::new(),
            (old, new) => format!("{} → {}", old.as_deref().unwrap_or("·"), new.as_deref().unwrap_or("·")),
        };
        table.row([
            change.op.as_str().to_owned(),
            last_segment(&change.event_type),
            if change.path.is_empty() { "(the event)".to_owned() } else { change.path.clone() },
            shorten(&datatype(change.datatype.as_deref()), 32),
            change.cardinality.clone().unwrap_or_default(),
            shorten(&arrow, 40),
            format!("{} of {}", thousands(change.n), thousands(change.of)),
        ]);
    }
    table.write(out)?;
    if proposal.changes.len() > CHANGES_SHOWN {
        writeln!(out, "  … and {} more", proposal.changes.len() - CHANGES_SHOWN)?;
    }
    let stages: Vec<String> = proposal
        .stages
        .iter()
        .map(|stage| format!("{} {}", stage.stage.as_str(), mark(&stage.result)))
        .collect();
    let total: u64 = proposal.stages.iter().map(|s| s.elapsed_us).sum();
    writeln!(out, "  stages: {} ({}.{:01} ms)", stages.join(" · "), total / 1_000, total % 1_000 / 100)?;
    let findings = proposal.stages.iter().flat_map(|s| s.findings.iter().map(move |f| (s, f)));
    let serious = findings.filter(|(stage, _)| stage.result == "failed" || stage.result == "warning");
    for (stage, finding) in serious.take(FINDINGS_SHOWN) {
        writeln!(out, "    {} {}: {}", finding.code, stage.stage.as_str(), shorten(&finding.message, 160))?;
        if !finding.fix.is_empty() {
            writeln!(out, "      mend: {}", shorten(&finding.fix, 160))?;
        }
    }
    match &proposal.reason {
        Some(reason) => writeln!(out, "  {}: {}", proposal.outcome, shorten(reason, 200)),
        None => writeln!(
            out,
            "  {}, receipt {}",
            proposal.outcome,
            &proposal.receipt[..12.min(proposal.receipt.len())]
        ),
    }
}

fn outcome(report: &Report, out: &mut dyn Write) -> io::Result<()> {
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
        writeln!(out, "  {}", shorten(reason, 400))?;
    }
    if report.waiting > 0 {
        writeln!(out, "  {} proposals wait for a person: knhk proposals list --data DIR", report.waiting)?;
    }
    if let (Some(first), Some(last)) = (report.snapshots.first(), report.snapshots.last()) {
        if first.snapshot_id == last.snapshot_id {
            writeln!(out, "  ontology {} stays at version {}", report.sector, first.version)?;
        } else {
            let short = &last.content_id[..12.min(last.content_id.len())];
            writeln!(
                out,
                "  ontology {}: version {} → {}, content {short}",
                report.sector, first.version, last.version
            )?;
        }
    }
    Ok(())
}

fn evidence(run: &Run, out: &mut dyn Write) -> io::Result<()> {
    let report = &run.report;
    writeln!(
        out,
        "\nEVIDENCE {} receipts; log of {} entries",
        report.receipts.count,
        thousands(run.log_size)
    )?;
    for line in report.receipts.checkpoint.lines().take(3) {
        writeln!(out, "  {line}")?;
    }
    writeln!(out, "  verifier key {}", run.verifier_key)?;
    match &run.opened {
        Opened::Created { key } if run.dir.exists() => {
            writeln!(
                out,
                "  new data directory {}, private key {} (keep it safe)",
                run.dir.display(),
                key.display()
            )?;
        }
        Opened::Reopened(recovery) if recovery.truncated_bytes > 0 => {
            writeln!(
                out,
                "  repaired: {} bytes behind the last commit were cut off; they were never reported as done",
                recovery.truncated_bytes
            )?;
        }
        _ => {}
    }
    if let Some(path) = &run.dead_letters {
        writeln!(out, "  refused events are in {}", path.display())?;
    }
    Ok(())
}

/// `com.example.logistics.shipment.created` → `shipment.created`.
fn last_segment(event_type: &str) -> String {
    let mut parts: Vec<&str> = event_type.rsplit('.').take(2).collect();
    parts.reverse();
    parts.join(".")
}

/// `urn:knhk:logistics#Geofence` → `Geofence`; `xsd:decimal` → `decimal`.
fn datatype(text: Option<&str>) -> String {
    let short = |part: &str| {
        part.rsplit_once('#').map_or(part, |(_, name)| name).trim_start_matches("xsd:").to_owned()
    };
    text.unwrap_or_default().split(" | ").map(short).collect::<Vec<_>>().join(" | ")
}

fn mark(result: &str) -> &'static str {
    match result {
        "passed" => "✓",
        "failed" => "✗",
        "warning" => "!",
        _ => "–",
    }
}
