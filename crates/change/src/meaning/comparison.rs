//! The old and the new state of one class or property, aspect by aspect.

use std::collections::{BTreeMap, BTreeSet};

use knhk_ontology::Iri;
use knhk_ontology::delta::{Effect, PropertyRef, effect_of};
use knhk_ontology::schema::{Class, Property, Schema};

use super::{ClassChange, PropertyChange, PropertyMeaning};

pub(super) fn classes(old: Option<&Class>, new: Option<&Class>) -> BTreeSet<ClassChange> {
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

pub(super) fn properties(
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
    let changes = states(old.as_ref(), new.as_ref());
    let effective = states(old.as_ref().or(inherited_old), new.as_ref().or(inherited_new));
    let hides = match (&old, &new, inherited_new) {
        (None, Some(_), Some(hidden)) => Some(hidden.iri.clone()),
        _ => None,
    };
    PropertyMeaning { changes, effective, effect, old, new, hides }
}

fn states(old: Option<&Property>, new: Option<&Property>) -> BTreeSet<PropertyChange> {
    match (old, new) {
        (Some(old), Some(new)) => constraints(old, new),
        (None, Some(_)) => BTreeSet::from([PropertyChange::Added]),
        (Some(_), None) => BTreeSet::from([PropertyChange::Removed]),
        (None, None) => BTreeSet::new(),
    }
}

fn constraints(old: &Property, new: &Property) -> BTreeSet<PropertyChange> {
    use PropertyChange as C;
    let mut changes = BTreeSet::new();
    if old.iri != new.iri {
        changes.insert(C::Replaced);
    }
    // One aspect at a time is put into a copy of the old property, so that one function alone knows what narrows. What
    // narrows on the way back widens on the way there; another list of values can do both.
    let mut aspect = |set: &dyn Fn(&mut Property), widened: C, narrowed: C| {
        let mut partly_new = old.clone();
        set(&mut partly_new);
        if effect_of(old, &partly_new) == Effect::Strengthening {
            changes.insert(narrowed);
        }
        if effect_of(&partly_new, old) == Effect::Strengthening {
            changes.insert(widened);
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

/// The classes below each of `classes` in either schema, where there are any.
pub(super) fn heirs(schemas: [&Schema; 2], classes: &BTreeSet<&Iri>) -> BTreeMap<Iri, BTreeSet<Iri>> {
    let mut below: BTreeMap<&Iri, BTreeSet<&Iri>> = BTreeMap::new();
    for schema in schemas {
        for class in schema.classes.values().filter(|class| schema.classes.contains_key(&class.subclass_of)) {
            below.entry(&class.subclass_of).or_default().insert(&class.iri);
        }
    }
    let mut found = BTreeMap::new();
    for &class in classes {
        let (mut heirs, mut open) = (BTreeSet::new(), vec![class]);
        while let Some(at) = open.pop() {
            let children = below.get(at).into_iter().flatten().copied();
            open.extend(children.filter(|child| *child != class && heirs.insert((*child).clone())));
        }
        if !heirs.is_empty() {
            found.insert(class.clone(), heirs);
        }
    }
    found
}

fn inherited<'s>(schema: &'s Schema, place: &PropertyRef) -> Option<&'s Property> {
    ancestors(schema, &place.domain).into_iter().find_map(|class| class.properties.get(&place.key))
}
