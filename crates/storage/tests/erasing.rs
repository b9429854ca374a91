//! An erased payload is gone from the disk, and the log still verifies.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeSet;
use std::fs;

use common::*;
use knhk_evidence::entry::Entry;
use knhk_evidence::proof::Proven;
use knhk_storage::{Log, Options, audit, prove, read};

#[test]
fn erased_payloads_are_gone_counted_and_everything_still_verifies() {
    for roll_len in [1, 1 << 20] {
        let dir = scratch();
        let mut log =
            Log::create_with(dir.path(), &key(), NOW_MS, Options { roll_len, ..Options::default() }).unwrap();
        intern(&mut log);
        for i in 0..3 {
            group(&mut log, 3, &format!("g{i}"));
        }
        let kept = log.checkpoint_note().to_owned();
        let (_, sent) = events(3, "g1");
        let on_disk = || {
            segments(dir.path()).iter().any(|path| {
                fs::read(path).unwrap().windows(sent[1].len()).any(|window| window == sent[1].as_bytes())
            })
        };
        assert!(on_disk());
        let sequences = BTreeSet::from([4, 8, 99]);
        assert_eq!(log.erase(&sequences).unwrap(), 2);
        assert_eq!(log.erase(&sequences).unwrap(), 0);
        assert!(!on_disk());
        // The log goes on behind the rewritten segment.
        group(&mut log, 1, "after");
        drop(log);

        let report = audit::verify(dir.path(), Some(key().verifying_key()), &[&kept]).unwrap();
        assert_eq!((report.counts.payloads_erased, report.counts.observations), (2, 10));
        let (proof, record) = prove::prove_observation(dir.path(), 4).unwrap();
        let (proven, _) = proof.verify(key().verifying_key()).unwrap();
        assert_eq!(proven, Proven::Observation(Box::new(record)));
        let present: Vec<bool> = read::entries(dir.path())
            .unwrap()
            .filter_map(|located| match located.unwrap().entry {
                Entry::Block { payloads: Some(payloads), block } => {
                    Some((0..block.records().len()).map(|i| payloads.get(i).is_some()).collect::<Vec<_>>())
                }
                _ => None,
            })
            .flatten()
            .collect();
        assert_eq!(present, [true, true, true, true, false, true, true, true, false, true]);
        Log::open(dir.path(), &key()).unwrap();
    }
}
