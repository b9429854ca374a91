//! Stage 5: the cost of admission after the change, counted anew and compared with what the proposer claims.

use knhk_ontology::schema::Schema;
use knhk_ontology::snapshot::Snapshot;
use knhk_projection::ticks::{CHATMAN_CONSTANT, explain, ticks};

use super::{Context, candidate};
use crate::finding::{Code, Finding, Stage, StageResult};
use crate::meaning::Meaning;
use crate::proposal::Proposal;
use crate::shadow::{Candidate, Shadow};

/// Counts the ticks of every event type that the change touches, and of every hot one.
pub fn check(shadow: &Shadow, proposal: &Proposal, _context: &Context<'_>) -> StageResult {
    let candidate = match candidate(shadow, Stage::Performance) {
        Ok(candidate) => candidate,
        Err(skipped) => return skipped,
    };
    let after = candidate.schema();
    let mut findings = Vec::new();
    for (event_type, class) in &after.event_types {
        let hot = after.classes.get(class).is_some_and(|class| class.hot);
        if !hot {
            continue;
        }
        let Some(counted) = ticks(after, event_type) else {
            findings.push(
                Finding::error(
                    Code::NotCounted,
                    event_type,
                    format!("the ticks of {event_type} cannot be counted"),
                )
                .rule("Q3")
                .fix("give the event type a class"),
            );
            continue;
        };
        if counted.0 > CHATMAN_CONSTANT {
            let before = ticks(&shadow.base().schema, event_type);
            findings.extend(over_budget(candidate, event_type, before.map(|ticks| ticks.0)));
        }
    }
    let claimed = proposal.content().estimated_ticks;
    let counted = costliest_touched(shadow.base(), candidate).unwrap_or(0);
    if claimed != counted {
        let text = format!("the proposer claims {claimed} ticks, counted are {counted}");
        // Of another snapshot it may have been true: what was promoted since costs ticks too.
        let finding = if proposal.content().base == shadow.base().id {
            Finding::warning(Code::FalseClaim, "", text)
        } else {
            Finding::info(Code::FalseClaim, "", format!("{text}; the claim was made for an earlier snapshot"))
        };
        findings.push(
            finding
                .rule("estimated_ticks")
                .change(Some(claimed.to_string()), Some(counted.to_string()))
                .fix("nothing rests on the claim; mend the proposer"),
        );
    }
    StageResult::of(Stage::Performance, findings)
}

/// One finding for each class that costs something, so that a reader sees where the ticks go.
fn over_budget(candidate: &Candidate, event_type: &str, before: Option<u32>) -> Vec<Finding> {
    let costs = explain(candidate.schema(), event_type).unwrap_or_default();
    let total = costs.iter().fold(0_u32, |sum, cost| sum.saturating_add(cost.ticks().0));
    let mut costs: Vec<_> = costs.into_iter().filter(|cost| cost.ticks().0 > 0).collect();
    costs.sort_by(|a, b| (b.ticks(), &a.class).cmp(&(a.ticks(), &b.class)));
    costs
        .into_iter()
        .map(|cost| {
            let message = format!(
                "{event_type} needs {total} ticks, above {CHATMAN_CONSTANT}; {} of them for {}: presence {}, types {}, bounds {}, lengths {}, values {}",
                cost.ticks().0,
                cost.class.local_name(),
                cost.presence,
                cost.types,
                cost.bounds,
                cost.lengths,
                cost.values
            );
            Finding::error(Code::OverBudget, event_type, message)
                .rule("Q3")
                .change(before.map(|ticks| ticks.to_string()), Some(total.to_string()))
                .fix("declare fewer keys or constraints there, or take the event type off the hot path (knhk:hot false)")
        })
        .collect()
}

/// The ticks of the costliest event type that the change touches; `None` when it touches none that has a class.
pub(crate) fn costliest_touched(base: &Snapshot, candidate: &Candidate) -> Option<u32> {
    costliest(candidate.meaning(), &base.schema, candidate.schema())
}

/// The same by what the change means between two schemas: the one count, also for whoever makes proposals.
pub(crate) fn costliest(meaning: &Meaning, before: &Schema, after: &Schema) -> Option<u32> {
    let touched = meaning.touched_event_types(before, after);
    touched.iter().filter_map(|event_type| ticks(after, event_type)).map(|ticks| ticks.0).max()
}
