//! Every decoder against the golden vectors, changed in every way that comes to hand: the checks of the fuzz targets, on
//! the stable compiler.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod decoding;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use decoding::CHECKS;
use proptest::prelude::*;

static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(seeds);

/// The golden vectors as seeds: bytes where they are hexadecimal, text elsewhere.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    let mut paths: Vec<_> = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in paths {
        let values: BTreeMap<String, String> =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let block = values.get("header").zip(values.get("records")).map(|(a, b)| format!("{a}{b}"));
        for text in values.into_values().chain(block) {
            seeds.push(hex::decode(&text).unwrap_or(text.into_bytes()));
        }
    }
    seeds
}

#[test]
fn no_golden_vector_panics_a_decoder_or_is_written_back_otherwise() {
    for seed in SEEDS.iter() {
        for (_, check) in CHECKS {
            check(seed);
        }
    }
}

#[derive(Debug, Clone)]
enum Change {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Drop(prop::sample::Index, usize),
    Insert(prop::sample::Index, Vec<u8>),
    Repeat(prop::sample::Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        4 => (at(), 1_u8..).prop_map(|(at, mask)| Change::Flip(at, mask)),
        1 => at().prop_map(Change::Cut),
        1 => (at(), 1_usize..40).prop_map(|(at, len)| Change::Drop(at, len)),
        1 => (at(), proptest::collection::vec(any::<u8>(), 1..40)).prop_map(|(at, new)| Change::Insert(at, new)),
        1 => (at(), 1_usize..80).prop_map(|(at, len)| Change::Repeat(at, len)),
    ]
}

fn apply(change: &Change, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    match change {
        Change::Flip(at, mask) => {
            let at = at.index(bytes.len());
            bytes[at] ^= mask;
        }
        Change::Cut(at) => bytes.truncate(at.index(bytes.len())),
        Change::Drop(at, len) => {
            let at = at.index(bytes.len());
            bytes.drain(at..(at + len).min(bytes.len()));
        }
        Change::Insert(at, new) => {
            let at = at.index(bytes.len());
            bytes.splice(at..at, new.iter().copied());
        }
        Change::Repeat(at, len) => {
            let at = at.index(bytes.len());
            let piece = bytes[at..(at + len).min(bytes.len())].to_vec();
            bytes.splice(at..at, piece);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn a_changed_vector_panics_no_decoder_and_what_one_takes_it_writes_back(
        seed in any::<prop::sample::Index>(), changes in proptest::collection::vec(change(), 1..4),
    ) {
        let mut bytes = SEEDS[seed.index(SEEDS.len())].clone();
        for change in &changes {
            apply(change, &mut bytes);
        }
        for (_, check) in CHECKS {
            check(&bytes);
        }
    }
}

/// A fuzz target for each check, and for nothing else.
#[test]
fn every_check_has_a_fuzz_target() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/fuzz_targets");
    let mut targets: Vec<_> = std::fs::read_dir(fuzz)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap().trim_end_matches(".rs").to_owned())
        .collect();
    targets.sort();
    assert_eq!(targets, CHECKS.map(|(name, _)| name));
}
