//! What an operator and an auditor do with a data directory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)] // A test may fail.

mod common;

use std::fs;
use std::path::Path;

use common::{example, json, list, observe, run};
use serde_json::Value;

fn with_log() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    observe(dir.path(), "logistics", &[&example("events-drift.ndjson")]);
    dir
}

fn key(dir: &Path) -> String {
    fs::read_to_string(dir.join("data/key.pub")).unwrap().trim().to_owned()
}

#[test]
fn a_log_verifies_with_a_key_and_says_when_it_vouches_for_itself() {
    let dir = with_log();
    let (code, own) = json(dir.path(), &["log", "verify", "data"]);
    assert_eq!((code, &own["self_attested"]), (0, &Value::Bool(true)));
    let (code, trusted) = json(dir.path(), &["log", "verify", "data", "--key", &key(dir.path())]);
    assert_eq!((code, &trusted["self_attested"]), (0, &Value::Bool(false)));
    assert_eq!(trusted["entries"], trusted["covered"]);

    let other = with_log();
    let (code, _, err) = run(dir.path(), &["log", "verify", "data", "--key", &key(other.path())]);
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("KNHK-E11"), "{err}");
}

#[test]
fn the_private_key_stays_outside_the_data_directory() {
    let dir = with_log();
    let secret = fs::read_to_string(dir.path().join("data.key")).unwrap();
    let secret = secret.trim();
    let mut folders = vec![dir.path().join("data")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = fs::read(&path).unwrap();
                assert!(!bytes.windows(secret.len()).any(|w| w == secret.as_bytes()), "{}", path.display());
            }
        }
    }
    let example = example("events-normal.ndjson");
    let inside = [
        "observe",
        "--sector",
        "logistics",
        "--data",
        "d",
        "--signing-key",
        "d/my.key",
        example.to_str().unwrap(),
    ];
    let (code, _, err) = run(dir.path(), &inside);
    assert_eq!(code, 6);
    assert!(err.contains("KNHK-E1808"), "{err}");
    std::os::unix::fs::symlink("data", dir.path().join("link")).unwrap();
    for key in ["link/my.key", "x/../data/my.key"] {
        let around = [
            "observe",
            "--sector",
            "logistics",
            "--data",
            "data",
            "--signing-key",
            key,
            example.to_str().unwrap(),
        ];
        let (code, _, err) = run(dir.path(), &around);
        assert!(code == 6 && err.contains("KNHK-E1808"), "{key}: {err}");
    }
}

#[test]
fn an_event_cannot_write_to_the_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let event = |i| format!(r#"{{"type":"a\u001b[2J\u202eb","id":"{i}","data":{{"x":{i}}}}}"#);
    let events = (0..40).map(event).collect::<Vec<_>>().join("\n");
    fs::write(dir.path().join("events.ndjson"), events).unwrap();
    let (_, out, _) =
        run(dir.path(), &["observe", "--sector", "logistics", "--data", "data", "events.ndjson"]);
    assert!(out.contains("PROPOSAL") && !out.contains(['\u{1b}', '\u{202e}']), "{out:?}");
    let (_, out, _) = run(dir.path(), &["proposals", "list", "--data", "data"]);
    assert!(!out.contains('\u{1b}'), "{out:?}");
}

#[test]
fn a_broken_rule_is_refused_where_a_pack_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("e.ndjson"), "{\"type\":\"t\",\"id\":\"1\",\"data\":{\"x\":1}}\n").unwrap();
    run(dir.path(), &["sector", "init", "shop", "--from", "e.ndjson"]);
    fs::write(dir.path().join("shop/guards.toml"), "[[guard]]\nenforced = false\n").unwrap();
    let (code, _, err) = run(dir.path(), &["sector", "show", "./shop"]);
    assert!(code == 6 && err.contains("KNHK-E16"), "{code} {err}");
}

#[test]
fn two_sectors_cannot_share_a_namespace() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("e.ndjson"), "{\"type\":\"t\",\"id\":\"1\",\"data\":{\"x\":1}}\n").unwrap();
    run(dir.path(), &["sector", "init", "shop", "--from", "e.ndjson"]);
    for entry in fs::read_dir(dir.path().join("shop")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("urn:knhk:shop#", "urn:knhk:logistics#")).unwrap();
    }
    observe(dir.path(), "logistics", &[&example("events-normal.ndjson")]);
    let (code, _, err) = run(dir.path(), &["observe", "--sector", "./shop", "--data", "data", "e.ndjson"]);
    assert!(code == 6 && err.contains("KNHK-E1715"), "{code} {err}");
}

#[test]
fn a_changed_byte_is_refused_with_its_place() {
    let dir = with_log();
    let path = dir.path().join("data/log/00000000.seg");
    let bytes = fs::read(&path).unwrap();
    for at in [0, 100, bytes.len() / 2, bytes.len() - 1] {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        fs::write(&path, &changed).unwrap();
        let (code, _, err) = run(dir.path(), &["log", "verify", "data"]);
        assert_ne!(code, 0, "byte {at}");
        assert!(err.contains("00000000.seg"), "byte {at}: {err}");
    }
}

#[test]
fn replay_refuses_a_log_whose_event_was_edited_and_says_where() {
    let dir = with_log();
    let path = dir.path().join("data/log/00000000.seg");
    let bytes = fs::read(&path).unwrap();
    let at = bytes.windows(12).position(|w| w == b"customs_hold").unwrap();
    let mut changed = bytes.clone();
    changed[at] = b'x';
    fs::write(&path, &changed).unwrap();
    let (code, _, err) = run(dir.path(), &["replay", "data"]);
    assert_ne!(code, 0);
    assert!(err.contains("00000000.seg at byte"), "{err}");
}

#[test]
fn a_proof_convinces_with_a_public_key_alone() {
    let dir = with_log();
    let first =
        fs::read_to_string(example("events-drift.ndjson")).unwrap().lines().next().unwrap().to_owned();
    let id = serde_json::from_str::<Value>(&first).unwrap()["id"].as_str().unwrap().to_owned();
    let (code, _, err) = run(dir.path(), &["receipts", "prove", &id, "--data", "data", "-o", "proof"]);
    assert_eq!(code, 0, "{err}");
    fs::write(dir.path().join("event.json"), format!("{first}\n")).unwrap();
    let key = key(dir.path());
    let (code, proven) =
        json(dir.path(), &["receipts", "check", "proof", "--key", &key, "--event", "event.json"]);
    assert_eq!((code, &proven["proven"]), (0, &Value::Bool(true)));

    fs::write(dir.path().join("event.json"), first.replace("2026", "2025")).unwrap();
    let (code, _, err) =
        run(dir.path(), &["receipts", "check", "proof", "--key", &key, "--event", "event.json"]);
    assert_eq!(code, 3);
    assert!(err.contains("KNHK-E1811"), "{err}");

    let (_, receipts) = json(dir.path(), &["receipts", "list", "--data", "data"]);
    let receipt = receipts.as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned();
    run(dir.path(), &["receipts", "prove", &receipt[..16], "--data", "data", "-o", "proof2"]);
    let (code, out, _) = run(dir.path(), &["receipts", "check", "proof2", "--key", &key]);
    assert!(code == 0 && out.contains("LoopCycleCompleted"), "{out}");
    let (code, proven) = json(dir.path(), &["receipts", "check", "proof2", "--key", &key]);
    assert_eq!((code, &proven["what"]), (0, &Value::from("receipt")));
}

#[test]
fn every_byte_of_a_proof_counts() {
    let dir = with_log();
    run(dir.path(), &["receipts", "prove", "--sequence", "7", "--data", "data", "-o", "proof"]);
    let proof = fs::read(dir.path().join("proof")).unwrap();
    let key = key(dir.path());
    // Each run is a process: a spread of places here, every byte in the tests of the format.
    for at in (0..proof.len()).step_by(proof.len() / 40) {
        let mut changed = proof.clone();
        changed[at] ^= 1;
        fs::write(dir.path().join("changed"), &changed).unwrap();
        let (code, out, _) = run(dir.path(), &["receipts", "check", "changed", "--key", &key]);
        assert_ne!(code, 0, "byte {at}: {out}");
    }
}

#[test]
fn a_rollback_is_a_new_snapshot_with_the_old_content() {
    let dir = with_log();
    let (_, before) = json(dir.path(), &["ontology", "log", "--data", "data"]);
    let first = &before.as_array().unwrap()[0];
    let to = first["snapshot_id"].as_str().unwrap();
    let (code, done) =
        json(dir.path(), &["rollback", "--data", "data", "--to", &to[..10], "--reason", "test"]);
    assert_eq!(code, 0);
    assert_eq!(done["content_id"], first["content_id"]);
    assert_ne!(done["snapshot_id"], first["snapshot_id"]);
    let (_, after) = json(dir.path(), &["ontology", "log", "--data", "data"]);
    assert_eq!(after.as_array().unwrap().len(), before.as_array().unwrap().len() + 1);
    let (code, _, err) = run(dir.path(), &["rollback", "--data", "data", "--to", &to[..10]]);
    assert_eq!(code, 6);
    assert!(err.contains("KNHK-E1712"), "{err}");
    let (code, _, err) = run(dir.path(), &["replay", "data"]);
    assert_eq!(code, 0, "{err}");
    let (code, _, err) = run(dir.path(), &["log", "verify", "data"]);
    assert_eq!(code, 0, "{err}");
}

#[test]
fn a_held_change_waits_for_a_person_who_promotes_or_rejects_it() {
    let dir = tempfile::tempdir().unwrap();
    let drift = example("events-drift.ndjson");
    let arguments =
        ["observe", "--sector", "logistics", "--data", "data", "--promote", "hold", drift.to_str().unwrap()];
    let (code, report) = json(dir.path(), &arguments);
    assert_eq!(code, 1);
    assert!(list(&report, "proposals").iter().all(|p| p["outcome"] != "promoted"));
    assert_eq!(list(&report, "snapshots").len(), 1);

    let find = |path: &str| {
        let concerns = |p: &&Value| list(p, "changes").iter().any(|c| c["path"] == path);
        list(&report, "proposals").iter().find(concerns).unwrap()["id"].as_str().unwrap()[..12].to_owned()
    };
    let (code, done) = json(dir.path(), &["proposals", "promote", &find("geofence"), "--data", "data"]);
    assert_eq!((code, &done["outcome"]), (0, &Value::from("promoted")), "{done}");
    let reject = ["proposals", "reject", &find("batteryPct"), "--data", "data", "--reason", "noise"];
    let (code, done) = json(dir.path(), &reject);
    assert_eq!((code, &done["outcome"]), (0, &Value::from("rejected")), "what was ordered is done");
    // A person's word does not replace the signature that doctrine asks for.
    let (code, done) =
        json(dir.path(), &["proposals", "promote", &find("preferenceCertificate"), "--data", "data"]);
    assert_eq!((code, &done["outcome"]), (1, &Value::from("held")), "{done}");
    let (code, _, err) = run(dir.path(), &reject);
    assert_eq!(code, 6, "{err}");

    let (code, _, err) = run(dir.path(), &["replay", "data"]);
    assert_eq!(code, 0, "{err}");
}

#[test]
fn receipts_of_a_cycle_are_linked() {
    let dir = with_log();
    let (_, receipts) = json(dir.path(), &["receipts", "list", "--data", "data"]);
    let receipts = receipts.as_array().unwrap();
    for (before, after) in receipts.iter().zip(&receipts[1..]) {
        assert_eq!(after["parent"], before["id"]);
    }
    assert!(receipts[0]["parent"].is_null());
    let (_, out, _) = run(dir.path(), &["receipts", "list", "--data", "data"]);
    for operation in ["ObservationIngested", "SnapshotPromoted", "LoopCycleCompleted"] {
        assert!(out.contains(operation), "{operation} is whole in\n{out}");
    }
    assert!(out.lines().all(|line| line.chars().count() <= 100), "{out}");
    let (code, out, _) =
        run(dir.path(), &["receipts", "show", receipts[3]["id"].as_str().unwrap(), "--data", "data"]);
    assert_eq!(code, 0);
    let shown: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(shown["id"], receipts[3]["id"]);
    assert!(shown["body"].is_object());
}

#[test]
fn packs_and_ontologies_are_shown() {
    let dir = with_log();
    let (_, sectors) = json(dir.path(), &["sector", "list", "--data", "data"]);
    assert_eq!(sectors.as_array().unwrap().len(), 2);
    for arguments in [
        &["sector", "list"][..],
        &["sector", "show", "logistics"],
        &["ontology", "show", "--data", "data"],
        &["ontology", "log", "--data", "data"],
        &["ontology", "diff", "--data", "data"],
        &["receipts", "list", "--data", "data", "--sector", "logistics"],
        &["proposals", "list", "--data", "data"],
        &["explain"],
        &["explain", "e1709"],
        &["--help"],
    ] {
        let (code, out, err) = run(dir.path(), arguments);
        assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}");
        assert!(!out.is_empty());
    }
}

#[test]
fn mistakes_get_a_code_and_an_exit_code() {
    let dir = with_log();
    fs::create_dir(dir.path().join("empty")).unwrap();
    fs::write(dir.path().join("nothing.ndjson"), "").unwrap();
    let drift = example("events-drift.ndjson");
    let drift = drift.to_str().unwrap();
    for (arguments, code, error) in [
        (&["observe", "--sector", "logistics", "empty"][..], 5, "KNHK-E1802"),
        (&["observe", "--sector", "logistics", "nothing.ndjson"], 5, "KNHK-E1802"),
        (&["observe", "--sector", "logistics", "missing.ndjson"], 5, "KNHK-E1801"),
        (&["observe", "--sector", "nowhere", "nothing.ndjson"], 6, "KNHK-E1803"),
        (&["sector", "init", "x", "--from", "nothing.ndjson", "--dir", "empty"], 6, "KNHK-E1804"),
        (&["ontology", "show", "--data", "empty"], 5, "KNHK-E1805"),
        (&["ontology", "show", "--data", "data", "--sector", "x"], 6, "KNHK-E1704"),
        (&["receipts", "show", "not-an-id", "--data", "data"], 6, "KNHK-E1807"),
        (&["explain", "KNHK-E0000"], 6, "KNHK-E1809"),
        (&["log", "verify", "empty"], 5, "KNHK-E1805"),
    ] {
        let (got, _, err) = run(dir.path(), arguments);
        assert_eq!(got, code, "{arguments:?}: {err}");
        assert!(err.contains(error), "{arguments:?}: {err}");
    }
    for (arguments, expected) in [
        (&["receipts", "list", "--data", "empty"][..], "KNHK-E1805 a directory without a log"),
        (&["receipts", "show", "1", "--data", "missing"], "KNHK-E1805 there is nothing"),
        (&["receipts", "list", "--data", "data", "--sector", "x"], "KNHK-E1704 logistics"),
        (&["log", "verify", "nothing.ndjson"], "KNHK-E1805 it is a file"),
        (&["log", "verify", "data", "--key", "nothing.ndjson"], "KNHK-E1105 nothing.ndjson: key.pub"),
        (
            &["receipts", "check", "nothing.ndjson", "--key", "data/key.pub"],
            "KNHK-E1105 nothing.ndjson: prove",
        ),
        (&["receipts", "prove", "--sequence", "3842", "--data", "data"], "KNHK-E1820 3842"),
        (&["observe", "--sector", "logistics", "--data", "nothing.ndjson", drift], "KNHK-E1823 --data"),
        (
            &["observe", "--sector", "logistics", "--data", "data", "--signing-key", "k", drift],
            "KNHK-E1824 --signing-key",
        ),
        (&["rollback", "--data", "data", "--signing-key", "k"], "KNHK-E1824 --signing-key"),
        (&["proposals", "show", "", "--data", "data"], "KNHK-E1807 empty"),
        (&["ontology", "show", "--data", "data", "--snapshot", "zz"], "KNHK-E1807 no snapshot starts with"),
        (&["ontology", "show", "--data", "data", "--sector", "x"], "KNHK-E1704 holds: logistics"),
        (&["observe", "--sector", "logistics", "empty"], "KNHK-E1802 found in empty"),
    ] {
        let (got, _, err) = run(dir.path(), arguments);
        assert!(got >= 3, "{arguments:?}: {got}");
        for word in expected.split(' ') {
            assert!(err.contains(word), "{arguments:?}: {word} is missing in {err}");
        }
    }
    // What was refused made nothing.
    assert!(!dir.path().join("nothing.ndjson.key").exists());
    assert_eq!(run(dir.path(), &["observe"]).0, 4);
    assert_eq!(run(dir.path(), &["no-such-command"]).0, 4);
}

#[test]
fn sectors_live_side_by_side_in_one_data_directory() {
    let dir = tempfile::tempdir().unwrap();
    let order =
        |i| format!("{{\"type\":\"order\",\"id\":\"o{i}\",\"source\":\"till\",\"data\":{{\"total\":{i}}}}}");
    let orders = (0..40).map(order).collect::<Vec<_>>().join("\n");
    fs::write(dir.path().join("orders.ndjson"), &orders).unwrap();
    let (code, made) = json(dir.path(), &["sector", "init", "shop", "--from", "orders.ndjson"]);
    assert_eq!((code, &made["classes"]), (0, &Value::from(1)));
    observe(dir.path(), "logistics", &[&example("events-drift.ndjson")]);
    let (code, report) = observe(dir.path(), "shop", &[Path::new("orders.ndjson")]);
    assert_eq!((code, &report["conformance"]["conform"]), (0, &Value::from(40)));
    // The same events under another sector are that sector's own.
    let (_, elsewhere) = observe(dir.path(), "logistics", &[Path::new("orders.ndjson")]);
    assert_eq!(elsewhere["observations"]["accepted"], 40);
    let (code, _, err) = run(dir.path(), &["ontology", "log", "--data", "data"]);
    assert_eq!(code, 6);
    assert!(err.contains("KNHK-E1806"), "{err}");
    assert_eq!(json(dir.path(), &["ontology", "log", "--data", "data", "--sector", "shop"]).0, 0);
    assert_eq!(json(dir.path(), &["log", "verify", "data"]).0, 0);
    assert_eq!(json(dir.path(), &["replay", "data"]).0, 0);
}

#[test]
fn an_event_of_another_sector_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let line = "{\"type\":\"t\",\"id\":\"1\",\"sector\":\"finance\",\"data\":{}}\n{\"type\":\"t\",\"id\":\"2\",\"data\":{}}\n";
    fs::write(dir.path().join("events.ndjson"), line).unwrap();
    let (code, report) = observe(dir.path(), "logistics", &[Path::new("events.ndjson")]);
    assert_eq!(code, 2);
    assert_eq!(
        (&report["observations"]["accepted"], &report["observations"]["rejected"]),
        (&1.into(), &1.into())
    );
    let letters = fs::read_to_string(dir.path().join("data/dead-letter.ndjson")).unwrap();
    assert!(letters.contains("KNHK-E1814"), "{letters}");
}

#[test]
fn a_copied_data_directory_replays_and_verifies_without_the_key() {
    let dir = with_log();
    let copy = dir.path().join("copy/elsewhere");
    fs::create_dir_all(copy.join("log")).unwrap();
    for file in ["checkpoint", "key.pub", "log/00000000.seg"] {
        fs::copy(dir.path().join("data").join(file), copy.join(file)).unwrap();
    }
    let copy = copy.to_str().unwrap();
    assert_eq!(json(dir.path(), &["replay", copy]).0, 0);
    assert_eq!(json(dir.path(), &["log", "verify", copy, "--key", &key(dir.path())]).0, 0);
}

#[test]
fn rolling_back_again_goes_further_back_until_nothing_is_left() {
    let dir = with_log();
    let log = |dir: &Path| json(dir, &["ontology", "log", "--data", "data"]).1;
    let promotions = log(dir.path()).as_array().unwrap().len() - 1;
    assert!(promotions > 1);
    let genesis = log(dir.path())[0]["content_id"].clone();
    let mut contents = std::collections::BTreeSet::new();
    for _ in 0..promotions {
        let (code, done) = json(dir.path(), &["rollback", "--data", "data", "--reason", "test"]);
        assert_eq!(code, 0, "{done}");
        assert!(contents.insert(done["content_id"].to_string()), "never forward");
    }
    assert!(contents.contains(&genesis.to_string()));
    let (code, _, err) = run(dir.path(), &["rollback", "--data", "data"]);
    assert!(code == 6 && err.contains("KNHK-E1716"), "{code} {err}");
}

/// A pack `shop` of orders with a required `total` and `code`, and the file it was made from.
fn shop(dir: &Path) {
    let order = |i| {
        format!(
            "{{\"type\":\"order\",\"id\":\"o{i}\",\"source\":\"till\",\"data\":{{\"total\":{i},\"code\":\"x{i}\"}}}}"
        )
    };
    fs::write(dir.join("orders.ndjson"), (0..40).map(order).collect::<Vec<_>>().join("\n")).unwrap();
    assert_eq!(run(dir, &["sector", "init", "shop", "--from", "orders.ndjson"]).0, 0);
}

#[test]
fn a_pack_that_was_edited_after_its_admission_is_said_to_be_ignored() {
    let dir = tempfile::tempdir().unwrap();
    shop(dir.path());
    let observe = ["observe", "--sector", "./shop", "--data", "data", "orders.ndjson"];
    let (_, report) = json(dir.path(), &observe);
    assert_eq!(list(&report, "notices").len(), 0);
    let (_, report) = json(dir.path(), &observe);
    assert_eq!(list(&report, "notices").len(), 0, "the same pack again");
    fs::write(dir.path().join("shop/guards.toml"), "# none yet\n").unwrap();
    let (code, report) = json(dir.path(), &observe);
    assert_eq!((code, &report["notices"][0]["kind"]), (0, &Value::from("pack_ignored")));
    let (_, text, _) = run(dir.path(), &observe);
    assert!(text.contains("NOTICE the pack of `shop` is not the one"), "{text}");
    let stream = [&observe[..], &["--format", "ndjson"]].concat();
    let (_, lines, _) = run(dir.path(), &stream);
    assert!(lines.contains("\"type\":\"notice\""), "{lines}");
}

#[test]
fn a_guard_over_a_misspelt_term_is_refused_when_the_pack_is_admitted() {
    let dir = tempfile::tempdir().unwrap();
    shop(dir.path());
    let guard = "[[guard]]\nid = \"G\"\nname = \"\"\ndescription = \"\"\ntype = \"safety_interlock\"\n\
                 criticality = \"low\"\nproperties = [\"urn:knhk:shop#OrderEvent.totl\"]\ntier = \"cold\"\n";
    fs::write(dir.path().join("shop/guards.toml"), guard).unwrap();
    for arguments in [
        &["observe", "--sector", "./shop", "--data", "data", "orders.ndjson"][..],
        &["sector", "show", "./shop"],
    ] {
        let (code, _, err) = run(dir.path(), arguments);
        assert_eq!(code, 6, "{err}");
        for part in ["KNHK-E1611", "guards.toml", "OrderEvent.totl"] {
            assert!(err.contains(part), "{part}: {err}");
        }
    }
    fs::write(dir.path().join("shop/guards.toml"), guard.replace("totl", "total")).unwrap();
    assert_eq!(run(dir.path(), &["sector", "show", "./shop"]).0, 0);
}

#[test]
fn a_required_key_renamed_to_an_unlike_name_gets_a_next_step_that_works() {
    let dir = tempfile::tempdir().unwrap();
    shop(dir.path());
    let order = |i: u32| {
        format!(
            "{{\"type\":\"order\",\"id\":\"n{i}\",\"source\":\"till\",\"data\":{{\"total\":{i},\"reference\":{i}}}}}"
        )
    };
    fs::write(dir.path().join("new.ndjson"), (0..40).map(order).collect::<Vec<_>>().join("\n")).unwrap();
    let (_, report) = json(dir.path(), &["observe", "--sector", "./shop", "--data", "data", "new.ndjson"]);
    let vanished = list(&report, "patterns").iter().find(|p| p["kind"] == "vanished_field").unwrap();
    assert_eq!(vanished["path"], "code");
    assert!(
        vanished["next"].as_str().unwrap().contains("knhk ontology export --as turtle --data DIR"),
        "{vanished}"
    );
    // The step, as it is told.
    let (_, turtle, _) = run(dir.path(), &["ontology", "export", "--as", "turtle", "--data", "data"]);
    let optional = turtle.split("\n\n").map(|block| match block.split(' ').next() {
        Some("shop:OrderEvent.code") => block.replace("knhk:cardinality \"1\"", "knhk:cardinality \"0..1\""),
        Some("shop:OrderEvent.code-shape") => block.replace("    sh:minCount 1 ;\n", ""),
        _ => block.to_owned(),
    });
    let optional = optional.collect::<Vec<_>>().join("\n\n");
    fs::rename(dir.path().join("shop"), dir.path().join("next")).unwrap();
    for file in ["shapes.ttl", "context.jsonld"] {
        fs::remove_file(dir.path().join("next").join(file)).unwrap();
    }
    fs::write(dir.path().join("next/ontology.ttl"), optional).unwrap();
    let (_, report) = json(dir.path(), &["observe", "--sector", "./next", "--data", "data2", "new.ndjson"]);
    assert_eq!(report["conformance"]["conform"], 40, "{turtle}");
}

#[test]
fn a_failed_first_run_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let good = "{\"type\":\"t\",\"id\":\"1\",\"data\":{\"x\":1}}\n";
    fs::write(dir.path().join("good.ndjson"), good).unwrap();
    fs::write(dir.path().join("nothing.ndjson"), "").unwrap();
    // A gzip header with nothing behind it: found out only while reading.
    fs::write(dir.path().join("cut.ndjson.gz"), b"\x1f\x8b\x08broken").unwrap();
    fs::create_dir(dir.path().join("unused")).unwrap();
    run(dir.path(), &["sector", "init", "broken", "--from", "good.ndjson"]);
    fs::write(dir.path().join("broken/guards.toml"), "[[guard]]\nenforced = false\n").unwrap();
    run(dir.path(), &["sector", "init", "torn", "--from", "good.ndjson"]);
    let ontology = fs::read_dir(dir.path().join("torn")).unwrap().map(|e| e.unwrap().path());
    let ontology = ontology.filter(|p| p.extension().is_some_and(|e| e == "ttl")).min().unwrap();
    fs::write(ontology, "this is no Turtle").unwrap();
    let names = |at: &str| {
        let mut names: Vec<String> = fs::read_dir(dir.path().join(at))
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let before = names(".");
    for (sector, data, files) in [
        ("logistics", "data", &["nothing.ndjson"][..]),
        ("logistics", "data", &["missing.ndjson"]),
        ("logistics", "data", &["good.ndjson", "cut.ndjson.gz"]),
        ("logistics", "a/b/data", &["good.ndjson", "cut.ndjson.gz"]),
        ("logistics", "unused", &["good.ndjson", "cut.ndjson.gz"]),
        ("./broken", "data", &["good.ndjson"]),
        ("./torn", "data", &["good.ndjson"]),
    ] {
        let arguments = [&["observe", "--sector", sector, "--data", data][..], files].concat();
        let (code, _, err) = run(dir.path(), &arguments);
        assert!(code >= 5, "{arguments:?}: {code} {err}");
        assert_eq!(names("."), before, "{arguments:?}");
        assert!(names("unused").is_empty());
    }
    // A directory that was there before keeps its log and its key.
    assert_eq!(observe(dir.path(), "logistics", &[Path::new("good.ndjson")]).0, 0);
    let (code, _, _) = run(
        dir.path(),
        &["observe", "--sector", "logistics", "--data", "data", "good.ndjson", "cut.ndjson.gz"],
    );
    assert_eq!(code, 5);
    assert!(dir.path().join("data.key").is_file());
    assert_eq!(json(dir.path(), &["log", "verify", "data"]).0, 0);
}

#[test]
fn a_stream_without_types_is_told_which_key_was_looked_for() {
    let dir = tempfile::tempdir().unwrap();
    let line = "{\"kind\":\"order\",\"ts\":1,\"total\":3}\n";
    fs::write(dir.path().join("e.ndjson"), line.repeat(3)).unwrap();
    let (code, _, err) = run(dir.path(), &["sector", "init", "shop", "--from", "e.ndjson"]);
    assert_eq!(code, 5);
    for expected in [
        "KNHK-E1822",
        "none of the 3 events",
        "e.ndjson, line 1, column 1",
        "KNHK-E1515",
        "`event_type`",
        "`type`",
        "`kind`",
        "CloudEvent",
        "docs/formats/events.md",
    ] {
        assert!(err.contains(expected), "{expected} is missing in {err}");
    }
    assert!(!dir.path().join("shop").exists());
    // The same where a sector is there already.
    let (code, out, _) = run(dir.path(), &["observe", "--sector", "logistics", "--data", "data", "e.ndjson"]);
    assert_eq!(code, 2);
    assert!(out.contains("all of them were refused") && out.contains("`kind`"), "{out}");
}

#[test]
fn a_waiting_proposal_is_shown_for_people_and_as_a_document() {
    let dir = with_log();
    let (_, out, _) = run(dir.path(), &["proposals", "list", "--data", "data"]);
    for expected in ["add_property", "preferenceCertificate", "customs.declared", "waits", "customs officer"]
    {
        assert!(out.contains(expected), "{expected} is missing in\n{out}");
    }
    let id = out.lines().nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let (code, out, _) = run(dir.path(), &["proposals", "show", &id, "--data", "data"]);
    assert_eq!(code, 0);
    for expected in [
        "for version 1.",
        "add_property",
        "65 of 80",
        "EVIDENCE",
        "undeclared_field",
        "doctrine ✗",
        "KNHK-S303",
        "held: customs-change-approval",
        "knhk proposals promote",
    ] {
        assert!(out.contains(expected), "{expected} is missing in\n{out}");
    }
    assert!(!out.contains('{'), "no JSON among text:\n{out}");
    let (code, document) = json(dir.path(), &["proposals", "show", &id, "--data", "data"]);
    assert_eq!(code, 0);
    assert!(document["id"].as_str().unwrap().starts_with(&id));
    assert_eq!(document["outcome"], "held");
    assert_eq!(list(&document, "stages").len(), 7);
    assert_eq!(document["evidence"][0]["evidence"]["n"], 65);
    assert_eq!(document["content"]["sector"], "logistics");
    assert!(document["reason"].as_str().unwrap().contains("customs officer"));
    run(dir.path(), &["proposals", "reject", &id, "--data", "data", "--reason", "no"]);
    let (code, out, _) = run(dir.path(), &["proposals", "list", "--data", "data"]);
    assert_eq!((code, out.as_str()), (0, "no proposal waits for a person\n"));
}

#[test]
fn a_snapshot_is_shown_and_chosen_by_its_version() {
    let dir = with_log();
    let (_, out, _) = run(dir.path(), &["ontology", "log", "--data", "data"]);
    assert!(out.lines().any(|line| line.contains("1.1.0") && line.contains("1.0.0 (")), "{out}");
    let (code, shown, _) = run(dir.path(), &["ontology", "show", "--data", "data", "--snapshot", "1.1.0"]);
    assert!(code == 0 && shown.starts_with("logistics 1.1.0, in force since "), "{shown}");
    let (code, out, _) = run(dir.path(), &["rollback", "--data", "data", "--to", "1.0.0"]);
    assert!(code == 0 && out.contains("the content of version 1.0.0 ("), "{out}");
    let (_, out, _) = run(dir.path(), &["ontology", "diff", "--data", "data"]);
    assert!(out.contains(" → 2.0.0 ("), "{out}");
}

#[test]
fn that_a_sector_has_no_rules_is_said_once_per_run() {
    let dir = tempfile::tempdir().unwrap();
    for (file, more) in [("old", ""), ("new", ",\"more\":true")] {
        let mut text = String::new();
        for i in 0..40 {
            for kind in ["a", "b"] {
                // Each type has a key of its own, so that the two do not share a class.
                let data = format!("{{\"{kind}\":{i}{more}}}");
                let line = format!("{{\"type\":\"{kind}\",\"id\":\"{file}-{kind}-{i}\",\"data\":{data}}}\n");
                text.push_str(&line);
            }
        }
        fs::write(dir.path().join(format!("{file}.ndjson")), text).unwrap();
    }
    run(dir.path(), &["sector", "init", "shop", "--from", "old.ndjson"]);
    let (_, out, err) = run(dir.path(), &["observe", "--sector", "./shop", "--data", "data", "new.ndjson"]);
    assert!(out.contains("PROPOSAL 2"), "{out}{err}");
    for code in ["KNHK-S301", "KNHK-S411"] {
        assert_eq!(out.matches(code).count(), 1, "{out}");
    }
}

#[test]
fn a_beginning_that_several_receipts_share_is_refused_with_their_names() {
    let dir = with_log();
    let (_, receipts) = json(dir.path(), &["receipts", "list", "--data", "data"]);
    let ids: Vec<&str> = receipts.as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap()).collect();
    // More receipts than there are digits: two of them begin alike.
    let (digit, first) = (0..16)
        .map(|digit| format!("{digit:x}"))
        .find_map(|digit| {
            let mut fits = ids.iter().filter(|id| id.starts_with(&digit));
            let first = fits.next()?;
            fits.next().map(|_| (digit.clone(), *first))
        })
        .unwrap();
    let (code, _, err) = run(dir.path(), &["receipts", "show", &digit, "--data", "data"]);
    assert_eq!(code, 6);
    for expected in ["KNHK-E1807", &first[..12], "give more digits", "knhk receipts list"] {
        assert!(err.contains(expected), "{expected} is missing in {err}");
    }
}

#[test]
fn an_empty_key_is_told_apart_from_the_object_around_it() {
    let dir = tempfile::tempdir().unwrap();
    for (file, data) in [("old", r#"{"a":{"x":1}}"#), ("new", r#"{"a":{"x":1,"":2},"":3}"#)] {
        let event = |i| format!("{{\"type\":\"t\",\"id\":\"{file}{i}\",\"data\":{data}}}\n");
        fs::write(dir.path().join(format!("{file}.ndjson")), (0..40).map(event).collect::<String>()).unwrap();
    }
    run(dir.path(), &["sector", "init", "shop", "--from", "old.ndjson"]);
    let (_, report) = observe(dir.path(), "./shop", &[Path::new("new.ndjson")]);
    let paths = |of: &str| -> Vec<String> {
        let mut paths: Vec<String> = match of {
            "patterns" => list(&report, "patterns").iter().map(|p| p["path"].to_string()).collect(),
            _ => list(&report, "proposals")
                .iter()
                .flat_map(|p| list(p, "changes"))
                .map(|c| c["path"].to_string())
                .collect(),
        };
        paths.sort();
        paths
    };
    assert_eq!(paths("patterns"), [r#""\\e""#, r#""a.\\e""#], "{report}");
    assert_eq!(paths("proposals"), paths("patterns"));
    let (_, again) = observe(dir.path(), "./shop", &[Path::new("old.ndjson")]);
    assert_eq!(again["conformance"]["conform"], 40);
}
