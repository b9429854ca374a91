//! What differs between two ontologies in files, term by term: any RDF, not only what [`crate::schema`] reads.
//!
//! A statement about a term counts with everything that hangs on its blank nodes, which are compared by what they say
//! ([`crate::blank_nodes`]): labels of blank nodes and the order of statements make no difference. Whether two terms
//! share one blank node or have equal ones is no difference either.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::blank_nodes::{digests, is_blank};
use crate::error::OntologyError;
use crate::graph::Graph;
use crate::iri::Iri;
use crate::trie::Hash;
use crate::triple::{Literal, Term, Triple};
use crate::vocab;

/// Fewest terms that have the same name in another namespace before it is said that the namespace moved.
pub const MOVED_TERMS_MIN: usize = 5;
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
/// As [`digests`].
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

/// An object: a term, or a blank node by what it says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Object {
    Term(Term),
    Blank(Hash),
}

/// What is said of one term.
type Said = BTreeSet<(Iri, Object)>;

/// A document, term by term.
struct Described {
    graph: Graph,
    counts: Counts,
    terms: BTreeMap<Iri, Said>,
    /// Blank nodes that no statement leads to from a term.
    unnamed: BTreeSet<Hash>,
    /// Some node for each digest.
    nodes: BTreeMap<Hash, Iri>,
}

impl Described {
    fn of(graph: &Graph) -> Result<Self, OntologyError> {
        let names = digests(graph)?;
        let mut described = Self {
            graph: graph.clone(),
            counts: Counts { triples: graph.len(), ..Counts::default() },
            terms: BTreeMap::new(),
            unnamed: BTreeSet::new(),
            nodes: names.iter().map(|(iri, hash)| (*hash, iri.clone())).collect(),
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
            if !subject_is_blank {
                let object = blank
                    .map_or_else(|| Object::Term(triple.object.clone()), |(_, hash)| Object::Blank(hash));
                described.terms.entry(triple.subject).or_default().insert((triple.predicate, object));
            }
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
    fn difference(&self, term: Option<&Iri>, other: Option<&Self>) -> Difference {
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
                    Some(member) if members <= 64 => object(&member, above, out),
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
            let mut said: Vec<(String, Triple)> = self
                .graph
                .matching(Some(node), None, None)
                .map(|triple| (format!("{} {}", triple.predicate, without_label(&triple.object)), triple))
                .collect();
            said.sort();
            for (index, (_, triple)) in said.iter().enumerate() {
                out.push_str(if index == 0 { " " } else { " ; " });
                out.push_str(&short(&triple.predicate));
                out.push(' ');
                object(&triple.object, above, out);
            }
            out.push_str(" ]");
        }
        above.pop();
    }
}

/// What tells objects apart in a text that must not depend on labels.
fn without_label(object: &Term) -> String {
    object.as_iri().filter(|iri| is_blank(iri)).map_or_else(|| object.to_string(), |_| "~".to_owned())
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

/// Namespaces most of whose lost terms are there again in one other namespace.
fn moved(before: &Described, after: &Described) -> Vec<Moved> {
    let gone = before.terms.keys().filter(|term| !after.terms.contains_key(*term));
    let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for term in after.terms.keys().filter(|term| !before.terms.contains_key(*term)) {
        let (namespace, name) = split(term);
        places.entry(name).or_default().push(namespace);
    }
    let (mut lost, mut pairs): (BTreeMap<&str, usize>, BTreeMap<(&str, &str), usize>) = Default::default();
    for term in gone {
        let (from, name) = split(term);
        *lost.entry(from).or_default() += 1;
        for to in places.get(name).into_iter().flatten().filter(|_| !name.is_empty()) {
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

/// What a term is, by its `rdf:type`s.
pub fn kind_of(graph: &Graph, term: &Iri) -> Kind {
    let mut kind = Kind::Individual;
    for of in graph.matching(Some(term), Some(&vocab::RDF_TYPE), None) {
        let Some(of) = of.object.as_iri() else { continue };
        let (namespace, name) = split(of);
        let is = match (namespace, name) {
            (vocab::SH_NAMESPACE, "NodeShape" | "PropertyShape") => Kind::Shape,
            (vocab::OWL_NAMESPACE | vocab::RDFS_NAMESPACE, "Class" | "Datatype") => Kind::Class,
            (vocab::OWL_NAMESPACE | vocab::RDF_NAMESPACE, name) if name.ends_with("Property") => {
                Kind::Property
            }
            _ => continue,
        };
        kind = kind.min(is);
    }
    kind
}

/// A term's label: `rdfs:label`, then `skos:prefLabel`; untagged before English before any other language.
pub fn label(graph: &Graph, term: &Iri) -> Option<String> {
    [&*vocab::RDFS_LABEL, &*vocab::SKOS_PREF_LABEL].into_iter().find_map(|predicate| {
        let labels = graph.objects(term, predicate);
        let rank = |literal: &&Literal| match literal.language() {
            None => 0,
            Some("en") => 1,
            Some(language) if language.starts_with("en-") => 2,
            Some(_) => 3,
        };
        labels.iter().filter_map(Term::as_literal).min_by_key(rank).map(|literal| literal.value().to_owned())
    })
}

/// An IRI as people know it: with a well-known prefix, or in full.
fn short(iri: &Iri) -> String {
    if *iri == *vocab::RDF_TYPE {
        return "a".to_owned();
    }
    let known = vocab::PREFIXES.iter().chain(&vocab::OTHER_PREFIXES);
    let named = known.filter_map(|(prefix, namespace)| Some((prefix, iri.as_str().strip_prefix(namespace)?)));
    let named = named.filter(|(_, name)| !name.is_empty() && !name.contains(['/', '#'])).next();
    named.map_or_else(|| format!("<{iri}>"), |(prefix, name)| format!("{prefix}:{name}"))
}

fn shown(term: &Term) -> String {
    match term {
        Term::Iri(iri) => short(iri),
        Term::Literal(literal)
            if literal.language().is_none() && *literal.datatype() != *vocab::XSD_STRING =>
        {
            let mut text = String::new();
            // Writing to a String does not fail.
            let _ = crate::triple::write_quoted(literal.value(), &mut text);
            format!("{text}^^{}", short(literal.datatype()))
        }
        Term::Literal(literal) => literal.to_string(),
    }
}

#[cfg(test)]
mod tests;
