//! `sh:sparql` constraints (SHACL §5).

use crate::error::OntologyError;
use crate::graph::Graph;
use crate::index::Index;
use crate::iri::Iri;
use crate::triple::Term;

/// One SPARQL-based constraint, read and admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SparqlConstraint {
    /// The query text, with its prefixes declared.
    pub query: String,
}

/// One solution of a constraint's query: what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SparqlResult {
    /// The value at fault.
    pub value: Option<Term>,
    /// The predicate at fault, where the query names one.
    pub path: Option<Iri>,
    /// What the constraint's author says.
    pub message: Option<String>,
}

impl SparqlConstraint {
    /// Reads the constraint at `node`; `None` when it is deactivated.
    pub(crate) fn read(_graph: &Graph, shape: &Iri, _node: &Iri) -> Result<Option<Self>, OntologyError> {
        Err(OntologyError::NotSupported { term: "sh:sparql".to_owned(), subject: shape.to_string() })
    }

    /// What it finds at a focus node.
    pub(crate) fn violations(
        &self,
        _index: &impl Index,
        _this: &Term,
        _path: Option<&str>,
    ) -> Result<Vec<SparqlResult>, OntologyError> {
        Ok(Vec::new())
    }
}
