//! No change to a log goes unnoticed, whoever makes it, unless they hold the key.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::Path;

use common::*;
use knhk_evidence::entry::{Assembler, Entry, Item};
use knhk_evidence::frame::{Chain, Commit, FrameKind};
use knhk_evidence::receipt::{Outcome, Signed};
use knhk_evidence::{Hash, canonical, merkle};
use knhk_storage::{Error, audit};

fn code(dir: &Path) -> &'static str {
    audit::verify(dir, Some(key().verifying_key()), &[]).map_or_else(|error| error.code(), |_| "verified")
}

fn refused_with_place(dir: &Path, what: &str) {
    match audit::verify(dir, Some(key().verifying_key()), &[]) {
        Err(Error::Evidence(error)) => assert!(error.place().is_some(), "{what}: no place in {error}"),
        other => panic!("{what}: {other:?}"),
    }
}

/// The frames of a one-segment log.
fn frames(dir: &Path) -> Vec<(FrameKind, Vec<u8>)> {
    let bytes = fs::read(&segments(dir)[0]).unwrap();
    let (mut chain, mut at, mut out) = (Chain::default(), 0, Vec::new());
    while at < bytes.len() {
        let (kind, body, len) = chain.read(&bytes[at..]).unwrap();
        out.push((kind, body.to_vec()));
        at += len;
    }
    out
}

/// Writes frames with every checksum and number made right again.
fn rewrite(dir: &Path, frames: &[(FrameKind, Vec<u8>)]) {
    let (mut chain, mut out) = (Chain::default(), Vec::new());
    for (kind, body) in frames {
        chain.append(*kind, &[body], &mut out).unwrap();
    }
    fs::write(&segments(dir)[0], out).unwrap();
}

/// Like [`rewrite`], with every commit's size and root made right too: all that can be done without the key.
fn rewrite_with_roots(dir: &Path, frames: &[(FrameKind, Vec<u8>)]) {
    let (mut assembler, mut tree, mut pending) = (Assembler::default(), merkle::Frontier::new(), 0);
    let mut frames = frames.to_vec();
    for (kind, body) in &mut frames {
        match assembler.push(*kind, body).unwrap() {
            Some(Item::Entry(entry)) => {
                tree.push(entry.leaf_hash().unwrap());
                pending += 1;
            }
            Some(Item::Commit(_)) => {
                *body = Commit { entries: pending, tree_size: tree.size(), root: tree.root() }
                    .to_bytes()
                    .to_vec();
                pending = 0;
            }
            _ => {}
        }
    }
    rewrite(dir, &frames);
}

#[test]
fn every_flipped_byte_is_refused_with_its_place() {
    let dir = scratch();
    small_log(dir.path(), 1, 1);
    assert!(segments(dir.path()).len() > 1);
    for path in segments(dir.path()) {
        let bytes = fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            fs::write(&path, &changed).unwrap();
            refused_with_place(dir.path(), &format!("{} byte {at}", path.display()));
        }
        fs::write(&path, bytes).unwrap();
    }
    for name in ["checkpoint", "key.pub"] {
        let path = dir.path().join(name);
        let bytes = fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            fs::write(&path, &changed).unwrap();
            assert_ne!(code(dir.path()), "verified", "{name} byte {at}");
        }
        fs::write(&path, bytes).unwrap();
    }
    assert_eq!(code(dir.path()), "verified");
}

#[test]
fn a_log_of_any_other_length_is_refused() {
    let dir = scratch();
    small_log(dir.path(), 1, 1 << 20);
    let path = &segments(dir.path())[0];
    let bytes = fs::read(path).unwrap();
    for len in 0..bytes.len() {
        fs::write(path, &bytes[..len]).unwrap();
        assert_ne!(code(dir.path()), "verified", "length {len}");
    }
    // What follows the last commit is no part of the log, and is told: nothing for room, bytes for anything else.
    for (more, torn) in [(&[0][..], 0), (&[0; 4096], 0), (&[0, 1, 0], 2), (&bytes, bytes.len() as u64)] {
        fs::write(path, [&bytes, more].concat()).unwrap();
        let report = audit::verify(dir.path(), Some(key().verifying_key()), &[]).unwrap();
        assert_eq!((report.torn, report.bytes), (torn, bytes.len() as u64));
    }
    // Between segments there is no room.
    small_log(dir.path().join("rolled").as_path(), 2, 1);
    let path = &segments(&dir.path().join("rolled"))[1];
    fs::write(path, [&fs::read(path).unwrap()[..], &[0]].concat()).unwrap();
    refused_with_place(&dir.path().join("rolled"), "room in an earlier segment");
}

#[test]
fn a_missing_segment_or_a_foreign_file_is_refused() {
    let dir = scratch();
    small_log(dir.path(), 4, 1500);
    let count = segments(dir.path()).len();
    for i in 0..count {
        let changed = copy(dir.path());
        fs::remove_file(&segments(changed.path())[i]).unwrap();
        let expected = match i {
            0 => "KNHK-E1141",
            i if i + 1 == count => "KNHK-E1117",
            _ => "KNHK-E1207",
        };
        assert_eq!(code(changed.path()), expected, "segment {i}");
        // The same with the later ones renumbered.
        for j in i + 1..count {
            fs::rename(
                changed.path().join(format!("log/{j:08}.seg")),
                changed.path().join(format!("log/{:08}.seg", j - 1)),
            )
            .unwrap();
        }
        assert_ne!(code(changed.path()), "verified", "segment {i} renumbered");
    }
    let path = dir.path().join("log/notes.txt");
    fs::write(&path, "").unwrap();
    assert_eq!(code(dir.path()), "KNHK-E1207");
}

#[test]
fn a_missing_repeated_or_moved_frame_is_refused_even_with_all_checksums_right() {
    let dir = scratch();
    small_log(dir.path(), 2, 1 << 20);
    let original = frames(dir.path());
    rewrite(dir.path(), &original);
    assert_eq!(code(dir.path()), "verified");
    for i in 0..original.len() {
        let mut less = original.clone();
        less.remove(i);
        rewrite(dir.path(), &less);
        assert_ne!(code(dir.path()), "verified", "without frame {i}");

        let mut more = original.clone();
        more.insert(i, original[i].clone());
        rewrite(dir.path(), &more);
        assert_ne!(code(dir.path()), "verified", "frame {i} twice");
        if i > 0 {
            let mut moved = original.clone();
            moved.swap(i - 1, i);
            rewrite(dir.path(), &moved);
            assert_ne!(code(dir.path()), "verified", "frame {i} moved");
        }
    }
}

#[test]
fn two_groups_in_the_other_order_are_refused() {
    let dir = scratch();
    small_log(dir.path(), 3, 1 << 20);
    let original = frames(dir.path());
    let commits: Vec<_> =
        original.iter().enumerate().filter(|(_, f)| f.0 == FrameKind::Commit).map(|(i, _)| i + 1).collect();
    let [.., a, b, c] = commits[..] else { panic!() };
    let swapped = [&original[..a], &original[b..c], &original[a..b], &original[c..]].concat();
    rewrite(dir.path(), &swapped);
    assert_ne!(code(dir.path()), "verified");
    rewrite(dir.path(), &[&original[..a], &original[b..]].concat());
    assert_ne!(code(dir.path()), "verified");
}

#[test]
fn frames_of_another_log_are_refused() {
    let (dir, other) = (scratch(), scratch());
    small_log(dir.path(), 2, 1 << 20);
    {
        let mut log = knhk_storage::Log::create(other.path(), &key(), NOW_MS + 1).unwrap();
        intern(&mut log);
        group(&mut log, 3, "g0");
        group(&mut log, 3, "g1");
    }
    let (mine, theirs) = (frames(dir.path()), frames(other.path()));
    assert_eq!(mine.len(), theirs.len());
    for i in 0..mine.len() {
        if mine[i] != theirs[i] {
            let mut spliced = mine.clone();
            spliced[i] = theirs[i].clone();
            rewrite(dir.path(), &spliced);
            assert_ne!(code(dir.path()), "verified", "frame {i}");
        }
    }
    // The whole other log under this log's checkpoint, and a segment of it.
    rewrite(dir.path(), &theirs);
    assert_eq!(code(dir.path()), "KNHK-E1116");
}

#[test]
fn a_receipt_rewritten_with_its_id_and_every_checksum_and_root_is_refused_by_its_signature() {
    let dir = scratch();
    small_log(dir.path(), 2, 1 << 20);
    let mut forged = frames(dir.path());
    let at = forged.iter().position(|frame| frame.0 == FrameKind::Receipt).unwrap();
    let Some(Item::Entry(Entry::Receipt { signed, body })) =
        Assembler::default().push(FrameKind::Receipt, &forged[at].1).unwrap()
    else {
        panic!("not a receipt")
    };
    let mut draft = signed.draft().clone();
    draft.outcome = Outcome::Rejected { reason: "by another hand".into() };
    let signed = Signed::from_parts(&draft.to_bytes().unwrap(), *signed.signature()).unwrap();
    Entry::Receipt { signed, body }
        .write_frames(|_, parts| {
            forged[at].1 = parts.concat();
            Ok(())
        })
        .unwrap();
    rewrite_with_roots(dir.path(), &forged);
    assert_eq!(code(dir.path()), "KNHK-E1113");
}

#[test]
fn an_input_or_a_body_rewritten_with_every_checksum_and_root_is_refused_by_the_checkpoint() {
    let dir = scratch();
    small_log(dir.path(), 2, 1 << 20);
    let original = frames(dir.path());
    let at = original.iter().rposition(|frame| frame.0 == FrameKind::Input).unwrap();
    let input = knhk_evidence::input::Input::new(
        knhk_evidence::input::InputKind::CycleDue,
        Some("finance"),
        NOW_MS,
        &"another",
    )
    .unwrap();
    let mut forged = original.clone();
    Entry::Input(input)
        .write_frames(|_, parts| {
            forged[at].1 = parts.concat();
            Ok(())
        })
        .unwrap();
    rewrite(dir.path(), &forged);
    assert_eq!(code(dir.path()), "KNHK-E1121");
    rewrite_with_roots(dir.path(), &forged);
    assert_eq!(code(dir.path()), "KNHK-E1116");

    let mut swapped = original;
    let at = swapped.iter().position(|frame| frame.0 == FrameKind::Receipt).unwrap();
    let old = canonical::to_bytes(&("evidence", "finance")).unwrap();
    let new = canonical::to_bytes(&("evidence", "finances")).unwrap();
    let body = &mut swapped[at].1;
    body.truncate(body.len() - old.len());
    body.extend_from_slice(&new);
    rewrite(dir.path(), &swapped);
    assert_eq!(code(dir.path()), "KNHK-E1112");
}

#[test]
fn a_payload_may_be_erased_in_place_but_not_changed() {
    let dir = scratch();
    small_log(dir.path(), 2, 1 << 20);
    let mut erased = frames(dir.path());
    let at = erased.iter().position(|frame| frame.0 == FrameKind::Payloads).unwrap();
    let Some(block) = erased[..at].last() else { panic!() };
    let block = knhk_evidence::block::Block::from_bytes(&block.1).unwrap();
    let mut payloads = knhk_evidence::block::Payloads::from_bytes(&block, erased[at].1.clone()).unwrap();
    payloads.erase(1);
    erased[at].1 = payloads.as_bytes().to_vec();
    rewrite(dir.path(), &erased);
    let report = audit::verify(dir.path(), Some(key().verifying_key()), &[]).unwrap();
    assert_eq!(report.counts.payloads_erased, 1);

    let last = erased[at].1.len() - 1;
    erased[at].1[last] ^= 1;
    rewrite(dir.path(), &erased);
    assert_eq!(code(dir.path()), "KNHK-E1109");
}

#[test]
fn a_checkpoint_of_a_shorter_log_covers_less_and_says_so() {
    let dir = scratch();
    small_log(dir.path(), 2, 1 << 20);
    let original = frames(dir.path());
    let older = original.iter().rev().find(|frame| frame.0 == FrameKind::Checkpoint).unwrap();
    fs::write(dir.path().join("checkpoint"), &older.1).unwrap();
    let report = audit::verify(dir.path(), Some(key().verifying_key()), &[]).unwrap();
    assert_eq!((report.tree_size, report.covered), (10, 7));
    assert_ne!(report.root, Hash::ZERO);
}
