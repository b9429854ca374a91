//! A persistent set of triples with three indexes and a Merkle root.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use imbl::OrdSet;
use imbl::ordset::DiffItem;
use sha2::{Digest, Sha256};

use crate::iri::Iri;
use crate::terms::Terms;
use crate::trie::{Hash, Trie};
use crate::triple::{Term, Triple};

/// A set of triples without blank nodes. Cloning is O(1); a change of k triples costs O(k log n) and shares the rest.
///
/// Iteration follows the order in which terms were first seen, so it differs between graphs that are equal: whatever
/// is shown, hashed or decided on must be sorted by text, as [`Graph::sorted`], [`Graph::subjects`] and
/// [`Graph::objects`] do.
#[derive(Clone, Default)]
pub struct Graph {
    pub(crate) terms: Arc<Terms>,
    pub(crate) spo: OrdSet<[u32; 3]>,
    pub(crate) pos: OrdSet<[u32; 3]>,
    pub(crate) osp: OrdSet<[u32; 3]>,
    trie: Trie,
}

fn key_of(triple: &Triple) -> Hash {
    Sha256::digest(triple.to_nquads_line().as_bytes()).into()
}

impl Graph {
    /// A graph of no triples.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many triples.
    pub fn len(&self) -> usize {
        self.spo.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.spo.is_empty()
    }

    /// The root of the Merkle trie over the canonical lines (`docs/formats/ontology-identifiers.md`).
    pub fn root(&self) -> Hash {
        self.trie.root()
    }

    /// Whether the triple is in the graph.
    pub fn contains(&self, triple: &Triple) -> bool {
        self.ids_of(triple).is_some_and(|ids| self.spo.contains(&ids))
    }

    /// Adds a triple; whether it was absent.
    pub fn insert(&mut self, triple: &Triple) -> bool {
        let s = self.terms.intern(&Term::Iri(triple.subject.clone()));
        let p = self.terms.intern(&Term::Iri(triple.predicate.clone()));
        let o = self.terms.intern(&triple.object);
        if self.spo.insert([s, p, o]).is_some() {
            return false;
        }
        self.pos.insert([p, o, s]);
        self.osp.insert([o, s, p]);
        self.trie.insert(key_of(triple));
        true
    }

    /// Removes a triple; whether it was present.
    pub fn remove(&mut self, triple: &Triple) -> bool {
        let Some([s, p, o]) = self.ids_of(triple) else { return false };
        if self.spo.remove(&[s, p, o]).is_none() {
            return false;
        }
        self.pos.remove(&[p, o, s]);
        self.osp.remove(&[o, s, p]);
        self.trie.remove(&key_of(triple));
        true
    }

    /// Every triple, in no order worth relying on.
    pub fn iter(&self) -> impl Iterator<Item = Triple> + '_ {
        self.spo.iter().filter_map(|&ids| self.triple(ids))
    }

    /// Every triple in order of its text.
    pub fn sorted(&self) -> Vec<Triple> {
        let mut triples: Vec<Triple> = self.iter().collect();
        triples.sort_unstable();
        triples
    }

    /// The triples that agree with every part given, found by index, in no order worth relying on.
    pub fn matching<'g>(
        &'g self,
        subject: Option<&Iri>,
        predicate: Option<&Iri>,
        object: Option<&Term>,
    ) -> impl Iterator<Item = Triple> + use<'g> {
        // A part that was never interned is in no triple.
        let id = |term: Option<Term>| match term {
            Some(term) => self.terms.number(&term).map(Some).ok_or(()),
            None => Ok(None),
        };
        let parts =
            (id(subject.cloned().map(Term::Iri)), id(predicate.cloned().map(Term::Iri)), id(object.cloned()));
        // Each index is rotated: [0, 1, 2] says where subject, predicate and object stand in its keys.
        let (index, prefix, turn) = match parts {
            (Ok(s), Ok(p), Ok(o)) => match (s, p, o) {
                (Some(s), None, Some(o)) => (&self.osp, [Some(o), Some(s), None], 1),
                (Some(s), p, o) => (&self.spo, [Some(s), p, o], 0),
                (None, Some(p), o) => (&self.pos, [Some(p), o, None], 2),
                (None, None, Some(o)) => (&self.osp, [Some(o), None, None], 1),
                (None, None, None) => (&self.spo, [None; 3], 0),
            },
            // An empty range.
            _ => (&self.spo, [Some(u32::MAX); 3], 0),
        };
        let low = prefix.map(|part| part.unwrap_or(0));
        let high = prefix.map(|part| part.unwrap_or(u32::MAX));
        index.range(low..=high).filter_map(move |&[a, b, c]| {
            self.triple(match turn {
                0 => [a, b, c],
                1 => [b, c, a],
                _ => [c, a, b],
            })
        })
    }

    /// The subjects of triples with this predicate and object, in order of text.
    pub fn subjects(&self, predicate: &Iri, object: &Term) -> Vec<Iri> {
        let found: BTreeSet<Iri> =
            self.matching(None, Some(predicate), Some(object)).map(|triple| triple.subject).collect();
        found.into_iter().collect()
    }

    /// The objects of triples with this subject and predicate, in order of text.
    pub fn objects(&self, subject: &Iri, predicate: &Iri) -> Vec<Term> {
        let mut found: Vec<Term> =
            self.matching(Some(subject), Some(predicate), None).map(|triple| triple.object).collect();
        found.sort_unstable();
        found
    }

    /// The object of the only triple with this subject and predicate; `None` when there is none or more than one.
    pub fn object(&self, subject: &Iri, predicate: &Iri) -> Option<Term> {
        let mut found = self.matching(Some(subject), Some(predicate), None);
        match (found.next(), found.next()) {
            (Some(triple), None) => Some(triple.object),
            _ => None,
        }
    }

    /// What is here and not in `other`, in order of text. Between versions of one graph it costs what differs.
    pub fn difference(&self, other: &Self) -> BTreeSet<Triple> {
        if !self.terms.agrees_with(&other.terms) {
            return self.iter().filter(|triple| !other.contains(triple)).collect();
        }
        let here = other.spo.diff(&self.spo).filter_map(|item| match item {
            DiffItem::Add(ids) => Some(*ids),
            DiffItem::Remove(_) => None,
        });
        here.filter_map(|ids| self.triple(ids)).collect()
    }

    /// The same triples, their terms numbered as in `base` and onwards: so both can be read as one. Costs O(n) unless
    /// they are numbered so already.
    #[must_use]
    pub fn numbered_after(&self, base: &Self) -> Self {
        if self.terms.continues(&base.terms) {
            return self.clone();
        }
        let mut terms = Arc::new(Terms::continuing(&base.terms));
        let mut number = |id| self.term(id).map(|term| terms.intern(term));
        let triples: Vec<[u32; 3]> =
            self.spo.iter().filter_map(|&[s, p, o]| Some([number(s)?, number(p)?, number(o)?])).collect();
        Self {
            spo: triples.iter().copied().collect(),
            pos: triples.iter().map(|&[s, p, o]| [p, o, s]).collect(),
            osp: triples.iter().map(|&[s, p, o]| [o, s, p]).collect(),
            // It rests on the triples alone.
            trie: self.trie.clone(),
            terms,
        }
    }

    /// Every triple as (subject, predicate, object) borrowed from the graph, grouped by subject.
    pub(crate) fn borrowed(&self) -> impl Iterator<Item = (&Iri, &Iri, &Term)> {
        self.spo.iter().filter_map(|&[s, p, o]| match (self.term(s)?, self.term(p)?, self.term(o)?) {
            (Term::Iri(s), Term::Iri(p), o) => Some((s, p, o)),
            _ => None,
        })
    }

    fn term(&self, id: u32) -> Option<&Term> {
        self.terms.get(id)
    }

    fn triple(&self, [s, p, o]: [u32; 3]) -> Option<Triple> {
        match (self.term(s)?, self.term(p)?, self.term(o)?) {
            (Term::Iri(s), Term::Iri(p), o) => Some(Triple::new(s, p, o.clone())),
            _ => None,
        }
    }

    fn ids_of(&self, triple: &Triple) -> Option<[u32; 3]> {
        Some([
            self.terms.number(&Term::Iri(triple.subject.clone()))?,
            self.terms.number(&Term::Iri(triple.predicate.clone()))?,
            self.terms.number(&triple.object)?,
        ])
    }
}

impl PartialEq for Graph {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.root() == other.root()
    }
}

impl Eq for Graph {}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.sorted()).finish()
    }
}

impl FromIterator<Triple> for Graph {
    /// Builds at once: numbers first, then each index in its order and each node of the trie once.
    fn from_iter<T: IntoIterator<Item = Triple>>(triples: T) -> Self {
        let mut terms = Arc::new(Terms::default());
        let mut found: Vec<([u32; 3], Hash)> = Vec::new();
        for triple in triples {
            let key = key_of(&triple);
            let (s, p) =
                (terms.intern(&Term::Iri(triple.subject)), terms.intern(&Term::Iri(triple.predicate)));
            found.push(([s, p, terms.intern(&triple.object)], key));
        }
        found.sort_unstable();
        found.dedup();
        let turned = |turn: fn([u32; 3]) -> [u32; 3]| {
            let mut ids: Vec<[u32; 3]> = found.iter().map(|(ids, _)| turn(*ids)).collect();
            ids.sort_unstable();
            ids.into_iter().collect::<OrdSet<_>>()
        };
        Self {
            spo: turned(|ids| ids),
            pos: turned(|[s, p, o]| [p, o, s]),
            osp: turned(|[s, p, o]| [o, s, p]),
            trie: found.iter().map(|(_, key)| *key).collect(),
            terms,
        }
    }
}

impl Extend<Triple> for Graph {
    fn extend<T: IntoIterator<Item = Triple>>(&mut self, triples: T) {
        for triple in triples {
            self.insert(&triple);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::triple::Literal;
    use crate::vocab;

    pub(crate) fn any_iri() -> impl Strategy<Value = Iri> {
        "(urn:x:|http://e\\.org/[ab]#)[a-c./é-]{1,3}".prop_map(|text| Iri::new(text).unwrap())
    }

    pub(crate) fn any_term() -> impl Strategy<Value = Term> {
        prop_oneof![
            any_iri().prop_map(Term::Iri),
            "[a-b]{0,2}".prop_map(|text| Literal::string(text).into()),
            "\\PC{0,4}|[\\x00-\\x7f]{0,3}".prop_map(|text| Literal::string(text).into()),
            "(-?[0-9]{1,3}|true|x)".prop_map(|text| Literal::typed(text, vocab::XSD_INTEGER.clone()).into()),
            "-?[0-9]{0,2}\\.?[0-9]{0,2}"
                .prop_map(|text| Literal::typed(text, vocab::XSD_DECIMAL.clone()).into()),
            "(true|false|1|TRUE)".prop_map(|text| Literal::typed(text, vocab::XSD_BOOLEAN.clone()).into()),
            ("[a-z]{1,3}", "(en|de-AT)").prop_map(|(text, tag)| Literal::tagged(text, &tag).into()),
        ]
    }

    pub(crate) fn any_triple() -> impl Strategy<Value = Triple> {
        (any_iri(), any_iri(), any_term()).prop_map(|(s, p, o)| Triple::new(&s, &p, o))
    }

    proptest! {
        #[test]
        fn it_behaves_as_a_set(steps in prop::collection::vec((any::<bool>(), any_triple()), 0..60)) {
            let mut graph = Graph::new();
            let mut model = BTreeSet::new();
            for (add, triple) in &steps {
                if *add {
                    prop_assert_eq!(graph.insert(triple), model.insert(triple.clone()));
                } else {
                    prop_assert_eq!(graph.remove(triple), model.remove(triple));
                }
            }
            prop_assert_eq!(graph.len(), model.len());
            prop_assert_eq!(graph.sorted(), model.iter().cloned().collect::<Vec<_>>());
            prop_assert_eq!(graph.root(), model.iter().rev().cloned().collect::<Graph>().root());
            for (_, probe) in &steps {
                prop_assert_eq!(graph.contains(probe), model.contains(probe));
                for mask in 0..8_u8 {
                    let s = (mask & 1 != 0).then_some(&probe.subject);
                    let p = (mask & 2 != 0).then_some(&probe.predicate);
                    let o = (mask & 4 != 0).then_some(&probe.object);
                    let found: BTreeSet<Triple> = graph.matching(s, p, o).collect();
                    let expected: BTreeSet<Triple> = model
                        .iter()
                        .filter(|t| s.is_none_or(|s| *s == t.subject))
                        .filter(|t| p.is_none_or(|p| *p == t.predicate))
                        .filter(|t| o.is_none_or(|o| *o == t.object))
                        .cloned()
                        .collect();
                    prop_assert_eq!(found, expected);
                }
            }
        }

        #[test]
        fn the_difference_is_what_one_has_and_the_other_has_not(
            a in prop::collection::btree_set(any_triple(), 0..20),
            b in prop::collection::btree_set(any_triple(), 0..20),
        ) {
            let (left, right): (Graph, Graph) = (a.iter().cloned().collect(), b.iter().cloned().collect());
            prop_assert_eq!(left.difference(&right), a.difference(&b).cloned().collect::<BTreeSet<_>>());
            prop_assert_eq!(left == right, a == b);
            // Built at once, with repetitions, or one by one: the same, and it changes alike.
            let mut built: Graph = b.iter().chain(&b).cloned().collect();
            prop_assert_eq!(built.len(), b.len());
            let mut grown = Graph::new();
            grown.extend(b.iter().cloned());
            for triple in &a {
                prop_assert_eq!(built.contains(triple), b.contains(triple));
                prop_assert_eq!(built.remove(triple), grown.remove(triple));
            }
            prop_assert_eq!((built.sorted(), built.root()), (grown.sorted(), grown.root()));
        }

        #[test]
        fn versions_of_one_graph_and_graphs_made_apart_differ_alike(
            first in prop::collection::vec(any_triple(), 0..20),
            steps in prop::collection::vec((any::<bool>(), any_triple()), 0..20),
            branch in prop::collection::vec((any::<bool>(), any_triple()), 0..6),
        ) {
            let step = |graph: &mut Graph, steps: &[(bool, Triple)]| {
                for (add, triple) in steps {
                    if *add { graph.insert(triple) } else { graph.remove(triple) };
                }
            };
            let old: Graph = first.iter().cloned().collect();
            let (mut new, mut other) = (old.clone(), old.clone());
            step(&mut new, &steps);
            step(&mut other, &branch);
            let apart = |graph: &Graph| graph.sorted().into_iter().rev().collect::<Graph>();
            for (a, b) in [(&old, &new), (&new, &old), (&new, &other), (&other, &new)] {
                prop_assert_eq!(a.difference(b), apart(a).difference(&apart(b)));
            }
        }
    }

    #[test]
    fn questions_about_absent_terms_have_no_answer() {
        let (a, b) = (Iri::new("urn:a").unwrap(), Iri::new("urn:b").unwrap());
        let mut graph = Graph::new();
        graph.insert(&Triple::new(&a, &b, a.clone()));
        assert_eq!(graph.matching(Some(&Iri::new("urn:z").unwrap()), None, None).count(), 0);
        assert_eq!(graph.object(&a, &b), Some(Term::Iri(a.clone())));
        graph.insert(&Triple::new(&a, &b, b.clone()));
        assert_eq!(graph.object(&a, &b), None);
        assert_eq!(graph.objects(&a, &b).len(), 2);
        assert_eq!(graph.subjects(&b, &Term::Iri(a.clone())), [a]);
    }

    /// The vector in `docs/formats/ontology-identifiers.md`, which its recipe in Python computes.
    #[test]
    fn the_documented_root_holds() {
        let page = include_str!("../../../docs/formats/ontology-identifiers.md");
        let lines = page.split("three lines\n\n```\n").nth(1).unwrap().split("```").next().unwrap();
        let graph: Graph = lines.lines().map(|line| Triple::from_nquads_line(line).unwrap()).collect();
        assert_eq!(graph.len(), 3);
        assert!(page.contains(&format!("has the root `{}`", hex::encode(graph.root()))));
        assert_eq!(
            hex::encode(Graph::new().root()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
