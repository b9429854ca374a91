//! What an auditor is given and checks without the data directory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)] // A test may fail.

mod common;

use std::fs;
use std::path::Path;

use common::{example, json, list, observe, run};
use serde_json::Value;

/// A data directory of two runs, the checkpoint kept after the first, and the key; `at` is where they are.
fn two_runs() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let events = fs::read_to_string(example("events-drift.ndjson")).unwrap();
    let lines: Vec<&str> = events.lines().take(300).collect();
    for (name, part) in [("first", &lines[..200]), ("second", &lines[200..])] {
        fs::write(at.join(name), part.join("\n")).unwrap();
        let (code, _) = observe(at, "logistics", &[&at.join(name)]);
        assert!(code <= 1, "{code}");
        fs::copy(at.join("data/checkpoint"), at.join(format!("{name}.checkpoint"))).unwrap();
    }
    fs::copy(at.join("data/key.pub"), at.join("verifier.pub")).unwrap();
    dir
}

fn flipped(at: &Path, name: &str, byte: usize) -> String {
    let mut bytes = fs::read(at.join(name)).unwrap();
    bytes[byte] ^= 1;
    let changed = format!("{name}.changed");
    fs::write(at.join(&changed), bytes).unwrap();
    changed
}

#[test]
fn a_kept_checkpoint_is_shown_to_be_a_prefix_without_the_log() {
    let dir = two_runs();
    let at = dir.path();
    let make = ["log", "consistency", "--data", "data", "--from", "first.checkpoint", "-o", "proof"];
    assert_eq!(run(at, &make).0, 0);
    // Nothing of the log is needed from here on.
    fs::rename(at.join("data"), at.join("gone")).unwrap();
    let check = |proof: &str, kept: &str| {
        run(at, &["log", "check-consistency", proof, "--key", "verifier.pub", "--from", kept])
    };
    let (code, shown, _) = check("proof", "first.checkpoint");
    assert!(code == 0 && shown.starts_with("consistent: the first "), "{shown}");
    let (code, _, error) = check("proof", "second.checkpoint");
    assert!(code == 3 && error.contains("KNHK-E1811"), "{error}");
    let length = fs::metadata(at.join("proof")).unwrap().len();
    for byte in (0..usize::try_from(length).unwrap()).step_by(41) {
        let (code, _, error) = check(&flipped(at, "proof", byte), "first.checkpoint");
        assert_eq!(code, 3, "byte {byte}: {error}");
    }
    let without = ["log", "check-consistency", "proof", "--key", "verifier.pub"];
    let (code, document) = json(at, &without);
    assert_eq!((code, &document["consistent"]), (0, &Value::Bool(true)));
    assert!(document["old"]["tree_size"].as_u64() < document["new"]["tree_size"].as_u64());
    assert_eq!(run(at, &make).0, 5, "without its log there is no proof to make");
}

#[test]
fn a_log_that_was_rolled_back_cannot_prove_the_newer_checkpoint() {
    let dir = two_runs();
    let at = dir.path();
    fs::rename(at.join("data"), at.join("newer")).unwrap();
    let (code, _) = observe(at, "logistics", &[&at.join("first")]);
    assert!(code <= 1);
    let make = ["log", "consistency", "--data", "data", "--from", "second.checkpoint"];
    let (code, _, error) = run(at, &make);
    assert!(code == 3 && error.contains("KNHK-E111"), "{code} {error}");
}

#[test]
fn a_bundle_is_checked_without_the_log_and_shows_receipts_and_events() {
    let dir = two_runs();
    let at = dir.path();
    let (_, receipts) = json(at, &["receipts", "list", "--data", "data"]);
    let first_id = receipts[0]["id"].as_str().unwrap();
    let make = |output: &str, what: &[&str]| {
        let all = [&["audit", "bundle", "--data", "data", "-o", output], what].concat();
        run(at, &all)
    };
    assert_eq!(
        make("all", &["--all-receipts", "--event", "d00000", "--sequence", "250", "--with-payloads"]).0,
        0
    );
    assert_eq!(
        make("again", &["--all-receipts", "--event", "d00000", "--sequence", "250", "--with-payloads"]).0,
        0
    );
    assert_eq!(fs::read(at.join("all")).unwrap(), fs::read(at.join("again")).unwrap());
    assert_eq!(make("one", &["--receipt", &first_id[..12]]).0, 0);
    assert_eq!(make("none", &[]).0, 4);
    assert_eq!(make("none", &["--event", "no such event"]).0, 6);
    let (code, _, err) = make("none", &["--sequence", "99999"]);
    assert!(code == 6 && err.contains("KNHK-E1820") && err.contains("0 to 299"), "{err}");
    assert!(!at.join("none").exists());
    fs::remove_dir_all(at.join("data")).unwrap();

    let (code, document) = json(at, &["audit", "check", "all", "--key", "verifier.pub"]);
    assert_eq!(code, 0);
    assert_eq!(list(&document, "receipt_list").len(), receipts.as_array().unwrap().len());
    assert_eq!(document["sectors"][0]["complete_from_the_first"], Value::Bool(true));
    let shown = list(&document, "observation_list");
    let events = fs::read_to_string(at.join("first")).unwrap();
    assert_eq!(shown[0]["event"].as_str(), events.lines().next());
    assert_eq!((&shown[1]["sequence"], &shown[1]["source"]), (&250.into(), &"/carrier/operations".into()));
    let (code, text, _) = run(at, &["audit", "check", "one", "--key", "verifier.pub"]);
    assert!(code == 0 && text.contains(&first_id[..12]), "{text}");

    let length = usize::try_from(fs::metadata(at.join("all")).unwrap().len()).unwrap();
    for byte in (0..length).step_by(length / 40) {
        let changed = flipped(at, "all", byte);
        let (code, _, error) = run(at, &["audit", "check", &changed, "--key", "verifier.pub"]);
        assert_eq!(code, 3, "byte {byte}: {error}");
    }
}

#[test]
fn a_log_is_exported_as_tiles_and_again_when_it_has_grown() {
    let dir = two_runs();
    let at = dir.path();
    let export = ["log", "export", "--data", "data", "--tiles", "out/tiles"];
    let (code, first) = json(at, &export);
    assert_eq!((code, &first["written"]), (0, &first["tiles"]));
    assert_eq!(
        fs::read(at.join("out/tiles/checkpoint")).unwrap(),
        fs::read(at.join("data/checkpoint")).unwrap()
    );
    let (code, again, _) = run(at, &export);
    assert!(code == 0 && again.contains(" 0 of them new"), "{again}");
    let (code, _, error) = run(at, &["log", "export", "--data", "missing", "--tiles", "out/tiles"]);
    assert!(code == 5 && error.contains("KNHK-E1805"), "{error}");
}
