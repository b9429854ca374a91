//! A damaged log can be cut before the damage; what is given up is said exactly and kept aside.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fs;

use common::*;
use knhk_evidence::entry::Entry;
use knhk_evidence::input::InputKind;
use knhk_evidence::sealed::Salvaged;
use knhk_evidence::verify::{Depth, Trust, Verifier};
use knhk_storage::salvage::salvage;
use knhk_storage::{Log, audit, read};

/// A log of four segments and its entries.
fn rolled() -> (tempfile::TempDir, Vec<read::Located>) {
    let dir = scratch();
    let mut log = Log::create(dir.path(), &key(), NOW_MS).unwrap();
    intern(&mut log);
    for i in 0..6 {
        group(&mut log, 3, &format!("g{i}"));
        if i % 2 == 1 {
            log.roll();
        }
    }
    group(&mut log, 3, "last");
    drop(log);
    let entries = read::entries(dir.path()).unwrap().map(Result::unwrap).collect();
    (dir, entries)
}

#[test]
fn nothing_is_salvaged_from_a_whole_log_or_a_torn_tail() {
    let (dir, _) = rolled();
    assert_eq!(salvage(dir.path(), &key(), NOW_MS).unwrap(), None);
    let last = segments(dir.path()).pop().unwrap();
    let whole = fs::read(&last).unwrap();
    fs::write(&last, [&whole[..], b"torn"].concat()).unwrap();
    assert_eq!(salvage(dir.path(), &key(), NOW_MS).unwrap(), None);
}

#[test]
fn what_is_before_the_damage_stays_and_what_is_given_up_is_said() {
    let (dir, entries) = rolled();
    let paths = segments(dir.path());
    let originals: Vec<_> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    let note = fs::read_to_string(dir.path().join("checkpoint")).unwrap();
    for segment in 0..paths.len() {
        for at in (0..originals[segment].len()).step_by(197) {
            let damaged = copy(dir.path());
            let path = &segments(damaged.path())[segment];
            let mut bytes = originals[segment].clone();
            bytes[at] ^= 0x20;
            fs::write(path, &bytes).unwrap();
            let Ok(given_up) = salvage(damaged.path(), &key(), NOW_MS + 5) else {
                // The group without which there is no log.
                assert!(segment == 0 && at < 700, "segment {segment} byte {at}");
                continue;
            };
            let given_up = given_up.unwrap();
            let from = usize::try_from(given_up.from).unwrap();
            assert_eq!(given_up.had, entries.len() as u64);
            assert!(given_up.damage.contains(&format!("{segment:08}.seg")), "{}", given_up.damage);
            let mut after = read::entries(damaged.path()).unwrap().map(Result::unwrap);
            let kept: Vec<_> = after.by_ref().take(from).collect();
            assert_eq!(kept, entries[..from]);
            // Nothing that could have been kept was given up: the damage lies in the group that comes next.
            let next = &entries[from];
            assert!(
                next.segment as usize == segment && next.offset <= at as u64 + 300,
                "byte {at}: {next:?}"
            );
            let Entry::Input(said) = after.next().unwrap().entry else { panic!() };
            assert_eq!(said.kind, InputKind::LogSalvaged);
            let said: Salvaged = said.decode().unwrap();
            assert_eq!(
                (said.from, said.had, said.checkpoint.as_ref()),
                (given_up.from, given_up.had, Some(&note))
            );
            // It goes on, verifies, and no longer agrees with what was signed before.
            let (mut log, _) = Log::open(damaged.path(), &key()).unwrap();
            intern(&mut log);
            group(&mut log, 1, "after");
            drop(log);
            audit::verify(damaged.path(), Some(key().verifying_key()), &[]).unwrap();
            assert!(audit::verify(damaged.path(), None, &[&note]).is_err());
            // What was set aside is the damaged log's end, byte for byte.
            let aside = |number: usize| fs::read(given_up.aside.join(format!("{number:08}.seg"))).unwrap();
            assert_eq!(aside(segment), bytes);
            for (later, original) in originals.iter().enumerate().skip(segment + 1) {
                assert_eq!(aside(later), *original);
                let mut verifier =
                    Verifier::since(u32::try_from(later).unwrap(), Trust::SelfAttested, Depth::Everything);
                verifier.segment(&format!("{later:08}.seg"), &aside(later)).unwrap();
            }
            if segment + 1 < paths.len() {
                assert_eq!(given_up.all.unwrap().observations, 21);
            }
        }
    }
}

#[test]
fn a_log_whose_end_is_gone_goes_on_from_what_is_left() {
    let (dir, _) = rolled();
    let last = segments(dir.path()).pop().unwrap();
    fs::remove_file(&last).unwrap();
    assert!(Log::open(dir.path(), &key()).is_err());
    let given_up = salvage(dir.path(), &key(), NOW_MS).unwrap().unwrap();
    assert_eq!(given_up.kept.observations, 18);
    audit::verify(dir.path(), None, &[]).unwrap();
}
