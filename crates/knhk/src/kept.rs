//! What a log keeps of its past: where it begins, and which observations and payloads are there.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use knhk_evidence::entry::Entry;
use knhk_evidence::sealed::SealedState;
use knhk_storage::read;

use crate::error::CliError;

/// The state of the log where its first entry stands; `None` when it is there from entry 0.
pub(crate) fn start(dir: &Path) -> Result<Option<SealedState>, CliError> {
    match read::entries(dir)?.next().transpose()? {
        Some(first) if first.index > 0 => match &first.entry {
            Entry::Input(input) => Ok(Some(SealedState::of(input)?)),
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

/// What there is of an observation's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    /// It is there.
    Held,
    /// It was erased.
    Erased,
    /// There never was one.
    None,
}

/// The observations that a log keeps.
#[derive(Debug, Default)]
pub(crate) struct Observations {
    /// Their numbers.
    pub(crate) kept: Range<u64>,
    /// The payloads of those asked for.
    pub(crate) payloads: BTreeMap<u64, Payload>,
}

/// Reads the log once for the payloads of these observations; those that are not there are left out.
pub(crate) fn observations(dir: &Path, asked: impl Fn(u64) -> bool) -> Result<Observations, CliError> {
    let first = start(dir)?.map_or(0, |state| state.next_sequence);
    let mut found = Observations { kept: first..first, payloads: BTreeMap::new() };
    for located in read::entries(dir)? {
        let Entry::Block { block, payloads } = located?.entry else { continue };
        for (index, record) in block.records().iter().enumerate() {
            found.kept.end = record.sequence + 1;
            if asked(record.sequence) {
                let there = payloads.as_ref().and_then(|payloads| payloads.get(index)).is_some();
                let payload = match (record.payload_len, there) {
                    (0, _) => Payload::None,
                    (_, true) => Payload::Held,
                    (_, false) => Payload::Erased,
                };
                found.payloads.insert(record.sequence, payload);
            }
        }
    }
    Ok(found)
}
