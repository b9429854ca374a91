//! The main job on the shipped pack: every injected drift is found, nothing else is, and each change meets its fate.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)] // A test may fail.

mod common;

use std::collections::BTreeSet;
use std::fs;

use common::{example, json, list, observe, root, run};
use serde_json::Value;

fn truth() -> Value {
    serde_json::from_slice(&fs::read(example("truth.json")).unwrap()).unwrap()
}

fn key(entry: &Value) -> (String, String, String) {
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    (text("kind"), text("event_type"), text("path"))
}

#[test]
fn normal_events_agree_with_the_pack() {
    let dir = tempfile::tempdir().unwrap();
    let (code, report) = observe(dir.path(), "logistics", &[&example("events-normal.ndjson")]);
    assert_eq!(code, 0, "{report}");
    assert_eq!(report["conformance"]["conform"], report["conformance"]["of"]);
    assert_eq!(report["observations"]["accepted"], truth()["events-normal.ndjson"]["events"]);
    assert!(list(&report, "patterns").is_empty(), "{report}");
    assert!(list(&report, "proposals").is_empty());
    assert!(list(&report["cycle"], "receipts").len() >= 5);
}

#[test]
fn every_injected_drift_is_found_with_its_count_and_meets_its_fate() {
    let dir = tempfile::tempdir().unwrap();
    let (code, report) = observe(dir.path(), "logistics", &[&example("events-drift.ndjson")]);
    assert_eq!(code, 1, "some changes are held or rejected");
    let truth = truth();
    let expected = list(&truth["events-drift.ndjson"], "expected");
    let patterns = list(&report, "patterns");
    let found: BTreeSet<_> = patterns.iter().map(key).collect();
    let injected: BTreeSet<_> = expected.iter().map(key).collect();
    assert_eq!(found, injected);
    for entry in expected {
        let pattern = patterns.iter().find(|p| key(p) == key(entry)).unwrap();
        assert_eq!(pattern["evidence"]["n"], entry["n"], "{entry}");
        assert_eq!(pattern["evidence"]["of"], entry["of"], "{entry}");
        if let Some(detail) = entry["detail"].as_str() {
            assert_eq!(pattern["detail"], detail);
        }
        let proposal =
            list(&report, "proposals").iter().find(|p| list(p, "patterns").contains(&pattern["id"]));
        let outcome = proposal.map_or("none", |p| p["outcome"].as_str().unwrap());
        match entry["outcome"].as_str().unwrap() {
            "observed" | "alert" => assert_eq!(outcome, "none", "{entry}"),
            fate => assert_eq!(outcome, fate, "{entry}"),
        }
    }
    for proposal in list(&report, "proposals") {
        assert_eq!(list(proposal, "stages").len(), 7);
        assert!(proposal["receipt"].as_str().unwrap().len() == 64);
    }
}

/// The outcome and findings of the proposal that concerns `path`.
fn fate(report: &Value, path: &str) -> (String, Vec<String>) {
    let concerns = |p: &&Value| list(p, "changes").iter().any(|c| c["path"] == path);
    let proposal = list(report, "proposals").iter().find(concerns).expect("a proposal for the path");
    let codes = list(proposal, "stages")
        .iter()
        .filter(|stage| stage["result"] == "failed")
        .flat_map(|stage| list(stage, "findings"))
        .map(|finding| finding["code"].as_str().unwrap().to_owned())
        .collect();
    (proposal["outcome"].as_str().unwrap().to_owned(), codes)
}

#[test]
fn the_interlock_refuses_to_make_the_un_number_optional() {
    let dir = tempfile::tempdir().unwrap();
    let (_, report) = observe(dir.path(), "logistics", &[&example("events-drift.ndjson")]);
    let (outcome, codes) = fate(&report, "goods[].unNumber");
    assert_eq!(outcome, "rejected");
    assert!(codes.contains(&"KNHK-S406".to_owned()), "{codes:?}");
}

#[test]
fn the_customs_rule_holds_a_customs_change_for_an_officer() {
    let dir = tempfile::tempdir().unwrap();
    let (_, report) = observe(dir.path(), "logistics", &[&example("events-drift.ndjson")]);
    let (outcome, codes) = fate(&report, "preferenceCertificate");
    assert_eq!(outcome, "held");
    assert!(codes.contains(&"KNHK-S303".to_owned()), "{codes:?}");
}

/// The shipped pack as a directory, edited.
fn edited_pack(dir: &std::path::Path, file: &str, content: &str) -> String {
    let pack = dir.join("pack");
    fs::create_dir(&pack).unwrap();
    for entry in fs::read_dir(root().join("sectors/logistics")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, pack.join(path.file_name().unwrap())).unwrap();
        }
    }
    fs::write(pack.join(file), content).unwrap();
    pack.to_str().unwrap().to_owned()
}

#[test]
fn without_the_guards_the_same_change_goes_through() {
    let dir = tempfile::tempdir().unwrap();
    let pack = edited_pack(dir.path(), "guards.toml", "");
    let (_, report) = observe(dir.path(), &pack, &[&example("events-drift.ndjson")]);
    assert_eq!(fate(&report, "goods[].unNumber").0, "promoted");
}

#[test]
fn what_was_promoted_conforms_from_then_on() {
    let dir = tempfile::tempdir().unwrap();
    let drift = example("events-drift.ndjson");
    let (_, first) = observe(dir.path(), "logistics", &[&drift]);
    let again = dir.path().join("again.ndjson");
    let text = fs::read_to_string(&drift).unwrap().replace("\"id\":\"", "\"id\":\"again-");
    fs::write(&again, text).unwrap();
    let (_, second) = observe(dir.path(), "logistics", &[&again]);
    assert_eq!(second["observations"]["accepted"], first["observations"]["accepted"]);
    let blocked: BTreeSet<_> = list(&first, "proposals")
        .iter()
        .filter(|p| p["outcome"] != "promoted")
        .flat_map(|p| list(p, "patterns"))
        .map(|id| id.as_str().unwrap())
        .collect();
    for pattern in list(&second, "patterns") {
        let acts = pattern["action"] == "ProposeChange";
        assert!(!acts || blocked.contains(pattern["id"].as_str().unwrap()), "proposed again: {pattern}");
    }
    // A held change is not proposed a second time.
    assert!(list(&second, "proposals").iter().all(|p| p["outcome"] != "held"));
    let (code, replayed) = json(dir.path(), &["replay", "data"]);
    assert_eq!((code, &replayed["agrees"]), (0, &Value::Bool(true)));
}

#[test]
fn repeats_are_counted_once_even_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let normal = example("events-normal.ndjson");
    let (_, first) = observe(dir.path(), "logistics", &[&normal, &normal]);
    assert_eq!(first["observations"]["duplicates"], first["observations"]["accepted"]);
    let (code, second) = observe(dir.path(), "logistics", &[&normal]);
    assert_eq!((code, &second["observations"]["accepted"]), (0, &Value::from(0)));
    assert_eq!(second["observations"]["duplicates"], first["observations"]["accepted"]);

    let drift = example("events-drift.ndjson");
    observe(dir.path(), "logistics", &[&drift]);
    let (code, again) = observe(dir.path(), "logistics", &[&drift]);
    assert_eq!(again["observations"]["accepted"], 0);
    assert!(list(&again, "patterns").is_empty(), "what was seen is not found a second time");
    assert_eq!((code, &again["waiting"]), (1, &Value::from(1)), "the customs change still waits");
}

#[test]
fn broken_lines_go_to_the_dead_letter_file_with_place_and_reason() {
    let dir = tempfile::tempdir().unwrap();
    let (code, report) = observe(dir.path(), "logistics", &[&example("events-broken.ndjson")]);
    assert_eq!(code, 2);
    let truth = truth();
    let expected = list(&truth["events-broken.ndjson"], "rejected");
    assert_eq!(report["observations"]["rejected"], expected.len());
    let letters = fs::read_to_string(dir.path().join("data/dead-letter.ndjson")).unwrap();
    let found: Vec<Value> = letters.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (letter, entry) in found.iter().zip(expected) {
        assert_eq!((&letter["line"], &letter["code"]), (&entry["line"], &entry["code"]));
        assert!(letter["raw"].is_string() || letter["raw_base64"].is_string());
    }
}

#[test]
fn the_report_for_people_names_drift_stages_and_evidence() {
    let dir = tempfile::tempdir().unwrap();
    let drift = example("events-drift.ndjson");
    let arguments = ["observe", "--sector", "logistics", drift.to_str().unwrap()];
    let (code, out, err) = run(dir.path(), &arguments);
    assert_eq!((code, err.as_str()), (1, ""));
    for expected in [
        "DRIFT",
        "geofence",
        "158 of 240",
        "guards ✗",
        "KNHK-S406",
        "PROPOSAL 13",
        "EVIDENCE",
        "verifier key knhk/",
    ] {
        assert!(out.contains(expected), "{expected} is missing in:\n{out}");
    }
    // Without --data nothing is kept.
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    let (_, stream, _) = run(dir.path(), &[&["--format", "ndjson"][..], &arguments[..]].concat());
    let types: BTreeSet<String> = stream
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["type"].as_str().unwrap().to_owned())
        .collect();
    let all = ["cycle", "observations", "pattern", "proposal", "receipts", "snapshot", "waiting"];
    assert_eq!(types, all.into_iter().map(str::to_owned).collect());
}

#[test]
fn the_same_events_are_judged_again_after_the_cycle() {
    let dir = tempfile::tempdir().unwrap();
    let drift = example("events-drift.ndjson");
    let (_, report) = observe(dir.path(), "logistics", &[&drift]);
    let (before, after) = (&report["conformance"], &report["conformance_after"]);
    assert_eq!(after["of"], before["of"]);
    assert_eq!(after["not_examined"], 0);
    assert!(after["conform"].as_u64().unwrap() > before["conform"].as_u64().unwrap(), "{after}");
    // The next run finds exactly that many of the same payloads conforming.
    let again = dir.path().join("again.ndjson");
    let text = fs::read_to_string(&drift).unwrap().replace("\"id\":\"", "\"id\":\"again-");
    fs::write(&again, text).unwrap();
    let (_, second) = observe(dir.path(), "logistics", &[&again]);
    assert_eq!(second["conformance"]["conform"], after["conform"]);
    // Nothing promoted, nothing changed.
    assert_eq!(second["conformance_after"]["conform"], second["conformance"]["conform"]);
    let arguments = ["observe", "--sector", "logistics", drift.to_str().unwrap()];
    let (_, out, _) = run(dir.path(), &arguments);
    let expected = "1,466 of 3,842 conform, 3,696 of 3,842 after this run";
    assert!(out.lines().next().unwrap().contains(expected), "{out}");
}

#[test]
fn the_report_for_people_fits_a_line_of_100() {
    let dir = tempfile::tempdir().unwrap();
    let drift = example("events-drift.ndjson");
    let (_, out, _) = run(dir.path(), &["observe", "--sector", "logistics", drift.to_str().unwrap()]);
    let report = out.split("EVIDENCE").next().unwrap();
    let long: Vec<&str> = report.lines().filter(|line| line.chars().count() > 100).collect();
    assert!(long.is_empty(), "{long:#?}");
    assert!(report.contains("2026-03-09 06:12:00Z to 07:19:57Z"), "{report}");
}
