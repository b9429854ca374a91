//! Input that nobody should send: a coded answer each time, bounded memory, never a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)] // A test may fail.

mod common;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use common::{run, text};

/// Observes one file; gives exit code and the codes in the dead-letter file.
fn dead_letters(bytes: &[u8]) -> (i32, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("events.ndjson"), bytes).unwrap();
    let (code, _, err) =
        run(dir.path(), &["observe", "--sector", "logistics", "--data", "data", "events.ndjson"]);
    assert!(!err.contains("panicked"), "{err}");
    let letters = fs::read(dir.path().join("data/dead-letter.ndjson")).unwrap_or_default();
    let codes = text(&letters)
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["code"].as_str().unwrap().to_owned()
        })
        .collect();
    (code, codes)
}

#[test]
fn each_kind_of_bad_line_has_its_code_and_the_rest_is_kept() {
    let deep = [vec![b'['; 10_000], vec![b']'; 10_000]].concat();
    for (line, code) in [
        (&b"{\"id\":\"\xff\"}"[..], "KNHK-E1511"),
        (b"{\"a\":NaN}", "KNHK-E1510"),
        (b"{\"a\":1,\"a\":2}", "KNHK-E1514"),
        (b"{\"type\":\"t\",\"data\":{\"x\":1,\"x\":2}}", "KNHK-E1514"),
        (&[b"{\"type\":\"t\",\"data\":", &deep[..], b"}"].concat(), "KNHK-E1513"),
        (b"[1,2", "KNHK-E1510"),
        (b"{\"type\":\"t\",\"time\":\"yesterday\"}", "KNHK-E1516"),
        (b"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\"}", "KNHK-E1515"),
    ] {
        let good = b"\n{\"type\":\"t\",\"id\":\"g\",\"data\":{}}\n";
        let (exit, codes) = dead_letters(&[b"{\"type\":\"t\",\"id\":\"f\"}\n", line, good].concat());
        assert_eq!(exit, 2, "{}", text(line));
        assert!(codes.contains(&code.to_owned()), "{}: {codes:?}", text(&line[..line.len().min(60)]));
    }
}

#[test]
fn a_line_of_100_mb_is_set_aside_in_bounded_memory() {
    let dir = tempfile::tempdir().unwrap();
    let mut file = File::create(dir.path().join("events.ndjson")).unwrap();
    let chunk = vec![b'a'; 1 << 20];
    for _ in 0..100 {
        file.write_all(&chunk).unwrap();
    }
    file.write_all(b"\n{\"type\":\"t\",\"id\":\"g\"}\n").unwrap();
    drop(file);
    let command = format!(
        "ulimit -v 400000; exec {} observe --sector logistics --data data events.ndjson",
        env!("CARGO_BIN_EXE_knhk")
    );
    let output =
        std::process::Command::new("sh").args(["-c", &command]).current_dir(dir.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    let set_aside = |path: &Path| fs::metadata(path).unwrap().len() == 100 << 20;
    let kept = fs::read_dir(dir.path().join("data")).unwrap().any(|e| set_aside(&e.unwrap().path()));
    assert!(kept, "the bytes themselves are kept");
}

#[test]
fn input_that_is_no_text_at_all_is_refused() {
    let noise: Vec<u8> =
        (0..20_000_u32).map(|i| u8::try_from(i.wrapping_mul(2_654_435_761) >> 24).unwrap()).collect();
    let (code, codes) = dead_letters(&noise);
    assert!(code == 2 && !codes.is_empty(), "{code} {codes:?}");
    // A gzip header with nothing behind it.
    let (code, _) = dead_letters(b"\x1f\x8b\x08broken");
    assert_eq!(code, 5);
}
