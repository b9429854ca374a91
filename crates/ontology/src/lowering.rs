//! From a typed change to triples. The schema before and after are rendered where they differ, and the difference is
//! the change: so the order of lists in a [`Delta`] does not matter, and equal states have equal triples.

use std::collections::BTreeSet;

use crate::delta::{ChangedProperty, Delta, PropertyRef, SetValue, TypedLiteral};
use crate::error::OntologyError;
use crate::iri::Iri;
use crate::rendering::{class_triples, is_closed_among, parents, property_triples, shape_of};
use crate::schema::{Class, Property, Schema};
use crate::sigma::Sigma;
use crate::triple::{Literal, Term, Triple};
use crate::triple_delta::TripleDelta;
use crate::vocab;

/// Most entries in all lists of one change together.
pub const DELTA_ENTRIES_MAX: usize = 10_000;

/// The triples that `delta` adds to and removes from `sigma.sector`. `schema` is what `sigma` says
/// ([`Sigma::schema`]). The empty change gives the empty change.
///
/// # Errors
/// Unknown targets, taken names, circles of subclasses, references left dangling, values that are not as expected,
/// and everything that [`Schema::check`] refuses in the result.
pub fn lower(delta: &Delta, sigma: &Sigma, schema: &Schema) -> Result<TripleDelta, OntologyError> {
    let after = schema.with(delta)?;
    let mut change = Difference::default();
    touched(delta, schema, &after).render(schema, &after, &mut change);

    let gone = gone(delta, schema, &after);
    for iri in &gone {
        change.removed.extend(sigma.sector.matching(Some(iri), None, None));
    }
    let mut targets = BTreeSet::new();
    for value in &delta.set_values {
        if !targets.insert((&value.subject, &value.predicate)) {
            let name = format!("{} {}", value.subject, value.predicate);
            return Err(OntologyError::Collision { name, holder: "this change".into() });
        }
        set(value, sigma, &after, &mut change)?;
    }
    let delta = change.settle();
    for iri in &gone {
        let target = Term::Iri(iri.clone());
        if let Some(left) = sigma
            .sector
            .matching(None, None, Some(&target))
            .filter(|triple| !delta.removed.contains(triple))
            .min()
        {
            return Err(OntologyError::Dangling {
                holder: left.subject.to_string(),
                target: iri.to_string(),
            });
        }
    }
    if delta.added.iter().chain(&delta.removed).any(|triple| is_setting(&triple.predicate)) {
        // A value that was set must read back: it is text until then.
        Schema::read(&sigma.core, &delta.apply(&sigma.sector)?)?;
    }
    Ok(delta)
}

impl Schema {
    /// The schema after a change, but for [`Delta::set_values`], which are read from the graph.
    ///
    /// # Errors
    /// As [`lower`].
    pub fn with(&self, delta: &Delta) -> Result<Self, OntologyError> {
        let entries: usize = delta.list_lengths().iter().sum();
        if entries > DELTA_ENTRIES_MAX {
            return Err(OntologyError::too_large("change in entries", DELTA_ENTRIES_MAX));
        }
        let mut after = self.clone();
        for PropertyRef { domain, key } in &delta.removed_properties {
            let class = after.classes.get_mut(domain).ok_or_else(|| unknown(domain))?;
            class.properties.remove(key).ok_or_else(|| unknown_key(domain, key))?;
        }
        for iri in &delta.removed_classes {
            let class = after.classes.remove(iri).ok_or_else(|| unknown(iri))?;
            for event_type in &class.event_types {
                after.event_types.remove(event_type);
                after.settings.expected_rates.remove(event_type);
            }
        }
        let mut changed = BTreeSet::new();
        for ChangedProperty { target, property } in &delta.changed_properties {
            let PropertyRef { domain, key } = target;
            if !changed.insert(target) {
                return Err(OntologyError::Collision {
                    name: format!("{domain} {key}"),
                    holder: "this change".into(),
                });
            }
            let class = after.classes.get_mut(domain).ok_or_else(|| unknown(domain))?;
            let old = class.properties.get_mut(key).ok_or_else(|| unknown_key(domain, key))?;
            if old.iri != property.iri || old.key != property.key {
                let problem =
                    "cannot change its IRI or key; add a property, and deprecate this one as replaced by it";
                return Err(OntologyError::malformed(&old.iri, problem));
            }
            *old = property.clone();
        }
        for class in &delta.added_classes {
            for event_type in &class.event_types {
                if let Some(holder) = after.event_types.insert(event_type.clone(), class.iri.clone()) {
                    return Err(OntologyError::Collision {
                        name: event_type.clone(),
                        holder: holder.to_string(),
                    });
                }
            }
            if after.classes.insert(class.iri.clone(), class.clone()).is_some() {
                return Err(OntologyError::Collision {
                    name: class.iri.to_string(),
                    holder: "a class".into(),
                });
            }
        }
        for added in &delta.added_properties {
            let class = after.classes.get_mut(&added.domain).ok_or_else(|| unknown(&added.domain))?;
            let key = &added.property.key;
            if class.properties.insert(key.clone(), added.property.clone()).is_some() {
                let name = format!("{} {key}", added.domain);
                return Err(OntologyError::Collision { name, holder: "a property".into() });
            }
        }
        after.check()?;
        Ok(after)
    }
}

fn unknown(iri: &Iri) -> OntologyError {
    OntologyError::UnknownTarget { target: iri.to_string() }
}

fn unknown_key(domain: &Iri, key: &str) -> OntologyError {
    OntologyError::UnknownTarget { target: format!("{domain} {key}") }
}

/// What may be rendered differently before and after.
struct Touched<'d> {
    classes: BTreeSet<&'d Iri>,
    properties: BTreeSet<(&'d Iri, &'d str)>,
}

fn touched<'d>(delta: &'d Delta, before: &'d Schema, after: &'d Schema) -> Touched<'d> {
    let mut touched = Touched { classes: BTreeSet::new(), properties: BTreeSet::new() };
    let named = delta.removed_classes.iter().chain(delta.added_classes.iter().map(|class| &class.iri));
    for iri in named {
        touched.classes.insert(iri);
        for class in [before.classes.get(iri), after.classes.get(iri)].into_iter().flatten() {
            // Whether a class is closed depends on its children.
            touched.classes.insert(&class.subclass_of);
            touched.properties.extend(class.properties.keys().map(|key| (&class.iri, key.as_str())));
        }
    }
    let references =
        delta.removed_properties.iter().chain(delta.changed_properties.iter().map(|c| &c.target));
    touched.properties.extend(references.map(|target| (&target.domain, target.key.as_str())));
    touched
        .properties
        .extend(delta.added_properties.iter().map(|added| (&added.domain, added.property.key.as_str())));
    touched
}

impl Touched<'_> {
    fn render(&self, before: &Schema, after: &Schema, change: &mut Difference) {
        for (schema, triples) in [(before, &mut change.removed), (after, &mut change.added)] {
            let sector = schema.sector_iri();
            let parents = parents(schema);
            for iri in &self.classes {
                if let Some(class) = schema.classes.get(*iri) {
                    triples.extend(class_triples(class, &sector, is_closed_among(class, schema, &parents)));
                }
            }
            for (domain, key) in &self.properties {
                if let Some(property) =
                    schema.classes.get(*domain).and_then(|class| class.properties.get(*key))
                {
                    triples.extend(property_triples(domain, property, &sector));
                }
            }
        }
    }
}

/// Classes and properties that are no more, with their shapes.
fn gone(delta: &Delta, before: &Schema, after: &Schema) -> BTreeSet<Iri> {
    let mut old: BTreeSet<&Iri> = BTreeSet::new();
    for class in delta.removed_classes.iter().filter_map(|iri| before.classes.get(iri)) {
        old.insert(&class.iri);
        old.extend(class.properties.values().map(|property| &property.iri));
    }
    for PropertyRef { domain, key } in &delta.removed_properties {
        old.extend(before.classes.get(domain).and_then(|class| class.properties.get(key)).map(|p| &p.iri));
    }
    if old.is_empty() {
        return BTreeSet::new();
    }
    let kept: BTreeSet<&Iri> = after
        .classes
        .values()
        .flat_map(|class: &Class| {
            std::iter::once(&class.iri).chain(class.properties.values().map(|p: &Property| &p.iri))
        })
        .collect();
    old.difference(&kept).flat_map(|iri| [(*iri).clone(), shape_of(iri)]).collect()
}

#[derive(Default)]
struct Difference {
    added: BTreeSet<Triple>,
    removed: BTreeSet<Triple>,
}

impl Difference {
    fn settle(self) -> TripleDelta {
        TripleDelta {
            added: self.added.difference(&self.removed).cloned().collect(),
            removed: self.removed.difference(&self.added).cloned().collect(),
        }
    }
}

fn is_setting(predicate: &Iri) -> bool {
    is_sector_setting(predicate) || is_class_setting(predicate)
}

fn is_sector_setting(predicate: &Iri) -> bool {
    [
        &*vocab::KNHK_MINIMUM_EVIDENCE,
        &*vocab::KNHK_MINIMUM_CONFIDENCE,
        &*vocab::KNHK_FREQUENCY_LIMIT,
        &*vocab::KNHK_ERROR_SHARE,
        &*vocab::KNHK_HEARTBEAT,
        &*vocab::KNHK_PROMOTION_POLICY,
        &*vocab::KNHK_COMPATIBILITY,
    ]
    .contains(&predicate)
}

fn is_class_setting(predicate: &Iri) -> bool {
    [&*vocab::KNHK_HOT, &*vocab::KNHK_EXPECTED_RATE].contains(&predicate)
}

fn set(
    value: &SetValue,
    sigma: &Sigma,
    after: &Schema,
    change: &mut Difference,
) -> Result<(), OntologyError> {
    let SetValue { subject, predicate, old, new } = value;
    let own = |iri: &Iri| iri.as_str().starts_with(&after.namespace);
    let is_class = after.classes.contains_key(subject);
    let may_be_set = if *subject == after.sector_iri() {
        is_sector_setting(predicate) || own(predicate)
    } else if is_class {
        is_class_setting(predicate) || own(predicate)
    } else {
        own(subject) && own(predicate) && !subject.as_str().ends_with("-shape")
    };
    if !may_be_set {
        return Err(OntologyError::NotSupported {
            term: predicate.to_string(),
            subject: subject.to_string(),
        });
    }
    let literal = |typed: &TypedLiteral| Literal::typed(typed.value.as_str(), typed.datatype.clone());
    // `knhk:hot false` and nothing mean the same; the canonical form is nothing.
    let stated = |literal: &Literal| *predicate != *vocab::KNHK_HOT || literal.value() != "false";
    let expected: BTreeSet<Term> = old.iter().map(literal).filter(stated).map(Term::from).collect();
    let found: BTreeSet<Term> = sigma.sector.objects(subject, predicate).into_iter().collect();
    if expected != found {
        let show = |terms: &BTreeSet<Term>| {
            let texts: Vec<String> = terms.iter().map(ToString::to_string).collect();
            if texts.is_empty() { "no value".to_owned() } else { texts.join(", ") }
        };
        return Err(OntologyError::OtherValue {
            subject: subject.to_string(),
            predicate: predicate.to_string(),
            expected: show(&expected),
            found: show(&found),
        });
    }
    for term in found {
        change.removed.insert(Triple::new(subject, predicate, term));
    }
    let new = literal(new);
    if stated(&new) {
        change.added.insert(Triple::new(subject, predicate, new));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::delta::AddedProperty;
    use crate::graph::Graph;
    use crate::samples::{any_property, any_schema, iri, sigma_of};
    use crate::schema::Settings;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn a_lowered_change_leads_to_the_schema_meant_and_back(
            old in any_schema(), new in any_schema(), turn in 0..7_usize,
        ) {
            let new = Schema { settings: Settings { expected_rates: old.settings.expected_rates.clone(), ..new.settings }, ..new };
            let sigma = sigma_of(&old);
            let mut delta = Delta::between(&old, &new);
            let lowered = lower(&delta, &sigma, &old).unwrap();
            let after = sigma.apply(&lowered).unwrap();
            let read = after.schema().unwrap();
            prop_assert_eq!(&read.classes, &new.classes);
            prop_assert_eq!(&read.event_types, &new.event_types);
            prop_assert_eq!(&after.sector, &sigma_of(&new).sector);
            prop_assert_eq!(after.apply(&lowered.inverse()).unwrap().content_id(), sigma.content_id());
            prop_assert_eq!(delta.is_empty(), lowered.is_empty());
            // The schema's own idea of the result is what the graph says.
            prop_assert_eq!(&old.with(&delta).unwrap().classes, &new.classes);

            let (classes, properties) = (delta.added_classes.len(), delta.removed_properties.len());
            delta.added_classes.rotate_left(turn.min(classes));
            delta.added_properties.reverse();
            delta.removed_classes.reverse();
            delta.removed_properties.rotate_left(turn.min(properties));
            delta.changed_properties.reverse();
            prop_assert_eq!(lower(&delta, &sigma, &old).unwrap(), lowered);
        }
    }

    fn sample() -> (Schema, Sigma) {
        use proptest::strategy::ValueTree;
        use proptest::test_runner::TestRunner;
        let mut runner = TestRunner::deterministic();
        loop {
            let schema = any_schema().new_tree(&mut runner).unwrap().current();
            let c0 = schema.classes.get(&iri("C0"));
            if schema.classes.len() == 4 && c0.is_some_and(|class| !class.properties.is_empty()) {
                let sigma = sigma_of(&schema);
                return (schema, sigma);
            }
        }
    }

    fn property(local: &str, key: &str) -> Property {
        use proptest::strategy::ValueTree;
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let base = any_property().new_tree(&mut runner).unwrap().current();
        Property { iri: iri(local), key: key.into(), ..base }
    }

    fn refused(delta: &Delta) -> &'static str {
        let (schema, sigma) = sample();
        lower(delta, &sigma, &schema).unwrap_err().code()
    }

    #[test]
    fn impossible_changes_are_refused() {
        let (schema, _) = sample();
        let c0 = &schema.classes[&iri("C0")];
        let existing = c0.properties.values().next().unwrap().clone();
        let target = |domain: &str, key: &str| PropertyRef { domain: iri(domain), key: key.into() };
        let class = |local: &str, parent: Iri| Class {
            iri: iri(local),
            subclass_of: parent,
            event_types: BTreeSet::new(),
            properties: std::collections::BTreeMap::new(),
            ..c0.clone()
        };
        let adding = |classes: &[Class]| Delta { added_classes: classes.to_vec(), ..Delta::default() };
        let add = |domain: &str, property: Property| Delta {
            added_properties: vec![AddedProperty { domain: iri(domain), property }],
            ..Delta::default()
        };

        assert_eq!(refused(&adding(std::slice::from_ref(c0))), "KNHK-E1307");
        assert_eq!(refused(&adding(&[class("A", iri("B")), class("B", iri("A"))])), "KNHK-E1308");
        assert_eq!(refused(&adding(&[class("A", iri("A"))])), "KNHK-E1308");
        assert_eq!(refused(&adding(&[class("A", iri("nowhere"))])), "KNHK-E1317");
        assert_eq!(refused(&adding(&[class("C0-shape", iri("C0"))])), "KNHK-E1307", "the name of a shape");
        let mut outside = class("A", iri("C0"));
        outside.iri = Iri::new("urn:knhk:ns#A").unwrap();
        assert_eq!(refused(&adding(&[outside])), "KNHK-E1313");
        let mut taken = class("A", iri("C0"));
        taken.event_types.insert("a".into());
        assert_eq!(refused(&adding(&[taken])), "KNHK-E1307");

        assert_eq!(refused(&add("C0", existing.clone())), "KNHK-E1307");
        assert_eq!(
            refused(&add("C3", Property { iri: iri("C3.z"), ..existing.clone() })),
            "KNHK-E1307",
            "an inherited key"
        );
        assert_eq!(refused(&add("C9", property("C9.z", "z"))), "KNHK-E1306");
        assert_eq!(refused(&add("C0", property("C1", "z"))), "KNHK-E1307", "the name of a class");

        let removing = |classes: &[&str]| Delta {
            removed_classes: classes.iter().map(|local| iri(local)).collect(),
            ..Delta::default()
        };
        assert_eq!(refused(&removing(&["C9"])), "KNHK-E1306");
        assert_eq!(refused(&removing(&["C2"])), "KNHK-E1317", "C3 is below it");
        let unknown = Delta { removed_properties: vec![target("C0", "zz")], ..Delta::default() };
        assert_eq!(refused(&unknown), "KNHK-E1306");

        let to = |property: Property| Delta {
            changed_properties: vec![ChangedProperty { target: target("C0", &existing.key), property }],
            ..Delta::default()
        };
        assert_eq!(refused(&to(Property { key: "other".into(), ..existing.clone() })), "KNHK-E1305");
        let mut twice = to(existing.clone());
        twice.changed_properties.extend_from_within(..);
        assert_eq!(refused(&twice), "KNHK-E1307");
        let many = Delta { removed_classes: vec![iri("C9"); DELTA_ENTRIES_MAX + 1], ..Delta::default() };
        assert_eq!(refused(&many), "KNHK-E1312");
    }

    fn typed(value: &str, datatype: &Iri) -> TypedLiteral {
        TypedLiteral { value: value.into(), datatype: datatype.clone() }
    }

    fn setting(subject: Iri, predicate: &Iri, old: Option<TypedLiteral>, new: TypedLiteral) -> Delta {
        let value = SetValue { subject, predicate: predicate.clone(), old, new };
        Delta { set_values: vec![value], ..Delta::default() }
    }

    #[test]
    fn values_are_set_when_the_old_one_is_as_expected() {
        let (schema, sigma) = sample();
        let integer = &*vocab::XSD_INTEGER;
        let apply =
            |delta: &Delta| sigma.apply(&lower(delta, &sigma, &schema).unwrap()).unwrap().schema().unwrap();

        let evidence = setting(
            schema.sector_iri(),
            &vocab::KNHK_MINIMUM_EVIDENCE,
            Some(typed("7", integer)),
            typed("9", integer),
        );
        assert_eq!(apply(&evidence).settings.minimum_evidence, 9);
        let policy = setting(
            schema.sector_iri(),
            &vocab::KNHK_PROMOTION_POLICY,
            Some(typed("automatic", &vocab::XSD_STRING)),
            typed("human_review", &vocab::XSD_STRING),
        );
        assert_eq!(apply(&policy).settings.promotion_policy.as_str(), "human_review");
        let rate = setting(iri("C2"), &vocab::KNHK_EXPECTED_RATE, None, typed("60", integer));
        assert_eq!(apply(&rate).settings.expected_rates["c"], 60);
        let truth = |text: &str| typed(text, &vocab::XSD_BOOLEAN);
        let cold = setting(iri("C2"), &vocab::KNHK_HOT, Some(truth("true")), truth("false"));
        let lowered = lower(&cold, &sigma, &schema).unwrap();
        assert_eq!((lowered.added.len(), lowered.removed.len()), (0, 1));
        assert!(!apply(&cold).classes[&iri("C2")].hot);
        let hot = setting(iri("C0"), &vocab::KNHK_HOT, Some(truth("false")), truth("true"));
        assert!(apply(&hot).classes[&iri("C0")].hot);
        let threshold = setting(iri("approval"), &iri("limit"), None, typed("25000", integer));
        assert_eq!(lower(&threshold, &sigma, &schema).unwrap().added.len(), 1);

        let code = |delta: &Delta| lower(delta, &sigma, &schema).unwrap_err().code();
        let stale = setting(schema.sector_iri(), &vocab::KNHK_MINIMUM_EVIDENCE, None, typed("9", integer));
        assert_eq!(code(&stale), "KNHK-E1310");
        let nonsense =
            setting(schema.sector_iri(), &vocab::KNHK_HEARTBEAT, None, typed("soon", &vocab::XSD_STRING));
        assert_eq!(code(&nonsense), "KNHK-E1305");
        let label = setting(
            iri("C0"),
            &vocab::RDFS_LABEL,
            Some(typed("C0", &vocab::XSD_STRING)),
            typed("x", &vocab::XSD_STRING),
        );
        assert_eq!(code(&label), "KNHK-E1304");
        let mut twice = evidence;
        twice.set_values.extend_from_within(..);
        assert_eq!(code(&twice), "KNHK-E1307");
    }

    #[test]
    fn what_is_removed_takes_its_annotations_along_and_leaves_nothing_that_refers_to_it() {
        let (schema, mut sigma) = sample();
        let note = Triple::new(&iri("C3"), &iri("note"), Literal::string("kept until now"));
        sigma.sector.insert(&note);
        let remove = Delta { removed_classes: vec![iri("C3")], ..Delta::default() };
        let lowered = lower(&remove, &sigma, &schema).unwrap();
        assert!(lowered.removed.contains(&note));
        let after = sigma.apply(&lowered).unwrap();
        assert_eq!(after.triples_matching(Some(&iri("C3")), None, None).count(), 0);

        sigma.sector.insert(&Triple::new(&iri("report"), &iri("about"), iri("C3")));
        assert_eq!(lower(&remove, &sigma, &schema).unwrap_err().code(), "KNHK-E1317");
    }

    #[test]
    fn the_empty_change_lowers_to_the_empty_change() {
        let (schema, sigma) = sample();
        assert!(lower(&Delta::default(), &sigma, &schema).unwrap().is_empty());
        assert_eq!(Graph::new().root(), TripleDelta::default().digest());
    }
}
