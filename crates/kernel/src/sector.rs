//! The state of one sector: what its decisions so far add up to.

mod sealing;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use knhk_change::proposal::{Proposal, ProposalId};
use knhk_change::window::{Arrival, Window};
use knhk_evidence::Hash;
use knhk_evidence::block::{Block, Payloads};
use knhk_evidence::intern::{Table, Tables};
use knhk_evidence::receipt::ReceiptId;
use knhk_observation::baseline::Baseline;
use knhk_observation::profile::{EventMeta, Profile};
use knhk_observation::reader::read_event;
use knhk_ontology::{History, Snapshot, SnapshotId, TripleDelta, Version};

use crate::chain::{Chain, InForce};
use crate::decision::{Body, CycleOutcome, Validated, Verdict};
use crate::dedupe::Seen;
use crate::error::KernelError;
use crate::inputs::Measured;
use crate::lineage::Lineage;
use crate::world::SectorWorld;

pub(crate) use self::sealing::{Origin, Step};

/// Receipts of a cycle that its summary lists by id; the chain links all of them.
pub const CYCLE_RECEIPTS_MAX: usize = 100_000;

/// Bytes of a person's words that are repeated where a change is held for them.
pub const REASON_BYTES_MAX: usize = 1_024;

/// What happens when a decision makes another snapshot current; worked out before anything is changed.
#[derive(Debug)]
pub(crate) struct Succession {
    /// The snapshot that must be current.
    pub(crate) expected: Option<SnapshotId>,
    /// What replaces it.
    pub(crate) next: Arc<SectorWorld>,
    /// The history with it.
    history: History,
}

/// The state of one sector.
#[derive(Debug)]
pub struct SectorState {
    name: String,
    origin: Origin,
    pub(crate) genesis: Arc<SectorWorld>,
    pub(crate) current: Option<Arc<SectorWorld>>,
    pub(crate) history: History,
    /// From genesis to the head.
    steps: Vec<Step>,
    pub(crate) chain: Chain,
    pub(crate) seen: Seen,
    /// Profile of the open window, or of the last one until the next opens.
    pub(crate) profile: Profile,
    /// Distinct payloads of the open window, or of the last one until the next opens.
    pub(crate) window: Window,
    /// Whether the next block opens a new window.
    window_closed: bool,
    /// Observations in the open window, and how many of them conformed when they came in.
    pub(crate) observations: u64,
    pub(crate) conform: u64,
    pub(crate) measured: Option<Measured>,
    /// Receipts since the last cycle ended, the first [`CYCLE_RECEIPTS_MAX`].
    pub(crate) receipts: Vec<ReceiptId>,
    pub(crate) baseline: Baseline,
    pub(crate) cycles: u64,
    /// Proposals of the running cycle, until their verdict.
    planned: BTreeMap<ProposalId, Proposal>,
    pub(crate) held: BTreeMap<ProposalId, Proposal>,
    /// Patterns whose change a person rejected or rolled back, with the person's words.
    refused: BTreeMap<String, String>,
    /// Patterns of proposals that are to be promoted, until they are.
    approved: BTreeMap<ProposalId, Vec<String>>,
    lineage: Lineage,
    /// Every proposal's outcome: the corpus.
    pub(crate) corpus: BTreeMap<ProposalId, Verdict>,
    /// How often each invariant was broken by a proposal.
    violations: BTreeMap<String, u64>,
}

impl SectorState {
    pub(crate) fn new(name: &str, origin: Origin, genesis: Arc<SectorWorld>) -> Result<Self, KernelError> {
        Ok(Self {
            name: name.to_owned(),
            origin,
            steps: Vec::new(),
            history: History::begin(Snapshot::clone(&genesis.snapshot))?,
            genesis,
            current: None,
            chain: Chain::default(),
            seen: Seen::default(),
            profile: Profile::default(),
            window: Window::default(),
            window_closed: true,
            observations: 0,
            conform: 0,
            measured: None,
            receipts: Vec::new(),
            baseline: Baseline::default(),
            cycles: 0,
            planned: BTreeMap::new(),
            held: BTreeMap::new(),
            refused: BTreeMap::new(),
            approved: BTreeMap::new(),
            lineage: Lineage::default(),
            corpus: BTreeMap::new(),
            violations: BTreeMap::new(),
        })
    }

    /// The sector's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespace of its terms.
    pub fn namespace(&self) -> &str {
        &self.genesis.snapshot.schema.namespace
    }

    /// Every snapshot and the current one.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Proposals that wait for a person.
    pub fn held(&self) -> impl Iterator<Item = &Proposal> {
        self.held.values()
    }

    /// Outcome of every proposal so far.
    pub fn corpus(&self) -> &BTreeMap<ProposalId, Verdict> {
        &self.corpus
    }

    /// How often proposals would have broken each invariant, `Q0` and so on, since the sector began: the counter
    /// `knhk.invariant.violation.count`. Invariants that none would have broken are left out.
    pub fn violations(&self) -> &BTreeMap<String, u64> {
        &self.violations
    }

    /// Receipts of the sector so far.
    pub fn receipts(&self) -> u64 {
        self.chain.len()
    }

    /// Whether an event with this identity was seen (`docs/formats/record.md`).
    pub fn has_seen(&self, key: &[u8; 16]) -> bool {
        self.seen.contains(key)
    }

    /// Events per type and path of the open window.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Distinct payloads of the open window.
    pub fn window(&self) -> &Window {
        &self.window
    }

    pub(crate) fn genesis_in_force(&self) -> InForce {
        self.genesis.in_force()
    }

    /// Id of the cycle that runs next.
    pub(crate) fn next_cycle(&self) -> String {
        format!("{}-{:06}", self.name, self.cycles + 1)
    }

    /// Remembers the identities of a block's events.
    pub(crate) fn remember(&mut self, block: &Block) {
        for record in block.records() {
            // A producer that counts needs no memory of its events: the log refuses a repeat.
            if record.numbered().is_none() {
                self.seen.insert(record.dedupe_key);
            }
        }
    }

    /// Profiles a block's events and counts how many conform.
    pub(crate) fn profile_block(
        &mut self,
        block: &Block,
        payloads: &Payloads,
        names: &Tables,
    ) -> Result<u64, KernelError> {
        if std::mem::take(&mut self.window_closed) {
            // A window is judged by the ontology in force when it opens.
            self.profile = Profile::against(Arc::clone(&self.history.head().schema));
            self.window = Window::default();
        }
        let mut conform = 0;
        for (index, record) in block.records().iter().enumerate() {
            let unreadable = |why: String| KernelError::UnreadablePayload { sequence: record.sequence, why };
            let payload = payloads.get(index).ok_or_else(|| unreadable("it was erased".to_owned()))?;
            let event_type = names
                .text(Table::EventType, u32::from(record.event_type))
                .ok_or_else(|| unreadable("its event type has no name".to_owned()))?;
            let mut decoded = String::new();
            let event = read_event(payload, record.event_time_ms, &mut decoded)
                .map_err(|reject| unreadable(reject.message))?;
            let data_digest = Hash::of(event.data_raw.as_bytes());
            if data_digest.prefix() != record.data_digest {
                return Err(unreadable("its data is not what its record says".to_owned()));
            }
            let meta = EventMeta {
                record_digest: record.payload_sha256.0,
                data_digest: data_digest.0,
                time_ms: record.event_time_ms,
            };
            conform += u64::from(self.profile.observe(event_type, &event.data, &meta));
            self.window.push(&Arrival {
                event_type,
                data: event.data_raw.as_bytes(),
                data_digest: record.data_digest,
                record_digest: record.payload_sha256,
                time_ms: record.event_time_ms,
            });
        }
        Ok(conform)
    }

    /// What a decision makes current, if it does; nothing is changed yet. `made` is the snapshot that the decision
    /// names, where it was made before.
    pub(crate) fn succession(
        &self,
        body: &Body,
        made: Option<Snapshot>,
    ) -> Result<Option<Succession>, KernelError> {
        match body {
            Body::SectorUpdated(_) => Ok(Some(Succession {
                expected: None,
                next: Arc::clone(&self.genesis),
                history: self.history.clone(),
            })),
            Body::SnapshotPromoted(p) => {
                self.successor(&p.delta, p.version, p.promoted_at_ms, p.snapshot_id, made).map(Some)
            }
            Body::RollbackExecuted(r) => {
                self.successor(&r.delta, r.version, r.promoted_at_ms, r.snapshot_id, made).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Lets a decision take effect on this sector. It cannot fail.
    pub(crate) fn fold(&mut self, id: ReceiptId, body: &Body, succession: Option<Succession>) {
        self.chain.follow(id);
        if self.receipts.len() < CYCLE_RECEIPTS_MAX {
            self.receipts.push(id);
        }
        let head = self.history.head().id;
        if let Some(succession) = succession {
            self.steps.extend(step(body));
            self.history = succession.history;
            self.current = Some(succession.next);
        }
        match body {
            Body::SectorUpdated(_) | Body::PatternDetected(_) => {}
            Body::ObservationIngested(ingested) => {
                self.observations += ingested.observations;
                self.conform += ingested.conform;
            }
            Body::ProposalGenerated(planned) => {
                self.planned.extend(planned.proposals.iter().map(|p| (p.id(), p.clone())));
            }
            Body::ValidationExecuted(validated) => self.validated(validated),
            Body::InvariantViolation(violated) => {
                for finding in &violated.findings {
                    *self.violations.entry(finding.rule.clone()).or_default() += 1;
                }
            }
            Body::SnapshotPromoted(promoted) => {
                let patterns = self.approved.remove(&promoted.proposal).unwrap_or_default();
                // Whoever said no to them before has said yes now.
                for pattern in &patterns {
                    self.refused.remove(pattern);
                }
                self.lineage.promoted(promoted.snapshot_id, head, patterns);
            }
            Body::RollbackExecuted(back) => {
                let why = remembered(format!("rolled back by an operator: {}", back.reason));
                for pattern in self.lineage.patterns_lost(back.to, head) {
                    self.refused.remove(pattern);
                }
                for pattern in self.lineage.patterns_lost(head, back.to) {
                    self.refused.insert(pattern.clone(), why.clone());
                }
                self.lineage.rolled_back(back.snapshot_id, back.to);
            }
            Body::LoopCycleCompleted(summary) => {
                self.cycles += 1;
                self.baseline = summary.baseline.clone();
                let failed = matches!(summary.outcome, CycleOutcome::Failed { .. });
                self.end_cycle(failed);
            }
        }
    }

    fn validated(&mut self, validated: &Validated) {
        let Some(proposal) = &validated.proposal else { return };
        let planned = self.planned.remove(proposal);
        let waited = self.held.remove(proposal);
        let by_a_person = planned.is_none() && validated.stages.is_empty();
        match (&validated.verdict, planned.or(waited)) {
            (Verdict::Hold { .. }, Some(content)) => {
                self.held.insert(*proposal, content);
            }
            (Verdict::Promote, Some(content)) => {
                self.approved.insert(*proposal, content.content().patterns.clone());
            }
            // Without stages it was a person who decided.
            (Verdict::Reject { why }, Some(content)) if by_a_person => {
                let why = remembered(why.clone());
                let patterns = content.content().patterns.iter();
                self.refused.extend(patterns.map(|id| (id.clone(), why.clone())));
            }
            _ => {}
        }
        self.corpus.insert(*proposal, validated.verdict.clone());
    }

    /// What the detectors look at: the open window, and nothing where no event came since the last cycle.
    pub(crate) fn unseen(&self) -> Cow<'_, Profile> {
        if self.window_closed { Cow::Owned(Profile::default()) } else { Cow::Borrowed(&self.profile) }
    }

    /// A cycle that failed leaves its window open: the next one sees the events again, and learns their rates then.
    fn end_cycle(&mut self, failed: bool) {
        if !failed {
            self.window_closed = true;
            (self.observations, self.conform) = (0, 0);
        }
        // A measurement is for the cycle, or the command, that it was taken before.
        self.measured = None;
        self.receipts.clear();
        self.planned.clear();
    }

    /// The head with a change applied; the snapshot it leads to must be the one that the decision names.
    fn successor(
        &self,
        delta: &TripleDelta,
        version: Version,
        at_ms: u64,
        said: SnapshotId,
        made: Option<Snapshot>,
    ) -> Result<Succession, KernelError> {
        let head = self.history.head();
        // Its id names its content, its parent, the change and the version; the time alone is not in it.
        let made = made.filter(|snapshot| snapshot.id == said && snapshot.promoted_at_ms == at_ms);
        let snapshot = match made {
            Some(made) => made,
            None => head.child(delta, version, at_ms)?,
        };
        debug_assert_eq!(head.sigma.apply(delta).as_ref(), Ok(&snapshot.sigma), "it was made of this change");
        if snapshot.id != said {
            return Err(KernelError::OtherSnapshot { said: said.to_string(), made: snapshot.id.to_string() });
        }
        // A copy of a history costs nothing.
        let mut history = self.history.clone();
        history.insert(snapshot.clone())?;
        let before = self.current.as_ref().unwrap_or(&self.genesis);
        let (doctrine, guards) = (Arc::clone(&before.doctrine), Arc::clone(&before.guards));
        let next = Arc::new(SectorWorld::new(Arc::new(snapshot), doctrine, guards));
        Ok(Succession { expected: Some(head.id), next, history })
    }

    /// Where a rollback leads when nobody says where to: the state before the promotion that made the current content,
    /// and further back each time.
    ///
    /// # Errors
    /// [`KernelError::NothingFurtherBack`].
    pub fn before_the_current(&self) -> Result<SnapshotId, KernelError> {
        let head = self.history.head();
        let differs = |id: &SnapshotId| {
            self.history.sigma(id).is_some_and(|sigma| sigma.content_id() != head.content_id)
        };
        let found = self.lineage.before(head.id).find(differs);
        found.ok_or_else(|| KernelError::NothingFurtherBack { sector: self.name.clone() })
    }

    /// Whether one of these patterns already has a proposal that waits for a person.
    pub(crate) fn waiting_patterns(&self) -> BTreeSet<&str> {
        self.held.values().flat_map(|p| p.content().patterns.iter().map(String::as_str)).collect()
    }

    /// Why a person rejected, or rolled back, a change that answered one of these patterns before.
    pub(crate) fn refusal_of(&self, patterns: &[String]) -> Option<&str> {
        patterns.iter().find_map(|id| self.refused.get(id)).map(String::as_str)
    }
}

/// The step that a decision takes in the history, if it takes one.
fn step(body: &Body) -> Option<Step> {
    let (delta, version, promoted_at_ms, snapshot_id) = match body {
        Body::SnapshotPromoted(p) => (&p.delta, p.version, p.promoted_at_ms, p.snapshot_id),
        Body::RollbackExecuted(r) => (&r.delta, r.version, r.promoted_at_ms, r.snapshot_id),
        _ => return None,
    };
    Some(Step { delta: delta.clone(), version, promoted_at_ms, snapshot_id })
}

/// As much of a person's words as any later receipt has room for.
fn remembered(mut why: String) -> String {
    if why.len() > REASON_BYTES_MAX {
        why.truncate(why.floor_char_boundary(REASON_BYTES_MAX - '…'.len_utf8()));
        why.push('…');
    }
    why
}
