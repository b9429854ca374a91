//! `sh:sparql` constraints (SHACL §5).

/// One SPARQL-based constraint, read and admitted.
#[derive(Clone, Debug)]
pub struct SparqlConstraint {
    /// The query text, with its prefixes declared.
    pub query: String,
}
