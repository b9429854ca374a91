//! One step of the hot path, for `scripts/instructions` to count the instructions of: what is counted is inside the
//! functions whose names begin with `counted`.
#![allow(clippy::unwrap_used, reason = "run by a script, which sees it fail")]

use std::hint::black_box;

use knhk_evidence::block::{Block, MAX_BLOCK_RECORDS};
use knhk_evidence::entry::Entry;
use knhk_evidence::intern::Table;
use knhk_evidence::record::{NO_PAYLOAD, Record};
use knhk_evidence::{Hash, SigningKey};
use knhk_storage::store::{Appender, AppenderOptions, StoreOptions};
use knhk_storage::{Log, ObservationStore};

/// Appends of the first step; the ring has room for them.
const APPENDS: usize = 100_000;

fn record(number: usize) -> Record {
    let mut record = Record { payload_sha256: NO_PAYLOAD, ..Record::default() };
    record.data_digest[..8].copy_from_slice(&(number as u64).to_le_bytes());
    record
}

#[inline(never)]
fn counted_append(appender: &mut Appender, record: &Record) {
    for _ in 0..APPENDS {
        black_box(appender.append(black_box(record)).unwrap());
    }
}

#[inline(never)]
fn counted_seal(records: Vec<Record>, bytes: Vec<u8>, log: &Log) -> Block {
    Block::seal_into(log.state().next_block(0), records, bytes).unwrap()
}

#[inline(never)]
fn counted_log(log: &mut Log, entry: &Entry) {
    log.append(entry).unwrap();
}

#[inline(never)]
fn counted_verify(bytes: &[u8]) -> Hash {
    Block::check(black_box(bytes)).unwrap().records_root
}

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let key = SigningKey::generate([1; 32], b"instructions");
    let step = std::env::args().nth(1).unwrap_or_default();
    if step == "append" {
        // The sealer stays asleep: nothing moves in the ring while it is filled.
        let drain_interval = std::time::Duration::from_secs(1);
        let options = StoreOptions { prepare: false, drain_interval, ..StoreOptions::default() };
        let store = ObservationStore::create(&dir.path().join("store"), &key, 0, options).unwrap();
        store.intern(Table::EventType, "t", 0).unwrap();
        let slots = APPENDS;
        let options =
            AppenderOptions { sector: "s", source: "p", slots, payload_len: 0, ..AppenderOptions::default() };
        let mut appender = store.appender(options, 0).unwrap();
        counted_append(&mut appender, &record(1));
        drop(appender);
        store.close().unwrap();
        return;
    }
    let mut log = Log::create(&dir.path().join("log"), &key, 0).unwrap();
    for (table, text) in [(Table::Sector, "s"), (Table::EventType, "t"), (Table::Source, "p")] {
        log.intern(table, text, 0).unwrap();
    }
    let records: Vec<_> = (0..MAX_BLOCK_RECORDS).map(record).collect();
    let block = counted_seal(records, Vec::with_capacity(1 << 20), &log);
    counted_verify(block.as_bytes());
    counted_log(&mut log, &Entry::Block { block, payloads: None });
    log.close().unwrap();
}
