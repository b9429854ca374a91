//! A proposal: one change with its evidence, and the types that say what has been established about it:
//! [`Proposal`] → [`Checked`] → [`Approved`]. See `docs/formats/proposal.md`.

use std::fmt;

use knhk_evidence::Hash;
use knhk_evidence::canonical;
use knhk_ontology::delta::Delta;
use knhk_ontology::schema::PromotionPolicy;
use knhk_ontology::snapshot::{Snapshot, SnapshotId};
use knhk_ontology::{Iri, TripleDelta};
use serde::{Deserialize, Serialize};

use crate::error::{ChangeError, Result};
use crate::finding::{Stage, StageResult};
use crate::policy::{Decision, Mode, decide};
use crate::shadow::{Shadow, State};

mod by_person;

pub use by_person::PERSON;

/// The SHA-256 of the canonical CBOR of a proposal's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProposalId(pub Hash);

impl fmt::Display for ProposalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What an entry of the report does. The names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// A class, with or without an event type of its own.
    AddClass,
    /// A class that is no longer declared, with its keys.
    RemoveClass,
    /// A key of an object.
    AddProperty,
    /// A key that is no longer declared.
    RemoveProperty,
    /// What a value may be.
    ChangeRange,
    /// How many values.
    ChangeCardinality,
    /// One more allowed value.
    AddEnumValue,
    /// A property that should not be used any more.
    DeprecateProperty,
    /// A property that another one takes over from.
    RenameProperty,
    /// Bounds and lengths.
    ModifyShape,
    /// A value of a term, e.g. a threshold.
    SetValue,
}

impl Op {
    /// The stable name, as in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AddClass => "add_class",
            Self::RemoveClass => "remove_class",
            Self::AddProperty => "add_property",
            Self::RemoveProperty => "remove_property",
            Self::ChangeRange => "change_range",
            Self::ChangeCardinality => "change_cardinality",
            Self::AddEnumValue => "add_enum_value",
            Self::DeprecateProperty => "deprecate_property",
            Self::RenameProperty => "rename_property",
            Self::ModifyShape => "modify_shape",
            Self::SetValue => "set_value",
        }
    }
}

/// The report's entry for one (event type, path). It describes; the delta decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What is done.
    pub op: Op,
    /// The event type it concerns.
    pub event_type: String,
    /// Where, dotted below the event's data, arrays as `[]`; empty for the event as a whole.
    pub path: String,
    /// The term it is done to.
    pub iri: Iri,
    /// The datatype or class of the values, where one is meant.
    pub datatype: Option<String>,
    /// The cardinality, where one is meant.
    pub cardinality: Option<String>,
    /// The state before.
    pub old: Option<String>,
    /// The state after.
    pub new: Option<String>,
    /// Events that show it.
    pub n: u64,
    /// Events of that type in the window.
    pub of: u64,
    /// Distinct payloads among the `n`.
    pub distinct: u64,
}

/// What a proposer says holds. Recorded and compared, never trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Doctrine rules said to be kept, by id.
    pub doctrines: Vec<String>,
    /// Invariants said to hold, e.g. `Q3`.
    pub invariants: Vec<String>,
}

/// Everything a proposal says; its digest is the proposal's id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposalContent {
    /// The sector's name.
    pub sector: String,
    /// The snapshot it changes.
    pub base: SnapshotId,
    /// Ids of the patterns it answers.
    pub patterns: Vec<String>,
    /// One entry per (event type, path).
    pub changes: Vec<Change>,
    /// The change itself.
    pub delta: Delta,
    /// Why, for people.
    pub reasoning: String,
    /// How sure, in parts per million; computed from the evidence.
    pub confidence_ppm: u32,
    /// Ticks that the proposer says the costliest event type it touches will need.
    pub estimated_ticks: u32,
    /// How to undo it, for people.
    pub rollback: String,
    /// `rules/1`, [`PERSON`], or the name of a model.
    pub proposer: String,
    /// What the proposer says holds.
    pub claims: Claims,
    /// SHA-256 of the canonical CBOR of the patterns it rests on.
    pub evidence_digest: Hash,
    /// When it was made, Unix ms.
    pub time_ms: i64,
}

/// The most entries a proposal may have in each list of its delta and of its report.
pub const PROPOSAL_ENTRIES_MAX: usize = 10_000;

/// The most bytes of a proposal's canonical form: with what its receipts and the change in triples add, each stays below
/// what one document may hold.
pub const PROPOSAL_BYTES_MAX: usize = 8 << 20;

/// A proposal whose id is known to be the digest of its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stated")]
pub struct Proposal {
    id: ProposalId,
    content: ProposalContent,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stated {
    id: ProposalId,
    content: ProposalContent,
}

impl TryFrom<Stated> for Proposal {
    type Error = ChangeError;

    fn try_from(stated: Stated) -> Result<Self> {
        let proposal = Self::new(stated.content)?;
        if proposal.id != stated.id {
            return Err(ChangeError::ProposalId {
                stated: stated.id.to_string(),
                actual: proposal.id.to_string(),
            });
        }
        Ok(proposal)
    }
}

impl Proposal {
    /// Names the content by its digest.
    ///
    /// # Errors
    /// [`ChangeError::Limit`] when a list is longer than [`PROPOSAL_ENTRIES_MAX`] or the whole than
    /// [`PROPOSAL_BYTES_MAX`], [`ChangeError::Encoding`] when the content has no canonical form.
    pub fn new(content: ProposalContent) -> Result<Self> {
        let lists = content.delta.list_lengths();
        let longest = lists.into_iter().fold(content.changes.len().max(content.patterns.len()), usize::max);
        if longest > PROPOSAL_ENTRIES_MAX {
            return Err(ChangeError::Limit {
                what: "the number of entries in one list of a proposal",
                actual: longest,
                limit: PROPOSAL_ENTRIES_MAX,
            });
        }
        let bytes = encoded("a proposal", &content)?;
        if bytes.len() > PROPOSAL_BYTES_MAX {
            return Err(ChangeError::Limit {
                what: "the number of bytes of a proposal",
                actual: bytes.len(),
                limit: PROPOSAL_BYTES_MAX,
            });
        }
        Ok(Self { id: ProposalId(Hash::of(&bytes)), content })
    }

    /// The digest of the content.
    pub fn id(&self) -> ProposalId {
        self.id
    }

    /// What it says.
    pub fn content(&self) -> &ProposalContent {
        &self.content
    }
}

/// SHA-256 of the canonical CBOR of a value.
pub(crate) fn digest<T: Serialize + ?Sized>(what: &'static str, value: &T) -> Result<Hash> {
    Ok(Hash::of(&encoded(what, value)?))
}

fn encoded<T: Serialize + ?Sized>(what: &'static str, value: &T) -> Result<Vec<u8>> {
    canonical::to_bytes(value).map_err(|e| ChangeError::Encoding { what, why: e.to_string() })
}

/// A proposal with the results of all seven stages, in order. Only [`crate::pipeline::check`] makes one.
#[derive(Clone, Debug)]
pub struct Checked {
    proposal: Proposal,
    results: [StageResult; 7],
    shadow: Shadow,
}

impl Checked {
    pub(crate) fn new(proposal: Proposal, results: [StageResult; 7], shadow: Shadow) -> Self {
        Self { proposal, results, shadow }
    }

    /// The proposal that was checked.
    pub fn proposal(&self) -> &Proposal {
        &self.proposal
    }

    /// The seven results, in the order of [`Stage::ALL`].
    pub fn results(&self) -> &[StageResult; 7] {
        &self.results
    }

    /// The result of one stage.
    pub fn result(&self, stage: Stage) -> &StageResult {
        &self.results[stage as usize]
    }

    /// The stages that failed, in order.
    pub fn failed_stages(&self) -> impl Iterator<Item = &StageResult> {
        self.results.iter().filter(|result| result.failed())
    }

    /// The shadow it was checked in.
    pub fn shadow(&self) -> &Shadow {
        &self.shadow
    }

    /// Lets it through to promotion, if the sector's policy says so.
    ///
    /// # Errors
    /// [`ChangeError::NotApproved`] unless [`decide`] says [`Decision::Promote`].
    pub fn approve(self, policy: PromotionPolicy, mode: Mode) -> Result<Approved> {
        match decide(policy, mode, &self) {
            Decision::Promote => {
                let Self { proposal, results, shadow } = self;
                let shadow = shadow.approved()?;
                Ok(Approved { checked: Self { proposal, results, shadow } })
            }
            Decision::Hold { why } | Decision::Reject { why } => Err(self.refused(why)),
        }
    }

    fn refused(&self, why: impl Into<String>) -> ChangeError {
        ChangeError::NotApproved { proposal: self.proposal.id.to_string(), why: why.into() }
    }
}

/// A checked change with no failed stage that the sector's policy lets through.
#[derive(Clone, Debug)]
pub struct Approved {
    checked: Checked,
}

/// The next version, ready to be made current.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promotion {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// The change of the sector's graph that makes it.
    pub delta: TripleDelta,
}

impl Approved {
    /// What was checked.
    pub fn checked(&self) -> &Checked {
        &self.checked
    }

    /// The snapshot after the change: exactly the one that was checked. In force from `now_ms`, or one ms after its
    /// parent if the clock has gone back.
    ///
    /// # Errors
    /// [`ChangeError::NotApproved`] when `current` is not the snapshot that the change was checked against.
    pub fn promotion(&self, current: &Snapshot, now_ms: i64) -> Result<Promotion> {
        let Some(candidate) = self.checked.shadow.candidate() else {
            return Err(self.checked.refused("the change was never applied"));
        };
        if *self.checked.shadow.state() != State::Approved {
            return Err(self.checked.refused("its shadow is not approved"));
        }
        if current.id != self.checked.shadow.base().id {
            return Err(self.checked.refused("another change was promoted since it was checked"));
        }
        let now_ms = u64::try_from(now_ms).unwrap_or(0);
        let snapshot =
            current.child_known(candidate.triples(), candidate.known(), candidate.version(), now_ms)?;
        Ok(Promotion { snapshot, delta: candidate.triples().clone() })
    }
}

#[cfg(test)]
mod tests;
