//! What a window of events looked like: per event type, a tree of fields with counts, and where they break the ontology.

use std::collections::BTreeMap;
use std::sync::Arc;

use knhk_ontology::schema::Schema;
use knhk_projection::admission::{Admission, ClassId};
use knhk_projection::json::Json;
use knhk_projection::path::{self, Step};

use crate::field::{FieldNode, Place};
pub use crate::field::{FieldStats, Format, VALUE_BYTES_MAX};
pub use crate::seen::{DISTINCT_MAX, EXAMPLES_MAX, EventMeta, Seen, Tally};
use crate::walk::Walk;

/// Event types that no class describes, profiled in one window; events of further ones are only counted. Those that the
/// ontology declares always have their place.
pub const EVENT_TYPES_MAX: usize = 256;

/// Undeclared fields profiled for one event type, array elements included; values at further ones are only counted.
pub const PATHS_MAX: usize = 2_048;

/// Undeclared fields profiled in one window, over all event types; values at further ones are only counted.
pub const FIELDS_MAX: usize = 65_536;

/// Declared fields profiled for one event type: places that nothing undeclared can take.
pub const DECLARED_PATHS_MAX: usize = 65_536;

/// Declared fields profiled in one window. More than ontologies ask for; it bounds what a recursive class can unfold.
pub const DECLARED_FIELDS_MAX: usize = 262_144;

/// Longest undeclared key, in bytes, that is profiled; values under longer ones are only counted.
pub const KEY_BYTES_MAX: usize = 1_024;

/// Seconds with events that one window tells apart, over all declared event types, and again over all others; events in
/// further ones are only counted.
pub const SECONDS_MAX: usize = 262_144;

/// A count for what the ontology declares and one for everything else, so that neither takes the other's room.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Split {
    pub(crate) declared: usize,
    pub(crate) other: usize,
}

impl Split {
    pub(crate) fn of(&mut self, declared: bool) -> &mut usize {
        if declared { &mut self.declared } else { &mut self.other }
    }

    /// What two limits leave over these counts and those of the whole window.
    fn room(self, limits: Self, window: Self, window_limits: Self) -> Self {
        let least = |used: usize, limit: usize, all: usize, limit_all: usize| {
            limit.saturating_sub(used).min(limit_all.saturating_sub(all))
        };
        Self {
            declared: least(self.declared, limits.declared, window.declared, window_limits.declared),
            other: least(self.other, limits.other, window.other, window_limits.other),
        }
    }

    fn add(&mut self, more: Self) {
        self.declared += more.declared;
        self.other += more.other;
    }
}

const PATHS: Split = Split { declared: DECLARED_PATHS_MAX, other: PATHS_MAX };
const FIELDS: Split = Split { declared: DECLARED_FIELDS_MAX, other: FIELDS_MAX };

/// What did not fit the bounds. Nothing is dropped without being counted here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overflow {
    /// Events of types beyond [`EVENT_TYPES_MAX`].
    pub event_types: u64,
    /// Values at fields beyond [`PATHS_MAX`] and [`FIELDS_MAX`] (declared ones: [`DECLARED_PATHS_MAX`] and
    /// [`DECLARED_FIELDS_MAX`]), or under keys beyond [`KEY_BYTES_MAX`].
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
    fields: Split,
    seconds: Split,
    undeclared_types: usize,
    overflow: Overflow,
}

/// The events of one type in a window.
#[derive(Clone, Debug, Default)]
pub struct EventTypeProfile {
    events: Seen,
    conforming: u64,
    unexplained: Seen,
    root: FieldNode,
    paths: Split,
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
            let class = self.admission.class_of_event(event_type);
            if class.is_none() {
                if self.undeclared_types == EVENT_TYPES_MAX {
                    self.overflow.event_types += 1;
                    return conforms;
                }
                self.undeclared_types += 1;
            }
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
        } else {
            let seconds = self.seconds.of(profile.class.is_some());
            if *seconds < SECONDS_MAX {
                *seconds += 1;
                profile.seconds.insert(second, 1);
            } else {
                self.overflow.seconds += 1;
            }
        }
        let mut walk = Walk {
            admission: &self.admission,
            meta,
            ordinal,
            judge: profile.class.is_some() && !conforms,
            breached: false,
            room: profile.paths.room(PATHS, self.fields, FIELDS),
            added: Split::default(),
            overflow: 0,
        };
        walk.root(&mut profile.root, data);
        profile.paths.add(walk.added);
        self.fields.add(walk.added);
        self.overflow.paths += walk.overflow;
        if walk.judge && !walk.breached && walk.overflow == 0 {
            profile.unexplained.add(ordinal, meta);
        }
        conforms
    }
}

#[cfg(test)]
mod tests {
    use knhk_projection::json::JsonType;

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
        let mut profile = Profile::new();
        let wide = (0..PATHS_MAX).map(|n| format!("\"k{n}\":1,")).collect::<Vec<_>>().concat();
        let wide = format!("{{{}}}", wide.trim_end_matches(','));
        for n in 0..=FIELDS_MAX / PATHS_MAX {
            profile.observe(&format!("t{n}"), &Json::parse(&wide).unwrap(), &meta("", 0));
        }
        assert_eq!(profile.overflow().paths, PATHS_MAX as u64);
    }

    /// An object with more undeclared keys than there is room for, and then `rest`.
    fn junk(rest: &str) -> String {
        let keys = (0..PATHS_MAX + 5).map(|n| format!("\"k{n}\":1,")).collect::<Vec<_>>().concat();
        format!("{{{keys}{rest}}}")
    }

    #[test]
    fn junk_does_not_take_the_room_of_what_the_ontology_declares() {
        let mut profile = Profile::against(schema().into());
        // Every place for undeclared event types and fields is taken before the first declared one comes.
        for n in 0..=EVENT_TYPES_MAX {
            let data = junk("\"end\":1");
            profile.observe(&format!("junk{n}"), &Json::parse(&data).unwrap(), &meta(&data, 0));
        }
        assert_eq!(profile.overflow().event_types, 1);
        let data = junk("\"status\":5,\"items\":[{\"sku\":7}]");
        profile.observe("order", &Json::parse(&data).unwrap(), &meta(&data, 0));
        let order = profile.event_type("order").unwrap();
        assert!(order.is_known() && order.field("k0").is_none());
        for path in ["status", "items", "items[]", "items[].sku"] {
            assert_eq!(order.field(path).map(|f| f.stats().present().events()), Some(1), "{path}");
        }
        let patterns = crate::detect::detect(&profile, &crate::baseline::Baseline::default());
        let found: Vec<_> =
            patterns.iter().filter(|p| p.event_type == "order").map(|p| p.path.as_str()).collect();
        assert_eq!(found, ["items[].sku", "status", "status"]);
    }

    #[test]
    fn seconds_of_undeclared_event_types_do_not_take_the_room_of_declared_ones() {
        let mut profile = Profile::against(schema().into());
        for n in 0..=i64::try_from(SECONDS_MAX).unwrap() {
            profile.observe("junk", &Json::Null, &meta("", n * 1_000));
        }
        profile.observe("ping", &Json::Null, &meta("", 0));
        assert_eq!(profile.overflow().seconds, 1);
        assert_eq!(profile.event_type("ping").unwrap().seconds().len(), 1);
    }

    #[test]
    fn a_declared_class_that_contains_itself_is_bounded_too() {
        let mut recursive = schema();
        let item = recursive.classes.get_mut(&crate::fixture::term("Item")).unwrap();
        for n in 0..260 {
            let mut part = item.properties["tags"].clone();
            (part.key, part.iri) = (format!("p{n}"), crate::fixture::term(&format!("p{n}")));
            part.ranges = [knhk_ontology::schema::Range::Class(crate::fixture::term("Item"))].into();
            item.properties.insert(part.key.clone(), part);
        }
        let mut profile = Profile::against(recursive.into());
        let object = |inner: &str| {
            format!("{{{}}}", (0..260).map(|n| format!("\"p{n}\":{inner}")).collect::<Vec<_>>().join(","))
        };
        let data = format!("{{\"items\":{}}}", object(&object("{}")));
        profile.observe("order", &Json::parse(&data).unwrap(), &meta(&data, 0));
        // Values below a field without room are not looked into: 237 of the object that is cut, and 8 further objects.
        assert_eq!(profile.overflow().paths, 237 + 8);
    }

    #[test]
    fn seconds_that_do_not_fit_are_counted() {
        let mut profile = Profile::new();
        for n in 0..=i64::try_from(SECONDS_MAX).unwrap() {
            profile.observe("t", &Json::Null, &meta("", n * 1_000));
        }
        assert_eq!(profile.overflow().seconds, 1);
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
