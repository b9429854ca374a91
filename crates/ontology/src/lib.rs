//! Versioned RDF ontologies (Σ): graph, packs, typed changes (ΔΣ), snapshots and SHACL.
//!
//! This crate does no I/O and reads no clock. Texts come in, values come out.
//!
//! | to | use |
//! |---|---|
//! | read a sector pack | [`Pack::from_files`] |
//! | know what an ontology says about events | [`Schema`], from [`Sigma::schema`] |
//! | turn a typed change into triples | [`lower`] gives a [`TripleDelta`] |
//! | check an ontology against Σ² | [`meta_report`] |
//! | keep versions | [`Snapshot`] and [`History`] |
//!
//! ```
//! use knhk_ontology::{Graph, Triple, turtle};
//!
//! let graph = turtle::parse("<urn:a> <urn:p> 1, 2 .")?;
//! let mut next = graph.clone(); // O(1); both share their triples
//! next.remove(&Triple::from_nquads_line(
//!     "<urn:a> <urn:p> \"2\"^^<http://www.w3.org/2001/XMLSchema#integer> .",
//! )?);
//! assert_eq!(turtle::write(next.iter(), &[]), "\n<urn:a> <urn:p> 1 .\n");
//! assert_ne!(graph.root(), next.root());
//! # Ok::<(), knhk_ontology::OntologyError>(())
//! ```

pub mod blank_nodes;
pub mod classification;
pub mod context;
pub mod core_ontology;
pub mod decimal;
pub mod delta;
pub mod document;
pub mod document_diff;
pub mod error;
pub mod export;
pub mod graph;
pub mod history;
pub mod index;
pub mod invariant;
pub mod iri;
pub mod left_out;
pub mod lowering;
pub mod pack;
pub mod reading;
pub mod rendering;
#[cfg(test)]
mod samples;
pub mod schema;
pub mod schema_check;
pub mod semantic_diff;
pub mod shacl;
pub mod sigma;
pub mod snapshot;
pub mod sparql;
mod terms;
pub mod trie;
pub mod triple;
pub mod triple_delta;
pub mod turtle;
pub mod vocab;

pub use core_ontology::{core_graph, core_pack, meta_report, meta_report_after};
pub use error::OntologyError;
pub use graph::Graph;
pub use history::History;
pub use iri::Iri;
pub use lowering::lower;
pub use pack::Pack;
pub use schema::Schema;
pub use sigma::Sigma;
pub use snapshot::{ContentId, Known, Snapshot, SnapshotId, Version};
pub use triple::{Literal, Term, Triple};
pub use triple_delta::TripleDelta;
