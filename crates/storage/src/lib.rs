//! Storage: the evidence log in a directory. The only crate that touches files.
//!
//! ```text
//! DIR/log/00000000.seg …   the truth, see docs/formats/frames.md
//! DIR/checkpoint           the newest signed checkpoint
//! DIR/key.pub              the vkey in force, for convenience
//! DIR/objects/             content-addressed files
//! DIR/lock                 held by the one writer
//! ```
//!
//! The private key is never kept here. A group of entries is one write and one `fdatasync`; its checkpoint is signed
//! only after that, and its note travels in the next group.

mod ahead;
pub mod audit;
pub mod bundle;
pub mod consistency;
mod directory;
mod erase;
pub mod error;
pub mod export;
pub mod key_file;
pub mod log;
pub mod medium;
pub mod objects;
pub mod prove;
pub mod read;
mod recovery;
mod retention;
pub mod salvage;
mod segment;
pub mod spare;
pub mod store;

pub use directory::Directory;
pub use error::{Error, Result};
pub use log::{Log, Options};
pub use recovery::Recovery;
pub use store::ObservationStore;
