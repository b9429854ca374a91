//! Conflicts between layers of an ontology: core and sectors, an ontology and a change of it.
//!
//! One report for all of them, of typed conflicts that each say both sides and propose the correct form
//! (`docs/formats/conflicts.md`).

use std::collections::BTreeSet;
use std::fmt;

use knhk_ontology::schema::Schema;
use knhk_ontology::{Graph, Iri, Term, vocab};
use serde::{Deserialize, Serialize};

use crate::error::{ChangeError, Result};
use crate::invariants;

mod constraints;
mod delta;

/// What kind of conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictKind {
    /// One name is given to two things.
    NameCollision,
    /// A layer says something of a term that belongs to core or to another sector.
    Redefinition,
    /// Constraints that hold for one key together leave no value that meets them all.
    Contradiction,
}

impl ConflictKind {
    /// Its name, for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NameCollision => "name collision",
            Self::Redefinition => "redefinition",
            Self::Contradiction => "contradiction",
        }
    }
}

/// One side of a conflict.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Side {
    /// Who says it: `core`, a sector's name, or `the change`.
    pub layer: String,
    /// What is said, as a statement for people.
    pub statement: String,
}

/// One conflict.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Conflict {
    /// The term, key or event type in conflict.
    pub term: String,
    /// What kind.
    pub kind: ConflictKind,
    /// What was there first.
    pub stands: Side,
    /// What meets it.
    pub comes: Side,
    /// The correct form.
    pub proposal: String,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { term, kind, stands, comes, proposal } = self;
        write!(
            f,
            "{}: {term}: {} says {}, {} says {}; {proposal}",
            kind.as_str(),
            stands.layer,
            stands.statement,
            comes.layer,
            comes.statement
        )
    }
}

/// Everything in conflict, in order of terms. Empty: nothing is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictReport {
    /// The conflicts.
    pub conflicts: Vec<Conflict>,
}

/// A sector as one layer of a composition.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// The sector's name.
    pub name: &'a str,
    /// The namespace of its terms.
    pub namespace: &'a str,
    /// Its graph.
    pub graph: &'a Graph,
}

impl<'a> Layer<'a> {
    /// The layer of a sector with this schema and graph.
    pub fn of(schema: &'a Schema, graph: &'a Graph) -> Self {
        Self { name: &schema.sector, namespace: &schema.namespace, graph }
    }
}

const CORE: &str = "core";
/// The name of what a change says.
const CHANGE: &str = "the change";

impl ConflictReport {
    fn of(conflicts: impl IntoIterator<Item = Conflict>) -> Self {
        let sorted: BTreeSet<Conflict> = conflicts.into_iter().collect();
        Self { conflicts: sorted.into_iter().collect() }
    }

    /// Whether nothing is in conflict.
    pub fn is_empty(&self) -> bool {
        self.conflicts.is_empty()
    }

    /// Core with each sector, and the sectors with one another: names that are taken, terms that another layer redefines,
    /// constraints that exclude each other.
    pub fn of_composition(core: &Graph, sectors: &[Layer<'_>]) -> Self {
        let mut conflicts = Vec::new();
        for (at, layer) in sectors.iter().enumerate() {
            redefinitions(core, layer, &mut conflicts);
            names(core, layer, &mut conflicts);
            constraints::contradictions(core, layer, &mut conflicts);
            for other in &sectors[..at] {
                namespaces(other, layer, &mut conflicts);
                foreign_terms(other, layer, &mut conflicts);
                foreign_terms(layer, other, &mut conflicts);
            }
        }
        Self::of(conflicts)
    }

    /// What an update of core would bring into conflict with the sectors: what is in conflict with `next` and was not with
    /// `core`.
    pub fn of_core_update(core: &Graph, next: &Graph, sectors: &[Layer<'_>]) -> Self {
        let before: BTreeSet<Conflict> = Self::of_composition(core, sectors).conflicts.into_iter().collect();
        let after = Self::of_composition(next, sectors).conflicts;
        Self::of(after.into_iter().filter(|conflict| !before.contains(conflict)))
    }
}

/// Whether core and sectors compose (Q0): each sector imports core and nothing else, so that imports have no circle; no
/// namespace begins with another; and nothing is in conflict.
///
/// # Errors
/// [`ChangeError::Composition`] for the first thing that does not.
pub fn compose(core: &Graph, sectors: &[Layer<'_>]) -> Result<()> {
    for layer in sectors {
        if let Some(finding) = invariants::imports_core(layer) {
            return Err(ChangeError::Composition { what: format!("{}; {}", finding.message, finding.fix) });
        }
    }
    let report = ConflictReport::of_composition(core, sectors);
    let Some(first) = report.conflicts.first() else { return Ok(()) };
    let more = match report.conflicts.len() - 1 {
        0 => String::new(),
        1 => " (and 1 more conflict)".to_owned(),
        n => format!(" (and {n} more conflicts)"),
    };
    Err(ChangeError::Composition { what: format!("{first}{more}") })
}

fn side(layer: impl Into<String>, statement: impl Into<String>) -> Side {
    Side { layer: layer.into(), statement: statement.into() }
}

/// Statements of a sector about a term that core describes or whose name core keeps.
fn redefinitions(core: &Graph, layer: &Layer<'_>, conflicts: &mut Vec<Conflict>) {
    let foreign = subjects(layer.graph).into_iter().filter(|iri| {
        iri.as_str().starts_with(vocab::KNHK_NAMESPACE)
            || (core.matching(Some(iri), None, None).next().is_some()
                && !iri.as_str().starts_with(layer.namespace))
    });
    for term in foreign {
        conflicts.push(redefinition(core, layer, &term));
    }
}

fn redefinition(core: &Graph, layer: &Layer<'_>, term: &Iri) -> Conflict {
    let said = layer.graph.matching(Some(term), None, None).min();
    let predicate = said.as_ref().map(|triple| triple.predicate.clone());
    let own = core
        .matching(Some(term), predicate.as_ref(), None)
        .min()
        .or_else(|| core.matching(Some(term), None, None).min());
    let show = |triple: Option<knhk_ontology::Triple>| triple.map(|t| format!("`{t}`"));
    Conflict {
        term: term.to_string(),
        kind: ConflictKind::Redefinition,
        stands: side(CORE, show(own).unwrap_or_else(|| "nothing: the name is kept for it".to_owned())),
        comes: side(layer.name, show(said).unwrap_or_default()),
        proposal: subclass_instead(layer.namespace, term),
    }
}

/// The correct form of a redefinition: a term of one's own below it.
fn subclass_instead(namespace: &str, term: &Iri) -> String {
    format!(
        "leave {term} as it is, add `<{namespace}{}> rdfs:subClassOf <{term}>` and say it there",
        term.local_name()
    )
}

/// A term of the sector that core, as it is or after an update, uses too; and one name for a class and a property.
fn names(core: &Graph, layer: &Layer<'_>, conflicts: &mut Vec<Conflict>) {
    for term in subjects(core).into_iter().filter(|iri| iri.as_str().starts_with(layer.namespace)) {
        if layer.graph.matching(Some(&term), None, None).next().is_some() {
            conflicts.push(Conflict {
                term: term.to_string(),
                kind: ConflictKind::NameCollision,
                stands: side(layer.name, format!("<{term}> is a term of its namespace")),
                comes: side(CORE, format!("<{term}> is a term of core")),
                proposal: format!(
                    "name the term of core in {}, outside the sector's namespace",
                    vocab::KNHK_NAMESPACE
                ),
            });
        }
    }
    let kind = |kind: &Iri| layer.graph.subjects(&vocab::RDF_TYPE, &Term::Iri(kind.clone()));
    let properties: BTreeSet<Iri> = kind(&vocab::RDF_PROPERTY).into_iter().collect();
    for class in kind(&vocab::OWL_CLASS).into_iter().filter(|class| properties.contains(class)) {
        conflicts.push(Conflict {
            term: class.to_string(),
            kind: ConflictKind::NameCollision,
            stands: side(layer.name, format!("<{class}> is a class")),
            comes: side(layer.name, format!("<{class}> is a property")),
            proposal: format!("name the property <{class}.value>, as keys are named after their class"),
        });
    }
}

/// Two sectors of which one may mint the other's names.
fn namespaces(stands: &Layer<'_>, comes: &Layer<'_>, conflicts: &mut Vec<Conflict>) {
    let meet = stands.namespace.starts_with(comes.namespace) || comes.namespace.starts_with(stands.namespace);
    if meet {
        conflicts.push(Conflict {
            term: comes.namespace.to_owned(),
            kind: ConflictKind::NameCollision,
            stands: side(stands.name, format!("its namespace is <{}>", stands.namespace)),
            comes: side(comes.name, format!("its namespace is <{}>", comes.namespace)),
            proposal: "give one of the two a namespace that does not begin with the other's".to_owned(),
        });
    }
}

/// Statements of one sector about terms of another.
fn foreign_terms(owner: &Layer<'_>, speaker: &Layer<'_>, conflicts: &mut Vec<Conflict>) {
    if owner.namespace.starts_with(speaker.namespace) || speaker.namespace.starts_with(owner.namespace) {
        return;
    }
    for term in subjects(speaker.graph).into_iter().filter(|iri| iri.as_str().starts_with(owner.namespace)) {
        let show = |graph: &Graph| graph.matching(Some(&term), None, None).min().map(|t| format!("`{t}`"));
        conflicts.push(Conflict {
            term: term.to_string(),
            kind: ConflictKind::Redefinition,
            stands: side(
                owner.name,
                show(owner.graph).unwrap_or_else(|| "nothing: the name is its own".to_owned()),
            ),
            comes: side(speaker.name, show(speaker.graph).unwrap_or_default()),
            proposal: format!("say it of a term of {}, or move what both share into core", speaker.namespace),
        });
    }
}

fn subjects(graph: &Graph) -> BTreeSet<Iri> {
    graph
        .iter()
        .map(|triple| triple.subject)
        .filter(|iri| !iri.as_str().starts_with(vocab::SKOLEM_PREFIX))
        .collect()
}

#[cfg(test)]
mod tests;
