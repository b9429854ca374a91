//! What a writer and a reader of a log can rely on.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fs;

use common::*;
use knhk_evidence::entry::Entry;
use knhk_evidence::input::{Input, InputKind};
use knhk_evidence::intern::Table;
use knhk_evidence::proof::{Proof, Proven};
use knhk_evidence::record::Record;
use knhk_evidence::{SigningKey, verify::Report};
use knhk_storage::{Error, Log, Options, audit, prove, read};

fn verified(dir: &std::path::Path) -> Report {
    audit::verify(dir, Some(key().verifying_key()), &[]).unwrap()
}

#[test]
fn everything_committed_is_read_back_and_verifies() {
    let dir = tempfile::tempdir().unwrap();
    small_log(dir.path(), 3, 1 << 20);
    let report = verified(dir.path());
    // 1 key, 3 interned, 3 groups of 3.
    assert_eq!((report.tree_size, report.covered), (13, 13));
    assert_eq!((report.counts.blocks, report.counts.observations, report.counts.receipts), (3, 9, 3));
    assert_eq!((report.counts.inputs, report.counts.keys, report.self_attested), (6, 1, false));
    assert_eq!((report.commits, report.checkpoints, report.segments), (4, 3, 1));
    assert_eq!(report.bytes, fs::metadata(&segments(dir.path())[0]).unwrap().len());
    assert!(audit::verify(dir.path(), None, &[]).unwrap().self_attested);

    let entries: Vec<_> = read::entries(dir.path()).unwrap().collect::<Result<_, _>>().unwrap();
    assert!(entries.iter().map(|e| e.index).eq(0..13));
    let (_, sent) = events(3, "g1");
    let Entry::Block { block, payloads: Some(payloads) } = &entries[7].entry else {
        panic!("{:?}", entries[7])
    };
    assert_eq!(block.header().first_sequence, 3);
    for (i, text) in sent.iter().enumerate() {
        assert_eq!(payloads.get(i), Some(text.as_bytes()));
    }
}

#[test]
fn a_log_goes_on_where_it_was_closed() {
    let dir = tempfile::tempdir().unwrap();
    small_log(dir.path(), 1, 1 << 20);
    let (mut log, recovery) = Log::open(dir.path(), &key()).unwrap();
    assert_eq!(
        (recovery.truncated_bytes, recovery.truncated_frames, recovery.checkpoint_missing),
        (0, 0, false)
    );
    assert_eq!(recovery.report.tree_size, 7);
    assert_eq!(log.intern(Table::Source, "shop", NOW_MS).unwrap(), 0);
    assert_eq!(log.intern(Table::Source, "till", NOW_MS).unwrap(), 1);
    group(&mut log, 2, "again");
    drop(log);
    assert_eq!(verified(dir.path()).counts.observations, 5);
}

#[test]
fn what_was_not_committed_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    small_log(dir.path(), 1, 1 << 20);
    let (mut log, _) = Log::open(dir.path(), &key()).unwrap();
    append_receipt(&mut log, "finance");
    assert!(log.group_len() > 0);
    assert_eq!(read::entries(dir.path()).unwrap().count(), 7);
    drop(log);
    assert_eq!(verified(dir.path()).tree_size, 7);
}

#[test]
fn an_empty_commit_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::create(dir.path(), &key(), NOW_MS).unwrap();
    let (note, bytes) = (log.checkpoint_note().to_owned(), fs::read(&segments(dir.path())[0]).unwrap());
    let checkpoint = log.commit().unwrap();
    assert_eq!((checkpoint.size, log.checkpoint_note()), (1, note.as_str()));
    assert_eq!(fs::read(&segments(dir.path())[0]).unwrap(), bytes);
}

#[test]
fn segments_roll_and_are_one_log() {
    let dir = tempfile::tempdir().unwrap();
    small_log(dir.path(), 6, 3000);
    assert!(segments(dir.path()).len() > 2);
    let report = verified(dir.path());
    assert_eq!((report.counts.observations, report.segments), (18, segments(dir.path()).len() as u64));
    let seals = segments(dir.path()).len() - 1;
    assert_eq!(read::entries(dir.path()).unwrap().count(), 22 + seals);
    let (mut log, _) =
        Log::open_with(dir.path(), &key(), Options { roll_len: 3000, ..Options::default() }).unwrap();
    group(&mut log, 3, "more");
    drop(log);
    assert_eq!(verified(dir.path()).counts.observations, 21);
}

#[test]
fn two_writers_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::create(dir.path(), &key(), NOW_MS).unwrap();
    assert!(matches!(Log::open(dir.path(), &key()), Err(Error::Locked { .. })));
    drop(log);
    assert!(matches!(Log::create(dir.path(), &key(), NOW_MS), Err(Error::Exists { .. })));
    Log::open(dir.path(), &key()).unwrap();
}

#[test]
fn a_directory_without_a_log_is_not_opened() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Log::open(dir.path(), &key()), Err(Error::NotALog { .. })));
    assert!(matches!(audit::verify(dir.path(), None, &[]), Err(Error::NotALog { .. })));
    Log::create(&dir.path().join("deep/er"), &key(), NOW_MS).unwrap();
}

#[test]
fn an_entry_that_does_not_fit_leaves_the_log_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::create(dir.path(), &key(), NOW_MS).unwrap();
    // Nothing interned yet.
    assert!(log.append_block(0, vec![Record::default()], &[""]).is_err());
    assert!(log.append_block(0, vec![], &[""; 0]).is_err());
    intern(&mut log);
    let (records, mut payloads) = events(2, "x");
    payloads.swap(0, 1);
    assert!(log.append_block(0, records, &payloads).is_err());
    group(&mut log, 2, "ok");
    drop(log);
    assert_eq!(verified(dir.path()).counts.observations, 2);
}

#[test]
fn another_key_cannot_write_and_a_handed_over_key_can() {
    let dir = tempfile::tempdir().unwrap();
    small_log(dir.path(), 1, 1 << 20);
    let stranger = SigningKey::generate([9; 32], b"");
    assert!(matches!(Log::open(dir.path(), &stranger), Err(Error::Evidence(_))));

    let successor = key().successor([2; 32]).unwrap();
    let (mut log, _) = Log::open(dir.path(), &key()).unwrap();
    log.rotate_key(successor.clone(), NOW_MS).unwrap();
    group(&mut log, 1, "new key");
    drop(log);
    let (old, new) = (key(), successor.verifying_key());
    let report = audit::verify(dir.path(), Some(old.verifying_key()), &[]).unwrap();
    assert_eq!((report.key.as_str(), report.counts.keys), (new.to_string().as_str(), 2));
    audit::verify(dir.path(), Some(new), &[]).unwrap();
    assert!(audit::verify(dir.path(), Some(stranger.verifying_key()), &[]).is_err());
    assert_eq!(&audit::published_key(dir.path()).unwrap(), new);
    assert!(matches!(Log::open(dir.path(), &key()), Err(Error::WrongKey { .. })));
    let (mut log, _) = Log::open(dir.path(), &successor).unwrap();
    group(&mut log, 1, "still");
}

#[test]
fn observations_and_entries_are_proven_by_text_and_key_alone() {
    let dir = tempfile::tempdir().unwrap();
    small_log(dir.path(), 3, 3000);
    for sequence in 0..9 {
        let (proof, record) = prove::prove_observation(dir.path(), sequence).unwrap();
        assert_eq!(record.sequence, sequence);
        let proof: Proof = proof.to_string().parse().unwrap();
        let (proven, _) = proof.verify(key().verifying_key()).unwrap();
        assert_eq!(proven, Proven::Observation(Box::new(record)));
    }
    let entries = read::entries(dir.path()).unwrap().count() as u64;
    for index in 0..entries {
        let (proof, entry) = prove::prove_entry(dir.path(), index).unwrap();
        let (proven, _) = proof.verify(key().verifying_key()).unwrap();
        assert_eq!(proven, Proven::Entry(entry.leaf_data().unwrap()));
    }
    assert!(matches!(prove::prove_observation(dir.path(), 9), Err(Error::NotCovered { .. })));
    assert!(matches!(prove::prove_entry(dir.path(), entries), Err(Error::NotCovered { .. })));
}

#[test]
fn a_kept_checkpoint_is_a_prefix_of_every_later_log() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::create(dir.path(), &key(), NOW_MS).unwrap();
    let mut kept = vec![log.checkpoint_note().to_owned()];
    intern(&mut log);
    for i in 0..3 {
        group(&mut log, 1, &format!("{i}"));
        kept.push(log.checkpoint_note().to_owned());
    }
    drop(log);
    let kept: Vec<_> = kept.iter().map(String::as_str).collect();
    audit::verify(dir.path(), None, &kept).unwrap();

    let other = tempfile::tempdir().unwrap();
    small_log(other.path(), 3, 1 << 20);
    assert!(audit::verify(other.path(), None, &kept[2..3]).is_err());
}

#[test]
fn a_group_has_an_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::create(dir.path(), &key(), NOW_MS).unwrap();
    let big = "x".repeat(12 << 20);
    let refused = (0..9).find_map(|i| {
        let input = Input::new(InputKind::ModelAnswer, None, i, &big).unwrap();
        log.append_input(input).err()
    });
    assert!(matches!(refused, Some(Error::GroupFull { .. })));
    log.commit().unwrap();
    log.append_input(Input::new(InputKind::CycleDue, None, 0, &()).unwrap()).unwrap();
    log.commit().unwrap();
    drop(log);
    assert_eq!(verified(dir.path()).counts.inputs, 7);
}

#[test]
fn a_failed_write_stops_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let mut log =
        Log::create_with(dir.path(), &key(), NOW_MS, Options { roll_len: 1, ..Options::default() }).unwrap();
    // The next group needs a new segment, whose name is taken.
    fs::create_dir(dir.path().join("log/00000001.seg")).unwrap();
    append_receipt(&mut log, "finance");
    assert_eq!(log.commit().unwrap_err().code(), "KNHK-E1201");
    let body = vec![0xf6];
    let signed = receipt(&log, "finance", &body);
    assert!(matches!(log.append_receipt(signed, body), Err(Error::Poisoned { .. })));
    assert!(matches!(log.commit(), Err(Error::Poisoned { .. })));
    drop(log);
    fs::remove_dir(dir.path().join("log/00000001.seg")).unwrap();
    let (mut log, recovery) = Log::open(dir.path(), &key()).unwrap();
    assert_eq!(recovery.report.tree_size, 1);
    append_receipt(&mut log, "finance");
    log.commit().unwrap();
}

#[test]
fn reading_stops_at_damage_and_at_the_end_of_what_is_committed() {
    let dir = tempfile::tempdir().unwrap();
    small_log(dir.path(), 3, 1);
    let paths = segments(dir.path());
    let last = fs::read(paths.last().unwrap()).unwrap();
    // A group that is just being written is not there yet, and no checkpoint says that it is.
    let newest = fs::read(dir.path().join("checkpoint")).unwrap();
    let Some(Ok(last_group)) = read::entries(dir.path()).unwrap().last() else { panic!() };
    let before = last_group.index - 3;
    let older = read::entries(dir.path()).unwrap().count();
    assert_eq!(older as u64, last_group.index + 1);
    for len in [0, 10, 36, 50, last.len() - 1] {
        fs::write(paths.last().unwrap(), &last[..len]).unwrap();
        let results: Vec<_> = read::entries(dir.path()).unwrap().collect();
        assert_eq!(results.len() as u64, before + 1, "length {len}");
        assert!(results.last().unwrap().is_err(), "a checkpoint covers more than length {len}");
    }
    fs::remove_file(dir.path().join("checkpoint")).unwrap();
    for len in [0, 10, 36, 50, last.len() - 1] {
        fs::write(paths.last().unwrap(), &last[..len]).unwrap();
        assert_eq!(
            read::entries(dir.path()).unwrap().map(Result::unwrap).count() as u64,
            before,
            "length {len}"
        );
    }
    fs::write(paths.last().unwrap(), &last).unwrap();
    fs::write(dir.path().join("checkpoint"), newest).unwrap();
    // An earlier segment cannot be.
    let earlier = fs::read(&paths[1]).unwrap();
    for changed in [&earlier[..earlier.len() - 1], &[&earlier[..], &[0]].concat(), &last] {
        fs::write(&paths[1], changed).unwrap();
        let results: Vec<_> = read::entries(dir.path()).unwrap().collect();
        let Err(Error::Evidence(error)) = results.last().unwrap() else { panic!("{results:?}") };
        assert_eq!(error.place().unwrap().segment, "00000001.seg");
        assert!(results.iter().rev().skip(1).all(Result::is_ok));
    }
}

#[test]
fn files_that_are_not_a_logs_are_named() {
    let dir = tempfile::tempdir().unwrap();
    small_log(dir.path(), 1, 1 << 20);
    for (name, content) in [("key.pub", &b"\xff"[..]), ("key.pub", b"no newline"), ("checkpoint", b"\xff\n")]
    {
        let good = fs::read(dir.path().join(name)).unwrap();
        fs::write(dir.path().join(name), content).unwrap();
        assert_eq!(audit::verify(dir.path(), None, &[]).unwrap_err().code(), "KNHK-E1207");
        fs::write(dir.path().join(name), good).unwrap();
    }
    let stranger = SigningKey::generate([9; 32], b"");
    fs::write(dir.path().join("key.pub"), format!("{}\n", stranger.verifying_key())).unwrap();
    assert_eq!(audit::verify(dir.path(), None, &[]).unwrap_err().code(), "KNHK-E1115");
    fs::write(dir.path().join("key.pub"), vec![b'x'; 4096]).unwrap();
    assert!(matches!(audit::published_key(dir.path()), Err(Error::Layout { .. })));
    // The key that is published is rewritten by whoever holds it.
    drop(Log::open(dir.path(), &key()).unwrap());
    assert_eq!(&audit::published_key(dir.path()).unwrap(), key().verifying_key());
    fs::remove_file(dir.path().join("checkpoint")).unwrap();
    assert_eq!(audit::checkpoint_note(dir.path()).unwrap_err().code(), "KNHK-E1207");
}
