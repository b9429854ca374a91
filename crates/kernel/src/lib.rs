//! The loop: observe, detect, propose, check, promote, learn, as one deterministic step over logged inputs.
//!
//! `A = μ(O)`: the same log gives the same decisions, byte for byte. [`replay`] checks it.

pub mod chain;
mod command;
mod cycle;
pub mod decision;
pub mod dedupe;
pub mod error;
pub mod inputs;
pub mod kernel;
mod lineage;
pub mod replay;
pub mod sector;
pub mod world;

pub use error::KernelError;
pub use kernel::{Kernel, Probe};
