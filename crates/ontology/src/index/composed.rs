//! Two graphs read as one: core and sector, or an ontology and data.

use std::borrow::Cow;

use super::{Id, Index};
use crate::graph::Graph;
use crate::triple::Term;

/// The union of two graphs, each triple once. Numbers are those of the upper graph, which continues the lower one's.
#[derive(Clone, Debug)]
pub struct Composed<'g> {
    lower: &'g Graph,
    upper: Cow<'g, Graph>,
}

impl<'g> Composed<'g> {
    /// Reads both as one. Costs nothing when the upper graph is numbered after the lower one
    /// ([`Graph::numbered_after`]), as in every [`crate::Sigma`], and O(upper) otherwise.
    pub fn new(lower: &'g Graph, upper: &'g Graph) -> Self {
        let upper = if upper.terms.continues(&lower.terms) {
            Cow::Borrowed(upper)
        } else {
            Cow::Owned(upper.numbered_after(lower))
        };
        Self { lower, upper }
    }

    /// The lower graph, unless it cannot have a triple with this term.
    fn lower_with(&self, id: Id) -> Option<&Graph> {
        (id < self.upper.terms.from()).then_some(self.lower)
    }
}

impl Index for Composed<'_> {
    fn id_of(&self, term: &Term) -> Option<Id> {
        self.upper.terms.number(term)
    }

    fn term(&self, id: Id) -> Option<&Term> {
        self.upper.terms.get(id)
    }

    fn has(&self, subject: Id, predicate: Id, object: Id) -> bool {
        self.upper.has(subject, predicate, object) || self.lower.has(subject, predicate, object)
    }

    fn outgoing(&self, subject: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        let lower = self.lower_with(subject).into_iter().flat_map(move |graph| graph.outgoing(subject));
        Merged::of(self.upper.outgoing(subject), lower)
    }

    fn incoming(&self, object: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        let lower = self.lower_with(object).into_iter().flat_map(move |graph| graph.incoming(object));
        Merged::of(self.upper.incoming(object), lower)
    }

    fn objects_of(&self, subject: Id, predicate: Id) -> impl Iterator<Item = Id> + '_ {
        let lower = self.lower_with(subject).into_iter();
        Merged::of(
            self.upper.objects_of(subject, predicate),
            lower.flat_map(move |graph| graph.objects_of(subject, predicate)),
        )
    }

    fn subjects_of(&self, predicate: Id, object: Id) -> impl Iterator<Item = Id> + '_ {
        let lower = self.lower_with(object).into_iter();
        Merged::of(
            self.upper.subjects_of(predicate, object),
            lower.flat_map(move |graph| graph.subjects_of(predicate, object)),
        )
    }

    fn with_predicate(&self, predicate: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        // Both are in order of object, then subject.
        let turned = |(s, o): (Id, Id)| (o, s);
        let lower = self.lower_with(predicate).into_iter();
        let lower = lower.flat_map(move |graph| graph.with_predicate(predicate)).map(turned);
        Merged::of(self.upper.with_predicate(predicate).map(turned), lower).map(turned)
    }

    fn all(&self) -> impl Iterator<Item = [Id; 3]> + '_ {
        Merged::of(self.upper.all(), self.lower.all())
    }
}

/// Two ascending sequences as one, what is in both once.
struct Merged<T, A: Iterator<Item = T>, B: Iterator<Item = T>> {
    a: std::iter::Peekable<A>,
    b: std::iter::Peekable<B>,
}

impl<T: Ord, A: Iterator<Item = T>, B: Iterator<Item = T>> Merged<T, A, B> {
    fn of(a: A, b: B) -> Self {
        Self { a: a.peekable(), b: b.peekable() }
    }
}

impl<T: Ord, A: Iterator<Item = T>, B: Iterator<Item = T>> Iterator for Merged<T, A, B> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match (self.a.peek(), self.b.peek()) {
            (Some(a), Some(b)) => match a.cmp(b) {
                std::cmp::Ordering::Less => self.a.next(),
                std::cmp::Ordering::Greater => self.b.next(),
                std::cmp::Ordering::Equal => {
                    self.b.next();
                    self.a.next()
                }
            },
            (Some(_), None) => self.a.next(),
            (None, _) => self.b.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::graph::tests::any_triple;
    use crate::triple::Triple;

    proptest! {
        #[test]
        fn it_reads_as_the_union_does(
            lower in prop::collection::vec(any_triple(), 0..20),
            upper in prop::collection::vec(any_triple(), 0..20),
            later in prop::collection::vec(any_triple(), 0..5),
            numbered in any::<bool>(),
        ) {
            let below: Graph = lower.iter().cloned().collect();
            let mut above: Graph = upper.iter().chain(lower.iter().take(2)).cloned().collect();
            if numbered {
                above = above.numbered_after(&below);
                // Later changes keep the numbering.
                for triple in &later { above.insert(triple); }
                for triple in upper.iter().take(1) { above.remove(triple); }
                prop_assert!(above.terms.continues(&below.terms));
            }
            prop_assert_eq!(above.root(), above.iter().collect::<Graph>().root());
            let union: Graph = below.iter().chain(above.iter()).collect();
            let read = Composed::new(&below, &above);
            let text = |id: Id| read.term(id).unwrap().to_string();
            let all: Vec<String> =
                read.all().map(|[s, p, o]| format!("{} {} {} .\n", text(s), text(p), text(o))).collect();
            prop_assert_eq!(all.len(), union.len(), "each once");
            let expected: BTreeSet<String> = union.iter().map(|t| t.to_nquads_line()).collect();
            prop_assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), expected);
            for probe in union.iter().chain(lower).chain(upper).chain(later) {
                let Triple { subject, predicate, object } = probe;
                let ids = [Term::Iri(subject), Term::Iri(predicate), object];
                let [Some(s), Some(p), Some(o)] = ids.map(|term| read.id_of(&term)) else { continue };
                let in_union = |a: Option<Id>, b: Option<Id>, c: Option<Id>| -> BTreeSet<[Id; 3]> {
                    let fits = |x: Option<Id>, y: Id| x.is_none_or(|x| x == y);
                    read.all().filter(|[s, p, o]| fits(a, *s) && fits(b, *p) && fits(c, *o)).collect()
                };
                prop_assert_eq!(read.has(s, p, o), !in_union(Some(s), Some(p), Some(o)).is_empty());
                let found: BTreeSet<_> = read.outgoing(s).map(|(p, o)| [s, p, o]).collect();
                prop_assert_eq!(found, in_union(Some(s), None, None));
                let found: BTreeSet<_> = read.incoming(o).map(|(s, p)| [s, p, o]).collect();
                prop_assert_eq!(found, in_union(None, None, Some(o)));
                let found: BTreeSet<_> = read.objects_of(s, p).map(|o| [s, p, o]).collect();
                prop_assert_eq!(found, in_union(Some(s), Some(p), None));
                let found: BTreeSet<_> = read.subjects_of(p, o).map(|s| [s, p, o]).collect();
                prop_assert_eq!(found, in_union(None, Some(p), Some(o)));
                let found: BTreeSet<_> = read.with_predicate(p).map(|(s, o)| [s, p, o]).collect();
                prop_assert_eq!(found, in_union(None, Some(p), None));
                let ascending: Vec<_> = read.outgoing(s).collect();
                prop_assert!(ascending.is_sorted());
            }
        }
    }
}
