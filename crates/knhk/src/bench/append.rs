//! Appending a fixed record: back to back with room in the ring, and paced.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use knhk_storage::ObservationStore;
use knhk_storage::store::{Appender, Counts, Level, Rejected, StoreOptions, WhenFull};
use serde::Serialize;

use super::clock::Clock;
use super::percentiles::{Histogram, Percentiles};
use super::place::Place;
use super::producing::{self, Pace};
use super::show::{self, PERCENTILES, per};
use super::{Measured, cpu};
use crate::cli::Measurement;
use crate::error::CliError;
use crate::session::now_ms;
use crate::table::{Table, thousands};

/// Slots of a ring, and appends of one burst.
const BURST: usize = 4_096;
/// Producers, unless the user says how many.
const PRODUCERS: [usize; 3] = [1, 2, 100];
/// Observations per second of the paced run, unless the user says how many.
const RATE: f64 = 1_000_000.0;
/// Segments of 256 MiB that are there at most: kept, being written, and prepared.
const SEGMENTS: u64 = 6;

#[derive(Serialize)]
pub(crate) struct Appends {
    runs: Vec<Run>,
}

#[derive(Serialize)]
struct Run {
    producers: usize,
    /// `None`: bursts, back to back.
    rate: Option<f64>,
    appended: u64,
    /// Each append measured by itself.
    append: Percentiles,
    /// Processor time of the producer, over whole bursts without a clock read inside; for a paced run over everything.
    cpu_ns_per_append: f64,
    sealer_cpu_ns_per_append: f64,
    writer_cpu_ns_per_append: f64,
    with_sealer_cpu_ns_per_append: f64,
    /// Appends in a second of the producers' processor time.
    appends_per_cpu_second: f64,
    counts: RunCounts,
}

#[derive(Serialize)]
struct RunCounts {
    durable: u64,
    blocked: u64,
    rejected: u64,
}

pub(crate) fn run(args: &Measurement, clock: &Clock) -> Result<Appends, CliError> {
    let place = Place::with_room(args.data.as_deref(), SEGMENTS << 28)?;
    let wanted = if args.producers.is_empty() { &PRODUCERS[..] } else { &args.producers };
    let mut runs = Vec::new();
    for producers in wanted {
        for rate in [None, Some(args.rate.unwrap_or(RATE)).filter(|rate| *rate > 0.0)] {
            if rate.is_some() || runs.last().is_none_or(|last: &Run| last.producers != *producers) {
                runs.push(one(&place, *producers, rate, super::seconds(args), clock)?);
            }
        }
    }
    Ok(Appends { runs })
}

/// What one producer found.
struct Produced {
    histogram: Histogram,
    appended: u64,
    /// Of which in bursts without clock reads, and their processor time.
    plain: u64,
    plain_ns: u64,
    appender: Appender,
}

pub(super) fn refused(rejected: Rejected) -> CliError {
    CliError::Benchmark { why: format!("an append was refused: {rejected}") }
}

fn one(
    place: &Place,
    producers: usize,
    rate: Option<f64>,
    how_long: Duration,
    clock: &Clock,
) -> Result<Run, CliError> {
    let dir = place.join(&format!("append-{producers}-{}", rate.is_some()));
    let options = StoreOptions { keep_segments: Some(2), ..StoreOptions::default() };
    let store = producing::store(&dir, options)?;
    let slots = if rate.is_some() { (1 << 17) / producers.next_power_of_two() } else { BURST };
    let appenders = producing::appenders(&store, producers, slots.max(1024), WhenFull::Block)?;
    let before = cpu::by_thread();
    let done = thread::scope(|scope| {
        let store = &store;
        let start = |appender| {
            scope.spawn(move || match rate {
                #[expect(clippy::cast_precision_loss, reason = "thousands of producers")]
                Some(rate) => paced(appender, rate / producers as f64, how_long, clock),
                None => bursts(store, appender, how_long, clock),
            })
        };
        let running: Vec<_> = appenders.into_iter().map(start).collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect::<Result<Vec<_>, _>>()
    })?;
    for Produced { appender, .. } in &done {
        store.reached(appender.ticket(), Level::Durable).wait()?;
    }
    let after = cpu::by_thread();
    let counts = store.counts();
    let mut histogram = Histogram::new();
    for one in &done {
        histogram.merge(&one.histogram);
    }
    let sum = |of: fn(&Produced) -> u64| done.iter().map(of).sum::<u64>();
    let appended = sum(|done| done.appended);
    let own = per(sum(|done| done.plain_ns), sum(|done| done.plain));
    drop(done);
    store.close()?;
    let of = |name: &str| {
        let ran = |at: &BTreeMap<String, u64>| at.get(name).copied().unwrap_or(0);
        per(ran(&after).saturating_sub(ran(&before)), appended)
    };
    // Removed at once, so that one run's disk need does not add to the next one's.
    std::fs::remove_dir_all(&dir).map_err(CliError::writing(&dir))?;
    let sealer = of("knhk-sealer");
    let Counts { durable, blocked, rejected, .. } = counts;
    Ok(Run {
        producers,
        rate,
        appended,
        append: histogram.percentiles(),
        cpu_ns_per_append: own,
        sealer_cpu_ns_per_append: sealer,
        writer_cpu_ns_per_append: of("knhk-writer"),
        with_sealer_cpu_ns_per_append: own + sealer,
        appends_per_cpu_second: if own > 0.0 { 1e9 / own } else { 0.0 },
        counts: RunCounts { durable, blocked, rejected },
    })
}

/// Bursts as long as the ring, measured append by append and as a whole in turn; between two bursts the ring is drained.
fn bursts(
    store: &ObservationStore,
    mut appender: Appender,
    how_long: Duration,
    clock: &Clock,
) -> Result<Produced, CliError> {
    let (mut histogram, start) = (Histogram::new(), std::time::Instant::now());
    let (mut count, mut plain, mut plain_ns) = (0, 0, 0);
    let mut record = producing::record(0, now_ms());
    while start.elapsed() < how_long {
        for _ in 0..BURST {
            record.event_time_ms += 1;
            let begun = clock.now();
            appender.append(&record).map_err(refused)?;
            histogram.add(clock.since(begun));
        }
        store.reached(appender.ticket(), Level::Durable).wait()?;
        let begun = cpu::of_this_thread();
        for _ in 0..BURST {
            record.event_time_ms += 1;
            appender.append(&record).map_err(refused)?;
        }
        plain_ns += cpu::of_this_thread() - begun;
        plain += BURST as u64;
        count += 2 * BURST as u64;
        store.reached(appender.ticket(), Level::Durable).wait()?;
    }
    Ok(Produced { histogram, appended: count, plain, plain_ns, appender })
}

/// Appends at a rate: what is due, then sleep. Every append is measured, the first after a sleep included.
fn paced(
    mut appender: Appender,
    per_second: f64,
    how_long: Duration,
    clock: &Clock,
) -> Result<Produced, CliError> {
    let mut histogram = Histogram::new();
    let (mut pace, mut count, begun) = (Pace::new(per_second, how_long), 0, cpu::of_this_thread());
    let mut record = producing::record(0, now_ms());
    while let Some(due) = pace.due() {
        for _ in 0..due {
            record.event_time_ms += 1;
            let begun = clock.now();
            appender.append(&record).map_err(refused)?;
            histogram.add(clock.since(begun));
        }
        count += due;
    }
    Ok(Produced {
        histogram,
        appended: count,
        plain: count,
        plain_ns: cpu::of_this_thread() - begun,
        appender,
    })
}

impl Measured for Appends {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Table::new(
            &[
                &["producers>", "rate>", "appends>"][..],
                &PERCENTILES,
                &["CPU ns>", "+ sealer>", "+ writer>", "blocked>"],
            ]
            .concat(),
        );
        for run in &self.runs {
            let rate = run.rate.map_or("bursts".to_owned(), |rate| format!("{rate:.0}/s"));
            let with_sealer = run.with_sealer_cpu_ns_per_append;
            let cells = [run.producers.to_string(), rate, thousands(run.appended)]
                .into_iter()
                .chain(show::percentiles(&run.append))
                .chain(
                    [run.cpu_ns_per_append, with_sealer, with_sealer + run.writer_cpu_ns_per_append]
                        .map(|ns| format!("{ns:.1}")),
                )
                .chain([thousands(run.counts.blocked)]);
            table.row(cells);
        }
        table.write(out)?;
        writeln!(
            out,
            "  bursts: {BURST} appends back to back into a ring with room, clock included; CPU over bursts without clock"
        )?;
        writeln!(
            out,
            "  paced: what is due each millisecond; the first append after a sleep pays for cold caches"
        )
    }
}
