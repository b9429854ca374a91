//! Which changes a snapshot's content rests on, and which of them a rollback took back.
//!
//! A rollback is a new snapshot with an old content, so the parents of snapshots do not say what is in force: after two
//! rollbacks the parent is the version that was rolled back. Here each snapshot stands for the one that first had its content.

use std::collections::{BTreeMap, BTreeSet};

use knhk_ontology::SnapshotId;

/// The promotions behind every snapshot of a sector.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lineage {
    /// The snapshot of a rollback → the promotion, or genesis, whose content it has.
    same_as: BTreeMap<SnapshotId, SnapshotId>,
    promotions: BTreeMap<SnapshotId, Promotion>,
}

#[derive(Clone, Debug)]
struct Promotion {
    /// What it was made from: a promotion or genesis.
    from: SnapshotId,
    /// The patterns that its change answered.
    patterns: Vec<String>,
}

impl Lineage {
    pub(crate) fn promoted(&mut self, snapshot: SnapshotId, parent: SnapshotId, patterns: Vec<String>) {
        let from = self.origin(parent);
        self.promotions.insert(snapshot, Promotion { from, patterns });
    }

    pub(crate) fn rolled_back(&mut self, snapshot: SnapshotId, to: SnapshotId) {
        let origin = self.origin(to);
        self.same_as.insert(snapshot, origin);
    }

    /// The promotion, or genesis, whose content a snapshot has.
    fn origin(&self, snapshot: SnapshotId) -> SnapshotId {
        self.same_as.get(&snapshot).copied().unwrap_or(snapshot)
    }

    /// The state before the promotion that made a snapshot's content, then the one before that, back to genesis.
    pub(crate) fn before(&self, snapshot: SnapshotId) -> impl Iterator<Item = SnapshotId> + '_ {
        let mut at = self.origin(snapshot);
        std::iter::from_fn(move || {
            at = self.promotions.get(&at)?.from;
            Some(at)
        })
    }

    /// Patterns of the changes that are behind `one` and not behind `other`.
    pub(crate) fn patterns_lost(&self, one: SnapshotId, other: SnapshotId) -> Vec<&String> {
        let behind = |id| std::iter::once(self.origin(id)).chain(self.before(id));
        let kept: BTreeSet<SnapshotId> = behind(other).collect();
        behind(one)
            .filter(|id| !kept.contains(id))
            .filter_map(|id| self.promotions.get(&id))
            .flat_map(|promotion| &promotion.patterns)
            .collect()
    }
}
