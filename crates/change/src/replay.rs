//! The window under the ontology before and after a change: which events would newly be rejected.

use std::collections::{BTreeMap, BTreeSet};

use knhk_evidence::Hash;
use knhk_ontology::Iri;
use knhk_ontology::delta::PropertyRef;
use knhk_ontology::schema::{Range, Schema};
use knhk_projection::admission::{Admission, Verdict, Violation, ViolationKind};
use knhk_projection::json::Json;
use knhk_projection::path::{Step, steps};

use crate::meaning::{ClassChange, Meaning};
use crate::window::Window;

/// Most newly rejected events that are named.
pub const REPLAY_EXAMPLES_MAX: usize = 10;

/// One event that the change would newly reject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Its type.
    pub event_type: String,
    /// Record digest of an event with this payload.
    pub record: Hash,
    /// Events with this payload.
    pub events: u64,
    /// Where it would disagree first.
    pub path: String,
    /// What the ontology would ask for.
    pub expected: String,
    /// What the event holds.
    pub found: String,
}

/// What replaying the events of the touched types gave. All counts are of events, not of payloads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// Events replayed.
    pub events: u64,
    /// Those rejected before the change.
    pub rejected_before: u64,
    /// Those rejected after it.
    pub rejected_after: u64,
    /// Those accepted before and rejected after.
    pub newly_rejected: u64,
    /// Those that, after it, disagree with a term that it adds or changes.
    pub unsound: u64,
    /// The first newly rejected, at most [`REPLAY_EXAMPLES_MAX`], in order of event type and payload digest.
    pub examples: Vec<Rejection>,
    /// Events, of any type, that the window no longer held.
    pub evicted: u64,
}

impl Replay {
    /// Judges every payload of the touched event types twice.
    pub fn run(window: &Window, before: &Schema, after: &Schema, meaning: &Meaning) -> Self {
        let mut replay = Self { evicted: window.events_evicted(), ..Self::default() };
        let touched = meaning.touched_event_types(before, after);
        if !touched.iter().any(|event_type| window.payloads(event_type).next().is_some()) {
            return replay;
        }
        let (old, new) = (Admission::new(before), Admission::new(after));
        let mut blame = Blame::new(after, meaning);
        for event_type in &touched {
            for (_, payload) in window.payloads(event_type) {
                replay.events += payload.events;
                let json = std::str::from_utf8(&payload.data).ok().and_then(|text| Json::parse(text).ok());
                let Some(json) = json else {
                    // Such bytes are never admitted; if they come, no ontology accepts them.
                    replay.rejected_before += payload.events;
                    replay.rejected_after += payload.events;
                    continue;
                };
                let accepted_before = old.conforms(event_type, &json);
                if !accepted_before {
                    replay.rejected_before += payload.events;
                }
                if new.conforms(event_type, &json) {
                    continue;
                }
                replay.rejected_after += payload.events;
                let violations = match new.check(event_type, &json) {
                    Verdict::Violates { violations, .. } => violations,
                    Verdict::Conforms | Verdict::UnknownEventType => Vec::new(),
                };
                if violations.iter().any(|violation| blame.falls_on_change(event_type, violation)) {
                    replay.unsound += payload.events;
                }
                if accepted_before {
                    replay.newly_rejected += payload.events;
                    if replay.examples.len() < REPLAY_EXAMPLES_MAX {
                        replay.examples.push(rejection(event_type, payload, violations.first()));
                    }
                }
            }
        }
        replay
    }
}

fn rejection(event_type: &str, payload: &crate::window::Payload, violation: Option<&Violation>) -> Rejection {
    let (path, expected, found) = match violation {
        Some(violation) => (violation.path.clone(), violation.expected.clone(), violation.found.clone()),
        None => (String::new(), "a known event type".to_owned(), "a type that no class describes".to_owned()),
    };
    Rejection {
        event_type: event_type.to_owned(),
        record: payload.examples.first().copied().unwrap_or(Hash::ZERO),
        events: payload.events,
        path,
        expected,
        found,
    }
}

/// Tells the disagreements that a change answers for from those that it leaves as they were.
struct Blame<'a> {
    after: &'a Schema,
    meaning: &'a Meaning,
    known: BTreeMap<(String, String, bool), bool>,
}

impl<'a> Blame<'a> {
    fn new(after: &'a Schema, meaning: &'a Meaning) -> Self {
        Self { after, meaning, known: BTreeMap::new() }
    }

    fn falls_on_change(&mut self, event_type: &str, violation: &Violation) -> bool {
        let undeclared = violation.kind == ViolationKind::Undeclared;
        let key = (event_type.to_owned(), violation.path.clone(), undeclared);
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let falls = self.walk(event_type, &violation.path, undeclared);
        self.known.insert(key, falls);
        falls
    }

    /// Follows the path through the classes; a violation falls on the change when it is at a key that the change adds or
    /// changes, or undeclared in a class that it adds.
    fn walk(&self, event_type: &str, path: &str, undeclared: bool) -> bool {
        let Some(root) = self.after.class_of_event(event_type) else { return false };
        let is_new = |class: &Iri| {
            self.meaning.classes.get(class).is_some_and(|changes| changes.contains(&ClassChange::Added))
        };
        let keys: Vec<String> = steps(path)
            .into_iter()
            .filter_map(|step| match step {
                Step::Key(key) => Some(key),
                Step::Elements => None,
            })
            .collect();
        let Some((last, inner)) = keys.split_last() else { return is_new(&root.iri) };
        let mut classes = BTreeSet::from([&root.iri]);
        for key in inner {
            let properties = classes.iter().filter_map(|class| self.after.property(class, key));
            classes = properties
                .flat_map(|property| &property.ranges)
                .filter_map(|range| match range {
                    Range::Class(class) => Some(class),
                    Range::Datatype(_) => None,
                })
                .collect();
        }
        if undeclared {
            return classes.into_iter().any(is_new);
        }
        classes.into_iter().filter_map(|class| self.after.classes.get(class)).any(|class| {
            let owner = self.after.lineage(class).find(|above| above.properties.contains_key(last));
            owner.is_some_and(|owner| {
                let place = PropertyRef { domain: owner.iri.clone(), key: last.clone() };
                self.meaning.properties.contains_key(&place)
            })
        })
    }
}
