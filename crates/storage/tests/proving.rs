//! What leaves a directory for an auditor: consistency proofs and bundles.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeSet;
use std::fs;

use common::*;
use knhk_evidence::bundle::Bundle;
use knhk_evidence::consistency_proof::ConsistencyProof;
use knhk_evidence::intern::Table;
use knhk_storage::bundle::{Choice, Receipts, bundle};
use knhk_storage::consistency::prove_consistency;
use knhk_storage::export::tiles;
use knhk_storage::{Error, Log, Options};

/// A log of four groups whose key changes after the second, with the checkpoint after each group.
fn log_of_two_keys() -> (tempfile::TempDir, Vec<String>) {
    let dir = scratch();
    let mut log = Log::create(dir.path(), &key(), NOW_MS).unwrap();
    intern(&mut log);
    let mut kept = vec![log.checkpoint_note().to_owned()];
    for i in 0..4 {
        if i == 2 {
            log.rotate_key(key().successor([2; 32]).unwrap(), NOW_MS).unwrap();
        }
        group(&mut log, 3, &format!("g{i}"));
        kept.push(log.checkpoint_note().to_owned());
    }
    (dir, kept)
}

#[test]
fn every_kept_checkpoint_is_proven_a_prefix_across_a_change_of_key() {
    let (dir, kept) = log_of_two_keys();
    let second = key().successor([2; 32]).unwrap();
    let keys = [key().verifying_key().clone(), second.verifying_key().clone()];
    for note in &kept {
        let (proof, shown) = prove_consistency(dir.path(), note).unwrap();
        assert_eq!(shown.new.size, 17);
        let read: ConsistencyProof = proof.to_string().parse().unwrap();
        assert_eq!(read.verify(&keys).unwrap(), shown);
        assert_eq!((&read.old, &read.new), (note, kept.last().unwrap()));
    }
}

#[test]
fn another_log_a_fork_and_a_rolled_back_log_prove_nothing() {
    let (dir, kept) = log_of_two_keys();
    // A fork: the same key, other entries.
    let fork = scratch();
    small_log(fork.path(), 3, 1 << 20);
    let forked = fs::read_to_string(fork.path().join("checkpoint")).unwrap();
    let code = |dir: &std::path::Path, note: &str| match prove_consistency(dir, note).unwrap_err() {
        Error::Evidence(error) => error.code(),
        other => panic!("{other}"),
    };
    assert_eq!(code(dir.path(), &forked), "KNHK-E1116");
    assert_eq!(code(fork.path(), kept.last().unwrap()), "KNHK-E1117");
    assert_eq!(code(dir.path(), "text"), "KNHK-E1105");
    // A checkpoint that no key of the log signed.
    let unsigned = kept[1].replace("\n\u{2014} ", "\n\u{2014} x");
    assert_eq!(code(dir.path(), &unsigned), "KNHK-E1113");
}

fn choice(receipts: Receipts, observations: &[u64], payloads: bool) -> Choice {
    Choice { receipts, observations: observations.iter().copied().collect(), payloads }
}

#[test]
fn a_bundle_holds_what_was_chosen_and_verifies_without_the_directory() {
    let (dir, kept) = log_of_two_keys();
    let wanted = choice(Receipts::All, &[0, 2, 4, 11], true);
    let (made, shown) = bundle(dir.path(), &wanted).unwrap();
    assert_eq!((shown.receipts, shown.observations, shown.payloads, shown.keys.len()), (4, 4, 4, 2));
    assert!(shown.chains["finance"].is_complete());
    assert_eq!(shown.names.text(Table::EventType, 0), Some("order.created"));
    let bytes = made.to_bytes().unwrap();
    assert_eq!(bundle(dir.path(), &wanted).unwrap().0.to_bytes().unwrap(), bytes, "the same bytes again");
    drop(dir);
    let read = Bundle::from_bytes(&bytes).unwrap();
    assert_eq!(read.checkpoint, *kept.last().unwrap());
    assert_eq!(read.verify(key().verifying_key()).unwrap(), shown);
}

#[test]
fn a_bundle_of_little_is_little_and_names_only_what_it_uses() {
    let (dir, _) = log_of_two_keys();
    let (made, shown) = bundle(dir.path(), &choice(Receipts::At(BTreeSet::from([5])), &[], false)).unwrap();
    assert_eq!((shown.receipts, shown.observations), (1, 0));
    // The receipt and the two key changes.
    assert_eq!(made.items.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 5, 10]);
}

#[test]
fn what_the_checkpoint_does_not_cover_is_not_in_a_bundle() {
    let (dir, _) = log_of_two_keys();
    for wrong in [
        choice(Receipts::All, &[12], false),
        choice(Receipts::At(BTreeSet::from([99])), &[], false),
        // An entry that is no receipt.
        choice(Receipts::At(BTreeSet::from([4])), &[0], false),
    ] {
        assert!(matches!(bundle(dir.path(), &wrong), Err(Error::NotCovered { .. })));
    }
}

#[test]
fn an_erased_event_stays_out_of_a_bundle_and_its_record_stays_in() {
    let dir = scratch();
    let mut log = Log::create(dir.path(), &key(), NOW_MS).unwrap();
    intern(&mut log);
    group(&mut log, 3, "g");
    log.erase(&BTreeSet::from([1])).unwrap();
    drop(log);
    let (_, shown) = bundle(dir.path(), &choice(Receipts::All, &[0, 1, 2], true)).unwrap();
    assert_eq!((shown.observations, shown.payloads), (3, 2));
}

/// Every file below a directory, by its path.
fn files(dir: &std::path::Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let mut found = std::collections::BTreeMap::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn an_export_grows_with_its_log_and_is_the_same_as_one_made_at_once() {
    let (dir, out) = (scratch(), scratch());
    let mut log = Log::create(dir.path(), &key(), NOW_MS).unwrap();
    intern(&mut log);
    for i in 0..3 {
        for j in 0..40 {
            group(&mut log, 1, &format!("g{i}-{j}"));
        }
        let done = tiles(dir.path(), out.path()).unwrap();
        assert_eq!(done.checkpoint.size, 4 + (i + 1) * 120);
        let again = tiles(dir.path(), out.path()).unwrap();
        assert_eq!((again.tiles, again.written), (done.tiles, 0));
    }
    let grown = files(out.path());
    assert_eq!(grown["checkpoint"], log.checkpoint_note().as_bytes());
    let fresh = scratch();
    tiles(dir.path(), &fresh.path().join("not/there/yet")).unwrap();
    let fresh = files(&fresh.path().join("not/there/yet"));
    assert_eq!(
        fresh.keys().collect::<Vec<_>>(),
        [
            "checkpoint",
            "tile/0/000",
            "tile/0/001.p/108",
            "tile/1/000.p/1",
            "tile/entries/000",
            "tile/entries/001.p/108"
        ]
    );
    // The partial tiles of earlier checkpoints are still there, and nothing that is in both differs.
    assert!(grown.contains_key("tile/0/000.p/124"));
    assert!(fresh.iter().all(|(name, bytes)| grown[name] == *bytes));
    assert!(
        !grown.values().any(|bytes| bytes.windows(6).any(|window| window == b"amount")),
        "no event is in it"
    );
}

#[test]
fn an_export_into_another_logs_directory_or_of_a_log_rolled_back_is_refused() {
    let ((dir, _), out) = (log_of_two_keys(), scratch());
    tiles(dir.path(), out.path()).unwrap();
    let fork = scratch();
    small_log(fork.path(), 3, 1 << 20);
    assert!(
        matches!(tiles(fork.path(), out.path()), Err(Error::Evidence(_))),
        "the same origin, fewer entries"
    );
    fs::write(out.path().join("checkpoint"), "text").unwrap();
    assert!(matches!(tiles(dir.path(), out.path()), Err(Error::Layout { .. })));
    fs::remove_file(out.path().join("checkpoint")).unwrap();
    fs::write(out.path().join("tile/0/000.p/17"), "text").unwrap();
    assert!(matches!(tiles(dir.path(), out.path()), Err(Error::Layout { .. })));
    assert!(!out.path().join("checkpoint").exists(), "nothing is claimed");
}

#[test]
fn a_log_without_its_front_proves_and_bundles_what_it_keeps() {
    let (dir, second) = (scratch(), key().successor([2; 32]).unwrap());
    let mut log =
        Log::create_with(dir.path(), &key(), NOW_MS, Options { roll_len: 1, ..Options::default() }).unwrap();
    intern(&mut log);
    let mut kept = Vec::new();
    for i in 0..5 {
        if i == 1 {
            log.rotate_key(second.clone(), NOW_MS).unwrap();
        }
        group(&mut log, 3, &format!("g{i}"));
        kept.push(log.checkpoint_note().to_owned());
    }
    log.retain_from(3, None, "30 days", NOW_MS).unwrap();
    group(&mut log, 1, "after");
    drop(log);

    let begins_at = knhk_storage::read::entries(dir.path()).unwrap().next().unwrap().unwrap().index;
    assert!(begins_at > 5);
    let mut proven = 0;
    for note in &kept {
        let size: u64 = note.lines().nth(1).unwrap().parse().unwrap();
        let proof = prove_consistency(dir.path(), note);
        assert_eq!(proof.is_ok(), size >= begins_at, "{size} of a log from {begins_at}");
        proven += u64::from(proof.is_ok());
    }
    assert!((1..5).contains(&proven));

    let (made, shown) = bundle(dir.path(), &choice(Receipts::All, &[12, 14], true)).unwrap();
    assert_eq!((shown.observations, shown.payloads, shown.keys.len()), (2, 2, 1));
    assert_eq!(shown.names.text(Table::Source, 0), Some("shop"));
    let read = Bundle::from_bytes(&made.to_bytes().unwrap()).unwrap();
    assert_eq!(read.verify(second.verifying_key()).unwrap(), shown);
    // That the first key handed over to the second stood in the entries that are gone.
    assert_eq!(read.verify(key().verifying_key()).unwrap_err().code(), "KNHK-E1115");
    assert!(matches!(bundle(dir.path(), &choice(Receipts::All, &[0], false)), Err(Error::NotCovered { .. })));
    assert!(matches!(tiles(dir.path(), scratch().path()), Err(Error::Layout { .. })));
}
