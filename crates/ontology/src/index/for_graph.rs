//! A graph, read by number.

use super::{Id, Index};
use crate::graph::Graph;
use crate::triple::Term;

impl Index for Graph {
    fn id_of(&self, term: &Term) -> Option<Id> {
        self.terms.number(term)
    }

    fn term(&self, id: Id) -> Option<&Term> {
        self.terms.get(id)
    }

    fn has(&self, subject: Id, predicate: Id, object: Id) -> bool {
        self.spo.contains(&[subject, predicate, object])
    }

    fn outgoing(&self, subject: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        self.spo.range([subject, 0, 0]..=[subject, Id::MAX, Id::MAX]).map(|&[_, p, o]| (p, o))
    }

    fn incoming(&self, object: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        self.osp.range([object, 0, 0]..=[object, Id::MAX, Id::MAX]).map(|&[_, s, p]| (s, p))
    }

    fn objects_of(&self, subject: Id, predicate: Id) -> impl Iterator<Item = Id> + '_ {
        self.spo.range([subject, predicate, 0]..=[subject, predicate, Id::MAX]).map(|&[_, _, o]| o)
    }

    fn subjects_of(&self, predicate: Id, object: Id) -> impl Iterator<Item = Id> + '_ {
        self.pos.range([predicate, object, 0]..=[predicate, object, Id::MAX]).map(|&[_, _, s]| s)
    }

    fn with_predicate(&self, predicate: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        self.pos.range([predicate, 0, 0]..=[predicate, Id::MAX, Id::MAX]).map(|&[_, o, s]| (s, o))
    }

    fn all(&self) -> impl Iterator<Item = [Id; 3]> + '_ {
        self.spo.iter().copied()
    }
}
