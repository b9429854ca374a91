//! What a detector found: one disagreement between events and ontology, with its evidence.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What kind of disagreement. The names are stable: reports, receipts and truth files use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatternKind {
    /// A key that no shape declares.
    UndeclaredField,
    /// A declared field that every event used to have and none has now.
    VanishedField,
    /// A value of a type the ontology does not allow, including the first value of a field only seen as `null`.
    TypeChanged,
    /// A required field that some events lack.
    MissingRequired,
    /// A number or length outside the declared bounds.
    OutOfRange,
    /// A value outside the declared enumeration.
    NewEnumValue,
    /// An array where one value was declared, or an empty one where one is required.
    CardinalityChanged,
    /// A field that vanished while another one with the same type and values appeared beside it.
    ProbableRename,
    /// Numbers scaled by a constant factor against what was seen before.
    UnitChanged,
    /// An event type that no class describes.
    UnknownEventType,
    /// Too many events of one type, or a rate that changed.
    FrequencyAnomaly,
    /// Too large a share of errors.
    ErrorSpike,
    /// An event type that stopped.
    MissingData,
}

impl PatternKind {
    /// The stable name, as in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UndeclaredField => "undeclared_field",
            Self::VanishedField => "vanished_field",
            Self::TypeChanged => "type_changed",
            Self::MissingRequired => "missing_required",
            Self::OutOfRange => "out_of_range",
            Self::NewEnumValue => "new_enum_value",
            Self::CardinalityChanged => "cardinality_changed",
            Self::ProbableRename => "probable_rename",
            Self::UnitChanged => "unit_changed",
            Self::UnknownEventType => "unknown_event_type",
            Self::FrequencyAnomaly => "frequency_anomaly",
            Self::ErrorSpike => "error_spike",
            Self::MissingData => "missing_data",
        }
    }
}

/// What a detector recommends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Action {
    /// Keep watching: too little evidence to act on.
    Observe,
    /// Change the ontology.
    ProposeChange,
    /// The ontology is right and the events are wrong.
    EnforceInvariant,
    /// Tell a person now.
    Alert,
    /// Ask a person to look.
    Investigate,
}

/// The events a pattern rests on, in a form that anyone re-derives from the archived events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Events that show the pattern.
    pub n: u64,
    /// Events of that type in the window.
    pub of: u64,
    /// Distinct payloads among the `n`, counted up to [`crate::profile::DISTINCT_MAX`].
    pub distinct: u64,
    /// Up to three record digests (SHA-256 of the event as received, hex) of events that show it, first seen first.
    pub examples: Vec<String>,
    /// Event time of the first of the `n`, Unix ms.
    pub first_ms: i64,
    /// Event time of the last of the `n`, Unix ms.
    pub last_ms: i64,
    /// JSON types seen at the path → events with that type.
    #[serde(default)]
    pub types: BTreeMap<String, u64>,
}

/// One disagreement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pattern {
    /// First 16 hex digits of the SHA-256 of (sector, kind, event type, path, detail): the fingerprint that de-duplicates.
    pub id: String,
    /// What kind.
    pub kind: PatternKind,
    /// The event type it concerns.
    pub event_type: String,
    /// Where, dotted below the event's data, arrays as `[]`; empty for the event as a whole.
    pub path: String,
    /// What exactly: the new value, the old and new type, the bound. Part of the fingerprint.
    pub detail: String,
    /// The key that a [`PatternKind::ProbableRename`] found gone, beside the one at `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<String>,
    /// How sure, in parts per million; computed from the evidence by `docs/detection.md`.
    pub confidence_ppm: u32,
    /// The evidence.
    pub evidence: Evidence,
    /// What to do.
    pub action: Action,
}
