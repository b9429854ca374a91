//! A proposal that waits for a person, with what the log says about it: evidence, stages, why it waits.

use std::collections::BTreeMap;
use std::path::Path;

use knhk_change::proposal::Proposal;
use knhk_evidence::entry::Entry;
use knhk_evidence::receipt::Operation;
use knhk_kernel::decision::{Body, Validated, Verdict};
use knhk_storage::read;

use crate::error::CliError;
use crate::report::{PatternReport, ProposalReport, StageReport};

/// What the log says about one proposal.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// The proposal with its stages and its outcome so far.
    pub report: ProposalReport,
    /// The patterns it answers, as they were found last.
    pub patterns: Vec<PatternReport>,
    /// When it was decided last that it waits, Unix ms.
    pub since_ms: i64,
}

/// Reads the log for what it says about `proposal`.
pub(crate) fn told(dir: &Path, proposal: &Proposal) -> Result<Waiting, CliError> {
    let content = proposal.content();
    let mut report = ProposalReport::new(proposal);
    let mut patterns: BTreeMap<String, PatternReport> = BTreeMap::new();
    let mut since_ms = content.time_ms;
    for located in read::entries(dir)? {
        let located = located?;
        let Entry::Receipt { signed, body } = &located.entry else { continue };
        let draft = signed.draft();
        let tells = matches!(draft.operation, Operation::PatternDetected | Operation::ValidationExecuted);
        if !tells || draft.sector != content.sector {
            continue;
        }
        match Body::from_bytes(body)? {
            Body::PatternDetected(detected) => {
                let answered = detected.patterns.iter().filter(|p| content.patterns.contains(&p.id));
                patterns.extend(answered.map(|pattern| (pattern.id.clone(), PatternReport::from(pattern))));
            }
            Body::ValidationExecuted(Validated { proposal: Some(id), stages, verdict, .. })
                if id == proposal.id() =>
            {
                report.stages = stages.iter().map(|stage| StageReport::new(stage, None)).collect();
                report.receipt = signed.id().to_string();
                since_ms = draft.time_ms;
                if let Verdict::Hold { why } = verdict {
                    report.reason = Some(why);
                }
            }
            _ => {}
        }
    }
    Ok(Waiting { report, patterns: patterns.into_values().collect(), since_ms })
}
