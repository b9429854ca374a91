//! Triples from anywhere, numbered in the order in which they come.

use std::collections::{BTreeMap, BTreeSet};

use crate::index::{Id, Index};
use crate::triple::{Term, Triple};

/// An index of triples that are given once. It is built in O(n log n); to ask a graph again and again, ask the graph.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    terms: Vec<Term>,
    ids: BTreeMap<Term, Id>,
    spo: BTreeSet<[Id; 3]>,
    pos: BTreeSet<[Id; 3]>,
    osp: BTreeSet<[Id; 3]>,
}

impl Listed {
    fn number(&mut self, term: Term) -> Id {
        // Graphs are limited to far fewer than 2³² terms.
        let next = Id::try_from(self.terms.len()).unwrap_or(Id::MAX);
        *self.ids.entry(term.clone()).or_insert_with(|| {
            self.terms.push(term);
            next
        })
    }
}

impl FromIterator<Triple> for Listed {
    fn from_iter<T: IntoIterator<Item = Triple>>(triples: T) -> Self {
        let mut listed = Self::default();
        for triple in triples {
            let [s, p, o] = [triple.subject.into(), triple.predicate.into(), triple.object]
                .map(|term| listed.number(term));
            listed.spo.insert([s, p, o]);
            listed.pos.insert([p, o, s]);
            listed.osp.insert([o, s, p]);
        }
        listed
    }
}

/// What begins with `first`, and with `second` if there is one.
fn range(set: &BTreeSet<[Id; 3]>, first: Id, second: Option<Id>) -> impl Iterator<Item = [Id; 3]> + '_ {
    let (low, high) = (second.unwrap_or(0), second.unwrap_or(Id::MAX));
    set.range([first, low, 0]..=[first, high, Id::MAX]).copied()
}

impl Index for Listed {
    fn id_of(&self, term: &Term) -> Option<Id> {
        self.ids.get(term).copied()
    }
    fn term(&self, id: Id) -> Option<&Term> {
        self.terms.get(usize::try_from(id).ok()?)
    }
    fn has(&self, subject: Id, predicate: Id, object: Id) -> bool {
        self.spo.contains(&[subject, predicate, object])
    }
    fn outgoing(&self, subject: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        range(&self.spo, subject, None).map(|[_, p, o]| (p, o))
    }
    fn incoming(&self, object: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        range(&self.osp, object, None).map(|[_, s, p]| (s, p))
    }
    fn objects_of(&self, subject: Id, predicate: Id) -> impl Iterator<Item = Id> + '_ {
        range(&self.spo, subject, Some(predicate)).map(|[_, _, o]| o)
    }
    fn subjects_of(&self, predicate: Id, object: Id) -> impl Iterator<Item = Id> + '_ {
        range(&self.pos, predicate, Some(object)).map(|[_, _, s]| s)
    }
    fn with_predicate(&self, predicate: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        range(&self.pos, predicate, None).map(|[_, o, s]| (s, o))
    }
    fn all(&self) -> impl Iterator<Item = [Id; 3]> + '_ {
        self.spo.iter().copied()
    }
}
