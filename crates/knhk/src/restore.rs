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
use crate::notice;

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
    let restored = restore_telling(dir, how)?;
    if let Some(lost) = &restored.lost {
        notice::tell(&lost_state(lost));
    }
    Ok(restored.kernel)
}

/// A kernel, and how it came to be.
#[derive(Debug)]
pub(crate) struct Restored {
    /// It.
    pub(crate) kernel: Kernel,
    /// Why it was folded from the log's beginning although a state was sealed.
    pub(crate) lost: Option<KernelError>,
}

/// What a user is told when a sealed state could not be used.
pub(crate) fn lost_state(lost: &KernelError) -> String {
    format!(
        "the sealed state cannot be used ({lost}). The whole log is here, so the state was made from its beginning; \
         `knhk log seal` keeps it anew"
    )
}

/// Like [`restore`], and leaves it to the caller to say what was found.
pub(crate) fn restore_telling(dir: &Path, how: Restore) -> Result<Restored, CliError> {
    if !dir.join("log").is_dir() {
        return Err(CliError::NoLog { path: dir.to_owned() });
    }
    let plan = Plan::of(dir)?;
    let newest = plan.seals.last().copied();
    let Some(seal) = newest else {
        return Ok(Restored { kernel: fold(dir, how, &plan, Kernel::new(), 0)?, lost: None });
    };
    match unseal(dir, seal.digest) {
        Ok(kernel) => Ok(Restored { kernel: fold(dir, how, &plan, kernel, seal.entry)?, lost: None }),
        // What lies before it is still there, and leads to the same state.
        Err(lost @ KernelError::SealedObject { .. }) if plan.begins_at == 0 => {
            Ok(Restored { kernel: fold(dir, how, &plan, Kernel::new(), 0)?, lost: Some(lost) })
        }
        Err(error) => Err(error.into()),
    }
}

/// Folds the logged inputs and decisions from an entry on.
fn fold(dir: &Path, how: Restore, plan: &Plan, mut kernel: Kernel, from: u64) -> Result<Kernel, CliError> {
    let sealed_at = plan.seals.last().map_or(0, |seal| seal.entry);
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
                // Sealing lets every window go, so nothing before the newest seal is read again, erased or not.
                let needed = how == Restore::ForDeciding
                    && located.index > sealed_at
                    && plan.needs(name, located.index);
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
    // Opening makes the directory, and reading changes nothing.
    let objects = dir.join("objects").is_dir().then(|| Objects::open(dir).ok()).flatten();
    Kernel::unseal(digest, &mut |digest| objects.as_ref()?.get(digest).ok())
}

/// Where a state was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seal {
    /// Index of its entry.
    pub(crate) entry: u64,
    /// Number of its segment.
    pub(crate) segment: u32,
    /// What it says.
    pub(crate) digest: Hash,
}

/// What a log holds that decides where restoring and replaying begin.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Index of the first entry that is kept.
    pub(crate) begins_at: u64,
    /// Index of the last entry.
    pub(crate) last: u64,
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
            plan.last = located.index;
            match &located.entry {
                Entry::Input(input) => {
                    if place == 0 {
                        plan.begins_at = located.index;
                    }
                    names.follow(input)?;
                    if input.kind == InputKind::StateSealed {
                        let StateSealed { digest } = input.decode()?;
                        plan.seals.push(Seal { entry: located.index, segment: located.segment, digest });
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
