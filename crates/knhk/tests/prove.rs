//! What is to be proven is never guessed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)] // A test may fail.

mod common;

use std::fs;
use std::path::Path;

use common::{json, list, observe, run};

/// A log in which two sources use the id `7`, and one event is called `0`.
fn with_log() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let event = |source: &str, id: &str| {
        format!("{{\"type\":\"t\",\"id\":\"{id}\",\"source\":\"{source}\",\"data\":{{\"x\":1}}}}\n")
    };
    let events = [("left", "first"), ("left", "7"), ("right", "7"), ("left", "0")];
    let text: String = events.iter().map(|(source, id)| event(source, id)).collect();
    fs::write(dir.path().join("events.ndjson"), text).unwrap();
    observe(dir.path(), "logistics", &[Path::new("events.ndjson")]);
    dir
}

/// The sequence of the observation that is proven.
fn proven(dir: &Path, arguments: &[&str]) -> i64 {
    let all = [&["receipts", "prove", "--data", "data", "-o", "proof"][..], arguments].concat();
    let (code, _, err) = run(dir, &all);
    assert_eq!(code, 0, "{arguments:?}: {err}");
    let (_, checked) = json(dir, &["receipts", "check", "proof", "--key", "data/key.pub"]);
    assert_eq!(checked["what"], "observation");
    checked["sequence"].as_i64().unwrap()
}

#[test]
fn a_number_is_an_event_id_and_a_sequence_is_asked_for_by_name() {
    let dir = with_log();
    assert_eq!(proven(dir.path(), &["0"]), 3, "the event with the id `0`");
    assert_eq!(proven(dir.path(), &["--sequence", "0"]), 0);
    let (code, _, err) = run(dir.path(), &["receipts", "prove", "2", "--data", "data"]);
    assert!(code == 6 && err.contains("KNHK-E1820") && err.contains("--sequence"), "{code} {err}");
    assert_eq!(run(dir.path(), &["receipts", "prove", "0", "--sequence", "0", "--data", "data"]).0, 4);
    assert_eq!(run(dir.path(), &["receipts", "prove", "--data", "data"]).0, 4);
}

#[test]
fn an_id_of_two_sources_is_refused_with_both_and_a_source_chooses() {
    let dir = with_log();
    let (code, _, err) = run(dir.path(), &["receipts", "prove", "7", "--data", "data", "-o", "proof"]);
    assert_eq!(code, 6, "{err}");
    for expected in ["KNHK-E1821", "`left`", "`right`", "--sequence 1", "--sequence 2", "--source"] {
        assert!(err.contains(expected), "{expected} is missing in {err}");
    }
    assert!(!dir.path().join("proof").exists());
    assert_eq!(proven(dir.path(), &["7", "--source", "left"]), 1);
    assert_eq!(proven(dir.path(), &["7", "--source", "right"]), 2);
    let (code, _, err) = run(dir.path(), &["receipts", "prove", "7", "--source", "up", "--data", "data"]);
    assert!(code == 6 && err.contains("KNHK-E1820") && err.contains("`left`, `right`"), "{code} {err}");
    let erase = ["log", "erase", "--event", "8", "--source", "left", "--data", "data", "--reason", "test"];
    let (code, _, err) = run(dir.path(), &erase);
    assert!(code == 6 && err.contains("KNHK-E1820") && !err.contains("receipt"), "{code} {err}");
}

#[test]
fn an_event_whose_id_begins_a_receipt_id_is_refused_until_one_is_chosen() {
    let dir = with_log();
    let (_, receipts) = json(dir.path(), &["receipts", "list", "--data", "data"]);
    let receipt = receipts.as_array().unwrap()[0]["id"].as_str().unwrap().to_owned();
    let event =
        format!("{{\"type\":\"t\",\"id\":\"{}\",\"source\":\"left\",\"data\":{{}}}}\n", &receipt[..8]);
    fs::write(dir.path().join("more.ndjson"), event).unwrap();
    let (_, report) = observe(dir.path(), "logistics", &[Path::new("more.ndjson")]);
    assert!(!list(&report["cycle"], "receipts").is_empty());
    let (code, _, err) = run(dir.path(), &["receipts", "prove", &receipt[..8], "--data", "data"]);
    assert!(code == 6 && err.contains("KNHK-E1821") && err.contains(&receipt), "{code} {err}");
    assert_eq!(proven(dir.path(), &[&receipt[..8], "--source", "left"]), 4);
    assert_eq!(run(dir.path(), &["receipts", "prove", &receipt, "--data", "data"]).0, 0);
}
