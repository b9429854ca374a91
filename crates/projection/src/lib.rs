//! What an ontology says of an event: admission of events and its cost in ticks.
//!
//! This crate does no I/O and reads no clock.

pub mod admission;
pub mod error;
pub mod facet;
#[cfg(test)]
mod fixture;
pub mod json;
pub mod lexical;
pub mod path;
pub mod ticks;
pub mod verdict;

pub use admission::Admission;
pub use error::ProjectionError;
pub use json::Json;
pub use ticks::{CHATMAN_CONSTANT, Ticks};
pub use verdict::Verdict;
