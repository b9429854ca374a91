//! RocksDB by its own `db_bench`, which `bench/run` installs where it may: its rate is the one it prints.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::durable::Figures;
use crate::{Result, processes};
use knhk_evidence::record::RECORD_LEN;

/// Whether `db_bench` can be run here.
pub(crate) fn is_there() -> bool {
    Command::new("db_bench").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// A sync a batch, and whole batches only. `fillseq`, because `fillbatch` is always in batches of 1,000, whatever
/// `--batch_size` says. Processor time is that of the whole program, opening included.
pub(crate) fn fillseq(dir: &Path, records: u64, batch: u64) -> Result<Figures> {
    let records = records - records % batch;
    let before = processes::of_children()?;
    let output = Command::new("db_bench")
        .args(["--benchmarks=fillseq", "--sync=1", "--key_size=8"])
        .arg(format!("--value_size={RECORD_LEN}"))
        .arg(format!("--batch_size={batch}"))
        .arg(format!("--num={records}"))
        .arg(format!("--db={}", std::fs::canonicalize(dir)?.display()))
        .output()?;
    let ran = processes::of_children()? - before;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rate = rate(&text).filter(|_| output.status.success()).ok_or_else(|| {
        format!("db_bench gave no rate: {} {text} {}", output.status, String::from_utf8_lossy(&output.stderr))
    })?;
    Ok((rate, ran as f64 / records as f64))
}

/// Out of `fillseq : 2.235 micros/op 447411 ops/sec 1.118 seconds …`.
fn rate(text: &str) -> Option<f64> {
    let mut words = text.lines().find(|line| line.starts_with("fillseq"))?.split_whitespace();
    let mut last = words.next()?;
    for word in words {
        if word == "ops/sec" {
            return last.parse().ok();
        }
        last = word;
    }
    None
}
