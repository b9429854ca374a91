//! What a validation found, by shape and focus node.

use std::fmt;
use std::sync::Arc;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use crate::iri::Iri;
use crate::triple::Term;

/// How grave a violation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// `sh:Violation`, and any severity of one's own.
    Violation,
    /// `sh:Warning`.
    Warning,
    /// `sh:Info`.
    Info,
}

/// One result of a validation. Ordered by focus node, path, value and so on, as text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Violation {
    /// The node that does not conform, as a canonical term.
    pub focus: String,
    /// The property path, in the notation of SPARQL; `None` at node shapes.
    pub path: Option<String>,
    /// The value at fault, as a canonical term.
    pub value: Option<String>,
    /// The constraint component's IRI, e.g. that of `sh:MinCountConstraintComponent`.
    pub component: String,
    /// The shape.
    pub shape: String,
    /// How grave.
    pub severity: Severity,
    /// What the shape's author says (`sh:message`), or what the engine says when the author is silent.
    pub message: String,
}

/// The results of a validation, kept by (shape with targets, focus node). Cloning is O(1), and reports of successive
/// versions share what did not change.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Report {
    results: OrdMap<(Iri, Term), Arc<[Violation]>>,
    len: usize,
}

impl Report {
    /// Whether there is no result at all, of any severity (SHACL §3.6.1.1).
    pub fn conforms(&self) -> bool {
        self.results.is_empty()
    }

    /// How many results.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Every result, in order of text.
    pub fn violations(&self) -> Vec<Violation> {
        let mut all: Vec<Violation> = self.results.values().flat_map(|found| found.iter().cloned()).collect();
        all.sort();
        all
    }

    /// Results that are here and not in `earlier`, in order of text. Costs what differs.
    pub fn new_since(&self, earlier: &Self) -> Vec<Violation> {
        let mut found = Vec::new();
        for item in earlier.results.diff(&self.results) {
            let (old, new) = match item {
                imbl::ordmap::DiffItem::Add(_, new) => (None, new),
                imbl::ordmap::DiffItem::Update { old: (_, old), new: (_, new) } => (Some(old), new),
                imbl::ordmap::DiffItem::Remove(..) => continue,
            };
            let mut known: Vec<&Violation> = old.into_iter().flat_map(|old| old.iter()).collect();
            for violation in new.iter() {
                match known.iter().position(|k| *k == violation) {
                    Some(at) => {
                        known.swap_remove(at);
                    }
                    None => found.push(violation.clone()),
                }
            }
        }
        found.sort();
        found
    }

    /// Replaces the results of a pair; none removes it.
    pub(super) fn put(&mut self, shape: &Iri, focus: &Term, mut found: Vec<Violation>) {
        let key = (shape.clone(), focus.clone());
        found.sort();
        let added = found.len();
        let old =
            if found.is_empty() { self.results.remove(&key) } else { self.results.insert(key, found.into()) };
        self.len = self.len + added - old.map_or(0, |old| old.len());
    }

    /// Takes away every result of a shape.
    pub(super) fn forget(&mut self, shape: &Iri) {
        // Texts sort before IRIs, and the least text is the empty string of the least datatype.
        let gone: Vec<(Iri, Term)> = self
            .results
            .range((shape.clone(), Term::least())..)
            .map(|(key, _)| key)
            .take_while(|(name, _)| name == shape)
            .cloned()
            .collect();
        for key in gone {
            if let Some(old) = self.results.remove(&key) {
                self.len -= old.len();
            }
        }
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.violations()).finish()
    }
}
