//! Ontologies and their histories in formats that other tools read (`docs/formats/export.md`).
//!
//! Every exporter gives the same text for the same content.

use std::collections::BTreeSet;

use crate::graph::Graph;
use crate::iri::Iri;
use crate::sigma::Sigma;
use crate::triple::Triple;
use crate::turtle;

pub mod jsonld;
pub mod kgcl;
pub mod prov;

/// Which part of a composed ontology.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Σ_core.
    Core,
    /// Σ_sector.
    Sector,
    /// Both.
    Composed,
}

/// A set of triples and the name of its graph.
#[derive(Clone, Debug)]
pub(crate) struct Named<'s> {
    pub(crate) name: Iri,
    pub(crate) graph: &'s Graph,
}

/// Both layers with the names of their graphs.
fn named<'s>(sigma: &'s Sigma, sector: &str) -> [Named<'s>; 2] {
    [
        Named { name: Iri::derived("urn:knhk:graph:core".to_owned()), graph: &sigma.core },
        Named { name: Iri::derived(format!("urn:knhk:graph:sector:{sector}")), graph: &sigma.sector },
    ]
}

/// Turtle: readable, by subject. Of both layers it is their union, each triple once.
pub fn turtle(sigma: &Sigma, layer: Layer, prefixes: &[(&str, &str)]) -> String {
    match layer {
        Layer::Core => turtle::write(sigma.core.iter(), prefixes),
        Layer::Sector => turtle::write(sigma.sector.iter(), prefixes),
        Layer::Composed => turtle::write(sigma.iter(), prefixes),
    }
}

/// Canonical N-Quads (RDFC-1.0 §5.1), lines in order of their bytes. One layer stands in the default graph: its lines are
/// those that its root is computed from. Both layers stand in a named graph each, since the content id is made of both
/// roots and a triple may be in both.
pub fn nquads(sigma: &Sigma, sector: &str, layer: Layer) -> String {
    match layer {
        Layer::Core => turtle::write_nquads(sigma.core.iter()),
        Layer::Sector => turtle::write_nquads(sigma.sector.iter()),
        Layer::Composed => {
            let line = |name: &Iri, triple: &Triple| {
                format!("<{}> <{}> {} <{name}> .\n", triple.subject, triple.predicate, triple.object)
            };
            let lines: BTreeSet<String> = named(sigma, sector)
                .iter()
                .flat_map(|part| {
                    part.graph.iter().map(|triple| line(&part.name, &triple)).collect::<Vec<_>>()
                })
                .collect();
            lines.into_iter().collect()
        }
    }
}

/// JSON-LD 1.1 with its context inside: nodes in order of their text, one layer in the default graph, both in a named
/// graph each, as in [`nquads`].
pub fn jsonld(sigma: &Sigma, sector: &str, layer: Layer, prefixes: &[(&str, &str)]) -> String {
    match layer {
        Layer::Core => jsonld::write(&[], Some(&sigma.core), prefixes),
        Layer::Sector => jsonld::write(&[], Some(&sigma.sector), prefixes),
        Layer::Composed => jsonld::write(&named(sigma, sector), None, prefixes),
    }
}

#[cfg(test)]
mod tests;
