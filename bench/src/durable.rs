//! Making records durable: a key for each record in an embedded engine, batches of 5,000 and one sync each, beside our
//! framed log without hashing and our whole hashed and signed pipeline. And a signature for each record beside one for a
//! block.

use std::path::Path;
use std::time::{Duration, Instant};

use fjall::{Database, KeyspaceCreateOptions, PersistMode};
use crate::{Result, cpu, machine, median, quick, record, rounds};
use knhk_evidence::SigningKey;
use knhk_evidence::block::Block;
use knhk_evidence::entry::Entry;
use knhk_evidence::intern::Table;
use knhk_storage::store::{AppenderOptions, Level, StoreOptions, WhenFull};
use knhk_storage::{Log, ObservationStore, spare};
use redb::{Durability, TableDefinition};

/// Records of a batch of the engines, and of a block of ours.
const BATCH: u64 = 5_000;
const BLOCK: u64 = 4_096;
/// Blocks of one commit of the framed log.
const GROUP: usize = 8;

/// Records per second, and CPU nanoseconds a record of the whole process.
type Figures = (f64, f64);

fn measured(records: u64, work: impl FnOnce() -> Result<()>) -> Result<Figures> {
    let (begun, ran) = (Instant::now(), cpu::of_this_process());
    work()?;
    let took = begun.elapsed().as_secs_f64();
    Ok((records as f64 / took, (cpu::of_this_process() - ran) as f64 / records as f64))
}

fn fjall(dir: &Path, records: u64) -> Result<Figures> {
    let db = Database::builder(dir).open()?;
    let items = db.keyspace("records", KeyspaceCreateOptions::default)?;
    measured(records, || {
        for first in (0..records).step_by(BATCH as usize) {
            let mut batch = db.batch().durability(Some(PersistMode::SyncData));
            for number in first..(first + BATCH).min(records) {
                batch.insert(&items, number.to_be_bytes(), record(number).to_bytes());
            }
            batch.commit()?;
        }
        Ok(())
    })
}

fn redb(dir: &Path, records: u64) -> Result<Figures> {
    const TABLE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");
    let db = redb::Database::create(dir.join("redb"))?;
    measured(records, || {
        for first in (0..records).step_by(BATCH as usize) {
            let mut write = db.begin_write()?;
            write.set_durability(Durability::Immediate)?;
            {
                let mut table = write.open_table(TABLE)?;
                for number in first..(first + BATCH).min(records) {
                    table.insert(number, &record(number).to_bytes()[..])?;
                }
            }
            write.commit()?;
        }
        Ok(())
    })
}

/// The framed log over blocks that were sealed before: rules, checksums, frames, one write and one sync a group, one
/// signature a group. The public interface has no way around the rules and the signature.
fn framed_log(dir: &Path, records: u64) -> Result<Figures> {
    let key = SigningKey::generate([7; 32], b"bench");
    for len in [256 << 20, 256 << 20] {
        spare::prepare(&knhk_storage::Directory::from(dir), len)?;
    }
    let mut log = Log::create(dir, &key, 0)?;
    for (table, text) in [(Table::Sector, "s"), (Table::EventType, "t"), (Table::Source, "p")] {
        log.intern(table, text, 0)?;
    }
    log.commit()?;
    let mut place = log.state().next_block(0);
    let mut blocks = Vec::new();
    for first in (0..records).step_by(BLOCK as usize) {
        let block = Block::seal(place, (first..(first + BLOCK).min(records)).map(record).collect())?;
        place.number += 1;
        place.previous = block.header().digest();
        place.first_sequence += u64::from(block.header().count);
        blocks.push(Entry::Block { block, payloads: None });
    }
    measured(records, || {
        for group in blocks.chunks(GROUP) {
            for block in group {
                log.append(block)?;
            }
            log.commit()?;
        }
        Ok(())
    })
}

/// Everything: rings, sealer, hashes, writer, signatures.
fn pipeline(dir: &Path, records: u64) -> Result<Figures> {
    let key = SigningKey::generate([7; 32], b"bench");
    let directory = knhk_storage::Directory::from(dir);
    while spare::prepare(&directory, 256 << 20)? {}
    let store = ObservationStore::create(dir, &key, 0, StoreOptions::default())?;
    store.intern(Table::EventType, "bench", 0)?;
    let options = AppenderOptions {
        sector: "bench",
        source: "bench",
        slots: 1 << 16,
        payload_len: 0,
        when_full: WhenFull::Block,
        go_on: false,
    };
    let mut appender = store.appender(options, 0)?;
    let figures = measured(records, || {
        for number in 0..records {
            appender.append(&record(number))?;
        }
        store.reached(appender.ticket(), Level::Durable).wait()?;
        Ok(())
    })?;
    drop(appender);
    store.close()?;
    Ok(figures)
}

fn one_by_one(records: u64) -> Result<Figures> {
    let key = SigningKey::generate([7; 32], b"bench");
    measured(records, || {
        for number in 0..records {
            std::hint::black_box(key.sign(&record(number).to_bytes()));
        }
        Ok(())
    })
}

fn block_signed_once(records: u64) -> Result<Figures> {
    let key = SigningKey::generate([7; 32], b"bench");
    let place =
        knhk_evidence::block::BlockPosition { sector: 0, number: 0, previous: Default::default(), first_sequence: 0 };
    measured(records, || {
        for first in (0..records).step_by(BLOCK as usize) {
            let block = Block::seal(place, (first..(first + BLOCK).min(records)).map(record).collect())?;
            std::hint::black_box(key.sign(block.header().digest().as_bytes()));
        }
        Ok(())
    })
}

pub(crate) fn run() -> Result<()> {
    let machine = machine::Machine::here();
    println!("durable, interleaved, {} rounds, medians", rounds());
    println!("  {}, {} cores, Linux {}, load {}", machine.cpu, machine.cores, machine.kernel, machine.load);
    let records = if quick() { 200_000 } else { 1_000_000 };
    type Candidate = fn(&Path, u64) -> Result<Figures>;
    let candidates: [(&str, Candidate); 4] = [
        ("fjall 3, a key a record", fjall),
        ("redb 4, a key a record", redb),
        ("knhk framed log, blocks sealed before", framed_log),
        ("knhk pipeline, hashed and signed", pipeline),
    ];
    let mut found: Vec<Vec<Figures>> = candidates.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds() {
        for ((_, candidate), found) in candidates.iter().zip(&mut found) {
            let dir = tempfile::tempdir_in(".")?;
            found.push(candidate(dir.path(), records)?);
            // What one leaves behind for the disk is not the next one's.
            drop(dir);
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    let rate = |found: &[Figures]| median(found.iter().map(|figures| figures.0).collect());
    let spent = |found: &[Figures]| median(found.iter().map(|figures| figures.1).collect());
    let best = rate(&found[0]).max(rate(&found[1]));
    println!("  {:<40} {:>12} {:>10} {:>22}", "", "records/s", "CPU ns", "times the best engine");
    for ((name, _), found) in candidates.iter().zip(&found) {
        println!("  {name:<40} {:>12.0} {:>10.0} {:>22.1}", rate(found), spent(found), rate(found) / best);
    }
    let signed = records / 100;
    let (mut each, mut once) = (Vec::new(), Vec::new());
    for _ in 0..rounds() {
        each.push(one_by_one(signed)?.1);
        once.push(block_signed_once(records)?.1);
    }
    let (each, once) = (median(each), median(once));
    println!("  a signature a record: {each:.0} CPU ns; a block and one signature: {once:.0}, {:.0} times less", each / once);
    let (raw, whole) = (rate(&found[2]) / best, rate(&found[3]) / best);
    for (what, ratio, asked) in [("framed log", raw, 5.0), ("pipeline", whole, 2.0)] {
        println!("  {what} / best engine: {ratio:.1} (at least {asked} is asked): {}", if ratio >= asked { "met" } else { "NOT MET" });
    }
    if raw < 5.0 || whole < 2.0 {
        std::process::exit(1);
    }
    Ok(())
}
