#![no_main]

#[path = "../../crates/evidence/tests/decoding/mod.rs"]
mod decoding;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decoding::block(bytes));
