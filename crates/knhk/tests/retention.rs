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
    assert!(code == 3 && err.contains("KNHK-E1832") && err.contains("--from-seal"), "{err}");
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
fn a_whole_log_without_its_objects_goes_on_from_its_beginning_and_says_so() {
    let dir = with_log();
    let before = seen(dir.path());
    done(dir.path(), &["log", "seal", "--data", "data"]);
    assert_eq!(done(dir.path(), &["log", "verify", "data"])["sealed_state"], "ok");
    let digest = fs::read_dir(dir.path().join("data/objects")).unwrap().next().unwrap().unwrap().path();
    let object = fs::read_dir(&digest).unwrap().next().unwrap().unwrap().path();
    fs::write(&object, "other bytes").unwrap();
    assert_eq!(done(dir.path(), &["log", "verify", "data"])["sealed_state"], "lost");
    fs::remove_dir_all(dir.path().join("data/objects")).unwrap();
    assert_eq!(done(dir.path(), &["log", "verify", "data"])["sealed_state"], "lost");
    let (_, text, _) = run(dir.path(), &["log", "verify", "data"]);
    assert!(text.contains("warning:") && text.contains("knhk log seal"), "{text}");
    let (code, _, err) = run(dir.path(), &["ontology", "log", "--data", "data"]);
    assert!(code == 0 && err.contains("notice:") && err.contains("from its beginning"), "{code} {err}");
    let (_, text, _) = run(dir.path(), &["log", "salvage", "--data", "data"]);
    assert!(text.contains("nothing of the log is damaged") && text.contains("knhk log seal"), "{text}");
    assert_eq!(seen(dir.path()), before);
    let (_, again) = observe(dir.path(), "logistics", &[&example("events-drift.ndjson")]);
    assert_eq!(again["observations"]["accepted"], 0, "{again}");
    assert_eq!(again["notices"][0]["kind"], "state_lost", "{again}");
    done(dir.path(), &["replay", "data"]);
    assert_eq!(done(dir.path(), &["log", "seal", "--data", "data"])["already_sealed"], false);
    assert_eq!(done(dir.path(), &["log", "verify", "data"])["sealed_state"], "ok");
    done(dir.path(), &["replay", "data", "--from-seal"]);
    let (code, _, err) = run(dir.path(), &["ontology", "log", "--data", "data"]);
    assert!(code == 0 && err.is_empty(), "{err}");
}

#[test]
fn a_log_without_its_past_does_not_verify_without_its_objects() {
    let dir = with_log();
    let retain = ["log", "retain", "--data", "data", "--keep-segments", "1", "--reason", "test"];
    done(dir.path(), &retain);
    done(dir.path(), &["log", "verify", "data"]);
    fs::rename(dir.path().join("data/objects"), dir.path().join("old-objects")).unwrap();
    for arguments in [
        &["log", "verify", "data"][..],
        &["log", "verify", "data", "--roots"],
        &["log", "salvage", "--data", "data"],
        &["ontology", "log", "--data", "data"],
        &["replay", "data"],
        &["replay", "data", "--from-seal"],
        &["rollback", "--data", "data"],
    ] {
        let (code, _, err) = run(dir.path(), arguments);
        assert!(code == 3 && err.contains("KNHK-E1721"), "{arguments:?}: {code} {err}");
    }
    fs::rename(dir.path().join("old-objects"), dir.path().join("data/objects")).unwrap();
    done(dir.path(), &["log", "verify", "data"]);
}

#[test]
fn replay_of_a_log_without_its_past_never_passes_its_oldest_state_over() {
    let dir = with_log();
    let retain = ["log", "retain", "--data", "data", "--keep-segments", "1", "--reason", "test"];
    done(dir.path(), &retain);
    let objects = |at: &Path| {
        let folders = fs::read_dir(at.join("data/objects")).unwrap().map(|folder| folder.unwrap().path());
        folders
            .flat_map(|folder| fs::read_dir(folder).unwrap())
            .map(|file| file.unwrap().path())
            .collect::<Vec<_>>()
    };
    let oldest = objects(dir.path());
    done(dir.path(), &["rollback", "--data", "data", "--reason", "test"]);
    done(dir.path(), &["log", "seal", "--data", "data"]);
    // What only the oldest state names.
    for path in &oldest {
        let bytes = fs::read(path).unwrap();
        fs::remove_file(path).unwrap();
        if run(dir.path(), &["replay", "data", "--from-seal"]).0 != 0 {
            fs::write(path, bytes).unwrap();
        }
    }
    assert!(objects(dir.path()).len() > 1);
    done(dir.path(), &["log", "verify", "data"]);
    let (code, _, err) = run(dir.path(), &["replay", "data"]);
    assert!(code == 3 && err.contains("KNHK-E1721"), "{code} {err}");
    done(dir.path(), &["replay", "data", "--from-seal"]);
}

#[test]
fn a_state_that_is_sealed_is_not_sealed_again() {
    let dir = with_log();
    let first = done(dir.path(), &["log", "seal", "--data", "data"]);
    assert_eq!(first["already_sealed"], false);
    let before = entries(dir.path());
    let again = done(dir.path(), &["log", "seal", "--data", "data"]);
    assert_eq!((&again["already_sealed"], &again["digest"]), (&true.into(), &first["digest"]));
    let (code, text, _) = run(dir.path(), &["log", "seal", "--data", "data"]);
    assert!(code == 0 && text.starts_with("already sealed"), "{text}");
    assert_eq!(entries(dir.path()), before);
}

#[test]
fn an_archive_is_verified_by_itself_and_meets_the_log_at_its_root() {
    let dir = with_log();
    fs::copy(dir.path().join("data/checkpoint"), dir.path().join("old-checkpoint")).unwrap();
    fs::copy(dir.path().join("data/key.pub"), dir.path().join("key")).unwrap();
    let retain =
        ["log", "retain", "--data", "data", "--keep-segments", "1", "--archive", "old", "--reason", "test"];
    done(dir.path(), &retain);
    // The kept log answers for no checkpoint from before it, and is not blamed for that.
    let since = ["log", "verify", "data", "--key", "key", "--since", "old-checkpoint"];
    let (code, _, err) = run(dir.path(), &since);
    assert!(code == 6 && err.contains("KNHK-E1831") && err.contains("old-checkpoint: "), "{code} {err}");
    let archived = ["log", "verify", "old", "--key", "key", "--since", "old-checkpoint"];
    let archive = done(dir.path(), &archived);
    let log = done(dir.path(), &["log", "verify", "data", "--key", "key"]);
    assert_eq!((&archive["archive"], &archive["self_attested"]), (&true.into(), &false.into()));
    assert_eq!((&archive["root"], &archive["entries"]), (&log["root_before"], &log["begins_at"]));
    for more in [&[][..], &["--roots"], &["--key", "key"]] {
        let (code, text, err) = run(dir.path(), &[&["log", "verify", "old"][..], more].concat());
        assert_eq!(code, 0, "{err}");
        let root = archive["root"].as_str().unwrap();
        assert!(text.contains(root) && text.contains("to be compared with the checkpoint"), "{text}");
    }
    let path = dir.path().join("old/00000000.seg");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert_eq!(run(dir.path(), &["log", "verify", "old", "--key", "key"]).0, 3);
}

#[test]
fn a_front_that_is_gone_without_a_word_is_not_taken_for_retention() {
    let dir = with_log();
    fs::copy(dir.path().join("data/checkpoint"), dir.path().join("old-checkpoint")).unwrap();
    done(dir.path(), &["log", "seal", "--data", "data"]);
    fs::remove_file(dir.path().join("data/log/00000000.seg")).unwrap();
    let (code, _, err) = run(dir.path(), &["log", "verify", "data", "--since", "old-checkpoint"]);
    assert!(code == 3 && !err.contains("KNHK-E1831"), "{code} {err}");
}

#[test]
fn a_missing_checkpoint_file_is_told_by_the_next_run() {
    let dir = with_log();
    fs::remove_file(dir.path().join("data/checkpoint")).unwrap();
    let (_, report) = observe(dir.path(), "logistics", &[&example("events-drift.ndjson")]);
    assert_eq!(report["notices"][0]["kind"], "checkpoint_missing", "{report}");
    let (_, report) = observe(dir.path(), "logistics", &[&example("events-drift.ndjson")]);
    assert_eq!(report["notices"], serde_json::json!([]), "{report}");
    fs::remove_file(dir.path().join("data/checkpoint")).unwrap();
    let events = example("events-drift.ndjson");
    let events = events.to_str().unwrap();
    let (_, text, _) = run(dir.path(), &["observe", "--sector", "logistics", "--data", "data", events]);
    assert!(text.contains("NOTICE the file `checkpoint` was missing"), "{text}");
}

#[test]
fn entries_that_were_signed_late_are_told_by_the_run_that_signs_them() {
    let dir = with_log();
    let older = fs::read(dir.path().join("data/checkpoint")).unwrap();
    let before = entries(dir.path());
    observe(dir.path(), "logistics", &[&example("events-drift.ndjson")]);
    let late = entries(dir.path()) - before;
    // As a run leaves it that is killed after its last sync.
    fs::write(dir.path().join("data/checkpoint"), older).unwrap();
    let (_, report) = observe(dir.path(), "logistics", &[&example("events-drift.ndjson")]);
    let notice = &report["notices"][0];
    assert_eq!(notice["kind"], "signed_late", "{report}");
    assert!(notice["message"].as_str().unwrap().starts_with(&format!("{late} entries")), "{notice}");
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
