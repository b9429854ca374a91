//! Events on their way into the log: read, gated, recorded, sealed into blocks.
//!
//! What is no event, belongs to another sector or finds no number left goes to the dead letters; a repeat is counted.

use std::collections::BTreeSet;

use knhk_evidence::Hash;
use knhk_evidence::intern::{MAX_EVENT_TYPES, MAX_SOURCES, Table};
use knhk_evidence::record::{Record, dedupe_key};
use knhk_observation::reader::{Event, EventReader, Item};

use crate::dead_letter::{DeadLetters, Letters};
use crate::error::CliError;
use crate::inputs::{self, Source};
use crate::report::Observations;
use crate::session::{Session, now_ms};

/// Records of one block.
const BLOCK_RECORDS: usize = knhk_evidence::block::MAX_BLOCK_RECORDS;
/// Payload bytes from which on a block is sealed: 4 MiB.
const BLOCK_BYTES: usize = 4 << 20;
/// Log bytes from which on a group is committed: 32 MiB.
const GROUP_BYTES: usize = 32 << 20;

// An event that the reader lets through must fit a record: otherwise it would end a run instead of being set aside.
const _: () = assert!(knhk_observation::reader::EVENT_BYTES_MAX <= knhk_evidence::record::MAX_PAYLOAD_LEN);
const _: () = assert!(knhk_observation::reader::NAME_BYTES_MAX <= knhk_evidence::intern::MAX_INTERNED_LEN);
const _: () = assert!(
    BLOCK_BYTES + knhk_evidence::record::MAX_PAYLOAD_LEN <= knhk_evidence::block::MAX_BLOCK_PAYLOAD_LEN
);

/// Events on their way into the log.
pub(crate) struct Intake<'a> {
    session: &'a mut Session,
    sector: &'a str,
    sector_id: u16,
    dead_letters: DeadLetters,
    records: Vec<Record>,
    payloads: Vec<Vec<u8>>,
    payload_bytes: usize,
    /// Identities in the block being filled.
    fresh: BTreeSet<[u8; 16]>,
    counts: Observations,
}

impl<'a> Intake<'a> {
    /// For the events of one sector.
    pub(crate) fn new(
        session: &'a mut Session,
        sector: &'a str,
        dead_letters: DeadLetters,
    ) -> Result<Self, CliError> {
        let id = session.intern(Table::Sector, sector)?;
        Ok(Self {
            session,
            sector,
            sector_id: u16::try_from(id).unwrap_or(u16::MAX),
            dead_letters,
            records: Vec::new(),
            payloads: Vec::new(),
            payload_bytes: 0,
            fresh: BTreeSet::new(),
            counts: Observations::default(),
        })
    }

    /// Reads every input to its end.
    pub(crate) fn read_all(&mut self, sources: &[Source]) -> Result<(), CliError> {
        let progress = inputs::progress(sources);
        for source in sources {
            let name = source.name();
            progress.set_message(name.clone());
            let mut reader = EventReader::new(source.open(&progress)?, now_ms());
            loop {
                let dead_letters = &mut self.dead_letters;
                let item = reader
                    .next_item(&mut |bytes| dead_letters.oversize(bytes))
                    .map_err(|source| CliError::Events { input: name.clone(), source })?;
                match item {
                    Some(Item::Event(event)) => match &event.sector {
                        // One sector never reads another's observations.
                        Some(other) if *other != self.sector => {
                            let reason = format!("it names the sector `{other}`, not `{}`", self.sector);
                            self.dead_letters.refuse(&name, &event, "KNHK-E1814", &reason)?;
                            self.counts.rejected += 1;
                        }
                        _ if self.names_are_used_up(&event) => {
                            let reason = "this log has given all its numbers for event types or sources";
                            self.dead_letters.refuse(&name, &event, "KNHK-E1815", reason)?;
                            self.counts.rejected += 1;
                        }
                        _ => self.accept(&event)?,
                    },
                    Some(Item::Reject(reject)) => {
                        self.dead_letters.reject(&name, &reject)?;
                        self.counts.rejected += 1;
                    }
                    None => break,
                }
            }
        }
        progress.finish_and_clear();
        Ok(())
    }

    /// Whether the event needs a number that its table no longer has (`docs/formats/identifiers.md`).
    fn names_are_used_up(&self, event: &Event<'_>) -> bool {
        let names = self.session.kernel().names();
        let used_up = |table, text: &str, limit| names.id(table, text).is_none() && names.len(table) >= limit;
        used_up(Table::EventType, &event.event_type, MAX_EVENT_TYPES)
            || used_up(Table::Source, &event.source, MAX_SOURCES)
    }

    fn accept(&mut self, event: &Event<'_>) -> Result<(), CliError> {
        let key = dedupe_key(&event.source, &event.id);
        if self.fresh.contains(&key) || self.session.kernel().sector(self.sector)?.has_seen(&key) {
            self.counts.duplicates += 1;
            return Ok(());
        }
        let event_type = self.session.intern(Table::EventType, &event.event_type)?;
        let source = self.session.intern(Table::Source, &event.source)?;
        let mut record = Record {
            event_type: u16::try_from(event_type).unwrap_or(u16::MAX),
            source,
            event_time_ms: event.time_ms,
            ingest_time_ms: self.session.time_ms(),
            dedupe_key: key,
            data_digest: Hash::of(event.data_raw.as_bytes()).prefix(),
            ..Record::default()
        };
        record.set_payload(event.raw)?;
        self.fresh.insert(key);
        self.records.push(record);
        self.payloads.push(event.raw.to_vec());
        self.payload_bytes += event.raw.len();
        self.counts.accepted += 1;
        if self.records.len() >= BLOCK_RECORDS || self.payload_bytes >= BLOCK_BYTES {
            self.seal()?;
        }
        Ok(())
    }

    fn seal(&mut self) -> Result<(), CliError> {
        if self.records.is_empty() {
            return Ok(());
        }
        let records = std::mem::take(&mut self.records);
        let payloads = std::mem::take(&mut self.payloads);
        self.session.block(self.sector_id, records, &payloads)?;
        self.payload_bytes = 0;
        self.fresh.clear();
        if self.session.log().group_len() >= GROUP_BYTES {
            self.session.commit()?;
        }
        Ok(())
    }

    /// Seals what is left. Gives the counts, and what is to be told of refused events.
    pub(crate) fn finish(mut self) -> Result<(Observations, Option<Letters>), CliError> {
        self.seal()?;
        self.dead_letters.finish()?;
        Ok((self.counts, self.dead_letters.told()))
    }
}
