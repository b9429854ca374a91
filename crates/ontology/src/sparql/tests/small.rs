//! A plain index to ask: sets of numbered triples.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::Graph;
use crate::index::{Id, Index};
use crate::triple::Term;
use crate::turtle;

#[derive(Default)]
pub(super) struct Small {
    terms: Vec<Term>,
    ids: BTreeMap<Term, Id>,
    spo: BTreeSet<[Id; 3]>,
}

impl Small {
    /// The triples of a graph; terms are numbered in the order in which they come.
    pub(super) fn of(graph: &Graph, backwards: bool) -> Self {
        let mut small = Self::default();
        let mut triples = graph.sorted();
        if backwards {
            triples.reverse();
        }
        for triple in triples {
            let ids =
                [triple.subject.into(), triple.predicate.into(), triple.object].map(|t| small.number(t));
            small.spo.insert(ids);
        }
        small
    }

    pub(super) fn read(text: &str) -> Self {
        Self::of(&turtle::parse(text).unwrap(), false)
    }

    fn number(&mut self, term: Term) -> Id {
        let next = Id::try_from(self.terms.len()).unwrap();
        *self.ids.entry(term.clone()).or_insert_with(|| {
            self.terms.push(term);
            next
        })
    }

    fn range(&self, low: [Id; 3], high: [Id; 3]) -> impl Iterator<Item = [Id; 3]> + '_ {
        self.spo.range(low..=high).copied()
    }
}

const MAX: Id = Id::MAX;

impl Index for Small {
    fn id_of(&self, term: &Term) -> Option<Id> {
        self.ids.get(term).copied()
    }
    fn term(&self, id: Id) -> Option<&Term> {
        self.terms.get(usize::try_from(id).unwrap())
    }
    fn has(&self, s: Id, p: Id, o: Id) -> bool {
        self.spo.contains(&[s, p, o])
    }
    fn outgoing(&self, s: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        self.range([s, 0, 0], [s, MAX, MAX]).map(|[_, p, o]| (p, o))
    }
    fn incoming(&self, o: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        self.all().filter(move |t| t[2] == o).map(|[s, p, _]| (s, p))
    }
    fn objects_of(&self, s: Id, p: Id) -> impl Iterator<Item = Id> + '_ {
        self.range([s, p, 0], [s, p, MAX]).map(|t| t[2])
    }
    fn subjects_of(&self, p: Id, o: Id) -> impl Iterator<Item = Id> + '_ {
        self.all().filter(move |t| t[1] == p && t[2] == o).map(|t| t[0])
    }
    fn with_predicate(&self, p: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        self.all().filter(move |t| t[1] == p).map(|[s, _, o]| (s, o))
    }
    fn all(&self) -> impl Iterator<Item = [Id; 3]> + '_ {
        self.spo.iter().copied()
    }
}
