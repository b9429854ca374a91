//! What can be asked of the ontology after a change.

use knhk_ontology::delta::PropertyRef;
use knhk_ontology::{Graph, Iri};

/// Most work of one test that sets no limit of its own; see [`Test::limit`].
pub const TEST_WORK_MAX: u64 = 20_000_000;

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
    /// This SPARQL ASK query is answered with yes by the composed ontology.
    InvariantHolds(String),
    /// No two terms share a name, no key or event type is taken twice, no term of core is redefined, and no constraints
    /// contradict each other.
    NoConflicts,
    /// The composed ontology satisfies the shapes of the meta-ontology.
    Conforms,
    /// The composed ontology satisfies these shapes.
    ConformsTo {
        /// The shapes, as a graph.
        shapes: Graph,
    },
    /// Undoing the change in the shadow gives back the base's content, and doing it again the candidate's.
    RollsBack,
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
    /// Most work it may take: payloads judged by a replay, triples read by shapes and rollbacks, one for everything else. A
    /// test that would take more fails without being run. This is what a timeout is elsewhere: a clock would let the same
    /// change pass on one machine and fail on another, and a replay of the log would then decide otherwise.
    pub limit: u64,
}

impl Test {
    /// A test that fails the shadow, with the usual limit.
    pub fn blocker(assertion: Assertion) -> Self {
        Self::new(assertion, Criticality::Blocker)
    }

    /// A test with the usual limit.
    pub fn new(assertion: Assertion, criticality: Criticality) -> Self {
        Self { assertion, criticality, limit: TEST_WORK_MAX }
    }
}

/// How one test ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestResult {
    /// The test.
    pub test: Test,
    /// Why it failed; `None`: it passed.
    pub failure: Option<String>,
}
