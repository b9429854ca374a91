//! The roads to a protected term and onwards from it: what leads events to it, and what its values must be.
//!
//! A guard that may not be weakened is weakened by these too: a term that no event leads to any more is asked of none, and
//! a value whose own class asks for less is less.

use std::collections::BTreeSet;

use knhk_ontology::Iri;
use knhk_ontology::delta::PropertyRef;
use knhk_ontology::schema::{Property, Range, Schema};

use super::{Guard, Places};
use crate::meaning::{Meaning, PropertyChange, PropertyMeaning, ancestors, reaching};

/// Empty for guards that allow weakening.
#[derive(Debug, Default)]
pub(super) struct Reach<'a> {
    /// Classes whose objects are, or hold somewhere inside, what is protected.
    above: BTreeSet<&'a Iri>,
    /// Classes of the values of what is protected, and of what is inside them.
    below: BTreeSet<&'a Iri>,
}

impl<'a> Reach<'a> {
    pub(super) fn of(guard: &'a Guard, before: &'a Schema, places: &'a Places<'_>) -> Self {
        if !guard.guard_type.forbids_weakening() {
            return Self::default();
        }
        let stood = guard.properties.iter().filter_map(|iri| places.get(iri)).flatten();
        let mut carriers: BTreeSet<&Iri> = stood.map(|place| &place.domain).collect();
        carriers.extend(&guard.classes);
        let mut open: Vec<&Iri> = Vec::new();
        for class in before.classes.values() {
            let whole = guard.classes.contains(&class.iri);
            let guarded = class.properties.values().filter(|p| whole || guard.protects(&p.iri));
            open.extend(guarded.flat_map(classes_of));
        }
        for class in guard.classes.iter().flat_map(|iri| ancestors(before, iri)) {
            open.extend(class.properties.values().flat_map(classes_of));
        }
        let mut below = BTreeSet::new();
        while let Some(class) = open.pop() {
            if !below.insert(class) {
                continue;
            }
            let own = before.classes.get(class);
            for class in own.into_iter().chain(ancestors(before, class)) {
                open.extend(class.properties.values().flat_map(classes_of));
            }
        }
        Self { above: reaching(before, &carriers), below }
    }

    /// How the change of a key that is not protected itself weakens what is, if it does.
    pub(super) fn weakened_by(
        &self,
        meaning: &Meaning,
        place: &PropertyRef,
        change: &PropertyMeaning,
    ) -> Option<&'static str> {
        use PropertyChange as C;
        let old = change.old.as_ref()?;
        let has = |one: C| change.effective.contains(&one);
        if classes_of(old).any(|class| self.above.contains(class)) {
            let leads = change.new.as_ref().is_some_and(|new| {
                classes_of(old)
                    .filter(|class| self.above.contains(class))
                    .all(|class| classes_of(new).any(|other| other == class))
            });
            let open = [C::Removed, C::Replaced, C::MadeOptional, C::RangeWidened].into_iter().any(has);
            if open || (has(C::RangeNarrowed) && !leads) {
                return Some("events need no longer lead through here to what is protected");
            }
        }
        let inside = meaning.concerned(&place.domain).any(|class| self.below.contains(class));
        (inside && change.weakens()).then_some("a value of what is protected may be less than before")
    }
}

fn classes_of(property: &Property) -> impl Iterator<Item = &Iri> {
    property.ranges.iter().filter_map(|range| match range {
        Range::Class(class) => Some(class),
        Range::Datatype(_) => None,
    })
}
