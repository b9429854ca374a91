//! What a change does to each term, read off the ontology before and after it.
//!
//! Nothing here trusts the names or the lists of a change: a removal that is undone in the same change is no removal,
//! and a property that is put on another class under its old name is re-domained.

use std::collections::{BTreeMap, BTreeSet};

use knhk_ontology::decimal::Decimal;
use knhk_ontology::delta::{Effect, PropertyRef, effect_of};
use knhk_ontology::schema::{Class, Property, Range, Schema};
use knhk_ontology::{Iri, Term, Triple, vocab};

use crate::doctrine::{Predicate, Resource};

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
    /// What happens.
    pub changes: BTreeSet<PropertyChange>,
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

impl ValueChange {
    /// How the number moves; `None` when there is no number on either side.
    fn direction(&self) -> Option<std::cmp::Ordering> {
        let number = |text: &Option<String>| text.as_ref()?.parse::<Decimal>().ok();
        Some(number(&self.new)?.cmp(&number(&self.old)?))
    }
}

/// One breach of a named predicate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The term.
    pub term: Iri,
    /// What is wrong, in words.
    pub what: String,
    /// The state before.
    pub old: Option<String>,
    /// The state after.
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
            let (old, new) = (before.classes.get(iri), after.classes.get(iri));
            if old == new {
                continue;
            }
            let changes = compare_classes(old, new);
            if !changes.is_empty() {
                meaning.classes.insert(iri.clone(), changes);
            }
            let keys: BTreeSet<&String> =
                [old, new].into_iter().flatten().flat_map(|c| c.properties.keys()).collect();
            for key in keys {
                let own = |class: Option<&Class>| class.and_then(|c| c.properties.get(key)).cloned();
                let (own_old, own_new) = (own(old), own(new));
                if own_old != own_new {
                    let place = PropertyRef { domain: iri.clone(), key: key.clone() };
                    let change = compare_properties(before, after, &place, own_old, own_new);
                    meaning.properties.insert(place, change);
                }
            }
        }
        meaning.values = values(before, after, added, removed);
        meaning
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
        self.classes.keys().chain(properties).chain(values)
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

    /// What breaks a named predicate, among the terms in scope. A property is in scope with its class.
    pub fn breaking(
        &self,
        predicate: Predicate,
        property: Option<&Iri>,
        in_scope: &dyn Fn(&Iri) -> bool,
    ) -> Vec<Breach> {
        let mut breaches = Vec::new();
        match predicate {
            Predicate::ValueNeverRaised | Predicate::ValueNeverLowered => {
                let wrong = match predicate {
                    Predicate::ValueNeverRaised => std::cmp::Ordering::Greater,
                    _ => std::cmp::Ordering::Less,
                };
                for value in &self.values {
                    let meant = property.is_some_and(|iri| *iri == value.subject || *iri == value.predicate);
                    // A first value moves nothing. What is no number cannot be shown to keep the rule.
                    if !meant || value.old.is_none() {
                        continue;
                    }
                    let what = match (&value.new, value.direction()) {
                        (None, _) => "the value is taken away",
                        (_, None) => "the value is not a number on both sides",
                        (_, Some(direction)) if direction == wrong => "the value moves the wrong way",
                        _ => continue,
                    };
                    breaches.push(Breach {
                        term: value.subject.clone(),
                        what: what.to_owned(),
                        old: value.old.clone(),
                        new: value.new.clone(),
                    });
                }
                return breaches;
            }
            _ => {}
        }
        for (iri, changes) in self.classes.iter().filter(|(iri, _)| in_scope(iri)) {
            let effect = changes.iter().map(|change| change.effect()).max().unwrap_or(Effect::Neutral);
            let weakens = changes.iter().any(|change| change.effect() == Effect::Weakening);
            let what = match predicate {
                Predicate::NoRemoval if changes.contains(&ClassChange::Removed) => "the class is removed",
                Predicate::NoStrengthening if effect == Effect::Strengthening => "data may become invalid",
                Predicate::NoWeakening if weakens => "more data becomes valid",
                _ => continue,
            };
            breaches.push(Breach { term: iri.clone(), what: what.to_owned(), old: None, new: None });
        }
        for (place, change) in &self.properties {
            let Some(iri) = change.iri() else { continue };
            let own =
                [&change.old, &change.new].into_iter().flatten().any(|property| in_scope(&property.iri));
            if !own && !in_scope(&place.domain) {
                continue;
            }
            let removed = change.old.as_ref().filter(|_| change.changes.contains(&PropertyChange::Removed));
            let what = match predicate {
                Predicate::NoRemoval if removed.is_some() => "the property is removed",
                Predicate::RemovalAfterDeprecation if removed.is_some_and(|old| !old.deprecated) => {
                    "the property is removed without having been deprecated"
                }
                Predicate::NoStrengthening if change.effect == Effect::Strengthening => {
                    "data may become invalid"
                }
                Predicate::NoWeakening if change.weakens() => "more data becomes valid",
                Predicate::AdditionsOptional
                    if change.changes.contains(&PropertyChange::Added)
                        && change.new.as_ref().is_some_and(|new| new.cardinality.is_required()) =>
                {
                    "the new property is required"
                }
                _ => continue,
            };
            breaches.push(Breach {
                term: iri.clone(),
                what: what.to_owned(),
                old: change.old.as_ref().map(describe),
                new: change.new.as_ref().map(describe),
            });
        }
        if predicate == Predicate::NoRemoval {
            let gone = self.values.iter().filter(|value| value.new.is_none());
            for value in gone.filter(|value| in_scope(&value.subject) || in_scope(&value.predicate)) {
                breaches.push(Breach {
                    term: value.subject.clone(),
                    what: "the value is taken away".to_owned(),
                    old: value.old.clone(),
                    new: None,
                });
            }
        }
        breaches
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

impl PropertyMeaning {
    /// Whether any part of it admits data that was not valid.
    pub fn weakens(&self) -> bool {
        self.effect == Effect::Weakening
            || self.changes.iter().any(|change| {
                matches!(
                    change,
                    PropertyChange::RangeWidened
                        | PropertyChange::MadeOptional
                        | PropertyChange::MadeMany
                        | PropertyChange::ValuesWidened
                        | PropertyChange::BoundsWidened
                )
            })
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

fn compare_classes(old: Option<&Class>, new: Option<&Class>) -> BTreeSet<ClassChange> {
    let (old, new) = match (old, new) {
        (None, _) => return BTreeSet::from([ClassChange::Added]),
        (_, None) => return BTreeSet::from([ClassChange::Removed]),
        (Some(old), Some(new)) => (old, new),
    };
    let mut changes = BTreeSet::new();
    let mut note = |changed: bool, change| {
        if changed {
            changes.insert(change);
        }
    };
    note(old.subclass_of != new.subclass_of, ClassChange::Reparented);
    note(!new.event_types.is_subset(&old.event_types), ClassChange::EventTypesAdded);
    note(!old.event_types.is_subset(&new.event_types), ClassChange::EventTypesRemoved);
    note(!old.hot && new.hot, ClassChange::HotOn);
    note(old.hot && !new.hot, ClassChange::HotOff);
    note(old.label != new.label || old.comment != new.comment, ClassChange::Described);
    changes
}

fn compare_properties(
    before: &Schema,
    after: &Schema,
    place: &PropertyRef,
    old: Option<Property>,
    new: Option<Property>,
) -> PropertyMeaning {
    let inherited_old = inherited(before, place);
    let inherited_new = inherited(after, place);
    let class_is_new = !before.classes.contains_key(&place.domain);
    let effect = match (old.as_ref().or(inherited_old), new.as_ref().or(inherited_new)) {
        (Some(old), Some(new)) if old.iri == new.iri => effect_of(old, new),
        (None, Some(new)) if class_is_new || !new.cardinality.is_required() => Effect::Weakening,
        (None, None) => Effect::Neutral,
        _ => Effect::Strengthening,
    };
    let changes = match (&old, &new) {
        (Some(old), Some(new)) => compare_constraints(old, new),
        (None, Some(_)) => BTreeSet::from([PropertyChange::Added]),
        (Some(_), None) => BTreeSet::from([PropertyChange::Removed]),
        (None, None) => BTreeSet::new(),
    };
    let hides = match (&old, &new, inherited_new) {
        (None, Some(_), Some(hidden)) => Some(hidden.iri.clone()),
        _ => None,
    };
    PropertyMeaning { changes, effect, old, new, hides }
}

fn compare_constraints(old: &Property, new: &Property) -> BTreeSet<PropertyChange> {
    use PropertyChange as C;
    let mut changes = BTreeSet::new();
    if old.iri != new.iri {
        changes.insert(C::Replaced);
    }
    // One aspect at a time is put into a copy of the old property, so that one function alone knows what weakens.
    let mut aspect = |set: &dyn Fn(&mut Property), widened: C, narrowed: C| {
        let mut partly_new = old.clone();
        set(&mut partly_new);
        match effect_of(old, &partly_new) {
            Effect::Neutral => {}
            Effect::Weakening => drop(changes.insert(widened)),
            Effect::Strengthening => drop(changes.insert(narrowed)),
        }
    };
    aspect(&|p| p.ranges.clone_from(&new.ranges), C::RangeWidened, C::RangeNarrowed);
    aspect(&|p| p.facets.values.clone_from(&new.facets.values), C::ValuesWidened, C::ValuesNarrowed);
    aspect(&|p| p.facets.min = new.facets.min, C::BoundsWidened, C::BoundsNarrowed);
    aspect(&|p| p.facets.max = new.facets.max, C::BoundsWidened, C::BoundsNarrowed);
    aspect(&|p| p.facets.min_length = new.facets.min_length, C::BoundsWidened, C::BoundsNarrowed);
    aspect(&|p| p.facets.max_length = new.facets.max_length, C::BoundsWidened, C::BoundsNarrowed);
    let (a, b) = (old.cardinality, new.cardinality);
    let mut note = |changed: bool, change| {
        if changed {
            changes.insert(change);
        }
    };
    note(!a.is_required() && b.is_required(), C::MadeRequired);
    note(a.is_required() && !b.is_required(), C::MadeOptional);
    note(!a.is_many() && b.is_many(), C::MadeMany);
    note(a.is_many() && !b.is_many(), C::MadeSingle);
    let replaced = old.replaced_by != new.replaced_by;
    note((!old.deprecated && new.deprecated) || (replaced && new.replaced_by.is_some()), C::Deprecated);
    note((old.deprecated && !new.deprecated) || (replaced && new.replaced_by.is_none()), C::Restored);
    note(old.label != new.label || old.comment != new.comment || old.key != new.key, C::Described);
    changes
}

/// The classes above one, nearest first. A cycle ends the walk.
pub(crate) fn ancestors<'s>(schema: &'s Schema, class: &Iri) -> Vec<&'s Class> {
    let mut above: Vec<&Class> = Vec::new();
    let mut seen = BTreeSet::from([class]);
    let mut at = schema.classes.get(class);
    while let Some(parent) = at.and_then(|class| schema.classes.get(&class.subclass_of)) {
        if !seen.insert(&parent.iri) {
            break;
        }
        above.push(parent);
        at = Some(parent);
    }
    above
}

fn inherited<'s>(schema: &'s Schema, place: &PropertyRef) -> Option<&'s Property> {
    ancestors(schema, &place.domain).into_iter().find_map(|class| class.properties.get(&place.key))
}

/// The classes from which a target can be reached over ranges and superclasses, the targets included.
fn reaching<'s>(schema: &'s Schema, targets: &BTreeSet<&'s Iri>) -> BTreeSet<&'s Iri> {
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

fn values<'t>(
    before: &Schema,
    after: &Schema,
    added: impl IntoIterator<Item = &'t Triple>,
    removed: impl IntoIterator<Item = &'t Triple>,
) -> Vec<ValueChange> {
    let text = |term: &Term| match term {
        Term::Iri(iri) => iri.as_str().to_owned(),
        Term::Literal(literal) => literal.value().to_owned(),
    };
    let known = Explained::by(before, after);
    let mut changes: BTreeMap<(Iri, Iri), [BTreeSet<String>; 2]> = BTreeMap::new();
    let sides = [removed.into_iter().collect::<Vec<_>>(), added.into_iter().collect()];
    for (side, triples) in sides.into_iter().enumerate() {
        for triple in triples.into_iter().filter(|triple| !known.explains(triple)) {
            let sides = changes.entry((triple.subject.clone(), triple.predicate.clone())).or_default();
            sides[side].insert(text(&triple.object));
        }
    }
    let join = |texts: BTreeSet<String>| {
        let texts: Vec<String> = texts.into_iter().collect();
        (!texts.is_empty()).then(|| texts.join(", "))
    };
    changes
        .into_iter()
        .map(|((subject, predicate), [old, new])| ValueChange {
            subject,
            predicate,
            old: join(old),
            new: join(new),
        })
        .collect()
}

/// The triples whose meaning the comparison of schemas has already told.
struct Explained<'s> {
    schemas: [&'s Schema; 2],
    properties: BTreeSet<&'s Iri>,
}

impl<'s> Explained<'s> {
    fn by(before: &'s Schema, after: &'s Schema) -> Self {
        let classes = before.classes.values().chain(after.classes.values());
        let properties =
            classes.flat_map(|class| class.properties.values()).map(|property| &property.iri).collect();
        Self { schemas: [before, after], properties }
    }

    fn is_class(&self, iri: &Iri) -> bool {
        self.schemas.iter().any(|schema| schema.classes.contains_key(iri))
    }

    fn explains(&self, triple: &Triple) -> bool {
        let subject = triple.subject.as_str();
        if subject.starts_with(vocab::SKOLEM_PREFIX) {
            return true;
        }
        if let Some(stem) = subject.strip_suffix("-shape")
            && let Ok(stem) = Iri::new(stem)
            && (self.is_class(&stem) || self.properties.contains(&stem))
        {
            return true;
        }
        let among = |predicates: &[&Iri]| predicates.contains(&&triple.predicate);
        let described: [&Iri; 4] =
            [&vocab::RDF_TYPE, &vocab::RDFS_LABEL, &vocab::RDFS_COMMENT, &vocab::KNHK_IN_SECTOR];
        let of_class: [&Iri; 3] = [&vocab::RDFS_SUB_CLASS_OF, &vocab::KNHK_EVENT_TYPE, &vocab::KNHK_HOT];
        let of_property: [&Iri; 5] = [
            &vocab::RDFS_DOMAIN,
            &vocab::RDFS_RANGE,
            &vocab::KNHK_CARDINALITY,
            &vocab::OWL_DEPRECATED,
            &vocab::KNHK_REPLACED_BY,
        ];
        let class = self.is_class(&triple.subject);
        let property = self.properties.contains(&triple.subject);
        ((class || property) && among(&described))
            || (class && among(&of_class))
            || (property && among(&of_property))
    }
}
