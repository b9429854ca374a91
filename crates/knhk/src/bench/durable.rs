//! From many producers to the disk and back: what was appended, what became durable, and what a follower read again
//! before it was recycled must be the same.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use knhk_evidence::entry::Entry;
use knhk_storage::store::{Appender, Level, StoreOptions, Ticket, WhenFull, memory_len};
use knhk_storage::{ObservationStore, read};
use serde::Serialize;

use super::append::refused;
use super::percentiles::{Histogram, Percentiles};
use super::place::Place;
use super::producing::{self, Pace};
use super::show::{self, PERCENTILES, per};
use super::{Clock, Measured, cpu, machine};
use crate::cli::Measurement;
use crate::error::CliError;
use crate::session::now_ms;
use crate::table::{Table, thousands};

/// Producers, unless the user says how many.
const PRODUCERS: usize = 4;
/// Observations per second in all, unless the user says how many.
const RATE: f64 = 1_000_000.0;
/// Slots of all rings together: an eighth of a second at a million a second.
const SLOTS: usize = 1 << 17;
/// Segments of 256 MiB that are there at most: kept, held for the follower, being written, and prepared.
const SEGMENTS: u64 = 8;
/// How often a producer has an observation's way to the disk timed.
const SAMPLE: Duration = Duration::from_millis(5);
/// Timed observations that may wait.
const MAX_TIMED: usize = 1_024;
/// Memory of the follower: one group as bytes, and decoded.
const FOLLOWER_LEN: u64 = 64 << 20;
/// Memory of the measurement itself, and what the allocator keeps for each thread.
const MEASUREMENT_LEN: u64 = 32 << 20;

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "durable is what is counted, too")]
pub(crate) struct Durable {
    producers: usize,
    rate: f64,
    seconds: f64,
    appended: u64,
    durable: u64,
    reread: u64,
    /// Durable observations, from the first append until the last was durable.
    per_second: f64,
    blocked: u64,
    rejected: u64,
    commits: u64,
    blocks: u64,
    segments: u64,
    append: Percentiles,
    until_durable: Percentiles,
    /// Percent of one core, by what runs.
    cpu_percent_of_one_core: BTreeMap<&'static str, f64>,
    cpu_ns_per_observation: f64,
    memory_bound: u64,
    memory_peak: u64,
    slots: usize,
}

struct Produced {
    appended: u64,
    append: Histogram,
    cpu_ns: u64,
}

struct Followed {
    reread: u64,
    segments: u64,
    cpu_ns: u64,
}

pub(crate) fn run(args: &Measurement, clock: &Clock) -> Result<Durable, CliError> {
    let producers = args.producers.first().copied().unwrap_or(PRODUCERS).max(1);
    let rate = args.rate.unwrap_or(RATE);
    let place = Place::with_room(args.data.as_deref(), SEGMENTS << 28)?;
    let dir = place.join("durable");
    let slots = (SLOTS / producers.next_power_of_two()).max(1_024);
    let memory_bound =
        machine::resident() + memory_len(producers, slots, 0) as u64 + FOLLOWER_LEN + MEASUREMENT_LEN;
    super::note(&format!("needs up to {} of memory", show::mebibytes(memory_bound)));

    let options = StoreOptions { keep_segments: Some(2), ..StoreOptions::default() };
    let store = producing::store(&dir, options)?;
    store.hold_from(0);
    let appenders = producing::appenders(&store, producers, slots, WhenFull::Block)?;
    let (timed, to_time) = sync_channel(MAX_TIMED);
    let all_durable = AtomicBool::new(false);
    let how_long = super::seconds(args);
    #[expect(clippy::cast_precision_loss, reason = "thousands of producers")]
    let each = rate / producers as f64;

    let (process_before, begun) = (cpu::of_this_process(), Instant::now());
    let threads_before = cpu::by_thread();
    let (store_ref, dir_ref, done_ref) = (&store, dir.as_path(), &all_durable);
    let measured = thread::scope(|scope| -> Result<_, CliError> {
        let named = |name: &str| thread::Builder::new().name(name.to_owned());
        let started = CliError::reading("/proc/self/task");
        let follower = named("bench-follower").spawn_scoped(scope, || follow(store_ref, dir_ref, done_ref));
        let waiter = named("bench-waiter").spawn_scoped(scope, move || time(store_ref, &to_time, clock));
        let (follower, waiter) = match (follower, waiter) {
            (Ok(follower), Ok(waiter)) => (follower, waiter),
            (Err(error), _) | (_, Err(error)) => return Err(started(error)),
        };
        let running: Vec<_> = appenders
            .into_iter()
            .map(|appender| {
                let timed = timed.clone();
                scope.spawn(move || produce(store_ref, appender, Pace::new(each, how_long), &timed, clock))
            })
            .collect();
        drop(timed);
        let produced: Result<Vec<_>, _> = running.into_iter().map(joined).collect();
        let took = begun.elapsed();
        all_durable.store(true, Ordering::Release);
        let read = joined(follower);
        // Asked while the store's threads are still there.
        let threads = cpu::by_thread();
        Ok((produced?, took, read?, joined(waiter)?, threads))
    });
    let (produced, took, followed, to_durable, threads) = measured?;
    let (cpu_ns, counts) = (cpu::of_this_process() - process_before, store.counts());
    store.close()?;

    let mut append = Histogram::new();
    for one in &produced {
        append.merge(&one.append);
    }
    let appended = produced.iter().map(|produced| produced.appended).sum();
    let percent = |ns: u64| 100.0 * per(ns, u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    let of = |name: &str| {
        let ran = |at: &BTreeMap<String, u64>| at.get(name).copied().unwrap_or(0);
        percent(ran(&threads).saturating_sub(ran(&threads_before)))
    };
    let cpu = BTreeMap::from([
        ("all", percent(cpu_ns)),
        ("follower", percent(followed.cpu_ns)),
        ("producers", percent(produced.iter().map(|produced| produced.cpu_ns).sum())),
        ("sealer", of("knhk-sealer")),
        ("writer", of("knhk-writer")),
    ]);
    Ok(Durable {
        producers,
        rate,
        seconds: took.as_secs_f64(),
        appended,
        durable: counts.durable,
        reread: followed.reread,
        per_second: per(counts.durable, u64::try_from(took.as_millis()).unwrap_or(u64::MAX)) * 1e3,
        blocked: counts.blocked,
        rejected: counts.rejected,
        commits: counts.commits,
        blocks: counts.blocks,
        segments: followed.segments,
        append: append.percentiles(),
        until_durable: to_durable.percentiles(),
        cpu_percent_of_one_core: cpu,
        cpu_ns_per_observation: per(cpu_ns, appended),
        memory_bound,
        memory_peak: machine::peak_resident(),
        slots,
    })
}

fn joined<T>(thread: thread::ScopedJoinHandle<'_, Result<T, CliError>>) -> Result<T, CliError> {
    // A panic of a worker is this thread's panic.
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Appends what is due until the time is over, then waits until the last is durable.
fn produce(
    store: &ObservationStore,
    mut appender: Appender,
    mut pace: Pace,
    timed: &SyncSender<(Ticket, u64)>,
    clock: &Clock,
) -> Result<Produced, CliError> {
    let (mut append, mut count) = (Histogram::new(), 0);
    let begun = cpu::of_this_thread();
    let mut sampled = Instant::now();
    let mut record = producing::record(0, now_ms());
    while let Some(due) = pace.due() {
        for number in count..count + due {
            record.data_digest[..8].copy_from_slice(&number.to_le_bytes());
            let begun = clock.now();
            appender.append(&record).map_err(refused)?;
            append.add(clock.since(begun));
        }
        count += due;
        if sampled.elapsed() >= SAMPLE {
            sampled = Instant::now();
            record.event_time_ms = now_ms();
            // Too many wait already: this one is not timed.
            let _ = timed.try_send((appender.ticket(), clock.now()));
        }
    }
    store.reached(appender.ticket(), Level::Durable).wait()?;
    Ok(Produced { appended: count, append, cpu_ns: cpu::of_this_thread() - begun })
}

/// Times the way of single observations to the disk.
fn time(
    store: &ObservationStore,
    to_time: &Receiver<(Ticket, u64)>,
    clock: &Clock,
) -> Result<Histogram, CliError> {
    let mut histogram = Histogram::new();
    for (ticket, accepted) in to_time {
        store.reached(ticket, Level::Durable).wait()?;
        histogram.add(clock.since(accepted));
    }
    Ok(histogram)
}

/// Reads the log as it grows, and lets go of each segment when it was read; ends when everything durable was read.
fn follow(store: &ObservationStore, dir: &Path, all_durable: &AtomicBool) -> Result<Followed, CliError> {
    let begun = cpu::of_this_thread();
    let mut entries = read::entries(dir)?;
    let mut reread = 0;
    loop {
        // Asked first: what is durable by then is there to be read.
        let last = all_durable.load(Ordering::Acquire);
        while let Some(located) = entries.next() {
            let located = located?;
            if let Entry::Block { block, .. } = &located.entry {
                reread += u64::from(block.header().count);
            }
            entries.recycle(located);
        }
        store.hold_from(entries.segment());
        if last {
            let segments = u64::from(entries.segment()) + 1;
            return Ok(Followed { reread, segments, cpu_ns: cpu::of_this_thread() - begun });
        }
        thread::sleep(Duration::from_millis(5));
    }
}

impl Measured for Durable {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "  asked     {} observations/s from {} producers; rings of {} slots",
            thousands_of(self.rate),
            self.producers,
            thousands(self.slots as u64)
        )?;
        writeln!(
            out,
            "  durable   {} observations/s over {:.1} s",
            thousands_of(self.per_second),
            self.seconds
        )?;
        let same = if self.failure().is_none() { "all equal" } else { "NOT EQUAL" };
        writeln!(
            out,
            "  counts    {} appended = {} durable = {} read again by a follower: {same}",
            thousands(self.appended),
            thousands(self.durable),
            thousands(self.reread)
        )?;
        writeln!(
            out,
            "  rings     {} waits for room, {} refused",
            thousands(self.blocked),
            thousands(self.rejected)
        )?;
        writeln!(
            out,
            "  log       {} blocks in {} commits in {} segments",
            thousands(self.blocks),
            thousands(self.commits),
            thousands(self.segments)
        )?;
        let mut table = Table::new(&[&["", "samples>"][..], &PERCENTILES].concat());
        for (name, p) in [("append", &self.append), ("accepted to durable", &self.until_durable)] {
            let cells = [name.to_owned(), thousands(p.samples)].into_iter().chain(show::percentiles(p));
            table.row(cells);
        }
        table.write(out)?;
        let parts: Vec<_> = self
            .cpu_percent_of_one_core
            .iter()
            .map(|(what, percent)| format!("{what} {percent:.0} %"))
            .collect();
        writeln!(
            out,
            "  CPU       of one core: {}; {:.0} ns an observation in all",
            parts.join(", "),
            self.cpu_ns_per_observation
        )?;
        writeln!(
            out,
            "  bound     {} of memory stated, {} reached",
            show::mebibytes(self.memory_bound),
            show::mebibytes(self.memory_peak)
        )
    }

    fn failure(&self) -> Option<String> {
        (self.appended != self.durable || self.durable != self.reread).then(|| {
            format!(
                "{} observations were appended, {} became durable, {} were read again",
                self.appended, self.durable, self.reread
            )
        })
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is positive")]
fn thousands_of(rate: f64) -> String {
    thousands(rate.round() as u64)
}
