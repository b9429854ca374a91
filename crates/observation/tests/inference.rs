//! What is inferred from a stream describes that stream: nothing is left over, nothing is claimed that was not seen.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use knhk_observation::class_names::ClassNames;
use knhk_observation::detect::detect;
use knhk_observation::infer::{Inference, Inferred, UNIVERSAL_CLAIM_DISTINCT_MIN};
use knhk_observation::profile::{EventMeta, Profile};
use knhk_observation::{Baseline, PatternKind};
use knhk_ontology::schema::{Cardinality, Datatype, Range, Schema, Settings};
use knhk_projection::json::Json;
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

fn empty() -> Schema {
    Schema {
        sector: "test".to_owned(),
        namespace: "urn:knhk:test#".to_owned(),
        settings: Settings::default(),
        event_types: BTreeMap::new(),
        classes: BTreeMap::new(),
    }
}

fn observe(profile: &mut Profile, events: &[(String, Value)]) {
    for (index, (event_type, data)) in events.iter().enumerate() {
        let text = data.to_string();
        let digest: [u8; 32] = Sha256::digest(&text).into();
        let meta = EventMeta {
            record_digest: digest,
            data_digest: digest,
            time_ms: i64::try_from(index).unwrap() * 60_000,
        };
        profile.observe(event_type, &Json::parse(&text).unwrap(), &meta);
    }
}

fn infer(events: &[(String, Value)]) -> (Schema, Inferred) {
    let mut profile = Profile::new();
    observe(&mut profile, events);
    let mut schema = empty();
    let base = empty();
    let mut inference = Inference::new(&base, 1, &ClassNames::default());
    for (event_type, observed) in profile.event_types() {
        inference.event_type(event_type, observed).unwrap();
    }
    let (inferred, _) = inference.finish();
    for class in &inferred.classes {
        for event_type in &class.event_types {
            schema.event_types.insert(event_type.clone(), class.iri.clone());
        }
        schema.classes.insert(class.iri.clone(), class.clone());
    }
    (schema, inferred)
}

/// Whatever JSON holds, a few levels deep, with few keys so that positions meet.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9_f64).prop_map(Value::from),
        "[a-z]{0,3}".prop_map(Value::from),
        Just(json!("2026-01-05T08:00:00Z")),
        Just(json!({})),
        Just(json!([])),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[abc.\\[é]{1,2}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn events() -> impl Strategy<Value = Vec<(String, Value)>> {
    let object = prop::collection::btree_map("[abcd]{1,2}", value(), 0..4)
        .prop_map(|members| Value::Object(members.into_iter().collect()));
    prop::collection::vec(("[tu]\\.[vw]".prop_map(String::from), object), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_stream_agrees_with_what_was_inferred_from_it(events in events()) {
        let (schema, _) = infer(&events);
        prop_assert!(schema.check().is_ok(), "{:?}", schema.check());
        let mut profile = Profile::against(Arc::new(schema));
        observe(&mut profile, &events);
        let drift: Vec<_> = detect(&profile, &Baseline::default())
            .into_iter()
            .filter(|p| p.kind != PatternKind::FrequencyAnomaly && p.kind != PatternKind::MissingData)
            .collect();
        prop_assert!(drift.is_empty(), "{drift:#?}");
        prop_assert_eq!(profile.conforming(), events.len() as u64);
    }

    #[test]
    fn every_path_is_declared_once(events in events()) {
        let (_, inferred) = infer(&events);
        let places: BTreeSet<_> = inferred.declared.iter().map(|d| (&d.event_type, &d.path)).collect();
        prop_assert_eq!(places.len(), inferred.declared.len());
    }

    #[test]
    fn the_order_of_events_changes_nothing(events in events(), seed in any::<u64>()) {
        let mut shuffled = events.clone();
        let mut state = seed | 1;
        for i in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(i, usize::try_from(state >> 33).unwrap() % (i + 1));
        }
        prop_assert_eq!(infer(&events).0, infer(&shuffled).0);
    }
}

fn of(data: impl IntoIterator<Item = Value>) -> Schema {
    infer(&data.into_iter().map(|d| ("t.order".to_owned(), d)).collect::<Vec<_>>()).0
}

#[test]
fn few_distinct_payloads_claim_nothing_of_all_events() {
    let few = of((0..200).map(|i| json!({ "at": "2026-01-05T08:00:00Z", "n": i % 10 })));
    let class = few.class_of_event("t.order").unwrap();
    assert_eq!(class.properties["at"].cardinality, Cardinality::ZeroOrOne);
    assert_eq!(class.properties["at"].ranges, BTreeSet::from([Range::Datatype(Datatype::String)]));

    let many = UNIVERSAL_CLAIM_DISTINCT_MIN;
    let enough = of((0..many).map(|i| json!({ "at": "2026-01-05T08:00:00Z", "n": i })));
    let class = enough.class_of_event("t.order").unwrap();
    assert_eq!(class.properties["at"].cardinality, Cardinality::One);
    assert_eq!(class.properties["at"].ranges, BTreeSet::from([Range::Datatype(Datatype::DateTime)]));
}

#[test]
fn objects_of_equal_structure_share_a_class_and_others_do_not() {
    let money = json!({ "amount": 1.5, "currency": "EUR" });
    let schema =
        of([json!({ "price": money, "tax": money, "rate": { "amount": "1.5", "currency": "EUR" } })]);
    let class = schema.class_of_event("t.order").unwrap();
    let range = |key: &str| class.properties[key].ranges.first().unwrap().clone();
    assert_eq!(range("price"), range("tax"));
    assert_ne!(range("price"), range("rate"), "the amount is a string there");
    assert_eq!(schema.classes.len(), 3);
}

#[test]
fn arrays_nulls_and_unions_are_what_they_are() {
    let schema = of([
        json!({ "items": [{ "sku": "a" }, { "sku": "b", "n": 1 }], "nested": [[1]], "none": null, "empty": [], "mixed": 1 }),
        json!({ "items": [], "mixed": "x" }),
    ]);
    let class = schema.class_of_event("t.order").unwrap();
    let property = |key: &str| &class.properties[key];
    assert_eq!(property("items").cardinality, Cardinality::ZeroOrMore);
    assert!(matches!(property("items").ranges.first(), Some(Range::Class(_))));
    assert_eq!(property("nested").ranges, BTreeSet::from([Range::Datatype(Datatype::Json)]));
    assert!(property("none").ranges.is_empty() && property("empty").ranges.is_empty());
    assert_eq!(property("empty").cardinality, Cardinality::ZeroOrMore);
    let either = [Datatype::String, Datatype::Integer].map(Range::Datatype);
    assert_eq!(property("mixed").ranges, BTreeSet::from(either));
}

#[test]
fn keys_of_any_shape_become_terms() {
    let schema = of([
        json!({ "": 1, "a b": 2, "é/#?": 3, "x".repeat(300): 4, "x".repeat(301): 4, "é".repeat(500): 5, "a.b": 5, "9": { "9": 6 } }),
    ]);
    schema.check().unwrap();
    let properties = &schema.class_of_event("t.order").unwrap().properties;
    let iris: BTreeSet<_> = properties.values().map(|p| p.iri.as_str()).collect();
    assert_eq!(iris.len(), 8);
    assert!(iris.iter().all(|iri| iri.len() < 400), "{iris:?}");
}

#[test]
fn keys_without_letters_are_named_in_time() {
    // 10,000 objects of different structure, none of whose keys makes a name: each was numbered from 2 on.
    let mut profile = Profile::new();
    for t in 0..10 {
        let mut data = serde_json::Map::new();
        for k in 0..1_000 {
            let key = char::from_u32(0x4E00 + k).unwrap().to_string();
            data.insert(key, json!({ (format!("k{t}·{k}")): 1 }));
        }
        observe(&mut profile, &[(format!("t{t}"), Value::Object(data))]);
    }
    let base = empty();
    let mut inference = Inference::new(&base, 1, &ClassNames::default());
    for (event_type, observed) in profile.event_types() {
        inference.event_type(event_type, observed).unwrap();
    }
    let (inferred, _) = inference.finish();
    let names: BTreeSet<_> = inferred.classes.iter().map(|c| c.iri.local_name()).collect();
    assert_eq!((inferred.classes.len(), names.len()), (10_010, 10_010));
}
