//! The kernel as a log left it: from its newest sealed state, or from the beginning, decisions folded and not made again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use knhk_evidence::Hash;
use knhk_evidence::entry::Entry;
use knhk_evidence::input::InputKind;
use knhk_evidence::intern::{Table, Tables};
use knhk_evidence::receipt::{Operation, Outcome};
use knhk_kernel::sealed::StateSealed;
use knhk_kernel::{Kernel, KernelError};
use knhk_storage::objects::Objects;
use knhk_storage::read;

use crate::error::CliError;

/// How much of the state a restored kernel needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restore {
    /// Everything that later decisions read.
    ForDeciding,
    /// Snapshots, proposals and receipts, but no window.
    ForReading,
}

/// The kernel as the log left it.
pub(crate) fn restore(dir: &Path, how: Restore) -> Result<Kernel, CliError> {
    if !dir.join("log").is_dir() {
        return Err(CliError::NoLog { path: dir.to_owned() });
    }
    let plan = Plan::of(dir)?;
    let (mut kernel, from) = match plan.seals.last() {
        Some(seal) => (unseal(dir, seal.digest)?, seal.entry),
        None => (Kernel::new(), 0),
    };
    for located in read::entries(dir)? {
        let located = located?;
        if located.index < from {
            continue;
        }
        match &located.entry {
            Entry::Input(input) => kernel.restore_input(input)?,
            Entry::Block { block, payloads } => {
                let sector = u32::from(block.header().sector);
                let name = kernel.names().text(Table::Sector, sector).unwrap_or_default();
                let needed = how == Restore::ForDeciding && plan.needs(name, located.index);
                kernel.restore_block(block, payloads.as_ref().filter(|_| needed))?;
            }
            Entry::Receipt { signed, body } => kernel.restore_receipt(signed.draft(), signed.id(), body)?,
            Entry::KeyChange(_) => {}
        }
    }
    Ok(kernel)
}

/// The kernel that was sealed under this digest.
pub(crate) fn unseal(dir: &Path, digest: Hash) -> Result<Kernel, KernelError> {
    let objects = Objects::open(dir).ok();
    Kernel::unseal(digest, &mut |digest| objects.as_ref()?.get(digest).ok())
}

/// Where a state was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seal {
    /// Index of its entry.
    pub(crate) entry: u64,
    /// What it says.
    pub(crate) digest: Hash,
}

/// What a log holds that decides where restoring and replaying begin.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Index of the first entry that is kept.
    pub(crate) begins_at: u64,
    /// Every sealed state, the oldest first.
    pub(crate) seals: Vec<Seal>,
    /// Per sector, the entries of its last two cycles that closed a window with events: the last closed window lies between
    /// them, the open one after.
    windows: BTreeMap<String, [u64; 2]>,
}

impl Plan {
    /// Reads the log once.
    pub(crate) fn of(dir: &Path) -> Result<Self, CliError> {
        let mut plan = Self::default();
        let mut names = Tables::default();
        let mut with_events = BTreeSet::new();
        for (place, located) in read::entries(dir)?.enumerate() {
            let located = located?;
            match &located.entry {
                Entry::Input(input) => {
                    if place == 0 {
                        plan.begins_at = located.index;
                    }
                    names.follow(input)?;
                    if input.kind == InputKind::StateSealed {
                        let StateSealed { digest } = input.decode()?;
                        plan.seals.push(Seal { entry: located.index, digest });
                    }
                }
                Entry::Block { block, .. } => {
                    let sector = u32::from(block.header().sector);
                    with_events.insert(names.text(Table::Sector, sector).unwrap_or_default().to_owned());
                }
                Entry::Receipt { signed, .. }
                    // A failed cycle leaves its window open.
                    if signed.draft().operation == Operation::LoopCycleCompleted
                        && !matches!(signed.draft().outcome, Outcome::Error { .. })
                        && with_events.remove(&signed.draft().sector) =>
                {
                    let last = plan.windows.entry(signed.draft().sector.clone()).or_default();
                    *last = [last[1], located.index];
                }
                _ => {}
            }
        }
        Ok(plan)
    }

    fn needs(&self, sector: &str, entry: u64) -> bool {
        self.windows.get(sector).is_none_or(|[before_last, _]| entry > *before_last)
    }
}
