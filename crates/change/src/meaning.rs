//! What a change does to each term, read off the ontology before and after it.
//!
//! Nothing here trusts the names or the lists of a change: a removal that is undone in the same change is no removal,
//! and a property that is put on another class under its old name is re-domained.

use std::collections::{BTreeMap, BTreeSet};

use knhk_ontology::delta::{Effect, PropertyRef};
use knhk_ontology::schema::{Class, Property, Range, Schema};
use knhk_ontology::{Iri, Triple};

use crate::doctrine::Resource;

mod comparison;
pub mod graph;
mod predicates;
pub mod rules;
mod values;

pub(crate) use comparison::ancestors;
pub use predicates::Breach;

/// One thing that happens to a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClassChange {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Its superclass is another one.
    Reparented,
    /// It describes further event types.
    EventTypesAdded,
    /// It no longer describes some event types.
    EventTypesRemoved,
    /// Its event types enter the hot path.
    HotOn,
    /// Its event types leave the hot path.
    HotOff,
    /// Its label or comment is another one.
    Described,
}

impl ClassChange {
    /// What it does to the validity of data.
    pub fn effect(self) -> Effect {
        match self {
            Self::Added | Self::EventTypesAdded => Effect::Weakening,
            // A superclass brings and takes inherited keys: taken for the graver effect.
            Self::Removed | Self::EventTypesRemoved | Self::Reparented => Effect::Strengthening,
            Self::HotOn | Self::HotOff | Self::Described => Effect::Neutral,
        }
    }

    /// Whether it may admit data that was not valid. Another superclass may bring further keys.
    pub fn weakens(self) -> bool {
        self.effect() == Effect::Weakening || self == Self::Reparented
    }
}

/// One thing that happens to a property of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PropertyChange {
    /// The class gains the key.
    Added,
    /// The class loses the key.
    Removed,
    /// The key means another property.
    Replaced,
    /// More kinds of values are allowed.
    RangeWidened,
    /// Some kind of value that was allowed no longer is.
    RangeNarrowed,
    /// It must now be there.
    MadeRequired,
    /// It may now be absent.
    MadeOptional,
    /// It may now have several values.
    MadeMany,
    /// It may now have only one value.
    MadeSingle,
    /// The list of allowed values grows or goes away.
    ValuesWidened,
    /// The list of allowed values shrinks, or appears.
    ValuesNarrowed,
    /// A bound or length moves outwards or goes away.
    BoundsWidened,
    /// A bound or length moves inwards, or appears.
    BoundsNarrowed,
    /// It is deprecated, or another property takes over.
    Deprecated,
    /// It is no longer deprecated, or no longer replaced.
    Restored,
    /// Its label or comment is another one.
    Described,
}

/// What happens to one key of one class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertyMeaning {
    /// What happens to the class's own property.
    pub changes: BTreeSet<PropertyChange>,
    /// What happens to the property that the key stands for, its own or inherited: what data feels.
    pub effective: BTreeSet<PropertyChange>,
    /// What it does to the validity of data, inherited keys taken into account.
    pub effect: Effect,
    /// The class's own property before.
    pub old: Option<Property>,
    /// The class's own property after.
    pub new: Option<Property>,
    /// The inherited property that it hides after the change, where it did not before.
    pub hides: Option<Iri>,
}

impl PropertyMeaning {
    /// The property's IRI: after the change if it is still there, else before.
    pub fn iri(&self) -> Option<&Iri> {
        self.new.as_ref().or(self.old.as_ref()).map(|property| &property.iri)
    }
}

/// What happens to one value of a node that is neither class, property nor shape, or to an annotation of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueChange {
    /// The node.
    pub subject: Iri,
    /// The predicate.
    pub predicate: Iri,
    /// The text before; several values are joined by a comma.
    pub old: Option<String>,
    /// The text after.
    pub new: Option<String>,
}

/// What a change does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meaning {
    /// What happens to classes themselves.
    pub classes: BTreeMap<Iri, BTreeSet<ClassChange>>,
    /// What happens to the keys of classes.
    pub properties: BTreeMap<PropertyRef, PropertyMeaning>,
    /// What happens to values.
    pub values: Vec<ValueChange>,
    /// The classes below each class touched, before or after: they inherit what happens to it. Classes without any are
    /// left out.
    pub heirs: BTreeMap<Iri, BTreeSet<Iri>>,
}

impl Meaning {
    /// Compares the two schemas, and takes from the triples what schemas do not hold.
    pub fn between<'t>(
        before: &Schema,
        after: &Schema,
        added: impl IntoIterator<Item = &'t Triple>,
        removed: impl IntoIterator<Item = &'t Triple>,
    ) -> Self {
        let mut meaning = Self::default();
        let iris: BTreeSet<&Iri> = before.classes.keys().chain(after.classes.keys()).collect();
        for iri in iris {
            meaning.compare(before, after, iri);
        }
        meaning.values = values::between(before, after, added, removed);
        meaning.heirs = comparison::heirs([before, after], &meaning.touched_classes());
        meaning
    }

    /// What happens to one class and its keys alone.
    pub(crate) fn of_class(before: &Schema, after: &Schema, class: &Iri) -> Self {
        let mut meaning = Self::default();
        meaning.compare(before, after, class);
        meaning.heirs = comparison::heirs([before, after], &meaning.touched_classes());
        meaning
    }

    /// The class itself and the classes below it that inherit what happens to it.
    pub fn concerned<'m>(&'m self, class: &'m Iri) -> impl Iterator<Item = &'m Iri> {
        std::iter::once(class).chain(self.heirs.get(class).into_iter().flatten())
    }

    fn compare(&mut self, before: &Schema, after: &Schema, iri: &Iri) {
        let (old, new) = (before.classes.get(iri), after.classes.get(iri));
        if old == new {
            return;
        }
        let changes = comparison::classes(old, new);
        if !changes.is_empty() {
            self.classes.insert(iri.clone(), changes);
        }
        let keys: BTreeSet<&String> =
            [old, new].into_iter().flatten().flat_map(|c| c.properties.keys()).collect();
        for key in keys {
            let own = |class: Option<&Class>| class.and_then(|c| c.properties.get(key)).cloned();
            let (own_old, own_new) = (own(old), own(new));
            if own_old != own_new {
                let place = PropertyRef { domain: iri.clone(), key: key.clone() };
                let change = comparison::properties(before, after, &place, own_old, own_new);
                self.properties.insert(place, change);
            }
        }
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty() && self.properties.is_empty() && self.values.is_empty()
    }

    /// What it does to the validity of data: the gravest of all effects.
    pub fn effect(&self) -> Effect {
        let classes = self.classes.values().flatten().map(|change| change.effect());
        classes.chain(self.properties.values().map(|change| change.effect)).max().unwrap_or(Effect::Neutral)
    }

    /// Every term it touches, some several times.
    pub fn terms(&self) -> impl Iterator<Item = &Iri> {
        let properties = self.properties.iter().flat_map(|(place, change)| {
            let own = [&change.old, &change.new].into_iter().flatten().map(|property| &property.iri);
            own.chain([&place.domain]).chain(change.hides.as_ref())
        });
        let values = self.values.iter().flat_map(|value| [&value.subject, &value.predicate]);
        self.classes.keys().chain(properties).chain(values).chain(self.heirs.values().flatten())
    }

    /// How much of a resource the change uses. Ticks are counted elsewhere: 0 here.
    pub fn amount(&self, resource: Resource) -> u64 {
        let classes =
            |which: ClassChange| self.classes.values().filter(|changes| changes.contains(&which)).count();
        let properties =
            |which: PropertyChange| self.properties.values().filter(|p| p.changes.contains(&which)).count();
        let (added, removed) = (properties(PropertyChange::Added), properties(PropertyChange::Removed));
        let amount = match resource {
            Resource::Changes => self.classes.len() + self.properties.len() + self.values.len(),
            Resource::AddedClasses => classes(ClassChange::Added),
            Resource::RemovedClasses => classes(ClassChange::Removed),
            Resource::AddedProperties => added,
            Resource::RemovedProperties => removed,
            Resource::ChangedProperties => self.properties.len() - added - removed,
            Resource::ChangedValues => self.values.len(),
            Resource::Ticks => 0,
        };
        amount as u64
    }

    /// Classes it touches, by themselves or by a key.
    pub fn touched_classes(&self) -> BTreeSet<&Iri> {
        self.classes.keys().chain(self.properties.keys().map(|place| &place.domain)).collect()
    }

    /// Event types, of before or after, whose data can hold an object of a touched class, or that change their class.
    pub fn touched_event_types(&self, before: &Schema, after: &Schema) -> BTreeSet<String> {
        let mut touched = BTreeSet::new();
        for schema in [before, after] {
            let reaching = reaching(schema, &self.touched_classes());
            let concerned = schema.event_types.iter().filter(|(_, class)| reaching.contains(*class));
            touched.extend(concerned.map(|(event_type, _)| event_type.clone()));
        }
        let names = before.event_types.keys().chain(after.event_types.keys());
        touched.extend(
            names.filter(|name| before.event_types.get(*name) != after.event_types.get(*name)).cloned(),
        );
        touched
    }
}

/// A property's constraints in one line, for findings.
pub fn describe(property: &Property) -> String {
    let ranges: Vec<String> = property
        .ranges
        .iter()
        .map(|range| match range {
            Range::Datatype(datatype) => format!("{datatype:?}").to_lowercase(),
            Range::Class(class) => class.local_name().to_owned(),
        })
        .collect();
    let mut parts = vec![if ranges.is_empty() { "no value".to_owned() } else { ranges.join("|") }];
    parts.push(property.cardinality.as_str().to_owned());
    let facets = &property.facets;
    if let Some(values) = &facets.values {
        let shown: Vec<_> = values.iter().take(8).map(String::as_str).collect();
        let more = if values.len() > shown.len() { ", …" } else { "" };
        parts.push(format!("in {{{}{more}}}", shown.join(", ")));
    }
    parts.extend(facets.min.map(|bound| format!("min {bound}")));
    parts.extend(facets.max.map(|bound| format!("max {bound}")));
    parts.extend(facets.min_length.map(|length| format!("min length {length}")));
    parts.extend(facets.max_length.map(|length| format!("max length {length}")));
    if property.deprecated {
        parts.push("deprecated".to_owned());
    }
    parts.join(" ")
}

/// The classes from which a target can be reached over ranges and superclasses, the targets included.
pub(crate) fn reaching<'s>(schema: &'s Schema, targets: &BTreeSet<&'s Iri>) -> BTreeSet<&'s Iri> {
    let mut users: BTreeMap<&Iri, Vec<&Iri>> = BTreeMap::new();
    for class in schema.classes.values() {
        users.entry(&class.subclass_of).or_default().push(&class.iri);
        for range in class.properties.values().flat_map(|property| &property.ranges) {
            if let Range::Class(target) = range {
                users.entry(target).or_default().push(&class.iri);
            }
        }
    }
    let mut reached = targets.clone();
    let mut open: Vec<&Iri> = targets.iter().copied().collect();
    while let Some(class) = open.pop() {
        for user in users.get(class).into_iter().flatten() {
            if reached.insert(user) {
                open.push(user);
            }
        }
    }
    reached
}
