//! Seeded crashes: whatever happens, what was acknowledged is there.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and tells what it did"
)]

use std::panic::catch_unwind;

use knhk_simulator::disk::Lie;
use knhk_simulator::life::{Settings, Tally, live};

fn settings(seed: u64, lie: Lie) -> Settings {
    Settings { seed, days: 4, actions: 60, lie }
}

/// Lives until there were this many crashes, or the one life that `KNHK_SEED` names.
fn crashes(first_seed: u64, wanted: u64) -> Tally {
    if let Ok(seed) = std::env::var("KNHK_SEED") {
        return live(settings(seed.parse().expect("KNHK_SEED is a number"), Lie::None));
    }
    let mut tally = Tally::default();
    for seed in first_seed.. {
        tally += live(settings(seed, Lie::None));
        if tally.power_cuts + tally.kills >= wanted {
            break;
        }
    }
    // A run in which nothing went wrong shows nothing.
    assert!(tally.torn > wanted / 50 && tally.unacknowledged > wanted / 50, "{tally:?}");
    assert!(tally.full > wanted / 50 && tally.poisoned > wanted / 50 && tally.lost > 0, "{tally:?}");
    println!("{tally:?}");
    tally
}

#[test]
fn a_thousand_crashes_lose_nothing_that_was_acknowledged() {
    crashes(0, 1_000);
}

#[test]
#[ignore = "minutes; scripts/test --long runs it"]
fn ten_thousand_crashes_lose_nothing_that_was_acknowledged() {
    crashes(1_000, 10_000);
}

#[test]
fn a_disk_that_breaks_its_word_is_found_out() {
    if std::env::var("KNHK_SEED").is_ok() {
        return;
    }
    let silent = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let found = |lie| (0..40).find(|seed| catch_unwind(|| live(settings(*seed, lie))).is_err());
    let found: Vec<_> = [Lie::SyncData, Lie::SyncDir, Lie::Write].map(|lie| (lie, found(lie))).into();
    std::panic::set_hook(silent);
    for (lie, seed) in found {
        assert!(seed.is_some(), "nothing noticed {lie:?} in 40 lives");
    }
}
