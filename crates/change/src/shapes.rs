//! The one call of the SHACL engine for shapes that a rule or a test brings.

use knhk_ontology::shacl::{Shapes, Violation};
use knhk_ontology::{Graph, OntologyError, Sigma};

/// What of `shapes` the composed graph breaks.
///
/// # Errors
/// Shapes that are not admitted, and those of the engine.
pub(crate) fn violations(shapes: &Graph, sigma: &Sigma) -> Result<Vec<Violation>, OntologyError> {
    Ok(Shapes::compile(shapes)?.validate(&sigma.composed())?.violations())
}
