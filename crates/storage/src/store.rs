//! The observation store: producers append in nanoseconds, a sealer and a writer make it durable behind them.
//!
//! ```text
//! Appender (a ring per producer) ─► sealer: blocks, hashes ─► writer: log, one sync and one signature a group
//!     accepted                                                  durable                     certified
//! ```
//!
//! An observation is *accepted* when [`Appender::append`] gives a ticket, *durable* when the group that holds it is
//! synced, and *certified* when the published checkpoint covers it, so that a receipt can be proven. "No loss" is promised
//! from durable on. What was accepted and never became durable shows as a gap in its producer's count
//! (`docs/formats/producers.md`). How the parts work together: `docs/store.md`.

mod appender;
mod levels;
mod sealer;
mod writer;

use std::io;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use knhk_evidence::SigningKey;
use knhk_evidence::block::MAX_BLOCK_RECORDS;
use knhk_evidence::checkpoint::Checkpoint;
use knhk_evidence::intern::Table;
use knhk_evidence::record::{RECORD_LEN, Record};

pub use self::appender::{Appender, Rejected, Ticket, WhenFull};
use self::levels::Shared;
pub use self::levels::{Level, Reached};
use self::sealer::{Ring, Sealer};
pub use self::writer::LogAccess;
use self::writer::{Message, Writer};
use crate::directory::Directory;
use crate::error::{Error, Result};
use crate::log::{Extent, Log, Options, Publish};
use crate::recovery::Recovery;
use crate::spare;

/// Slots of one ring, by default: 1 MiB.
pub const RING_SLOTS: usize = 8_192;
/// Bytes of one payload ring, by default.
pub const PAYLOAD_RING_LEN: usize = 1 << 20;
/// Slots of one ring at most: 1 GiB.
pub const MAX_RING_SLOTS: usize = 1 << 23;
/// Bytes of one payload ring at most.
pub const MAX_PAYLOAD_RING_LEN: usize = 1 << 30;
/// Producers that append at one time.
pub const MAX_PRODUCERS: usize = 4_096;
/// Sealed blocks that may wait for the writer.
pub const MAX_WAITING_BLOCKS: usize = 64;

/// Bytes that a store holds at most for observations without payload, whatever it is given: the producers' rings, the
/// blocks that wait for the writer or are being made, and one group. Payloads come on top, as long as they wait.
pub fn memory_len(producers: usize, slots: usize, payload_len: usize) -> usize {
    let rings = producers * (slots * size_of::<appender::Slot>() + payload_len);
    // A block holds its records twice: as they are, and encoded.
    let block = MAX_BLOCK_RECORDS * (size_of::<Record>() + RECORD_LEN);
    // One block is being filled and one written; a buffer that grows is copied into one twice as large.
    rings + (MAX_WAITING_BLOCKS + 2) * block + 4 * writer::GROUP_LEN
}

/// How a store works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreOptions {
    /// How long the sealer sleeps when there is nothing to do. Together with a sync it is the time from accepted to
    /// durable.
    pub drain_interval: Duration,
    /// How often the checkpoint is published, if the log has grown: the time from durable to certified at most.
    pub publish_interval: Duration,
    /// Segments that are kept, the one being written included; the older ones are dropped. `None` keeps all.
    pub keep_segments: Option<u32>,
    /// Whether segments are prepared ahead as files of zeros, which makes commits several times faster and takes up to
    /// 512 MiB of disk.
    pub prepare: bool,
    /// How much opening verifies.
    pub verify: Extent,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            drain_interval: Duration::from_millis(1),
            publish_interval: Duration::from_secs(1),
            keep_segments: None,
            prepare: true,
            verify: Extent::Whole,
        }
    }
}

/// How a producer appends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppenderOptions<'a> {
    /// Whose observations these are.
    pub sector: &'a str,
    /// The producer. One appender at a time may count for a source.
    pub source: &'a str,
    /// Observations that may wait for the sealer: 1 to [`MAX_RING_SLOTS`].
    pub slots: usize,
    /// Payload bytes that may wait for the sealer: up to [`MAX_PAYLOAD_RING_LEN`]. A larger payload is refused.
    pub payload_len: usize,
    /// What happens when they are all taken.
    pub when_full: WhenFull,
    /// Whether to go on in the source's present epoch, at [`Appender::next_number`], instead of beginning the next.
    pub go_on: bool,
}

impl Default for AppenderOptions<'_> {
    fn default() -> Self {
        Self {
            sector: "",
            source: "",
            slots: RING_SLOTS,
            payload_len: PAYLOAD_RING_LEN,
            when_full: WhenFull::Block,
            go_on: false,
        }
    }
}

/// What a store did so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Observations taken from the rings and not dropped.
    pub sealed: u64,
    /// Observations durable.
    pub durable: u64,
    /// Repeated numbers that were dropped.
    pub duplicates: u64,
    /// Appends that had to wait for room.
    pub blocked: u64,
    /// Appends refused for want of room.
    pub rejected: u64,
    /// Groups committed.
    pub commits: u64,
    /// Blocks committed.
    pub blocks: u64,
    /// Whether the disk is full: nothing is lost, the writer tries again.
    pub disk_full: bool,
}

/// A log with a sealer and a writer behind it. See the module.
#[derive(Debug)]
pub struct ObservationStore {
    shared: Arc<Shared>,
    /// Until the store is closed, as what follows.
    messages: Option<SyncSender<Message>>,
    rings: Option<mpsc::Sender<Ring>>,
    threads: Option<(JoinHandle<()>, JoinHandle<Result<Checkpoint>>)>,
    opening: Mutex<()>,
}

impl ObservationStore {
    /// Creates a log and its store. `time_ms` is now, Unix milliseconds.
    pub fn create(
        directory: impl Into<Directory>,
        key: &SigningKey,
        time_ms: i64,
        options: StoreOptions,
    ) -> Result<Self> {
        let directory = directory.into();
        if options.prepare {
            directory.create(directory.root())?;
            spare::prepare(&directory, spare::FIRST_SPARE_LEN)?;
        }
        Self::over(Log::create_with(directory, key, time_ms, log_options(options))?, options)
    }

    /// Opens a log and its store.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open(
        directory: impl Into<Directory>,
        key: &SigningKey,
        options: StoreOptions,
    ) -> Result<(Self, Recovery)> {
        let (mut log, recovery) = Log::open_with(directory, key, log_options(options))?;
        if options.prepare && log.present_segment_len() >= spare::FIRST_SPARE_LEN {
            // The room behind its frames is gone; the next segment is prepared.
            log.roll();
        }
        Ok((Self::over(log, options)?, recovery))
    }

    fn over(log: Log, options: StoreOptions) -> Result<Self> {
        let root = log.directory().root().to_owned();
        let shared = Arc::new(Shared::new(log.state().tables().len(Table::EventType)));
        let (messages, inbox) = mpsc::sync_channel(MAX_WAITING_BLOCKS);
        let (rings, new_rings) = mpsc::channel();
        let (used, to_use) = mpsc::channel();
        let sealer =
            Sealer::new(log.state(), new_rings, messages.clone(), to_use, Arc::clone(&shared), options);
        let writer = Writer::new(log, inbox, used, Arc::clone(&shared), options);
        let sealer =
            named("knhk-sealer", move || sealer.run()).map_err(Error::io("start a thread for", &root))?;
        let writer =
            named("knhk-writer", move || writer.run()).map_err(Error::io("start a thread for", &root))?;
        Ok(Self {
            messages: Some(messages),
            rings: Some(rings),
            threads: Some((sealer, writer)),
            shared,
            opening: Mutex::new(()),
        })
    }

    /// Opens an appender for a producer: its opening is durable when this returns.
    ///
    /// # Errors
    /// Refuses a source that another appender counts for, more than [`MAX_PRODUCERS`], sizes beyond their limits, and a
    /// store that has stopped.
    pub fn appender(&self, options: AppenderOptions<'_>, time_ms: i64) -> Result<Appender> {
        let limit = |what, actual: usize, limit: usize| knhk_evidence::Error::Limit {
            what,
            actual: actual as u64,
            limit: limit as u64,
        };
        if options.slots == 0 || options.slots > MAX_RING_SLOTS {
            return Err(limit("number of slots of a ring", options.slots, MAX_RING_SLOTS).into());
        }
        if options.payload_len > MAX_PAYLOAD_RING_LEN {
            return Err(limit("payload ring", options.payload_len, MAX_PAYLOAD_RING_LEN).into());
        }
        // One opens at a time, so that the count holds.
        let _opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        let producers = self.shared.producers.load(Ordering::Acquire);
        if producers >= MAX_PRODUCERS {
            return Err(limit("number of producers", producers + 1, MAX_PRODUCERS).into());
        }
        let (sector, source) = (options.sector.to_owned(), options.source.to_owned());
        let go_on = options.go_on;
        let opened = self.with_log(move |log| log.open_producer(&sector, &source, go_on, time_ms))??;
        let (appender, ring) = appender::pair(&options, opened, &self.shared);
        self.shared.producers.fetch_add(1, Ordering::AcqRel);
        // A sealer that has ended has stopped the store with it.
        let rings = self.rings.as_ref().ok_or_else(|| self.stopped())?;
        rings.send(ring).map_err(|_| self.stopped())?;
        Ok(appender)
    }

    /// The number of a text in a table; a new one is logged, and durable when this returns.
    pub fn intern(&self, table: Table, text: &str, time_ms: i64) -> Result<u32> {
        let text = text.to_owned();
        self.with_log(move |log| log.intern(table, &text, time_ms))?
    }

    /// Keeps every segment from this one on, whatever [`StoreOptions::keep_segments`] says: for who follows the log and
    /// must not be overtaken. `u32::MAX`, the default, holds nothing.
    pub fn hold_from(&self, segment: u32) {
        self.shared.hold_from.store(segment, Ordering::Release);
    }

    /// Does something with the log between two blocks, on the writer's thread; returns when it is durable.
    ///
    /// # Errors
    /// Fails when the store has stopped, before or while it was done.
    pub fn with_log<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut LogAccess<'_>) -> T + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = mpsc::sync_channel(1);
        let job = Message::job(work, answer);
        let messages = self.messages.as_ref().ok_or_else(|| self.stopped())?;
        messages.send(job).map_err(|_| self.stopped())?;
        answered.recv().map_err(|_| self.stopped())
    }

    /// Awaits a level of a ticket: a future, which can also be waited for without an executor.
    pub fn reached(&self, ticket: Ticket, level: Level) -> Reached {
        Reached::new(Arc::clone(&self.shared), ticket, level)
    }

    /// Whether a ticket's observation has reached a level.
    pub fn has_reached(&self, ticket: Ticket, level: Level) -> bool {
        self.reached(ticket, level).is_reached()
    }

    /// What the store did so far.
    pub fn counts(&self) -> Counts {
        self.shared.counts()
    }

    /// Ends in good order: takes what the rings hold, makes it durable, closes every producer's count, publishes the
    /// checkpoint. Close or drop the appenders first: one that is still appending is refused from some point on, and
    /// what it was given a ticket for after that point never becomes durable, which its ticket tells.
    ///
    /// # Errors
    /// What stopped the writer, if something did.
    pub fn close(mut self) -> Result<Checkpoint> {
        self.let_go();
        let Some((sealer, writer)) = self.threads.take() else { return Err(self.stopped()) };
        sealer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let closed = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // What was refused or could not be sealed stopped the store before it was closed.
        let cause = self.shared.stop("the store was closed");
        match closed {
            Ok(_) if cause != "the store was closed" => Err(Error::Poisoned { cause }),
            closed => closed,
        }
    }

    /// Takes no more; the threads end when they have done what is there.
    fn let_go(&mut self) {
        self.shared.closing.store(true, Ordering::Release);
        self.messages = None;
        self.rings = None;
    }

    fn stopped(&self) -> Error {
        Error::Poisoned { cause: self.shared.cause() }
    }
}

impl Drop for ObservationStore {
    /// A store that is dropped closes behind its owner's back, and nobody is told how that went. [`ObservationStore::close`]
    /// it instead.
    fn drop(&mut self) {
        self.let_go();
    }
}

/// A thread that tools which show a process's threads know by its name.
fn named<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work)
}

fn log_options(options: StoreOptions) -> Options {
    Options {
        publish: Publish::OnRequest,
        verify: options.verify,
        recycle: options.prepare,
        ..Options::default()
    }
}
