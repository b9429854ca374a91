//! The report of `knhk observe` as data. The field names are stable: `docs/report.md` describes them.

use knhk_change::finding::{Finding, Severity, Stage, StageResult};
use knhk_change::proposal::{Change, Proposal};
use knhk_kernel::KernelError;
use knhk_observation::pattern::{Action, Pattern, PatternKind};
use serde::Serialize;

use crate::table::counted;

use crate::restore::lost_state;

/// Everything one run did.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// The sector.
    pub sector: String,
    /// What came in.
    pub observations: Observations,
    /// How much of it the ontology described before the cycle.
    pub conformance: Conformance,
    /// The same events under the ontology in force after the cycle.
    pub conformance_after: Conformance,
    /// What was found.
    pub patterns: Vec<PatternReport>,
    /// What was proposed, and how it fared.
    pub proposals: Vec<ProposalReport>,
    /// What a user should know before reading on.
    pub notices: Vec<Notice>,
    /// Proposals that wait for a person after this run, those of earlier runs included.
    pub(crate) waiting: u64,
    /// The snapshots this run made, oldest first; the one it started from is first.
    pub snapshots: Vec<SnapshotReport>,
    /// Receipts written.
    pub receipts: ReceiptsReport,
    /// The cycle.
    pub cycle: CycleReport,
}

/// Something that is as documented and still easily missed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Notice {
    /// A stable name.
    pub kind: &'static str,
    /// For people.
    pub message: String,
}

impl Notice {
    /// The pack on disk is no longer the one that the sector was begun with.
    pub(crate) fn pack_ignored(sector: &str) -> Self {
        let message = format!(
            "the pack of `{sector}` is not the one that this data directory was begun with; the directory's ontology, \
             doctrine and guards are in force, and the pack was not read. To use the pack as it is now, begin a new data \
             directory"
        );
        Self { kind: "pack_ignored", message }
    }

    /// No checkpoint lay beside the log, so an earlier state of it cannot be told from this one.
    pub(crate) fn checkpoint_missing() -> Self {
        let message = "the file `checkpoint` was missing or empty, so nothing here shows whether the log was set back to an \
                       earlier state; it was written anew. Compare with a checkpoint kept elsewhere: `knhk log verify DIR \
                       --since FILE`"
            .to_owned();
        Self { kind: "checkpoint_missing", message }
    }

    /// Entries at the end of the log were under no checkpoint, and are now.
    pub(crate) fn signed_late(entries: u64) -> Self {
        let message = format!(
            "{} at the end of the log {} under no signed checkpoint, and {} now: an earlier run was stopped before it could \
             sign, or somebody who can write the directory put them there",
            counted(entries, "entry"),
            if entries == 1 { "was" } else { "were" },
            if entries == 1 { "is" } else { "are" },
        );
        Self { kind: "signed_late", message }
    }

    /// The sealed state could not be used.
    pub(crate) fn state_lost(lost: &KernelError) -> Self {
        Self { kind: "state_lost", message: lost_state(lost) }
    }

    /// A directory with sectors begins another one.
    pub(crate) fn new_sector(sector: &str, others: &[&str]) -> Self {
        let message = format!(
            "`{sector}` is a new sector in this data directory, which holds {}; sectors learn nothing from each other. If that \
             was not meant, check --sector",
            others.join(", ")
        );
        Self { kind: "new_sector", message }
    }
}

/// Counts of events.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Observations {
    /// New events, now in the log.
    pub accepted: u64,
    /// Repeats of (source, id).
    pub duplicates: u64,
    /// Refused ones, in the dead-letter file.
    pub rejected: u64,
}

/// Events that conform, of all.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Conformance {
    /// Conforming events.
    pub conform: u64,
    /// Events.
    pub of: u64,
    /// Before the cycle, values and events beyond the limits of a profile, in which no drift was looked for; after it,
    /// events that the replay window no longer holds (`docs/limits.md`).
    pub not_examined: u64,
}

/// One pattern.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PatternReport {
    /// Fingerprint.
    pub id: String,
    /// Kind.
    pub kind: &'static str,
    /// Event type.
    pub event_type: String,
    /// Path.
    pub path: String,
    /// What exactly.
    pub detail: String,
    /// 0 to 1.
    pub confidence: f64,
    /// The evidence.
    pub evidence: EvidenceReport,
    /// What is recommended.
    pub action: Action,
    /// What a person can do next, where no change is proposed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<&'static str>,
}

/// The events behind a pattern.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct EvidenceReport {
    /// Events that show it.
    pub n: u64,
    /// Events of that type.
    pub of: u64,
    /// Distinct payloads among them (counted up to 64).
    pub distinct: u64,
    /// Record digests of examples.
    pub examples: Vec<String>,
    /// Event time of the first, Unix ms.
    pub first_ms: i64,
    /// Event time of the last, Unix ms.
    pub last_ms: i64,
    /// JSON types seen there.
    pub types: std::collections::BTreeMap<String, u64>,
}

/// One proposal.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ProposalReport {
    /// Id.
    pub id: String,
    /// Patterns it answers.
    pub patterns: Vec<String>,
    /// 0 to 1.
    pub confidence: f64,
    /// Why.
    pub reasoning: String,
    /// What it changes.
    pub changes: Vec<Change>,
    /// Ticks the proposer claims.
    pub estimated_ticks: u32,
    /// Seven results.
    pub stages: Vec<StageReport>,
    /// `promoted`, `held` or `rejected`.
    pub outcome: &'static str,
    /// Why it is held or was rejected.
    pub reason: Option<String>,
    /// Id of the receipt of that outcome.
    pub receipt: String,
}

/// One stage's result.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct StageReport {
    /// The stage.
    pub stage: Stage,
    /// `passed`, `failed`, `warning` or `skipped`.
    pub result: String,
    /// Why it was skipped.
    pub why: Option<String>,
    /// What it found.
    pub findings: Vec<FindingReport>,
    /// Time it took in this run; not part of any receipt, so none where a receipt is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_us: Option<u64>,
}

/// One finding.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FindingReport {
    /// Code; `knhk explain` has a page for it.
    pub code: String,
    /// Error, warning or information.
    pub severity: Severity,
    /// Where.
    pub path: String,
    /// Before.
    pub old: Option<String>,
    /// After.
    pub new: Option<String>,
    /// The rule.
    pub rule: String,
    /// What.
    pub message: String,
    /// How to mend it.
    pub fix: String,
}

/// One snapshot.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SnapshotReport {
    /// Snapshot id.
    pub snapshot_id: String,
    /// Content id.
    pub content_id: String,
    /// Version.
    pub version: String,
    /// Parents.
    pub parents: Vec<String>,
}

/// Receipts of the run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ReceiptsReport {
    /// How many.
    pub count: u64,
    /// The signed checkpoint over them.
    pub checkpoint: String,
}

/// The cycle.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CycleReport {
    /// Its id.
    pub id: String,
    /// How it ended.
    pub outcome: String,
    /// Why, when it did not succeed.
    pub reason: Option<String>,
    /// Ids of its receipts.
    pub receipts: Vec<String>,
    /// Time from the first byte read to the last one durable.
    pub elapsed_ms: u64,
    /// Most memory the run had resident, where the system tells.
    pub peak_resident_bytes: Option<u64>,
}

impl From<&Pattern> for PatternReport {
    fn from(pattern: &Pattern) -> Self {
        let evidence = &pattern.evidence;
        Self {
            id: pattern.id.clone(),
            kind: pattern.kind.as_str(),
            event_type: pattern.event_type.clone(),
            path: pattern.path.clone(),
            detail: pattern.detail.clone(),
            confidence: fraction(pattern.confidence_ppm),
            evidence: EvidenceReport {
                n: evidence.n,
                of: evidence.of,
                distinct: evidence.distinct,
                examples: evidence.examples.clone(),
                first_ms: evidence.first_ms,
                last_ms: evidence.last_ms,
                types: evidence.types.clone(),
            },
            action: pattern.action,
            next: next_step(pattern),
        }
    }
}

/// The step that is there today for a pattern that is for a person to look into.
fn next_step(pattern: &Pattern) -> Option<&'static str> {
    if pattern.action != Action::Investigate {
        return None;
    }
    match pattern.kind {
        // No likeness tells a renamed key from a lost one: a proposer must not drop a requirement on a guess.
        PatternKind::VanishedField => Some(
            "lost by mistake: mend the sender. Renamed or dropped for good: in a copy of the pack put the output of `knhk \
             ontology export --as turtle --data DIR` in place of its .ttl and .jsonld files, take the key's sh:minCount out, set its \
             knhk:cardinality to 0..1 (or 0..*), and begin a new data directory with it",
        ),
        _ => None,
    }
}

impl ProposalReport {
    /// A proposal before its outcome is known.
    pub(crate) fn new(proposal: &Proposal) -> Self {
        let content = proposal.content();
        Self {
            id: proposal.id().to_string(),
            patterns: content.patterns.clone(),
            confidence: fraction(content.confidence_ppm),
            reasoning: content.reasoning.clone(),
            changes: content.changes.clone(),
            estimated_ticks: content.estimated_ticks,
            stages: Vec::new(),
            outcome: "held",
            reason: None,
            receipt: String::new(),
        }
    }
}

impl StageReport {
    /// A stage's result with the time it took here.
    pub(crate) fn new(result: &StageResult, elapsed_us: Option<u64>) -> Self {
        let why = match &result.result {
            knhk_change::finding::Conclusion::Skipped { why } => Some(why.clone()),
            _ => None,
        };
        let findings = result.findings.iter().map(FindingReport::from).collect();
        Self { stage: result.stage, result: result.result.as_str().to_owned(), why, findings, elapsed_us }
    }
}

impl From<&Finding> for FindingReport {
    fn from(finding: &Finding) -> Self {
        Self {
            code: finding.code.as_str().to_owned(),
            severity: finding.severity,
            path: finding.path.clone(),
            old: finding.old.clone(),
            new: finding.new.clone(),
            rule: finding.rule.clone(),
            message: finding.message.clone(),
            fix: finding.fix.clone(),
        }
    }
}

fn fraction(ppm: u32) -> f64 {
    f64::from(ppm) / 1e6
}

/// Writes the report as a stream: one object a line, each with a `type`, the cycle last.
pub(crate) fn stream(report: &Report, out: &mut dyn std::io::Write) -> Result<(), crate::error::CliError> {
    #[derive(Serialize)]
    #[serde(tag = "type", rename_all = "snake_case")]
    enum Line<'a> {
        Observations {
            sector: &'a str,
            observations: Observations,
            conformance: Conformance,
            conformance_after: Conformance,
        },
        Pattern(&'a PatternReport),
        Proposal(&'a ProposalReport),
        Notice(&'a Notice),
        Snapshot(&'a SnapshotReport),
        Waiting {
            waiting: u64,
        },
        Receipts(&'a ReceiptsReport),
        Cycle(&'a CycleReport),
    }
    let first = Line::Observations {
        sector: &report.sector,
        observations: report.observations,
        conformance: report.conformance,
        conformance_after: report.conformance_after,
    };
    let lines = std::iter::once(first)
        .chain(report.notices.iter().map(Line::Notice))
        .chain(report.patterns.iter().map(Line::Pattern))
        .chain(report.proposals.iter().map(Line::Proposal))
        .chain(report.snapshots.iter().map(Line::Snapshot))
        .chain([
            Line::Waiting { waiting: report.waiting },
            Line::Receipts(&report.receipts),
            Line::Cycle(&report.cycle),
        ]);
    for line in lines {
        crate::json_line(out, &line)?;
    }
    Ok(())
}
