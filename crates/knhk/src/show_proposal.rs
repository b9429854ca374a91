//! A proposal for people: what it changes, how the seven stages went, and what became of it.

use std::io::{self, Write};

use crate::report::{FindingReport, ProposalReport, StageReport};
use crate::show_drift::{last_segment, place};
use crate::table::{Table, noun, paragraph, short_id, shorten, thousands};

/// Findings that are about the sector, not about the change: it has no doctrine, it has no guards.
const ABOUT_THE_SECTOR: [&str; 2] = ["KNHK-S301", "KNHK-S411"];

/// How much is shown of one proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Changes.
    pub changes: usize,
    /// Findings.
    pub findings: usize,
    /// Whether findings about the sector are among them; otherwise [`about_the_sector`] tells them once.
    pub about_the_sector: bool,
}

impl Shown {
    /// Among others.
    pub(crate) const IN_A_RUN: Self = Self { changes: 12, findings: 6, about_the_sector: false };
    /// By itself.
    pub(crate) const ALONE: Self = Self { changes: usize::MAX, findings: usize::MAX, about_the_sector: true };
}

/// Writes what is noted on proposals because it is about the sector: once, whatever their number.
pub(crate) fn about_the_sector(proposals: &[ProposalReport], out: &mut dyn Write) -> io::Result<()> {
    let first =
        |code| proposals.iter().flat_map(|p| serious(&p.stages)).find(|(_, finding)| finding.code == code);
    let noted: Vec<_> = ABOUT_THE_SECTOR.into_iter().filter_map(first).collect();
    if !noted.is_empty() {
        writeln!(out, "\nNOTED ONCE, for every proposal of this run")?;
    }
    noted.into_iter().try_for_each(|(stage, finding)| write_finding(stage, finding, out))
}

/// Writes changes, stages, findings and outcome.
pub(crate) fn write(proposal: &ProposalReport, shown: Shown, out: &mut dyn Write) -> io::Result<()> {
    changes(proposal, shown, out)?;
    let results: Vec<String> = proposal
        .stages
        .iter()
        .map(|stage| format!("{} {}", stage.stage.as_str(), mark(&stage.result)))
        .collect();
    writeln!(out, "  stages: {}", results.join("  "))?;
    let findings: Vec<_> = serious(&proposal.stages)
        .filter(|(_, finding)| shown.about_the_sector || !is_about_the_sector(finding))
        .collect();
    for (stage, finding) in findings.iter().take(shown.findings) {
        write_finding(stage, finding, out)?;
    }
    if findings.len() > shown.findings {
        let more = (findings.len() - shown.findings) as u64;
        writeln!(out, "    … and {} more {}", thousands(more), noun(more, "finding"))?;
    }
    for stage in &proposal.stages {
        if let Some(why) = &stage.why {
            paragraph(out, &format!("    {} skipped: ", stage.stage.as_str()), why)?;
        }
    }
    match &proposal.reason {
        Some(reason) => paragraph(out, &format!("  {}: ", proposal.outcome), reason),
        None => writeln!(
            out,
            "  {}{}, receipt {}",
            proposal.outcome,
            duration(&proposal.stages),
            short_id(&proposal.receipt)
        ),
    }
}

/// What the stages took together, where that is known.
fn duration(stages: &[StageReport]) -> String {
    let times: Option<Vec<u64>> = stages.iter().map(|stage| stage.elapsed_us).collect();
    let total = times.map(|times| times.iter().sum::<u64>());
    total.map(|us| format!(" after {}.{:01} ms", us / 1_000, us % 1_000 / 100)).unwrap_or_default()
}

fn changes(proposal: &ProposalReport, shown: Shown, out: &mut dyn Write) -> io::Result<()> {
    let mut table =
        Table::new(&["change=", "event type<", "path<", "datatype", "card.", "old → new", "n of N>"]);
    for change in proposal.changes.iter().take(shown.changes) {
        let arrow = match (&change.old, &change.new) {
            (None, None) => String::new(),
            (old, new) => format!("{} → {}", old.as_deref().unwrap_or("·"), new.as_deref().unwrap_or("·")),
        };
        table.row([
            change.op.as_str().to_owned(),
            last_segment(&change.event_type),
            place(&change.path),
            datatype(change.datatype.as_deref()),
            change.cardinality.clone().unwrap_or_default(),
            arrow,
            format!("{} of {}", thousands(change.n), thousands(change.of)),
        ]);
    }
    table.write(out)?;
    if proposal.changes.len() > shown.changes {
        let more = proposal.changes.len() - shown.changes;
        writeln!(out, "  … and {more} more; --format json shows all")?;
    }
    Ok(())
}

fn is_about_the_sector(finding: &FindingReport) -> bool {
    ABOUT_THE_SECTOR.contains(&finding.code.as_str())
}

/// The findings of stages that did not simply pass.
fn serious(stages: &[StageReport]) -> impl Iterator<Item = (&StageReport, &FindingReport)> {
    let stages = stages.iter().filter(|stage| stage.result == "failed" || stage.result == "warning");
    stages.flat_map(|stage| stage.findings.iter().map(move |finding| (stage, finding)))
}

fn write_finding(stage: &StageReport, finding: &FindingReport, out: &mut dyn Write) -> io::Result<()> {
    let lead = format!("    {} {}: ", finding.code, stage.stage.as_str());
    paragraph(out, &lead, &shorten(&finding.message, 400))?;
    if finding.fix.is_empty() {
        return Ok(());
    }
    paragraph(out, "      mend: ", &shorten(&finding.fix, 400))
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
