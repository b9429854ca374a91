//! The report of a run is true, fits the line, and is what the README shows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test may fail.

mod common;

use std::fs;
use std::path::Path;

use common::{example, json, list, observe, root, run};

/// What `knhk observe` tells people of these events.
fn told(dir: &Path, sector: &str, data: &str, events: &Path) -> String {
    let events = events.to_str().unwrap();
    run(dir, &["observe", "--sector", sector, "--data", data, events]).1
}

/// Orders of a shop; `key` is there in each.
fn orders(path: &Path, ids: &str, key: &str) {
    let order = |i: u32| {
        format!(
            "{{\"type\":\"order\",\"id\":\"{ids}{i}\",\"source\":\"till\",\"data\":{{\"total\":{i},\"{key}\":\"k{i}\"}}}}"
        )
    };
    fs::write(path, (0..60).map(order).collect::<Vec<_>>().join("\n")).unwrap();
}

/// A pack `shop` made from orders with a `code`.
fn shop(dir: &Path) {
    orders(&dir.join("orders.ndjson"), "o", "code");
    let (code, _, err) = run(dir, &["sector", "init", "shop", "--from", "orders.ndjson"]);
    assert_eq!(code, 0, "{err}");
}

#[test]
fn a_run_counts_every_receipt_that_it_wrote() {
    let dir = tempfile::tempdir().unwrap();
    let mut before = 0;
    for events in ["events-normal.ndjson", "events-drift.ndjson"] {
        let (_, report) = observe(dir.path(), "logistics", &[&example(events)]);
        let (_, receipts) = json(dir.path(), &["receipts", "list", "--data", "data"]);
        let now = receipts.as_array().unwrap().len();
        assert_eq!(report["receipts"]["count"], now - before, "{events}");
        assert_eq!(list(&report["cycle"], "receipts").len(), now - before, "{events}");
        before = now;
    }
}

#[test]
fn every_line_of_the_text_fits_and_a_hint_wraps() {
    let dir = tempfile::tempdir().unwrap();
    shop(dir.path());
    orders(&dir.path().join("renamed.ndjson"), "r", "zzz");
    let long = format!("{}/data", "long-directory-name/".repeat(3));
    let shop = told(dir.path(), "./shop", &long, &dir.path().join("renamed.ndjson"));
    assert!(shop.contains("vanished_field: lost by mistake"), "{shop}");
    assert!(shop.contains("new data directory long-") && shop.contains("private key long-"), "{shop}");
    let drift = told(dir.path(), "logistics", "data", &example("events-drift.ndjson"));
    for line in shop.lines().chain(drift.lines()) {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

#[test]
fn a_sector_that_joins_others_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    shop(dir.path());
    let (_, first) = observe(dir.path(), "./shop", &[Path::new("orders.ndjson")]);
    assert_eq!(first["notices"], serde_json::json!([]));
    let (_, second) = observe(dir.path(), "logistics", &[&example("events-normal.ndjson")]);
    assert_eq!(second["notices"][0]["kind"], "new_sector", "{second}");
    assert!(second["notices"][0]["message"].as_str().unwrap().contains("holds shop;"), "{second}");
    let (_, again) = observe(dir.path(), "logistics", &[&example("events-normal.ndjson")]);
    assert_eq!(again["notices"], serde_json::json!([]));
}

#[test]
fn the_rules_of_our_own_proposer_claim_what_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let (_, report) = observe(dir.path(), "logistics", &[&example("events-drift.ndjson")]);
    let findings = list(&report, "proposals")
        .iter()
        .flat_map(|proposal| list(proposal, "stages"))
        .flat_map(|stage| list(stage, "findings"));
    let false_claims: Vec<_> =
        findings.filter(|finding| finding["code"] == "KNHK-S502" && finding["severity"] != "info").collect();
    assert!(false_claims.is_empty(), "{false_claims:?}");
}

#[test]
fn the_way_back_from_a_proposal_can_be_pasted() {
    let dir = tempfile::tempdir().unwrap();
    observe(dir.path(), "logistics", &[&example("events-drift.ndjson")]);
    let (_, held) = json(dir.path(), &["proposals", "list", "--data", "data"]);
    let id = held[0]["id"].as_str().unwrap();
    let (_, text, _) = run(dir.path(), &["proposals", "show", id, "--data", "data"]);
    let back = text.lines().find_map(|line| line.strip_prefix("  back: knhk ")).unwrap();
    let arguments: Vec<&str> = back.split(' ').collect();
    let (code, done, err) = run(dir.path(), &arguments);
    assert!(code == 0 && done.contains("is current again"), "{back}: {err}");
}

/// A line with its ids and durations masked.
fn masked(line: &str) -> String {
    let mut words = Vec::new();
    for word in line.split(' ') {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_id = bare.len() == 12 && bare.bytes().all(|b| b.is_ascii_hexdigit());
        words.push(if is_id { word.replace(bare, "ID") } else { word.to_owned() });
    }
    for at in 1..words.len() {
        if words[at].trim_end_matches(';') == "ms" {
            "N".clone_into(&mut words[at - 1]);
        }
    }
    words.join(" ")
}

#[test]
fn the_sample_in_the_readme_is_what_the_demo_shows() {
    let dir = tempfile::tempdir().unwrap();
    let real = told(dir.path(), "logistics", "data", &example("events-drift.ndjson"));
    let real: Vec<String> = real.lines().map(masked).collect();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let sample = readme.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let (mut at, mut elided) = (0, false);
    for line in sample.lines() {
        if line.trim() == "…" {
            elided = true;
            continue;
        }
        let wanted = masked(line);
        let found = real.iter().skip(at).position(|real| *real == wanted);
        let found = found.unwrap_or_else(|| panic!("README.md shows a line that is not there:\n{line}"));
        assert!(found == 0 || elided, "README.md leaves out, without a `…`:\n{}", real[at]);
        (at, elided) = (at + found + 1, false);
    }
    assert!(at > 0);
}
