//! Validation against SHACL shapes (W3C Recommendation of 20 July 2017) on an index. `docs/shacl.md` is the way in.

use std::fmt;
use std::sync::Arc;

use crate::error::OntologyError;
use crate::graph::Graph;
use crate::index::Index;
use crate::sigma::Sigma;
use crate::vocab;

mod compile;
mod component;
mod evaluate;
mod follow;
mod footprint;
mod literal;
mod node;
pub mod pattern;
mod report;
pub mod revalidate;
mod same;
#[cfg(test)]
pub(crate) mod samples;
pub mod shape;
mod sink;
mod targets;
mod vocabulary;

pub use compile::{SHAPE_DEPTH_MAX, SHAPE_LIST_MAX, SHAPE_PARTS_MAX, SHAPES_EXPANDED_MAX, SHAPES_MAX};
pub use footprint::{FOOTPRINT_MAX, FOOTPRINTS_MAX};
pub use node::VALIDATION_READS_MAX;
pub use report::{Report, Severity, Violation};
pub use revalidate::{AFFECTED_MAX, Change, FOLLOWED_MAX, Reason, Revalidation};

use footprint::Footprints;
use node::Bound;
use shape::{ShapeNo, ShapeTable};

/// Shapes that were found fit for evaluation.
#[derive(Clone)]
pub struct Shapes {
    table: Arc<ShapeTable>,
    footprints: Arc<Footprints>,
}

impl fmt::Debug for Shapes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shapes({})", self.table.shapes.len())
    }
}

/// Refuses every `sh:` term that is not evaluated, with the node that carries it, and every shape that is not well formed.
///
/// # Errors
/// As [`Shapes::compile`].
pub fn admit_shapes(graph: &Graph) -> Result<(), OntologyError> {
    compile::compile(graph).map(|_| ())
}

impl Shapes {
    /// Takes the shapes of `graph`; other triples in it do no harm.
    ///
    /// # Errors
    /// [`OntologyError::NotSupported`], [`OntologyError::BadShape`] or [`OntologyError::TooLarge`].
    pub fn compile(graph: &Graph) -> Result<Self, OntologyError> {
        let table = compile::compile(graph)?;
        let footprints = Arc::new(Footprints::of(&table));
        Ok(Self { table: Arc::new(table), footprints })
    }

    /// Takes the shapes of a sector, for validating its data: those of core are about ontologies, not about data.
    ///
    /// # Errors
    /// As [`Shapes::compile`].
    pub fn of_sector(sigma: &Sigma) -> Result<Self, OntologyError> {
        let mut graph = sigma.sector.clone();
        // The one list that every closed shape refers to.
        graph.extend(sigma.core.matching(Some(&vocab::KNHK_TYPE_ONLY), None, None));
        Self::compile(&graph)
    }

    /// How many shapes there are, those inside others included.
    pub fn len(&self) -> usize {
        self.table.shapes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.table.shapes.is_empty()
    }

    /// Whether some shape has a target; otherwise nothing is validated.
    pub fn have_targets(&self) -> bool {
        self.table.roots().next().is_some()
    }

    /// Validates `data` against every shape that has targets.
    ///
    /// # Errors
    /// [`OntologyError::TooLarge`] when more than [`VALIDATION_READS_MAX`] triples would be read, and what a SPARQL
    /// constraint meets.
    pub fn validate(&self, data: &impl Index) -> Result<Report, OntologyError> {
        let bound = Bound::new(&self.table, data);
        let mut report = Report::default();
        for (no, _) in self.table.roots() {
            self.validate_shape(&bound, no, &mut report)?;
        }
        Ok(report)
    }

    /// Adds what one shape finds at all its focus nodes.
    fn validate_shape<I: Index>(
        &self,
        bound: &Bound<'_, I>,
        no: ShapeNo,
        report: &mut Report,
    ) -> Result<(), OntologyError> {
        let Some(shape) = self.table.shape(no) else { return Ok(()) };
        for focus in bound.focus_nodes(no)? {
            let found = bound.evaluate(no, focus)?;
            if let (false, Some(term)) = (found.is_empty(), bound.term(focus)) {
                report.put(&shape.name, term, found);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
