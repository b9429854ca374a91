//! Events in: readers, profiles and drift detectors.
//!
//! This crate opens no files and reads no clock: bytes and times come in.

pub mod baseline;
pub mod class_names;
mod confidence;
pub mod detect;
mod drift;
mod envelope;
pub mod error;
pub mod field;
#[cfg(test)]
mod fixture;
mod frame;
pub mod infer;
pub mod pattern;
pub mod profile;
mod rates;
pub mod reader;
mod rename;
pub mod seen;
pub mod skew;
pub mod summary;
mod walk;

pub use baseline::Baseline;
pub use detect::detect;
pub use error::ObservationError;
pub use pattern::{Action, Evidence, Pattern, PatternKind};
pub use profile::Profile;
pub use reader::{Event, EventReader, Item, Reject};
