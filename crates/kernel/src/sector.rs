//! The state of one sector: what its decisions so far add up to.

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
use knhk_ontology::{History, SnapshotId, TripleDelta, Version};
use knhk_projection::admission::Admission;

use crate::chain::{Chain, InForce};
use crate::decision::{Body, Verdict};
use crate::dedupe::Seen;
use crate::error::KernelError;
use crate::inputs::Measured;
use crate::world::SectorWorld;

/// What happens to the world when a decision takes effect: the snapshot that must be current, and what replaces it.
type Succession = (Option<SnapshotId>, Arc<SectorWorld>);

/// The state of one sector.
#[derive(Debug)]
pub struct SectorState {
    name: String,
    pub(crate) genesis: Arc<SectorWorld>,
    pub(crate) current: Option<Arc<SectorWorld>>,
    pub(crate) history: History,
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
    /// Receipts since the last cycle ended.
    pub(crate) receipts: Vec<ReceiptId>,
    pub(crate) baseline: Baseline,
    pub(crate) cycles: u64,
    /// Proposals of the running cycle, until their verdict.
    planned: BTreeMap<ProposalId, Proposal>,
    pub(crate) held: BTreeMap<ProposalId, Proposal>,
    /// Patterns whose change a person rejected, with the person's words.
    refused: BTreeMap<String, String>,
    /// Every proposal's outcome: the corpus.
    pub(crate) corpus: BTreeMap<ProposalId, Verdict>,
}

impl SectorState {
    pub(crate) fn new(name: &str, genesis: Arc<SectorWorld>) -> Result<Self, KernelError> {
        Ok(Self {
            name: name.to_owned(),
            history: History::begin(knhk_ontology::Snapshot::clone(&genesis.snapshot))?,
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
            corpus: BTreeMap::new(),
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

    /// Lets a decision take effect on this sector.
    pub(crate) fn fold(&mut self, id: ReceiptId, body: &Body) -> Result<Option<Succession>, KernelError> {
        self.receipts.push(id);
        match body {
            Body::SectorUpdated(_) => {
                self.current = Some(Arc::clone(&self.genesis));
                Ok(Some((None, Arc::clone(&self.genesis))))
            }
            Body::ObservationIngested(ingested) => {
                self.observations += ingested.observations;
                self.conform += ingested.conform;
                Ok(None)
            }
            Body::PatternDetected(_) => Ok(None),
            Body::ProposalGenerated(planned) => {
                self.planned.extend(planned.proposals.iter().map(|p| (p.id(), p.clone())));
                Ok(None)
            }
            Body::ValidationExecuted(validated) => {
                if let Some(proposal) = &validated.proposal {
                    let planned = self.planned.remove(proposal);
                    let waited = self.held.remove(proposal);
                    match (&validated.verdict, planned, waited) {
                        (Verdict::Hold { .. }, Some(content), _)
                        | (Verdict::Hold { .. }, None, Some(content)) => {
                            self.held.insert(*proposal, content);
                        }
                        // Without stages it was a person who decided.
                        (Verdict::Reject { why }, None, Some(content)) if validated.stages.is_empty() => {
                            let patterns = content.content().patterns.iter();
                            self.refused.extend(patterns.map(|id| (id.clone(), why.clone())));
                        }
                        _ => {}
                    }
                    self.corpus.insert(*proposal, validated.verdict.clone());
                }
                Ok(None)
            }
            Body::SnapshotPromoted(p) => self.succeed(&p.delta, p.version, p.promoted_at_ms, p.snapshot_id),
            Body::RollbackExecuted(r) => self.succeed(&r.delta, r.version, r.promoted_at_ms, r.snapshot_id),
            Body::LoopCycleCompleted(summary) => {
                self.cycles += 1;
                self.baseline = summary.baseline.clone();
                self.close_window();
                Ok(None)
            }
        }
    }

    /// What the detectors look at: the open window, and nothing where no event came since the last cycle.
    pub(crate) fn unseen(&self) -> Cow<'_, Profile> {
        if self.window_closed { Cow::Owned(Profile::default()) } else { Cow::Borrowed(&self.profile) }
    }

    fn close_window(&mut self) {
        self.window_closed = true;
        // A measurement is for the cycle, or the command, that it was taken before.
        self.measured = None;
        (self.observations, self.conform) = (0, 0);
        self.receipts.clear();
        self.planned.clear();
    }

    /// Applies a change to the head; the snapshot it leads to must be the one that the decision names.
    fn succeed(
        &mut self,
        delta: &TripleDelta,
        version: Version,
        at_ms: u64,
        said: SnapshotId,
    ) -> Result<Option<Succession>, KernelError> {
        let expected = self.history.head().id;
        let snapshot = self.history.head().child(delta, version, at_ms)?;
        if snapshot.id != said {
            return Err(KernelError::OtherSnapshot { said: said.to_string(), made: snapshot.id.to_string() });
        }
        self.history.insert(snapshot.clone())?;
        let before = self.current.as_ref().unwrap_or(&self.genesis);
        let next = Arc::new(SectorWorld {
            admission: Admission::new(&snapshot.schema),
            snapshot: Arc::new(snapshot),
            doctrine: Arc::clone(&before.doctrine),
            guards: Arc::clone(&before.guards),
        });
        self.current = Some(Arc::clone(&next));
        Ok(Some((Some(expected), next)))
    }

    /// Whether one of these patterns already has a proposal that waits for a person.
    pub(crate) fn waiting_patterns(&self) -> BTreeSet<&str> {
        self.held.values().flat_map(|p| p.content().patterns.iter().map(String::as_str)).collect()
    }

    /// Why a person rejected a change that answered one of these patterns before.
    pub(crate) fn refusal_of(&self, patterns: &[String]) -> Option<&str> {
        patterns.iter().find_map(|id| self.refused.get(id)).map(String::as_str)
    }
}
