//! Whether a checked change is promoted, held for people, or rejected.

use knhk_ontology::schema::PromotionPolicy;
use serde::{Deserialize, Serialize};

use crate::finding::{Code, Conclusion, Severity};
use crate::proposal::Checked;
use crate::shadow::State;

/// What the operator asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Promote what the sector's policy lets through.
    Auto,
    /// Promote nothing.
    Hold,
    /// A person has reviewed this change: what would be held for review goes through.
    Reviewed,
}

/// What happens to a checked change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It is promoted at once.
    Promote,
    /// It waits for people.
    Hold {
        /// What it waits for.
        why: String,
    },
    /// It is rejected.
    Reject {
        /// The first stage that failed and its first finding.
        why: String,
    },
}

/// The lowest confidence, in parts per million, at which the proposal of a model is promoted without review.
pub const MODEL_CONFIDENCE_PPM_MIN: u32 = 900_000;

/// Proposers whose name starts so are deterministic rules of this crate; every other name is a model's.
pub const RULES_PROPOSER_PREFIX: &str = "rules/";

/// Decides by the sector's policy, the operator's mode and the seven results, in this order:
///
/// 1. a failed stage rejects, unless all that failed is approvals that are not there yet: then it is held for them;
/// 2. a shadow whose tests did not pass rejects;
/// 3. the mode [`Mode::Hold`] holds;
/// 4. unless a person has reviewed it ([`Mode::Reviewed`]): a skipped stage or a missing measurement holds, since what
///    was not checked is not let through unseen; so do the policy [`PromotionPolicy::HumanReview`] and a model's
///    proposal below [`MODEL_CONFIDENCE_PPM_MIN`];
/// 5. everything else is promoted. Warnings do not stop it.
pub fn decide(policy: PromotionPolicy, mode: Mode, checked: &Checked) -> Decision {
    let mut awaited = None;
    for stage in checked.failed_stages() {
        let mut errors = stage.findings.iter().filter(|finding| finding.severity == Severity::Error);
        if let Some(other) = errors.clone().find(|finding| finding.code != Code::ApprovalsMissing) {
            return Decision::Reject { why: format!("{}: {} {}", stage.stage, other.code, other.message) };
        }
        match errors.next() {
            Some(missing) => awaited = Some(format!("{}: {}", missing.rule, missing.message)),
            None => return Decision::Reject { why: format!("stage {} failed", stage.stage) },
        }
    }
    if let Some(why) = awaited {
        return Decision::Hold { why };
    }
    match checked.shadow().state() {
        State::TestsPassed | State::Approved => {}
        State::TestsFailed { reason } => return Decision::Reject { why: format!("in the shadow: {reason}") },
        other => return Decision::Reject { why: format!("the shadow is only {}", other.as_str()) },
    }
    if mode == Mode::Hold {
        return Decision::Hold { why: "the operator asked to hold every change".into() };
    }
    if mode == Mode::Reviewed {
        return Decision::Promote;
    }
    for stage in checked.results() {
        if let Conclusion::Skipped { why } = &stage.result {
            return Decision::Hold { why: format!("stage {} was skipped: {why}", stage.stage) };
        }
        if let Some(missing) = stage.findings.iter().find(|finding| finding.code == Code::NoMeasurement) {
            return Decision::Hold { why: format!("{}: {} {}", stage.stage, missing.code, missing.message) };
        }
    }
    if policy == PromotionPolicy::HumanReview {
        return Decision::Hold { why: "the sector's policy asks for a person's review".into() };
    }
    let content = checked.proposal().content();
    if !content.proposer.starts_with(RULES_PROPOSER_PREFIX)
        && content.confidence_ppm < MODEL_CONFIDENCE_PPM_MIN
    {
        return Decision::Hold { why: "a model proposed it with a confidence below 0.90".into() };
    }
    Decision::Promote
}
