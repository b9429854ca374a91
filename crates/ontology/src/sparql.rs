//! SPARQL over an index, within limits.

pub mod constraint;
