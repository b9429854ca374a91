//! What differs between two versions of a schema, by meaning: classes, keys, constraints, words and settings.

use std::collections::BTreeSet;
use std::fmt::Display;

use serde::Serialize;

use crate::delta::{Effect, effect_of};
use crate::schema::{Class, Property, Range, Schema, Settings};

/// One difference. Ordered by subject, key and aspect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SemanticChange {
    /// The class's IRI; the sector's for settings.
    pub subject: String,
    /// The key inside the class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What differs: `class`, `property`, `label`, `range`, `cardinality`, `maximum`, …
    pub aspect: &'static str,
    /// Before; absent when added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// After; absent when removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
    /// What it does to data that was valid.
    pub effect: Effect,
}

/// Every difference between two schemas of one sector, in order.
pub fn diff(old: &Schema, new: &Schema) -> Vec<SemanticChange> {
    let mut changes = Changes { found: Vec::new() };
    let sector = new.sector_iri().to_string();
    changes.settings(&sector, &old.settings, &new.settings);
    let classes: BTreeSet<_> = old.classes.keys().chain(new.classes.keys()).collect();
    for iri in classes {
        let subject = iri.as_str();
        match (old.classes.get(iri), new.classes.get(iri)) {
            (Some(old), Some(new)) => changes.class(subject, old, new),
            (Some(old), None) => {
                changes.state(subject, None, "class", Some(&old.label), None, Effect::Strengthening);
            }
            (None, Some(new)) => {
                changes.state(subject, None, "class", None, Some(&new.label), Effect::Weakening);
                for (key, property) in &new.properties {
                    changes.state(
                        subject,
                        Some(key),
                        "property",
                        None,
                        Some(&summary(property)),
                        Effect::Weakening,
                    );
                }
            }
            (None, None) => {}
        }
    }
    changes.found.sort();
    changes.found
}

/// What differs between two states of one property of `class`, in order.
pub(crate) fn property_differences(class: &str, old: &Property, new: &Property) -> Vec<SemanticChange> {
    let mut changes = Changes { found: Vec::new() };
    changes.property((class, Some(&new.key)), old, new);
    changes.found.sort();
    changes.found
}

/// A property's constraints in one line, e.g. `0..1 decimal, 0 to 100`.
fn summary(property: &Property) -> String {
    format!("{} {}", property.cardinality.as_str(), ranges(property))
}

fn ranges(property: &Property) -> String {
    let names: Vec<&str> = property
        .ranges
        .iter()
        .map(|range| match range {
            Range::Datatype(datatype) => datatype.iri().local_name(),
            Range::Class(class) => class.as_str(),
        })
        .collect();
    if names.is_empty() { "no value seen".to_owned() } else { names.join(" | ") }
}

struct Changes {
    found: Vec<SemanticChange>,
}

impl Changes {
    fn state(
        &mut self,
        subject: &str,
        key: Option<&str>,
        aspect: &'static str,
        old: Option<&str>,
        new: Option<&str>,
        effect: Effect,
    ) {
        self.found.push(SemanticChange {
            subject: subject.to_owned(),
            key: key.map(str::to_owned),
            aspect,
            old: old.map(str::to_owned),
            new: new.map(str::to_owned),
            effect,
        });
    }

    /// States a difference of two values, if there is one.
    fn compare<T: Display + PartialEq>(
        &mut self,
        (subject, key): (&str, Option<&str>),
        aspect: &'static str,
        (old, new): (Option<T>, Option<T>),
        effect: Effect,
    ) {
        if old != new {
            let show = |value: Option<T>| value.map(|value| value.to_string());
            self.state(subject, key, aspect, show(old).as_deref(), show(new).as_deref(), effect);
        }
    }

    fn class(&mut self, subject: &str, old: &Class, new: &Class) {
        let at = (subject, None);
        self.compare(at, "label", (Some(&old.label), Some(&new.label)), Effect::Neutral);
        self.compare(at, "comment", (Some(&old.comment), Some(&new.comment)), Effect::Neutral);
        self.compare(at, "parent", (Some(&old.subclass_of), Some(&new.subclass_of)), Effect::Strengthening);
        self.compare(at, "hot", (Some(old.hot), Some(new.hot)), Effect::Neutral);
        for event_type in old.event_types.difference(&new.event_types) {
            self.state(subject, None, "event type", Some(event_type), None, Effect::Strengthening);
        }
        for event_type in new.event_types.difference(&old.event_types) {
            self.state(subject, None, "event type", None, Some(event_type), Effect::Weakening);
        }
        let keys: BTreeSet<&String> = old.properties.keys().chain(new.properties.keys()).collect();
        for key in keys {
            match (old.properties.get(key), new.properties.get(key)) {
                (Some(old), Some(new)) => self.property((subject, Some(key)), old, new),
                (Some(old), None) => {
                    self.state(
                        subject,
                        Some(key),
                        "property",
                        Some(&summary(old)),
                        None,
                        Effect::Strengthening,
                    );
                }
                (None, Some(new)) => {
                    let required = new.cardinality.is_required();
                    let effect = if required { Effect::Strengthening } else { Effect::Weakening };
                    self.state(subject, Some(key), "property", None, Some(&summary(new)), effect);
                }
                (None, None) => {}
            }
        }
    }

    fn property(&mut self, at: (&str, Option<&str>), old: &Property, new: &Property) {
        // The effect of one aspect is that of the old property with this aspect alone as it is now.
        let effect = |change: &dyn Fn(&mut Property)| {
            let mut one = old.clone();
            change(&mut one);
            effect_of(old, &one)
        };
        self.compare(at, "label", (Some(&old.label), Some(&new.label)), Effect::Neutral);
        self.compare(at, "comment", (Some(&old.comment), Some(&new.comment)), Effect::Neutral);
        self.compare(at, "deprecated", (Some(old.deprecated), Some(new.deprecated)), Effect::Neutral);
        self.compare(
            at,
            "replaced by",
            (old.replaced_by.as_ref(), new.replaced_by.as_ref()),
            Effect::Neutral,
        );
        self.compare(at, "iri", (Some(&old.iri), Some(&new.iri)), Effect::Strengthening);
        let range = effect(&|one| one.ranges.clone_from(&new.ranges));
        self.compare(at, "range", (Some(ranges(old)), Some(ranges(new))), range);
        let cardinality = effect(&|one| one.cardinality = new.cardinality);
        let texts = (Some(old.cardinality.as_str()), Some(new.cardinality.as_str()));
        self.compare(at, "cardinality", texts, cardinality);
        let (a, b) = (&old.facets, &new.facets);
        let values = |property: &Property| {
            let values = property.facets.values.as_ref()?;
            Some(values.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
        };
        let effects = [
            effect(&|one| one.facets.values.clone_from(&b.values)),
            effect(&|one| one.facets.min = b.min),
            effect(&|one| one.facets.max = b.max),
            effect(&|one| one.facets.min_length = b.min_length),
            effect(&|one| one.facets.max_length = b.max_length),
        ];
        self.compare(at, "values", (values(old), values(new)), effects[0]);
        self.compare(at, "minimum", (a.min, b.min), effects[1]);
        self.compare(at, "maximum", (a.max, b.max), effects[2]);
        self.compare(at, "minimum length", (a.min_length, b.min_length), effects[3]);
        self.compare(at, "maximum length", (a.max_length, b.max_length), effects[4]);
    }

    fn settings(&mut self, sector: &str, old: &Settings, new: &Settings) {
        let at = (sector, None);
        let neutral = Effect::Neutral;
        self.compare(
            at,
            "minimum evidence",
            (Some(old.minimum_evidence), Some(new.minimum_evidence)),
            neutral,
        );
        self.compare(at, "frequency limit", (Some(old.frequency_limit), Some(new.frequency_limit)), neutral);
        self.compare(at, "error share, ppm", (Some(old.error_share_ppm), Some(new.error_share_ppm)), neutral);
        self.compare(at, "heartbeat, ms", (Some(old.heartbeat_ms), Some(new.heartbeat_ms)), neutral);
        let confidence = (Some(old.minimum_confidence_ppm), Some(new.minimum_confidence_ppm));
        self.compare(at, "minimum confidence, ppm", confidence, neutral);
        let policy = (Some(old.promotion_policy.as_str()), Some(new.promotion_policy.as_str()));
        self.compare(at, "promotion policy", policy, neutral);
        let compatibility = (Some(old.compatibility.as_str()), Some(new.compatibility.as_str()));
        self.compare(at, "compatibility", compatibility, neutral);
        let event_types: BTreeSet<&String> =
            old.expected_rates.keys().chain(new.expected_rates.keys()).collect();
        for event_type in event_types {
            let rates = (old.expected_rates.get(event_type), new.expected_rates.get(event_type));
            self.compare((sector, Some(event_type)), "expected rate per minute", rates, neutral);
        }
        for event_type in old.error_event_types.difference(&new.error_event_types) {
            self.state(sector, None, "error event type", Some(event_type), None, neutral);
        }
        for event_type in new.error_event_types.difference(&old.error_event_types) {
            self.state(sector, None, "error event type", None, Some(event_type), neutral);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::classification::{classify, overall};
    use crate::delta::Delta;
    use crate::samples::any_schema;
    use crate::schema::Facets;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn every_difference_is_told_and_as_grave_as_the_change(old in any_schema(), new in any_schema()) {
            let new = Schema { settings: old.settings.clone(), ..new };
            let told = diff(&old, &new);
            prop_assert_eq!(told.is_empty(), old == new);
            prop_assert!(diff(&old, &old).is_empty());
            prop_assert_eq!(diff(&new, &old).is_empty(), told.is_empty());
            let effect = told.iter().map(|change| change.effect).fold(Effect::Neutral, Effect::and);
            prop_assert_eq!(effect, overall(&classify(&Delta::between(&old, &new), &old)));
        }
    }

    #[test]
    fn settings_are_compared_one_by_one() {
        let mut old = any_sample();
        old.settings = Settings::default();
        let mut new = old.clone();
        new.settings.minimum_evidence = 3;
        new.settings.heartbeat_ms = 1;
        new.settings.frequency_limit = 9;
        new.settings.error_share_ppm = 1;
        new.settings.minimum_confidence_ppm = 2;
        new.settings.promotion_policy = crate::schema::PromotionPolicy::HumanReview;
        new.settings.compatibility = crate::schema::Compatibility::FullTransitive;
        new.settings.expected_rates.insert("a".into(), 5);
        new.settings.error_event_types.insert("bad".into());
        let told = diff(&old, &new);
        assert_eq!(told.len(), 9);
        assert!(
            told.iter()
                .all(|change| change.effect == Effect::Neutral && change.subject == "urn:knhk:sector:x")
        );
        assert!(told.iter().any(|c| c.aspect == "expected rate per minute"
            && c.old.is_none()
            && c.new.as_deref() == Some("5")));
        assert_eq!(diff(&new, &old).len(), 9);
    }

    #[test]
    fn each_aspect_of_a_property_is_told_where_it_stands() {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let (mut old, class, key) = loop {
            use proptest::strategy::ValueTree;
            let schema = any_schema().new_tree(&mut runner).unwrap().current();
            let found = schema
                .classes
                .values()
                .find_map(|class| Some((class.iri.clone(), class.properties.keys().next()?.clone())));
            if let Some((class, key)) = found {
                break (schema, class, key);
            }
        };
        let property = |schema: &mut Schema, change: &dyn Fn(&mut Property)| {
            change(schema.classes.get_mut(&class).unwrap().properties.get_mut(&key).unwrap());
        };
        property(&mut old, &|p| {
            p.facets = Facets { max: Some(9.into()), max_length: Some(9), ..Facets::default() }
        });
        let mut new = old.clone();
        property(&mut new, &|p| {
            p.label = "new label".into();
            p.comment = "new comment".into();
            p.deprecated = !p.deprecated;
            p.facets.values = Some(BTreeSet::from(["a".to_owned(), "b".to_owned()]));
            p.facets.min = Some(1.into());
            p.facets.max = Some(10.into());
            p.facets.min_length = Some(1);
            p.facets.max_length = None;
        });
        let told = diff(&old, &new);
        assert!(
            told.iter().all(|c| c.subject == class.as_str() && c.key.as_deref() == Some(key.as_str())),
            "{told:#?}"
        );
        let aspects: Vec<&str> = told.iter().map(|c| c.aspect).collect();
        assert_eq!(
            aspects,
            [
                "comment",
                "deprecated",
                "label",
                "maximum",
                "maximum length",
                "minimum",
                "minimum length",
                "values"
            ]
        );
        let one = |aspect| {
            let c = told.iter().find(|c| c.aspect == aspect).unwrap();
            (c.old.as_deref(), c.new.as_deref(), c.effect)
        };
        assert_eq!(one("maximum"), (Some("9"), Some("10"), Effect::Weakening));
        assert_eq!(one("maximum length"), (Some("9"), None, Effect::Weakening));
        assert_eq!(one("values"), (None, Some("a, b"), Effect::Strengthening));
    }

    fn any_sample() -> Schema {
        use proptest::strategy::ValueTree;
        any_schema().new_tree(&mut proptest::test_runner::TestRunner::deterministic()).unwrap().current()
    }
}
