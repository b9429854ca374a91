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

    // Ranges have no upper end: finding it would cost as much as finding the lower one.

    fn outgoing(&self, subject: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        let found = self.spo.range([subject, 0, 0]..).take_while(move |[s, ..]| *s == subject);
        found.map(|&[_, p, o]| (p, o))
    }

    fn incoming(&self, object: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        let found = self.osp.range([object, 0, 0]..).take_while(move |[o, ..]| *o == object);
        found.map(|&[_, s, p]| (s, p))
    }

    fn objects_of(&self, subject: Id, predicate: Id) -> impl Iterator<Item = Id> + '_ {
        let found = self.spo.range([subject, predicate, 0]..);
        found.take_while(move |[s, p, _]| (*s, *p) == (subject, predicate)).map(|&[_, _, o]| o)
    }

    fn subjects_of(&self, predicate: Id, object: Id) -> impl Iterator<Item = Id> + '_ {
        let found = self.pos.range([predicate, object, 0]..);
        found.take_while(move |[p, o, _]| (*p, *o) == (predicate, object)).map(|&[_, _, s]| s)
    }

    fn with_predicate(&self, predicate: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        let found = self.pos.range([predicate, 0, 0]..).take_while(move |[p, ..]| *p == predicate);
        found.map(|&[_, o, s]| (s, o))
    }

    fn all(&self) -> impl Iterator<Item = [Id; 3]> + '_ {
        self.spo.iter().copied()
    }
}
