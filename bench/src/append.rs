//! Appending a fixed record on one thread: our appender and the shapes that others use.

use std::hint::black_box;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::clock::Clock;
use crate::percentiles::{Histogram, Percentiles};
use crate::{Result, cpu, machine, median, quick, record, rounds};
use crossbeam_queue::{ArrayQueue, SegQueue};
use dashmap::DashMap;
use disruptor::{BusySpinWithSpinLoopHint, Producer as _, build_multi_producer};
use knhk_evidence::SigningKey;
use knhk_evidence::intern::Table;
use knhk_evidence::record::Record;
use knhk_storage::ObservationStore;
use knhk_storage::store::{AppenderOptions, Level, StoreOptions, WhenFull};

/// Appends of one burst, and slots of every bounded queue.
const BURST: u64 = 4_096;

/// One candidate's round: CPU ns per append over bursts without a clock inside, and single appends timed.
struct Round {
    cpu_ns: f64,
    single: Percentiles,
}

/// Runs bursts, plain and timed in turn; `after` empties what has to be emptied, outside of the figures.
fn round(clock: &Clock, bursts: u64, mut append: impl FnMut(u64), mut after: impl FnMut()) -> Round {
    let (mut single, mut spent, mut number) = (Histogram::new(), 0, 0);
    for _ in 0..bursts {
        let begun = cpu::of_this_thread();
        for _ in 0..BURST {
            append(number);
            number += 1;
        }
        spent += cpu::of_this_thread() - begun;
        after();
        for _ in 0..BURST {
            let begun = clock.now();
            append(number);
            single.add(clock.since(begun));
            number += 1;
        }
        after();
    }
    Round { cpu_ns: spent as f64 / (bursts * BURST) as f64, single: single.percentiles() }
}

/// Our appender in front of a whole store: also the sealer's CPU for each append.
fn ours(clock: &Clock, bursts: u64) -> Result<(Round, f64)> {
    let dir = tempfile::tempdir_in(".")?;
    let key = SigningKey::generate([7; 32], b"bench");
    let options = StoreOptions { prepare: false, ..StoreOptions::default() };
    let store = ObservationStore::create(dir.path(), &key, 0, options)?;
    store.intern(Table::EventType, "bench", 0)?;
    let options = AppenderOptions {
        sector: "bench",
        source: "bench",
        slots: BURST as usize,
        payload_len: 0,
        when_full: WhenFull::Block,
        go_on: false,
    };
    let appender = std::cell::RefCell::new(store.appender(options, 0)?);
    let before = cpu::by_thread();
    let done = round(
        clock,
        bursts,
        |number| {
            let _ = black_box(appender.borrow_mut().append(&record(number)));
        },
        || {
            let _ = store.reached(appender.borrow().ticket(), Level::Durable).wait();
        },
    );
    let (name, after) = ("knhk-sealer", cpu::by_thread());
    let of = |at: &std::collections::BTreeMap<String, u64>| at.get(name).copied().unwrap_or(0);
    let sealer = (of(&after) - of(&before)) as f64 / (2 * bursts * BURST) as f64;
    drop(appender);
    store.close()?;
    Ok((done, sealer))
}

pub(crate) fn run() -> Result<()> {
    let (clock, machine) = (Clock::new(), machine::Machine::here());
    println!("append, one thread, interleaved, {} rounds, medians", rounds());
    println!("  {}, {} cores, Linux {}, load {}", machine.cpu, machine.cores, machine.kernel, machine.load);
    let cost = clock.cost();
    println!("  clock {:.1} ns a read; an empty pair {} ns at p99", cost.read_ns, cost.empty_pair.p99_ns);
    let bursts = if quick() { 20 } else { 60 };
    let names = [
        "knhk appender",
        "DashMap<String, Arc>",
        "Mutex<Vec>, growing",
        "ArrayQueue",
        "SegQueue",
        "disruptor MPSC",
    ];
    let mut all: Vec<Vec<Round>> = names.iter().map(|_| Vec::new()).collect();
    let mut sealer = Vec::new();
    for _ in 0..rounds() {
        let (own, sealed) = ours(&clock, bursts)?;
        all[0].push(own);
        sealer.push(sealed);

        // The original's shape: a text key for each observation, its value behind an Arc.
        let map: DashMap<String, Arc<Record>> = DashMap::new();
        all[1].push(round(
            &clock,
            bursts,
            |n| {
                map.insert(format!("bench-observation-{n:016x}"), Arc::new(record(n)));
            },
            || {},
        ));
        drop(map);

        let list = Mutex::new(Vec::new());
        all[2].push(round(
            &clock,
            bursts,
            |n| list.lock().unwrap_or_else(|p| p.into_inner()).push(record(n)),
            || {},
        ));
        drop(list);

        let queue = ArrayQueue::new(BURST as usize);
        all[3].push(round(
            &clock,
            bursts,
            |n| {
                let _ = queue.push(record(n));
            },
            || while queue.pop().is_some() {},
        ));

        let queue = SegQueue::new();
        all[4].push(round(&clock, bursts, |n| queue.push(record(n)), || while queue.pop().is_some() {}));

        let mut producer =
            build_multi_producer(BURST as usize * 2, Record::default, BusySpinWithSpinLoopHint)
                .handle_events_with(|event: &Record, _, _| {
                    black_box(event.event_time_ms);
                })
                .build();
        all[5].push(round(
            &clock,
            bursts,
            |n| producer.publish(|event| *event = record(n)),
            || std::thread::sleep(Duration::from_millis(1)),
        ));
    }
    let cpu = |rounds: &[Round]| median(rounds.iter().map(|round| round.cpu_ns).collect());
    let p99 = |rounds: &[Round]| median(rounds.iter().map(|round| round.single.p99_ns as f64).collect());
    let (own, sealer) = (cpu(&all[0]), median(sealer));
    println!(
        "  {:<24} {:>10} {:>10} {:>16} {:>20}",
        "", "CPU ns", "p99 ns", "CPU, times ours", "with our sealer's"
    );
    for (name, rounds) in names.iter().zip(&all) {
        let ns = cpu(rounds);
        println!(
            "  {name:<24} {ns:>10.1} {:>10.0} {:>16.1} {:>20.1}",
            p99(rounds),
            ns / own,
            ns / (own + sealer)
        );
    }
    println!(
        "  our sealer (hashing, blocks): {sealer:.1} ns an append, {:.1} ns with the append",
        own + sealer
    );
    let ratio = cpu(&all[1]) / own;
    println!(
        "  DashMap shape / appender: {ratio:.1} (at least 40 is asked): {}",
        if ratio >= 40.0 { "met" } else { "NOT MET" }
    );
    if ratio < 40.0 {
        std::process::exit(1);
    }
    Ok(())
}
