//! Validation after a change, at the cost of the change (`docs/shacl.md`, "After a change").

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Shapes;
use super::follow::Way;
use super::footprint::Reader;
use super::node::{Bound, UNKNOWN_FROM};
use super::report::Report;
use super::same::Comparison;
use super::shape::{ShapeNo, ShapeTable};
use crate::error::OntologyError;
use crate::index::{Id, Index};
use crate::iri::Iri;
use crate::triple::{Term, Triple};
use crate::triple_delta::TripleDelta;

/// Most focus nodes of one shape that a change is followed to; beyond, the shape is validated in full.
pub const AFFECTED_MAX: usize = 20_000;
/// Most triples that are read to follow a change to focus nodes; shapes that are then not yet followed to are validated in
/// full. About what a full validation of a hundred thousand triples reads.
pub const FOLLOWED_MAX: u64 = 1_000_000;

/// A change of what is validated.
#[derive(Debug)]
pub struct Change<'a, I> {
    /// Before.
    pub before: &'a I,
    /// After.
    pub after: &'a I,
    /// What leads from one to the other, exactly.
    pub delta: &'a TripleDelta,
}

/// Why a shape was validated in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It is new or other than before, or something inside it is.
    ShapeChanged,
    /// It has a constraint whose reading cannot be bounded, `sh:sparql`, or a footprint beyond
    /// [`FOOTPRINT_MAX`](super::FOOTPRINT_MAX).
    Unbounded,
    /// The change reaches more than [`AFFECTED_MAX`] of its focus nodes, or finding them takes more reads than
    /// [`FOLLOWED_MAX`].
    TooMany,
}

/// A report after a change, and what it took.
#[derive(Clone, Debug)]
pub struct Revalidation {
    /// The same as a validation of everything gives.
    pub report: Report,
    /// Pairs of shape and focus node that were looked at because the change reaches them.
    pub reached: usize,
    /// Shapes validated in full, by name.
    pub in_full: BTreeMap<Iri, Reason>,
    /// Triples read.
    pub reads: u64,
}

impl Shapes {
    /// The report after a change, from the report that `earlier` gave before it.
    ///
    /// # Errors
    /// As [`Shapes::validate`].
    pub fn revalidate<I: Index>(
        &self,
        earlier: &Self,
        report: &Report,
        change: &Change<'_, I>,
    ) -> Result<Revalidation, OntologyError> {
        let after = Bound::new(&self.table, change.after);
        let mut in_full: BTreeMap<ShapeNo, Reason> =
            self.footprints.unbounded().iter().map(|no| (*no, Reason::Unbounded)).collect();
        let mut report = report.clone();
        if !Arc::ptr_eq(&self.table, &earlier.table) {
            let before: BTreeMap<&Iri, ShapeNo> =
                earlier.table.roots().map(|(no, shape)| (&shape.name, no)).collect();
            let mut comparison = Comparison::new(&earlier.table, &self.table);
            for (no, shape) in self.table.roots() {
                let same = before.get(&shape.name).is_some_and(|old| comparison.is_same(*old, no));
                if !same {
                    in_full.insert(no, Reason::ShapeChanged);
                }
            }
            let now: BTreeSet<&Iri> = self.table.roots().map(|(_, shape)| &shape.name).collect();
            for (_, shape) in earlier.table.roots().filter(|(_, shape)| !now.contains(&shape.name)) {
                report.forget(&shape.name);
            }
        }
        let mut affected = Affected { in_full, nodes: BTreeMap::new(), left: FOLLOWED_MAX };
        self.reached(&after, &change.delta.added, &mut affected)?;
        // What was removed was read where it was.
        let before = Bound::new(&self.table, change.before);
        self.reached(&before, &change.delta.removed, &mut affected)?;

        let Affected { in_full, nodes, .. } = affected;
        let mut reached = 0;
        for (no, nodes) in nodes.iter().filter(|(no, _)| !in_full.contains_key(no)) {
            let Some(shape) = self.table.shape(*no) else { continue };
            reached += nodes.len();
            for term in nodes {
                let found = match self.focus(&after, term) {
                    Some(focus) if after.is_focus(*no, focus)? => after.evaluate(*no, focus)?,
                    _ => Vec::new(),
                };
                report.put(&shape.name, term, found);
            }
        }
        for no in in_full.keys() {
            let Some(shape) = self.table.shape(*no) else { continue };
            report.forget(&shape.name);
            self.validate_shape(&after, *no, &mut report)?;
        }
        let name = |no: ShapeNo| self.table.shape(no).map(|shape| shape.name.clone());
        Ok(Revalidation {
            report,
            reached,
            in_full: in_full.into_iter().filter_map(|(no, reason)| Some((name(no)?, reason))).collect(),
            reads: before.reads() + after.reads(),
        })
    }

    /// The node of a term that may be a focus node: one of the data, or one that only the shapes know.
    fn focus<I: Index>(&self, bound: &Bound<'_, I>, term: &Term) -> Option<Id> {
        bound.index.id_of(term).or_else(|| self.table.number(term).map(|no| bound.node(no)))
    }

    /// Adds every focus node from which one of the triples may be read.
    fn reached<'d, I: Index>(
        &self,
        bound: &Bound<'_, I>,
        triples: impl IntoIterator<Item = &'d Triple>,
        affected: &mut Affected,
    ) -> Result<(), OntologyError> {
        for triple in triples {
            let subject = bound.index.id_of(&Term::Iri(triple.subject.clone()));
            let (Some(subject), Some(object)) = (subject, bound.index.id_of(&triple.object)) else {
                continue;
            };
            let predicate = self.table.number(&Term::Iri(triple.predicate.clone()));
            for reader in self.footprints.of_predicate(predicate) {
                affected.follow(bound, reader, [subject, object])?;
            }
            let of_classes = [ShapeTable::RDF_TYPE, ShapeTable::RDFS_SUB_CLASS_OF];
            let Some(predicate) = predicate.filter(|no| of_classes.contains(no)) else { continue };
            let Some(above) = bound.within(&mut affected.left, || bound.above(object))? else {
                for root in self.footprints.of_classes(predicate) {
                    affected.give_up(root);
                }
                continue;
            };
            for class in above.iter() {
                let Some(class) = bound.term(*class).and_then(|term| self.table.number(term)) else {
                    continue;
                };
                for reader in self.footprints.of_class(predicate, class) {
                    affected.follow(bound, reader, [subject, object])?;
                }
            }
        }
        Ok(())
    }
}

/// What a change reaches so far.
struct Affected {
    in_full: BTreeMap<ShapeNo, Reason>,
    nodes: BTreeMap<ShapeNo, BTreeSet<Term>>,
    /// How many triples may still be read to find them.
    left: u64,
}

impl Affected {
    /// Follows a reader backwards from the triple that it reads to focus nodes.
    fn follow<I: Index>(
        &mut self,
        bound: &Bound<'_, I>,
        reader: &Reader,
        [subject, object]: [Id; 2],
    ) -> Result<(), OntologyError> {
        if self.in_full.contains_key(&reader.root) {
            return Ok(());
        }
        let origin = match reader.way {
            Way::Forwards => subject,
            Way::Backwards => object,
        };
        let path = reader.path.iter().rev();
        let found = bound.within(&mut self.left, || bound.follow_all(path, origin, Way::Backwards))?;
        let Some(found) = found else {
            self.give_up(reader.root);
            return Ok(());
        };
        let nodes = self.nodes.entry(reader.root).or_default();
        for node in found {
            debug_assert!(node < UNKNOWN_FROM, "only nodes of the data are in triples");
            if let Some(term) = bound.term(node) {
                nodes.insert(term.clone());
            }
        }
        if nodes.len() > AFFECTED_MAX {
            self.give_up(reader.root);
        }
        Ok(())
    }

    /// The shape is validated in full.
    fn give_up(&mut self, root: ShapeNo) {
        self.in_full.entry(root).or_insert(Reason::TooMany);
        self.nodes.remove(&root);
    }
}

#[cfg(test)]
mod tests;
