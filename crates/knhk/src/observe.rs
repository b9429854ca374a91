//! `knhk observe`: the whole loop over event files. One run is one cycle over one window.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use knhk_change::finding::Stage;
use knhk_change::proposal::ProposalId;
use knhk_evidence::Hash;
use knhk_evidence::hash::Bytes;
use knhk_evidence::input::InputKind;
use knhk_evidence::intern::{MAX_EVENT_TYPES, MAX_SOURCES, Table};
use knhk_evidence::record::{Record, dedupe_key};
use knhk_kernel::Probe;
use knhk_kernel::decision::{Body, CycleOutcome, Decision, Verdict};
use knhk_kernel::inputs::{CycleDue, PromoteMode, SectorAdmitted};
use knhk_observation::reader::{Event, EventReader, Item};
use knhk_ontology::{Pack, Snapshot, pack};

use crate::cli::{Observe, Promote};
use crate::dead_letter::DeadLetters;
use crate::error::CliError;
use crate::inputs::{self, Source};
use crate::report::{
    Conformance, CycleReport, Notice, Observations, PatternReport, ProposalReport, ReceiptsReport, Report,
    SnapshotReport, StageReport,
};
use crate::session::{Opened, Session, key_path, now_ms};
use crate::{measure, packs};

/// Records of one block.
const BLOCK_RECORDS: usize = knhk_evidence::block::MAX_BLOCK_RECORDS;
/// Payload bytes from which on a block is sealed: 4 MiB.
const BLOCK_BYTES: usize = 4 << 20;
/// Log bytes from which on a group is committed: 32 MiB.
const GROUP_BYTES: usize = 32 << 20;

/// What a run produced, for whoever prints it.
#[derive(Debug)]
pub(crate) struct Run {
    /// The report.
    pub report: Report,
    /// Whether the directory is new, and what was repaired.
    pub opened: Opened,
    /// The data directory; gone at the end when none was asked for.
    pub dir: PathBuf,
    /// The verifier key.
    pub verifier_key: String,
    /// Where refused events are, if any were.
    pub dead_letters: Option<PathBuf>,
    /// Entries of the log after the run.
    pub log_size: u64,
}

/// Runs the loop.
pub(crate) fn run(args: &Observe) -> Result<Run, CliError> {
    let start = Instant::now();
    let files = packs::files(&args.sector)?;
    let sector = Pack::name_of(&files)?;
    let sources = inputs::sources(&args.files)?;
    let temporary = match args.data {
        Some(_) => None,
        None => Some(tempfile::tempdir().map_err(CliError::writing(std::env::temp_dir()))?),
    };
    let dir = match (&args.data, &temporary) {
        (Some(dir), _) => dir.clone(),
        (None, Some(temporary)) => temporary.path().join("data"),
        (None, None) => return Err(CliError::NoEvents),
    };
    let key = key_path(&dir, args.key.signing_key.as_deref())?;
    let (mut session, opened) = Session::open_or_create(&dir, &key)?;
    let mut notices = Vec::new();
    if let Ok(state) = session.kernel().sector(&sector) {
        if state.history().head().pack_digest != pack::digest(&files) {
            notices.push(Notice::pack_ignored(&sector));
        }
    } else {
        let files = files.into_iter().map(|(name, bytes)| (name, Bytes(bytes))).collect();
        session.input(InputKind::SectorAdmitted, Some(&sector), &SectorAdmitted { files }, &mut ())?;
    }
    let dead_letters = match (&args.dead_letter, &temporary) {
        (Some(path), _) => path.clone(),
        (None, None) => dir.join("dead-letter.ndjson"),
        // Refused events outlive a run whose log does not.
        (None, Some(_)) => PathBuf::from("dead-letter.ndjson"),
    };
    let mut intake = Intake::new(&mut session, &sector, DeadLetters::new(dead_letters))?;
    let before = intake.session.kernel().sector(&sector)?.receipts();
    intake.read_all(&sources)?;
    let counts = intake.finish()?;
    let dead = intake.dead_letters;
    if counts.accepted + counts.duplicates + counts.rejected == 0 {
        return Err(CliError::NoEvents);
    }
    let head = Snapshot::clone(session.kernel().sector(&sector)?.history().head());
    let (decisions, timings) = cycle(&mut session, &sector, args.promote, counts)?;
    session.commit()?;
    let state = session.kernel().sector(&sector)?;
    let (receipts, waiting) = (state.receipts() - before, state.held().count() as u64);
    let mut report = assemble(&sector, counts, &head, &decisions, &timings)?;
    report.waiting = waiting;
    report.notices = notices;
    report.receipts =
        ReceiptsReport { count: receipts, checkpoint: session.log().checkpoint_note().to_owned() };
    report.cycle.elapsed_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(Run {
        report,
        opened,
        verifier_key: session.log().key().verifying_key().to_string(),
        dead_letters: (dead.count() > 0).then(|| dead.path().to_owned()),
        log_size: session.log().state().size(),
        dir,
    })
}

/// Measures, then runs the cycle.
fn cycle(
    session: &mut Session,
    sector: &str,
    promote: Promote,
    counts: Observations,
) -> Result<(Vec<Decision>, StageTimes), CliError> {
    measure::before(session, sector)?;
    let due = CycleDue {
        rejected: counts.rejected,
        duplicates: counts.duplicates,
        promote: match promote {
            Promote::Auto => PromoteMode::Policy,
            Promote::Hold => PromoteMode::Hold,
        },
    };
    let mut times = StageTimes::start();
    let decisions = session.input(InputKind::CycleDue, Some(sector), &due, &mut times)?;
    Ok((decisions, times))
}

/// Wall-clock time of each stage, kept out of every decision.
#[derive(Debug)]
pub(crate) struct StageTimes {
    last: Instant,
    elapsed_us: BTreeMap<(ProposalId, Stage), u64>,
}

impl StageTimes {
    fn start() -> Self {
        Self { last: Instant::now(), elapsed_us: BTreeMap::new() }
    }
}

impl Probe for StageTimes {
    fn pipeline_started(&mut self, _: &ProposalId) {
        self.last = Instant::now();
    }

    fn stage_ended(&mut self, proposal: &ProposalId, stage: Stage) {
        let elapsed = self.last.elapsed();
        self.last = Instant::now();
        let elapsed = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        self.elapsed_us.insert((*proposal, stage), elapsed);
    }
}

/// Events on their way into the log.
struct Intake<'a> {
    session: &'a mut Session,
    sector: &'a str,
    sector_id: u16,
    dead_letters: DeadLetters,
    records: Vec<Record>,
    payloads: Vec<Vec<u8>>,
    payload_bytes: usize,
    /// Identities in the block being filled.
    fresh: std::collections::BTreeSet<[u8; 16]>,
    counts: Observations,
}

impl<'a> Intake<'a> {
    fn new(session: &'a mut Session, sector: &'a str, dead_letters: DeadLetters) -> Result<Self, CliError> {
        let id = session.intern(Table::Sector, sector)?;
        Ok(Self {
            session,
            sector,
            sector_id: u16::try_from(id).unwrap_or(u16::MAX),
            dead_letters,
            records: Vec::new(),
            payloads: Vec::new(),
            payload_bytes: 0,
            fresh: std::collections::BTreeSet::new(),
            counts: Observations::default(),
        })
    }

    fn read_all(&mut self, sources: &[Source]) -> Result<(), CliError> {
        let progress = inputs::progress(sources);
        for source in sources {
            let name = source.name();
            progress.set_message(name.clone());
            let mut reader = EventReader::new(source.open(&progress)?, now_ms());
            loop {
                let dead_letters = &mut self.dead_letters;
                let item = reader
                    .next_item(&mut |bytes| dead_letters.oversize(bytes))
                    .map_err(|e| CliError::reading(&name)(std::io::Error::other(e)))?;
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

    fn finish(&mut self) -> Result<Observations, CliError> {
        self.seal()?;
        self.dead_letters.finish()?;
        Ok(self.counts)
    }
}

fn assemble(
    sector: &str,
    counts: Observations,
    head: &Snapshot,
    decisions: &[Decision],
    times: &StageTimes,
) -> Result<Report, CliError> {
    let mut report = Report {
        sector: sector.to_owned(),
        observations: counts,
        conformance: Conformance::default(),
        patterns: Vec::new(),
        proposals: Vec::new(),
        notices: Vec::new(),
        waiting: 0,
        snapshots: vec![SnapshotReport {
            snapshot_id: head.id.to_string(),
            content_id: head.content_id.to_string(),
            version: head.version.to_string(),
            parents: head.parents.iter().map(ToString::to_string).collect(),
        }],
        receipts: ReceiptsReport { count: 0, checkpoint: String::new() },
        cycle: CycleReport {
            id: String::new(),
            outcome: String::new(),
            reason: None,
            receipts: Vec::new(),
            elapsed_ms: 0,
        },
    };
    for decision in decisions {
        if let Some(cycle) = &decision.draft.cycle {
            report.cycle.id.clone_from(cycle);
        }
        match Body::from_bytes(&decision.body)? {
            Body::PatternDetected(detected) => {
                report.conformance = Conformance {
                    conform: detected.conform,
                    of: detected.observations,
                    not_examined: detected.not_examined,
                };
                report.patterns.extend(detected.patterns.iter().map(PatternReport::from));
            }
            Body::ProposalGenerated(planned) => {
                report.proposals.extend(planned.proposals.iter().map(ProposalReport::new));
            }
            Body::ValidationExecuted(validated) => {
                let Some(id) = validated.proposal else { continue };
                let text = id.to_string();
                let Some(proposal) = report.proposals.iter_mut().find(|p| p.id == text) else { continue };
                let elapsed = |stage| times.elapsed_us.get(&(id, stage)).copied().unwrap_or_default();
                proposal.stages =
                    validated.stages.iter().map(|s| StageReport::new(s, elapsed(s.stage))).collect();
                proposal.receipt = decision.id.to_string();
                (proposal.outcome, proposal.reason) = match validated.verdict {
                    Verdict::Promote | Verdict::Nothing => ("promoted", None),
                    Verdict::Hold { why } => ("held", Some(why)),
                    Verdict::Reject { why } => ("rejected", Some(why)),
                };
            }
            Body::SnapshotPromoted(promoted) => {
                let text = promoted.proposal.to_string();
                if let Some(proposal) = report.proposals.iter_mut().find(|p| p.id == text) {
                    proposal.receipt = decision.id.to_string();
                }
                report.snapshots.push(SnapshotReport {
                    snapshot_id: promoted.snapshot_id.to_string(),
                    content_id: promoted.content_id.to_string(),
                    version: promoted.version.to_string(),
                    parents: promoted.parents.iter().map(ToString::to_string).collect(),
                });
            }
            Body::LoopCycleCompleted(summary) => {
                let mut receipts: Vec<String> = summary.receipts.iter().map(ToString::to_string).collect();
                receipts.push(decision.id.to_string());
                report.cycle.receipts = receipts;
                (report.cycle.outcome, report.cycle.reason) = match summary.outcome {
                    CycleOutcome::Success => ("success".to_owned(), None),
                    CycleOutcome::PartialSuccess { reason } => ("partial_success".to_owned(), Some(reason)),
                    CycleOutcome::Failed { reason } => ("failed".to_owned(), Some(reason)),
                };
            }
            Body::SectorUpdated(_) | Body::ObservationIngested(_) | Body::RollbackExecuted(_) => {}
        }
    }
    Ok(report)
}

// An event that the reader lets through must fit a record: otherwise it would end a run instead of being set aside.
const _: () = assert!(knhk_observation::reader::EVENT_BYTES_MAX <= knhk_evidence::record::MAX_PAYLOAD_LEN);
const _: () = assert!(knhk_observation::reader::NAME_BYTES_MAX <= knhk_evidence::intern::MAX_INTERNED_LEN);
const _: () = assert!(
    BLOCK_BYTES + knhk_evidence::record::MAX_PAYLOAD_LEN <= knhk_evidence::block::MAX_BLOCK_PAYLOAD_LEN
);
