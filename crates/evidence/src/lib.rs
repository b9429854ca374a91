//! Evidence: what the log says, and how anyone checks it.
//!
//! This crate is bytes in, bytes out. It holds the formats of a data directory (records, blocks, receipts, inputs,
//! frames, checkpoints, proofs) and the rules that verify them. It opens no file, reads no clock and draws no
//! random number, so a verifier needs nothing else. Each format has a page under `docs/formats/`.
//!
//! ```
//! use knhk_evidence::{canonical, receipt::{Draft, Operation, Outcome}, Hash, SigningKey};
//!
//! let key = SigningKey::generate([7; 32], &[1; 16]);
//! let body = canonical::to_bytes(&("window", 40_112_u64))?;
//! let draft = Draft {
//!     operation: Operation::PatternDetected,
//!     outcome: Outcome::Approved,
//!     sector: "finance".into(),
//!     sequence: 0,
//!     parent: None,
//!     time_ms: 1_700_000_000_000,
//!     cycle: None,
//!     evidence_digest: Hash::of(&body),
//!     ontology_digest: Hash::ZERO,
//!     doctrine_digest: Hash::ZERO,
//!     guards_digest: Hash::ZERO,
//!     semantics_version: 1,
//!     key_id: key.verifying_key().id(),
//! };
//! let signed = draft.sign(&key)?;
//! signed.verify(key.verifying_key())?;
//! # Ok::<(), knhk_evidence::Error>(())
//! ```

pub mod block;
pub mod bundle;
pub mod canonical;
pub mod checkpoint;
pub mod consistency;
pub mod consistency_proof;
pub mod entry;
pub mod error;
pub mod frame;
pub mod hash;
pub mod input;
pub mod intern;
pub mod key;
pub mod merkle;
pub mod multiproof;
pub mod note;
pub mod producers;
pub mod proof;
pub mod receipt;
pub mod record;
pub mod sealed;
mod sha256;
pub mod state;
pub mod tiles;
pub mod unchecked;
pub mod verify;

pub use error::{Error, Place, Result};
pub use hash::{Bytes, Hash};
pub use key::{SigningKey, VerifyingKey};
