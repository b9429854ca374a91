//! What somebody who can write the directory, or a producer, may try; and what must hold when things go wrong late.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;
mod gated;

use std::fs;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use common::*;
use gated::Gated;
use knhk_evidence::entry::{Entry, KeyChange};
use knhk_evidence::frame::{Chain, Commit, FRAME_HEADER_LEN, FrameHeader, FrameKind};
use knhk_evidence::input::{Input, InputKind};
use knhk_evidence::intern::Table;
use knhk_evidence::producers::ProducerAt;
use knhk_evidence::record::Record;
use knhk_evidence::sealed::Retained;
use knhk_evidence::state::LogState;
use knhk_evidence::verify::{Depth, Trust, Verifier};
use knhk_storage::audit::Audit;
use knhk_storage::salvage::salvage;
use knhk_storage::store::{AppenderOptions, Level, StoreOptions};
use knhk_storage::{Directory, Error, Log, ObservationStore, Options, audit, read};

fn store(directory: impl Into<Directory>, options: StoreOptions) -> ObservationStore {
    let options = StoreOptions { prepare: false, ..options };
    let store = ObservationStore::create(directory, &key(), NOW_MS, options).unwrap();
    store.intern(Table::EventType, "order.created", NOW_MS).unwrap();
    store
}

fn shop() -> AppenderOptions<'static> {
    AppenderOptions { sector: "finance", source: "shop", slots: 64, ..AppenderOptions::default() }
}

fn record() -> Record {
    Record { event_time_ms: NOW_MS, ingest_time_ms: NOW_MS, ..Record::default() }
}

#[test]
fn who_has_no_key_cannot_say_that_the_oldest_entries_were_dropped() {
    let dir = scratch();
    drop(rolled(dir.path(), Options::default()));
    let trusted = key();
    // Everything that is needed but the key.
    let note = fs::read_to_string(dir.path().join("checkpoint")).unwrap();
    let paths = segments(dir.path());
    let mut verifier = Verifier::new(Trust::SelfAttested, Depth::Everything);
    for path in &paths {
        let name = path.file_name().unwrap().to_str().unwrap();
        verifier.segment(name, &fs::read(path).unwrap()).unwrap();
    }
    let (_, mut state, mut chain) = verifier.finish_for_append().unwrap();
    let statement = Retained { from: state.size(), reason: "forged".into() };
    let entry = Entry::Input(Input::new(InputKind::LogRetained, None, NOW_MS, &statement).unwrap());
    let mut group = Vec::new();
    chain.append(FrameKind::Checkpoint, &[note.as_bytes()], &mut group).unwrap();
    state.apply(&entry).unwrap();
    entry.write_frames(|kind, parts| chain.append(kind, parts, &mut group)).unwrap();
    let commit = Commit { entries: 1, tree_size: state.size(), root: state.root() };
    chain.append(FrameKind::Commit, &[&commit.to_bytes()], &mut group).unwrap();
    let last = paths.last().unwrap();
    fs::write(last, [fs::read(last).unwrap(), group].concat()).unwrap();
    for path in &paths[..3] {
        fs::remove_file(path).unwrap();
    }
    for depth in [Depth::Everything, Depth::Roots] {
        let audit = Audit { trusted: Some(trusted.verifying_key()), depth, ..Audit::default() };
        assert_eq!(audit::verify_with(dir.path(), &audit, &mut |_| {}).unwrap_err().code(), "KNHK-E1141");
    }
    assert_eq!(Log::open(dir.path(), &key()).unwrap_err().code(), "KNHK-E1141");
}

#[test]
fn entries_that_no_checkpoint_covered_are_counted_when_they_are_signed() {
    let dir = scratch();
    let mut log = rolled(dir.path(), Options::default());
    let older = log.checkpoint_note().to_owned();
    group(&mut log, 1, "unsigned");
    drop(log);
    fs::write(dir.path().join("checkpoint"), older).unwrap();
    let (log, recovery) = Log::open(dir.path(), &key()).unwrap();
    assert_eq!(recovery.signed, 3);
    drop(log);
    assert_eq!(Log::open(dir.path(), &key()).unwrap().1.signed, 0);
}

#[test]
fn what_a_log_dropped_is_in_no_file_of_it() {
    let dir = scratch();
    let mut log = rolled(dir.path(), Options::default());
    log.retain_from(3, None, "test", NOW_MS).unwrap();
    log.close().unwrap();
    let (_, sent) = events(1, "g0");
    let mut folders = vec![dir.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let found = fs::read(&path).unwrap().windows(sent[0].len()).any(|w| w == sent[0].as_bytes());
                assert!(!found, "{}", path.display());
            }
        }
    }
}

#[test]
fn an_archive_never_loses_another_logs_segments() {
    let (first, second, archive) = (scratch(), scratch(), scratch());
    let mut log = rolled(first.path(), Options::default());
    log.retain_from(1, Some(archive.path()), "test", NOW_MS).unwrap();
    let kept = fs::read(archive.path().join("00000000.seg")).unwrap();
    let mut other = Log::create(second.path(), &key(), NOW_MS + 9).unwrap();
    intern(&mut other);
    group(&mut other, 1, "other");
    other.roll();
    group(&mut other, 1, "more");
    let size = other.state().size();
    let refused = other.retain_from(1, Some(archive.path()), "test", NOW_MS);
    assert!(matches!(refused, Err(Error::Layout { .. })));
    assert_eq!(other.state().size(), size, "nothing is said to be dropped");
    assert_eq!(fs::read(archive.path().join("00000000.seg")).unwrap(), kept);
}

#[test]
fn a_salvage_that_was_interrupted_can_be_done_again() {
    let dir = scratch();
    drop(rolled(dir.path(), Options::default()));
    let last = segments(dir.path()).pop().unwrap();
    let mut bytes = fs::read(&last).unwrap();
    let at = bytes.len() - 100;
    bytes[at] ^= 1;
    fs::write(&last, &bytes).unwrap();
    // As it is after the cut, before the entry that says so is durable: the checkpoint is still there.
    fs::remove_file(&last).unwrap();
    assert!(Log::open(dir.path(), &key()).is_err());
    let given_up = salvage(dir.path(), &key(), NOW_MS).unwrap().unwrap();
    assert!(given_up.had > given_up.from);
    audit::verify(dir.path(), None, &[]).unwrap();
}

#[test]
fn nothing_is_certified_that_could_not_be_published() {
    let (dir, gate) = (scratch(), Gated::default());
    let options = StoreOptions { publish_interval: Duration::from_hours(1), ..StoreOptions::default() };
    let store = store(Directory::on(Arc::new(gate.clone()), dir.path()), options);
    let mut appender = store.appender(shop(), NOW_MS).unwrap();
    let ticket = appender.append(&record()).unwrap();
    store.reached(ticket, Level::Durable).wait().unwrap();
    drop(appender);
    // Until the end of the count is durable too, so that closing has nothing to write but the checkpoint.
    while store.with_log(|log| log.state().producers().iter().any(|(_, count)| count.open)).unwrap() {
        thread::yield_now();
    }
    let certified = store.reached(ticket, Level::Certified);
    gate.fill_disk();
    assert!(matches!(store.close(), Err(Error::NoSpace { .. })));
    assert!(!certified.is_reached());
    assert!(certified.wait().is_err());
}

#[test]
fn a_panic_on_the_writers_thread_stops_the_store_and_leaves_nobody_waiting() {
    let dir = scratch();
    let store = store(dir.path(), StoreOptions::default());
    let mut appender = store.appender(shop(), NOW_MS).unwrap();
    let ticket = appender.append(&record()).unwrap();
    let before = store.reached(ticket, Level::Certified);
    assert!(store.with_log(|_| -> u8 { panic!("a mistake of the caller") }).is_err());
    let (said, heard) = mpsc::channel();
    thread::spawn(move || said.send(before.wait()));
    // The wait ends; with what depends on how far the writer had come.
    heard.recv_timeout(Duration::from_mins(1)).unwrap().ok();
    while appender.append(&record()).is_ok() {
        thread::yield_now();
    }
}

#[test]
fn a_store_that_is_dropped_lets_go_of_its_log() {
    let dir = scratch();
    drop(store(dir.path(), StoreOptions::default()));
    loop {
        match Log::open(dir.path(), &key()) {
            Err(Error::Locked { .. }) => thread::yield_now(),
            opened => break drop(opened.unwrap()),
        }
    }
}

#[test]
fn counts_at_the_end_of_their_numbers_overflow_nothing() {
    let mut state = LogState::new();
    state.apply(&Entry::KeyChange(KeyChange::first(&key(), 0).unwrap())).unwrap();
    let name = state.tables().propose(Table::Source, "shop");
    state.apply(&Entry::Input(Input::new(InputKind::Interned, None, 0, &name).unwrap())).unwrap();
    for epoch in 0..2 {
        for (kind, next) in [(InputKind::ProducerOpened, 0), (InputKind::ProducerClosed, u64::MAX)] {
            let at = ProducerAt { source: 0, epoch, next };
            state.apply(&Entry::Input(Input::new(kind, None, 0, &at).unwrap())).unwrap();
        }
    }
    assert_eq!(state.lost().numbers, u64::MAX);

    let dir = scratch();
    drop(rolled(dir.path(), Options::default()));
    for path in segments(dir.path()) {
        fs::remove_file(path).unwrap();
    }
    fs::write(dir.path().join("log/4294967295.seg"), b"x").unwrap();
    assert!(audit::verify(dir.path(), None, &[]).is_err());

    let mut sealed = state.seal();
    sealed.next_sequence = u64::MAX;
    let input = sealed.to_input().unwrap();
    assert!(knhk_evidence::sealed::SealedState::of(&input).is_err());
}

#[test]
fn a_payload_that_looks_like_frames_does_not_make_a_torn_tail_damage() {
    let dir = scratch();
    let mut log = Log::create(dir.path(), &key(), NOW_MS).unwrap();
    intern(&mut log);
    log.commit().unwrap();
    let header =
        FrameHeader { kind: FrameKind::Commit, len: 0, segment: 0, number: 9, previous: 0, body_crc: 0 };
    let (mut chain, mut fake) = (Chain::at(&header), Vec::new());
    let commit = Commit { entries: 1, tree_size: 99, root: knhk_evidence::Hash::ZERO };
    let note = SigningKeyOfAnother::note(&log);
    for _ in 0..2 {
        chain.append(FrameKind::Commit, &[&commit.to_bytes()], &mut fake).unwrap();
        chain.append(FrameKind::Checkpoint, &[note.as_bytes()], &mut fake).unwrap();
    }
    fake.extend([7; 500]);
    let mut record = record();
    record.set_payload(&fake).unwrap();
    let published = fs::read(dir.path().join("checkpoint")).unwrap();
    log.append_block(0, vec![record], &[fake]).unwrap();
    log.commit().unwrap();
    drop(log);
    // The power went: the end of the group never came, nor its checkpoint.
    let path = segments(dir.path()).pop().unwrap();
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 200]).unwrap();
    fs::write(dir.path().join("checkpoint"), published).unwrap();
    let (_, recovery) = Log::open(dir.path(), &key()).unwrap();
    assert!(recovery.truncated_bytes > 500);
}

/// A checkpoint of more entries, under the log's name and by another key: the best that an author of payloads can do.
struct SigningKeyOfAnother;

impl SigningKeyOfAnother {
    fn note(log: &Log) -> String {
        let origin = log.key().verifying_key().name().to_owned();
        let other = knhk_evidence::SigningKey::new(&origin, [9; 32]).unwrap();
        let root = knhk_evidence::Hash::ZERO;
        knhk_evidence::checkpoint::Checkpoint { origin, size: 99, root }.sign(&other).unwrap()
    }
}

#[test]
fn a_wrong_signature_is_named_by_the_place_of_its_frame() {
    let dir = scratch();
    drop(rolled(dir.path(), Options::default()));
    let path = &segments(dir.path())[0];
    let mut bytes = fs::read(path).unwrap();
    let mut entries = read::entries(dir.path()).unwrap().map(Result::unwrap);
    let receipt = entries.find(|located| matches!(located.entry, Entry::Receipt { .. })).unwrap();
    let at = usize::try_from(receipt.offset).unwrap();
    let header = FrameHeader::from_bytes(bytes[at..].first_chunk().unwrap()).unwrap();
    let body = &mut bytes[at + FRAME_HEADER_LEN..at + FRAME_HEADER_LEN + header.len as usize];
    let signature = 4 + u32::from_le_bytes(*body.first_chunk().unwrap()) as usize;
    body[signature] ^= 1;
    let renewed = header.with_body(body).unwrap().to_bytes();
    bytes[at..at + FRAME_HEADER_LEN].copy_from_slice(&renewed);
    fs::write(path, &bytes).unwrap();
    let Err(Error::Evidence(error)) = audit::verify(dir.path(), None, &[]) else { panic!("verified") };
    assert_eq!((error.code(), error.place().unwrap().offset), ("KNHK-E1113", receipt.offset));
}
