//! What is done to a log: one action after another, as the seed decides.

use std::collections::BTreeSet;

use knhk_evidence::input::{Input, InputKind};
use knhk_evidence::intern::{Interned, Table};
use knhk_evidence::producers::ProducerAt;
use knhk_evidence::receipt::{Draft, Operation, Outcome};
use knhk_evidence::record::{Numbered, Record, dedupe_key};
use knhk_evidence::{Hash, canonical};
use knhk_storage::{Error, Log, spare};

use crate::life::Life;
use crate::model::{Erased, Expected};

/// What an action came to in the log; the outer error is a failed check.
pub(crate) type Done = Result<Result<(), Error>, String>;

const SECTORS: [&str; 2] = ["finance", "logistics"];

/// Gives the error of the log to the caller, who judges it.
macro_rules! go {
    ($what:expr) => {
        match $what {
            Ok(value) => value,
            Err(error) => return Ok(Err(error)),
        }
    };
}

impl Life {
    /// Does the next thing.
    pub(crate) fn act(&mut self) -> Done {
        match self.rng.below(100) {
            0..=21 => self.block(),
            22..=31 => self.receipt(),
            32..=38 => Ok(self.input()),
            39..=42 => self.name(),
            43..=62 => Ok(self.commit()),
            63..=66 => Ok(self.publish()),
            67..=70 => {
                self.note(|| "rolls".into());
                self.log().roll();
                Ok(Ok(()))
            }
            71..=73 => self.prepare(),
            74..=76 => self.retain(),
            77..=79 => self.erase(),
            80..=81 => self.rotate(),
            82..=83 => self.close(),
            84 => self.drop_and_open(),
            85..=87 => self.follow(),
            88..=91 => self.count(),
            92..=94 => {
                // Forward, and back.
                let by = self.rng.below(7_200_000).cast_signed() - 3_600_000;
                self.disk.move_clock_ms(by);
                Ok(Ok(()))
            }
            95..=97 => {
                let free = self.rng.below(3_000);
                let capacity = self.disk.used() + free;
                self.note(|| format!("{free} bytes are left"));
                self.disk.plan(|plan| plan.capacity = Some(capacity));
                Ok(Ok(()))
            }
            98 => {
                self.note(|| "the machine writes everything through".into());
                self.disk.settle();
                Ok(Ok(()))
            }
            _ => self.checked(),
        }
    }

    pub(crate) fn log(&mut self) -> &mut Log {
        self.log.as_mut().unwrap()
    }

    /// The entry that was appended last is this one.
    fn appended(&mut self, entry: Expected) {
        let index = self.log().state().size() - 1;
        self.model.append(index, entry);
    }

    fn intern(&mut self, table: Table, text: &str) -> Result<u32, Error> {
        let time_ms = self.disk.now_ms();
        let known = self.log().state().tables().id(table, text).is_some();
        let id = self.log().intern(table, text, time_ms)?;
        if !known {
            let body = Interned { table, id, text: text.to_owned() };
            let input = Input::new(InputKind::Interned, None, time_ms, &body).unwrap();
            self.appended(Expected::Input(input));
        }
        Ok(id)
    }

    fn append_input(&mut self, input: Input) -> Result<(), Error> {
        self.log().append_input(input.clone())?;
        self.appended(Expected::Input(input));
        Ok(())
    }

    pub(crate) fn commit(&mut self) -> Result<(), Error> {
        self.note(|| "commits".into());
        let size = self.log().state().size();
        self.model.try_commit(size);
        let checkpoint = self.log().commit()?;
        assert_eq!(checkpoint.size, size, "a commit acknowledged something else");
        let note = self.log().checkpoint_note().to_owned();
        self.model.acknowledge(&checkpoint, &note);
        Ok(())
    }

    fn publish(&mut self) -> Result<(), Error> {
        self.note(|| "publishes".into());
        self.log().publish()
    }

    fn block(&mut self) -> Done {
        let sector = self.rng.pick(&SECTORS);
        let event_type = self.rng.pick(&["order.created", "order.paid", "parcel.moved"]);
        let id = u16::try_from(go!(self.intern(Table::Sector, sector))).unwrap();
        let event_type = u16::try_from(go!(self.intern(Table::EventType, event_type))).unwrap();
        let counted = self.rng.once_in(2);
        let place = self.rng.index(self.producers.len());
        let name = if counted { self.producers[place].name } else { "shop" };
        let source = go!(self.intern(Table::Source, name));
        if counted && !self.producer_is_open(place, source) {
            return self.open_producer(place, source);
        }
        let n = 1 + self.rng.below(5);
        let mut records = Vec::new();
        let mut payloads = Vec::new();
        let longest = self.rng.pick(&[0, 0, 60, 700, 3000]);
        for _ in 0..n {
            let mut payload = vec![0; self.rng.index(longest + 1)];
            let of = self.rng.next_u64();
            // A block in three holds nothing but zeros, which looks like room behind the frames.
            for (i, byte) in payload.iter_mut().enumerate().filter(|_| !of.is_multiple_of(3)) {
                *byte = u8::try_from((of >> (i % 8 * 8)) & 0xff).unwrap();
            }
            let mut record = Record {
                source,
                event_type,
                event_time_ms: self.disk.now_ms() - 5,
                ingest_time_ms: self.disk.now_ms(),
                dedupe_key: dedupe_key(name, &of.to_string()),
                ..Record::default()
            };
            record.set_payload(&payload).unwrap();
            if counted {
                let producer = &mut self.producers[place];
                record.set_numbered(Numbered { epoch: producer.epoch, number: producer.given });
                // The ticket is given out, whatever becomes of the observation.
                producer.given += 1;
            }
            records.push(record);
            payloads.push(payload);
        }
        self.note(|| format!("appends a block of {n} of {name}, up to {longest} bytes"));
        let block = go!(self.log().append_block(id, records.clone(), &payloads));
        for (sequence, record) in (block.first_sequence..).zip(&mut records) {
            (record.sequence, record.sector) = (sequence, id);
        }
        if counted && self.rng.once_in(4) {
            // A retry of the last number is refused, and nothing changes.
            let (size, repeat) = (self.log().state().size(), vec![*records.last().unwrap()]);
            let again = self.log().append_block(id, repeat, &[payloads.last().unwrap()]);
            if !matches!(again, Err(Error::Evidence(_))) || self.log().state().size() != size {
                return Err(format!("a repeated number gave {again:?}"));
            }
        }
        let payloads = payloads.into_iter().map(|payload| (payload, Erased::No)).collect();
        self.model.append(block.index, Expected::Block { sector: id, records, payloads });
        Ok(Ok(()))
    }

    fn receipt(&mut self) -> Done {
        let sector = self.rng.pick(&SECTORS);
        let body = canonical::to_bytes(&("evidence", self.rng.next_u64())).unwrap();
        let time_ms = self.disk.now_ms();
        let log = self.log();
        let (sequence, parent) = log.state().next_receipt(sector);
        let draft = Draft {
            operation: Operation::PatternDetected,
            outcome: Outcome::Approved,
            sector: sector.into(),
            sequence,
            parent,
            time_ms,
            cycle: None,
            evidence_digest: Hash::of(&body),
            ontology_digest: Hash::of(b"ontology"),
            doctrine_digest: Hash::of(b"doctrine"),
            guards_digest: Hash::of(b"guards"),
            semantics_version: 1,
            key_id: log.key().verifying_key().id(),
        };
        let signed = draft.sign(log.key()).unwrap();
        let (bytes, signature) = (signed.bytes().to_vec(), signed.signature().to_vec());
        go!(log.append_receipt(signed, body.clone()));
        self.note(|| format!("appended a receipt of {sector}"));
        self.appended(Expected::Receipt { bytes, signature, body });
        Ok(Ok(()))
    }

    fn input(&mut self) -> Result<(), Error> {
        let body = "x".repeat(self.rng.index(600));
        let input = Input::new(InputKind::CycleDue, Some("finance"), self.disk.now_ms(), &body).unwrap();
        self.note(|| "appends an input".into());
        self.append_input(input)
    }

    fn name(&mut self) -> Done {
        let name = format!("name-{}", self.rng.below(1 << 20));
        let table = self.rng.pick(&[Table::EventType, Table::Source]);
        self.note(|| format!("interns {name}"));
        go!(self.intern(table, &name));
        Ok(Ok(()))
    }

    fn prepare(&mut self) -> Done {
        let len = self.rng.pick(&[2_048, 10_000, 40_000]);
        self.note(|| format!("prepares {len} bytes"));
        go!(spare::prepare(&self.directory, len));
        Ok(Ok(()))
    }

    /// Drops the oldest segments, or refuses to where nothing can start.
    fn retain(&mut self) -> Done {
        let segments = go!(self.log().segments());
        let target =
            segments.start + u32::try_from(self.rng.below(u64::from(segments.end - segments.start))).unwrap();
        let archive = self.rng.once_in(3).then_some(std::path::Path::new("/archive"));
        let reason = format!("rule {}", self.rng.below(1000));
        self.note(|| format!("keeps from segment {target} of {segments:?}"));
        let (before, time_ms) = (self.log().state().size(), self.disk.now_ms());
        self.follower = None;
        let dropped = self.log().retain_from(target, archive, &reason, time_ms);
        let size = self.log().state().size();
        if size > before {
            self.appended(Expected::Retained { reason });
            self.model.try_commit(size);
        }
        if let Err(error) = dropped {
            // It may have been committed before the failure.
            let note = self.log().checkpoint_note().to_owned();
            self.model.committed_up_to(&note);
            return Ok(Err(error));
        }
        if target > segments.start {
            let checkpoint = self.log().state().checkpoint().unwrap();
            let note = self.log().checkpoint_note().to_owned();
            self.model.acknowledge(&checkpoint, &note);
            let first = self.model.first;
            self.checked()?.ok();
            if self.model.first <= first {
                // A read failed on purpose; it does so once.
                self.unless_failed(|life| crate::check::content(&life.directory, &mut life.model))?;
            }
            if self.model.first <= first && !self.disk.has_stopped() && !self.take_injected() {
                return Err("nothing was dropped".into());
            }
            self.model.gone = self.model.first;
        }
        Ok(Ok(()))
    }

    fn erase(&mut self) -> Done {
        let observations = self.model.observations();
        let n = 1 + self.rng.below(4);
        let sequences: BTreeSet<_> = (0..n).map(|_| self.rng.below(observations.max(1))).collect();
        self.note(|| format!("erases {sequences:?}"));
        self.model.erase(&sequences, Erased::Perhaps);
        go!(self.log().erase(&sequences));
        self.model.erase(&sequences, Erased::Yes);
        Ok(Ok(()))
    }

    fn rotate(&mut self) -> Done {
        let old = self.log().key().clone();
        let mut seed = [7; 32];
        seed[..8].copy_from_slice(&self.rng.next_u64().to_le_bytes());
        let new = old.successor(seed).unwrap();
        self.note(|| "changes the key".into());
        let time_ms = self.disk.now_ms();
        go!(self.log().rotate_key(new.clone(), time_ms));
        self.appended(Expected::Key {
            old: Some(old.verifying_key().to_string()),
            new: new.verifying_key().to_string(),
        });
        self.keys.push(new);
        Ok(Ok(()))
    }

    fn close(&mut self) -> Done {
        self.note(|| "closes".into());
        let size = self.log().state().size();
        self.model.try_commit(size);
        let log = self.log.take().unwrap();
        self.follower = None;
        let checkpoint = go!(log.close());
        let note = checkpoint.sign(self.keys.last().unwrap()).unwrap();
        self.model.acknowledge(&checkpoint, &note);
        self.open().map(Ok)
    }

    /// What was not committed is gone, and only that.
    fn drop_and_open(&mut self) -> Done {
        self.note(|| "drops".into());
        (self.log, self.follower) = (None, None);
        self.open().map(Ok)
    }

    /// A reader that stays behind the writer sees the same entries.
    fn follow(&mut self) -> Done {
        self.note(|| "follows".into());
        if self.follower.is_none() {
            self.follower = Some((go!(knhk_storage::read::entries(&self.directory)), None));
        }
        let (mut entries, mut next) = self.follower.take().unwrap();
        for located in entries.by_ref() {
            let located = go!(located);
            if next.is_some_and(|next| next != located.index) {
                return Err(format!("a follower got entry {} instead of {next:?}", located.index));
            }
            self.model
                .compare(located.index, &located.entry, true)
                .map_err(|why| format!("a follower: {why}"))?;
            next = Some(located.index + 1);
        }
        if next.unwrap_or_default() != self.model.size && !self.disk.has_stopped() {
            return Err(format!("a follower stops at {next:?} of {} entries", self.model.size));
        }
        self.follower = Some((entries, next));
        Ok(Ok(()))
    }

    /// A producer opens or closes its count.
    fn count(&mut self) -> Done {
        let place = self.rng.index(self.producers.len());
        let source = go!(self.intern(Table::Source, self.producers[place].name));
        if !self.producer_is_open(place, source) {
            return self.open_producer(place, source);
        }
        let producer = self.producers[place].clone();
        let at = ProducerAt { source, epoch: producer.epoch, next: producer.given };
        self.note(|| format!("{} closes at {}", producer.name, producer.given));
        let time_ms = self.disk.now_ms();
        Ok(self.append_input(Input::new(InputKind::ProducerClosed, None, time_ms, &at).unwrap()))
    }

    /// Whether a producer can go on: it may have forgotten its count, and the log its opening.
    fn producer_is_open(&mut self, place: usize, source: u32) -> bool {
        let count = self.log().state().producers().count(source);
        let retry = self.rng.once_in(3);
        let producer = &mut self.producers[place];
        let Some(count) = count.filter(|count| count.open && count.epoch == producer.epoch) else {
            return false;
        };
        if retry || producer.given < count.next {
            // It knows what arrived, and sends the rest again.
            producer.given = count.next;
        }
        !self.rng.once_in(12)
    }

    fn open_producer(&mut self, place: usize, source: u32) -> Done {
        let count = self.log().state().producers().count(source);
        let at = match count {
            Some(count) if self.rng.once_in(2) => ProducerAt { source, epoch: count.epoch, next: count.next },
            _ => self.log().state().producers().next_epoch(source),
        };
        let time_ms = self.disk.now_ms();
        self.note(|| format!("a producer opens {at:?}"));
        go!(self.append_input(Input::new(InputKind::ProducerOpened, None, time_ms, &at).unwrap()));
        let producer = &mut self.producers[place];
        (producer.epoch, producer.given) = (at.epoch, at.next);
        Ok(self.commit())
    }

    /// Looks at everything in the middle of the day.
    fn checked(&mut self) -> Done {
        self.note(|| "checks".into());
        self.recovered().map(Ok)
    }
}
