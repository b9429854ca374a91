//! What is current: core and every sector behind one pointer.
//!
//! Readers hold a [`Reader`] and see one whole world at a time, never a mix. The only writer is the kernel; a promotion
//! compares the expected snapshot before it swaps (`docs/decisions/0005-one-world-pointer.md`).

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwap, Cache};
use knhk_change::doctrine::DoctrineSet;
use knhk_change::guards::GuardSet;
use knhk_evidence::Hash;
use knhk_ontology::{Snapshot, SnapshotId};
use knhk_projection::admission::Admission;

use crate::chain::InForce;
use crate::error::KernelError;

/// One sector as it is now.
#[derive(Debug)]
pub struct SectorWorld {
    /// The current snapshot.
    pub snapshot: Arc<Snapshot>,
    admission: OnceLock<Admission>,
    /// Doctrine in force: core's rules and the sector's.
    pub doctrine: Arc<DoctrineSet>,
    /// Guards in force: core's and the sector's.
    pub guards: Arc<GuardSet>,
}

impl SectorWorld {
    /// A sector with this snapshot current.
    pub fn new(snapshot: Arc<Snapshot>, doctrine: Arc<DoctrineSet>, guards: Arc<GuardSet>) -> Self {
        Self { snapshot, admission: OnceLock::new(), doctrine, guards }
    }

    /// The admission program made from the snapshot: when it is first asked for, since a promotion does not wait for it.
    pub fn admission(&self) -> &Admission {
        self.admission.get_or_init(|| Admission::new(&self.snapshot.schema))
    }

    /// Digests for the receipts of decisions made in this state.
    pub fn in_force(&self) -> InForce {
        InForce {
            ontology: Hash(self.snapshot.content_id.0),
            doctrine: self.doctrine.digest(),
            guards: self.guards.digest(),
        }
    }
}

/// Every sector as it is now. Immutable; a promotion makes the next one.
#[derive(Debug, Default)]
pub struct World {
    /// Counts promotions, rollbacks and admissions.
    pub epoch: u64,
    /// The sectors by name.
    pub sectors: BTreeMap<String, Arc<SectorWorld>>,
}

/// The pointer to the current [`World`].
#[derive(Debug, Default)]
pub struct SnapshotPromoter(ArcSwap<World>);

/// A reader's handle: a cached pointer, refreshed when the world moves on.
pub type Reader<'a> = Cache<&'a ArcSwap<World>, Arc<World>>;

impl SnapshotPromoter {
    /// The world as it is now.
    pub fn current(&self) -> Arc<World> {
        self.0.load_full()
    }

    /// A handle for a thread that reads often; its `load` costs about an atomic read while nothing changes.
    pub fn reader(&self) -> Reader<'_> {
        Cache::new(&self.0)
    }

    /// Makes `next` current for `sector` if its current snapshot is still `expected` (`None`: the sector is new).
    ///
    /// # Errors
    /// [`KernelError::StalePromotion`] when another snapshot is current; nothing changes then.
    pub fn promote(
        &self,
        sector: &str,
        expected: Option<SnapshotId>,
        next: &Arc<SectorWorld>,
    ) -> Result<(), KernelError> {
        let mut current = self.0.load_full();
        loop {
            let found = current.sectors.get(sector).map(|s| s.snapshot.id);
            if found != expected {
                return Err(KernelError::StalePromotion {
                    sector: sector.to_owned(),
                    expected: expected.map_or_else(|| "none".to_owned(), |id| id.to_string()),
                    found: found.map_or_else(|| "none".to_owned(), |id| id.to_string()),
                });
            }
            let mut sectors = current.sectors.clone();
            sectors.insert(sector.to_owned(), Arc::clone(next));
            let world = Arc::new(World { epoch: current.epoch + 1, sectors });
            let previous = self.0.compare_and_swap(&current, world);
            if Arc::ptr_eq(&previous, &current) {
                return Ok(());
            }
            current = Arc::clone(&previous);
        }
    }
}
