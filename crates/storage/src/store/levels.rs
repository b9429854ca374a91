//! How far each producer's observations have come, and who waits for it.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::Counts;
use super::appender::Ticket;
use crate::error::{Error, Result};

/// How far an observation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Synced to the disk, and found again after every crash.
    Durable,
    /// Under the published checkpoint: its receipt can be proven.
    Certified,
}

/// One producer's watermarks: how many of its appends have reached each level. A cache line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Marks {
    durable: AtomicU64,
    certified: AtomicU64,
}

impl Marks {
    fn all_reached() -> Self {
        Self { durable: AtomicU64::new(u64::MAX), certified: AtomicU64::new(u64::MAX) }
    }

    pub(crate) fn get(&self, level: Level) -> u64 {
        match level {
            Level::Durable => self.durable.load(Ordering::Acquire),
            Level::Certified => self.certified.load(Ordering::Acquire),
        }
    }

    pub(crate) fn set(&self, level: Level, appends: u64) {
        match level {
            Level::Durable => self.durable.store(appends, Ordering::Release),
            Level::Certified => self.certified.store(appends, Ordering::Release),
        }
    }
}

/// What is known of a producer for its tickets.
#[derive(Debug)]
enum Known {
    /// It appends, or what it appended is not certified yet.
    Live(Arc<Marks>),
    /// Everything it appended is certified.
    Done,
}

/// What the threads of a store and its appenders share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The store takes no more.
    pub(crate) closing: AtomicBool,
    /// Event types that have a number.
    pub(crate) event_types: AtomicU32,
    /// Segments from this one on are kept.
    pub(crate) hold_from: AtomicU32,
    pub(crate) sealed: AtomicU64,
    pub(crate) durable: AtomicU64,
    pub(crate) duplicates: AtomicU64,
    pub(crate) blocked: AtomicU64,
    pub(crate) rejected: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) blocks: AtomicU64,
    pub(crate) disk_full: AtomicBool,
    /// Producers that append.
    pub(crate) producers: AtomicUsize,
    /// Every producer's marks, by the number in its tickets.
    marks: Mutex<Vec<Known>>,
    waiting: Mutex<Waiting>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    /// By the number of who waits.
    wakers: BTreeMap<u64, Waker>,
    next: u64,
    /// Why nothing will move any more.
    stopped: Option<String>,
}

impl Shared {
    pub(crate) fn new(event_types: u32) -> Self {
        Self {
            closing: AtomicBool::new(false),
            event_types: AtomicU32::new(event_types),
            hold_from: AtomicU32::new(u32::MAX),
            sealed: AtomicU64::new(0),
            durable: AtomicU64::new(0),
            duplicates: AtomicU64::new(0),
            blocked: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            blocks: AtomicU64::new(0),
            disk_full: AtomicBool::new(false),
            producers: AtomicUsize::new(0),
            marks: Mutex::default(),
            waiting: Mutex::default(),
            moved: Condvar::new(),
        }
    }

    /// Marks for a new producer, and the number by which its tickets name them.
    pub(crate) fn new_marks(&self) -> (Arc<Marks>, usize) {
        let mut all = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() == all.capacity() {
            // Before more is kept, what nobody moves any more is let go: appender, sealer and writer are done with it.
            for known in all.iter_mut() {
                if matches!(known, Known::Live(marks) if Arc::strong_count(marks) == 1) {
                    *known = Known::Done;
                }
            }
        }
        let marks = Arc::new(Marks::default());
        all.push(Known::Live(Arc::clone(&marks)));
        (marks, all.len() - 1)
    }

    /// The marks that a ticket's producer has now; those of one that is done are all reached.
    fn marks(&self, number: usize) -> Option<Arc<Marks>> {
        match self.marks.lock().unwrap_or_else(PoisonError::into_inner).get(number)? {
            Known::Live(marks) => Some(Arc::clone(marks)),
            Known::Done => Some(Arc::new(Marks::all_reached())),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes whoever waits, after marks were set.
    pub(crate) fn wake(&self) {
        let wakers = std::mem::take(&mut self.waiting().wakers);
        self.moved.notify_all();
        wakers.into_values().for_each(Waker::wake);
    }

    /// Says that nothing will move any more. The first cause stands, and is given back.
    pub(crate) fn stop(&self, cause: &str) -> String {
        let cause = self.waiting().stopped.get_or_insert_with(|| cause.to_owned()).clone();
        self.closing.store(true, Ordering::Release);
        self.wake();
        cause
    }

    pub(crate) fn cause(&self) -> String {
        self.waiting().stopped.clone().unwrap_or_else(|| "the store was closed".to_owned())
    }

    pub(crate) fn counts(&self) -> Counts {
        let get = |count: &AtomicU64| count.load(Ordering::Acquire);
        Counts {
            sealed: get(&self.sealed),
            durable: get(&self.durable),
            duplicates: get(&self.duplicates),
            blocked: get(&self.blocked),
            rejected: get(&self.rejected),
            commits: get(&self.commits),
            blocks: get(&self.blocks),
            disk_full: self.disk_full.load(Ordering::Acquire),
        }
    }
}

/// Becomes ready when a ticket's observation has reached a level, or when it is certain that it never will.
#[derive(Debug)]
pub struct Reached {
    shared: Arc<Shared>,
    /// `None` for a ticket of another store.
    marks: Option<Arc<Marks>>,
    appends: u64,
    level: Level,
    /// Under which number its task waits, if it does.
    number: Option<u64>,
}

impl Reached {
    pub(super) fn new(shared: Arc<Shared>, ticket: Ticket, level: Level) -> Self {
        Self { marks: shared.marks(ticket.producer), shared, appends: ticket.appends, level, number: None }
    }

    /// Whether it has.
    pub fn is_reached(&self) -> bool {
        self.marks.as_ref().is_some_and(|marks| marks.get(self.level) >= self.appends)
    }

    /// Whether it has; an error when it never will.
    fn now(&self, waiting: &Waiting) -> Option<Result<()>> {
        if self.is_reached() {
            return Some(Ok(()));
        }
        waiting.stopped.as_ref().map(|cause| Err(Error::Poisoned { cause: cause.clone() }))
    }

    /// Blocks this thread until then.
    pub fn wait(&self) -> Result<()> {
        let mut waiting = self.shared.waiting();
        loop {
            if let Some(done) = self.now(&waiting) {
                return done;
            }
            waiting = self.shared.moved.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Future for Reached {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // Marks are set before the lock is taken to wake, so a mark that is missed here wakes this task later.
        let this = self.get_mut();
        let mut waiting = this.shared.waiting();
        if let Some(done) = this.now(&waiting) {
            return Poll::Ready(done);
        }
        let number = *this.number.get_or_insert_with(|| {
            waiting.next = waiting.next.wrapping_add(1);
            waiting.next
        });
        waiting.wakers.insert(number, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Reached {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.shared.waiting().wakers.remove(&number);
        }
    }
}

/// Stops the store when a thread of it ends without having said why: by a panic.
pub(crate) struct StopOnPanic(pub(crate) Arc<Shared>);

impl Drop for StopOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop("a thread of the store panicked");
        }
    }
}
