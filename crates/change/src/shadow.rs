//! A shadow: a snapshot with a change applied, on which everything is tried before anything is promoted.
//!
//! The base is shared and immutable; a shadow cannot touch it, nor another shadow.

use std::sync::{Arc, OnceLock};

use knhk_ontology::delta::{Delta, PropertyRef};
use knhk_ontology::schema::{Compatibility, Schema};
use knhk_ontology::shacl::Report;
use knhk_ontology::snapshot::{ContentId, Snapshot, Version};
use knhk_ontology::sparql::{Budget, QUERY_ROWS, Query, ask};
use knhk_ontology::{Known, OntologyError, Sigma, TripleDelta, lower};

mod environment;
mod state;
mod test;

pub use environment::{SHADOWS_OPEN_MAX, ShadowEnvironment};
pub use state::State;
pub use test::{Assertion, Criticality, TEST_WORK_MAX, Test, TestResult};

use crate::conflict::ConflictReport;
use crate::error::Result;
use crate::finding::{Finding, Severity};
use crate::guards::{Ground, GuardSet};
use crate::meaning::Meaning;
use crate::replay::Replay;
use crate::shapes;
use crate::window::Window;

/// The ontology after the change, and what is worked out from it once, when first asked for.
#[derive(Clone, Debug)]
pub struct Candidate {
    triples: TripleDelta,
    known: Known,
    meaning: Meaning,
    version: Version,
    meta: OnceLock<Result<Report, OntologyError>>,
    guards: OnceLock<Vec<Finding>>,
    replay: OnceLock<Replay>,
    there_and_back: OnceLock<Result<(ContentId, ContentId), OntologyError>>,
}

impl Candidate {
    /// Lowers the change, applies it, and reads back what the graph then says.
    fn of(base: &Snapshot, delta: &Delta) -> Result<Self, OntologyError> {
        let triples = lower(delta, &base.sigma, &base.schema)?;
        // Reading checks what it has read.
        let known = base.after(&triples)?;
        let meaning = Meaning::between(&base.schema, known.schema(), &triples.added, &triples.removed);
        let version = base.version.after(meaning.effect());
        Ok(Self {
            triples,
            known,
            meaning,
            version,
            meta: OnceLock::new(),
            guards: OnceLock::new(),
            replay: OnceLock::new(),
            there_and_back: OnceLock::new(),
        })
    }

    /// The change as triples.
    pub fn triples(&self) -> &TripleDelta {
        &self.triples
    }

    /// The graphs after it.
    pub fn sigma(&self) -> &Sigma {
        self.known.sigma()
    }

    /// The graphs with what they say, as [`Snapshot::child_known`] takes them.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// What they say about events.
    pub fn schema(&self) -> &Arc<Schema> {
        self.known.schema()
    }

    /// What the change does.
    pub fn meaning(&self) -> &Meaning {
        &self.meaning
    }

    /// The version that follows from what it does.
    pub fn version(&self) -> Version {
        self.version
    }

    /// What the meta-ontology finds wrong with the composed graph, worked out from what it finds of the base at the
    /// cost of the change. Evaluated once.
    ///
    /// # Errors
    /// [`OntologyError`] when the shapes cannot be evaluated.
    pub fn meta_report(&self, base: &Snapshot) -> Result<&Report, &OntologyError> {
        self.meta.get_or_init(|| base.meta_report_after(self.sigma(), &self.triples)).as_ref()
    }

    /// The content after undoing the change, and after doing it again. Done once.
    ///
    /// # Errors
    /// Those of applying a change.
    pub fn there_and_back(&self) -> Result<(ContentId, ContentId), &OntologyError> {
        let done = self.there_and_back.get_or_init(|| {
            let undone = self.sigma().apply(&self.triples.inverse())?;
            let redone = undone.apply(&self.triples)?;
            Ok((undone.content_id(), redone.content_id()))
        });
        done.as_ref().copied()
    }

    /// What the guards say of the change. Evaluated once: later calls give the first answer, whatever guards they pass.
    pub fn guard_findings(&self, base: &Snapshot, guards: &GuardSet) -> &[Finding] {
        self.guards.get_or_init(|| {
            guards.evaluate(&Ground {
                meaning: &self.meaning,
                before: &base.schema,
                after: self.schema(),
                graph: &base.sigma.sector,
            })
        })
    }

    /// What the window says of the change. Replayed once: later calls give the first answer, whatever window they pass.
    pub fn replay(&self, base: &Snapshot, window: &Window) -> &Replay {
        self.replay.get_or_init(|| Replay::run(window, &base.schema, self.schema(), &self.meaning))
    }
}

/// A base snapshot with a change.
#[derive(Clone, Debug)]
pub struct Shadow {
    base: Arc<Snapshot>,
    delta: Delta,
    candidate: Option<Candidate>,
    refusal: Option<OntologyError>,
    state: State,
    results: Vec<TestResult>,
    conflicts: OnceLock<ConflictReport>,
    /// Counts the shadow among those of its environment.
    #[expect(dead_code, reason = "it is counted, not read")]
    permit: Option<Arc<()>>,
}

impl Shadow {
    /// A shadow of `base`, with the change not yet applied.
    pub fn new(base: Arc<Snapshot>, delta: &Delta) -> Self {
        Self {
            base,
            delta: delta.clone(),
            candidate: None,
            refusal: None,
            state: State::Created,
            results: Vec::new(),
            conflicts: OnceLock::new(),
            permit: None,
        }
    }

    /// Applies the change. What the ontology refuses is kept as [`Shadow::refusal`]: the stages say it. A change is
    /// applied once: later calls change nothing.
    #[must_use]
    pub fn applied(mut self) -> Self {
        if self.state != State::Created {
            return self;
        }
        match Candidate::of(&self.base, &self.delta) {
            Ok(candidate) => {
                self.candidate = Some(candidate);
                self.state = State::ChangesApplied;
            }
            Err(error) => {
                self.state = State::TestsFailed { reason: error.to_string() };
                self.refusal = Some(error);
            }
        }
        self
    }

    /// Runs tests, applying the change first if that was not done. An empty list does not pass. Tests run once: a
    /// shadow that has been tested, or could not be, stays as it is.
    #[must_use]
    pub fn tested(self, tests: &[Test], window: &Window, guards: &GuardSet) -> Self {
        let mut shadow = self.applied();
        if shadow.state != State::ChangesApplied {
            return shadow;
        }
        shadow.state = State::TestsRunning;
        for test in tests {
            let failure = shadow.failure(test, window, guards);
            shadow.results.push(TestResult { test: test.clone(), failure });
        }
        let blocking = |result: &&TestResult| result.test.criticality == Criticality::Blocker;
        let failed = shadow.results.iter().filter(blocking).find_map(|result| result.failure.clone());
        shadow.state = match failed {
            Some(reason) => State::TestsFailed { reason },
            None if shadow.results.is_empty() => {
                State::TestsFailed { reason: "there was no test".to_owned() }
            }
            None => State::TestsPassed,
        };
        shadow
    }

    /// Lets the change through, once its tests passed.
    ///
    /// # Errors
    /// [`ChangeError::ShadowState`](crate::ChangeError::ShadowState) for a shadow that is not tested, failed, or was
    /// rejected.
    pub fn approved(mut self) -> Result<Self> {
        self.state = self.state.followed_by(State::Approved)?;
        Ok(self)
    }

    /// Refuses the change for good, whatever its tests said.
    ///
    /// # Errors
    /// [`ChangeError::ShadowState`](crate::ChangeError::ShadowState) for a shadow that was not tested, or is approved.
    pub fn rejected(mut self, reason: impl Into<String>) -> Result<Self> {
        self.state = self.state.followed_by(State::Rejected { reason: reason.into() })?;
        Ok(self)
    }

    /// What a test would take, in the units of [`Test::limit`].
    fn work(&self, candidate: &Candidate, assertion: &Assertion, window: &Window) -> u64 {
        let triples = || candidate.sigma().core.len() as u64 + candidate.sigma().sector.len() as u64;
        match assertion {
            Assertion::Conforms | Assertion::ConformsTo { .. } => triples(),
            Assertion::RollsBack => {
                candidate.triples.added.len() as u64 + candidate.triples.removed.len() as u64
            }
            Assertion::Replay => {
                let touched = candidate.meaning.touched_event_types(&self.base.schema, candidate.schema());
                touched.iter().map(|event_type| window.payloads(event_type).count() as u64).sum()
            }
            _ => 1,
        }
    }

    fn failure(&self, test: &Test, window: &Window, guards: &GuardSet) -> Option<String> {
        let Some(candidate) = &self.candidate else { return Some("the change is not applied".to_owned()) };
        let work = self.work(candidate, &test.assertion, window);
        if work > test.limit {
            return Some(format!("it would take {work} steps, above its limit of {}", test.limit));
        }
        let fails = |failed: bool, why: String| failed.then_some(why);
        match &test.assertion {
            Assertion::ClassExists(iri) => {
                fails(!candidate.schema().classes.contains_key(iri), format!("there is no class {iri}"))
            }
            Assertion::PropertyExists(place) => {
                let class = candidate.schema().classes.get(&place.domain);
                let found = class.is_some_and(|class| class.properties.contains_key(&place.key));
                fails(!found, format!("{} has no key {}", place.domain, place.key))
            }
            Assertion::GuardHolds(id) => {
                if guards.get(id).is_none() {
                    return Some(format!("there is no guard {id}"));
                }
                let mut findings = candidate.guard_findings(&self.base, guards).iter();
                let harm =
                    findings.find(|finding| finding.rule == *id && finding.severity == Severity::Error);
                harm.map(|finding| finding.message.clone())
            }
            Assertion::InvariantHolds(question) => {
                // The query is stopped where the test's limit is: it never counts as a yes.
                let answer = Query::parse(question, &[]).and_then(|query| {
                    ask(&candidate.sigma().composed(), &query, &Budget::new(test.limit, QUERY_ROWS))
                });
                match answer {
                    Ok(holds) => fails(!holds, "the answer is no".to_owned()),
                    Err(error) => Some(format!("{}: {error}", error.code())),
                }
            }
            Assertion::NoConflicts => match self.conflicts().conflicts.first() {
                Some(conflict) => Some(conflict.to_string()),
                None => candidate.schema().check().err().map(|error| error.to_string()),
            },
            Assertion::Conforms => match candidate.meta_report(&self.base) {
                Ok(report) => report.violations().first().map(|violation| violation.message.clone()),
                Err(error) => Some(error.to_string()),
            },
            Assertion::ConformsTo { shapes: given } => match shapes::violations(given, candidate.sigma()) {
                Ok(violations) => {
                    violations.first().map(|violation| format!("{}: {}", violation.focus, violation.message))
                }
                Err(error) => Some(format!("{}: {error}", error.code())),
            },
            Assertion::RollsBack => match candidate.there_and_back() {
                Ok((undone, _)) if undone != self.base.content_id => {
                    Some("undoing the change gives other content".to_owned())
                }
                Ok((_, redone)) if redone != candidate.sigma().content_id() => {
                    Some("doing it again gives other content".to_owned())
                }
                Ok(_) => None,
                Err(error) => Some(format!("{}: {error}", error.code())),
            },
            Assertion::Replay => {
                let newly = candidate.replay(&self.base, window).newly_rejected;
                fails(newly > 0, format!("{newly} events of the window would newly be rejected"))
            }
        }
    }

    /// The snapshot it shadows.
    pub fn base(&self) -> &Arc<Snapshot> {
        &self.base
    }

    /// The change.
    pub fn delta(&self) -> &Delta {
        &self.delta
    }

    /// The ontology after the change; `None` before it is applied, or when it cannot be.
    pub fn candidate(&self) -> Option<&Candidate> {
        self.candidate.as_ref()
    }

    /// Why the change could not be applied.
    pub fn refusal(&self) -> Option<&OntologyError> {
        self.refusal.as_ref()
    }

    /// What the change brings into conflict, whether or not it can be applied. Worked out once.
    pub fn conflicts(&self) -> &ConflictReport {
        self.conflicts
            .get_or_init(|| ConflictReport::of_change(&self.base.sigma.core, &self.base.schema, &self.delta))
    }

    /// How far it has come.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// How its tests ended.
    pub fn results(&self) -> &[TestResult] {
        &self.results
    }

    /// The tests that every change runs: what it adds is there, nothing collides, the meta-ontology holds, no guard is
    /// harmed, the change can be undone, and the window is replayed, which blocks where the sector's compatibility level asks for it.
    pub fn standard_tests(&self, guards: &GuardSet) -> Vec<Test> {
        let classes = self.delta.added_classes.iter().map(|class| Assertion::ClassExists(class.iri.clone()));
        let properties = self.delta.added_properties.iter().map(|added| {
            let key = added.property.key.clone();
            Assertion::PropertyExists(PropertyRef { domain: added.domain.clone(), key })
        });
        let guards = guards.guards().map(|guard| Assertion::GuardHolds(guard.id.clone()));
        let always = [Assertion::NoConflicts, Assertion::Conforms, Assertion::RollsBack];
        let mut tests: Vec<Test> =
            always.into_iter().chain(classes).chain(properties).chain(guards).map(Test::blocker).collect();
        let criticality = match self.base.schema.settings.compatibility {
            Compatibility::Forward | Compatibility::ForwardTransitive => Criticality::Info,
            _ => Criticality::Blocker,
        };
        tests.push(Test::new(Assertion::Replay, criticality));
        tests
    }
}

#[cfg(test)]
mod tests;
