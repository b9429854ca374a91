//! Producers, sealer and writer together: nothing durable is lost, nothing is there twice, and what is lost shows.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;
mod gated;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use common::*;
use gated::Gated;
use knhk_evidence::entry::Entry;
use knhk_evidence::intern::Table;
use knhk_evidence::producers::Lost;
use knhk_evidence::proof::Proven;
use knhk_evidence::record::Record;
use knhk_storage::store::{AppenderOptions, Level, ObservationStore, Rejected, StoreOptions, WhenFull};
use knhk_storage::{Directory, Error, audit, prove, read};

fn options() -> StoreOptions {
    StoreOptions { publish_interval: Duration::from_millis(5), prepare: false, ..StoreOptions::default() }
}

fn create(directory: impl Into<Directory>) -> ObservationStore {
    let store = ObservationStore::create(directory, &key(), NOW_MS, options()).unwrap();
    store.intern(Table::EventType, "order.created", NOW_MS).unwrap();
    store
}

fn producer(source: &str) -> AppenderOptions<'_> {
    AppenderOptions { sector: "finance", source, slots: 64, ..AppenderOptions::default() }
}

/// A record that can be told from others by its time.
fn record(n: u64) -> Record {
    Record { event_time_ms: i64::try_from(n).unwrap(), ingest_time_ms: NOW_MS, ..Record::default() }
}

/// Per source, the (number, event time) of its records.
type Found = BTreeMap<u32, Vec<(u64, i64)>>;

/// Per source, the (number, event time) of its records in the order of the log; and all payloads.
fn in_log(dir: &Path) -> (Found, Vec<Vec<u8>>) {
    let (mut found, mut payloads_found) = (Found::new(), Vec::new());
    for located in read::entries(dir).unwrap() {
        if let Entry::Block { block, payloads } = located.unwrap().entry {
            for (at, record) in block.records().iter().enumerate() {
                let number = record.numbered().unwrap().number;
                found.entry(record.source).or_default().push((number, record.event_time_ms));
                payloads_found.extend(payloads.as_ref().and_then(|p| p.get(at)).map(<[u8]>::to_vec));
            }
        }
    }
    (found, payloads_found)
}

#[test]
fn a_hundred_threads_lose_nothing_and_keep_their_order() {
    let dir = scratch();
    let store = create(dir.path());
    let each = 500;
    thread::scope(|scope| {
        for producer_number in 0..100 {
            let store = &store;
            scope.spawn(move || {
                let source = format!("producer-{producer_number}");
                let mut appender = store.appender(producer(&source), NOW_MS).unwrap();
                let mut last = None;
                for n in 0..each {
                    last = Some(appender.append(&record(n)).unwrap());
                }
                store.reached(last.unwrap(), Level::Durable).wait().unwrap();
            });
        }
    });
    let counts = store.counts();
    assert_eq!((counts.sealed, counts.durable, counts.duplicates, counts.rejected), (50_000, 50_000, 0, 0));
    store.close().unwrap();
    let (found, _) = in_log(dir.path());
    assert_eq!(found.len(), 100);
    let expected: Vec<_> = (0..each).map(|n| (n, i64::try_from(n).unwrap())).collect();
    assert!(found.values().all(|records| *records == expected));
    let report = audit::verify(dir.path(), Some(key().verifying_key()), &[]).unwrap();
    assert_eq!((report.counts.observations, report.lost, report.torn), (50_000, Lost::default(), 0));
}

#[test]
fn payloads_travel_with_their_records() {
    let dir = scratch();
    let store = create(dir.path());
    let options = AppenderOptions { payload_len: 4096, ..producer("shop") };
    let mut appender = store.appender(options, NOW_MS).unwrap();
    let payloads: Vec<_> =
        (0..300).map(|n| vec![b'a' + u8::try_from(n % 26).unwrap(); n * 7 % 1500 + 1]).collect();
    for (n, payload) in (0..).zip(&payloads) {
        appender.append_with_payload(&record(n), payload).unwrap();
    }
    assert_eq!(appender.append_with_payload(&record(0), &[0; 4097]), Err(Rejected::TooLong { len: 4097 }));
    appender.close();
    store.close().unwrap();
    assert_eq!(in_log(dir.path()).1, payloads);
    audit::verify(dir.path(), None, &[]).unwrap();
}

#[test]
fn a_record_without_payload_stands_beside_one_with_whatever_its_payload_hash_said() {
    let dir = scratch();
    let store = create(dir.path());
    let mut appender = store.appender(producer("shop"), NOW_MS).unwrap();
    // All three in one block, whenever the sealer comes by.
    appender.append_with_payload(&record(0), b"payload").unwrap();
    appender.append(&record(1)).unwrap();
    let ticket = appender.append_with_payload(&record(2), b"").unwrap();
    store.reached(ticket, Level::Durable).wait().unwrap();
    appender.close();
    store.close().unwrap();
    assert_eq!(in_log(dir.path()).0.values().next().unwrap(), &[(0, 0), (1, 1), (2, 2)]);
    audit::verify(dir.path(), None, &[]).unwrap();
}

#[test]
fn a_full_ring_rejects_or_waits_and_never_overwrites() {
    let (dir, gate) = (scratch(), Gated::default());
    let store = create(Directory::on(Arc::new(gate.clone()), dir.path()));
    let slots = 8;
    let options = AppenderOptions { slots, when_full: WhenFull::Reject, ..producer("rejecting") };
    let mut rejecting = store.appender(options, NOW_MS).unwrap();
    let mut waiting = store.appender(AppenderOptions { slots, ..producer("waiting") }, NOW_MS).unwrap();
    gate.hold_syncs();
    // With the disk stuck the queues fill, and then the ring.
    let mut accepted = 0;
    let rejected = loop {
        match rejecting.append(&record(accepted)) {
            Ok(_) => accepted += 1,
            Err(rejected) if store.counts().rejected > 1000 => break rejected,
            Err(_) => thread::yield_now(),
        }
    };
    assert_eq!((rejected, rejecting.next_number()), (Rejected::Full, accepted));
    let released = Arc::new(AtomicBool::new(false));
    let (seen, total) = (Arc::clone(&released), 5_000);
    let waiter = thread::spawn(move || {
        for n in 0..total {
            waiting.append(&record(n)).unwrap();
        }
        seen.load(Ordering::Acquire)
    });
    while store.counts().blocked < 10 {
        thread::yield_now();
    }
    released.store(true, Ordering::Release);
    gate.release_syncs();
    assert!(waiter.join().unwrap(), "a full ring took more than it holds");
    drop(rejecting);
    store.close().unwrap();
    let (found, _) = in_log(dir.path());
    let lengths: Vec<_> = found.values().map(|records| records.len() as u64).collect();
    assert_eq!(lengths, [accepted, total]);
}

#[test]
fn a_full_disk_is_survived_without_loss() {
    let (dir, gate) = (scratch(), Gated::default());
    let store = create(Directory::on(Arc::new(gate.clone()), dir.path()));
    let mut appender = store.appender(producer("shop"), NOW_MS).unwrap();
    let first = appender.append(&record(0)).unwrap();
    store.reached(first, Level::Durable).wait().unwrap();
    gate.fill_disk();
    let second = appender.append(&record(1)).unwrap();
    while !store.counts().disk_full {
        thread::yield_now();
    }
    assert!(!store.has_reached(second, Level::Durable));
    // Reading goes on.
    assert_eq!(in_log(dir.path()).0.values().next().unwrap().len(), 1);
    gate.empty_disk();
    store.reached(second, Level::Durable).wait().unwrap();
    assert!(!store.counts().disk_full);
    appender.close();
    store.close().unwrap();
    assert_eq!(in_log(dir.path()).0.values().next().unwrap(), &[(0, 0), (1, 1)]);
    audit::verify(dir.path(), None, &[]).unwrap();
}

#[test]
fn a_failed_sync_stops_the_store_and_tells_every_ticket() {
    let (dir, gate) = (scratch(), Gated::default());
    let store = create(Directory::on(Arc::new(gate.clone()), dir.path()));
    let mut appender = store.appender(producer("shop"), NOW_MS).unwrap();
    let durable = appender.append(&record(0)).unwrap();
    store.reached(durable, Level::Durable).wait().unwrap();
    gate.fail_syncs();
    let lost = appender.append(&record(1)).unwrap();
    assert!(matches!(store.reached(lost, Level::Durable).wait(), Err(Error::Poisoned { .. })));
    store.reached(durable, Level::Durable).wait().unwrap();
    assert_eq!(appender.append(&record(2)), Err(Rejected::Closed));
    assert!(store.intern(Table::EventType, "more", NOW_MS).is_err());
    drop(appender);
    assert_eq!(store.close().unwrap_err().code(), "KNHK-E1201");

    // The producer goes on where the log stands, and retries what it does not know of.
    gate.heal();
    let (store, _) = ObservationStore::open(dir.path(), &key(), options()).unwrap();
    let mut appender = store.appender(AppenderOptions { go_on: true, ..producer("shop") }, NOW_MS).unwrap();
    let expected = appender.next_number();
    assert!((1..=2).contains(&expected), "{expected}");
    appender.set_next_number(0).unwrap();
    for n in 0..4 {
        appender.append(&record(n)).unwrap();
    }
    appender.close();
    store.close().unwrap();
    assert_eq!(in_log(dir.path()).0.values().next().unwrap(), &[(0, 0), (1, 1), (2, 2), (3, 3)]);
    assert_eq!(audit::verify(dir.path(), None, &[]).unwrap().lost, Lost::default());
}

#[test]
fn a_lost_tail_a_gap_and_an_abandoned_count_show() {
    let dir = scratch();
    let store = create(dir.path());
    let mut appender = store.appender(producer("shop"), NOW_MS).unwrap();
    appender.append(&record(0)).unwrap();
    appender.set_next_number(5).unwrap();
    let ticket = appender.append(&record(5)).unwrap();
    store.reached(ticket, Level::Durable).wait().unwrap();
    assert!(matches!(store.appender(producer("shop"), NOW_MS), Err(Error::ProducerOpen { .. })));
    // A process that dies: neither appender nor store is closed.
    std::mem::forget(appender);
    store.close().unwrap();
    let (store, recovery) = ObservationStore::open(dir.path(), &key(), options()).unwrap();
    assert_eq!(recovery.report.lost, Lost { abandoned: 0, numbers: 4 });
    let mut next = store.appender(producer("shop"), NOW_MS).unwrap();
    assert_eq!((next.epoch(), next.next_number()), (1, 0));
    next.append(&record(0)).unwrap();
    next.close();
    store.close().unwrap();
    assert_eq!(audit::verify(dir.path(), None, &[]).unwrap().lost, Lost { abandoned: 1, numbers: 4 });
}

#[test]
fn closing_while_producers_append_keeps_exactly_what_is_durable() {
    for _ in 0..6 {
        let dir = scratch();
        let store = Arc::new(create(dir.path()));
        let producers: Vec<_> = (0..4)
            .map(|number| {
                let source = format!("producer-{number}");
                let mut appender = store.appender(producer(&source), NOW_MS).unwrap();
                thread::spawn(move || {
                    let mut n = 0;
                    while appender.append(&record(n)).is_ok() {
                        n += 1;
                    }
                    // The mark no longer moves once the store is closed.
                    (appender, n)
                })
            })
            .collect();
        thread::sleep(Duration::from_millis(3));
        let store = Arc::into_inner(store).unwrap();
        store.close().unwrap();
        let (found, _) = in_log(dir.path());
        for (source, producer) in (0..).zip(producers) {
            let (appender, accepted) = producer.join().unwrap();
            let (appends, durable) = appender.progress(Level::Durable);
            assert_eq!(appends, accepted);
            let there = found.get(&source).map_or(0, Vec::len) as u64;
            assert_eq!(there, durable);
            assert!(there <= accepted);
        }
        audit::verify(dir.path(), None, &[]).unwrap();
    }
}

/// An executor of one task.
struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn levels_can_be_awaited_and_a_certified_observation_can_be_proven() {
    let dir = scratch();
    let store = create(dir.path());
    let mut appender = store.appender(producer("shop"), NOW_MS).unwrap();
    for n in 0..50 {
        let ticket = appender.append(&record(n)).unwrap();
        block_on(store.reached(ticket, Level::Durable)).unwrap();
        assert!(store.has_reached(ticket, Level::Durable));
    }
    block_on(store.reached(appender.ticket(), Level::Certified)).unwrap();
    let (proof, record) = prove::prove_observation(dir.path(), 49).unwrap();
    assert_eq!(proof.verify(key().verifying_key()).unwrap().0, Proven::Observation(Box::new(record)));
    let never = store.reached(appender.ticket(), Level::Certified);
    let ticket = appender.append(&self::record(50)).unwrap();
    assert!(block_on(never).is_ok());
    // Entries that are no observations go between the blocks.
    let size = store.with_log(|log| log.state().size()).unwrap();
    assert!(size > 50);
    drop(appender);
    store.close().unwrap();
    let _ = ticket;
}

#[test]
fn a_producers_mistake_stops_nobody_else() {
    let dir = scratch();
    let store = create(dir.path());
    let mut appender = store.appender(producer("shop"), NOW_MS).unwrap();
    for wrong in [
        Record { event_type: 1, ..record(0) },
        Record { payload_len: 1, ..record(0) },
        Record { flags: 0x80, ..record(0) },
    ] {
        assert!(matches!(appender.append(&wrong), Err(Rejected::Invalid { .. })));
    }
    assert!(store.appender(AppenderOptions { slots: 0, ..producer("other") }, NOW_MS).is_err());
    let ticket = appender.append(&record(0)).unwrap();
    store.reached(ticket, Level::Durable).wait().unwrap();
    drop(appender);
    store.close().unwrap();
}

#[test]
fn producers_come_and_go_beyond_any_limit_of_those_at_one_time() {
    let dir = scratch();
    let store = create(dir.path());
    let mut tickets = Vec::new();
    // One after another under one name: each waits until its predecessor's count is closed.
    for _ in 0..40 {
        let mut appender = loop {
            match store.appender(producer("shop"), NOW_MS) {
                Err(Error::ProducerOpen { .. }) => thread::yield_now(),
                opened => break opened.unwrap(),
            }
        };
        tickets.push(appender.append(&record(0)).unwrap());
    }
    for ticket in &tickets {
        store.reached(*ticket, Level::Certified).wait().unwrap();
    }
    store.close().unwrap();
    let report = audit::verify(dir.path(), None, &[]).unwrap();
    assert_eq!((report.counts.observations, report.lost), (40, Lost::default()));
}

#[test]
fn old_segments_go_but_never_before_their_follower() {
    let dir = scratch();
    let options = StoreOptions { keep_segments: Some(2), prepare: true, ..options() };
    let store = ObservationStore::create(dir.path(), &key(), NOW_MS, options).unwrap();
    store.intern(Table::EventType, "order.created", NOW_MS).unwrap();
    let mut appender = store.appender(AppenderOptions { slots: 4096, ..producer("shop") }, NOW_MS).unwrap();
    let mut follower = read::entries(dir.path()).unwrap();
    store.hold_from(0);
    let (mut sent, mut seen) = (0, 0);
    while follower.segment() < 4 || seen < sent {
        if follower.segment() < 4 {
            for _ in 0..4096 {
                appender.append(&record(sent)).unwrap();
                sent += 1;
            }
        }
        for located in follower.by_ref() {
            if let Entry::Block { block, .. } = located.unwrap().entry {
                seen += u64::from(block.header().count);
            }
        }
        store.hold_from(follower.segment());
    }
    assert_eq!(seen, sent);
    appender.close();
    store.close().unwrap();
    assert!(segments(dir.path()).len() < 5);
    let report = audit::verify(dir.path(), Some(key().verifying_key()), &[]).unwrap();
    assert_eq!((report.counts.observations, report.lost), (sent, Lost::default()));
    assert!(report.begins_at > 0);
}
