//! SPARQL over an index, within limits (`docs/query.md`).
//!
//! `spargebra` reads queries and `spareval` says what operators mean on terms. The walk over patterns is this crate's own:
//! every step is counted, nothing is set aside without being counted, rows come in an order that does not depend on
//! how terms are numbered, and what is bound beforehand is bound everywhere (SHACL, appendix A).

pub mod admission;
mod admitted_expression;
pub mod budget;
pub mod constraint;
pub mod expression;
mod group;
mod joins;
mod order;
mod paths;
mod plan;
mod query;
pub mod regexes;
mod route_text;
mod run;
mod scope;

pub use admission::{QUERY_DEPTH_MAX, QUERY_PATTERNS_MAX, QUERY_VARIABLES_MAX};
pub use budget::{Budget, QUERY_HELD_BYTES_MAX, QUERY_ROWS, QUERY_ROWS_MAX, QUERY_STEPS, QUERY_STEPS_MAX};
pub use query::{Answer, Form, QUERY_BRACKETS_MAX, QUERY_BYTES_MAX, QUERY_SIGNS_MAX, Query, Solutions};
pub use query::{answer, ask, construct, select};

#[cfg(test)]
mod tests;
