//! What a window of events looked like: per event type, a tree of fields with counts, and where they break the ontology.

use std::collections::BTreeMap;
use std::sync::Arc;

use knhk_ontology::schema::Schema;
use knhk_projection::admission::{self, Admission, ClassId, FacetBreach, PropertyShape};
use knhk_projection::json::{Json, JsonType};
use knhk_projection::path::{self, Step};

use crate::field::{FieldNode, Place};
pub use crate::field::{FieldStats, Format, VALUE_BYTES_MAX};
pub use crate::seen::{DISTINCT_MAX, EXAMPLES_MAX, EventMeta, Seen, Tally};

/// Event types profiled in one window; events of further types are only counted.
pub const EVENT_TYPES_MAX: usize = 256;

/// Fields profiled for one event type, array elements included; values at further ones are only counted.
pub const PATHS_MAX: usize = 2_048;

/// Longest key, in bytes, that is profiled; values under longer ones are only counted.
pub const KEY_BYTES_MAX: usize = 1_024;

/// Seconds with events that one window tells apart, over all event types; events in further ones are only counted.
pub const SECONDS_MAX: usize = 262_144;

/// What did not fit the bounds. Nothing is dropped without being counted here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overflow {
    /// Events of types beyond [`EVENT_TYPES_MAX`].
    pub event_types: u64,
    /// Values at fields beyond [`PATHS_MAX`] or under keys beyond [`KEY_BYTES_MAX`].
    pub paths: u64,
    /// Events in seconds beyond [`SECONDS_MAX`].
    pub seconds: u64,
}

/// The profile of one window of events.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    schema: Option<Arc<Schema>>,
    admission: Admission,
    event_types: BTreeMap<Box<str>, EventTypeProfile>,
    events: Seen,
    conforming: u64,
    seconds: usize,
    overflow: Overflow,
}

/// The events of one type in a window.
#[derive(Clone, Debug, Default)]
pub struct EventTypeProfile {
    events: Seen,
    conforming: u64,
    unexplained: Seen,
    root: FieldNode,
    paths: usize,
    seconds: BTreeMap<i64, u64>,
    class: Option<ClassId>,
}

impl EventTypeProfile {
    /// The events.
    pub fn events(&self) -> &Seen {
        &self.events
    }

    /// How many of them agree with the ontology.
    pub fn conforming(&self) -> u64 {
        self.conforming
    }

    /// Those that disagree in a way that no single field shows, because an object fits each of several declared
    /// classes in part and none as a whole.
    pub fn unexplained(&self) -> &Seen {
        &self.unexplained
    }

    /// The data of the events.
    pub fn root(&self) -> &FieldNode {
        &self.root
    }

    /// Whether a class of the ontology describes them.
    pub fn is_known(&self) -> bool {
        self.class.is_some()
    }

    /// Events by second of event time (Unix seconds).
    pub fn seconds(&self) -> &BTreeMap<i64, u64> {
        &self.seconds
    }

    /// The field at a path.
    pub fn field(&self, path: &str) -> Option<&FieldNode> {
        path::steps(path).iter().try_fold(&self.root, |node, step| match step {
            Step::Key(key) => node.child(key),
            Step::Elements => node.elements(),
        })
    }
}

impl Profile {
    /// An empty profile that judges nothing: for inferring a first ontology.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty profile that also records where events break `schema`.
    pub fn against(schema: Arc<Schema>) -> Self {
        Self { admission: Admission::new(&schema), schema: Some(schema), ..Self::default() }
    }

    /// The schema it judges by.
    pub fn schema(&self) -> Option<&Arc<Schema>> {
        self.schema.as_ref()
    }

    /// The admission it judges by; admits nothing without a schema.
    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    /// The events of every type.
    pub fn events(&self) -> &Seen {
        &self.events
    }

    /// How many events agree with the schema.
    pub fn conforming(&self) -> u64 {
        self.conforming
    }

    /// What did not fit the bounds.
    pub fn overflow(&self) -> Overflow {
        self.overflow
    }

    /// Event types by name.
    pub fn event_types(&self) -> impl Iterator<Item = (&str, &EventTypeProfile)> {
        self.event_types.iter().map(|(name, profile)| (&**name, profile))
    }

    /// One event type.
    pub fn event_type(&self, name: &str) -> Option<&EventTypeProfile> {
        self.event_types.get(name)
    }

    /// Counts one event and says whether it agrees with the schema (never, without one).
    pub fn observe(&mut self, event_type: &str, data: &Json<'_>, meta: &EventMeta) -> bool {
        let ordinal = self.events.events() + 1;
        self.events.add(ordinal, meta);
        let conforms = self.admission.conforms(event_type, data);
        self.conforming += u64::from(conforms);
        if !self.event_types.contains_key(event_type) {
            if self.event_types.len() == EVENT_TYPES_MAX {
                self.overflow.event_types += 1;
                return conforms;
            }
            let class = self.admission.class_of_event(event_type);
            let place =
                Place { judged: class.is_some(), properties: Vec::new(), classes: Vec::from_iter(class) };
            let root = FieldNode::at(place);
            self.event_types
                .insert(event_type.into(), EventTypeProfile { root, class, ..EventTypeProfile::default() });
        }
        let Some(profile) = self.event_types.get_mut(event_type) else { return conforms };
        profile.events.add(ordinal, meta);
        profile.conforming += u64::from(conforms);
        let second = meta.time_ms.div_euclid(1_000);
        if let Some(count) = profile.seconds.get_mut(&second) {
            *count += 1;
        } else if self.seconds < SECONDS_MAX {
            self.seconds += 1;
            profile.seconds.insert(second, 1);
        } else {
            self.overflow.seconds += 1;
        }
        let mut walk = Walk {
            admission: &self.admission,
            meta,
            ordinal,
            judge: profile.class.is_some() && !conforms,
            breached: false,
            paths: &mut profile.paths,
            overflow: 0,
        };
        walk.root(&mut profile.root, data);
        self.overflow.paths += walk.overflow;
        if walk.judge && !walk.breached && walk.overflow == 0 {
            profile.unexplained.add(ordinal, meta);
        }
        conforms
    }
}

/// One event on its way through the tree of its type.
struct Walk<'w> {
    admission: &'w Admission,
    meta: &'w EventMeta,
    ordinal: u64,
    /// Whether the event disagrees somewhere: an event that conforms needs no judging field by field.
    judge: bool,
    breached: bool,
    paths: &'w mut usize,
    overflow: u64,
}

impl Walk<'_> {
    fn root(&mut self, node: &mut FieldNode, data: &Json<'_>) {
        node.stats.present.add(self.ordinal, self.meta);
        node.stats.add_type(data.json_type(), self.ordinal);
        match data {
            Json::Object(members) => self.object(node, members),
            Json::Null => self.missing(node, 0),
            other => {
                self.value_below(node, other);
                if self.judge {
                    self.type_breach(node, other.json_type());
                }
            }
        }
    }

    fn value(&mut self, node: &mut FieldNode, value: &Json<'_>) {
        node.stats.present.add(self.ordinal, self.meta);
        node.stats.add_type(value.json_type(), self.ordinal);
        if self.judge && node.place.judged {
            self.judge(node, value);
        }
        self.value_below(node, value);
    }

    fn value_below(&mut self, node: &mut FieldNode, value: &Json<'_>) {
        match value {
            Json::Object(members) => self.object(node, members),
            Json::Array(elements) => self.array(node, elements),
            Json::Null => return,
            scalar => node.stats.add_scalar(scalar, self.ordinal),
        }
        let filled = match value {
            Json::Array(elements) => elements.iter().any(|element| *element != Json::Null),
            _ => true,
        };
        if filled {
            node.stats.filled.add(self.ordinal);
        } else {
            node.stats.empty_arrays.add(self.ordinal);
        }
    }

    fn object(&mut self, node: &mut FieldNode, members: &[(std::borrow::Cow<'_, str>, Json<'_>)]) {
        node.start_over();
        let object = node.stats.of_type(JsonType::Object).occurrences;
        for (key, value) in members {
            let position = match node.position(key) {
                Some(position) => position,
                None if *self.paths >= PATHS_MAX || key.len() > KEY_BYTES_MAX => {
                    self.overflow += 1;
                    continue;
                }
                None => {
                    *self.paths += 1;
                    let place = place_of_child(self.admission, &node.place, key);
                    node.add_child(key, place)
                }
            };
            if let Some(child) = node.child_at(position) {
                let filled = child.stats.filled.occurrences;
                self.value(child, value);
                if child.stats.filled.occurrences > filled {
                    child.filled_in = object;
                } else if matches!(value, Json::Array(_)) {
                    child.emptied_in = object;
                }
                self.breached |= self.judge && child.is_undeclared();
            }
        }
        if self.judge {
            self.missing(node, object);
        }
    }

    fn array(&mut self, node: &mut FieldNode, elements: &[Json<'_>]) {
        if elements.is_empty() {
            return;
        }
        if node.elements.is_none() {
            if *self.paths >= PATHS_MAX {
                self.overflow += elements.len() as u64;
                return;
            }
            *self.paths += 1;
            let place = node.place.clone();
            node.elements = Some(Box::new(FieldNode::at(place)));
        }
        let Some(inner) = node.elements.as_deref_mut() else { return };
        for element in elements {
            if let Json::Array(nested) = element {
                // One value, not looked into.
                inner.stats.present.add(self.ordinal, self.meta);
                inner.stats.add_type(JsonType::Array, self.ordinal);
                if !nested.is_empty() {
                    inner.stats.filled.add(self.ordinal);
                }
                let opaque = properties(self.admission, &inner.place).any(PropertyShape::is_opaque);
                if self.judge && !inner.place.properties.is_empty() && !opaque {
                    self.type_breach(inner, JsonType::Array);
                }
            } else {
                self.value(inner, element);
            }
        }
    }

    /// Records how a value at a declared field breaks its property. With several properties (the parent may have
    /// several classes) it breaks a rule when it breaks that rule of each.
    fn judge(&mut self, node: &mut FieldNode, value: &Json<'_>) {
        if node.place.properties.is_empty() {
            return;
        }
        match value {
            Json::Null => {}
            Json::Array(elements) => {
                let refused =
                    properties(self.admission, &node.place).all(|property| !property.admits_array(elements));
                if refused {
                    let breaches = node.breaches.get_or_insert_default();
                    breaches.cardinality.add(self.ordinal, self.meta);
                    self.breached = true;
                }
            }
            other => {
                let object = matches!(other, Json::Object(_));
                let admitted = properties(self.admission, &node.place)
                    .any(|p| p.admits_literal(other) || (object && !p.classes().is_empty()));
                if !admitted {
                    self.type_breach(node, other.json_type());
                }
                self.judge_facets(node, other);
            }
        }
    }

    fn judge_facets(&mut self, node: &mut FieldNode, value: &Json<'_>) {
        let mut first = None;
        for shape in properties(self.admission, &node.place) {
            let Some(breach) = shape.facets().and_then(|facets| admission::breach(facets, value)) else {
                return;
            };
            first.get_or_insert(breach);
        }
        let Some(breach) = first else { return };
        self.breached = true;
        let breaches = node.breaches.get_or_insert_default();
        if breach != FacetBreach::Values {
            breaches.bounds.entry(breach).or_default().add(self.ordinal, self.meta);
            return;
        }
        let text = value.lexical().unwrap_or_default();
        if let Some(seen) = breaches.values.get_mut(text) {
            seen.add(self.ordinal, self.meta);
        } else if text.len() <= VALUE_BYTES_MAX && breaches.values.len() < DISTINCT_MAX {
            breaches.values.entry(text.into()).or_default().add(self.ordinal, self.meta);
        } else {
            breaches.other_values.add(self.ordinal, self.meta);
        }
    }

    fn type_breach(&mut self, node: &mut FieldNode, found: JsonType) {
        self.breached = true;
        let breaches = node.breaches.get_or_insert_default();
        breaches.types.add(self.ordinal, self.meta);
        breaches.found.entry(found.as_str()).or_default().add(self.ordinal);
    }

    /// Records the required keys that the object just walked does not fill.
    fn missing(&mut self, node: &mut FieldNode, object: u64) {
        let Some((first, others)) = node.place.classes.split_first() else { return };
        let admission = self.admission;
        let Some(class) = admission.class(*first) else { return };
        let (mut missing, mut emptied) = (Vec::new(), Vec::new());
        for property in class.properties().iter().filter(|property| property.cardinality().is_required()) {
            let key = property.key();
            let by_all = others.iter().all(|other| {
                let property = admission.class(*other).and_then(|class| class.property(key));
                property.is_some_and(|property| property.cardinality().is_required())
            });
            let child = node.child(key).filter(|_| object > 0);
            if !by_all || child.is_some_and(|child| child.filled_in == object) {
                continue;
            }
            let is_many = property.cardinality().is_many();
            if is_many && child.is_some_and(|child| child.emptied_in == object) {
                emptied.push(key);
            } else {
                missing.push(key);
            }
        }
        if !self.judge || (missing.is_empty() && emptied.is_empty()) {
            return;
        }
        self.breached = true;
        for key in emptied {
            if let Some(child) = node.position(key).and_then(|position| node.child_at(position)) {
                child.breaches.get_or_insert_default().cardinality.add(self.ordinal, self.meta);
            }
        }
        if missing.is_empty() {
            return;
        }
        let breaches = node.breaches.get_or_insert_default();
        for key in missing {
            if let Some(seen) = breaches.missing.get_mut(key) {
                seen.add(self.ordinal, self.meta);
            } else {
                breaches.missing.entry(key.into()).or_default().add(self.ordinal, self.meta);
            }
        }
    }
}

/// The properties that a field may be.
pub(crate) fn properties<'a>(
    admission: &'a Admission,
    place: &'a Place,
) -> impl Iterator<Item = &'a PropertyShape> {
    place
        .properties
        .iter()
        .filter_map(|(class, position)| admission.class(*class)?.properties().get(*position))
}

/// Where a member stands: the properties that its key means in the classes of its object. Below an undeclared field,
/// or one that is not looked into, nothing is judged.
fn place_of_child(admission: &Admission, parent: &Place, key: &str) -> Place {
    let opaque = properties(admission, parent).any(PropertyShape::is_opaque);
    if !parent.judged || opaque || parent.classes.is_empty() {
        return Place::default();
    }
    let found: Vec<(ClassId, usize)> = parent
        .classes
        .iter()
        .filter_map(|class| Some((*class, admission.class(*class)?.position(key)?)))
        .collect();
    let mut place = Place { judged: true, properties: found, classes: Vec::new() };
    let mut classes: Vec<ClassId> =
        properties(admission, &place).flat_map(PropertyShape::classes).copied().collect();
    classes.sort_unstable();
    classes.dedup();
    place.classes = classes;
    place
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{meta, order, profile_of, schema};

    fn observed(events: &[&str]) -> Profile {
        let mut profile = Profile::new();
        for data in events {
            profile.observe("t", &Json::parse(data).unwrap(), &meta(data, 0));
        }
        profile
    }

    fn field<'p>(profile: &'p Profile, path: &str) -> &'p FieldNode {
        profile.event_type("t").unwrap().field(path).unwrap()
    }

    #[test]
    fn fields_are_counted_by_event_and_by_occurrence() {
        let profile = observed(&[
            r#"{"a":[{"b":1},{"b":2.5},{}],"c":null}"#,
            r#"{"a":[],"c":"2026-01-01"}"#,
            r#"{"a":{"b":"x"},"c":true}"#,
        ]);
        let a = field(&profile, "a").stats();
        assert_eq!((a.present().events(), a.filled().occurrences, a.empty_arrays().occurrences), (3, 2, 1));
        let elements = field(&profile, "a[]").stats();
        assert_eq!(elements.of_type(JsonType::Object).occurrences, 3);
        let b = field(&profile, "a[].b").stats();
        assert_eq!((b.present().events(), b.filled().occurrences), (1, 2), "one element lacks it");
        assert_eq!(
            b.numbers().map(|(min, max)| (min.to_string(), max.to_string())),
            Some(("1".into(), "2.5".into()))
        );
        assert_eq!(field(&profile, "a.b").stats().lengths(), Some((1, 1)));
        let c = field(&profile, "c").stats();
        let types: Vec<_> = c.types().map(|(json_type, tally)| (json_type.as_str(), tally.events)).collect();
        assert_eq!(types, [("null", 1), ("boolean", 1), ("string", 1)]);
        assert!(c.all_strings_are(Format::Date) && !c.all_strings_are(Format::DateTime));
        assert_eq!(c.values().unwrap().keys().map(|v| &**v).collect::<Vec<_>>(), ["2026-01-01", "true"]);
        assert_eq!(
            profile.event_type("t").unwrap().root().children().map(|(k, _)| k).collect::<Vec<_>>(),
            ["a", "c"]
        );
    }

    #[test]
    fn arrays_inside_arrays_are_values_and_not_looked_into() {
        let profile = observed(&[r#"{"a":[[{"b":1}],[]]}"#]);
        let elements = field(&profile, "a[]");
        assert_eq!(elements.stats().of_type(JsonType::Array).occurrences, 2);
        assert_eq!((elements.children().count(), elements.elements().is_none()), (0, true));
    }

    #[test]
    fn values_are_kept_while_they_are_few_and_short() {
        let many: Vec<String> = (0..=DISTINCT_MAX).map(|n| format!("{{\"a\":{n}}}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(field(&observed(&many[1..]), "a").stats().values().unwrap().len(), DISTINCT_MAX);
        assert_eq!(field(&observed(&many), "a").stats().values(), None);
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(VALUE_BYTES_MAX + 1));
        assert_eq!(field(&observed(&[&long]), "a").stats().values(), None);
        let inexact = observed(&[r#"{"a":1e-30}"#]);
        assert_eq!(field(&inexact, "a").stats().inexact_numbers(), 1);
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let wide = (0..PATHS_MAX + 5).map(|n| format!("\"k{n}\":1,")).collect::<Vec<_>>().concat();
        let wide = format!("{{{wide}\"{}\":1,\"z\":[1,2]}}", "x".repeat(KEY_BYTES_MAX + 1));
        let mut profile = observed(&[&wide]);
        assert_eq!(profile.overflow(), Overflow { paths: 7, ..Overflow::default() });
        for n in 0..EVENT_TYPES_MAX {
            profile.observe(&format!("t{n}"), &Json::Null, &meta("", 0));
        }
        assert_eq!(profile.overflow().event_types, 1);
        for n in 0..i64::try_from(SECONDS_MAX).unwrap() {
            profile.observe("t", &Json::Null, &meta("", n * 1_000));
        }
        assert_eq!(profile.overflow().seconds, EVENT_TYPES_MAX as u64 - 1);
    }

    #[test]
    fn conforming_events_are_counted() {
        let (fine, bad) = (order(""), order(",\"new\":1"));
        let profile =
            profile_of(schema(), [("order", fine.as_str(), 0), ("order", &bad, 0), ("none", &fine, 0)]);
        assert_eq!((profile.events().events(), profile.conforming()), (3, 1));
        assert_eq!(profile.event_type("order").unwrap().conforming(), 1);
        assert_eq!(profile.summary().digest(), profile.clone().summary().digest());
    }

    #[test]
    fn the_summary_does_not_depend_on_the_order_of_keys() {
        let summary = |events: &[&str]| {
            let mut profile = Profile::new();
            for data in events {
                profile.observe("t", &Json::parse(data).unwrap(), &meta("same", 0));
            }
            profile.summary()
        };
        let (one, other) = (summary(&[r#"{"a":1,"b":{"c":[2]}}"#]), summary(&[r#"{"b":{"c":[2]},"a":1}"#]));
        assert_eq!((&one, one.digest()), (&other, other.digest()));
        assert_eq!(one.event_types["t"].fields.keys().collect::<Vec<_>>(), ["", "a", "b", "b.c", "b.c[]"]);
        assert_ne!(one.digest(), summary(&[r#"{"a":"1","b":{"c":[2]}}"#]).digest());
    }
}
