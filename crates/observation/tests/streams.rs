//! Real streams: what is inferred from one is judged against another. The streams are not part of the repository; where
//! they are absent the tests say so and pass.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::unwrap_used)] // Helpers of tests.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufReader;
use std::path::PathBuf;
use std::sync::Arc;

use knhk_observation::class_names::ClassNames;
use knhk_observation::infer::Inference;
use knhk_observation::pattern::{Action, PatternKind};
use knhk_observation::profile::{EventMeta, Overflow};
use knhk_observation::{Baseline, EventReader, Item, Pattern, Profile, detect};
use knhk_ontology::schema::{Compatibility, PromotionPolicy, Schema, Settings};
use sha2::{Digest, Sha256};

fn stream(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data")
        .join(format!("{name}.ndjson.gz"));
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is absent", path.display());
    None
}

fn read(path: &PathBuf, mut profile: Profile) -> Profile {
    let file = flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap());
    let mut reader = EventReader::new(BufReader::new(file), 0);
    while let Some(item) = reader.next_item(&mut |_| Ok(())).unwrap() {
        let Item::Event(event) = item else { panic!("{item:?}") };
        let meta = EventMeta {
            record_digest: Sha256::digest(event.raw).into(),
            data_digest: Sha256::digest(event.data_raw).into(),
            time_ms: event.time_ms,
        };
        profile.observe(&event.event_type, &event.data, &meta);
    }
    profile
}

fn inferred(path: &PathBuf) -> Arc<Schema> {
    let mut schema = Schema {
        sector: "test".to_owned(),
        namespace: "urn:knhk:test#".to_owned(),
        settings: Settings {
            minimum_evidence: 12,
            frequency_limit: 100,
            error_share_ppm: 50_000,
            heartbeat_ms: 10_000,
            minimum_confidence_ppm: 700_000,
            promotion_policy: PromotionPolicy::Automatic,
            compatibility: Compatibility::Backward,
            expected_rates: BTreeMap::new(),
            error_event_types: BTreeSet::new(),
        },
        event_types: BTreeMap::new(),
        classes: BTreeMap::new(),
    };
    let profile = read(path, Profile::new());
    let empty = schema.clone();
    let mut inference = Inference::new(&empty, 1, &ClassNames::default());
    for (name, event_type) in profile.event_types() {
        inference.event_type(name, event_type).unwrap();
    }
    for class in inference.finish().0.classes {
        for name in &class.event_types {
            schema.event_types.insert(name.clone(), class.iri.clone());
        }
        schema.classes.insert(class.iri.clone(), class);
    }
    Arc::new(schema)
}

/// The patterns about fields and types, rates aside.
fn drift(schema: &Arc<Schema>, path: &PathBuf) -> (Profile, Vec<Pattern>) {
    let profile = read(path, Profile::against(schema.clone()));
    let mut patterns = detect(&profile, &Baseline::default());
    patterns.retain(|p| p.kind != PatternKind::FrequencyAnomaly);
    (profile, patterns)
}

#[test]
fn a_stream_agrees_with_what_was_inferred_from_it() {
    for name in ["github-ghes-31", "github-ghes-34", "fhir-r4", "okuma-first-half"] {
        let Some(path) = stream(name) else { return };
        let (profile, patterns) = drift(&inferred(&path), &path);
        assert_eq!(patterns, [], "{name}");
        assert_eq!(profile.conforming(), profile.events().events(), "{name}");
        assert_eq!(profile.overflow(), Overflow::default(), "{name}");
    }
}

#[test]
fn two_versions_without_drift_show_none() {
    let (Some(old), Some(new)) = (stream("github-ghes-31"), stream("github-ghes-32")) else { return };
    let (_, patterns) = drift(&inferred(&old), &new);
    let proposed: Vec<_> = patterns.iter().filter(|p| p.action == Action::ProposeChange).collect();
    assert!(proposed.is_empty(), "{proposed:#?}");
}

/// The paths of every event type, by a walk of its own over serde_json's tree.
fn paths(path: &PathBuf) -> BTreeMap<String, BTreeMap<String, u64>> {
    use std::io::BufRead;
    fn walk(value: &serde_json::Value, at: &str, found: &mut BTreeSet<String>) {
        match value {
            serde_json::Value::Object(members) => {
                for (key, value) in members {
                    let below = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                    found.insert(below.clone());
                    walk(value, &below, found);
                }
            }
            serde_json::Value::Array(elements) => {
                for element in elements.iter().filter(|element| !element.is_array()) {
                    walk(element, &format!("{at}[]"), found);
                }
            }
            _ => {}
        }
    }
    let file = flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap());
    let mut paths: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for line in BufReader::new(file).lines() {
        let event: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        let mut found = BTreeSet::new();
        walk(&event["data"], "", &mut found);
        let counts = paths.entry(event["type"].as_str().unwrap().to_owned()).or_default();
        for path in found {
            *counts.entry(path).or_default() += 1;
        }
    }
    paths
}

#[test]
fn every_new_path_is_found_and_no_other() {
    for (old, new, new_paths) in
        [("github-ghes-32", "github-ghes-33", 0), ("github-ghes-33", "github-ghes-34", 10)]
    {
        let (Some(old), Some(new)) = (stream(old), stream(new)) else { return };
        let (_, patterns) = drift(&inferred(&old), &new);
        let undeclared: BTreeMap<(String, String), u64> = patterns
            .iter()
            .filter(|p| p.kind == PatternKind::UndeclaredField)
            .map(|p| ((p.event_type.clone(), p.path.clone()), p.evidence.n))
            .collect();
        let (before, after) = (paths(&old), paths(&new));
        let mut truth = BTreeMap::new();
        for (event_type, paths) in &after {
            let Some(known) = before.get(event_type) else { continue };
            for (path, n) in paths {
                let parent = path.rsplit_once('.').map_or("", |(parent, _)| parent.trim_end_matches("[]"));
                // Below a field that is new, or that held no object before, nothing is news of its own.
                let parent_had_keys = parent.is_empty()
                    || known.keys().any(|k| k.starts_with(parent) && k[parent.len()..].contains('.'));
                if !known.contains_key(path) && parent_had_keys {
                    truth.insert((event_type.clone(), path.clone()), *n);
                }
            }
        }
        let found: Vec<_> = undeclared.iter().filter(|(key, n)| truth.get(key) != Some(n)).collect();
        let missed: Vec<_> = truth.iter().filter(|(key, _)| !undeclared.contains_key(*key)).collect();
        assert!(found.is_empty() && missed.is_empty(), "not new: {found:#?}\nmissed: {missed:#?}");
        assert_eq!(undeclared.len(), new_paths);
    }
}
