//! Inputs: everything a decision may depend on, logged before it is used. See `docs/formats/input.md`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::error::Result;
use crate::hash::{Bytes, Hash};
use crate::receipt::{check_body, check_sector};

/// What kind of input it is. Each kind's body is described in `docs/formats/input.md`.
///
/// A sealed block is an input too, but has an entry type of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputKind {
    /// The kernel began to work, with this version of its rules.
    KernelStarted,
    /// An event type, sector or source got a number.
    Interned,
    /// A sector pack was admitted.
    SectorAdmitted,
    /// It is time for a cycle.
    CycleDue,
    /// A performance figure was measured.
    Measurement,
    /// A language model answered.
    ModelAnswer,
    /// A person signed an approval, a rejection or a revocation.
    SignedApproval,
    /// An approver's key was presented for registration.
    Registration,
    /// An operator gave a command.
    OperatorCommand,
    /// The digest of the kernel's state, from which replay may start.
    StateSealed,
    /// The log's own state, from which verification may start.
    LogSealed,
    /// The oldest entries are dropped on purpose.
    LogRetained,
    /// The newest entries were damaged and given up.
    LogSalvaged,
    /// A producer begins, or goes on with, a count of its own.
    ProducerOpened,
    /// A producer ends its count.
    ProducerClosed,
}

impl InputKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::KernelStarted,
        Self::Interned,
        Self::SectorAdmitted,
        Self::CycleDue,
        Self::Measurement,
        Self::ModelAnswer,
        Self::SignedApproval,
        Self::Registration,
        Self::OperatorCommand,
        Self::StateSealed,
        Self::LogSealed,
        Self::LogRetained,
        Self::LogSalvaged,
        Self::ProducerOpened,
        Self::ProducerClosed,
    ];

    /// The name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::KernelStarted => "kernel_started",
            Self::Interned => "interned",
            Self::SectorAdmitted => "sector_admitted",
            Self::CycleDue => "cycle_due",
            Self::Measurement => "measurement",
            Self::ModelAnswer => "model_answer",
            Self::SignedApproval => "signed_approval",
            Self::Registration => "registration",
            Self::OperatorCommand => "operator_command",
            Self::StateSealed => "state_sealed",
            Self::LogSealed => "log_sealed",
            Self::LogRetained => "log_retained",
            Self::LogSalvaged => "log_salvaged",
            Self::ProducerOpened => "producer_opened",
            Self::ProducerClosed => "producer_closed",
        }
    }
}

impl fmt::Display for InputKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One logged input. The body is canonical CBOR and opaque here, except those that move the
/// log's own state: names, producers, the sealed state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// What it is.
    pub kind: InputKind,
    /// The sector it concerns; `None` if it concerns all.
    pub sector: Option<String>,
    /// When it was received, Unix milliseconds.
    pub time_ms: i64,
    /// The body: one canonical CBOR document.
    pub body: Bytes,
}

/// What the log entry holds: the body by digest, so that entries stay small.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    kind: InputKind,
    sector: Option<String>,
    time_ms: i64,
    body_digest: Hash,
}

impl Input {
    /// An input whose body is a value, encoded canonically.
    pub fn new<T: Serialize + ?Sized>(
        kind: InputKind,
        sector: Option<&str>,
        time_ms: i64,
        body: &T,
    ) -> Result<Self> {
        let input = Self {
            kind,
            sector: sector.map(str::to_owned),
            time_ms,
            body: Bytes(canonical::to_bytes(body)?),
        };
        input.check()?;
        Ok(input)
    }

    /// The canonical bytes of the entry: kind, sector, time and the digest of the body.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        canonical::to_bytes(&Entry {
            kind: self.kind,
            sector: self.sector.clone(),
            time_ms: self.time_ms,
            body_digest: Hash::of(&self.body.0),
        })
    }

    /// Puts an entry and its body together, as they are read from a log.
    ///
    /// # Errors
    /// Refuses a body with another digest than the entry names, and one that is not canonical CBOR.
    pub fn from_parts(entry: &[u8], body: Vec<u8>) -> Result<Self> {
        let Entry { kind, sector, time_ms, body_digest } = canonical::from_bytes_exact(entry)?;
        check_body("input", &body, body_digest)?;
        let input = Self { kind, sector, time_ms, body: Bytes(body) };
        input.check()?;
        Ok(input)
    }

    fn check(&self) -> Result<()> {
        self.sector.as_deref().map_or(Ok(()), check_sector)
    }

    /// The digest that names the input: SHA-256 of its entry's canonical bytes.
    pub fn digest(&self) -> Result<Hash> {
        Ok(Hash::of(&self.to_bytes()?))
    }

    /// Decodes the body.
    pub fn decode<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        canonical::from_bytes(&self.body.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn an_input_survives_its_entry_and_body() {
        let input = Input::new(InputKind::CycleDue, Some("finance"), 5, &("run", 1)).unwrap();
        let back = Input::from_parts(&input.to_bytes().unwrap(), input.body.0.clone()).unwrap();
        assert_eq!(back, input);
        assert_eq!(back.decode::<(String, u8)>().unwrap(), ("run".into(), 1));
        assert_eq!(back.digest().unwrap(), input.digest().unwrap());
    }

    #[test]
    fn a_changed_entry_or_body_is_refused_or_has_another_digest() {
        let input = Input::new(InputKind::Measurement, None, 5, &"p99").unwrap();
        let entry = input.to_bytes().unwrap();
        assert!(matches!(Input::from_parts(&entry, vec![0xf6]), Err(Error::Body { .. })));
        for at in 0..entry.len() {
            let mut changed = entry.clone();
            changed[at] ^= 1;
            if let Ok(other) = Input::from_parts(&changed, input.body.0.clone()) {
                assert_ne!(other.digest().unwrap(), input.digest().unwrap());
            }
        }
    }

    #[test]
    fn a_body_that_is_not_canonical_is_refused() {
        let body = vec![0x18, 0x01];
        let entry = Input { kind: InputKind::CycleDue, sector: None, time_ms: 0, body: Bytes(body.clone()) };
        assert!(matches!(
            Input::from_parts(&entry.to_bytes().unwrap(), body),
            Err(Error::NotCanonical { .. })
        ));
    }

    #[test]
    fn kinds_are_written_under_their_documented_names() {
        for kind in InputKind::ALL {
            assert_eq!(serde_json::to_string(kind).unwrap(), format!("\"{kind}\""));
        }
        assert!(Input::new(InputKind::CycleDue, Some(""), 0, &()).is_err());
    }
}
