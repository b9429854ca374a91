//! Any sequence of appends, commits, reopenings and crashes leaves exactly what was committed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;

use common::*;
use knhk_evidence::entry::{Entry, EntryKind};
use knhk_evidence::input::{Input, InputKind};
use knhk_storage::{Log, Options, audit, read};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Block(usize),
    Receipt(u8),
    Input,
    Commit,
    /// Closed without commit and opened again.
    Reopen,
    /// Stopped in the middle of a group's write, after this part of it in 256ths, and opened again.
    Crash(u8),
    Rotate,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1_usize..20).prop_map(Step::Block),
        (0_u8..3).prop_map(Step::Receipt),
        Just(Step::Input),
        Just(Step::Commit),
        Just(Step::Reopen),
        any::<u8>().prop_map(Step::Crash),
        Just(Step::Rotate),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_was_committed_is_there_and_nothing_else(
        steps in proptest::collection::vec(step(), 1..24), roll_len in prop_oneof![Just(1_u64), Just(4000), Just(1 << 20)],
    ) {
        let dir = scratch();
        let options = Options { roll_len, ..Options::default() };
        let mut signer = key();
        let mut committed_signer = key();
        let mut seed = 100;
        let mut log = Log::create_with(dir.path(), &signer, NOW_MS, options).unwrap();
        intern(&mut log);
        log.commit().unwrap();
        let mut committed = vec![EntryKind::KeyChange, EntryKind::Input, EntryKind::Input, EntryKind::Input];
        let mut open = Vec::new();
        for (i, step) in steps.into_iter().enumerate() {
            match step {
                Step::Block(n) => {
                    let (records, payloads) = events(n, &format!("{i}"));
                    log.append_block(0, records, &payloads).unwrap();
                    open.push(EntryKind::Block);
                }
                Step::Receipt(sector) => {
                    append_receipt(&mut log, &format!("s{sector}"));
                    open.push(EntryKind::Receipt);
                }
                Step::Input => {
                    log.append_input(Input::new(InputKind::CycleDue, None, NOW_MS, &i).unwrap()).unwrap();
                    open.push(EntryKind::Input);
                }
                Step::Rotate => {
                    seed += 1;
                    signer = signer.successor([seed; 32]).unwrap();
                    log.rotate_key(signer.clone(), NOW_MS).unwrap();
                    open.push(EntryKind::KeyChange);
                }
                Step::Commit => {
                    log.commit().unwrap();
                    committed.append(&mut open);
                    committed_signer = signer.clone();
                }
                Step::Reopen => {
                    drop(log);
                    open.clear();
                    signer = committed_signer.clone();
                    log = Log::open_with(dir.path(), &signer, options).unwrap().0;
                }
                Step::Crash(part) => {
                    // The state just before the group: its files, and the checkpoint that was there.
                    let note = fs::read(dir.path().join("checkpoint")).unwrap();
                    let public = fs::read(dir.path().join("key.pub")).unwrap();
                    let before = segments(dir.path());
                    let len_before = fs::metadata(before.last().unwrap()).unwrap().len();
                    append_receipt(&mut log, "crash");
                    log.commit().unwrap();
                    drop(log);
                    let last = segments(dir.path()).last().unwrap().clone();
                    let start = if before.contains(&last) { len_before } else { 0 };
                    let end = fs::metadata(&last).unwrap().len();
                    let cut = start + (end - start) * u64::from(part) / 256;
                    fs::OpenOptions::new().write(true).open(&last).unwrap().set_len(cut).unwrap();
                    fs::write(dir.path().join("checkpoint"), note).unwrap();
                    fs::write(dir.path().join("key.pub"), public).unwrap();
                    open.clear();
                    signer = committed_signer.clone();
                    let (reopened, recovery) = Log::open_with(dir.path(), &signer, options).unwrap();
                    prop_assert!(recovery.truncated_bytes <= cut - start);
                    log = reopened;
                }
            }
            let kinds: Vec<_> = read::entries(dir.path())
                .unwrap()
                .map(|located| located.unwrap().entry)
                .filter(|entry| !is_seal(entry))
                .map(|entry| entry.kind())
                .collect();
            prop_assert_eq!(&kinds, &committed);
        }
        drop(log);
        let report = audit::verify(dir.path(), Some(key().verifying_key()), &[]).unwrap();
        let seals = segments(dir.path()).len() as u64 - 1;
        let entries = committed.len() as u64 + seals;
        prop_assert_eq!((report.tree_size, report.covered), (entries, entries));
        for located in read::entries(dir.path()).unwrap() {
            if let Entry::Block { block, payloads: Some(payloads) } = located.unwrap().entry {
                for (i, record) in block.records().iter().enumerate() {
                    prop_assert_eq!(payloads.get(i).map(<[u8]>::len), Some(record.payload_len as usize));
                }
            }
        }
    }
}
