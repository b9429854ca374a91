//! Stage 7: the compatibility level of the sector, by comparing the ontologies and by replaying the window.

use knhk_ontology::History;
use knhk_ontology::delta::Effect;
use knhk_ontology::schema::{Compatibility, Schema};

use super::{Context, candidate};
use crate::finding::{Code, Finding, Stage, StageResult};
use crate::meaning::Meaning;
use crate::proposal::Proposal;
use crate::replay::Replay;
use crate::shadow::{Candidate, Shadow};

/// Most ancestors, nearest first, that a transitive level is compared with. Those beyond are told in a finding.
pub const ANCESTORS_MAX: usize = 32;

/// Compares with the base, with its ancestors where the level is transitive, and replays the window. The level is the
/// one in force before the change: a change cannot lower its own bar.
pub fn check(shadow: &Shadow, _proposal: &Proposal, context: &Context<'_>) -> StageResult {
    let candidate = match candidate(shadow, Stage::Compatibility) {
        Ok(candidate) => candidate,
        Err(skipped) => return skipped,
    };
    let base = shadow.base();
    let level = base.schema.settings.compatibility;
    let rule = Rule::of(level);
    let mut findings = rule.structural(candidate.meaning(), "");
    if rule.transitive {
        findings.extend(rule.against_ancestors(candidate, context.history));
    }
    findings.extend(rule.replayed(candidate.replay(base, context.window)));
    for finding in &mut findings {
        if finding.rule.is_empty() {
            level.as_str().clone_into(&mut finding.rule);
        }
        if matches!(finding.code, Code::NotBackward | Code::NotForward) {
            finding.message = format!("{}, which the level {} forbids", finding.message, level.as_str());
        }
    }
    if candidate.meaning().effect() == Effect::Strengthening {
        let (old, new) = (base.version, candidate.version());
        for finding in findings.iter_mut().filter(|finding| finding.code == Code::NotBackward) {
            finding.message = format!("{}; it is breaking and makes {old} into {new}", finding.message);
        }
    }
    StageResult::of(Stage::Compatibility, findings)
}

#[derive(Clone, Copy)]
struct Rule {
    backward: bool,
    forward: bool,
    transitive: bool,
}

impl Rule {
    fn of(level: Compatibility) -> Self {
        use Compatibility as C;
        Self {
            backward: matches!(level, C::Backward | C::Full | C::BackwardTransitive | C::FullTransitive),
            forward: matches!(level, C::Forward | C::Full | C::ForwardTransitive | C::FullTransitive),
            transitive: matches!(level, C::BackwardTransitive | C::ForwardTransitive | C::FullTransitive),
        }
    }

    fn structural(self, meaning: &Meaning, than: &str) -> Vec<Finding> {
        let mut findings = Vec::new();
        for met in meaning.classified() {
            let direction = met.rule.direction();
            let mut forbid = |code: Code, what: &str, fix: &str| {
                findings.push(
                    Finding::error(code, met.term.as_str(), format!("{what}{than}"))
                        .rule(met.rule.as_str())
                        .change(met.old.clone(), met.new.clone())
                        .fix(fix),
                );
            };
            if self.backward && direction.strengthens() {
                forbid(Code::NotBackward, "data that was valid may become invalid", met.rule.fix());
            }
            if self.forward && direction.weakens() {
                forbid(Code::NotForward, "data that was not valid becomes valid", met.rule.fix());
            }
        }
        findings
    }

    fn against_ancestors(self, candidate: &Candidate, history: &History) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (id, version, _) in history.chain().skip(1).take(ANCESTORS_MAX) {
            let schema = history.sigma(&id).map(knhk_ontology::Sigma::schema);
            let Some(Ok(ancestor)) = schema else {
                findings.push(
                    Finding::error(Code::AncestorsOmitted, "", format!("snapshot {id} cannot be read"))
                        .fix("restore the history from its log"),
                );
                continue;
            };
            let than: &Schema = &ancestor;
            let meaning = Meaning::between(than, candidate.schema(), [], []);
            findings.extend(self.structural(&meaning, &format!(" since {version}")));
        }
        let omitted = history.depth().saturating_sub(ANCESTORS_MAX + 1);
        if omitted > 0 {
            let message = format!("{omitted} older snapshots were not compared");
            findings.push(
                Finding::warning(Code::AncestorsOmitted, "", message)
                    .fix("compare them with `knhk ontology diff`"),
            );
        }
        findings
    }

    fn replayed(self, replay: &Replay) -> Vec<Finding> {
        if replay.events == 0 {
            let message = "the window holds no event that the change concerns";
            return vec![
                Finding::warning(Code::NothingReplayed, "", message)
                    .rule("replay")
                    .fix("observe events first"),
            ];
        }
        let mut findings = Vec::new();
        let (newly, of) = (replay.newly_rejected, replay.events);
        for example in &replay.examples {
            let message = format!(
                "would newly reject {newly} of {of} events, among them {} of type {} ({} like it): {} expected, {} found",
                example.record, example.event_type, example.events, example.expected, example.found
            );
            let finding = if self.backward {
                Finding::error(Code::NewlyRejected, &example.path, message)
            } else {
                Finding::warning(Code::NewlyRejected, &example.path, message)
            };
            findings.push(
                finding
                    .rule("replay")
                    .change(Some(example.found.clone()), Some(example.expected.clone()))
                    .fix("admit what these events carry, or mend their producer first"),
            );
        }
        if replay.evicted > 0 {
            let message = format!("{} events were no longer held and were not replayed", replay.evicted);
            findings.push(Finding::info(Code::NothingReplayed, "", message).rule("replay"));
        }
        findings
    }
}
