//! Receipts: the signed, chained record of one decision. See `docs/formats/receipt.md`.
//!
//! The kernel makes a [`Draft`], a pure value; the shell that holds the key turns it into a [`Signed`]. The receipt's
//! id is the digest of the draft's canonical bytes, so it is known before the signature and is the same on replay.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::error::{Error, Result, within};
use crate::hash::Hash;
use crate::key::{Signature, SigningKey, VerifyingKey};

/// Bytes of a receipt's canonical form.
pub const MAX_RECEIPT_LEN: usize = 16 << 10;
/// Bytes of a sector name.
pub const MAX_SECTOR_LEN: usize = 128;
/// Bytes of the body beside a receipt or an input: 16 MiB.
pub const MAX_BODY_LEN: usize = canonical::MAX_DOCUMENT_LEN;

/// What precedes the id in the signed message, so that a receipt's signature can be nothing else's.
const DOMAIN: &[u8] = b"knhk-receipt/v1\n";

/// What was decided or done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Operation {
    /// A batch of observations was sealed into a block.
    ObservationIngested,
    /// A detector found a pattern.
    PatternDetected,
    /// A change of the ontology was proposed.
    ProposalGenerated,
    /// The seven stages ran over a proposal.
    ValidationExecuted,
    /// A snapshot became current.
    SnapshotPromoted,
    /// A cycle of the loop ended.
    LoopCycleCompleted,
    /// Someone asked to relax a guard.
    GuardRelaxationRequested,
    /// A relaxation reached its quorum.
    GuardRelaxationApproved,
    /// A relaxation was rejected.
    GuardRelaxationRejected,
    /// A relaxation was revoked.
    GuardRelaxationRevoked,
    /// A relaxation, or the request for it, ran out.
    GuardRelaxationExpired,
    /// An approver's key was registered.
    ApproverRegistered,
    /// A doctrine rule was added.
    DoctrineRuleAdded,
    /// A doctrine rule was retired.
    DoctrineRuleRetired,
    /// A test ran in a shadow.
    ShadowTestExecuted,
    /// A hard invariant did not hold.
    InvariantViolation,
    /// A former snapshot's content became current again.
    RollbackExecuted,
    /// A sector took over a change of the core.
    SectorUpdated,
    /// Projections were generated.
    CodegenCompleted,
    /// The generated registry was checked.
    WeaverValidationPassed,
    /// The log's signing key changed.
    KeyRotated,
}

impl Operation {
    /// Every operation, in the order of the documentation.
    pub const ALL: &'static [Self] = &[
        Self::ObservationIngested,
        Self::PatternDetected,
        Self::ProposalGenerated,
        Self::ValidationExecuted,
        Self::SnapshotPromoted,
        Self::LoopCycleCompleted,
        Self::GuardRelaxationRequested,
        Self::GuardRelaxationApproved,
        Self::GuardRelaxationRejected,
        Self::GuardRelaxationRevoked,
        Self::GuardRelaxationExpired,
        Self::ApproverRegistered,
        Self::DoctrineRuleAdded,
        Self::DoctrineRuleRetired,
        Self::ShadowTestExecuted,
        Self::InvariantViolation,
        Self::RollbackExecuted,
        Self::SectorUpdated,
        Self::CodegenCompleted,
        Self::WeaverValidationPassed,
        Self::KeyRotated,
    ];
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It was done.
    Approved,
    /// It was refused.
    Rejected {
        /// Why, for a person; codes stand in the body.
        reason: String,
    },
    /// It waits.
    Pending {
        /// For what.
        next: String,
    },
    /// It failed.
    Error {
        /// How, for a person.
        reason: String,
    },
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Approved => f.write_str("approved"),
            Self::Rejected { reason } => write!(f, "rejected: {reason}"),
            Self::Pending { next } => write!(f, "pending: {next}"),
            Self::Error { reason } => write!(f, "error: {reason}"),
        }
    }
}

/// The id of a receipt: SHA-256 of its canonical bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReceiptId(pub Hash);

impl fmt::Display for ReceiptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A receipt before it is signed: every field that the id covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// What was decided or done.
    pub operation: Operation,
    /// How it ended.
    pub outcome: Outcome,
    /// Name of the sector whose chain the receipt continues.
    pub sector: String,
    /// Position in that chain, from 0.
    pub sequence: u64,
    /// Id of the receipt before it in that chain; `None` for the first alone.
    pub parent: Option<ReceiptId>,
    /// When, Unix milliseconds.
    pub time_ms: i64,
    /// Id of the cycle it belongs to, if any.
    pub cycle: Option<String>,
    /// SHA-256 of the body: a canonical CBOR document kept beside the receipt.
    pub evidence_digest: Hash,
    /// Content id of the ontology in force.
    pub ontology_digest: Hash,
    /// Digest of the doctrine in force.
    pub doctrine_digest: Hash,
    /// Digest of the guards in force.
    pub guards_digest: Hash,
    /// Version of the decision rules, so that replay knows what to repeat.
    pub semantics_version: u32,
    /// C2SP key id of the key that signs.
    pub key_id: u32,
}

impl Draft {
    /// The canonical bytes.
    ///
    /// # Errors
    /// Refuses a receipt above [`MAX_RECEIPT_LEN`], an empty sector name or one above [`MAX_SECTOR_LEN`], and a
    /// first receipt with a parent or a later one without.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        self.check()?;
        let bytes = canonical::to_bytes(self)?;
        within("receipt", bytes.len(), MAX_RECEIPT_LEN)?;
        Ok(bytes)
    }

    /// Reads canonical bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        within("receipt", bytes.len(), MAX_RECEIPT_LEN)?;
        let draft: Self = canonical::from_bytes_exact(bytes)?;
        draft.check()?;
        Ok(draft)
    }

    fn check(&self) -> Result<()> {
        check_sector(&self.sector)?;
        if self.parent.is_some() != (self.sequence > 0) {
            return Err(Error::Shape {
                what: "receipt",
                why: "the first of a sector has no parent, every later one has".into(),
            });
        }
        Ok(())
    }

    /// The id: SHA-256 of the canonical bytes.
    pub fn id(&self) -> Result<ReceiptId> {
        Ok(ReceiptId(Hash::of(&self.to_bytes()?)))
    }

    /// Signs the draft.
    ///
    /// # Errors
    /// Refuses a key other than the one the draft names.
    pub fn sign(self, key: &SigningKey) -> Result<Signed> {
        expect_key(self.key_id, key.verifying_key())?;
        let bytes = self.to_bytes()?;
        let id = ReceiptId(Hash::of(&bytes));
        let signature = key.sign(&message(id));
        Ok(Signed { draft: self, bytes, id, signature })
    }
}

/// A receipt with a signature. It is proven only after [`Signed::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    draft: Draft,
    bytes: Vec<u8>,
    id: ReceiptId,
    signature: Signature,
}

impl Signed {
    /// Puts a receipt's canonical bytes and its signature together, as they are read from a log or a file.
    pub fn from_parts(bytes: &[u8], signature: Signature) -> Result<Self> {
        let draft = Draft::from_bytes(bytes)?;
        Ok(Self { draft, id: ReceiptId(Hash::of(bytes)), bytes: bytes.to_vec(), signature })
    }

    /// The fields.
    pub fn draft(&self) -> &Draft {
        &self.draft
    }

    /// The canonical bytes, which the id covers.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The id.
    pub fn id(&self) -> ReceiptId {
        self.id
    }

    /// Ed25519 signature over `knhk-receipt/v1\n` ‖ id.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Verifies the signature over the id recomputed from the bytes, with the key that the receipt names.
    pub fn verify(&self, key: &VerifyingKey) -> Result<()> {
        self.expect_key(key)?;
        key.verify("receipt", &message(self.id), &self.signature)
    }

    /// Checks that the receipt names this key, without checking its signature.
    pub(crate) fn expect_key(&self, key: &VerifyingKey) -> Result<()> {
        expect_key(self.draft.key_id, key)
    }

    /// Checks that `body` is the document the receipt was made from.
    pub fn check_body(&self, body: &[u8]) -> Result<()> {
        check_body("receipt", body, self.draft.evidence_digest)
    }
}

fn message(id: ReceiptId) -> Vec<u8> {
    [DOMAIN, id.0.as_bytes()].concat()
}

fn expect_key(key_id: u32, key: &VerifyingKey) -> Result<()> {
    if key_id != key.id() {
        return Err(Error::Key {
            what: "receipt",
            actual: format!("{key_id:08x}"),
            expected: format!("{:08x}", key.id()),
        });
    }
    Ok(())
}

/// A sector name: 1 to [`MAX_SECTOR_LEN`] bytes, no control character.
pub(crate) fn check_sector(sector: &str) -> Result<()> {
    within("sector name", sector.len(), MAX_SECTOR_LEN)?;
    if sector.is_empty() || sector.chars().any(char::is_control) {
        return Err(Error::Shape {
            what: "sector name",
            why: "it is empty or has control characters".into(),
        });
    }
    Ok(())
}

/// A body: one canonical document with the digest its entry names.
pub(crate) fn check_body(what: &'static str, body: &[u8], expected: Hash) -> Result<()> {
    within("body", body.len(), MAX_BODY_LEN)?;
    let actual = Hash::of(body);
    if actual != expected {
        return Err(Error::Body { what, actual: actual.to_string(), expected: expected.to_string() });
    }
    canonical::check(body)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn draft(key: &SigningKey, sequence: u64, parent: Option<ReceiptId>, body: &[u8]) -> Draft {
        Draft {
            operation: Operation::PatternDetected,
            outcome: Outcome::Rejected { reason: "too few".into() },
            sector: "finance".into(),
            sequence,
            parent,
            time_ms: 1_700_000_000_000,
            cycle: Some("c-1".into()),
            evidence_digest: Hash::of(body),
            ontology_digest: Hash::of(b"ontology"),
            doctrine_digest: Hash::of(b"doctrine"),
            guards_digest: Hash::of(b"guards"),
            semantics_version: 1,
            key_id: key.verifying_key().id(),
        }
    }

    fn key() -> SigningKey {
        SigningKey::generate([9; 32], b"")
    }

    #[test]
    fn a_signed_receipt_verifies_and_survives_its_bytes() {
        let key = key();
        let signed = draft(&key, 0, None, &[0xf6]).sign(&key).unwrap();
        signed.verify(key.verifying_key()).unwrap();
        signed.check_body(&[0xf6]).unwrap();
        assert!(matches!(signed.check_body(&[0xf5]), Err(Error::Body { .. })));
        let back = Signed::from_parts(signed.bytes(), *signed.signature()).unwrap();
        assert_eq!(back, signed);
        assert_eq!(back.id(), signed.draft().id().unwrap());
    }

    #[test]
    fn every_field_is_covered_by_the_signature() {
        let key = key();
        let first = draft(&key, 0, None, b"").sign(&key).unwrap();
        let base = draft(&key, 1, Some(first.id()), b"");
        let signature = *base.clone().sign(&key).unwrap().signature();
        let edits: Vec<fn(&mut Draft)> = vec![
            |d| d.operation = Operation::KeyRotated,
            |d| d.outcome = Outcome::Approved,
            |d| d.outcome = Outcome::Rejected { reason: "too feW".into() },
            |d| d.sector = "finances".into(),
            |d| d.sequence = 2,
            |d| d.parent = Some(ReceiptId(Hash::ZERO)),
            |d| d.time_ms += 1,
            |d| d.cycle = None,
            |d| d.evidence_digest = Hash::ZERO,
            |d| d.ontology_digest = Hash::ZERO,
            |d| d.doctrine_digest = Hash::ZERO,
            |d| d.guards_digest = Hash::ZERO,
            |d| d.semantics_version = 2,
        ];
        for edit in edits {
            let mut other = base.clone();
            edit(&mut other);
            let forged = Signed::from_parts(&other.to_bytes().unwrap(), signature).unwrap();
            assert_ne!(forged.id(), base.id().unwrap());
            assert!(matches!(forged.verify(key.verifying_key()), Err(Error::Signature { .. })), "{other:?}");
        }
        let other_key = Draft { key_id: 1, ..base };
        let forged = Signed::from_parts(&other_key.to_bytes().unwrap(), signature).unwrap();
        assert!(matches!(forged.verify(key.verifying_key()), Err(Error::Key { .. })));
        assert!(matches!(other_key.sign(&key), Err(Error::Key { .. })));
    }

    #[test]
    fn every_byte_is_covered_by_the_signature() {
        let key = key();
        let signed = draft(&key, 0, None, b"").sign(&key).unwrap();
        for at in 0..signed.bytes().len() {
            let mut bytes = signed.bytes().to_vec();
            bytes[at] ^= 1;
            let verdict =
                Signed::from_parts(&bytes, *signed.signature()).and_then(|s| s.verify(key.verifying_key()));
            assert!(verdict.is_err(), "byte {at}");
        }
        for at in 0..64 {
            let mut signature = *signed.signature();
            signature[at] ^= 1;
            let forged = Signed::from_parts(signed.bytes(), signature).unwrap();
            assert!(forged.verify(key.verifying_key()).is_err(), "signature byte {at}");
        }
    }

    #[test]
    fn only_the_first_receipt_has_no_parent() {
        let key = key();
        assert!(draft(&key, 1, None, b"").to_bytes().is_err());
        assert!(draft(&key, 0, Some(ReceiptId(Hash::ZERO)), b"").to_bytes().is_err());
    }

    #[test]
    fn names_and_sizes_are_bounded() {
        let key = key();
        let base = draft(&key, 0, None, b"");
        assert!(Draft { sector: String::new(), ..base.clone() }.to_bytes().is_err());
        assert!(Draft { sector: "a\n".into(), ..base.clone() }.to_bytes().is_err());
        assert!(Draft { sector: "s".repeat(MAX_SECTOR_LEN + 1), ..base.clone() }.to_bytes().is_err());
        let long = Outcome::Error { reason: "r".repeat(MAX_RECEIPT_LEN) };
        assert!(matches!(Draft { outcome: long, ..base }.to_bytes(), Err(Error::Limit { .. })));
    }

    #[test]
    fn operations_and_outcomes_have_their_documented_names() {
        assert_eq!(Operation::GuardRelaxationRevoked.to_string(), "GuardRelaxationRevoked");
        assert_eq!(serde_json::to_string(&Operation::KeyRotated).unwrap(), "\"KeyRotated\"");
        for outcome in [
            Outcome::Approved,
            Outcome::Rejected { reason: "r".into() },
            Outcome::Pending { next: "n".into() },
            Outcome::Error { reason: "e".into() },
        ] {
            let bytes = canonical::to_bytes(&outcome).unwrap();
            assert_eq!(canonical::from_bytes_exact::<Outcome>(&bytes).unwrap(), outcome);
        }
        assert_eq!(Outcome::Pending { next: "quorum".into() }.to_string(), "pending: quorum");
        for operation in Operation::ALL {
            let bytes = canonical::to_bytes(operation).unwrap();
            assert!(bytes.ends_with(operation.to_string().as_bytes()));
        }
    }
}
