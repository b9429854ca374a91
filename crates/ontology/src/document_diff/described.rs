//! A document, term by term, with its blank nodes written where they hang.

use std::collections::{BTreeMap, BTreeSet};

use super::named::{kind_of, label, short, shown};
use super::{Counts, Difference, Kind, STATEMENT_CHARACTERS_MAX};
use crate::blank_nodes::{digests, is_blank};
use crate::error::OntologyError;
use crate::graph::Graph;
use crate::iri::Iri;
use crate::trie::Hash;
use crate::triple::{Term, Triple};
use crate::vocab;

/// An object: a term, or a blank node by what it says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Object {
    Term(Term),
    Blank(Hash),
}

/// What is said of one term.
pub(super) type Said = BTreeSet<(Iri, Object)>;

/// A document, term by term.
pub(super) struct Described {
    graph: Graph,
    pub(super) counts: Counts,
    pub(super) terms: BTreeMap<Iri, Said>,
    /// Blank nodes that no statement leads to from a term.
    pub(super) unnamed: BTreeSet<Hash>,
    /// Some node for each digest.
    nodes: BTreeMap<Hash, Iri>,
    /// What each blank node says, in an order that does not depend on labels.
    said: BTreeMap<Iri, Vec<Triple>>,
}

impl Described {
    pub(super) fn of(graph: &Graph) -> Result<Self, OntologyError> {
        let names = digests(graph)?;
        let mut described = Self {
            graph: graph.clone(),
            counts: Counts { triples: graph.len(), ..Counts::default() },
            terms: BTreeMap::new(),
            unnamed: BTreeSet::new(),
            nodes: names.iter().map(|(iri, hash)| (*hash, iri.clone())).collect(),
            said: BTreeMap::new(),
        };
        let mut referred: BTreeSet<Iri> = BTreeSet::new();
        for triple in graph.iter() {
            let blank = triple.object.as_iri().and_then(|iri| Some((iri, *names.get(iri)?)));
            let subject_is_blank = is_blank(&triple.subject);
            described.counts.with_blank_nodes += usize::from(subject_is_blank || blank.is_some());
            if let Some((iri, _)) = blank
                && *iri != triple.subject
            {
                referred.insert(iri.clone());
            }
            if subject_is_blank {
                described.said.entry(triple.subject.clone()).or_default().push(triple);
            } else {
                let object = blank
                    .map_or_else(|| Object::Term(triple.object.clone()), |(_, hash)| Object::Blank(hash));
                described.terms.entry(triple.subject).or_default().insert((triple.predicate, object));
            }
        }
        for said in described.said.values_mut() {
            said.sort_by_cached_key(|triple| match triple.object.as_iri().and_then(|iri| names.get(iri)) {
                Some(hash) => (triple.predicate.clone(), Object::Blank(*hash)),
                None => (triple.predicate.clone(), Object::Term(triple.object.clone())),
            });
        }
        // Circles that nothing leads to would be missed by this: their nodes refer to each other.
        let unreferred = names.keys().filter(|iri| !referred.contains(*iri));
        let reached =
            reached(graph, &described.terms.keys().chain(unreferred.clone()).cloned().collect::<Vec<_>>());
        let lost = names.keys().filter(|iri| !reached.contains(*iri));
        described.unnamed = unreferred.chain(lost).filter_map(|iri| names.get(iri).copied()).collect();
        for term in described.terms.keys() {
            described.counts.terms[kind_of(graph, term) as usize] += 1;
        }
        Ok(described)
    }

    /// What is said of a term here and not in `other`, and the other way round.
    pub(super) fn difference(&self, term: Option<&Iri>, other: Option<&Self>) -> Difference {
        let empty = Said::new();
        let said = |of: &Self| -> BTreeSet<(Option<Iri>, Object)> {
            match term {
                Some(term) => {
                    let said = of.terms.get(term).unwrap_or(&empty);
                    said.iter().map(|(predicate, object)| (Some(predicate.clone()), object.clone())).collect()
                }
                None => of.unnamed.iter().map(|hash| (None, Object::Blank(*hash))).collect(),
            }
        };
        let (here, there) = (said(self), other.map(said).unwrap_or_default());
        let written =
            |of: &Self, all: &BTreeSet<(Option<Iri>, Object)>, without: &BTreeSet<(Option<Iri>, Object)>| {
                let mut lines: Vec<String> =
                    all.difference(without).map(|(p, o)| of.statement(p.as_ref(), o)).collect();
                lines.sort_unstable();
                lines
            };
        Difference {
            term: term.cloned(),
            kind: term.map_or(Kind::Individual, |term| kind_of(&self.graph, term)),
            label: term.and_then(|term| label(&self.graph, term)),
            added: written(self, &here, &there),
            removed: other.map(|other| written(other, &there, &here)).unwrap_or_default(),
        }
    }

    fn statement(&self, predicate: Option<&Iri>, object: &Object) -> String {
        let mut text = predicate.map(|predicate| format!("{} ", short(predicate))).unwrap_or_default();
        match object {
            Object::Term(term) => text.push_str(&shown(term)),
            Object::Blank(hash) => {
                if let Some(node) = self.nodes.get(hash) {
                    self.write_blank(node, &mut Vec::new(), &mut text);
                }
            }
        }
        if text.chars().count() > STATEMENT_CHARACTERS_MAX {
            text = text.chars().take(STATEMENT_CHARACTERS_MAX - 1).chain(['…']).collect();
        }
        text
    }

    /// `[ p o ; q r ]` or `( a b )`, until there is more than will be shown.
    fn write_blank(&self, node: &Iri, above: &mut Vec<Iri>, out: &mut String) {
        if above.contains(node) || above.len() > 16 || out.len() > 4 * STATEMENT_CHARACTERS_MAX {
            out.push('…');
            return;
        }
        above.push(node.clone());
        let object = |term: &Term, above: &mut Vec<Iri>, out: &mut String| match term.as_iri() {
            Some(iri) if is_blank(iri) => self.write_blank(iri, above, out),
            _ => out.push_str(&shown(term)),
        };
        if self.graph.object(node, &vocab::RDF_FIRST).is_some() {
            out.push('(');
            let mut at = Some(node.clone());
            let mut members = 0;
            while let Some(cell) = at.filter(|cell| *cell != *vocab::RDF_NIL) {
                out.push(' ');
                members += 1;
                match self.graph.object(&cell, &vocab::RDF_FIRST) {
                    Some(member) if members <= 64 && out.len() <= 4 * STATEMENT_CHARACTERS_MAX => {
                        object(&member, above, out);
                    }
                    _ => {
                        out.push('…');
                        break;
                    }
                }
                at = self.graph.object(&cell, &vocab::RDF_REST).and_then(|rest| rest.as_iri().cloned());
            }
            out.push_str(" )");
        } else {
            out.push('[');
            for (index, triple) in self.said.get(node).into_iter().flatten().enumerate() {
                out.push_str(if index == 0 { " " } else { " ; " });
                if out.len() > 4 * STATEMENT_CHARACTERS_MAX {
                    out.push('…');
                    break;
                }
                out.push_str(&short(&triple.predicate));
                out.push(' ');
                object(&triple.object, above, out);
            }
            out.push_str(" ]");
        }
        above.pop();
    }
}

/// Every blank node that can be reached from one of these nodes, and the blank ones among them.
fn reached(graph: &Graph, from: &[Iri]) -> BTreeSet<Iri> {
    let mut found: BTreeSet<Iri> = from.iter().filter(|iri| is_blank(iri)).cloned().collect();
    let mut next: Vec<Iri> = from.to_vec();
    while let Some(node) = next.pop() {
        for triple in graph.matching(Some(&node), None, None) {
            if let Some(iri) = triple.object.as_iri().filter(|iri| is_blank(iri))
                && found.insert(iri.clone())
            {
                next.push(iri.clone());
            }
        }
    }
    found
}
