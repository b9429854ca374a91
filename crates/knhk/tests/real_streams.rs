//! Real event streams: what is truly new is proposed, nothing else, and the loop settles.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)] // A test may fail.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use common::{json, list, observe, shared};
use serde_json::Value;

/// The most that a run over such a stream has resident: 256 MiB.
const RESIDENT_BYTES_MAX: u64 = 256 << 20;

/// (event type, path), the path of an array being that of its property.
type Place = (String, String);

fn read(path: &Path) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

/// A plain reference: every place of a file with the number of events that have it.
fn places(path: &Path) -> BTreeMap<Place, u64> {
    fn walk(value: &Value, path: &str, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                for (key, value) in members {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    into.insert(path.clone());
                    walk(value, &path, into);
                }
            }
            Value::Array(elements) => elements.iter().for_each(|e| walk(e, &format!("{path}[]"), into)),
            _ => {}
        }
    }
    let mut places = BTreeMap::new();
    for line in read(path).lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let mut paths = BTreeSet::from([String::new()]);
        walk(&event["data"], "", &mut paths);
        for path in paths {
            *places.entry((event["type"].as_str().unwrap().to_owned(), path)).or_default() += 1;
        }
    }
    places
}

fn additions(report: &Value) -> Vec<Place> {
    list(report, "proposals")
        .iter()
        .flat_map(|p| list(p, "changes"))
        .filter(|c| c["op"] == "add_property" || c["op"] == "add_class")
        .map(|c| (c["event_type"].as_str().unwrap().to_owned(), c["path"].as_str().unwrap().to_owned()))
        .collect()
}

fn under_fresh_ids(dir: &Path, file: &Path) -> PathBuf {
    let fresh = dir.join("fresh.ndjson");
    fs::write(&fresh, read(file).replace("\"id\":\"github-ghes", "\"id\":\"again-ghes")).unwrap();
    fresh
}

#[test]
fn github_streams_give_exactly_the_paths_that_are_new() {
    let names = ["31", "32", "33", "34", "35"].map(|v| format!("github-ghes-{v}.ndjson.gz"));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let Some(files) = shared("github_streams_give_exactly_the_paths_that_are_new", &names) else { return };
    let dir = tempfile::tempdir().unwrap();
    let init = ["sector", "init", "github", "--from", files[0].to_str().unwrap(), "--dir", "pack"];
    assert_eq!(json(dir.path(), &init).0, 0);
    let mut known: BTreeSet<Place> = places(&files[0]).into_keys().collect();
    for file in &files[1..] {
        let (code, report) = observe(dir.path(), "pack", &[file]);
        assert_eq!(code, 0, "{}", report["cycle"]);
        let observed = places(file);
        let new: BTreeSet<Place> = observed
            .iter()
            .filter(|(place, n)| !known.contains(place) && **n >= 12)
            .map(|(place, _)| place.clone())
            .collect();
        let proposed = additions(&report);
        assert_eq!(proposed.iter().cloned().collect::<BTreeSet<_>>(), new, "{}", file.display());
        assert_eq!(proposed.len(), new.len(), "one entry per place");
        if file.ends_with("github-ghes-32.ndjson.gz") {
            assert!(list(&report, "proposals").is_empty(), "a null stream gives no proposal");
        }
        known.extend(observed.into_keys());

        let (code, again) = observe(dir.path(), "pack", &[&under_fresh_ids(dir.path(), file)]);
        assert_eq!(code, 0);
        assert_eq!(again["observations"]["accepted"], report["observations"]["accepted"]);
        assert_eq!(again["conformance"]["conform"], again["conformance"]["of"]);
        assert!(list(&again, "proposals").is_empty());
    }
    assert_eq!(json(dir.path(), &["log", "verify", "data"]).0, 0);
    assert_eq!(json(dir.path(), &["replay", "data"]).0, 0);
}

#[test]
fn streams_agree_with_what_was_inferred_from_them() {
    for name in ["fhir-r4.ndjson.gz", "okuma-first-half.ndjson.gz"] {
        let test = "streams_agree_with_what_was_inferred_from_them";
        let Some(file) = shared(test, &[name]).and_then(|mut files| files.pop()) else { continue };
        let dir = tempfile::tempdir().unwrap();
        let init = ["sector", "init", "real", "--from", file.to_str().unwrap(), "--dir", "pack"];
        assert_eq!(json(dir.path(), &init).0, 0);
        let (code, report) = observe(dir.path(), "pack", &[&file]);
        assert_eq!(code, 0, "{name}: {}", report["cycle"]);
        assert_eq!(report["conformance"]["conform"], report["conformance"]["of"], "{name}");
        assert!(list(&report, "proposals").is_empty(), "{name}");
        let resident = report["cycle"]["peak_resident_bytes"].as_u64();
        assert!(
            resident.is_some_and(|bytes| (1 << 20..=RESIDENT_BYTES_MAX).contains(&bytes)),
            "{name}: {resident:?} bytes resident"
        );
    }
}
