//! A shadow: a snapshot with a change applied, on which everything is tried before anything is promoted.
//!
//! The base is shared and immutable; a shadow cannot touch it, nor another shadow.

use std::sync::{Arc, OnceLock};

use knhk_ontology::delta::{Delta, PropertyRef};
use knhk_ontology::schema::{Compatibility, Schema};
use knhk_ontology::shacl::Report;
use knhk_ontology::snapshot::{Snapshot, Version};
use knhk_ontology::{Iri, Known, OntologyError, Sigma, TripleDelta, lower};

use crate::finding::{Finding, Severity};
use crate::guards::{Ground, GuardSet};
use crate::meaning::Meaning;
use crate::replay::Replay;
use crate::window::Window;

/// How far a shadow has come. It only moves forward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It holds the base and the change.
    Created,
    /// The change is applied.
    ChangesApplied,
    /// Its tests are running.
    TestsRunning,
    /// Every blocking test passed.
    TestsPassed,
    /// The change could not be applied, a blocking test failed, or there was none.
    TestsFailed {
        /// The first reason.
        reason: String,
    },
}

impl State {
    /// Its name, for people.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::ChangesApplied => "applied",
            Self::TestsRunning => "being tested",
            Self::TestsPassed => "tested",
            Self::TestsFailed { .. } => "failed",
        }
    }
}

/// What the failure of a test does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Criticality {
    /// It is recorded.
    Info,
    /// It is recorded as a warning.
    Warning,
    /// It fails the shadow.
    Blocker,
}

/// What a test asserts of the ontology after the change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assertion {
    /// The class exists.
    ClassExists(Iri),
    /// The class has the key.
    PropertyExists(PropertyRef),
    /// The guard with this id finds no harm.
    GuardHolds(String),
    /// No two terms share a name, and no key or event type is taken twice.
    NoConflicts,
    /// The composed ontology satisfies the shapes of the meta-ontology.
    Conforms,
    /// Replaying the window newly rejects no event.
    Replay,
}

/// One test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// What it asserts.
    pub assertion: Assertion,
    /// What its failure does.
    pub criticality: Criticality,
}

/// How one test ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestResult {
    /// The test.
    pub test: Test,
    /// Why it failed; `None`: it passed.
    pub failure: Option<String>,
}

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
            let failure = shadow.failure(&test.assertion, window, guards);
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

    fn failure(&self, assertion: &Assertion, window: &Window, guards: &GuardSet) -> Option<String> {
        let Some(candidate) = &self.candidate else { return Some("the change is not applied".to_owned()) };
        let fails = |failed: bool, why: String| failed.then_some(why);
        match assertion {
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
            Assertion::NoConflicts => candidate.schema().check().err().map(|error| error.to_string()),
            Assertion::Conforms => match candidate.meta_report(&self.base) {
                Ok(report) => report.violations().first().map(|violation| violation.message.clone()),
                Err(error) => Some(error.to_string()),
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

    /// How far it has come.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// How its tests ended.
    pub fn results(&self) -> &[TestResult] {
        &self.results
    }

    /// The tests that every change runs: what it adds is there, nothing collides, the meta-ontology holds, no guard is
    /// harmed, and the window is replayed, which blocks where the sector's compatibility level asks for it.
    pub fn standard_tests(&self, guards: &GuardSet) -> Vec<Test> {
        let blocker = |assertion| Test { assertion, criticality: Criticality::Blocker };
        let classes = self.delta.added_classes.iter().map(|class| Assertion::ClassExists(class.iri.clone()));
        let properties = self.delta.added_properties.iter().map(|added| {
            let key = added.property.key.clone();
            Assertion::PropertyExists(PropertyRef { domain: added.domain.clone(), key })
        });
        let guards = guards.guards().map(|guard| Assertion::GuardHolds(guard.id.clone()));
        let always = [Assertion::NoConflicts, Assertion::Conforms];
        let mut tests: Vec<Test> =
            always.into_iter().chain(classes).chain(properties).chain(guards).map(blocker).collect();
        let criticality = match self.base.schema.settings.compatibility {
            Compatibility::Forward | Compatibility::ForwardTransitive => Criticality::Info,
            _ => Criticality::Blocker,
        };
        tests.push(Test { assertion: Assertion::Replay, criticality });
        tests
    }
}

#[cfg(test)]
mod tests;
