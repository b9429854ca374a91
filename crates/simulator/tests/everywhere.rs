//! One fixed story, stopped at every operation of the disk, in every way.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

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
use knhk_storage::{Directory, Error, Log, Options, audit, spare};

const NOW_MS: i64 = 1_700_000_000_000;

fn key() -> SigningKey {
    SigningKey::generate([1; 32], b"everywhere")
}

/// The checkpoints that were acknowledged before something failed.
fn story(directory: &Directory, shown: &mut Vec<String>) -> Result<(), Error> {
    let mut log = Log::create(directory, &key(), NOW_MS)?;
    shown.push(log.checkpoint_note().to_owned());
    let sector = u16::try_from(log.intern(Table::Sector, "finance", NOW_MS)?).unwrap();
    log.intern(Table::EventType, "order.created", NOW_MS)?;
    log.intern(Table::Source, "shop", NOW_MS)?;
    for round in 0..5 {
        if round == 1 {
            spare::prepare(directory, 8_192)?;
        }
        let mut record = Record { event_time_ms: NOW_MS, ingest_time_ms: NOW_MS, ..Record::default() };
        let payload = "x".repeat(700);
        record.set_payload(payload.as_bytes()).unwrap();
        log.append_block(sector, vec![record], &[payload])?;
        log.append_input(Input::new(InputKind::CycleDue, None, NOW_MS, &round).unwrap())?;
        log.commit()?;
        shown.push(log.checkpoint_note().to_owned());
        if round < 3 {
            log.roll();
        }
    }
    log.erase(&BTreeSet::from([2, 4]))?;
    log.retain_from(1, Some(Path::new("/archive")), "rule", NOW_MS)?;
    shown.push(log.checkpoint_note().to_owned());
    log.close()?;
    Ok(())
}

fn on(disk: &Disk) -> Directory {
    Directory::on(Arc::new(disk.clone()), Path::new("/data"))
}

/// Stops the story at every operation, in every way, and opens what is left.
fn everywhere(lie: Lie, stops: &[Stop]) -> Result<u64, String> {
    let whole = Disk::new(0, Lie::None);
    story(&on(&whole), &mut Vec::new()).unwrap();
    let operations = whole.operations();
    for at in 1..=operations {
        for (turn, stop) in (0_u64..).zip(stops) {
            let disk = Disk::new(at * 100 + turn, lie);
            disk.plan(|plan| plan.stop_at = Some((at, Some(*stop))));
            let mut shown = Vec::new();
            if story(&on(&disk), &mut shown).is_ok() {
                continue;
            }
            disk.restart(*stop);
            let verify = if turn % 2 == 0 { Extent::Whole } else { Extent::SinceLastSeal };
            recovers(&on(&disk), &shown, verify).map_err(|why| format!("operation {at}, {stop:?}: {why}"))?;
        }
    }
    Ok(operations)
}

fn recovers(directory: &Directory, shown: &[String], verify: Extent) -> Result<(), String> {
    let told = |error: Error| error.to_string();
    let opened = Log::open_with(directory, &key(), Options { verify, ..Options::default() });
    if shown.is_empty() && matches!(opened, Err(Error::NotALog { .. })) {
        return Log::create(directory, &key(), NOW_MS).map(drop).map_err(told);
    }
    let (mut log, _) = opened.map_err(told)?;
    let begins_at = audit::verify(directory, None, &[]).map_err(told)?.begins_at;
    let kept: Vec<_> = shown.iter().map(String::as_str).filter(|note| size(note) >= begins_at).collect();
    audit::verify(directory, Some(key().verifying_key()), &kept).map_err(told)?;
    // It goes on.
    log.append_input(Input::new(InputKind::CycleDue, None, NOW_MS, &"on").unwrap()).map_err(told)?;
    log.commit().map_err(told)?;
    drop(log);
    audit::verify(directory, None, &kept).map(drop).map_err(told)
}

#[test]
fn stopping_anywhere_loses_nothing_that_was_acknowledged() {
    let mut stops: Vec<_> = Survival::ALL.map(Stop::PowerCut).into();
    // Chance has more than one try.
    stops.extend([Stop::PowerCut(Survival::Subset), Stop::PowerCut(Survival::Prefix), Stop::Kill]);
    let operations = everywhere(Lie::None, &stops).unwrap();
    assert!(operations > 60, "{operations}");
}

#[test]
fn a_disk_that_breaks_its_word_is_found_out() {
    for lie in [Lie::SyncData, Lie::SyncDir, Lie::Rename] {
        let subsets = [Stop::PowerCut(Survival::Subset); 16];
        assert!(everywhere(lie, &subsets).is_err(), "nothing noticed {lie:?}");
    }
}

fn size(note: &str) -> u64 {
    note.lines().nth(1).unwrap().parse().unwrap()
}
