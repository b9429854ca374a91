//! Validation of a graph against SHACL shapes (W3C Recommendation of 20 July 2017, Core).

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use shacl_rust::core::path::{Path, PathElement};
use shacl_rust::validation::dataset::ValidationDataset;

use crate::error::OntologyError;
use crate::graph::Graph;
use crate::iri::Iri;
use crate::shape_admission::admitted_paths;
use crate::sigma::Sigma;
use crate::triple::{Term, Triple};
use crate::vocab;

pub use crate::shape_admission::admit_shapes;

/// How grave a violation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// `sh:Violation`, and any severity of one's own.
    Violation,
    /// `sh:Warning`.
    Warning,
    /// `sh:Info`.
    Info,
}

/// One result of a validation. Ordered by focus node, path, value and so on, as text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Violation {
    /// The node that does not conform, as a canonical term.
    pub focus: String,
    /// The property path, in the notation of SPARQL; `None` at node shapes.
    pub path: Option<String>,
    /// The value at fault, as a canonical term.
    pub value: Option<String>,
    /// The constraint component's IRI, e.g. that of `sh:MinCountConstraintComponent`.
    pub component: String,
    /// The shape.
    pub shape: String,
    /// How grave.
    pub severity: Severity,
    /// What the shape's author says (`sh:message`), or what the engine says when the author is silent.
    pub message: String,
}

/// Shapes that were found fit for evaluation.
pub struct Shapes {
    graph: oxrdf::Graph,
    /// Predicates that some shape may read; `None` when `sh:closed` reads them all.
    reads: Option<BTreeSet<Iri>>,
    /// Predicates that some shape follows from object to subject.
    inverted: BTreeSet<Iri>,
}

impl fmt::Debug for Shapes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shapes({} triples)", self.graph.len())
    }
}

impl Shapes {
    /// Takes the shapes of `graph`; other triples in it do no harm.
    ///
    /// # Errors
    /// As [`admit_shapes`].
    pub fn compile(graph: &Graph) -> Result<Self, OntologyError> {
        let paths = admitted_paths(graph)?;
        // The engine tells a complex path from a predicate by its being a blank node.
        let blank = |iri: &Iri| oxrdf::BlankNode::new_unchecked(iri.as_str().replace(':', "-"));
        let shapes: oxrdf::Graph = graph
            .iter()
            .map(|triple| {
                let mut out = convert(&triple);
                if paths.contains(&triple.subject) {
                    out.subject = blank(&triple.subject).into();
                }
                if let Some(iri) = triple.object.as_iri()
                    && paths.contains(iri)
                {
                    out.object = blank(iri).into();
                }
                out
            })
            .collect();
        shacl_rust::parse_shapes(&shapes).map_err(|error| OntologyError::BadShape {
            shape: "the shapes".into(),
            problem: error.to_string(),
        })?;
        let is_closed = graph.matching(None, Some(&vocab::SH_CLOSED), None).next().is_some();
        let inverting =
            ["inversePath", "targetObjectsOf"].map(|l| Iri::derived(format!("{}{l}", vocab::SH_NAMESPACE)));
        let inverted = inverting.iter().flat_map(|predicate| graph.matching(None, Some(predicate), None));
        let inverted = inverted.filter_map(|triple| triple.object.as_iri().cloned()).collect();
        Ok(Self { graph: shapes, reads: (!is_closed).then(|| read_by(graph)), inverted })
    }

    /// Whether no shape has a target, so that nothing would be validated.
    pub fn is_empty(&self) -> bool {
        shacl_rust::parse_shapes(&self.graph).is_ok_and(|shapes| shapes.is_empty())
    }

    /// Takes the shapes of a sector, for validating its data: those of core are about ontologies, not about data.
    ///
    /// # Errors
    /// As [`admit_shapes`].
    pub fn of_sector(sigma: &Sigma) -> Result<Self, OntologyError> {
        let mut graph = sigma.sector.clone();
        // The one list that every closed shape refers to.
        graph.extend(sigma.core.matching(Some(&vocab::KNHK_TYPE_ONLY), None, None));
        Self::compile(&graph)
    }

    /// Validates `data` against every shape: a full pass. Results are in order of their text.
    ///
    /// # Errors
    /// [`OntologyError::BadShape`] when the engine gives up.
    pub fn validate(&self, data: impl IntoIterator<Item = Triple>) -> Result<Vec<Violation>, OntologyError> {
        let read = data.into_iter().filter(|triple| self.reads(&triple.predicate));
        evaluate(&self.graph, read.map(|triple| convert(&triple)))
    }

    pub(crate) fn reads(&self, predicate: &Iri) -> bool {
        self.reads.as_ref().is_none_or(|reads| reads.contains(predicate))
    }

    pub(crate) fn inverts(&self, predicate: &Iri) -> bool {
        self.inverted.contains(predicate)
    }

    pub(crate) fn inverted(&self) -> impl Iterator<Item = &Iri> {
        self.inverted.iter()
    }
}

/// A superset of the predicates that shapes without `sh:closed` read: those they name in paths, targets and
/// comparisons, and the two that say what a class is.
fn read_by(shapes: &Graph) -> BTreeSet<Iri> {
    let mut reads: BTreeSet<Iri> =
        shapes.iter().filter_map(|triple| triple.object.as_iri().cloned()).collect();
    reads.insert(vocab::RDF_TYPE.clone());
    reads.insert(vocab::RDFS_SUB_CLASS_OF.clone());
    reads
}

fn evaluate(
    shapes: &oxrdf::Graph,
    data: impl Iterator<Item = oxrdf::Triple>,
) -> Result<Vec<Violation>, OntologyError> {
    let failed = |error: shacl_rust::ShaclError| OntologyError::BadShape {
        shape: "the shapes".into(),
        problem: error.to_string(),
    };
    let parsed = shacl_rust::parse_shapes(shapes).map_err(failed)?;
    // The engine reads the shapes graph here only for SPARQL, which is not admitted.
    let data =
        ValidationDataset::from_triples_with_experimental_index(data, oxrdf::Graph::new()).map_err(failed)?;
    let report = shacl_rust::validate(&data, &parsed);
    let authored = |shape: oxrdf::NamedOrBlankNodeRef<'_>| {
        let message = oxrdf::NamedNodeRef::new_unchecked("http://www.w3.org/ns/shacl#message");
        let texts: BTreeSet<String> = shapes
            .objects_for_subject_predicate(shape, message)
            .filter_map(|term| match term {
                oxrdf::TermRef::Literal(literal) => Some(literal.value().to_owned()),
                _ => None,
            })
            .collect();
        texts.into_iter().collect::<Vec<_>>().join("; ")
    };
    let mut found: Vec<Violation> = report
        .get_results()
        .iter()
        .map(|result| {
            let mut message = authored(result.source_shape());
            if message.is_empty() {
                let texts: BTreeSet<&str> = result.messages().iter().map(String::as_str).collect();
                message = texts.into_iter().collect::<Vec<_>>().join("; ");
            }
            Violation {
                focus: result.focus_node().to_string(),
                path: result.result_path().map(show_path),
                value: result.value().map(|value| value.to_string()),
                component: result
                    .source_constraint_component()
                    .map(|c| c.as_str().to_owned())
                    .unwrap_or_default(),
                shape: match result.source_shape() {
                    oxrdf::NamedOrBlankNodeRef::NamedNode(node) => node.as_str().to_owned(),
                    oxrdf::NamedOrBlankNodeRef::BlankNode(node) => node.to_string(),
                },
                severity: match result.severity().as_str().strip_prefix(vocab::SH_NAMESPACE) {
                    Some("Warning") => Severity::Warning,
                    Some("Info") => Severity::Info,
                    _ => Severity::Violation,
                },
                message,
            }
        })
        .collect();
    found.sort();
    Ok(found)
}

fn show_path(path: &Path<'_>) -> String {
    path.get_elements().iter().map(show_element).collect::<Vec<_>>().join("/")
}

fn show_element(element: &PathElement<'_>) -> String {
    match element {
        PathElement::Iri(iri) => iri.to_string(),
        PathElement::Inverse(iri) => format!("^{iri}"),
        PathElement::ZeroOrMore(inner) => format!("{}*", show_element(inner)),
        PathElement::OneOrMore(inner) => format!("{}+", show_element(inner)),
        PathElement::ZeroOrOne(inner) => format!("{}?", show_element(inner)),
        PathElement::Alternative(inner) => {
            format!("({})", inner.iter().map(show_element).collect::<Vec<_>>().join("|"))
        }
    }
}

fn convert(triple: &Triple) -> oxrdf::Triple {
    let node = |iri: &Iri| oxrdf::NamedNode::new_unchecked(iri.as_str());
    let object: oxrdf::Term = match &triple.object {
        Term::Iri(iri) => node(iri).into(),
        Term::Literal(literal) => match literal.language() {
            Some(language) => {
                oxrdf::Literal::new_language_tagged_literal_unchecked(literal.value(), language).into()
            }
            None => oxrdf::Literal::new_typed_literal(literal.value(), node(literal.datatype())).into(),
        },
    };
    oxrdf::Triple::new(node(&triple.subject), node(&triple.predicate), object)
}

#[cfg(test)]
mod tests;
