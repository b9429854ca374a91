//! Where in a window's profile the keys of known classes stand.

use std::collections::BTreeMap;
use std::rc::Rc;

use knhk_observation::field::FieldNode;
use knhk_observation::pattern::{Pattern, PatternKind};
use knhk_observation::profile::Profile;
use knhk_ontology::Iri;
use knhk_ontology::schema::{Class, Range, Schema};
use knhk_projection::json::JsonType;
use knhk_projection::path;

use super::Cause;

/// Where a key of a known class was, or should have been, observed.
pub(super) struct Position<'a> {
    /// The class that declares the key, or would.
    pub(super) domain: &'a Class,
    pub(super) key: String,
    /// Path of the object that has, or should have, the key.
    pub(super) parent: Rc<str>,
    pub(super) node: Option<&'a FieldNode>,
}

/// (event type, path) → position, for every path whose parent object has a class.
pub(super) struct Positions<'a> {
    places: BTreeMap<(String, String), Position<'a>>,
    /// (class, key) → whether an array was seen there, for every key that was seen at all.
    seen: BTreeMap<(&'a Iri, String), bool>,
}

impl<'a> Positions<'a> {
    pub(super) fn of(schema: &'a Schema, profile: &'a Profile) -> Self {
        let mut positions = Self { places: BTreeMap::new(), seen: BTreeMap::new() };
        for (event_type, observed) in profile.event_types() {
            if let Some(class) = schema.class_of_event(event_type) {
                positions.object(schema, class, event_type, "", observed.root());
            }
        }
        positions
    }

    fn object(
        &mut self,
        schema: &'a Schema,
        class: &'a Class,
        event_type: &str,
        path: &str,
        node: &'a FieldNode,
    ) {
        let keys = schema.keys_of(class);
        // The class that declares a key: the class itself, or the ancestor it inherits the key from.
        let owner =
            |key: &str| schema.lineage(class).find(|c| c.properties.contains_key(key)).unwrap_or(class);
        let parent: Rc<str> = path.into();
        for (key, child) in node.children() {
            let path = join(path, key);
            for range in keys.get(key).into_iter().flat_map(|property| &property.ranges) {
                let Range::Class(part) = range else { continue };
                let Some(part) = schema.classes.get(part) else { continue };
                if has_objects(child) {
                    self.object(schema, part, event_type, &path, child);
                }
                if let Some(elements) = child.elements().filter(|e| has_objects(e)) {
                    self.object(schema, part, event_type, &format!("{path}[]"), elements);
                }
            }
            let domain = owner(key);
            let arrays = child.stats().of_type(JsonType::Array).events > 0;
            *self.seen.entry((&domain.iri, key.to_owned())).or_default() |= arrays;
            let position =
                Position { domain, key: key.to_owned(), parent: Rc::clone(&parent), node: Some(child) };
            self.places.entry((event_type.to_owned(), path)).or_insert(position);
        }
        for key in keys.keys() {
            let position = Position {
                domain: owner(key),
                key: (*key).to_owned(),
                parent: Rc::clone(&parent),
                node: None,
            };
            self.places.entry((event_type.to_owned(), join(path, key))).or_insert(position);
        }
    }

    /// The position at a path. What is found at the elements of an array concerns the property that holds the array.
    pub(super) fn get(&self, event_type: &str, path: &str) -> Option<&Position<'a>> {
        self.places.get(&(event_type.to_owned(), path::property(path).to_owned()))
    }

    /// Whether this key of this class was seen anywhere.
    pub(super) fn is_seen(&self, domain: &'a Iri, key: &str) -> bool {
        self.seen.contains_key(&(domain, key.to_owned()))
    }

    /// Whether an array was seen at any position of this key of this class.
    pub(super) fn hold_arrays(&self, domain: &'a Iri, key: &str) -> bool {
        self.seen.get(&(domain, key.to_owned())).copied().unwrap_or_default()
    }

    pub(super) fn cause(&self, pattern: &Pattern) -> Option<Cause> {
        match pattern.kind {
            PatternKind::UnknownEventType => Some(Cause::EventType(pattern.event_type.clone())),
            PatternKind::FrequencyAnomaly => Some(Cause::Rate(pattern.event_type.clone())),
            _ => self.get(&pattern.event_type, &pattern.path).map(|p| Cause::Class(p.domain.iri.clone())),
        }
    }
}

fn has_objects(node: &FieldNode) -> bool {
    node.stats().of_type(JsonType::Object).occurrences > 0
}

pub(super) fn join(parent: &str, key: &str) -> String {
    let mut joined = parent.to_owned();
    path::push_key(&mut joined, key);
    joined
}
