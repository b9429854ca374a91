//! What the benchmarks append, and how a producer keeps to a rate.

use std::time::{Duration, Instant};

use knhk_evidence::SigningKey;
use knhk_evidence::intern::Table;
use knhk_evidence::record::{NO_PAYLOAD, Record};
use knhk_storage::ObservationStore;
use knhk_storage::store::{Appender, AppenderOptions, StoreOptions, WhenFull};
use std::path::Path;

use crate::error::CliError;
use crate::session::now_ms;

/// How long a producer sleeps when nothing is due.
const STEP: Duration = Duration::from_millis(1);

/// A record like those of sensors: fixed, without payload. Distinct by its number.
pub(crate) fn record(number: u64, time_ms: i64) -> Record {
    let mut record = Record { event_time_ms: time_ms, ingest_time_ms: time_ms, ..Record::default() };
    record.data_digest[..8].copy_from_slice(&number.to_le_bytes());
    record.trace_id[8..].copy_from_slice(&number.to_be_bytes());
    record.payload_sha256 = NO_PAYLOAD;
    record
}

/// A key for one run.
pub(crate) fn key() -> Result<SigningKey, CliError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|why| CliError::Random { why: why.to_string() })?;
    Ok(SigningKey::generate(seed, b"bench"))
}

/// A new store that knows the event type of [`record`].
pub(crate) fn store(dir: &Path, options: StoreOptions) -> Result<ObservationStore, CliError> {
    let store = ObservationStore::create(dir, &key()?, now_ms(), options)?;
    store.intern(Table::EventType, "bench.observation", now_ms())?;
    Ok(store)
}

/// One appender for each producer.
pub(crate) fn appenders(
    store: &ObservationStore,
    producers: usize,
    slots: usize,
    when_full: WhenFull,
) -> Result<Vec<Appender>, CliError> {
    let open = |number| {
        let source = format!("producer-{number}");
        let options = AppenderOptions {
            sector: "bench",
            source: &source,
            slots,
            payload_len: 0,
            when_full,
            go_on: false,
        };
        store.appender(options, now_ms())
    };
    Ok((0..producers).map(open).collect::<Result<_, _>>()?)
}

/// Says how many things are due at a rate, and sleeps when none is.
#[derive(Debug)]
pub(crate) struct Pace {
    start: Instant,
    end: Instant,
    per_second: f64,
    done: u64,
}

impl Pace {
    /// From now on for this long. A rate of 0 is as fast as it goes, in steps of 256.
    pub(crate) fn new(per_second: f64, how_long: Duration) -> Self {
        let start = Instant::now();
        Self { start, end: start + how_long, per_second, done: 0 }
    }

    /// How many are due now, at least one; `None` when the time is over.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of one run")]
    pub(crate) fn due(&mut self) -> Option<u64> {
        loop {
            let now = Instant::now();
            let until = now.min(self.end);
            let due = if self.per_second > 0.0 {
                ((until - self.start).as_secs_f64() * self.per_second) as u64 - self.done
            } else if now < self.end {
                256
            } else {
                0
            };
            if due > 0 {
                self.done += due;
                return Some(due);
            }
            if now >= self.end {
                return None;
            }
            std::thread::sleep(STEP);
        }
    }
}
