//! Sealing: blocks of 4,096 records hashed, framed and written, one step at a time on one thread.

use std::io::{self, Write};
use std::time::Instant;

use knhk_evidence::block::{Block, MAX_BLOCK_RECORDS};
use knhk_evidence::entry::Entry;
use knhk_evidence::intern::Table as Names;
use knhk_storage::Log;
use serde::Serialize;

use super::percentiles::{Histogram, Percentiles};
use super::place::Place;
use super::show::{self, PERCENTILES, per};
use super::{Clock, Measured, cpu, producing};
use crate::cli::Measurement;
use crate::error::CliError;
use crate::session::now_ms;
use crate::table::{Table, thousands};

/// Blocks of one commit: what the writer of a store puts together at most.
const GROUP: usize = 16;
/// The most that is written, so that the disk need is known: 1 GiB.
const MAX_WRITTEN: u64 = 1 << 30;

#[derive(Serialize)]
pub(crate) struct Seals {
    records_per_block: usize,
    blocks: u64,
    blocks_per_second: f64,
    /// Each step for one block; the commit for a group of them.
    seal: Step,
    log: Step,
    commit: Step,
    blocks_per_commit: usize,
}

#[derive(Serialize)]
struct Step {
    took: Percentiles,
    cpu_ns_per_record: f64,
}

#[derive(Default)]
struct Timed {
    took: Histogram,
    cpu_ns: u64,
}

impl Timed {
    fn time<T>(&mut self, clock: &Clock, work: impl FnOnce() -> T) -> T {
        let (begun, ran) = (clock.now(), cpu::of_this_thread());
        let done = work();
        self.cpu_ns += cpu::of_this_thread() - ran;
        self.took.add(clock.since(begun));
        done
    }

    fn step(&self, records: u64) -> Step {
        Step { took: self.took.percentiles(), cpu_ns_per_record: per(self.cpu_ns, records) }
    }
}

pub(crate) fn run(args: &Measurement, clock: &Clock) -> Result<Seals, CliError> {
    let place = Place::with_room(args.data.as_deref(), MAX_WRITTEN + (256 << 20))?;
    let mut log = Log::create(&place.join("seal"), &producing::key()?, now_ms())?;
    log.intern(Names::Sector, "bench", now_ms())?;
    log.intern(Names::EventType, "bench.observation", now_ms())?;
    log.intern(Names::Source, "bench", now_ms())?;
    log.commit()?;
    let new = || Timed { took: Histogram::new(), cpu_ns: 0 };
    let (mut seal, mut append, mut commit, mut blocks) = (new(), new(), new(), 0_u64);
    let (begun, how_long) = (Instant::now(), super::seconds(args));
    let mut written = 0;
    while begun.elapsed() < how_long && written < MAX_WRITTEN {
        for _ in 0..GROUP {
            let records = (0..MAX_BLOCK_RECORDS as u64).map(|n| producing::record(n, now_ms())).collect();
            let position = log.state().next_block(0);
            let block = seal.time(clock, || Block::seal(position, records))?;
            written += block.as_bytes().len() as u64;
            append.time(clock, || log.append(&Entry::Block { block, payloads: None }))?;
            blocks += 1;
        }
        commit.time(clock, || log.commit())?;
    }
    let took = begun.elapsed();
    log.close()?;
    let records = blocks * MAX_BLOCK_RECORDS as u64;
    Ok(Seals {
        records_per_block: MAX_BLOCK_RECORDS,
        blocks,
        blocks_per_second: per(blocks, u64::try_from(took.as_micros()).unwrap_or(u64::MAX)) * 1e6,
        seal: seal.step(records),
        log: append.step(records),
        commit: commit.step(records),
        blocks_per_commit: GROUP,
    })
}

impl Measured for Seals {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "  blocks    {} of {} records, {:.0} a second, one thread doing everything",
            thousands(self.blocks),
            thousands(self.records_per_block as u64),
            self.blocks_per_second
        )?;
        let mut table = Table::new(&[&["step"][..], &PERCENTILES, &["CPU ns a record>"]].concat());
        let commit = format!("commit of {} blocks: write, sync, sign", self.blocks_per_commit);
        for (name, step) in [
            ("seal a block: encode, hash", &self.seal),
            ("log it: rules, checksum, frame", &self.log),
            (commit.as_str(), &self.commit),
        ] {
            let cpu = format!("{:.1}", step.cpu_ns_per_record);
            table.row([name.to_owned()].into_iter().chain(show::percentiles(&step.took)).chain([cpu]));
        }
        table.write(out)
    }
}
