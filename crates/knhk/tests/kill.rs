//! `kill -9` of the real binary, at moments spread over its run: what it had said was done is there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)] // A test may fail.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{example, json, run};

/// Starts `knhk observe` over these events.
fn start(dir: &Path, events: &Path) -> std::process::Child {
    Command::new(env!("CARGO_BIN_EXE_knhk"))
        .args(["--format", "json", "observe", "--sector", "logistics", "--data", "data"])
        .arg(events)
        .current_dir(dir)
        .env_remove("KNHK_SIGNING_KEY_FILE")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Entries under the checkpoint that lies in the directory, whoever reads it.
fn shown(dir: &Path) -> Option<String> {
    let note = fs::read_to_string(dir.join("data/checkpoint")).ok()?;
    (note.lines().count() > 3).then_some(note)
}

/// Kills as often, each time at another moment, and gives how many of the kills met a running process.
fn kills(times: u32) -> u32 {
    let dir = tempfile::tempdir().unwrap();
    let kept = dir.path().join("kept");
    fs::create_dir(&kept).unwrap();
    let files = ["events-normal.ndjson", "events-drift.ndjson", "events-broken.ndjson"].map(example);
    // The whole run is measured first, on a directory of its own.
    let measured = tempfile::tempdir().unwrap();
    let began = Instant::now();
    start(measured.path(), &files[0]).wait_with_output().unwrap();
    let whole = began.elapsed();
    let mut moment = 0x9e37_79b9_7f4a_7c15_u64;
    let (mut met, mut acknowledged) = (0, 0);
    for turn in 0..times {
        // Duplicates are refused, so a log that has everything is put aside for a new one.
        if turn % 8 == 0 {
            let _ = fs::remove_dir_all(dir.path().join("data"));
            let _ = fs::remove_file(dir.path().join("data.key"));
            acknowledged = 0;
            for note in fs::read_dir(&kept).unwrap() {
                fs::remove_file(note.unwrap().path()).unwrap();
            }
        }
        moment = moment.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let part = u32::try_from(moment >> 54).unwrap();
        let mut child = start(dir.path(), &files[turn as usize % files.len()]);
        thread::sleep(whole * part / 1024 * 11 / 10 + Duration::from_micros(200));
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        met += u32::from(output.status.code().is_none());
        if let Some(note) = shown(dir.path()) {
            fs::write(kept.join(format!("{turn}.checkpoint")), note).unwrap();
        }
        if !dir.path().join("data/log/00000000.seg").exists() {
            continue;
        }
        // Opening recovers; a log that was killed while it was created has nothing to lose.
        let (code, _, err) = run(
            dir.path(),
            &[
                "observe",
                "--sector",
                "logistics",
                "--data",
                "data",
                example("events-normal.ndjson").to_str().unwrap(),
            ],
        );
        assert!(code < 3, "turn {turn}: exit {code}: {err}");
        let (code, report) = json(dir.path(), &["log", "verify", "data"]);
        assert_eq!(code, 0, "turn {turn}: {report}");
        for note in fs::read_dir(&kept).unwrap() {
            let note = note.unwrap().path();
            let since = ["log", "verify", "data", "--since", note.to_str().unwrap()];
            let (code, _, err) = run(dir.path(), &since);
            assert_eq!(code, 0, "turn {turn}, since {}: {err}", note.display());
        }
        let entries = report["entries"].as_u64().unwrap();
        assert!(entries >= acknowledged, "turn {turn}: {entries} entries, {acknowledged} acknowledged");
        acknowledged = entries;
        let (code, _, err) = run(dir.path(), &["replay", "data"]);
        assert_eq!(code, 0, "turn {turn}: {err}");
    }
    println!("{met} of {times} kills met a running process");
    met
}

#[test]
fn a_binary_that_is_killed_loses_nothing_that_it_acknowledged() {
    assert!(kills(24) >= 8);
}

#[test]
#[ignore = "minutes; scripts/test --long runs it"]
fn a_hundred_kills_lose_nothing_that_was_acknowledged() {
    assert!(kills(100) >= 40);
}
