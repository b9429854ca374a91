//! A small log with every kind of entry, for the tests of this directory.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use knhk_evidence::entry::Entry;
use knhk_evidence::input::{Input, InputKind};
use knhk_evidence::intern::Table;
use knhk_evidence::receipt::{Draft, Operation, Outcome, Signed};
use knhk_evidence::record::{Record, dedupe_key};
use knhk_evidence::{Hash, SigningKey, canonical};
use knhk_storage::{Log, Options};

pub(crate) const NOW_MS: i64 = 1_700_000_000_000;

/// A directory for one test, in memory where the system has such: these tests are about bytes, not about disks.
pub(crate) fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

pub(crate) fn key() -> SigningKey {
    SigningKey::generate([1; 32], b"test")
}

/// Records and payloads of `n` events of interned type 0 and source 0.
pub(crate) fn events(n: usize, tag: &str) -> (Vec<Record>, Vec<String>) {
    let payloads: Vec<_> = (0..n).map(|i| format!("{{\"id\":\"{tag}-{i}\",\"amount\":{i}}}")).collect();
    let records = (0_i64..).zip(&payloads).map(|(i, payload)| {
        let mut record = Record {
            event_time_ms: NOW_MS + i,
            ingest_time_ms: NOW_MS + i + 3,
            dedupe_key: dedupe_key("shop", &format!("{tag}-{i}")),
            data_digest: Hash::of(payload.as_bytes()).prefix(),
            ..Record::default()
        };
        record.set_payload(payload.as_bytes()).unwrap();
        record
    });
    (records.collect(), payloads)
}

/// The next receipt of a sector, signed by the log's key.
pub(crate) fn receipt(log: &Log, sector: &str, body: &[u8]) -> Signed {
    let (sequence, parent) = log.state().next_receipt(sector);
    let draft = Draft {
        operation: Operation::PatternDetected,
        outcome: Outcome::Approved,
        sector: sector.into(),
        sequence,
        parent,
        time_ms: NOW_MS,
        cycle: Some("c-1".into()),
        evidence_digest: Hash::of(body),
        ontology_digest: Hash::of(b"ontology"),
        doctrine_digest: Hash::of(b"doctrine"),
        guards_digest: Hash::of(b"guards"),
        semantics_version: 1,
        key_id: log.key().verifying_key().id(),
    };
    draft.sign(log.key()).unwrap()
}

pub(crate) fn append_receipt(log: &mut Log, sector: &str) {
    let body = canonical::to_bytes(&("evidence", sector)).unwrap();
    let signed = receipt(log, sector, &body);
    log.append_receipt(signed, body).unwrap();
}

/// Interns what [`events`] needs.
pub(crate) fn intern(log: &mut Log) {
    log.intern(Table::Sector, "finance", NOW_MS).unwrap();
    log.intern(Table::EventType, "order.created", NOW_MS).unwrap();
    log.intern(Table::Source, "shop", NOW_MS).unwrap();
}

/// One group: a block of `n` events, a receipt and an input.
pub(crate) fn group(log: &mut Log, n: usize, tag: &str) {
    let (records, payloads) = events(n, tag);
    log.append_block(0, records, &payloads).unwrap();
    append_receipt(log, "finance");
    log.append_input(Input::new(InputKind::CycleDue, Some("finance"), NOW_MS, &tag).unwrap()).unwrap();
    log.commit().unwrap();
}

/// A closed log of `groups` groups, in segments of at most `roll_len` bytes and one group.
pub(crate) fn small_log(dir: &Path, groups: usize, roll_len: u64) {
    let mut log = Log::create_with(dir, &key(), NOW_MS, Options { roll_len, ..Options::default() }).unwrap();
    intern(&mut log);
    for i in 0..groups {
        group(&mut log, 3, &format!("g{i}"));
    }
}

/// A log of five segments, still open.
pub(crate) fn rolled(dir: &Path, options: Options) -> Log {
    let mut log = Log::create_with(dir, &key(), NOW_MS, options).unwrap();
    intern(&mut log);
    for i in 0..4 {
        group(&mut log, 3, &format!("g{i}"));
        log.roll();
    }
    group(&mut log, 3, "last");
    log
}

/// Whether an entry is the sealed state at the start of a segment.
pub(crate) fn is_seal(entry: &Entry) -> bool {
    matches!(entry, Entry::Input(input) if input.kind == InputKind::LogSealed)
}

pub(crate) fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(dir.join("log")).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    paths
}

/// A copy of a data directory, without its lock.
pub(crate) fn copy(from: &Path) -> tempfile::TempDir {
    let to = scratch();
    fs::create_dir(to.path().join("log")).unwrap();
    for name in ["checkpoint", "key.pub"] {
        fs::copy(from.join(name), to.path().join(name)).unwrap();
    }
    for segment in segments(from) {
        fs::copy(&segment, to.path().join("log").join(segment.file_name().unwrap())).unwrap();
    }
    to
}
