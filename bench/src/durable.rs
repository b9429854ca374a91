//! Making records durable: a key for each record in an embedded engine, batches of 5,000 and one sync each, beside our
//! framed log without hashing and our whole hashed and signed pipeline. PostgreSQL beside them, which is no embedded engine
//! and does not count as one. And a signature for each record beside one for a block.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::postgres::Server;
use crate::{Result, cpu, machine, median, quick, record, rocksdb, rounds};
use fjall::{Database, KeyspaceCreateOptions, PersistMode};
use knhk_evidence::SigningKey;
use knhk_evidence::block::Block;
use knhk_evidence::entry::Entry;
use knhk_evidence::intern::Table;
use knhk_evidence::record::RECORD_LEN;
use knhk_storage::store::{AppenderOptions, Level, StoreOptions, WhenFull};
use knhk_storage::{Log, ObservationStore, spare};
use redb::{Durability, TableDefinition};

/// Records of a batch of the engines, and of a block of ours.
pub(crate) const BATCH: u64 = 5_000;
const BLOCK: u64 = 4_096;
/// Blocks of one commit of the framed log.
const GROUP: usize = 8;
/// Batches of the engines, once more, as large as those commits: how much of a ratio is the fewer syncs.
const LARGE_BATCH: u64 = BLOCK * GROUP as u64;

/// Records per second, and CPU nanoseconds a record of the whole process.
pub(crate) type Figures = (f64, f64);

fn measured(records: u64, work: impl FnOnce() -> Result<()>) -> Result<Figures> {
    let (begun, ran) = (Instant::now(), cpu::of_this_process());
    work()?;
    let took = begun.elapsed().as_secs_f64();
    Ok((records as f64 / took, (cpu::of_this_process() - ran) as f64 / records as f64))
}

fn fjall(dir: &Path, records: u64, batch: u64) -> Result<Figures> {
    let db = Database::builder(dir).open()?;
    let items = db.keyspace("records", KeyspaceCreateOptions::default)?;
    measured(records, || {
        for first in (0..records).step_by(batch as usize) {
            let mut write = db.batch().durability(Some(PersistMode::SyncData));
            for number in first..(first + batch).min(records) {
                write.insert(&items, number.to_be_bytes(), record(number).to_bytes());
            }
            write.commit()?;
        }
        Ok(())
    })
}

fn redb(dir: &Path, records: u64, batch: u64) -> Result<Figures> {
    const TABLE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");
    let db = redb::Database::create(dir.join("redb"))?;
    measured(records, || {
        for first in (0..records).step_by(batch as usize) {
            let mut write = db.begin_write()?;
            write.set_durability(Durability::Immediate)?;
            {
                let mut table = write.open_table(TABLE)?;
                for number in first..(first + batch).min(records) {
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
fn framed_log(dir: &Path, records: u64, group: usize) -> Result<Figures> {
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
        for commit in blocks.chunks(group) {
            for block in commit {
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
    let place = knhk_evidence::block::BlockPosition {
        sector: 0,
        number: 0,
        previous: Default::default(),
        first_sequence: 0,
    };
    measured(records, || {
        for first in (0..records).step_by(BLOCK as usize) {
            let block = Block::seal(place, (first..(first + BLOCK).min(records)).map(record).collect())?;
            std::hint::black_box(key.sign(block.header().digest().as_bytes()));
        }
        Ok(())
    })
}

/// What a candidate is compared as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An embedded engine with a key a record: the best of them is what the others are compared with.
    Engine,
    /// The same with batches as large as the commits of the framed log.
    LargeBatches,
    /// Reported, and not compared with.
    Beside,
    FramedLog,
    Pipeline,
}

/// Runs in an empty directory with a number of records.
type Run<'a> = Box<dyn Fn(&Path, u64) -> Result<Figures> + 'a>;

struct Candidate<'a> {
    name: &'static str,
    kind: Kind,
    run: Run<'a>,
    found: Vec<Figures>,
}

impl<'a> Candidate<'a> {
    fn new(name: &'static str, kind: Kind, run: Run<'a>) -> Self {
        Self { name, kind, run, found: Vec::new() }
    }

    fn rate(&self) -> f64 {
        median(self.found.iter().map(|figures| figures.0).collect())
    }

    /// The slowest and the fastest round.
    fn extremes(&self) -> (f64, f64) {
        let rates = self.found.iter().map(|figures| figures.0);
        (rates.clone().fold(f64::INFINITY, f64::min), rates.fold(0.0, f64::max))
    }

    fn spent(&self) -> f64 {
        median(self.found.iter().map(|figures| figures.1).collect())
    }
}

pub(crate) fn run() -> Result<()> {
    let machine = machine::Machine::here();
    println!("durable, interleaved, {} rounds, medians", rounds());
    println!("  {}, {} cores, Linux {}, load {}", machine.cpu, machine.cores, machine.kernel, machine.load);
    let records = if quick() { 500_000 } else { 1_000_000 };
    println!(
        "  {records} records of {RECORD_LEN} bytes each; {BATCH} a sync, \
         {LARGE_BATCH} in the lines that say ours, {BLOCK} a block"
    );
    let server = Server::given()?;
    let mut candidates = Vec::new();
    type Engine = fn(&Path, u64, u64) -> Result<Figures>;
    let mut engines: Vec<([&str; 2], Engine)> = vec![
        (["fjall 3, a key a record", "  as many a sync as ours"], fjall),
        (["redb 4, a key a record", "  as many a sync as ours"], redb),
    ];
    if rocksdb::is_there() {
        engines.push((["RocksDB, a key a record", "  as many a sync as ours"], rocksdb::fillseq));
    }
    for (names, engine) in engines {
        for (name, kind, batch) in
            [(names[0], Kind::Engine, BATCH), (names[1], Kind::LargeBatches, LARGE_BATCH)]
        {
            candidates.push(Candidate::new(
                name,
                kind,
                Box::new(move |dir, records| engine(dir, records, batch)),
            ));
        }
    }
    if let Some(server) = &server {
        for (name, key) in
            [("PostgreSQL COPY, no index", ""), ("PostgreSQL COPY, a primary key", "PRIMARY KEY")]
        {
            candidates.push(Candidate::new(
                name,
                Kind::Beside,
                Box::new(move |_, records| server.copy(key, records)),
            ));
        }
    }
    for (name, kind, group) in [
        ("knhk framed log, a block a sync", Kind::Beside, 1),
        ("knhk framed log, 8 blocks a sync", Kind::FramedLog, GROUP),
    ] {
        candidates.push(Candidate::new(
            name,
            kind,
            Box::new(move |dir, records| framed_log(dir, records, group)),
        ));
    }
    candidates.push(Candidate::new("knhk pipeline, hashed and signed", Kind::Pipeline, Box::new(pipeline)));
    for _ in 0..rounds() {
        for candidate in &mut candidates {
            let dir = tempfile::tempdir_in(".")?;
            let found = (candidate.run)(dir.path(), records)
                .map_err(|error| format!("{}: {error}", candidate.name))?;
            candidate.found.push(found);
            // What one leaves behind for the disk is not the next one's.
            drop(dir);
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    let best_of = |kind| {
        let of_kind = candidates.iter().filter(|candidate| candidate.kind == kind);
        of_kind.max_by(|a, b| a.rate().total_cmp(&b.rate())).ok_or("nothing to compare with")
    };
    let engine = best_of(Kind::Engine)?;
    let best = engine.rate();
    println!(
        "  {:<34} {:>10} {:>22} {:>8} {:>21}",
        "", "records/s", "from – to", "CPU ns", "times the best engine"
    );
    for candidate in &candidates {
        let (name, rate, (low, high)) = (candidate.name, candidate.rate(), candidate.extremes());
        let extremes = format!("{low:.0} – {high:.0}");
        println!("  {name:<34} {rate:>10.0} {extremes:>22} {:>8.0} {:>21.2}", candidate.spent(), rate / best);
    }
    println!("  best engine: {}", engine.name);
    let large = best_of(Kind::LargeBatches)?.rate();
    let raw = best_of(Kind::FramedLog)?.rate() / best;
    let whole = best_of(Kind::Pipeline)?.rate() / best;
    let signed = records / 100;
    let (mut each, mut once) = (Vec::new(), Vec::new());
    for _ in 0..rounds() {
        each.push(one_by_one(signed)?.1);
        once.push(block_signed_once(records)?.1);
    }
    let (each, once) = (median(each), median(once));
    println!(
        "  a signature a record: {each:.0} CPU ns; a block and one signature: {once:.0}, {:.0} times less",
        each / once
    );
    for (what, ratio, asked) in [("framed log", raw, 5.0), ("pipeline", whole, 2.0)] {
        println!(
            "  {what} / best engine: {ratio:.1} (at least {asked} is asked): {}",
            if ratio >= asked { "met" } else { "NOT MET" }
        );
    }
    let framed = raw * best / large;
    println!(
        "  framed log / best engine with {LARGE_BATCH} records a sync as well: {framed:.1} (nothing is asked)"
    );
    if raw < 5.0 || whole < 2.0 {
        std::process::exit(1);
    }
    Ok(())
}
