//! The sealer: drains the rings, drops repeats, makes blocks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};

use knhk_evidence::block::{Block, BlockPosition, MAX_BLOCK_PAYLOAD_LEN, MAX_BLOCK_RECORDS, Payloads};
use knhk_evidence::entry::Entry;
use knhk_evidence::producers::ProducerAt;
use knhk_evidence::record::Record;
use knhk_evidence::state::LogState;
use rtrb::Consumer;

use super::StoreOptions;
use super::appender::{OpenedProducer, Slot, ended_at};
use super::levels::{Marks, Shared, StopOnPanic};
use super::writer::{Buffers, Message, Upto};

/// The sealer's end of a producer's ring.
#[derive(Debug)]
pub(super) struct Ring {
    slots: Consumer<Slot>,
    payloads: Consumer<u8>,
    marks: Arc<Marks>,
    ended: Arc<AtomicU64>,
    sector: u16,
    source: u32,
    epoch: u64,
    /// The number that continues the count.
    expected: u64,
    /// Appends taken from the ring.
    taken: u64,
    /// Appends that the writer was told of.
    told: u64,
}

impl Ring {
    pub(super) fn new(
        slots: Consumer<Slot>,
        payloads: Consumer<u8>,
        marks: Arc<Marks>,
        ended: Arc<AtomicU64>,
        opened: OpenedProducer,
    ) -> Self {
        let OpenedProducer { sector, at: ProducerAt { source, epoch, next } } = opened;
        Self { slots, payloads, marks, ended, sector, source, epoch, expected: next, taken: 0, told: 0 }
    }
}

/// The records that the next block of a sector is made of.
#[derive(Debug, Default)]
struct Filling {
    records: Vec<Record>,
    payloads: Vec<u8>,
    /// For the block's bytes.
    bytes: Vec<u8>,
}

pub(super) struct Sealer {
    rings: Vec<Ring>,
    new_rings: Receiver<Ring>,
    messages: SyncSender<Message>,
    used: Receiver<Buffers>,
    shared: Arc<Shared>,
    options: StoreOptions,
    /// Where each sector's next block goes. Its first sequence is that of the log, kept beside.
    positions: BTreeMap<u16, BlockPosition>,
    next_sequence: u64,
    filling: BTreeMap<u16, Filling>,
}

/// The writer has gone; there is nobody to seal for.
struct Gone;

impl Sealer {
    pub(super) fn new(
        state: &LogState,
        new_rings: Receiver<Ring>,
        messages: SyncSender<Message>,
        used: Receiver<Buffers>,
        shared: Arc<Shared>,
        options: StoreOptions,
    ) -> Self {
        let sectors = u16::try_from(knhk_evidence::intern::MAX_SECTORS).unwrap_or(u16::MAX);
        Self {
            rings: Vec::new(),
            new_rings,
            messages,
            used,
            shared,
            options,
            positions: (0..sectors).map(|sector| (sector, state.next_block(sector))).collect(),
            next_sequence: state.next_sequence(),
            filling: BTreeMap::new(),
        }
    }

    pub(super) fn run(mut self) {
        let _guard = StopOnPanic(Arc::clone(&self.shared));
        loop {
            // Asked before draining: what was appended before the store began to close is drained.
            let closing = self.shared.closing.load(Ordering::Acquire);
            match self.pass() {
                Err(Gone) => return,
                Ok(0) if closing => return,
                // A pass that filled less than a block leaves time for more to come.
                Ok(taken) if taken < MAX_BLOCK_RECORDS as u64 => {
                    std::thread::sleep(self.options.drain_interval);
                }
                Ok(_) => {}
            }
        }
    }

    /// Drains every ring once and seals what there is; gives how many appends were taken.
    fn pass(&mut self) -> Result<u64, Gone> {
        self.rings.extend(self.new_rings.try_iter());
        let mut taken = 0;
        let mut rings = std::mem::take(&mut self.rings);
        for at in 0..rings.len() {
            // A ring never holds up the others for longer than its own length.
            let mut left = rings[at].slots.slots();
            while left > 0 {
                let part = self.drain(&mut rings[at], left);
                left -= part;
                taken += part as u64;
                let sector = rings[at].sector;
                if left > 0 || self.filling.get(&sector).is_some_and(Filling::is_full) {
                    self.seal(sector, &mut rings)?;
                }
            }
        }
        let sectors: Vec<u16> = self.filling.keys().copied().collect();
        for sector in sectors {
            self.seal(sector, &mut rings)?;
        }
        self.retire(&mut rings)?;
        self.rings = rings;
        Ok(taken)
    }

    /// Takes up to `most` appends of a ring into its sector's block, as far as they fit.
    fn drain(&mut self, ring: &mut Ring, most: usize) -> usize {
        let filling = self.filling.entry(ring.sector).or_insert_with(|| {
            let (mut records, bytes) = self.used.try_recv().unwrap_or_default();
            records.clear();
            Filling { records, bytes, payloads: Vec::new() }
        });
        let room = MAX_BLOCK_RECORDS - filling.records.len();
        let Ok(chunk) = ring.slots.read_chunk(most.min(room)) else { return 0 };
        let (first, second) = chunk.as_slices();
        let (mut used, mut duplicates) = (0, 0);
        for Slot(record) in first.iter().chain(second) {
            let len = record.payload_len as usize;
            if filling.payloads.len() + len > MAX_BLOCK_PAYLOAD_LEN {
                break;
            }
            used += 1;
            let number = record.numbered().map_or(0, |place| place.number);
            let start = filling.payloads.len();
            if len > 0 {
                filling.payloads.resize(start + len, 0);
                // The payload was put into its ring before its record was put into this one.
                let _ = ring.payloads.pop_entire_slice(&mut filling.payloads[start..]);
            }
            if number < ring.expected {
                duplicates += 1;
                filling.payloads.truncate(start);
                continue;
            }
            ring.expected = number + 1;
            filling.records.push(*record);
        }
        chunk.commit(used);
        ring.taken += used as u64;
        if duplicates > 0 {
            self.shared.duplicates.fetch_add(duplicates, Ordering::Relaxed);
        }
        used
    }

    /// Seals a sector's block and hands it to the writer, with how far that takes each of the sector's producers.
    fn seal(&mut self, sector: u16, rings: &mut [Ring]) -> Result<(), Gone> {
        let Some(Filling { records, payloads, bytes }) = self.filling.remove(&sector) else { return Ok(()) };
        let upto = rings
            .iter_mut()
            .filter(|ring| ring.sector == sector && ring.taken > ring.told)
            .map(|ring| {
                ring.told = ring.taken;
                Upto { marks: Arc::clone(&ring.marks), appends: ring.taken }
            })
            .collect();
        let count = records.len() as u64;
        let entry = if records.is_empty() {
            // Nothing but repeats: they are as durable as what they repeat.
            None
        } else {
            match self.block(sector, records, bytes, &payloads) {
                Ok(entry) => Some(entry),
                Err(error) => {
                    self.shared.stop(&error.to_string());
                    return Err(Gone);
                }
            }
        };
        self.shared.sealed.fetch_add(count, Ordering::Relaxed);
        self.messages.send(Message::Sealed { entry: entry.map(Box::new), upto }).map_err(|_| Gone)
    }

    fn block(
        &mut self,
        sector: u16,
        records: Vec<Record>,
        bytes: Vec<u8>,
        payloads: &[u8],
    ) -> knhk_evidence::Result<Entry> {
        let start = BlockPosition { first_sequence: self.next_sequence, ..self.position(sector) };
        let block = Block::seal_into(start, records, bytes)?;
        let payloads = if payloads.is_empty() { None } else { Some(Payloads::join(&block, payloads)?) };
        self.next_sequence += u64::from(block.header().count);
        let next = BlockPosition { number: start.number + 1, previous: block.header().digest(), ..start };
        self.positions.insert(sector, next);
        Ok(Entry::Block { block, payloads })
    }

    fn position(&self, sector: u16) -> BlockPosition {
        let first =
            BlockPosition { sector, number: 0, previous: knhk_evidence::Hash::ZERO, first_sequence: 0 };
        self.positions.get(&sector).copied().unwrap_or(first)
    }

    /// Lets go of the rings whose producers have ended and whose last append was sealed.
    fn retire(&mut self, rings: &mut Vec<Ring>) -> Result<(), Gone> {
        let mut at = 0;
        while let Some(ring) = rings.get(at) {
            match ended_at(&ring.ended) {
                // Asked in this order: what was appended before the end is in the ring when the end is seen.
                Some(next) if ring.slots.is_empty() => {
                    let closed = ProducerAt { source: ring.source, epoch: ring.epoch, next };
                    self.messages.send(Message::Ended(closed)).map_err(|_| Gone)?;
                    rings.swap_remove(at);
                    self.shared.producers.fetch_sub(1, Ordering::AcqRel);
                }
                _ => at += 1,
            }
        }
        Ok(())
    }
}

impl Filling {
    fn is_full(&self) -> bool {
        self.records.len() >= MAX_BLOCK_RECORDS
    }
}
