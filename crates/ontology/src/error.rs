//! What can go wrong in this crate.

/// An error of the ontology plane.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum OntologyError {
    /// Text that is not an absolute IRI.
    #[error(
        "`{iri}` is not an absolute IRI of at most 2048 bytes; write it in full, percent-encoding what an IRI may not hold"
    )]
    BadIri {
        /// The text, shortened.
        iri: String,
    },
    /// Text that is not a decimal number within the supported digits.
    #[error(
        "`{text}` is not a decimal number; write at most 20 digits before and 18 after the point, without exponent"
    )]
    BadDecimal {
        /// The text, shortened.
        text: String,
    },
    /// A Turtle or N-Triples document that does not parse.
    #[error("line {line}, column {column}: {message}; mend the Turtle there")]
    Turtle {
        /// Line, from 1.
        line: u64,
        /// Column in code points, from 1.
        column: u64,
        /// What the parser found.
        message: String,
    },
    /// A document in another syntax than Turtle that does not parse.
    #[error("{at}{message}; mend the {syntax} there, or give the file the ending of the syntax it is in")]
    Document {
        /// The syntax, by its name.
        syntax: &'static str,
        /// Where, e.g. `line 3: `; empty when the parser does not say.
        at: String,
        /// What the parser found.
        message: String,
    },
    /// Blank nodes that cannot be told apart by a bounded amount of work.
    #[error(
        "{nodes} blank nodes refer to each other in circles and look so alike that telling them apart takes more than \
         {max} steps; give some of them IRIs"
    )]
    BlankNodes {
        /// How many are in the circle.
        nodes: usize,
        /// The limit, in steps.
        max: u64,
    },
    /// A term that this program does not evaluate, where it would be taken to hold.
    #[error(
        "not supported: `{term}` on `{subject}`; remove it or state it with the terms of the ontology format"
    )]
    NotSupported {
        /// The term, usually of SHACL.
        term: String,
        /// The node it stands on.
        subject: String,
    },
    /// An ontology that is not in the documented form.
    #[error("`{subject}` {problem}")]
    Malformed {
        /// The node.
        subject: String,
        /// What is wrong and what to do, to be read after the subject.
        problem: String,
    },
    /// A change of something that is not there.
    #[error(
        "there is no `{target}` to change, remove or refer to; check the name against `knhk ontology show`"
    )]
    UnknownTarget {
        /// Class, property (as `class key`) or value.
        target: String,
    },
    /// A name, key or event type that is taken.
    #[error("`{name}` is taken by {holder}; choose another name, or change what is there")]
    Collision {
        /// What collides.
        name: String,
        /// Who holds it.
        holder: String,
    },
    /// A class that would be below itself.
    #[error("`{class}` would be a subclass of itself; break the circle of `rdfs:subClassOf`")]
    SubclassCycle {
        /// A class on the circle.
        class: String,
    },
    /// A triple change that does not fit the graph it is applied to.
    #[error(
        "the change does not fit this graph: `{line}` is {state}; derive the change again from this version"
    )]
    DoesNotFit {
        /// The triple.
        line: String,
        /// `already there` or `not there`.
        state: &'static str,
    },
    /// A value that is not what the change expects it to be.
    #[error(
        "`{subject}` has {found} for `{predicate}` where the change expects {expected}; derive the change again"
    )]
    OtherValue {
        /// Node.
        subject: String,
        /// Predicate.
        predicate: String,
        /// What the change expects.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A file of a pack that cannot be read.
    #[error("{file}: {problem}")]
    Pack {
        /// The file's name.
        file: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// Something beyond a limit.
    #[error("{what} exceeds the limit of {max}; split it or make it smaller")]
    TooLarge {
        /// What, with its unit.
        what: String,
        /// The limit.
        max: u64,
    },
    /// A term minted outside the sector's namespace.
    #[error("`{iri}` is outside the sector's namespace `{namespace}`; a sector describes only its own terms")]
    OutsideNamespace {
        /// The IRI.
        iri: String,
        /// The namespace.
        namespace: String,
    },
    /// A snapshot whose parent is not the head.
    #[error(
        "the parent `{parent}` is not the head `{head}` of sector `{sector}`; check the change again on the head"
    )]
    StaleParent {
        /// Sector.
        sector: String,
        /// The parent given.
        parent: String,
        /// The head in force.
        head: String,
    },
    /// SHACL shapes that cannot be evaluated.
    #[error("shape `{shape}`: {problem}")]
    BadShape {
        /// The shape's IRI.
        shape: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A snapshot that the history does not hold.
    #[error("there is no snapshot `{id}` in this history; list what there is with `knhk ontology log`")]
    UnknownSnapshot {
        /// The id asked for.
        id: String,
    },
    /// A change that would leave a reference to something removed.
    #[error("`{holder}` still refers to `{target}`; change or remove it in the same change")]
    Dangling {
        /// Who refers.
        holder: String,
        /// To what.
        target: String,
    },
    /// Text that is not an id or a version.
    #[error("`{text}` is not {expected}")]
    BadText {
        /// The text, shortened.
        text: String,
        /// What was expected, e.g. `64 hexadecimal digits`.
        expected: &'static str,
    },
    /// Text that is not a SPARQL query, or not one of the kind asked for.
    #[error("the query cannot be read: {problem}")]
    BadQuery {
        /// What is wrong, with line and column where there is one.
        problem: String,
    },
    /// A query with something that is not evaluated here.
    #[error("the query has {construct}, which is not evaluated: {reason}")]
    QueryRefused {
        /// What it has.
        construct: String,
        /// Why not, and what to write instead.
        reason: &'static str,
    },
    /// A query that needs more than it is given.
    #[error(
        "the query needs more than {max} {what}; narrow it down, or allow more where there is an option for it"
    )]
    QueryTooCostly {
        /// What ran out.
        what: &'static str,
        /// How much there was.
        max: u64,
    },
    /// A query that was ended from outside, by time.
    #[error("the query was stopped before it had an answer; narrow it down, or allow more time")]
    QueryStopped,
}

impl OntologyError {
    /// The stable code of the error; `knhk explain CODE` prints its page.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadIri { .. } => "KNHK-E1301",
            Self::BadDecimal { .. } => "KNHK-E1302",
            Self::Turtle { .. } => "KNHK-E1303",
            Self::NotSupported { .. } => "KNHK-E1304",
            Self::Malformed { .. } => "KNHK-E1305",
            Self::UnknownTarget { .. } => "KNHK-E1306",
            Self::Collision { .. } => "KNHK-E1307",
            Self::SubclassCycle { .. } => "KNHK-E1308",
            Self::DoesNotFit { .. } => "KNHK-E1309",
            Self::OtherValue { .. } => "KNHK-E1310",
            Self::Pack { .. } => "KNHK-E1311",
            Self::TooLarge { .. } => "KNHK-E1312",
            Self::OutsideNamespace { .. } => "KNHK-E1313",
            Self::StaleParent { .. } => "KNHK-E1314",
            Self::BadShape { .. } => "KNHK-E1315",
            Self::UnknownSnapshot { .. } => "KNHK-E1316",
            Self::Dangling { .. } => "KNHK-E1317",
            Self::BadText { .. } => "KNHK-E1318",
            Self::BadQuery { .. } => "KNHK-E1330",
            Self::QueryRefused { .. } => "KNHK-E1331",
            Self::QueryTooCostly { .. } => "KNHK-E1332",
            Self::QueryStopped => "KNHK-E1333",
            Self::Document { .. } => "KNHK-E1350",
            Self::BlankNodes { .. } => "KNHK-E1351",
        }
    }

    pub(crate) fn too_large(what: impl Into<String>, max: usize) -> Self {
        Self::TooLarge { what: what.into(), max: max.try_into().unwrap_or(u64::MAX) }
    }

    pub(crate) fn malformed(subject: &(impl ToString + ?Sized), problem: impl Into<String>) -> Self {
        Self::Malformed { subject: subject.to_string(), problem: problem.into() }
    }
}
