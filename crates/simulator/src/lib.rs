//! The evidence log over a simulated disk: seeded crashes, torn sectors, failed writes, full disks, flipped bits.
//!
//! One seed decides everything that happens, so a failure is run again by its seed. See `docs/simulation.md`. Nothing
//! that is shipped depends on this crate, and it may assert.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a simulation that finds a fault ends by panicking; it is never shipped"
)]

mod actions;
mod check;
mod content;
pub mod disk;
pub mod life;
mod model;
mod names;
mod producer;
pub mod rng;
pub mod survival;
