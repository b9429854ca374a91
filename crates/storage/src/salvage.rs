//! Salvage: what to do with a log that is damaged where it must not be, when there is no copy to restore.
//!
//! The log is cut at the last commit before the damage and goes on from there. What is behind the cut is set aside, not
//! destroyed, and the first new entry says what was given up. It is a fork of what was signed before: whoever kept a
//! later checkpoint sees that the log no longer agrees with it, and finds the entry that tells why.

use std::path::PathBuf;

use knhk_evidence::SigningKey;
use knhk_evidence::checkpoint::UnverifiedCheckpoint;
use knhk_evidence::frame::last_commit_before;
use knhk_evidence::input::{Input, InputKind};
use knhk_evidence::sealed::Salvaged;
use knhk_evidence::state::Counts;
use knhk_evidence::verify::{Depth, Trust, Verifier, segment_name};

use crate::audit;
use crate::directory::{Directory, Durability};
use crate::error::{Error, Result};
use crate::log::Log;
use crate::medium::How;

/// What was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    /// Index of the first entry that is gone.
    pub from: u64,
    /// Entries the log had had, as far as is known.
    pub had: u64,
    /// What is kept.
    pub kept: Counts,
    /// What was there in all, where something behind the damage could be read.
    pub all: Option<Counts>,
    /// The damage and its place.
    pub damage: String,
    /// Where what stood behind the cut was set aside.
    pub aside: PathBuf,
    /// Bytes set aside, the damaged segment counted whole.
    pub bytes: u64,
}

/// Cuts a damaged log at the last commit before the damage. `None` if nothing is damaged: opening it suffices then.
///
/// `time_ms` is now, Unix milliseconds.
///
/// # Errors
/// Refuses a log whose very first commit is damaged, and a key other than the one in force at the cut.
pub fn salvage(directory: impl Into<Directory>, key: &SigningKey, time_ms: i64) -> Result<Option<GivenUp>> {
    let directory = directory.into();
    let lock = directory.lock()?;
    let Some(cut) = find_cut(&directory, key)? else { return Ok(None) };
    let checkpoint = directory.read_checkpoint().ok().flatten();
    let segments = directory.segments()?;
    let aside = directory.root().join(format!("damaged-{:020}", time_ms.max(0)));
    directory.create(&aside)?;

    // Everything is copied or moved before anything is cut, the newest first, so that a crash in between leaves a log
    // that can be salvaged again.
    let mut bytes = 0;
    let damaged = directory.segment(cut.segment);
    let whole = directory.read_segment(cut.segment)?;
    bytes += whole.len() as u64;
    directory.replace(&aside.join(segment_name(cut.segment)), &whole, Durability::Synced)?;
    if let Some(note) = &checkpoint {
        directory.replace(&aside.join("checkpoint"), note.as_bytes(), Durability::Synced)?;
    }
    for number in (cut.segment + 1..segments.end).rev() {
        let path = directory.segment(number);
        let file = directory.open(&path, How::Read)?;
        bytes += file.len().map_err(Error::io("inspect", &path))?;
        directory.rename(&path, &aside.join(segment_name(number)))?;
    }
    directory.sync_dir(&aside)?;
    if cut.committed == 0 {
        directory.remove(&damaged)?;
    } else {
        let file = directory.open(&damaged, How::Write)?;
        file.set_len(cut.committed).map_err(Error::io("truncate", &damaged))?;
        Directory::sync(&*file, &damaged)?;
    }
    directory.sync_dir(&directory.log())?;

    // The old checkpoint stays until the entry that says what was given up is durable: a crash before that leaves a log
    // that ends before its checkpoint, which is refused, and can be salvaged again.
    let (mut log, _) = Log::open_cut(directory, lock, key)?;
    let from = log.state().size();
    let claimed = checkpoint.as_deref().and_then(|note| UnverifiedCheckpoint::parse(note).ok());
    let had = claimed.map_or(0, |checkpoint| checkpoint.claimed().size).max(cut.had).max(from);
    let body = Salvaged { from, had, damage: cut.damage.clone(), checkpoint };
    log.append_input(Input::new(InputKind::LogSalvaged, None, time_ms.max(log.state().time_ms()), &body)?)?;
    log.close()?;
    Ok(Some(GivenUp { from, had, kept: cut.kept, all: cut.all, damage: cut.damage, aside, bytes }))
}

struct Cut {
    segment: u32,
    committed: u64,
    damage: String,
    kept: Counts,
    all: Option<Counts>,
    had: u64,
}

fn find_cut(directory: &Directory, key: &SigningKey) -> Result<Option<Cut>> {
    let trust = || Trust::Key(key.verifying_key().clone());
    let segments = directory.segments()?;
    let mut verifier = Verifier::kept_from(segments.start, trust(), Depth::Everything);
    if let Some(note) = directory.read_checkpoint().ok().flatten() {
        // A checkpoint that cannot be read is no reason to give entries up.
        let _ = verifier.expect_checkpoint(&note);
    }
    let last = segments.end - 1;
    for number in segments.clone() {
        let (name, bytes) = (segment_name(number), directory.read_segment(number)?);
        let before = verifier.clone();
        let read = if number == last {
            verifier.last_segment(&name, &bytes).map(drop)
        } else {
            verifier.segment(&name, &bytes)
        };
        let read = audit::check_in_parallel(&verifier.take_unchecked()).and(read.map_err(Error::from));
        let Err(error) = read else { continue };
        let place = match &error {
            Error::Evidence(evidence) => evidence.place().map_or(0, |place| place.offset),
            _ => return Err(error),
        };
        let committed = last_commit_before(before.next_segment(&bytes), &bytes, place);
        let mut kept = before;
        if committed > 0 {
            kept.segment(&name, &bytes[..committed])?;
        } else if number == segments.start {
            return Err(error);
        }
        let (all, had) = behind(directory, number + 1, last, &trust);
        return Ok(Some(Cut {
            segment: number,
            committed: committed as u64,
            damage: error.to_string(),
            kept: kept.counts(),
            all,
            had,
        }));
    }
    // Every segment can be read; it is the end that is missing, or nothing is.
    let kept = verifier.counts();
    match verifier.finish() {
        Ok(_) => Ok(None),
        Err(error @ (knhk_evidence::Error::At { .. } | knhk_evidence::Error::RolledBack { .. })) => {
            let path = directory.segment(last);
            let len = directory.open(&path, How::Read)?.len().map_err(Error::io("inspect", &path))?;
            let committed = error.place().map_or(len, |place| place.offset);
            let damage = error.to_string();
            Ok(Some(Cut { segment: last, committed, damage, kept, all: None, had: 0 }))
        }
        Err(error) => Err(error.into()),
    }
}

/// What can be read behind the damage: the newest segment that begins with a sealed state and is whole tells it all.
fn behind(directory: &Directory, from: u32, last: u32, trust: &dyn Fn() -> Trust) -> (Option<Counts>, u64) {
    for number in (from..=last).rev() {
        let Ok(bytes) = directory.read_segment(number) else { continue };
        let mut verifier = Verifier::since(number, trust(), Depth::Everything);
        let name = segment_name(number);
        let read = if number == last {
            verifier.last_segment(&name, &bytes).map(drop)
        } else {
            verifier.segment(&name, &bytes)
        };
        if read.is_ok() {
            return (Some(verifier.counts()), verifier.size());
        }
    }
    (None, 0)
}
