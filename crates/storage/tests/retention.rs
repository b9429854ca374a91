//! What is dropped is gone, what stays verifies, proves and goes on.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::Path;

use common::*;
use knhk_evidence::proof::Proven;
use knhk_evidence::verify::Depth;
use knhk_storage::audit::{self, Audit};
use knhk_storage::log::{Extent, Publish, ROLL_LEN};
use knhk_storage::{Error, Log, Options, prove, read, spare};

/// Dropped segments wait to be used again.
const RECYCLED: Options =
    Options { roll_len: ROLL_LEN, publish: Publish::EveryCommit, verify: Extent::Whole, recycle: true };

fn on_disk(dir: &Path, tag: &str) -> bool {
    let (_, sent) = events(1, tag);
    let holds = |path: &Path| {
        fs::read(path).unwrap().windows(sent[0].len()).any(|window| window == sent[0].as_bytes())
    };
    let spares = fs::read_dir(dir.join("spare")).map(|names| names.map(|name| name.unwrap().path()));
    segments(dir).iter().any(|path| holds(path))
        || spares.is_ok_and(|mut paths| paths.any(|path| holds(&path)))
}

#[test]
fn a_log_without_its_oldest_segments_verifies_proves_and_goes_on() {
    let trusted = key();
    let (dir, archive) = (scratch(), scratch());
    let mut log = rolled(dir.path(), RECYCLED);
    let before = read::entries(dir.path()).unwrap().map(Result::unwrap).collect::<Vec<_>>();
    let kept_note = log.checkpoint_note().to_owned();
    assert_eq!(log.retain_from(3, Some(archive.path()), "30 days", NOW_MS).unwrap(), 0..3);
    assert_eq!(log.retain_from(3, None, "again", NOW_MS).unwrap(), 3..3);
    group(&mut log, 2, "after");
    drop(log);

    for depth in [Depth::Everything, Depth::Roots] {
        let audit =
            Audit { trusted: Some(trusted.verifying_key()), kept: &[&kept_note], depth, ..Audit::default() };
        let report = audit::verify_with(dir.path(), &audit, &mut |_| {}).unwrap();
        let first = read::entries(dir.path()).unwrap().next().unwrap().unwrap().index;
        assert_eq!(report.begins_at, first);
        assert_eq!(report.counts.observations, 17, "{depth:?}");
    }
    // The same entries under the same indexes, and proofs of them.
    let mut after = read::entries(dir.path()).unwrap().map(Result::unwrap);
    let first = after.next().unwrap();
    assert_eq!(first, before[usize::try_from(first.index).unwrap()]);
    for sequence in 9..17 {
        let (proof, record) = prove::prove_observation(dir.path(), sequence).unwrap();
        let (proven, _) = proof.verify(key().verifying_key()).unwrap();
        assert_eq!(proven, Proven::Observation(Box::new(record)));
    }
    assert!(matches!(prove::prove_observation(dir.path(), 8), Err(Error::NotCovered { .. })));
    // The archive holds the same bytes, and with them the whole log is there again.
    for number in 0..3 {
        let name = format!("{number:08}.seg");
        fs::copy(archive.path().join(&name), dir.path().join("log").join(&name)).unwrap();
    }
    assert_eq!(audit::verify(dir.path(), None, &[]).unwrap().begins_at, 0);
}

#[test]
fn segments_missing_without_a_word_in_the_log_are_refused() {
    let dir = scratch();
    drop(rolled(dir.path(), RECYCLED));
    fs::remove_file(&segments(dir.path())[0]).unwrap();
    assert_eq!(audit::verify(dir.path(), None, &[]).unwrap_err().code(), "KNHK-E1141");
    assert_eq!(Log::open(dir.path(), &key()).unwrap_err().code(), "KNHK-E1141");
    // Nor does a word about fewer of them help.
    let dir = scratch();
    let mut log = rolled(dir.path(), RECYCLED);
    log.retain_from(1, None, "one", NOW_MS).unwrap();
    drop(log);
    audit::verify(dir.path(), None, &[]).unwrap();
    fs::remove_file(&segments(dir.path())[0]).unwrap();
    for depth in [Depth::Everything, Depth::Roots] {
        let audit = Audit { depth, ..Audit::default() };
        let refused = audit::verify_with(dir.path(), &audit, &mut |_| {});
        assert_eq!(refused.unwrap_err().code(), "KNHK-E1141", "{depth:?}");
    }
}

#[test]
fn dropped_payloads_are_in_no_file_once_the_files_are_ready_again() {
    let trusted = key();
    let dir = scratch();
    let mut log = rolled(dir.path(), RECYCLED);
    assert!(on_disk(dir.path(), "g0"));
    log.retain_from(1, None, "", NOW_MS).unwrap();
    assert!(on_disk(dir.path(), "g0"), "kept to be used again");
    drop(log);
    let (mut log, _) = Log::open_with(dir.path(), &key(), RECYCLED).unwrap();
    assert!(!on_disk(dir.path(), "g0"), "nobody has zeroed it, so opening removes it");
    log.retain_from(2, None, "", NOW_MS).unwrap();
    while spare::prepare(&log.directory(), 1 << 20).unwrap() {}
    assert!(!on_disk(dir.path(), "g1"));
    // A recycled file becomes a segment; nothing of its earlier life is read.
    log.roll();
    group(&mut log, 1, "recycled");
    assert_eq!(fs::metadata(segments(dir.path()).last().unwrap()).unwrap().len(), 1 << 20);
    let report = audit::verify(dir.path(), Some(trusted.verifying_key()), &[]).unwrap();
    assert_eq!((report.torn, report.counts.observations), (0, 16));
    assert_eq!(
        read::entries(dir.path()).unwrap().map(Result::unwrap).last().unwrap().index + 1,
        report.tree_size
    );
    log.close().unwrap();
    assert!(fs::metadata(segments(dir.path()).last().unwrap()).unwrap().len() < 1 << 20);
    assert_eq!(audit::verify(dir.path(), None, &[]).unwrap().counts.observations, 16);
}

#[test]
fn verification_since_a_kept_checkpoint_reads_only_what_came_after() {
    let dir = scratch();
    let mut log = rolled(dir.path(), RECYCLED);
    let kept = log.checkpoint_note().to_owned();
    log.roll();
    group(&mut log, 1, "new");
    drop(log);
    // Damage before the kept checkpoint is not looked at; damage after it is found.
    let first = &segments(dir.path())[0];
    let mut bytes = fs::read(first).unwrap();
    bytes[40] ^= 1;
    fs::write(first, bytes).unwrap();
    let audit = Audit { kept: &[&kept], since_kept: true, ..Audit::default() };
    let report = audit::verify_with(dir.path(), &audit, &mut |_| {}).unwrap();
    assert!(report.begins_at > 0 && report.segments == 1);
    assert!(audit::verify(dir.path(), None, &[&kept]).is_err());
    let (_, recovery) =
        Log::open_with(dir.path(), &key(), Options { verify: Extent::SinceLastSeal, ..Options::default() })
            .unwrap();
    assert_eq!(recovery.report.segments, 1);
    // Another log's checkpoint of the same size is no prefix.
    let other = scratch();
    let mut log = Log::create(other.path(), &key(), NOW_MS + 1).unwrap();
    intern(&mut log);
    for i in 0..4 {
        group(&mut log, 3, &format!("g{i}"));
        log.roll();
    }
    group(&mut log, 3, "last");
    let foreign = log.checkpoint_note().to_owned();
    let audit = Audit { kept: &[&foreign], since_kept: true, ..Audit::default() };
    assert_eq!(audit::verify_with(dir.path(), &audit, &mut |_| {}).unwrap_err().code(), "KNHK-E1116");
}

#[test]
fn every_flipped_byte_is_refused_by_roots_alone() {
    let trusted = key();
    let dir = scratch();
    drop(rolled(dir.path(), RECYCLED));
    let audit = Audit { trusted: Some(trusted.verifying_key()), depth: Depth::Roots, ..Audit::default() };
    audit::verify_with(dir.path(), &audit, &mut |_| {}).unwrap();
    for path in segments(dir.path()) {
        let bytes = fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            fs::write(&path, &changed).unwrap();
            // Every frame has a checksum, which finds the change even there.
            assert!(
                audit::verify_with(dir.path(), &audit, &mut |_| {}).is_err(),
                "{} byte {at}",
                path.display()
            );
        }
        fs::write(&path, bytes).unwrap();
    }
}
