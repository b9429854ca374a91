//! Appending: one wait-free ring per producer, no lock, no allocation, no clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use knhk_evidence::Hash;
use knhk_evidence::producers::ProducerAt;
use knhk_evidence::record::{NO_PAYLOAD, Numbered, Record};
use rtrb::{Consumer, Producer, PushError, RingBuffer};

use super::AppenderOptions;
use super::levels::{Level, Marks, Shared};
use super::sealer::Ring;

/// How long an append that waits for room sleeps between two tries.
const WAIT_FOR_ROOM: Duration = Duration::from_micros(50);
/// "The producer has not ended its count."
const NOT_ENDED: u64 = u64::MAX;

/// What to do when the ring is full. Nothing is ever overwritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// Wait for room; counted.
    Block,
    /// Refuse with [`Rejected::Full`]; counted. The caller keeps the observation, its number is not used up.
    Reject,
}

/// Why an append was not taken. The observation is still the caller's, under the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// No room: the sealer, the disk or both are behind.
    #[error("the ring is full: append again later, slow down, or open the appender with more slots")]
    Full,
    /// The store is closing, or has stopped.
    #[error("the store takes no more: open it again and append from the number that its count expects")]
    Closed,
    /// The record is none that a log takes.
    #[error("the record is wrong: {why}")]
    Invalid {
        /// What is wrong with it.
        why: &'static str,
    },
    /// The payload is larger than the payload ring.
    #[error("a payload of {len} bytes does not fit the payload ring: open the appender with a larger one")]
    TooLong {
        /// Bytes of the payload.
        len: usize,
    },
}

impl Rejected {
    /// The stable code: what `knhk explain` takes.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Full => "KNHK-E1230",
            Self::Closed => "KNHK-E1231",
            Self::TooLong { .. } => "KNHK-E1232",
            Self::Invalid { .. } => "KNHK-E1234",
        }
    }
}

/// A place in a ring: two cache lines, so that neighbours do not share one.
#[derive(Debug, Clone, Copy)]
#[repr(align(128))]
pub(super) struct Slot(pub(super) Record);

/// Proof that an observation was accepted. Ask the store how far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// Number of the producer in its store.
    pub(super) producer: usize,
    /// Appends of this appender up to and including this one.
    pub(super) appends: u64,
    /// Its number in its producer's count.
    pub number: u64,
}

/// A producer's way into the store. One thread uses it at a time; it can move between threads.
#[derive(Debug)]
pub struct Appender {
    slots: Producer<Slot>,
    payloads: Producer<u8>,
    marks: Arc<Marks>,
    producer: usize,
    ended: Arc<AtomicU64>,
    shared: Arc<Shared>,
    when_full: WhenFull,
    sector: u16,
    source: u32,
    epoch: u64,
    next: u64,
    appends: u64,
}

/// Where a producer's count begins in the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenedProducer {
    pub(super) sector: u16,
    pub(super) at: ProducerAt,
}

/// Both ends of a producer's ring. Its memory is touched here, so that the first appends do not pay for it.
pub(super) fn pair(
    options: &AppenderOptions<'_>,
    opened: OpenedProducer,
    shared: &Arc<Shared>,
) -> (Appender, Ring) {
    let (slots, slots_out) = touched(options.slots, Slot(Record::default()));
    let (payloads, payloads_out) = touched(options.payload_len, 0);
    let (marks, producer) = shared.new_marks();
    let ended = Arc::new(AtomicU64::new(NOT_ENDED));
    let ring = Ring::new(slots_out, payloads_out, Arc::clone(&marks), Arc::clone(&ended), opened);
    let ProducerAt { source, epoch, next } = opened.at;
    let appender = Appender {
        slots,
        payloads,
        marks,
        producer,
        ended,
        shared: Arc::clone(shared),
        when_full: options.when_full,
        sector: opened.sector,
        source,
        epoch,
        next,
        appends: 0,
    };
    (appender, ring)
}

fn touched<T: Copy>(capacity: usize, value: T) -> (Producer<T>, Consumer<T>) {
    let (mut into, mut out) = RingBuffer::new(capacity);
    while into.push(value).is_ok() {}
    while out.pop().is_ok() {}
    (into, out)
}

impl Appender {
    /// The number that the next append takes.
    pub fn next_number(&self) -> u64 {
        self.next
    }

    /// The epoch of its count.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Accepts an observation without payload under the next number. Sector, source and identity of the record are set
    /// here, its sequence when it is sealed.
    ///
    /// Never allocates or locks, and with room in the ring never waits.
    ///
    /// # Errors
    /// [`Rejected`]; the number is then not used up.
    #[inline]
    pub fn append(&mut self, record: &Record) -> Result<Ticket, Rejected> {
        if record.payload_len != 0 {
            return Err(Rejected::Invalid { why: "it names a payload, and none was given" });
        }
        self.check(record)?;
        // Whatever the caller left there: beside a payload of another record in its block it would be refused.
        self.push(record, NO_PAYLOAD)
    }

    /// Accepts an observation with its payload, exactly as it was received. Its length and SHA-256 are set here.
    ///
    /// # Errors
    /// [`Rejected`]; nothing of it is then in the ring.
    pub fn append_with_payload(&mut self, record: &Record, payload: &[u8]) -> Result<Ticket, Rejected> {
        let mut record = *record;
        let fits = payload.len() <= self.payloads.buffer().capacity();
        if !fits || record.set_payload(payload).is_err() {
            return Err(Rejected::TooLong { len: payload.len() });
        }
        self.check(&record)?;
        // Only this thread fills the rings: room that is there stays there.
        while self.slots.is_full() || self.payloads.push_entire_slice(payload).is_err() {
            self.wait_for_room()?;
        }
        self.push(&record, record.payload_sha256)
    }

    /// Goes on with a number of the producer's own: a retry, which is dropped if the log has the number already, or a
    /// later one, which leaves a gap that the log will show.
    ///
    /// # Errors
    /// [`Rejected::Closed`] for the last number there is, which cannot be counted on.
    pub fn set_next_number(&mut self, number: u64) -> Result<(), Rejected> {
        if number == NOT_ENDED {
            return Err(Rejected::Closed);
        }
        self.next = number;
        Ok(())
    }

    /// A handle on everything appended so far.
    pub fn ticket(&self) -> Ticket {
        Ticket { producer: self.producer, appends: self.appends, number: self.next.wrapping_sub(1) }
    }

    /// Appends so far, and how many of them have reached a level.
    pub fn progress(&self, level: Level) -> (u64, u64) {
        (self.appends, self.marks.get(level))
    }

    /// Refuses what a block would refuse: one producer's mistake must not stop the others.
    #[inline]
    fn check(&self, record: &Record) -> Result<(), Rejected> {
        if self.shared.closing.load(Ordering::Relaxed) {
            return Err(Rejected::Closed);
        }
        if u32::from(record.event_type) >= self.shared.event_types.load(Ordering::Relaxed) {
            return Err(Rejected::Invalid { why: "its event type has no number: intern it first" });
        }
        record.check().map_err(|_| Rejected::Invalid { why: "a reserved flag is set" })
    }

    #[inline]
    fn push(&mut self, record: &Record, payload_sha256: Hash) -> Result<Ticket, Rejected> {
        let mut slot = Slot(Record { payload_sha256, ..*record });
        slot.0.sector = self.sector;
        slot.0.source = self.source;
        slot.0.set_numbered(Numbered { epoch: self.epoch, number: self.next });
        if let Err(PushError::Full(slot)) = self.slots.push(slot) {
            self.place_when_there_is_room(slot)?;
        }
        self.next += 1;
        self.appends += 1;
        Ok(self.ticket())
    }

    #[cold]
    fn place_when_there_is_room(&mut self, mut slot: Slot) -> Result<(), Rejected> {
        loop {
            self.wait_for_room()?;
            match self.slots.push(slot) {
                Ok(()) => return Ok(()),
                Err(PushError::Full(back)) => slot = back,
            }
        }
    }

    #[cold]
    fn wait_for_room(&mut self) -> Result<(), Rejected> {
        if self.slots.is_abandoned() || self.shared.closing.load(Ordering::Relaxed) {
            return Err(Rejected::Closed);
        }
        if self.when_full == WhenFull::Reject {
            self.shared.rejected.fetch_add(1, Ordering::Relaxed);
            return Err(Rejected::Full);
        }
        self.shared.blocked.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(WAIT_FOR_ROOM);
        Ok(())
    }

    /// Ends the producer's count: everything appended is sealed, then the log says that the count is complete. Dropping
    /// the appender does the same.
    pub fn close(self) {}
}

impl Drop for Appender {
    fn drop(&mut self) {
        self.ended.store(self.next, Ordering::Release);
    }
}

/// Where a producer ended its count, if it has.
pub(super) fn ended_at(ended: &AtomicU64) -> Option<u64> {
    Some(ended.load(Ordering::Acquire)).filter(|next| *next != NOT_ENDED)
}
