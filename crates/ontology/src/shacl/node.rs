//! Compiled shapes beside the data that they are evaluated on.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::shape::{ShapeTable, TermNo};
use crate::error::OntologyError;
use crate::index::{Id, Index};
use crate::triple::Term;
use crate::vocab;

/// Numbers from here on stand for terms of the shapes that the data does not know: they are in no triple.
pub(super) const UNKNOWN_FROM: Id = 1 << 31;
/// Most triples that one validation reads. A path closure over a hostile graph ends here.
pub const VALIDATION_READS_MAX: u64 = 1_000_000_000;

/// Most classes that are remembered as above others, each counted where it is: some tens of megabytes.
const ABOVE_KEPT_MAX: usize = 4_000_000;

/// What is known of a term of the shapes.
#[derive(Clone, Copy)]
enum Known {
    NotAsked,
    As(Id),
    Not,
}

/// Shapes over data. Terms are looked up when they are first needed, so that shapes that are not touched cost nothing.
pub(crate) struct Bound<'a, I> {
    pub(super) table: &'a ShapeTable,
    pub(super) index: &'a I,
    numbers: Vec<Cell<Known>>,
    reads: Cell<u64>,
    /// How many reads end what is done now.
    reads_max: Cell<u64>,
    pub(super) type_id: Option<Id>,
    subclass_id: Option<Id>,
    /// Class → itself and every class above it, in order.
    above: RefCell<BTreeMap<Id, Rc<[Id]>>>,
    above_kept: Cell<usize>,
}

impl<'a, I: Index> Bound<'a, I> {
    pub(crate) fn new(table: &'a ShapeTable, index: &'a I) -> Self {
        Self {
            table,
            index,
            numbers: vec![Cell::new(Known::NotAsked); table.terms.len()],
            reads: Cell::new(0),
            reads_max: Cell::new(VALIDATION_READS_MAX),
            type_id: index.id_of(&Term::Iri(vocab::RDF_TYPE.clone())),
            subclass_id: index.id_of(&Term::Iri(vocab::RDFS_SUB_CLASS_OF.clone())),
            above: RefCell::default(),
            above_kept: Cell::new(0),
        }
    }

    /// Counts triples that were read.
    ///
    /// # Errors
    /// [`OntologyError::TooLarge`] beyond [`VALIDATION_READS_MAX`].
    pub(super) fn spend(&self, triples: usize) -> Result<(), OntologyError> {
        let spent = self.reads.get().saturating_add(triples as u64 + 1);
        self.reads.set(spent);
        if spent > self.reads_max.get() {
            return Err(OntologyError::TooLarge {
                what: "triples read by one validation".to_owned(),
                max: VALIDATION_READS_MAX,
            });
        }
        Ok(())
    }

    /// Does work that reads at most `left` triples, and takes from `left` what it read; `None` when it would read more.
    pub(super) fn within<T>(
        &self,
        left: &mut u64,
        work: impl FnOnce() -> Result<T, OntologyError>,
    ) -> Result<Option<T>, OntologyError> {
        let start = self.reads.get();
        self.reads_max.set(start.saturating_add(*left).min(VALIDATION_READS_MAX));
        let done = work();
        self.reads_max.set(VALIDATION_READS_MAX);
        *left = left.saturating_sub(self.reads.get() - start);
        match done {
            Err(OntologyError::TooLarge { .. }) if self.reads.get() <= VALIDATION_READS_MAX => Ok(None),
            done => done.map(Some),
        }
    }

    /// Triples read so far.
    pub(crate) fn reads(&self) -> u64 {
        self.reads.get()
    }

    /// The number of a term of the shapes in the data; `None` when the data does not know it.
    pub(crate) fn known(&self, no: TermNo) -> Option<Id> {
        let slot = self.numbers.get(no.0 as usize)?;
        match slot.get() {
            Known::As(id) => Some(id),
            Known::Not => None,
            Known::NotAsked => {
                let id = self.table.term(no).and_then(|term| self.index.id_of(term));
                slot.set(id.map_or(Known::Not, Known::As));
                id
            }
        }
    }

    /// The same as a node, which may be one that the data does not know.
    pub(crate) fn node(&self, no: TermNo) -> Id {
        self.known(no).unwrap_or(UNKNOWN_FROM | no.0)
    }

    /// The term of a node.
    pub(crate) fn term(&self, node: Id) -> Option<&'a Term> {
        if node < UNKNOWN_FROM {
            self.index.term(node)
        } else {
            self.table.term(TermNo(node & !UNKNOWN_FROM))
        }
    }

    /// The node's text in reports.
    pub(super) fn text(&self, node: Id) -> String {
        self.term(node).map(ToString::to_string).unwrap_or_default()
    }

    /// Objects of a node and predicate.
    pub(super) fn objects(&self, node: Id, predicate: Id) -> Result<Vec<Id>, OntologyError> {
        if node >= UNKNOWN_FROM {
            return Ok(Vec::new());
        }
        let found: Vec<Id> = self.index.objects_of(node, predicate).collect();
        self.spend(found.len())?;
        Ok(found)
    }

    /// Subjects of a predicate and node.
    pub(super) fn subjects(&self, predicate: Id, node: Id) -> Result<Vec<Id>, OntologyError> {
        if node >= UNKNOWN_FROM {
            return Ok(Vec::new());
        }
        let found: Vec<Id> = self.index.subjects_of(predicate, node).collect();
        self.spend(found.len())?;
        Ok(found)
    }

    /// The class and every class above it, in order of number.
    pub(super) fn above(&self, class: Id) -> Result<Rc<[Id]>, OntologyError> {
        if let Some(known) = self.above.borrow().get(&class) {
            return Ok(Rc::clone(known));
        }
        let mut found = vec![class];
        if let Some(subclass) = self.subclass_id {
            close(&mut found, |node| self.objects(node, subclass))?;
        }
        let found: Rc<[Id]> = found.into();
        let kept = self.above_kept.get() + found.len();
        if kept > ABOVE_KEPT_MAX {
            // A long chain of classes: what is asked again is looked up again, and counted again.
            self.above.borrow_mut().clear();
        }
        self.above_kept.set(if kept > ABOVE_KEPT_MAX { found.len() } else { kept });
        self.above.borrow_mut().insert(class, Rc::clone(&found));
        Ok(found)
    }

    /// The class and every class below it, in order of number.
    pub(super) fn below(&self, class: Id) -> Result<Vec<Id>, OntologyError> {
        let mut found = vec![class];
        if let Some(subclass) = self.subclass_id {
            close(&mut found, |node| self.subjects(subclass, node))?;
        }
        Ok(found)
    }

    /// Whether the node is an instance of the class: by its types and what they are below (SHACL §1.1).
    pub(crate) fn is_instance(&self, node: Id, class: Id) -> Result<bool, OntologyError> {
        let Some(is_a) = self.type_id else { return Ok(false) };
        if node < UNKNOWN_FROM && class < UNKNOWN_FROM && self.index.has(node, is_a, class) {
            self.spend(1)?;
            return Ok(true);
        }
        for kind in self.objects(node, is_a)? {
            if self.above(kind)?.binary_search(&class).is_ok() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Adds to nodes everything that steps reach from them; sorted, each once.
pub(super) fn close(
    nodes: &mut Vec<Id>,
    step: impl Fn(Id) -> Result<Vec<Id>, OntologyError>,
) -> Result<(), OntologyError> {
    let mut seen: BTreeSet<Id> = nodes.iter().copied().collect();
    let mut open = std::mem::take(nodes);
    while let Some(node) = open.pop() {
        for next in step(node)? {
            if seen.insert(next) {
                open.push(next);
            }
        }
    }
    nodes.extend(seen);
    Ok(())
}
