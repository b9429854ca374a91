//! The kernel: `step(state, input) → decisions`. No I/O, no clock, no key: inputs come logged, decisions leave unsigned.
//!
//! A decision is made in one place ([`Kernel::step`], [`Kernel::step_block`]) and takes effect in another
//! (`fold`), which a restart uses too: it folds the logged decisions instead of making them again.

use std::collections::BTreeMap;
use std::sync::Arc;

use knhk_change::conflict::{Layer, compose};
use knhk_change::finding::Stage;
use knhk_change::proposal::{Checked, Proposal, ProposalId};
use knhk_change::rules_in_force;
use knhk_evidence::block::{Block, Payloads};
use knhk_evidence::input::Input;
use knhk_evidence::intern::{Interned, Table, Tables};
use knhk_evidence::receipt::{Draft, Outcome, ReceiptId};
use knhk_evidence::{Hash, canonical};
use knhk_ontology::{Pack, Snapshot, core_pack};

use crate::chain::Circumstances;
use crate::cycle;
use crate::decision::{Body, Decision, Genesis, Ingested, Verdict};
use crate::error::KernelError;
use crate::inputs::{KernelStarted, Meaning, Measured, PromoteMode, SEMANTICS_VERSION, SectorAdmitted};
use crate::sector::{Origin, SectorState};
use crate::world::{SectorWorld, SnapshotPromoter};

/// Sectors of one data directory.
pub const SECTORS_MAX: usize = 64;

/// Watches a step from outside, for time measurements that must not enter decisions.
pub trait Probe {
    /// The pipeline starts on this proposal.
    fn pipeline_started(&mut self, proposal: &ProposalId);
    /// A stage of the pipeline ended for this proposal.
    fn stage_ended(&mut self, proposal: &ProposalId, stage: Stage);
}

impl Probe for () {
    fn pipeline_started(&mut self, _: &ProposalId) {}
    fn stage_ended(&mut self, _: &ProposalId, _: Stage) {}
}

/// The state of all sectors and the rules that move it.
#[derive(Debug, Default)]
pub struct Kernel {
    pub(crate) world: SnapshotPromoter,
    pub(crate) names: Tables,
    pub(crate) sectors: BTreeMap<String, SectorState>,
    pub(crate) started: Option<KernelStarted>,
    pub(crate) time_ms: i64,
}

impl Kernel {
    /// A kernel before its first input.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is current.
    pub fn world(&self) -> &SnapshotPromoter {
        &self.world
    }

    /// The names that have numbers.
    pub fn names(&self) -> &Tables {
        &self.names
    }

    /// The latest time among the inputs so far, Unix ms.
    pub fn time_ms(&self) -> i64 {
        self.time_ms
    }

    /// One sector's state.
    ///
    /// # Errors
    /// [`KernelError::UnknownSector`].
    pub fn sector(&self, name: &str) -> Result<&SectorState, KernelError> {
        self.sectors.get(name).ok_or_else(|| KernelError::UnknownSector { sector: name.to_owned() })
    }

    /// The sectors by name.
    pub fn sectors(&self) -> impl Iterator<Item = (&str, &SectorState)> {
        self.sectors.iter().map(|(name, state)| (name.as_str(), state))
    }

    /// What would become of a proposal if it were made now, after that measurement: all seven stages and the verdict.
    /// Nothing is decided, and nothing changes.
    ///
    /// # Errors
    /// [`KernelError::UnknownSector`].
    pub fn rehearse(
        &self,
        proposal: &Proposal,
        measured: Option<Measured>,
        time_ms: i64,
        probe: &mut dyn Probe,
    ) -> Result<(Checked, Verdict), KernelError> {
        let sector = &proposal.content().sector;
        let checked = cycle::checked(self, measured, time_ms, proposal, probe)?;
        let current = self.current(sector)?;
        let verdict =
            cycle::verdict(self.sector(sector)?, &current.snapshot, PromoteMode::Policy, &checked).1;
        Ok((checked, verdict))
    }

    /// Decides on a logged input. The decisions have taken effect when this returns.
    pub fn step(&mut self, input: &Input, probe: &mut dyn Probe) -> Result<Vec<Decision>, KernelError> {
        let meaning = self.absorb(input)?;
        let time_ms = self.time_ms;
        let sector = input.sector.as_deref().unwrap_or_default();
        match meaning {
            Meaning::Started(_) | Meaning::Interned | Meaning::OfTheLog | Meaning::Measured(_) => {
                Ok(Vec::new())
            }
            Meaning::Sealed(said) => {
                let made = self.seal()?.digest;
                if made != said.digest {
                    let (said, made) = (said.digest.to_string(), made.to_string());
                    return Err(KernelError::OtherState { said, made });
                }
                Ok(Vec::new())
            }
            Meaning::Admitted(pack) => self.admit(sector, &pack, time_ms),
            Meaning::Cycle(due) => cycle::run(self, sector, &due, time_ms, probe),
            Meaning::Command(command) => crate::command::obey(self, sector, &command, time_ms, probe),
        }
    }

    /// Takes in a sealed block: profiles every event, judges it against the ontology in force and decides the receipt.
    pub fn step_block(&mut self, block: &Block, payloads: &Payloads) -> Result<Vec<Decision>, KernelError> {
        let sector = self.sector_of(block)?;
        let time_ms = self.block_time(block);
        let state =
            self.sectors.get_mut(&sector).ok_or(KernelError::UnknownSector { sector: sector.clone() })?;
        state.remember(block);
        let conform = state.profile_block(block, payloads, &self.names)?;
        let header = block.header();
        let body = Body::ObservationIngested(Ingested {
            block: header.digest(),
            number: header.number,
            observations: u64::from(header.count),
            conform,
        });
        let decision = self.decide(&sector, None, time_ms, &body, Outcome::Approved)?;
        Ok(vec![decision])
    }

    /// Takes over what a logged input says, without deciding: the first half of [`Kernel::step`], and all of it on restart.
    pub fn absorb(&mut self, input: &Input) -> Result<Meaning, KernelError> {
        let meaning = Meaning::of(input).map_err(|error| self.other_build(input.kind.name(), error))?;
        self.time_ms = self.time_ms.max(input.time_ms);
        match &meaning {
            Meaning::Started(started) => {
                if started.semantics_version != SEMANTICS_VERSION {
                    return Err(KernelError::OtherSemantics {
                        build: started.build.clone(),
                        found: started.semantics_version,
                        ours: SEMANTICS_VERSION,
                    });
                }
                self.started = Some(started.clone());
            }
            Meaning::Interned => {
                let entry: Interned = canonical::from_bytes_exact(&input.body.0)?;
                self.names.admit(&entry)?;
            }
            Meaning::Measured(measured) => {
                if let Some(state) = input.sector.as_ref().and_then(|s| self.sectors.get_mut(s)) {
                    state.measured = Some(*measured);
                }
            }
            Meaning::Sealed(_) => self.sectors.values_mut().for_each(SectorState::forget_window),
            Meaning::OfTheLog | Meaning::Admitted(_) | Meaning::Cycle(_) | Meaning::Command(_) => {}
        }
        Ok(meaning)
    }

    /// Takes over a logged input on restart. Packs become sectors; cycles and commands wait for their decisions.
    pub fn restore_input(&mut self, input: &Input) -> Result<(), KernelError> {
        let meaning = self.absorb(input)?;
        if let (Meaning::Admitted(pack), Some(sector)) = (meaning, input.sector.as_deref()) {
            let (state, _) = Self::genesis(sector, &pack, self.time_ms)?;
            self.sectors.insert(sector.to_owned(), state);
        }
        Ok(())
    }

    /// Takes over a logged block on restart: its identities always, its events when `payloads` are given. They must be
    /// given for every block of the open window and of the last closed one; older ones no longer matter.
    pub fn restore_block(&mut self, block: &Block, payloads: Option<&Payloads>) -> Result<(), KernelError> {
        let sector = self.sector_of(block)?;
        self.time_ms = self.block_time(block);
        let state = self.sectors.get_mut(&sector).ok_or(KernelError::UnknownSector { sector })?;
        state.remember(block);
        if let Some(payloads) = payloads {
            state.profile_block(block, payloads, &self.names)?;
        }
        Ok(())
    }

    /// Takes over a logged decision on restart.
    pub fn restore_receipt(&mut self, draft: &Draft, id: ReceiptId, body: &[u8]) -> Result<(), KernelError> {
        let operation = draft.operation.to_string();
        let body = Body::from_bytes(body).map_err(|error| self.other_build(&operation, error))?;
        self.fold(draft, id, &body, None)
    }

    /// What cannot be read, though the log says that it is whole, was written by a build with other forms.
    fn other_build(&self, what: &str, error: KernelError) -> KernelError {
        let KernelError::Evidence(error) = error else { return error };
        let build = self.started.as_ref().map_or("a build that does not say its name", |s| &s.build);
        KernelError::OtherBuild { what: what.to_owned(), why: error.to_string(), build: build.to_owned() }
    }

    /// Makes the next decision of a sector's chain and lets it take effect.
    pub(crate) fn decide(
        &mut self,
        sector: &str,
        cycle: Option<&str>,
        time_ms: i64,
        body: &Body,
        outcome: Outcome,
    ) -> Result<Decision, KernelError> {
        self.conclude(sector, cycle, time_ms, body, outcome, None)
    }

    /// The same for a promotion or rollback whose snapshot is made already, so that it is not made again.
    pub(crate) fn decide_made(
        &mut self,
        sector: &str,
        cycle: Option<&str>,
        time_ms: i64,
        body: &Body,
        made: Snapshot,
    ) -> Result<Decision, KernelError> {
        self.conclude(sector, cycle, time_ms, body, Outcome::Approved, Some(made))
    }

    fn conclude(
        &mut self,
        sector: &str,
        cycle: Option<&str>,
        time_ms: i64,
        body: &Body,
        outcome: Outcome,
        made: Option<Snapshot>,
    ) -> Result<Decision, KernelError> {
        let started = self.started.as_ref().ok_or(KernelError::NotStarted)?;
        let in_force = match body {
            // Before its genesis a sector has nothing in force but what genesis brings.
            Body::SectorUpdated(_) => self.sector(sector)?.genesis_in_force(),
            _ => self.current(sector)?.in_force(),
        };
        let at = Circumstances {
            sector,
            cycle,
            time_ms,
            in_force,
            semantics_version: started.semantics_version,
            key_id: started.key_id,
        };
        let decision = self.sector(sector)?.chain.next(&at, body, outcome)?;
        self.fold(&decision.draft, decision.id, body, made)?;
        Ok(decision)
    }

    /// Lets a decision take effect, whether it was just made or read back. What can fail comes first, and the swap of the
    /// world's pointer last of it: a decision that is refused leaves everything as it was.
    fn fold(
        &mut self,
        draft: &Draft,
        id: ReceiptId,
        body: &Body,
        made: Option<Snapshot>,
    ) -> Result<(), KernelError> {
        let sector = draft.sector.as_str();
        let state = self
            .sectors
            .get_mut(sector)
            .ok_or_else(|| KernelError::UnknownSector { sector: sector.to_owned() })?;
        state.chain.expect(draft.sequence, draft.parent)?;
        let succession = state.succession(body, made)?;
        if let Some(succession) = &succession {
            self.world.promote(sector, succession.expected, &succession.next)?;
        }
        state.fold(id, body, succession);
        Ok(())
    }

    /// The sector as it is now.
    pub(crate) fn current(&self, sector: &str) -> Result<Arc<SectorWorld>, KernelError> {
        self.world
            .current()
            .sectors
            .get(sector)
            .cloned()
            .ok_or_else(|| KernelError::UnknownSector { sector: sector.to_owned() })
    }

    fn admit(
        &mut self,
        sector: &str,
        pack: &SectorAdmitted,
        time_ms: i64,
    ) -> Result<Vec<Decision>, KernelError> {
        if self.sectors.contains_key(sector) {
            return Err(KernelError::SectorExists { sector: sector.to_owned() });
        }
        if self.sectors.len() >= SECTORS_MAX {
            return Err(KernelError::TooManySectors { limit: SECTORS_MAX });
        }
        let (state, genesis) = Self::genesis(sector, pack, time_ms)?;
        // Q0: what a term means may depend on no more than one sector.
        let namespace = state.namespace();
        let meets = |other: &&SectorState| {
            namespace.starts_with(other.namespace()) || other.namespace().starts_with(namespace)
        };
        if let Some(other) = self.sectors.values().find(meets) {
            return Err(KernelError::NamespaceTaken {
                namespace: namespace.to_owned(),
                sector: other.name().to_owned(),
            });
        }
        let heads = self.sectors.values().chain([&state]).map(|state| state.history.head());
        let layers: Vec<Layer<'_>> = heads.map(|head| Layer::of(&head.schema, &head.sigma.sector)).collect();
        compose(&core_pack()?.graph, &layers)?;
        self.sectors.insert(sector.to_owned(), state);
        let body = Body::SectorUpdated(genesis);
        match self.decide(sector, None, time_ms, &body, Outcome::Approved) {
            Ok(decision) => Ok(vec![decision]),
            Err(error) => {
                self.sectors.remove(sector);
                Err(error)
            }
        }
    }

    /// A sector's state before its first receipt, and what that receipt will say.
    pub(crate) fn genesis(
        sector: &str,
        admitted: &SectorAdmitted,
        time_ms: i64,
    ) -> Result<(SectorState, Genesis), KernelError> {
        let files = admitted.files.iter().map(|(name, bytes)| (name.clone(), bytes.0.clone())).collect();
        let pack = Pack::from_files(&files)?;
        if pack.name != sector {
            return Err(KernelError::PackName { sector: sector.to_owned(), pack: pack.name });
        }
        let snapshot = Snapshot::genesis(pack.sigma()?, pack.version, pack.digest, unsigned(time_ms))?;
        let (doctrine, guards) = rules_in_force(core_pack()?, &pack)?;
        let genesis = Genesis {
            snapshot_id: snapshot.id,
            content_id: snapshot.content_id,
            version: snapshot.version,
            pack_digest: Hash(snapshot.pack_digest),
            promoted_at_ms: snapshot.promoted_at_ms,
        };
        let world = SectorWorld::new(Arc::new(snapshot), Arc::new(doctrine), Arc::new(guards));
        let origin = Origin { pack: admitted.clone(), admitted_at_ms: time_ms };
        Ok((SectorState::new(sector, origin, Arc::new(world))?, genesis))
    }

    fn sector_of(&self, block: &Block) -> Result<String, KernelError> {
        let id = u32::from(block.header().sector);
        match self.names.text(Table::Sector, id) {
            Some(name) => Ok(name.to_owned()),
            None => Err(KernelError::UnknownSector { sector: format!("#{id}") }),
        }
    }

    /// A block is decided on at the latest ingest time of its records.
    fn block_time(&mut self, block: &Block) -> i64 {
        let latest = block.records().iter().map(|r| r.ingest_time_ms).max().unwrap_or(i64::MIN);
        self.time_ms = self.time_ms.max(latest);
        self.time_ms
    }
}

/// Unix milliseconds as the ontology counts them; times before 1970 count as 1970.
pub(crate) fn unsigned(time_ms: i64) -> u64 {
    u64::try_from(time_ms).unwrap_or(0)
}
