//! The rules of compatibility by name: what a change does to data, one rule for each way. `docs/compatibility.md` is their
//! table.

use knhk_ontology::Iri;
use knhk_ontology::delta::PropertyRef;
use knhk_ontology::schema::Property;

use super::{ClassChange, Meaning, PropertyChange, describe};

/// What a rule says of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// No verdict on data changes.
    Neutral,
    /// Data that was valid may become invalid: forbidden by the backward levels.
    Strengthening,
    /// Data that was not valid becomes valid: forbidden by the forward levels.
    Weakening,
    /// Both at once.
    Both,
}

impl Direction {
    /// Whether data that was valid may become invalid.
    pub fn strengthens(self) -> bool {
        matches!(self, Self::Strengthening | Self::Both)
    }

    /// Whether data that was not valid becomes valid.
    pub fn weakens(self) -> bool {
        matches!(self, Self::Weakening | Self::Both)
    }
}

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal, $direction:ident, $fix:literal;)+) => {
        /// One way in which a change of the ontology meets data. The names are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum CompatibilityRule { $($(#[doc = $doc])+ $name,)+ }

        impl CompatibilityRule {
            /// Every rule, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The stable name.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// What it says of data.
            pub fn direction(self) -> Direction {
                match self { $(Self::$name => Direction::$direction,)+ }
            }

            /// How to do the same compatibly.
            pub fn fix(self) -> &'static str {
                match self { $(Self::$name => $fix,)+ }
            }
        }
    };
}

rules! {
    /// A class is new.
    ClassAdded = "CLASS_ADDED", Weakening, "leave the class out, or ask for a level that lets data grow";
    /// A class is gone.
    ClassRemoved = "CLASS_REMOVED", Strengthening, "keep the class and deprecate its properties";
    /// A class has another superclass, and with it other inherited keys.
    ClassReparented = "CLASS_REPARENTED", Both, "add a class in the new place and keep this one where it is";
    /// A class describes further event types.
    EventTypeAdded = "EVENT_TYPE_ADDED", Weakening, "leave the event type out, or ask for a level that lets data grow";
    /// A class no longer describes some event types.
    EventTypeRemoved = "EVENT_TYPE_REMOVED", Strengthening, "keep the event type on its class";
    /// Objects of a class may have a further key.
    PropertyAdded = "PROPERTY_ADDED", Weakening, "leave the key out, or ask for a level that lets data grow";
    /// Objects of a class must have a further key.
    RequiredPropertyAdded = "REQUIRED_PROPERTY_ADDED", Strengthening, "add the property as optional";
    /// Objects of a class may no longer have a key.
    PropertyRemoved = "PROPERTY_REMOVED", Strengthening, "deprecate the property and keep it";
    /// Objects of a class need no longer have a key that they had to have.
    RequiredPropertyRemoved = "REQUIRED_PROPERTY_REMOVED", Weakening, "keep the property and its cardinality";
    /// A key means another property.
    PropertyReplaced = "PROPERTY_REPLACED", Both, "add the other property under a key of its own and deprecate this one";
    /// Some kind of value that was allowed no longer is.
    RangeNarrowed = "RANGE_NARROWED", Strengthening, "keep the kinds of values that were allowed beside the new ones";
    /// Some further kind of value is allowed.
    RangeWidened = "RANGE_WIDENED", Weakening, "add a property for the other kind of value";
    /// A key must now be there.
    MadeRequired = "MADE_REQUIRED", Strengthening, "leave it optional";
    /// A key may now be absent.
    MadeOptional = "MADE_OPTIONAL", Weakening, "leave it required";
    /// A key may have only one value.
    MadeSingle = "MADE_SINGLE", Strengthening, "leave it open to several values";
    /// A key may have several values.
    MadeMany = "MADE_MANY", Weakening, "add a property for the further values";
    /// Some value that was allowed no longer is.
    ValuesNarrowed = "VALUES_NARROWED", Strengthening, "keep the values that were allowed in the list";
    /// Some further value is allowed.
    ValuesWidened = "VALUES_WIDENED", Weakening, "keep the list as it is";
    /// A bound or length moves inwards, or appears.
    BoundsNarrowed = "BOUNDS_NARROWED", Strengthening, "leave the bound where it was or move it outwards";
    /// A bound or length moves outwards, or goes away.
    BoundsWidened = "BOUNDS_WIDENED", Weakening, "leave the bound where it was or move it inwards";
    /// A property is deprecated, or another takes over.
    PropertyDeprecated = "PROPERTY_DEPRECATED", Neutral, "";
    /// A property is no longer deprecated, or no longer replaced.
    PropertyRestored = "PROPERTY_RESTORED", Neutral, "";
    /// A class or property has another label or comment.
    DescriptionChanged = "DESCRIPTION_CHANGED", Neutral, "";
    /// The event types of a class enter or leave the hot path.
    HotPathChanged = "HOT_PATH_CHANGED", Neutral, "";
    /// A value of the sector, a class or an individual changes.
    ValueChanged = "VALUE_CHANGED", Neutral, "";
}

/// One rule that a change meets, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classified {
    /// The rule.
    pub rule: CompatibilityRule,
    /// The class, property or node.
    pub term: Iri,
    /// The class and key of a property.
    pub place: Option<PropertyRef>,
    /// The predicate of a value.
    pub predicate: Option<Iri>,
    /// The state before, where there was one.
    pub old: Option<String>,
    /// The state after, where there is one.
    pub new: Option<String>,
}

impl ClassChange {
    /// The rule it falls under.
    pub fn rule(self) -> CompatibilityRule {
        use CompatibilityRule as R;
        match self {
            Self::Added => R::ClassAdded,
            Self::Removed => R::ClassRemoved,
            Self::Reparented => R::ClassReparented,
            Self::EventTypesAdded => R::EventTypeAdded,
            Self::EventTypesRemoved => R::EventTypeRemoved,
            Self::HotOn | Self::HotOff => R::HotPathChanged,
            Self::Described => R::DescriptionChanged,
        }
    }
}

impl PropertyChange {
    /// The rules it falls under. A required property that comes or goes meets two.
    fn rules(self, old: Option<&Property>, new: Option<&Property>) -> Vec<CompatibilityRule> {
        use CompatibilityRule as R;
        let required = |property: Option<&Property>| property.is_some_and(|p| p.cardinality.is_required());
        let with = |also: bool, rule: R, other: R| if also { vec![rule, other] } else { vec![rule] };
        match self {
            Self::Added => with(required(new), R::PropertyAdded, R::RequiredPropertyAdded),
            Self::Removed => with(required(old), R::PropertyRemoved, R::RequiredPropertyRemoved),
            Self::Replaced => vec![R::PropertyReplaced],
            Self::RangeWidened => vec![R::RangeWidened],
            Self::RangeNarrowed => vec![R::RangeNarrowed],
            Self::MadeRequired => vec![R::MadeRequired],
            Self::MadeOptional => vec![R::MadeOptional],
            Self::MadeMany => vec![R::MadeMany],
            Self::MadeSingle => vec![R::MadeSingle],
            Self::ValuesWidened => vec![R::ValuesWidened],
            Self::ValuesNarrowed => vec![R::ValuesNarrowed],
            Self::BoundsWidened => vec![R::BoundsWidened],
            Self::BoundsNarrowed => vec![R::BoundsNarrowed],
            Self::Deprecated => vec![R::PropertyDeprecated],
            Self::Restored => vec![R::PropertyRestored],
            Self::Described => vec![R::DescriptionChanged],
        }
    }
}

impl super::PropertyMeaning {
    /// The rules that the key meets, in order, in a class that was there before and is there after.
    pub fn rules(&self) -> Vec<CompatibilityRule> {
        let (old, new) = (self.old.as_ref(), self.new.as_ref());
        self.effective.iter().flat_map(|change| change.rules(old, new)).collect()
    }

    /// Whether any part of it admits data that was not valid.
    pub fn weakens(&self) -> bool {
        self.rules().iter().any(|rule| rule.direction().weakens())
    }
}

impl Meaning {
    /// Every rule that the change meets, by term. The keys of a class that comes or goes are told by the class.
    pub fn classified(&self) -> Vec<Classified> {
        let mut found = Vec::new();
        for (iri, changes) in &self.classes {
            let (old, new) = match changes.first() {
                Some(ClassChange::Added) => (None, Some("a class".to_owned())),
                Some(ClassChange::Removed) => (Some("a class".to_owned()), None),
                _ => (None, None),
            };
            found.extend(changes.iter().map(|change| Classified {
                rule: change.rule(),
                term: iri.clone(),
                place: None,
                predicate: None,
                old: old.clone(),
                new: new.clone(),
            }));
        }
        let comes_or_goes = |class: &Iri| {
            let changes = self.classes.get(class).into_iter().flatten();
            changes.copied().any(|change| matches!(change, ClassChange::Added | ClassChange::Removed))
        };
        for (place, change) in self.properties.iter().filter(|(place, _)| !comes_or_goes(&place.domain)) {
            found.extend(change.rules().into_iter().map(|rule| Classified {
                rule,
                term: change.iri().unwrap_or(&place.domain).clone(),
                place: Some(place.clone()),
                predicate: None,
                old: change.old.as_ref().map(describe),
                new: change.new.as_ref().map(describe),
            }));
        }
        found.extend(self.values.iter().map(|value| Classified {
            rule: CompatibilityRule::ValueChanged,
            term: value.subject.clone(),
            place: None,
            predicate: Some(value.predicate.clone()),
            old: value.old.clone(),
            new: value.new.clone(),
        }));
        found
    }
}

#[cfg(test)]
mod tests;
