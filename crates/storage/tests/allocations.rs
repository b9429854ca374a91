//! Appending allocates nothing. The allocator counts for each thread by itself, so the sealer's and the writer's work
//! beside it does not count.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::*;
use knhk_evidence::intern::Table;
use knhk_evidence::record::Record;
use knhk_storage::store::{Appender, AppenderOptions, ObservationStore, StoreOptions, WhenFull};

/// Appends of one measurement; the ring has room for them.
const APPENDS: u64 = 10_000;

fn measured(append: impl Fn(&mut Appender, &Record)) -> u64 {
    let dir = scratch();
    let options = StoreOptions { prepare: false, ..StoreOptions::default() };
    let store = ObservationStore::create(dir.path(), &key(), NOW_MS, options).unwrap();
    store.intern(Table::EventType, "order.created", NOW_MS).unwrap();
    let slots = usize::try_from(APPENDS).unwrap();
    let options = AppenderOptions {
        sector: "finance",
        source: "shop",
        slots,
        payload_len: slots * 100,
        when_full: WhenFull::Reject,
        go_on: false,
    };
    let mut appender = store.appender(options, NOW_MS).unwrap();
    let allocated = allocation_counter::measure(|| {
        for number in 0..APPENDS {
            let record = Record { event_time_ms: number.cast_signed(), ..Record::default() };
            append(&mut appender, &record);
        }
    });
    assert_eq!(store.counts().rejected, 0);
    assert_eq!(appender.next_number(), APPENDS);
    appender.close();
    store.close().unwrap();
    allocated.count_total
}

#[test]
fn appending_allocates_nothing() {
    assert_eq!(measured(|appender, record| assert_ne!(appender.append(record).unwrap().number, APPENDS)), 0);
}

#[test]
fn appending_with_a_payload_allocates_nothing() {
    let payload = [b'x'; 100];
    let append = |appender: &mut Appender, record: &Record| {
        assert_ne!(appender.append_with_payload(record, &payload).unwrap().number, APPENDS);
    };
    assert_eq!(measured(append), 0);
}

#[test]
fn the_counter_counts() {
    assert!(measured(|appender, record| drop(vec![appender.append(record).unwrap()])) >= APPENDS);
}
