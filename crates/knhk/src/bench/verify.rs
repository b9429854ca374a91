//! Verification of a log with 100,000 receipts and of one with the blocks of 1,000,000 observations, or of the user's.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use knhk_evidence::Hash;
use knhk_evidence::block::MAX_BLOCK_RECORDS;
use knhk_evidence::canonical;
use knhk_evidence::intern::Table as Names;
use knhk_evidence::receipt::{Draft, Operation, Outcome};
use knhk_evidence::verify::Depth;
use knhk_storage::Log;
use knhk_storage::audit::{self, Audit};
use serde::Serialize;

use super::place::Place;
use super::show::{duration, mebibytes, per};
use super::{Clock, Measured, cpu, producing};
use crate::cli::Measurement;
use crate::error::CliError;
use crate::session::now_ms;
use crate::table::{Table, thousands};

/// Receipts of the first log.
const RECEIPTS: usize = 100_000;
/// Observations of the second.
const OBSERVATIONS: usize = 1_000_000;
/// Receipts of a commit: one cycle's, on a busy day.
const RECEIPTS_PER_COMMIT: usize = 100;
/// Blocks of a commit.
const BLOCKS_PER_COMMIT: usize = 4;
/// Verifications of each kind, at least; the median counts.
const ROUNDS: usize = 7;
/// Disk for both logs.
const DISK_LEN: u64 = 512 << 20;

#[derive(Serialize)]
pub(crate) struct Verifications {
    logs: Vec<Verified>,
}

#[derive(Serialize)]
struct Verified {
    log: String,
    receipts: u64,
    observations: u64,
    bytes: u64,
    segments: u64,
    roots: Times,
    everything: Times,
}

#[derive(Serialize)]
struct Times {
    rounds: usize,
    median_ns: u64,
    least_ns: u64,
    /// Of all threads.
    median_cpu_ns: u64,
}

pub(crate) fn run(args: &Measurement, _: &Clock) -> Result<Verifications, CliError> {
    if let Some(data) = args.data.as_deref().filter(|data| data.join("log").is_dir()) {
        return Ok(Verifications { logs: vec![verified(&data.display().to_string(), data, args)?] });
    }
    let place = Place::with_room(args.data.as_deref(), DISK_LEN)?;
    let receipts = receipts(place.join("receipts"))?;
    let blocks = blocks(place.join("blocks"))?;
    let logs = vec![
        verified("100,000 receipts", &receipts, args)?,
        verified("1,000,000 observations", &blocks, args)?,
    ];
    Ok(Verifications { logs })
}

fn verified(name: &str, dir: &Path, args: &Measurement) -> Result<Verified, CliError> {
    let (mut roots, mut everything) = (Vec::new(), Vec::new());
    let begun = Instant::now();
    let budget = super::seconds(args);
    let report = loop {
        let report = one(dir, Depth::Roots, &mut roots)?;
        // All signatures take seconds; a third of the rounds is enough, and at least one.
        if everything.is_empty() || everything.len() * 3 < roots.len() {
            one(dir, Depth::Everything, &mut everything)?;
        }
        if roots.len() >= ROUNDS && (begun.elapsed() > budget || roots.len() >= 10 * ROUNDS) {
            break report;
        }
    };
    Ok(Verified {
        log: name.to_owned(),
        receipts: report.counts.receipts,
        observations: report.counts.observations,
        bytes: report.bytes,
        segments: report.segments,
        roots: times(roots),
        everything: times(everything),
    })
}

fn one(
    dir: &Path,
    depth: Depth,
    took: &mut Vec<(Duration, u64)>,
) -> Result<knhk_evidence::verify::Report, CliError> {
    let (begun, ran) = (Instant::now(), cpu::of_this_process());
    let report = audit::verify_with(dir, &Audit { depth, ..Audit::default() }, &mut |_| {})?;
    took.push((begun.elapsed(), cpu::of_this_process() - ran));
    Ok(report)
}

fn times(took: Vec<(Duration, u64)>) -> Times {
    let rounds = took.len();
    let (mut wall, mut cpu): (Vec<_>, Vec<_>) = took.into_iter().unzip();
    wall.sort_unstable();
    cpu.sort_unstable();
    let ns = |duration: &Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    Times {
        rounds,
        median_ns: wall.get(rounds / 2).map_or(0, ns),
        least_ns: wall.first().map_or(0, ns),
        median_cpu_ns: cpu.get(rounds / 2).copied().unwrap_or(0),
    }
}

/// A log of receipts of one sector.
fn receipts(dir: PathBuf) -> Result<PathBuf, CliError> {
    super::note("making a log with 100,000 signed receipts");
    let mut log = Log::create(&dir, &producing::key()?, now_ms())?;
    for number in 0..RECEIPTS {
        let body = canonical::to_bytes(&("bench", number as u64))?;
        let (sequence, parent) = log.state().next_receipt("bench");
        let draft = Draft {
            operation: Operation::PatternDetected,
            outcome: Outcome::Approved,
            sector: "bench".into(),
            sequence,
            parent,
            time_ms: now_ms(),
            cycle: Some(format!("cycle-{}", number / RECEIPTS_PER_COMMIT)),
            evidence_digest: Hash::of(&body),
            ontology_digest: Hash::of(b"ontology"),
            doctrine_digest: Hash::of(b"doctrine"),
            guards_digest: Hash::of(b"guards"),
            semantics_version: 1,
            key_id: log.key().verifying_key().id(),
        };
        let signed = draft.sign(log.key())?;
        log.append_receipt(signed, body)?;
        if number % RECEIPTS_PER_COMMIT == RECEIPTS_PER_COMMIT - 1 {
            log.commit()?;
        }
    }
    log.close()?;
    Ok(dir)
}

/// A log of full blocks.
fn blocks(dir: PathBuf) -> Result<PathBuf, CliError> {
    super::note("making a log with the blocks of 1,000,000 observations");
    let mut log = Log::create(&dir, &producing::key()?, now_ms())?;
    for (table, text) in
        [(Names::Sector, "bench"), (Names::EventType, "bench.observation"), (Names::Source, "bench")]
    {
        log.intern(table, text, now_ms())?;
    }
    let mut left = OBSERVATIONS;
    let mut number = 0;
    while left > 0 {
        let count = left.min(MAX_BLOCK_RECORDS);
        let records = (number..).take(count).map(|number| producing::record(number, now_ms())).collect();
        let none: Vec<&[u8]> = vec![b""; count];
        log.append_block(0, records, &none)?;
        (left, number) = (left - count, number + count as u64);
        if log.group_len() > BLOCKS_PER_COMMIT * MAX_BLOCK_RECORDS * 118 {
            log.commit()?;
        }
    }
    log.close()?;
    Ok(dir)
}

impl Measured for Verifications {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let columns = [
            "log",
            "receipts>",
            "observations>",
            "bytes>",
            "depth",
            "rounds>",
            "median>",
            "least>",
            "CPU>",
            "µs each>",
        ];
        let mut table = Table::new(&columns);
        for log in &self.logs {
            for (depth, times) in [("roots", &log.roots), ("every signature", &log.everything)] {
                table.row([
                    log.log.clone(),
                    thousands(log.receipts),
                    thousands(log.observations),
                    mebibytes(log.bytes),
                    depth.to_owned(),
                    times.rounds.to_string(),
                    duration(times.median_ns),
                    duration(times.least_ns),
                    duration(times.median_cpu_ns),
                    format!("{:.2}", per(times.median_cpu_ns, log.receipts + log.observations) / 1e3),
                ]);
            }
        }
        table.write(out)
    }
}
