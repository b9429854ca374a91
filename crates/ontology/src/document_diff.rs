//! What differs between two ontologies in files, term by term: any RDF, not only what [`crate::schema`] reads.
//!
//! A statement about a term counts with everything that hangs on its blank nodes, which are compared by what they say
//! ([`crate::blank_nodes`]): labels of blank nodes and the order of statements make no difference. Whether two terms
//! share one blank node or have equal ones is no difference either.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::error::OntologyError;
use crate::graph::Graph;
use crate::iri::Iri;
use crate::triple::{Literal, Term, Triple};

mod described;
mod named;

use described::Described;
pub use named::{kind_of, label};

/// Fewest terms that have the same name in another namespace before it is said that the namespace moved.
pub const MOVED_TERMS_MIN: usize = 5;
/// Most other namespaces in which one name is looked for.
const PLACES_MAX: usize = 16;
/// Longest text of a statement, in characters; the rest is cut.
pub const STATEMENT_CHARACTERS_MAX: usize = 400;

/// What a term is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `owl:Class`, `rdfs:Class` or `rdfs:Datatype`; it may be a shape as well.
    Class,
    /// `rdf:Property` or one of OWL's kinds of it.
    Property,
    /// A node or property shape that is no class.
    Shape,
    /// Anything else with a name.
    Individual,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Class, Self::Property, Self::Shape, Self::Individual];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Class => "class",
            Self::Property => "property",
            Self::Shape => "shape",
            Self::Individual => "individual",
        }
    }
}

/// A term that is there in one document only, or said other things of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The term; absent where blank nodes are meant that no term refers to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub term: Option<Iri>,
    /// What it is, in the newer document where it is there.
    pub kind: Kind,
    /// Its label, the English or the untagged one first; absent when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Statements that are gone, in order of text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// Statements that are new, in order of text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<String>,
}

/// A namespace whose terms are gone here and there under the same names in another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Moved {
    /// The namespace of the older document.
    pub from: String,
    /// The one of the newer document.
    pub to: String,
    /// Terms with the same name in both.
    pub terms: usize,
}

/// How many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Triples.
    pub triples: usize,
    /// Of those, the ones that touch a blank node.
    pub with_blank_nodes: usize,
    /// Terms by [`Kind::ALL`].
    pub terms: [usize; 4],
}

/// The differences of two documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DocumentDiff {
    /// Of the older document.
    pub old: Counts,
    /// Of the newer one.
    pub new: Counts,
    /// Namespaces that seem to have moved, in order. What follows is compared as if the older document had been written
    /// in the new ones.
    pub moved: Vec<Moved>,
    /// Terms that are new.
    pub added: Vec<Difference>,
    /// Terms that are gone.
    pub removed: Vec<Difference>,
    /// Terms of which other things are said; blank nodes that no term refers to are last, without a term.
    pub changed: Vec<Difference>,
}

impl DocumentDiff {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.moved.is_empty() && self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }

    /// Statements that are gone and statements that are new, in all.
    pub fn statements(&self) -> (usize, usize) {
        let all = || self.added.iter().chain(&self.removed).chain(&self.changed);
        (all().map(|d| d.removed.len()).sum(), all().map(|d| d.added.len()).sum())
    }
}

/// Compares two documents.
///
/// # Errors
/// As [`crate::blank_nodes::digests`].
pub fn diff(old: &Graph, new: &Graph) -> Result<DocumentDiff, OntologyError> {
    let after = Described::of(new)?;
    let mut before = Described::of(old)?;
    let counts = (before.counts, after.counts);
    let moved = moved(&before, &after);
    if !moved.is_empty() {
        before = Described::of(&old.iter().map(|triple| rewritten(&triple, &moved)).collect())?;
    }
    let (mut added, mut removed, mut changed) = (Vec::new(), Vec::new(), Vec::new());
    let terms: BTreeSet<&Iri> = before.terms.keys().chain(after.terms.keys()).collect();
    for term in terms {
        match (before.terms.get(term), after.terms.get(term)) {
            (None, Some(_)) => added.push(after.difference(Some(term), None)),
            (Some(_), None) => removed.push(before.difference(Some(term), None).reversed()),
            (Some(old), Some(new)) if old != new => changed.push(after.difference(Some(term), Some(&before))),
            _ => {}
        }
    }
    if before.unnamed != after.unnamed {
        changed.push(after.difference(None, Some(&before)));
    }
    for list in [&mut added, &mut removed] {
        list.sort_by(|a: &Difference, b| (a.kind, &a.term).cmp(&(b.kind, &b.term)));
    }
    changed.sort_by(|a, b| (a.term.is_none(), a.kind, &a.term).cmp(&(b.term.is_none(), b.kind, &b.term)));
    Ok(DocumentDiff { old: counts.0, new: counts.1, moved, added, removed, changed })
}

impl Difference {
    fn reversed(mut self) -> Self {
        std::mem::swap(&mut self.added, &mut self.removed);
        self
    }
}

/// Namespaces most of whose lost terms are there again in one other namespace.
fn moved(before: &Described, after: &Described) -> Vec<Moved> {
    let gone = before.terms.keys().filter(|term| !after.terms.contains_key(*term));
    let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for term in after.terms.keys().filter(|term| !before.terms.contains_key(*term)) {
        let (namespace, name) = split(term);
        places.entry(name).or_default().push(namespace);
    }
    let mut lost: BTreeMap<&str, usize> = BTreeMap::new();
    let mut pairs: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for term in gone {
        let (from, name) = split(term);
        *lost.entry(from).or_default() += 1;
        for to in places.get(name).into_iter().flatten().take(PLACES_MAX).filter(|_| !name.is_empty()) {
            *pairs.entry((from, to)).or_default() += 1;
        }
    }
    let mut best: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    for ((from, to), terms) in pairs {
        let enough = terms >= MOVED_TERMS_MIN && 2 * terms >= lost.get(from).copied().unwrap_or(0);
        if enough && best.get(from).is_none_or(|(most, _)| terms > *most) {
            best.insert(from, (terms, to));
        }
    }
    best.into_iter()
        .map(|(from, (terms, to))| Moved { from: from.to_owned(), to: to.to_owned(), terms })
        .collect()
}

/// Namespace and name: what is up to the last `#` or `/`, and the rest.
fn split(iri: &Iri) -> (&str, &str) {
    let text = iri.as_str();
    text.split_at(text.rfind(['#', '/', ':']).map_or(0, |at| at + 1))
}

fn rewritten(triple: &Triple, moved: &[Moved]) -> Triple {
    let iri = |iri: &Iri| {
        let (namespace, name) = split(iri);
        let to = moved.iter().find(|moved| moved.from == namespace);
        to.map_or_else(|| iri.clone(), |moved| Iri::derived(format!("{}{name}", moved.to)))
    };
    let object = match &triple.object {
        Term::Iri(object) => Term::Iri(iri(object)),
        Term::Literal(literal) => match literal.language() {
            Some(language) => Literal::tagged(literal.value(), language).into(),
            None => Literal::typed(literal.value(), iri(literal.datatype())).into(),
        },
    };
    Triple::new(&iri(&triple.subject), &iri(&triple.predicate), object)
}

#[cfg(test)]
mod tests;
