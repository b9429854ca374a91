//! A crash at any byte of the last group loses nothing that was committed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::Path;

use common::*;
use knhk_storage::{Error, Log, Options, audit, read};

/// A log as it was just before its last group was written, and the whole last segment.
fn interrupted(roll_len: u64, groups: usize) -> (tempfile::TempDir, String, Vec<u8>, u64) {
    let dir = scratch();
    let mut log =
        Log::create_with(dir.path(), &key(), NOW_MS, Options { roll_len, ..Options::default() }).unwrap();
    intern(&mut log);
    for i in 0..groups {
        let (records, payloads) = events(2, &format!("g{i}"));
        log.append_block(0, records, &payloads).unwrap();
        log.commit().unwrap();
    }
    let note = log.checkpoint_note().to_owned();
    let before = segments(dir.path());
    let committed = fs::metadata(before.last().unwrap()).unwrap().len();
    group(&mut log, 2, "last");
    drop(log);
    let last = segments(dir.path()).last().unwrap().clone();
    let start = if segments(dir.path()).len() > before.len() { 0 } else { committed };
    let name = last.file_name().unwrap().to_str().unwrap().to_owned();
    fs::write(dir.path().join("checkpoint"), note).unwrap();
    let bytes = fs::read(&last).unwrap();
    (dir, name, bytes, start)
}

/// Opens a log and checks what recovery found.
fn opens(dir: &Path, truncated: u64, entries: usize) -> Log {
    let (log, recovery) = Log::open(dir, &key()).unwrap();
    assert_eq!(recovery.truncated_bytes, truncated);
    assert_eq!(recovery.report.tree_size, entries as u64);
    log
}

/// Opens a log, goes on writing, and checks that everything committed is there.
fn recovers(dir: &Path, truncated: u64, entries: usize) {
    let mut log = opens(dir, truncated, entries);
    group(&mut log, 1, "after");
    drop(log);
    assert_eq!(read::entries(dir).unwrap().map(Result::unwrap).count(), entries + 3);
    assert_eq!(audit::verify(dir, Some(key().verifying_key()), &[]).unwrap().covered, entries as u64 + 3);
}

#[test]
fn every_length_of_a_torn_group_recovers_to_the_last_commit() {
    for roll_len in [1 << 20, 1] {
        let (dir, name, bytes, start) = interrupted(roll_len, 2);
        let start = usize::try_from(start).unwrap();
        // Key, three names, and two groups of a block; in segments of one group each, the seals of two segments.
        let count = if roll_len == 1 { 8 } else { 6 };
        for len in start..bytes.len() {
            let torn = copy(dir.path());
            fs::write(torn.path().join("log").join(&name), &bytes[..len]).unwrap();
            // Zeros at its end are room, not part of what was torn.
            let written = bytes[..len].iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            let torn_bytes = written.saturating_sub(start) as u64;
            assert_eq!(audit::verify(torn.path(), None, &[]).unwrap().torn, torn_bytes, "length {len}");
            opens(torn.path(), torn_bytes, count);
            if len % 50 == 0 {
                recovers(torn.path(), 0, count);
            }
        }
        // The whole group is there, only its checkpoint is not: it is kept.
        let whole = copy(dir.path());
        recovers(whole.path(), 0, if roll_len == 1 { 12 } else { 9 });
    }
}

#[test]
fn a_hole_anywhere_in_the_last_group_recovers_to_the_last_commit() {
    let (dir, name, bytes, start) = interrupted(1 << 20, 2);
    let start = usize::try_from(start).unwrap();
    for at in (start..bytes.len()).step_by(17) {
        let torn = copy(dir.path());
        let mut holed = bytes.clone();
        let end = holed.len().min(at + 5);
        holed[at..end].iter_mut().for_each(|byte| *byte = !*byte);
        fs::write(torn.path().join("log").join(&name), &holed).unwrap();
        recovers(torn.path(), (bytes.len() - start) as u64, 6);
    }
}

#[test]
fn damage_to_what_was_committed_is_not_taken_for_a_torn_tail() {
    let (dir, name, bytes, start) = interrupted(1 << 20, 2);
    for at in (0..usize::try_from(start).unwrap()).step_by(11) {
        let damaged = copy(dir.path());
        let mut changed = bytes.clone();
        changed[at] ^= 0x40;
        let path = damaged.path().join("log").join(&name);
        fs::write(&path, &changed).unwrap();
        assert!(
            matches!(Log::open(damaged.path(), &key()), Err(Error::Evidence(_) | Error::NotALog { .. })),
            "byte {at}"
        );
        assert_eq!(fs::read(&path).unwrap(), changed, "a refused log was changed");
    }
}

#[test]
fn a_lost_checkpoint_file_is_signed_again_and_reported() {
    for content in [None, Some(""), Some("\0\0\0")] {
        let dir = scratch();
        small_log(dir.path(), 1, 1 << 20);
        let path = dir.path().join("checkpoint");
        let note = fs::read_to_string(&path).unwrap();
        match content {
            None => fs::remove_file(&path).unwrap(),
            Some(text) => fs::write(&path, text).unwrap(),
        }
        assert!(audit::verify(dir.path(), None, &[]).is_err());
        let (_, recovery) = Log::open(dir.path(), &key()).unwrap();
        assert!(recovery.checkpoint_missing);
        assert_eq!(fs::read_to_string(&path).unwrap(), note);
    }
}

#[test]
fn a_log_cut_behind_its_checkpoint_is_refused_unchanged() {
    let dir = scratch();
    small_log(dir.path(), 2, 1 << 20);
    let path = &segments(dir.path())[0];
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(Log::open(dir.path(), &key()).unwrap_err().code(), "KNHK-E1117");
    assert_eq!(fs::metadata(path).unwrap().len(), bytes.len() as u64 - 1);
}

#[test]
fn a_log_torn_while_it_was_created_is_created_again() {
    let dir = scratch();
    drop(Log::create(dir.path(), &key(), NOW_MS).unwrap());
    let path = segments(dir.path())[0].clone();
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    // With its checkpoint there it was a log, and something is wrong.
    assert!(matches!(Log::create(dir.path(), &key(), NOW_MS), Err(Error::Exists { .. })));
    fs::remove_file(dir.path().join("checkpoint")).unwrap();
    assert!(matches!(Log::open(dir.path(), &key()), Err(Error::NotALog { .. })));
    drop(Log::create(dir.path(), &key(), NOW_MS).unwrap());
    assert_eq!(fs::read(&path).unwrap(), bytes);
}
