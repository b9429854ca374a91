//! What the simulator found, each as the shortest story that shows it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use knhk_evidence::SigningKey;
use knhk_evidence::input::{Input, InputKind};
use knhk_evidence::intern::Table;
use knhk_evidence::record::Record;
use knhk_simulator::disk::{Disk, Lie, Stop};
use knhk_simulator::survival::Survival;
use knhk_storage::log::Extent;
use knhk_storage::{Directory, Error, Log, Options, audit, read, spare};

const NOW_MS: i64 = 1_700_000_000_000;

fn key() -> SigningKey {
    SigningKey::generate([1; 32], b"found")
}

fn disk(seed: u64) -> (Disk, Directory) {
    let disk = Disk::new(seed, Lie::None);
    let directory = Directory::on(Arc::new(disk.clone()), Path::new("/data"));
    (disk, directory)
}

fn created() -> (Disk, Directory, Log) {
    let (disk, directory) = disk(1);
    let log = Log::create(&directory, &key(), NOW_MS).unwrap();
    (disk, directory, log)
}

fn input(log: &mut Log, bytes: usize) {
    log.append_input(Input::new(InputKind::CycleDue, None, NOW_MS, &"x".repeat(bytes)).unwrap()).unwrap();
}

/// A block of one observation with this payload.
fn observation(log: &mut Log, payload: &str) {
    let sector = log.intern(Table::Sector, "finance", NOW_MS).unwrap();
    log.intern(Table::EventType, "order.created", NOW_MS).unwrap();
    log.intern(Table::Source, "shop", NOW_MS).unwrap();
    let mut record = Record { event_time_ms: NOW_MS, ingest_time_ms: NOW_MS, ..Record::default() };
    record.set_payload(payload.as_bytes()).unwrap();
    log.append_block(u16::try_from(sector).unwrap(), vec![record], &[payload]).unwrap();
}

fn stop_after(disk: &Disk, operations: u64, stop: Stop) {
    let at = disk.operations() + 1 + operations;
    disk.plan(|plan| plan.stop_at = Some((at, Some(stop))));
}

#[test]
fn a_full_disk_does_not_stop_a_log_that_erases() {
    let (disk, directory, mut log) = created();
    observation(&mut log, &"secret".repeat(100));
    log.commit().unwrap();
    let used = disk.used();
    disk.plan(|plan| plan.capacity = Some(used + 10));
    let all = BTreeSet::from([0]);
    assert!(matches!(log.erase(&all), Err(Error::NoSpace { .. })));
    assert!(disk.used() <= used, "a half-made file holds the space that is missing");
    disk.plan(|plan| plan.capacity = None);
    input(&mut log, 10);
    log.commit().unwrap();
    assert_eq!(log.erase(&all).unwrap(), 1);
    drop(log);
    assert_eq!(audit::verify(&directory, None, &[]).unwrap().counts.payloads_erased, 1);
}

#[test]
fn a_log_that_dropped_segments_opens_after_a_power_cut() {
    let (disk, directory, mut log) = created();
    spare::prepare(&directory, 1).unwrap();
    disk.settle();
    for _ in 0..3 {
        log.roll();
        input(&mut log, 10);
        log.commit().unwrap();
    }
    assert_eq!(log.retain_from(2, None, "rule", NOW_MS).unwrap(), 0..2);
    drop(log);
    // The checkpoint file is the one before the segments went, unless it was made durable.
    disk.restart(Stop::PowerCut(Survival::Nothing));
    Log::open(&directory, &key()).unwrap();
}

#[test]
fn a_log_on_a_full_disk_drops_nothing_before_its_checkpoint_is_durable() {
    let (disk, directory, mut log) = created();
    spare::prepare(&directory, 1).unwrap();
    disk.settle();
    for _ in 0..3 {
        log.roll();
        input(&mut log, 10);
        log.commit().unwrap();
    }
    for free in 0..2000 {
        let used = disk.used();
        disk.plan(|plan| plan.capacity = Some(used + free));
        let dropped = log.retain_from(2, None, "rule", NOW_MS);
        disk.plan(|plan| plan.capacity = None);
        log.commit().unwrap();
        if dropped.is_ok() {
            break;
        }
    }
    drop(log);
    disk.restart(Stop::PowerCut(Survival::Nothing));
    Log::open(&directory, &key()).unwrap();
}

#[test]
fn a_prepared_file_whose_new_name_was_lost_is_no_segment_with_bytes_of_its_earlier_life() {
    for operations in 0..6 {
        let (disk, directory, mut log) = created();
        spare::prepare(&directory, 10_000).unwrap();
        log.roll();
        input(&mut log, 3_000);
        stop_after(&disk, operations, Stop::PowerCut(Survival::Contents));
        let _ = log.commit();
        drop(log);
        disk.restart(Stop::PowerCut(Survival::Contents));
        let mut log = Log::open(&directory, &key()).unwrap().0;
        log.roll();
        input(&mut log, 10);
        log.commit().unwrap();
        assert_eq!(audit::verify(&directory, None, &[]).unwrap().torn, 0, "{operations} operations");
    }
}

#[test]
fn what_opening_found_is_durable_before_it_is_signed() {
    for killed in [true, false] {
        for operation in 0..6 {
            let (disk, directory, mut log) = created();
            input(&mut log, 5_000);
            if killed {
                stop_after(&disk, operation, Stop::Kill);
            } else {
                let at = disk.operations() + 1 + operation;
                disk.plan(|plan| plan.fail_at.extend([at]));
            }
            let _ = log.commit();
            drop(log);
            disk.restart(Stop::Kill);
            // The group is in the page cache, whole, and perhaps nowhere else.
            let note = Log::open(&directory, &key()).unwrap().0.checkpoint_note().to_owned();
            disk.restart(Stop::PowerCut(Survival::Nothing));
            Log::open(&directory, &key()).unwrap();
            let kept = audit::verify(&directory, None, &[&note]);
            assert!(kept.is_ok(), "killed {killed}, operation {operation}: {kept:?}");
        }
    }
}

#[test]
fn a_torn_segment_is_no_place_to_begin_verifying() {
    let options = Options { verify: Extent::SinceLastSeal, ..Options::default() };
    for (seed, operations) in (0..20).flat_map(|seed| (0..6).map(move |operations| (seed, operations))) {
        let (disk, directory) = disk(seed);
        let mut log = Log::create_with(&directory, &key(), NOW_MS, options).unwrap();
        disk.settle();
        log.roll();
        input(&mut log, 3_000);
        stop_after(&disk, operations, Stop::PowerCut(Survival::Prefix));
        let note = log.checkpoint_note().to_owned();
        let _ = log.commit();
        drop(log);
        disk.restart(Stop::PowerCut(Survival::Prefix));
        let audit = audit::Audit { kept: &[&note], since_kept: true, ..audit::Audit::default() };
        audit::verify_with(&directory, &audit, &mut |_| {}).unwrap();
        Log::open_with(&directory, &key(), options).unwrap();
    }
}

#[test]
fn a_reader_follows_a_log_whose_segment_was_rewritten() {
    let (_, directory, mut log) = created();
    observation(&mut log, "secret");
    log.commit().unwrap();
    let mut reader = read::entries(&directory).unwrap();
    assert_eq!(reader.by_ref().map(Result::unwrap).count(), 5);
    assert_eq!(log.erase(&BTreeSet::from([0])).unwrap(), 1);
    input(&mut log, 10);
    log.commit().unwrap();
    assert_eq!(reader.by_ref().map(Result::unwrap).count(), 1);
}

#[test]
fn a_log_that_was_created_at_the_second_try_is_there_after_a_power_cut() {
    for operation in 1..20 {
        let (disk, directory) = disk(operation);
        disk.plan(|plan| plan.fail_at.extend([operation]));
        let created = Log::create(&directory, &key(), NOW_MS).map(drop);
        if created.is_err() && Log::open(&directory, &key()).is_err() {
            Log::create(&directory, &key(), NOW_MS).unwrap();
        }
        disk.restart(Stop::PowerCut(Survival::Nothing));
        assert!(Log::open(&directory, &key()).is_ok(), "operation {operation} failed");
    }
}

#[test]
fn a_key_is_published_only_when_an_entry_that_names_it_is_durable() {
    let (_, directory, mut log) = created();
    log.rotate_key(key().successor([2; 32]).unwrap(), NOW_MS).unwrap();
    log.publish().unwrap();
    audit::verify(&directory, None, &[]).unwrap();
    log.commit().unwrap();
    audit::verify(&directory, None, &[]).unwrap();
    assert_eq!(&audit::published_key(&directory).unwrap(), log.key().verifying_key());
}

#[test]
fn a_segment_that_did_not_fit_does_not_come_back() {
    for seed in 0..20 {
        let (disk, directory) = disk(seed);
        let mut log = Log::create(&directory, &key(), NOW_MS).unwrap();
        log.roll();
        input(&mut log, 2_000);
        let used = disk.used();
        disk.plan(|plan| plan.capacity = Some(used + 1_000));
        assert!(matches!(log.commit(), Err(Error::NoSpace { .. })));
        drop(log);
        disk.plan(|plan| plan.capacity = None);
        // The next group goes behind the last one after all, and is torn.
        let mut log = Log::open(&directory, &key()).unwrap().0;
        input(&mut log, 2_000);
        stop_after(&disk, 0, Stop::PowerCut(Survival::Contents));
        assert!(log.commit().is_err());
        drop(log);
        disk.restart(Stop::PowerCut(Survival::Contents));
        Log::open(&directory, &key()).unwrap();
    }
}

#[test]
fn what_a_full_disk_cut_off_does_not_come_back_behind_a_segment() {
    for seed in 0..20 {
        let (disk, directory) = disk(seed);
        let mut log = Log::create(&directory, &key(), NOW_MS).unwrap();
        input(&mut log, 2_000);
        let used = disk.used();
        disk.plan(|plan| plan.capacity = Some(used + 1_000));
        assert!(matches!(log.commit(), Err(Error::NoSpace { .. })));
        drop(log);
        disk.plan(|plan| plan.capacity = None);
        let mut log = Log::open(&directory, &key()).unwrap().0;
        log.roll();
        input(&mut log, 10);
        log.commit().unwrap();
        drop(log);
        disk.restart(Stop::PowerCut(Survival::Prefix));
        Log::open(&directory, &key()).unwrap();
    }
}

#[test]
fn what_was_erased_at_the_second_try_stays_erased() {
    for operation in 1..8 {
        let (disk, directory, mut log) = created();
        observation(&mut log, "secret");
        log.commit().unwrap();
        let at = disk.operations() + operation;
        disk.plan(|plan| plan.fail_at.extend([at]));
        let all = BTreeSet::from([0]);
        if log.erase(&all).is_err() {
            drop(log);
            Log::open(&directory, &key()).unwrap().0.erase(&all).unwrap();
        }
        disk.restart(Stop::PowerCut(Survival::Nothing));
        Log::open(&directory, &key()).unwrap();
        let erased = audit::verify(&directory, None, &[]).unwrap().counts.payloads_erased;
        assert_eq!(erased, 1, "operation {operation} failed");
    }
}

#[test]
fn a_segment_that_was_rewritten_and_not_synced_is_not_written_on() {
    for operation in 0..6 {
        let (disk, directory, mut log) = created();
        observation(&mut log, "secret");
        log.commit().unwrap();
        stop_after(&disk, operation, Stop::Kill);
        let _ = log.erase(&BTreeSet::from([0]));
        drop(log);
        disk.restart(Stop::Kill);
        let mut log = Log::open(&directory, &key()).unwrap().0;
        input(&mut log, 10);
        log.commit().unwrap();
        let note = log.checkpoint_note().to_owned();
        drop(log);
        disk.restart(Stop::PowerCut(Survival::Nothing));
        Log::open(&directory, &key()).unwrap();
        let kept = audit::verify(&directory, None, &[&note]);
        assert!(kept.is_ok(), "operation {operation}: {kept:?}");
    }
}
