//! What is sealed, dropped, erased or salvaged: the rest verifies, proves, replays and goes on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test may fail.

mod common;

use std::fs;
use std::path::Path;

use common::{example, json, observe, run};

/// A data directory with two cycles behind it.
fn with_log() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    observe(dir.path(), "logistics", &[&example("events-normal.ndjson")]);
    observe(dir.path(), "logistics", &[&example("events-drift.ndjson")]);
    dir
}

fn done(dir: &Path, arguments: &[&str]) -> serde_json::Value {
    let (code, document) = json(dir, arguments);
    assert_eq!(code, 0, "{arguments:?}: {document}");
    document
}

/// The state as a person sees it: versions, waiting proposals.
fn seen(dir: &Path) -> (serde_json::Value, serde_json::Value) {
    let versions = done(dir, &["ontology", "log", "--data", "data"]);
    (versions, done(dir, &["proposals", "list", "--data", "data"]))
}

#[test]
fn a_log_without_its_past_goes_on_as_if_it_had_it() {
    let dir = with_log();
    let before = seen(dir.path());
    let (_, whole) = json(dir.path(), &["replay", "data"]);
    let dropped = done(
        dir.path(),
        &["log", "retain", "--data", "data", "--keep-segments", "1", "--archive", "old", "--reason", "test"],
    );
    assert_eq!(dropped["dropped"], serde_json::json!([0]));
    assert_eq!(seen(dir.path()), before);
    let verified = done(dir.path(), &["log", "verify", "data"]);
    assert_eq!(verified["begins_at"], dropped["entries_before"]);

    let replayed = done(dir.path(), &["replay", "data"]);
    assert_eq!(replayed["from"], "sealed_state");
    assert!(replayed["decisions"].as_u64() < whole["decisions"].as_u64());
    // Repeats are known, drift is found again, receipts continue their chain.
    let (_, again) = observe(dir.path(), "logistics", &[&example("events-drift.ndjson")]);
    assert_eq!(again["observations"]["accepted"], 0, "{again}");
    done(dir.path(), &["rollback", "--data", "data", "--reason", "test"]);
    let (versions, _) = seen(dir.path());
    assert_eq!(versions.as_array().unwrap().len(), before.0.as_array().unwrap().len() + 1);
    done(dir.path(), &["log", "verify", "data"]);
    let later = done(dir.path(), &["replay", "data", "--from-seal"]);
    assert!(later["decisions"].as_u64() > replayed["decisions"].as_u64());
    // With the archive put back, the whole history is there again, and replays.
    fs::copy(dir.path().join("old/00000000.seg"), dir.path().join("data/log/00000000.seg")).unwrap();
    assert_eq!(done(dir.path(), &["replay", "data"])["from"], "genesis");
}

#[test]
fn an_erased_event_is_gone_and_everything_else_stands() {
    let dir = with_log();
    let log = dir.path().join("data/log/00000000.seg");
    let holds = || fs::read(&log).unwrap().windows(8).any(|bytes| bytes == b"\"d00000\"");
    assert!(holds());
    let (code, _, err) = run(dir.path(), &["log", "erase", "--data", "data", "--event", "d00000"]);
    assert!(code == 4 && err.contains("--reason"), "{err}");
    let erase = ["log", "erase", "--data", "data", "--event", "d00000", "--reason", "request 12"];
    assert_eq!(done(dir.path(), &erase)["erased"], 1);
    assert!(!holds());
    assert_eq!(done(dir.path(), &["log", "verify", "data"])["payloads_erased"], 1);
    // It is still proven, by its hash; replay starts behind it, and a restart needs nothing of it.
    assert_eq!(run(dir.path(), &["receipts", "prove", "d00000", "--data", "data", "--output", "proof"]).0, 0);
    let (code, _, err) = run(dir.path(), &["replay", "data"]);
    assert!(code == 3 && err.contains("erased"), "{err}");
    done(dir.path(), &["replay", "data", "--from-seal"]);
    let (_, again) = observe(dir.path(), "logistics", &[&example("events-normal.ndjson")]);
    assert_eq!(again["observations"]["accepted"], 0, "{again}");
}

#[test]
fn a_damaged_log_is_refused_until_it_is_salvaged() {
    let dir = with_log();
    done(dir.path(), &["log", "seal", "--data", "data"]);
    let path = dir.path().join("data/log/00000000.seg");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).unwrap();
    for arguments in
        [&["log", "verify", "data"][..], &["rollback", "--data", "data"], &["log", "seal", "--data", "data"]]
    {
        assert_eq!(run(dir.path(), arguments).0, 3, "{arguments:?}");
    }
    let salvaged = done(dir.path(), &["log", "salvage", "--data", "data"]);
    assert!(salvaged["given_up_entries"].as_u64().unwrap() > 0, "{salvaged}");
    assert!(salvaged["damage"].as_str().unwrap().contains("00000000.seg at byte"), "{salvaged}");
    done(dir.path(), &["log", "verify", "data"]);
    done(dir.path(), &["replay", "data"]);
    let (code, _) = observe(dir.path(), "logistics", &[&example("events-drift.ndjson")]);
    assert!(code < 3);
    assert_eq!(done(dir.path(), &["log", "salvage", "--data", "data"])["damaged"], false);
}

#[test]
fn a_state_without_its_objects_is_said_to_be_missing() {
    let dir = with_log();
    done(dir.path(), &["log", "seal", "--data", "data"]);
    fs::remove_dir_all(dir.path().join("data/objects")).unwrap();
    let (code, _, err) = run(dir.path(), &["ontology", "log", "--data", "data"]);
    assert!(code >= 3 && err.contains("KNHK-E1721"), "{code} {err}");
    // The whole log is still there to replay.
    done(dir.path(), &["replay", "data"]);
}

/// Entries of the log in `dir/data`.
fn entries(dir: &Path) -> u64 {
    done(dir, &["log", "verify", "data"])["entries"].as_u64().unwrap()
}

#[test]
fn erasing_what_is_not_there_is_refused_before_anything_is_appended() {
    let dir = with_log();
    let before = entries(dir.path());
    for what in [&["--sequence", "999999"][..], &["--sequence", "0", "--sequence", "999999"]] {
        let all = [&["log", "erase", "--data", "data", "--reason", "test"][..], what].concat();
        let (code, out, err) = run(dir.path(), &all);
        assert!(code == 6 && out.is_empty() && err.contains("KNHK-E1820") && err.contains("0 to "), "{err}");
    }
    assert_eq!(entries(dir.path()), before);
    assert_eq!(done(dir.path(), &["log", "verify", "data"])["payloads_erased"], 0);
}

#[test]
fn what_was_erased_before_is_told_from_what_is_erased_now() {
    let dir = with_log();
    let erase = ["log", "erase", "--data", "data", "--sequence", "0", "--reason", "test"];
    assert_eq!(done(dir.path(), &erase)["erased"], 1);
    let before = entries(dir.path());
    let again = done(dir.path(), &erase);
    assert_eq!((&again["erased"], &again["already_erased"]), (&0.into(), &serde_json::json!([0])));
    let (code, text, _) = run(dir.path(), &erase);
    assert!(code == 0 && text.contains("already erased"), "{text}");
    assert_eq!(entries(dir.path()), before, "nothing to erase appends nothing");
    let both = done(
        dir.path(),
        &["log", "erase", "--data", "data", "--sequence", "0", "--sequence", "1", "--reason", "t"],
    );
    assert_eq!((&both["erased"], &both["sequences"]), (&1.into(), &serde_json::json!([1])));
    assert_eq!(both["already_erased"], serde_json::json!([0]));
}

#[test]
fn receipts_that_were_dropped_are_counted_and_an_event_among_them_is_said_to_be_dropped() {
    let dir = with_log();
    let all = done(dir.path(), &["receipts", "list", "--data", "data"]).as_array().unwrap().len();
    let retain = ["log", "retain", "--data", "data", "--keep-segments", "1", "--reason", "test"];
    let begins_at = done(dir.path(), &retain)["entries_before"].to_string();
    for more in [&[][..], &["--sector", "logistics"]] {
        let (code, text, err) =
            run(dir.path(), &[&["receipts", "list", "--data", "data"][..], more].concat());
        assert_eq!(code, 0, "{err}");
        assert!(
            text.contains(&format!("{all} receipts before entry {begins_at} are not kept here")),
            "{text}"
        );
    }
    let (code, _, err) = run(dir.path(), &["receipts", "prove", "d00000", "--data", "data"]);
    assert!(code == 6 && err.contains(&format!("entries before {begins_at} were dropped")), "{err}");
    let (code, _, err) = run(dir.path(), &["receipts", "prove", "--sequence", "0", "--data", "data"]);
    assert!(code == 6 && err.contains("KNHK-E1820") && err.contains("were dropped"), "{err}");
    assert_eq!(done(dir.path(), &["receipts", "list", "--data", "data"]), serde_json::json!([]));
}
