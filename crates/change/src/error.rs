//! What can go wrong in this crate. Findings of a stage are not errors: see [`crate::finding`].

/// The result of every fallible function here.
pub type Result<T, E = ChangeError> = std::result::Result<T, E>;

/// An error of the change plane.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum ChangeError {
    /// A TOML file of a pack that does not have the documented form.
    #[error("{file} line {line} column {column}: {message}; mend the file, see docs/formats/{page}")]
    File {
        /// `doctrine.toml` or `guards.toml`.
        file: &'static str,
        /// Line, counted from 1.
        line: usize,
        /// Column in bytes, counted from 1.
        column: usize,
        /// What is wrong there.
        message: String,
        /// The page under `docs/formats/` that gives the form.
        page: &'static str,
    },
    /// A doctrine rule that can never be evaluated as written.
    #[error("doctrine rule `{rule}`: {what}")]
    Rule {
        /// The rule's id.
        rule: String,
        /// What is wrong and how to write it.
        what: String,
    },
    /// A doctrine rule with shapes that are not admitted.
    #[error(
        "the shapes of doctrine rule `{rule}` are not admitted: {why}; mend them, see docs/formats/change-graph.md"
    )]
    SchemaConstraint {
        /// The rule's id.
        rule: String,
        /// The engine's words.
        why: String,
    },
    /// A guard that can never be evaluated as written.
    #[error("guard `{guard}`: {what}")]
    Guard {
        /// The guard's id.
        guard: String,
        /// What is wrong and how to write it.
        what: String,
    },
    /// Two rules or two guards with one id.
    #[error("{file} has two entries with the id `{id}`; give each its own")]
    DuplicateId {
        /// `doctrine.toml` or `guards.toml`.
        file: &'static str,
        /// The id.
        id: String,
    },
    /// A rule that names a guard that does not exist, or the other way round.
    #[error("{from} names {to}, which does not exist; add it or take the name out")]
    UnknownReference {
        /// The entry that names.
        from: String,
        /// The entry named.
        to: String,
    },
    /// A rule or guard about a term that neither the pack's ontology nor core has.
    #[error(
        "{file}: {entry} names {term}, which the ontology does not have; correct the IRI or add the term to the ontology"
    )]
    UnknownTerm {
        /// `doctrine.toml` or `guards.toml`.
        file: &'static str,
        /// The entry that names it.
        entry: String,
        /// The term, or the pattern of terms.
        term: String,
    },
    /// More of something than is accepted.
    #[error("{what} is {actual}, above the limit of {limit}; make it smaller or split it")]
    Limit {
        /// What is too large.
        what: &'static str,
        /// Its size.
        actual: usize,
        /// The limit.
        limit: usize,
    },
    /// A proposal whose id is not the digest of its content.
    #[error(
        "proposal {stated} has the digest {actual}; its content was changed after it was made: propose again"
    )]
    ProposalId {
        /// The id it states.
        stated: String,
        /// The digest of its content.
        actual: String,
    },
    /// A value that has no canonical form.
    #[error("cannot encode {what} canonically: {why}")]
    Encoding {
        /// The value.
        what: &'static str,
        /// The encoder's words.
        why: String,
    },
    /// A checked change that may not be promoted.
    #[error("proposal {proposal} is not approved: {why}; mend what the findings name and propose again")]
    NotApproved {
        /// The proposal's id.
        proposal: String,
        /// The first reason.
        why: String,
    },
    /// A shadow that cannot go on as asked.
    #[error("a shadow that is {from} cannot become {to}; open another one and test it")]
    ShadowState {
        /// Its state.
        from: &'static str,
        /// The state asked for.
        to: &'static str,
    },
    /// Too many shadows are open at one time.
    #[error("{limit} shadows are open, which is the limit; finish with one and open another then")]
    TooManyShadows {
        /// The limit.
        limit: usize,
    },
    /// Core and the sectors do not go together.
    #[error("core and the sectors do not compose: {what}")]
    Composition {
        /// The first conflict, with both sides and the form that would hold.
        what: String,
    },
    /// The ontology plane refuses.
    #[error(transparent)]
    Ontology(#[from] knhk_ontology::OntologyError),
}

impl From<knhk_evidence::Error> for ChangeError {
    fn from(error: knhk_evidence::Error) -> Self {
        Self::Encoding { what: "a document", why: error.to_string() }
    }
}

impl ChangeError {
    /// The stable code of the error; `knhk explain CODE` prints its page.
    pub fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "KNHK-E1601",
            Self::Rule { .. } => "KNHK-E1602",
            Self::SchemaConstraint { .. } => "KNHK-E1603",
            Self::Guard { .. } => "KNHK-E1604",
            Self::DuplicateId { .. } => "KNHK-E1605",
            Self::UnknownReference { .. } => "KNHK-E1606",
            Self::Limit { .. } => "KNHK-E1607",
            Self::ProposalId { .. } => "KNHK-E1608",
            Self::Encoding { .. } => "KNHK-E1609",
            Self::NotApproved { .. } => "KNHK-E1610",
            Self::UnknownTerm { .. } => "KNHK-E1611",
            Self::ShadowState { .. } => "KNHK-E1612",
            Self::TooManyShadows { .. } => "KNHK-E1613",
            Self::Composition { .. } => "KNHK-E1614",
            Self::Ontology(error) => error.code(),
        }
    }
}
