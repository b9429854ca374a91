//! What the log must hold, kept as plainly as possible: entries by index, and every checkpoint that was ever shown.

use std::collections::BTreeMap;

use knhk_evidence::checkpoint::{Checkpoint, UnverifiedCheckpoint};
use knhk_evidence::entry::Entry;
use knhk_evidence::input::{Input, InputKind};
use knhk_evidence::producers::{Lost, ProducerAt};
use knhk_evidence::record::Record;
use knhk_evidence::{Hash, canonical};

/// What became of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Erased {
    No,
    Yes,
    /// Erasing it was stopped or failed, and it may come back.
    Perhaps,
}

/// An entry as it was handed to the log.
#[derive(Debug, Clone)]
pub(crate) enum Expected {
    Key { old: Option<String>, new: String },
    Block { sector: u16, records: Vec<Record>, payloads: Vec<(Vec<u8>, Erased)> },
    Receipt { bytes: Vec<u8>, signature: Vec<u8>, body: Vec<u8> },
    Input(Input),
    Retained { reason: String },
}

impl Expected {
    /// Compares it with what the log holds.
    fn compare(&self, actual: &Entry) -> Result<(), String> {
        let same = match (self, actual) {
            (Self::Key { old, new }, Entry::KeyChange(change)) => *old == change.old && *new == change.new,
            (Self::Input(input), Entry::Input(actual)) => input == actual,
            (Self::Retained { reason }, Entry::Input(actual)) => {
                retained_from(actual).is_some_and(|(_, said)| said == *reason)
            }
            (Self::Receipt { bytes, signature, body }, Entry::Receipt { signed, body: actual }) => {
                bytes == signed.bytes() && signature == signed.signature() && body == actual
            }
            (Self::Block { sector, records, payloads: expected }, Entry::Block { block, payloads }) => {
                for (i, (payload, erased)) in expected.iter().enumerate() {
                    let held = payloads.as_ref().map_or(Some(&[][..]), |payloads| payloads.get(i));
                    let gone = held.is_none();
                    match *erased {
                        Erased::No if gone => return Err(format!("payload {i} is gone")),
                        Erased::Yes if !gone => return Err(format!("payload {i} was erased and is there")),
                        // What an erasure that failed had done may come back, so nothing is settled.
                        _ => {}
                    }
                    if held.is_some_and(|held| held != payload.as_slice()) {
                        return Err(format!("payload {i} has other bytes"));
                    }
                }
                block.header().sector == *sector && block.records() == records.as_slice()
            }
            _ => false,
        };
        if same { Ok(()) } else { Err(format!("expected {self:?}, found {actual:?}")) }
    }
}

/// From which entry on a `log_retained` input keeps the log, and why.
pub(crate) fn retained_from(input: &Input) -> Option<(u64, String)> {
    let retained: knhk_evidence::sealed::Retained = (input.kind == InputKind::LogRetained)
        .then(|| canonical::from_bytes_exact(&input.body.0).unwrap())?;
    Some((retained.from, retained.reason))
}

/// Everything that was promised.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// Entries that were acknowledged as durable, by index; those in between are the log's own seals.
    pub(crate) entries: BTreeMap<u64, Expected>,
    /// Size of the log that was acknowledged.
    pub(crate) size: u64,
    /// Index of the first entry that is there.
    pub(crate) first: u64,
    /// Entries before this one were dropped for good; what a retention that failed had dropped may come back.
    pub(crate) gone: u64,
    /// Entries that were appended since.
    open: Vec<(u64, Expected)>,
    /// Size of the log if the group of `open` becomes durable; `None` before its commit was tried.
    tried: Option<u64>,
    /// Every checkpoint that anyone may have seen, with its note.
    pub(crate) shown: BTreeMap<u64, (Hash, String)>,
}

impl Model {
    pub(crate) fn append(&mut self, index: u64, entry: Expected) {
        self.open.push((index, entry));
    }

    /// A commit begins, which would make the log this large.
    pub(crate) fn try_commit(&mut self, size: u64) {
        self.tried = Some(size);
    }

    /// A commit was acknowledged.
    pub(crate) fn acknowledge(&mut self, checkpoint: &Checkpoint, note: &str) {
        self.size = checkpoint.size;
        self.entries.extend(self.open.drain(..));
        self.tried = None;
        self.show(checkpoint, note);
    }

    /// The log's newest checkpoint is this one: if it is of the group that was tried, that is acknowledged.
    pub(crate) fn committed_up_to(&mut self, note: &str) {
        let checkpoint = UnverifiedCheckpoint::parse(note).unwrap();
        if self.tried == Some(checkpoint.claimed().size) {
            self.acknowledge(checkpoint.claimed(), note);
        }
    }

    /// The size that the log has if everything appended becomes durable.
    pub(crate) fn tried_or_size(&self) -> u64 {
        self.open.last().map_or(self.size, |(index, _)| index + 1)
    }

    fn show(&mut self, checkpoint: &Checkpoint, note: &str) {
        let seen = self.shown.entry(checkpoint.size).or_insert((checkpoint.root, note.to_owned()));
        assert_eq!(seen.0, checkpoint.root, "two checkpoints of size {} were shown", checkpoint.size);
    }

    /// The checkpoint file could be read.
    pub(crate) fn see_checkpoint_file(&mut self, bytes: &[u8]) {
        let parsed = std::str::from_utf8(bytes).ok().and_then(|note| UnverifiedCheckpoint::parse(note).ok());
        if let Some(checkpoint) = parsed {
            self.show(checkpoint.claimed(), std::str::from_utf8(bytes).unwrap());
        }
    }

    /// The log was opened again with this many entries: all that was acknowledged and, at most, the whole group whose
    /// commit was tried.
    pub(crate) fn reopened(&mut self, size: u64) -> Result<(), String> {
        if size == self.size {
            self.open.clear();
        } else if self.tried == Some(size) {
            self.entries.extend(self.open.drain(..));
            self.size = size;
        } else {
            return Err(format!(
                "{size} entries are there; acknowledged were {}, tried {:?}",
                self.size, self.tried
            ));
        }
        self.tried = None;
        Ok(())
    }

    /// Compares an entry of the log with what was promised.
    pub(crate) fn compare(&self, index: u64, actual: &Entry, may_be_seal: bool) -> Result<(), String> {
        match (self.entries.get(&index), actual) {
            (None, Entry::Input(input)) if may_be_seal && input.kind == InputKind::LogSealed => Ok(()),
            (None, _) => Err(format!("nobody appended entry {index}: {actual:?}")),
            (Some(expected), _) => expected.compare(actual).map_err(|why| format!("entry {index}: {why}")),
        }
    }

    /// Marks the payloads of observations.
    pub(crate) fn erase(&mut self, sequences: &std::collections::BTreeSet<u64>, erased: Erased) {
        for entry in self.entries.values_mut() {
            let Expected::Block { records, payloads, .. } = entry else { continue };
            for (record, (_, state)) in records.iter().zip(payloads) {
                if record.payload_len > 0 && sequences.contains(&record.sequence) && *state != Erased::Yes {
                    *state = erased;
                }
            }
        }
    }

    /// Observations that were acknowledged.
    pub(crate) fn observations(&self) -> u64 {
        let records = |entry: &Expected| match entry {
            Expected::Block { records, .. } => records.len() as u64,
            _ => 0,
        };
        self.entries.values().map(records).sum()
    }

    /// The key in force.
    pub(crate) fn key(&self) -> Option<&str> {
        self.entries.values().rev().find_map(|entry| match entry {
            Expected::Key { new, .. } => Some(new.as_str()),
            _ => None,
        })
    }

    /// What producers lost, by the words of `docs/formats/producers.md`: abandoned epochs, and numbers left out.
    pub(crate) fn lost(&self) -> Lost {
        let mut lost = Lost::default();
        // Epoch, number expected next, whether it is open.
        let mut counts: BTreeMap<u32, (u64, u64, bool)> = BTreeMap::new();
        for entry in self.entries.values() {
            match entry {
                Expected::Input(input) if input.kind == InputKind::ProducerOpened => {
                    let at: ProducerAt = canonical::from_bytes_exact(&input.body.0).unwrap();
                    let before = counts.insert(at.source, (at.epoch, at.next, true));
                    lost.abandoned +=
                        u64::from(before.is_some_and(|(epoch, _, open)| open && epoch != at.epoch));
                }
                Expected::Input(input) if input.kind == InputKind::ProducerClosed => {
                    let at: ProducerAt = canonical::from_bytes_exact(&input.body.0).unwrap();
                    let count = counts.get_mut(&at.source).unwrap();
                    lost.numbers += at.next - count.1;
                    *count = (at.epoch, at.next, false);
                }
                Expected::Block { records, .. } => {
                    for record in records {
                        let Some(place) = record.numbered() else { continue };
                        let count = counts.get_mut(&record.source).unwrap();
                        lost.numbers += place.number - count.1;
                        count.1 = place.number + 1;
                    }
                }
                _ => {}
            }
        }
        lost
    }
}
