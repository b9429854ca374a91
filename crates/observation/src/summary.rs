//! A profile in short: what a receipt or a report names it by.

use std::collections::BTreeMap;

use knhk_projection::path;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::field::FieldNode;
use crate::profile::Profile;

/// The counts of a profile, in an order that depends on names only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Events.
    pub events: u64,
    /// Events that agree with the schema.
    pub conforming: u64,
    /// Earliest event time, Unix ms.
    pub first_ms: i64,
    /// Latest event time, Unix ms.
    pub last_ms: i64,
    /// Events and values beyond the profile's bounds.
    pub overflow: u64,
    /// By event type.
    pub event_types: BTreeMap<String, EventTypeSummary>,
}

/// The counts of one event type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventTypeSummary {
    /// Events.
    pub events: u64,
    /// Events that agree with the schema.
    pub conforming: u64,
    /// By path.
    pub fields: BTreeMap<String, FieldSummary>,
}

/// The counts of one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldSummary {
    /// Events that have it.
    pub events: u64,
    /// How many times they have it.
    pub occurrences: u64,
    /// Distinct payloads that have it, counted up to [`crate::profile::DISTINCT_MAX`].
    pub distinct: u64,
    /// JSON type → events.
    pub types: BTreeMap<&'static str, u64>,
}

impl Summary {
    /// SHA-256 of the summary as JSON without white space: names sorted, integers only.
    pub fn digest(&self) -> [u8; 32] {
        // A tree of maps with string keys and integers always serialises.
        Sha256::digest(serde_json::to_vec(self).unwrap_or_default()).into()
    }
}

impl Profile {
    /// The counts of the profile.
    pub fn summary(&self) -> Summary {
        let overflow = self.overflow();
        let event_types = self.event_types().map(|(name, events)| {
            let mut fields = BTreeMap::new();
            collect(events.root(), &mut String::new(), &mut fields);
            let summary = EventTypeSummary {
                events: events.events().events(),
                conforming: events.conforming(),
                fields,
            };
            (name.to_owned(), summary)
        });
        Summary {
            events: self.events().events(),
            conforming: self.conforming(),
            first_ms: self.events().first_ms(),
            last_ms: self.events().last_ms(),
            overflow: overflow.event_types + overflow.paths + overflow.seconds,
            event_types: event_types.collect(),
        }
    }
}

fn collect(node: &FieldNode, at: &mut String, fields: &mut BTreeMap<String, FieldSummary>) {
    let stats = node.stats();
    let summary = FieldSummary {
        events: stats.present().events(),
        occurrences: stats.present().occurrences(),
        distinct: stats.present().distinct(),
        types: stats.types().map(|(json_type, tally)| (json_type.as_str(), tally.events)).collect(),
    };
    fields.insert(at.clone(), summary);
    for (key, child) in node.children() {
        let before = path::enter(at, Some(key));
        collect(child, at, fields);
        path::leave(at, before);
    }
    if let Some(elements) = node.elements() {
        let before = path::enter(at, None);
        collect(elements, at, fields);
        path::leave(at, before);
    }
}
