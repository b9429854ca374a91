//! What a typed change does to data that was valid: change by change, and what the next version is called.

use crate::delta::{Delta, Effect, PropertyRef, effect_of};
use crate::iri::Iri;
use crate::schema::Schema;
use crate::snapshot::Version;

/// One entry of a change and what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classified {
    /// The class or node it is about.
    pub subject: Iri,
    /// The key inside the class, or the predicate set; `None` when the class itself is added or removed.
    pub key: Option<String>,
    /// What is done, for people: `class added`, `property removed`, …
    pub what: &'static str,
    /// What it does to data.
    pub effect: Effect,
}

/// Every entry of `delta` against the schema it changes, in order of subject and key.
pub fn classify(delta: &Delta, before: &Schema) -> Vec<Classified> {
    let mut found = Vec::new();
    let mut state = |subject: &Iri, key: Option<&str>, what, effect| {
        found.push(Classified { subject: subject.clone(), key: key.map(str::to_owned), what, effect });
    };
    for class in &delta.added_classes {
        state(&class.iri, None, "class added", Effect::Weakening);
    }
    for iri in &delta.removed_classes {
        state(iri, None, "class removed", Effect::Strengthening);
    }
    for added in &delta.added_properties {
        // Objects of a class that is new were not valid before, whatever its keys.
        let is_new = !before.classes.contains_key(&added.domain);
        let required = added.property.cardinality.is_required() && !is_new;
        let effect = if required { Effect::Strengthening } else { Effect::Weakening };
        let what = if required { "required property added" } else { "property added" };
        state(&added.domain, Some(&added.property.key), what, effect);
    }
    for PropertyRef { domain, key } in &delta.removed_properties {
        state(domain, Some(key), "property removed", Effect::Strengthening);
    }
    for changed in &delta.changed_properties {
        let PropertyRef { domain, key } = &changed.target;
        let old = before.classes.get(domain).and_then(|class| class.properties.get(key));
        let effect = old.map_or(Effect::Strengthening, |old| effect_of(old, &changed.property));
        state(domain, Some(key), "property changed", effect);
    }
    for value in &delta.set_values {
        state(&value.subject, Some(value.predicate.as_str()), "value set", Effect::Neutral);
    }
    found.sort_by(|a, b| (&a.subject, &a.key, a.what).cmp(&(&b.subject, &b.key, b.what)));
    found
}

/// The effect of all entries together.
pub fn overall(entries: &[Classified]) -> Effect {
    entries.iter().map(|entry| entry.effect).fold(Effect::Neutral, Effect::and)
}

impl Version {
    /// The next version after a change of this effect: major, minor or patch (SemVer 2.0.0 §6–§8).
    #[must_use]
    pub fn after(self, effect: Effect) -> Self {
        match effect {
            Effect::Strengthening => Self { major: self.major.saturating_add(1), minor: 0, patch: 0 },
            Effect::Weakening => Self { minor: self.minor.saturating_add(1), patch: 0, ..self },
            Effect::Neutral => Self { patch: self.patch.saturating_add(1), ..self },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::strategy::{Strategy, ValueTree};
    use proptest::test_runner::TestRunner;

    use super::*;
    use crate::delta::{AddedProperty, ChangedProperty, SetValue, TypedLiteral};
    use crate::samples::{any_schema, iri};
    use crate::schema::{Cardinality, Class, Datatype, Facets, Property, Range};
    use crate::vocab;

    fn property(cardinality: Cardinality, datatype: Datatype) -> Property {
        Property {
            iri: iri("C0.z"),
            key: "z".into(),
            label: "z".into(),
            comment: "Z.".into(),
            ranges: BTreeSet::from([Range::Datatype(datatype)]),
            cardinality,
            facets: Facets::default(),
            deprecated: false,
            replaced_by: None,
        }
    }

    fn schema() -> Schema {
        let mut runner = TestRunner::deterministic();
        let mut schema = loop {
            let schema = any_schema().new_tree(&mut runner).unwrap().current();
            if schema.classes.contains_key(&iri("C0")) {
                break schema;
            }
        };
        let class = schema.classes.get_mut(&iri("C0")).unwrap();
        class.properties.insert("z".into(), property(Cardinality::ZeroOrOne, Datatype::Integer));
        schema
    }

    #[test]
    fn each_entry_has_its_effect_and_the_strongest_names_the_version() {
        let schema = schema();
        let target = PropertyRef { domain: iri("C0"), key: "z".into() };
        let to = |property: Property| Delta {
            changed_properties: vec![ChangedProperty { target: target.clone(), property }],
            ..Delta::default()
        };
        let adding = |cardinality| Delta {
            added_properties: vec![AddedProperty {
                domain: iri("C0"),
                property: property(cardinality, Datatype::Date),
            }],
            ..Delta::default()
        };
        let effect = |delta: &Delta| overall(&classify(delta, &schema));
        let plain = property(Cardinality::ZeroOrOne, Datatype::Integer);
        assert_eq!(effect(&Delta::default()), Effect::Neutral);
        assert_eq!(effect(&to(Property { label: "new".into(), ..plain.clone() })), Effect::Neutral);
        assert_eq!(effect(&to(property(Cardinality::ZeroOrOne, Datatype::Decimal))), Effect::Weakening);
        assert_eq!(effect(&to(property(Cardinality::ZeroOrMore, Datatype::Integer))), Effect::Weakening);
        assert_eq!(effect(&to(property(Cardinality::One, Datatype::Integer))), Effect::Strengthening);
        assert_eq!(effect(&to(property(Cardinality::ZeroOrOne, Datatype::String))), Effect::Strengthening);
        assert_eq!(effect(&adding(Cardinality::ZeroOrOne)), Effect::Weakening);
        assert_eq!(effect(&adding(Cardinality::One)), Effect::Strengthening);
        let removal = Delta { removed_properties: vec![target.clone()], ..Delta::default() };
        assert_eq!(effect(&removal), Effect::Strengthening);
        let class = Class { iri: iri("New"), ..schema.classes[&iri("C0")].clone() };
        let mut added = Delta { added_classes: vec![class], ..Delta::default() };
        assert_eq!(effect(&added), Effect::Weakening);
        added
            .added_properties
            .push(AddedProperty { domain: iri("New"), property: property(Cardinality::One, Datatype::Date) });
        assert_eq!(effect(&added), Effect::Weakening, "a required key of a new class invalidates nothing");
        added.removed_classes.push(iri("C0"));
        assert_eq!(effect(&added), Effect::Strengthening);
        let value = TypedLiteral { value: "1".into(), datatype: vocab::XSD_INTEGER.clone() };
        let set = SetValue {
            subject: iri("C0"),
            predicate: vocab::KNHK_EXPECTED_RATE.clone(),
            old: None,
            new: value,
        };
        assert_eq!(effect(&Delta { set_values: vec![set], ..Delta::default() }), Effect::Neutral);

        let version = Version { major: 1, minor: 2, patch: 3 };
        let next = |effect| version.after(effect).to_string();
        assert_eq!(next(Effect::Neutral), "1.2.4");
        assert_eq!(next(Effect::Weakening), "1.3.0");
        assert_eq!(next(Effect::Strengthening), "2.0.0");
    }

    #[test]
    fn facets_that_open_weaken_and_facets_that_close_strengthen() {
        let with = |change: &dyn Fn(&mut Facets)| {
            let mut property = property(Cardinality::One, Datatype::Integer);
            change(&mut property.facets);
            property
        };
        let values =
            |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect::<BTreeSet<_>>());
        let closed = with(&|facets| {
            facets.min = Some(1.into());
            facets.max = Some(5.into());
            facets.min_length = Some(1);
            facets.max_length = Some(5);
            facets.values = values(&["1", "2"]);
        });
        let open = with(&|_| ());
        assert_eq!(effect_of(&closed, &open), Effect::Weakening);
        assert_eq!(effect_of(&open, &closed), Effect::Strengthening);
        assert_eq!(effect_of(&closed, &closed), Effect::Neutral);
        for (tighten, name) in [
            (Box::new(|f: &mut Facets| f.min = Some(2.into())) as Box<dyn Fn(&mut Facets)>, "minimum"),
            (Box::new(|f: &mut Facets| f.max = Some(4.into())), "maximum"),
            (Box::new(|f: &mut Facets| f.min_length = Some(2)), "minimum length"),
            (Box::new(|f: &mut Facets| f.max_length = Some(4)), "maximum length"),
            (Box::new(move |f: &mut Facets| f.values = values(&["1"])), "values"),
        ] {
            let mut tight = closed.clone();
            tighten(&mut tight.facets);
            assert_eq!(effect_of(&closed, &tight), Effect::Strengthening, "{name}");
            assert_eq!(effect_of(&tight, &closed), Effect::Weakening, "{name}");
        }
    }
}
