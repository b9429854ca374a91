//! What rules propose makes the stream conform, says nothing that was not seen, and invalidates nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use knhk_change::doctrine::DoctrineSet;
use knhk_change::guards::GuardSet;
use knhk_change::proposal::{Op, Proposal};
use knhk_change::propose::{Situation, propose};
use knhk_observation::class_names::ClassNames;
use knhk_observation::detect::detect;
use knhk_observation::infer::Inference;
use knhk_observation::profile::{EventMeta, Profile};
use knhk_observation::{Action, Baseline, Pattern};
use knhk_ontology::Graph;
use knhk_ontology::classification::{classify, overall};
use knhk_ontology::delta::Effect;
use knhk_ontology::schema::{Cardinality, Range, Schema, Settings};
use knhk_ontology::snapshot::SnapshotId;
use knhk_projection::admission::Admission;
use knhk_projection::json::Json;
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

type Events = Vec<(String, Value)>;

fn profile_into(mut profile: Profile, events: &Events) -> Profile {
    for (index, (event_type, data)) in events.iter().enumerate() {
        let text = data.to_string();
        let digest: [u8; 32] = Sha256::digest(&text).into();
        let time_ms = i64::try_from(index).unwrap() * 60_000;
        let meta = EventMeta { record_digest: digest, data_digest: digest, time_ms };
        profile.observe(event_type, &Json::parse(&text).unwrap(), &meta);
    }
    profile
}

/// The schema inferred from a stream, proposing on any evidence at all.
fn schema_of(events: &Events, minimum_evidence: u32) -> Schema {
    let settings = Settings { minimum_evidence, minimum_confidence_ppm: 0, ..Settings::default() };
    let mut schema = Schema {
        sector: "test".to_owned(),
        namespace: "urn:knhk:test#".to_owned(),
        settings,
        event_types: BTreeMap::new(),
        classes: BTreeMap::new(),
    };
    let base = schema.clone();
    let mut inference = Inference::new(&base, 1, &ClassNames::default());
    for (event_type, observed) in profile_into(Profile::new(), events).event_types() {
        inference.event_type(event_type, observed).unwrap();
    }
    for class in inference.finish().0.classes {
        for event_type in &class.event_types {
            schema.event_types.insert(event_type.clone(), class.iri.clone());
        }
        schema.classes.insert(class.iri.clone(), class);
    }
    schema
}

/// Patterns and proposals for `events` under `schema`.
fn plan(schema: &Schema, events: &Events) -> (Vec<Pattern>, Vec<Proposal>) {
    plan_under(schema, events, "", "")
}

/// The same under the doctrine and the guards of these files.
fn plan_under(
    schema: &Schema,
    events: &Events,
    doctrine: &str,
    guards: &str,
) -> (Vec<Pattern>, Vec<Proposal>) {
    let profile = profile_into(Profile::against(Arc::new(schema.clone())), events);
    let patterns = detect(&profile, &Baseline::default());
    let base = SnapshotId([7; 32]);
    let situation = Situation {
        sector: "test",
        base,
        schema,
        profile: &profile,
        patterns: &patterns,
        doctrine: &DoctrineSet::from_toml(doctrine.as_bytes()).unwrap(),
        guards: &GuardSet::from_toml(guards.as_bytes()).unwrap(),
        graph: &Graph::default(),
        time_ms: 1,
    };
    let plan = propose(&situation);
    assert_eq!(plan.unplanned, Vec::<String>::new());
    (patterns, plan.proposals)
}

/// The schema after all proposals, one after the other.
fn promoted(schema: &Schema, proposals: &[Proposal]) -> Schema {
    proposals.iter().fold(schema.clone(), |schema, proposal| {
        let after = schema.with(&proposal.content().delta).unwrap();
        after.check().unwrap();
        after
    })
}

fn conforms(schema: &Schema, events: &Events) -> Vec<String> {
    let admission = Admission::new(schema);
    let refused = |(event_type, data): &(String, Value)| {
        let text = data.to_string();
        let json = Json::parse(&text).unwrap();
        (!admission.conforms(event_type, &json))
            .then(|| format!("{text}: {:?}", admission.check(event_type, &json)))
    };
    events.iter().filter_map(refused).collect()
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        (-1e6..1e6_f64).prop_map(Value::from),
        "[a-z]{0,3}".prop_map(Value::from),
        Just(json!([])),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[abc]", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn events() -> impl Strategy<Value = Events> {
    let object = prop::collection::btree_map("[abcd]", value(), 0..4)
        .prop_map(|members| Value::Object(members.into_iter().collect()));
    prop::collection::vec(("t\\.[uv]".prop_map(String::from), object), 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn after_promotion_the_stream_conforms_and_nothing_that_conformed_stops(before in events(), after in events()) {
        let schema = schema_of(&before, 1);
        let (patterns, proposals) = plan(&schema, &after);
        for proposal in &proposals {
            let content = proposal.content();
            prop_assert_ne!(overall(&classify(&content.delta, &schema)), Effect::Strengthening);
            let places: BTreeSet<_> = content.changes.iter().map(|c| (&c.event_type, &c.path)).collect();
            prop_assert_eq!(places.len(), content.changes.len(), "one entry per place");
        }
        let next = promoted(&schema, &proposals);
        prop_assert_eq!(conforms(&next, &before), Vec::<String>::new());
        if patterns.iter().all(|p| p.action != Action::Investigate) {
            prop_assert_eq!(conforms(&next, &after), Vec::<String>::new());
            let (_, again) = plan(&next, &after);
            prop_assert!(again.is_empty(), "{again:#?}");
        }
    }

    #[test]
    fn the_same_patterns_give_the_same_proposals(before in events(), after in events()) {
        let schema = schema_of(&before, 1);
        prop_assert_eq!(plan(&schema, &after).1, plan(&schema, &after).1);
    }
}

fn stream(n: u32, data: impl Fn(u32) -> Value) -> Events {
    (0..n).map(|i| ("t.order".to_owned(), data(i))).collect()
}

/// The one proposal for drift from `before` to `after`, at twelve events a claim.
fn one(before: &Events, after: &Events) -> Proposal {
    let schema = schema_of(before, 12);
    let (patterns, mut proposals) = plan(&schema, after);
    assert_eq!(proposals.len(), 1, "{patterns:#?}");
    proposals.remove(0)
}

fn entries(proposal: &Proposal) -> Vec<(Op, &str)> {
    proposal.content().changes.iter().map(|c| (c.op, c.path.as_str())).collect()
}

#[test]
fn a_new_object_is_one_change_with_an_entry_for_each_path() {
    let before = stream(40, |i| json!({ "n": i }));
    let after = stream(40, |i| json!({ "n": i, "at": { "lat": 1.5, "lon": i, "tags": [{ "k": "v" }] } }));
    let proposal = one(&before, &after);
    let add = Op::AddProperty;
    assert_eq!(
        entries(&proposal),
        [(add, "at"), (add, "at.lat"), (add, "at.lon"), (add, "at.tags"), (add, "at.tags[].k")]
    );
    assert_eq!(proposal.content().delta.added_classes.len(), 2);
    assert_eq!(proposal.content().delta.added_properties.len(), 5);
}

#[test]
fn an_object_like_a_known_one_takes_its_class() {
    let address = json!({ "city": "x", "zip": "1" });
    let before = stream(40, |i| json!({ "n": i, "from": address }));
    let after = stream(40, |i| json!({ "n": i, "from": address, "to": address }));
    let proposal = one(&before, &after);
    assert!(proposal.content().delta.added_classes.is_empty());
    assert_eq!(proposal.content().delta.added_properties.len(), 1);
    assert_eq!(proposal.content().changes.len(), 3, "to, to.city, to.zip");
}

#[test]
fn the_first_value_of_a_field_only_seen_as_null_changes_its_range() {
    let before = stream(40, |i| json!({ "n": i, "closed": null }));
    let after = stream(40, |i| json!({ "n": i, "closed": { "by": "x" } }));
    let proposal = one(&before, &after);
    assert_eq!(entries(&proposal), [(Op::ChangeRange, "closed"), (Op::AddProperty, "closed.by")]);
}

#[test]
fn a_second_type_widens_and_keeps_the_first() {
    let before = stream(40, |i| json!({ "id": i }));
    let after =
        stream(40, |i| if i % 2 == 0 { json!({ "id": i }) } else { json!({ "id": format!("x{i}") }) });
    let proposal = one(&before, &after);
    assert_eq!(entries(&proposal), [(Op::ChangeRange, "id")]);
    let change = &proposal.content().changes[0];
    assert_eq!(change.new.as_deref(), Some("xsd:string | xsd:integer"));
    assert_eq!(proposal.content().delta.changed_properties[0].property.ranges.len(), 2);
}

#[test]
fn one_value_becoming_several_changes_the_cardinality_at_every_place_of_the_class() {
    let before = stream(40, |i| json!({ "a": { "tag": "x" }, "b": { "tag": "y" }, "n": i }));
    let after = stream(40, |i| json!({ "a": { "tag": ["x"] }, "b": { "tag": ["y", "z"] }, "n": i }));
    let proposal = one(&before, &after);
    assert_eq!(entries(&proposal), [(Op::ChangeCardinality, "a.tag"), (Op::ChangeCardinality, "b.tag")]);
    assert_eq!(proposal.content().delta.changed_properties.len(), 1, "one class, one property");
}

#[test]
fn a_required_field_that_some_events_lack_becomes_optional() {
    let before = stream(60, |i| json!({ "n": i, "ref": i }));
    let schema = schema_of(&before, 12);
    assert_eq!(schema.class_of_event("t.order").unwrap().properties["ref"].cardinality, Cardinality::One);
    let after = stream(60, |i| if i % 3 == 0 { json!({ "n": i }) } else { json!({ "n": i, "ref": i }) });
    let proposal = one(&before, &after);
    assert_eq!(entries(&proposal), [(Op::ChangeCardinality, "ref")]);
}

#[test]
fn a_rename_adds_aliases_and_deprecates() {
    let before = stream(60, |i| json!({ "n": i, "weight_kg": i }));
    let after = stream(60, |i| json!({ "n": i, "weightKg": i }));
    let proposal = one(&before, &after);
    assert_eq!(entries(&proposal), [(Op::RenameProperty, "weightKg"), (Op::DeprecateProperty, "weight_kg")]);
    let old = &proposal.content().delta.changed_properties[0].property;
    let new = &proposal.content().delta.added_properties[0].property;
    assert!(old.deprecated && !old.cardinality.is_required());
    assert_eq!(old.replaced_by.as_ref(), Some(&new.iri));
}

#[test]
fn keys_of_any_shape_are_renamed_with_paths_that_exist() {
    let long = "k".repeat(200);
    for (old, new, old_path) in [
        ("o.number", "o-number", "o.o\\.number"),
        ("a→name", "a→names", "o.a→name"),
        (&*format!("{long}a"), &*format!("{long}b"), &*format!("o.{long}a")),
    ] {
        let before = stream(60, |i| json!({ "o": { old: i, "n": i } }));
        let after = stream(60, |i| json!({ "o": { new: i, "n": i } }));
        let proposal = one(&before, &after);
        let deprecated = proposal.content().changes.iter().find(|c| c.op == Op::DeprecateProperty).unwrap();
        assert_eq!(deprecated.path, old_path);
        let next = promoted(&schema_of(&before, 12), &[proposal]);
        assert_eq!(conforms(&next, &after), Vec::<String>::new());
    }
}

#[test]
fn a_key_that_other_events_still_have_is_not_deprecated() {
    let both = |new: &'static str| {
        let mut events = stream(60, |i| json!({ "o": { "number": i, "n": i } }));
        events.extend((0..60).map(|i| ("t.other".to_owned(), json!({ "o": { new: i, "n": i } }))));
        events
    };
    let schema = schema_of(&both("number"), 12);
    let (_, proposals) = plan(&schema, &both("numbers"));
    let properties = proposals.iter().flat_map(|p| &p.content().delta.changed_properties);
    assert!(properties.into_iter().all(|changed| !changed.property.deprecated), "{proposals:#?}");
    assert!(conforms(&promoted(&schema, &proposals), &both("numbers")).is_empty());
}

#[test]
fn enumerations_and_bounds_move_out_to_what_was_seen() {
    let before = stream(40, |i| json!({ "status": "open", "t": i % 5 }));
    let mut schema = schema_of(&before, 12);
    let class = schema.event_types["t.order"].clone();
    let properties = &mut schema.classes.get_mut(&class).unwrap().properties;
    properties.get_mut("status").unwrap().facets.values = Some(BTreeSet::from(["open".to_owned()]));
    properties.get_mut("t").unwrap().facets.max = Some(5.into());
    let after = stream(40, |i| json!({ "status": if i % 2 == 0 { "open" } else { "held" }, "t": i }));
    let (_, proposals) = plan(&schema, &after);
    assert_eq!(proposals.len(), 1);
    assert_eq!(entries(&proposals[0]), [(Op::AddEnumValue, "status"), (Op::ModifyShape, "t")]);
    assert!(conforms(&promoted(&schema, &proposals), &after).is_empty());
}

#[test]
fn a_new_event_type_is_an_added_class_with_an_empty_path() {
    let before = stream(20, |i| json!({ "n": i }));
    let mut after = before.clone();
    after.extend((0..15).map(|i| ("t.refund".to_owned(), json!({ "n": i, "why": { "code": "x" } }))));
    let proposal = one(&before, &after);
    assert_eq!(proposal.content().changes[0].op, Op::AddClass);
    assert_eq!(proposal.content().changes[0].path, "");
    assert_eq!(proposal.content().changes.len(), 4);
}

#[test]
fn eleven_events_are_too_few_for_a_proposal_and_twelve_are_enough() {
    let before = stream(20, |i| json!({ "n": i }));
    let schema = schema_of(&before, 12);
    let drift = |n| stream(40, |i| if i < n { json!({ "n": i, "new": 1 }) } else { json!({ "n": i }) });
    assert!(plan(&schema, &drift(11)).1.is_empty());
    assert_eq!(plan(&schema, &drift(12)).1.len(), 1);
}

#[test]
fn paths_with_little_evidence_stay_out_of_a_new_object() {
    let before = stream(20, |i| json!({ "n": i }));
    let after = stream(40, |i| {
        if i < 5 { json!({ "n": i, "o": { "a": 1, "rare": 1 } }) } else { json!({ "n": i, "o": { "a": 1 } }) }
    });
    let proposal = one(&before, &after);
    assert_eq!(entries(&proposal), [(Op::AddProperty, "o"), (Op::AddProperty, "o.a")]);
    let range = proposal.content().delta.added_properties.iter().find(|p| p.property.key == "o").unwrap();
    assert!(matches!(range.property.ranges.first(), Some(Range::Class(_))));
}

#[test]
fn data_that_is_no_object_is_for_a_person_and_no_change() {
    let before = stream(20, |i| json!({ "": i, "n": i }));
    let schema = schema_of(&before, 12);
    assert!(conforms(&schema, &before).is_empty(), "an empty key is a key");
    let (patterns, proposals) = plan(&schema, &stream(20, |i| json!([i])));
    assert_eq!(patterns.iter().map(|p| p.action).collect::<Vec<_>>(), [Action::Investigate]);
    assert!(proposals.is_empty());
}

fn paths(proposals: &[Proposal]) -> Vec<Vec<&str>> {
    proposals.iter().map(|p| p.content().changes.iter().map(|c| c.path.as_str()).collect()).collect()
}

fn times(data: &Value, n: usize) -> Events {
    vec![("t.v".to_owned(), data.clone()); n]
}

fn guard(id: &str, property: &str) -> String {
    format!(
        "[[guard]]\nid = \"{id}\"\nname = \"\"\ndescription = \"\"\ntype = \"compliance_rule\"\n\
         criticality = \"low\"\nproperties = [\"urn:knhk:test#VEvent.{property}\"]\ntier = \"cold\"\n"
    )
}

#[test]
fn a_guarded_key_does_not_take_its_neighbours_along() {
    // 40 payloads, so that every key is required.
    let known: Events = (0..40)
        .map(|i| ("t.v".to_owned(), json!({"id": format!("x{i}"), "lot": i, "size": i, "unit": "kg"})))
        .collect();
    let schema = schema_of(&known, 1);
    // `id` is gone, `lot` and `size` are strings now, and there is a note.
    let events = times(&json!({"lot": "a", "size": "b", "unit": "kg", "note": 1}), 12)
        .into_iter()
        .chain(known.iter().take(3).cloned())
        .collect();
    let (_, proposals) = plan(&schema, &events);
    assert_eq!(paths(&proposals), [["id", "lot", "note", "size"]], "one cause, one proposal");

    let guards = guard("A", "id") + &guard("B", "size");
    let (_, proposals) = plan_under(&schema, &events, "", &guards);
    assert_eq!(paths(&proposals), [vec!["lot", "note"], vec!["id"], vec!["size"]]);
    assert_eq!(conforms(&promoted(&schema, &proposals), &events), Vec::<String>::new());
    let (_, again) = plan_under(&schema, &events, "", &guards);
    assert_eq!(again, proposals);

    // What is protected as one goes into one proposal.
    let both = guard("A", "id").replace("VEvent.id\"", "VEvent.id\", \"urn:knhk:test#VEvent.size\"");
    let (_, proposals) = plan_under(&schema, &events, "", &both);
    assert_eq!(paths(&proposals), [["lot", "note"], ["id", "size"]]);

    let rule = "[[rule]]\nid = \"R\"\nname = \"\"\ndescription = \"\"\nenforcement = \"mandatory\"\nsource = \"\"\n\
                version = 1\napplies_to = [\"urn:knhk:test#VEvent.lot\"]\n\
                constraint = { type = \"approval_chain\", required_signers = 1 }\n";
    let (_, proposals) = plan_under(&schema, &events, rule, "");
    assert_eq!(paths(&proposals), [vec!["id", "note", "size"], vec!["lot"]]);
    // What all keys meet parts nothing.
    let everywhere = rule.replace("VEvent.lot", "*");
    assert_eq!(plan_under(&schema, &events, &everywhere, "").1.len(), 1);
}

#[test]
fn a_rename_of_a_guarded_key_stays_one_change() {
    let known: Events =
        (0..40).map(|i| ("t.v".to_owned(), json!({"trackingNumber": format!("x{i}"), "lot": i}))).collect();
    let schema = schema_of(&known, 1);
    let events = times(&json!({"tracking_number": "x1", "lot": 1, "note": 1}), 30);
    let (_, proposals) = plan_under(&schema, &events, "", &guard("A", "trackingNumber"));
    assert_eq!(paths(&proposals), [vec!["note"], vec!["trackingNumber", "tracking_number"]]);
}
