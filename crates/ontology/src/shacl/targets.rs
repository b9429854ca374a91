//! Focus nodes (SHACL §2.1.3).

use super::node::{Bound, UNKNOWN_FROM};
use super::shape::{ShapeNo, Target};
use crate::error::OntologyError;
use crate::index::{Id, Index};

impl<I: Index> Bound<'_, I> {
    /// The focus nodes of a shape, each once, in order of number.
    pub(crate) fn focus_nodes(&self, no: ShapeNo) -> Result<Vec<Id>, OntologyError> {
        let mut found = Vec::new();
        for target in self.table.shape(no).into_iter().flat_map(|shape| &shape.targets) {
            match target {
                Target::Node(no) => found.push(self.node(*no)),
                Target::Class(no) => {
                    if let (Some(class), Some(is_a)) = (self.known(*no), self.type_id) {
                        for class in self.below(class)? {
                            found.extend(self.subjects(is_a, class)?);
                        }
                    }
                }
                Target::SubjectsOf(no) => {
                    if let Some(predicate) = self.known(*no) {
                        found.extend(self.index.with_predicate(predicate).map(|(subject, _)| subject));
                    }
                }
                Target::ObjectsOf(no) => {
                    if let Some(predicate) = self.known(*no) {
                        found.extend(self.index.with_predicate(predicate).map(|(_, object)| object));
                    }
                }
            }
            self.spend(found.len())?;
        }
        found.retain(|node| self.is_under_test(*node));
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Whether the node is a focus node of the shape, found from the node.
    pub(crate) fn is_focus(&self, no: ShapeNo, node: Id) -> Result<bool, OntologyError> {
        if !self.is_under_test(node) {
            return Ok(false);
        }
        for target in self.table.shape(no).into_iter().flat_map(|shape| &shape.targets) {
            let hit = match target {
                Target::Node(no) => self.node(*no) == node,
                Target::Class(no) => match self.known(*no) {
                    Some(class) => self.is_instance(node, class)?,
                    None => false,
                },
                Target::SubjectsOf(no) => match self.known(*no) {
                    Some(predicate) if node < UNKNOWN_FROM => {
                        self.spend(1)?;
                        self.index.objects_of(node, predicate).next().is_some()
                    }
                    _ => false,
                },
                Target::ObjectsOf(no) => match self.known(*no) {
                    Some(predicate) if node < UNKNOWN_FROM => {
                        self.spend(1)?;
                        self.index.subjects_of(predicate, node).next().is_some()
                    }
                    _ => false,
                },
            };
            if hit {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_under_test(&self, node: Id) -> bool {
        self.term(node).is_some_and(|term| self.index.is_under_test(term))
    }
}
