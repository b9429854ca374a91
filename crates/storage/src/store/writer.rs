//! The writer: the one thread that owns the log. It takes what waits, commits it as one group, and moves the marks.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use knhk_evidence::SigningKey;
use knhk_evidence::checkpoint::Checkpoint;
use knhk_evidence::entry::Entry;
use knhk_evidence::input::{Input, InputKind};
use knhk_evidence::intern::Table;
use knhk_evidence::producers::ProducerAt;
use knhk_evidence::receipt::Signed;
use knhk_evidence::record::Record;
use knhk_evidence::state::LogState;

use super::StoreOptions;
use super::appender::OpenedProducer;
use super::levels::{Level, Marks, Shared, StopOnPanic};
use crate::error::{Error, Result};
use crate::log::Log;
use crate::spare;

/// Bytes of a group from which on it is committed, whatever else waits: 8 MiB.
pub(super) const GROUP_LEN: usize = 8 << 20;
/// How long the writer waits before it tries a full disk again.
const FULL_DISK_PAUSE: Duration = Duration::from_millis(50);

/// The memory of a block's records and of its bytes.
pub(super) type Buffers = (Vec<Record>, Vec<u8>);

/// How far a block takes one producer.
pub(super) struct Upto {
    pub(super) marks: Arc<Marks>,
    pub(super) appends: u64,
}

/// What the writer is given, in the order in which it stands in the log.
pub(super) enum Message {
    /// A block, if there was more than repeats, and whom it concerns.
    Sealed { entry: Option<Box<Entry>>, upto: Vec<Upto> },
    /// A producer's count is complete up to here.
    Ended(ProducerAt),
    /// Somebody wants to do something with the log.
    Job(Box<dyn Job>),
}

/// Work on the log, and its answer once it is durable.
pub(super) trait Job: Send {
    fn work(&mut self, log: &mut LogAccess<'_>);
    fn answer(self: Box<Self>);
}

struct Work<F, T> {
    undone: Option<F>,
    done: Option<T>,
    answer: SyncSender<T>,
}

impl<F, T> Job for Work<F, T>
where
    F: FnOnce(&mut LogAccess<'_>) -> T + Send,
    T: Send,
{
    fn work(&mut self, log: &mut LogAccess<'_>) {
        self.done = self.undone.take().map(|work| work(log));
    }

    fn answer(self: Box<Self>) {
        if let Some(done) = self.done {
            // Whoever asked may have stopped waiting.
            let _ = self.answer.send(done);
        }
    }
}

impl Message {
    pub(super) fn job<T: Send + 'static>(
        work: impl FnOnce(&mut LogAccess<'_>) -> T + Send + 'static,
        answer: SyncSender<T>,
    ) -> Self {
        Self::Job(Box::new(Work { undone: Some(work), done: None, answer }))
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sealed { .. } => "Sealed",
            Self::Ended(_) => "Ended",
            Self::Job(_) => "Job",
        })
    }
}

/// What may be done with a log while a store runs over it: everything but blocks, which come from the appenders.
#[derive(Debug)]
pub struct LogAccess<'a> {
    log: &'a mut Log,
    /// Sources that an appender counts for.
    counting: &'a mut BTreeSet<u32>,
}

impl LogAccess<'_> {
    /// What the log allows next.
    pub fn state(&self) -> &LogState {
        self.log.state()
    }

    /// The key in force.
    pub fn key(&self) -> &SigningKey {
        self.log.key()
    }

    /// Appends an input.
    pub fn append_input(&mut self, input: Input) -> Result<u64> {
        self.log.append_input(input)
    }

    /// Appends a receipt.
    pub fn append_receipt(&mut self, signed: Signed, body: Vec<u8>) -> Result<u64> {
        self.log.append_receipt(signed, body)
    }

    /// The number of a text in a table; a new one is logged.
    pub fn intern(&mut self, table: Table, text: &str, time_ms: i64) -> Result<u32> {
        self.log.intern(table, text, time_ms)
    }

    /// Hands the log over to another key.
    pub fn rotate_key(&mut self, new: SigningKey, time_ms: i64) -> Result<u64> {
        self.log.rotate_key(new, time_ms)
    }

    /// Erases payloads: see [`Log::erase`].
    pub fn erase(&mut self, sequences: &BTreeSet<u64>) -> Result<u64> {
        self.log.erase(sequences)
    }

    pub(super) fn open_producer(
        &mut self,
        sector: &str,
        source: &str,
        go_on: bool,
        time_ms: i64,
    ) -> Result<OpenedProducer> {
        let sector = self.log.intern(Table::Sector, sector, time_ms)?;
        let source_id = self.log.intern(Table::Source, source, time_ms)?;
        if self.counting.contains(&source_id) {
            return Err(Error::ProducerOpen { producer: source.to_owned() });
        }
        let producers = self.log.state().producers();
        let at = match producers.count(source_id) {
            Some(count) if go_on && count.open => {
                ProducerAt { source: source_id, epoch: count.epoch, next: count.next }
            }
            _ => producers.next_epoch(source_id),
        };
        self.log.append_input(Input::new(InputKind::ProducerOpened, None, time_ms, &at)?)?;
        self.counting.insert(source_id);
        // Sectors are at most 1,024.
        Ok(OpenedProducer { sector: u16::try_from(sector).unwrap_or(u16::MAX), at })
    }
}

pub(super) struct Writer {
    log: Log,
    inbox: Receiver<Message>,
    /// The memory of blocks that are in the log, for the sealer's next ones.
    used: Sender<Buffers>,
    shared: Arc<Shared>,
    options: StoreOptions,
    counting: BTreeSet<u32>,
    /// Of the group being made.
    upto: Vec<Upto>,
    jobs: Vec<Box<dyn Job>>,
    blocks: u64,
    observations: u64,
    /// Durable and not yet under the published checkpoint.
    uncertified: Vec<Upto>,
    published: Instant,
    preparing: Option<JoinHandle<Result<bool>>>,
    spare_len: u64,
    segment: Option<u32>,
}

impl Writer {
    pub(super) fn new(
        log: Log,
        inbox: Receiver<Message>,
        used: Sender<Buffers>,
        shared: Arc<Shared>,
        options: StoreOptions,
    ) -> Self {
        Self {
            log,
            inbox,
            used,
            shared,
            options,
            counting: BTreeSet::new(),
            upto: Vec::new(),
            jobs: Vec::new(),
            blocks: 0,
            observations: 0,
            uncertified: Vec::new(),
            published: Instant::now(),
            preparing: None,
            spare_len: spare::FIRST_SPARE_LEN,
            segment: None,
        }
    }

    /// Works until nobody can send any more, then closes the log.
    pub(super) fn run(mut self) -> Result<Checkpoint> {
        let _guard = StopOnPanic(Arc::clone(&self.shared));
        if let Err(error) = self.work() {
            self.shared.stop(&error.to_string());
            return Err(error);
        }
        if let Some(preparing) = self.preparing.take() {
            // A spare is a convenience; that it failed is told when a segment is written without it.
            let _ = preparing.join();
        }
        spare::remove_unfinished(&self.log.directory())?;
        let checkpoint = self.log.close()?;
        mark(&self.uncertified, Level::Certified);
        self.shared.wake();
        Ok(checkpoint)
    }

    fn work(&mut self) -> Result<()> {
        self.prepare();
        loop {
            let wait = self.options.publish_interval.saturating_sub(self.published.elapsed());
            match self.inbox.recv_timeout(wait) {
                Ok(message) => {
                    self.take(message)?;
                    while self.log.group_len() < GROUP_LEN
                        && let Ok(message) = self.inbox.try_recv()
                    {
                        self.take(message)?;
                    }
                    self.commit()?;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if self.published.elapsed() >= self.options.publish_interval {
                self.publish()?;
            }
        }
    }

    fn take(&mut self, message: Message) -> Result<()> {
        match message {
            Message::Sealed { entry, upto } => {
                if let Some(entry) = entry {
                    if let Entry::Block { block, .. } = &*entry {
                        self.blocks += 1;
                        self.observations += u64::from(block.header().count);
                    }
                    self.log.append(&entry)?;
                    if let Entry::Block { block, .. } = *entry {
                        // A sealer that has ended needs none.
                        let _ = self.used.send(block.into_buffers());
                    }
                }
                self.upto.extend(upto);
            }
            Message::Ended(at) => {
                let time_ms = self.log.state().time_ms();
                self.log.append_input(Input::new(InputKind::ProducerClosed, None, time_ms, &at)?)?;
                self.counting.remove(&at.source);
            }
            Message::Job(mut job) => {
                job.work(&mut LogAccess { log: &mut self.log, counting: &mut self.counting });
                let event_types = self.log.state().tables().len(Table::EventType);
                self.shared.event_types.store(event_types, Ordering::Release);
                self.jobs.push(job);
            }
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        self.write_group()?;
        mark(&self.upto, Level::Durable);
        self.shared.durable.fetch_add(std::mem::take(&mut self.observations), Ordering::Relaxed);
        self.shared.blocks.fetch_add(std::mem::take(&mut self.blocks), Ordering::Relaxed);
        self.shared.commits.fetch_add(1, Ordering::Release);
        self.remember_uncertified();
        self.jobs.drain(..).for_each(Job::answer);
        self.shared.wake();
        self.follow_segments()
    }

    /// Makes the group durable, however long the disk is full.
    fn write_group(&mut self) -> Result<()> {
        loop {
            match self.log.commit() {
                Ok(_) => break,
                Err(Error::NoSpace { .. }) => {
                    self.shared.disk_full.store(true, Ordering::Release);
                    if self.shared.closing.load(Ordering::Acquire) {
                        // Whoever closes is told that the last group is not on the disk.
                        return self.log.commit().map(drop);
                    }
                    std::thread::sleep(FULL_DISK_PAUSE);
                }
                Err(error) => return Err(error),
            }
        }
        self.shared.disk_full.store(false, Ordering::Release);
        Ok(())
    }

    /// Of each producer only the latest place matters.
    fn remember_uncertified(&mut self) {
        for upto in self.upto.drain(..) {
            match self.uncertified.iter_mut().find(|known| Arc::ptr_eq(&known.marks, &upto.marks)) {
                Some(known) => known.appends = upto.appends,
                None => self.uncertified.push(upto),
            }
        }
    }

    fn publish(&mut self) -> Result<()> {
        self.published = Instant::now();
        if !self.log.is_published() {
            self.log.publish()?;
        }
        if self.log.is_published() && !self.uncertified.is_empty() {
            mark(&self.uncertified, Level::Certified);
            self.uncertified.clear();
            self.shared.wake();
        }
        Ok(())
    }

    /// A new segment was begun: the next is prepared, the oldest may go.
    fn follow_segments(&mut self) -> Result<()> {
        let present = self.log.present_segment();
        if self.segment == Some(present) {
            return Ok(());
        }
        if self.segment.is_some() {
            self.spare_len = spare::next_len(self.spare_len);
        }
        self.segment = Some(present);
        if let Some(keep) = self.options.keep_segments {
            let oldest = (present + 1).saturating_sub(keep.max(1));
            let from = oldest.min(self.shared.hold_from.load(Ordering::Acquire));
            if from > self.log.segments()?.start {
                let time_ms = self.log.state().time_ms();
                match self.log.retain_from(from, None, "keep_segments", time_ms) {
                    Err(Error::NoSpace { .. }) => {
                        // What was begun is finished, and the next commit tries again.
                        self.segment = None;
                        self.write_group()?;
                    }
                    dropped => {
                        dropped?;
                    }
                }
            }
        }
        self.prepare();
        Ok(())
    }

    fn prepare(&mut self) {
        if !self.options.prepare || self.preparing.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return;
        }
        let (directory, len) = (self.log.directory(), self.spare_len);
        // Without a spare the log is slower and as safe, so a failure (a full disk) is no reason to stop.
        let prepare = move || {
            while spare::prepare(&directory, len)? {}
            Ok(true)
        };
        self.preparing = super::named("knhk-spare", prepare).ok();
    }
}

fn mark(upto: &[Upto], level: Level) {
    for Upto { marks, appends } in upto {
        marks.set(level, *appends);
    }
}
