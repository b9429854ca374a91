//! What the log tells of a sector's versions: what made each, and what was proposed and checked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use knhk_evidence::entry::Entry;
use knhk_evidence::receipt::Operation;
use knhk_kernel::Kernel;
use knhk_kernel::decision::{Body, Verdict};
use knhk_ontology::export::prov::{Event, Made, What};
use knhk_ontology::{History, SnapshotId};
use knhk_storage::read;

use crate::error::CliError;

/// Everything that happened to the ontology of a sector, oldest first. Versions whose receipts are no longer kept come
/// first, without what made them.
pub(super) fn of(dir: &Path, kernel: &Kernel, sector: &str) -> Result<Vec<Event>, CliError> {
    let history = kernel.sector(sector)?.history();
    let mut told = Vec::new();
    for located in read::entries(dir)? {
        let Entry::Receipt { signed, body } = located?.entry else { continue };
        let draft = signed.draft();
        let is_told = matches!(
            draft.operation,
            Operation::SectorUpdated
                | Operation::ProposalGenerated
                | Operation::ValidationExecuted
                | Operation::SnapshotPromoted
                | Operation::RollbackExecuted
        );
        if draft.sector != sector || !is_told {
            continue;
        }
        let receipt = Some(signed.id().to_string());
        let event = |at_ms: i64, what| Event { receipt: receipt.clone(), at: date_time(at_ms), what };
        let signed_ms = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
        match Body::from_bytes(&body)? {
            Body::SectorUpdated(genesis) => {
                let made = Made {
                    snapshot: genesis.snapshot_id,
                    content: genesis.content_id,
                    version: genesis.version,
                    parent: None,
                };
                told.push(event(signed_ms(genesis.promoted_at_ms), What::Genesis(made)));
            }
            Body::SnapshotPromoted(promoted) => {
                let made = Made {
                    snapshot: promoted.snapshot_id,
                    content: promoted.content_id,
                    version: promoted.version,
                    parent: promoted.parents.first().copied(),
                };
                let what = What::Promoted(made, promoted.proposal.to_string());
                told.push(event(signed_ms(promoted.promoted_at_ms), what));
            }
            Body::RollbackExecuted(back) => {
                let made = Made {
                    snapshot: back.snapshot_id,
                    content: back.content_id,
                    version: back.version,
                    parent: back.parents.first().copied(),
                };
                let what = What::RolledBack { made, to: back.to, reason: back.reason };
                told.push(event(signed_ms(back.promoted_at_ms), what));
            }
            Body::ProposalGenerated(planned) => {
                for proposal in planned.proposals {
                    let content = proposal.content();
                    told.push(event(
                        content.time_ms,
                        What::Proposed {
                            proposal: proposal.id().to_string(),
                            proposer: content.proposer.clone(),
                            base: content.base,
                        },
                    ));
                }
            }
            Body::ValidationExecuted(validated) => {
                let verdict = match &validated.verdict {
                    Verdict::Nothing => continue,
                    Verdict::Promote => "promote",
                    Verdict::Hold { .. } => "hold",
                    Verdict::Reject { .. } => "reject",
                };
                if let Some(proposal) = &validated.proposal {
                    told.push(event(
                        draft.time_ms,
                        What::Checked {
                            proposal: proposal.to_string(),
                            against: validated.against,
                            verdict,
                            by_operator: validated.stages.is_empty(),
                        },
                    ));
                }
            }
            _ => {}
        }
    }
    let mut events = before_what_is_kept(history, &told);
    events.extend(told);
    Ok(events)
}

/// Versions that the receipts do not tell of.
fn before_what_is_kept(history: &History, told: &[Event]) -> Vec<Event> {
    let known: BTreeSet<SnapshotId> = told.iter().filter_map(made).map(|made| made.snapshot).collect();
    let chain: Vec<_> = history.chain().collect();
    let mut events: Vec<Event> = chain
        .iter()
        .enumerate()
        .filter(|(_, (id, _, _))| !known.contains(id))
        .filter_map(|(place, (id, version, at_ms))| {
            let content = history.sigma(id)?.content_id();
            let parent = chain.get(place + 1).map(|(parent, _, _)| *parent);
            let made = Made { snapshot: *id, content, version: *version, parent };
            let what = if parent.is_none() { What::Genesis(made) } else { What::Unknown(made) };
            Some(Event { receipt: None, at: date_time(i64::try_from(*at_ms).unwrap_or(i64::MAX)), what })
        })
        .collect();
    events.reverse();
    events
}

/// The version that an event brought, if it brought one.
pub(super) fn made(event: &Event) -> Option<&Made> {
    match &event.what {
        What::Genesis(made)
        | What::Promoted(made, _)
        | What::Unknown(made)
        | What::RolledBack { made, .. } => Some(made),
        What::Proposed { .. } | What::Checked { .. } => None,
    }
}

/// The event that brought each version.
pub(super) fn by_version(events: &[Event]) -> BTreeMap<SnapshotId, &Event> {
    events.iter().filter_map(|event| Some((made(event)?.snapshot, event))).collect()
}

/// Unix milliseconds as `xsd:dateTime`.
fn date_time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map_or_else(|_| "9999-12-31T23:59:59.999Z".to_owned(), |at| format!("{at:.3}"))
}
