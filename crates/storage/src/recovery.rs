//! Opening a log for writing: what is verified, what is cut off, what is signed.

use knhk_evidence::checkpoint::UnverifiedCheckpoint;
use knhk_evidence::frame::{Chain, find_tail};
use knhk_evidence::verify::{Depth, Report, Trust, Verifier, segment_name};
use knhk_evidence::{SigningKey, VerifyingKey};

use crate::audit;
use crate::directory::Directory;
use crate::error::{Error, Result};
use crate::log::{Extent, Log, Options};
use crate::medium::Guard;
use crate::segment::Segment;
use crate::spare;

/// What opening a log found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Bytes cut off behind the last commit: a group whose write was interrupted and that was never acknowledged.
    pub truncated_bytes: u64,
    /// Whole frames among them.
    pub truncated_frames: u64,
    /// Whether the checkpoint file was missing or empty, so that a rollback could not be told.
    pub checkpoint_missing: bool,
    /// Entries at its end that no signed checkpoint covered, and that one covers now. Whoever can write the directory can
    /// have put them there: compare them with what was sent.
    pub signed: u64,
    /// What verification of the rest found.
    pub report: Report,
}

impl Log {
    /// Opens a log for writing: verifies it, cuts off a torn tail, and signs what is not yet signed.
    ///
    /// # Errors
    /// Refuses damage anywhere but in the torn tail, a log that ends before its checkpoint, a key other than the one
    /// in force, and a log in use. Nothing is changed then.
    pub fn open(directory: impl Into<Directory>, key: &SigningKey) -> Result<(Self, Recovery)> {
        Self::open_with(directory, key, Options::default())
    }

    /// Like [`Log::open`], with options.
    pub fn open_with(
        directory: impl Into<Directory>,
        key: &SigningKey,
        options: Options,
    ) -> Result<(Self, Recovery)> {
        let directory = directory.into();
        directory.segments()?;
        let lock = directory.lock()?;
        let checkpoint = directory.read_checkpoint()?;
        let (mut log, recovery) = Self::recover(directory, lock, key, options, checkpoint.as_deref())?;
        if !log.published || log.key_changed {
            log.publish()?;
        }
        Ok((log, recovery))
    }

    /// Opens a log that was cut on purpose, before what its checkpoint says; the checkpoint file is left alone.
    pub(crate) fn open_cut(
        directory: Directory,
        lock: Box<dyn Guard>,
        key: &SigningKey,
    ) -> Result<(Self, Recovery)> {
        Self::recover(directory, lock, key, Options::default(), None)
    }

    fn recover(
        directory: Directory,
        lock: Box<dyn Guard>,
        key: &SigningKey,
        options: Options,
        checkpoint: Option<&str>,
    ) -> Result<(Self, Recovery)> {
        let segments = directory.segments()?;
        let (trust, depth) = (Trust::Key(key.verifying_key().clone()), Depth::Everything);
        let (first, mut verifier) = match (options.verify, checkpoint) {
            (Extent::SinceLastSeal, Some(note))
                if audit::newest_start(&directory, note)? > segments.start =>
            {
                let first = audit::newest_start(&directory, note)?;
                (first, Verifier::since(first, trust, depth))
            }
            _ => (segments.start, Verifier::kept_from(segments.start, trust, depth)),
        };
        if let Some(note) = checkpoint {
            verifier.expect_checkpoint(note)?;
        }
        let last = segments.end - 1;
        for number in first..last {
            verifier.segment(&segment_name(number), &directory.read_segment(number)?)?;
            audit::check_in_parallel(&verifier.take_unchecked())?;
        }
        let bytes = directory.read_segment(last)?;
        if last == 0 && find_tail(&segment_name(0), Chain::default(), &bytes).committed == 0 {
            // The very first group never became durable.
            return Err(Error::NotALog { path: directory.root().to_owned() });
        }
        let tail = verifier.last_segment(&segment_name(last), &bytes)?;
        audit::check_in_parallel(&verifier.take_unchecked())?;
        let (report, state, chain) = verifier.finish_for_append()?;
        if state.key() != Some(key.verifying_key()) {
            let expected = state.key().map(VerifyingKey::label).unwrap_or_default();
            return Err(Error::WrongKey { actual: key.verifying_key().label(), expected });
        }
        let published_size = match checkpoint {
            Some(note) => UnverifiedCheckpoint::parse(note)?.claimed().size,
            None => 0,
        };
        let recovery = Recovery {
            truncated_bytes: tail.torn as u64,
            truncated_frames: tail.frames,
            checkpoint_missing: checkpoint.is_none(),
            signed: report.tree_size - report.covered,
            report,
        };
        // An earlier writer may have been stopped between a rename and its sync; nothing may be written to a file whose name
        // a power cut would give back to another.
        directory.sync_dir(&directory.log())?;
        let segment = if tail.committed > 0 {
            let segment = Segment::reopen(&directory, last, tail.committed as u64)?;
            segment.cut_off_room()?;
            if published_size < recovery.report.tree_size {
                segment.secure(&bytes[tail.last_group..tail.committed])?;
            }
            segment
        } else {
            // A segment whose first group was torn: the next group makes it anew under the same number.
            directory.remove(&directory.segment(last))?;
            directory.sync_dir(&directory.log())?;
            let previous = last - 1;
            Segment::reopen(&directory, previous, u64::MAX)?
        };
        let note = state.checkpoint()?.sign(key)?;
        let key_changed = audit::published_key(&directory).ok().as_ref() != Some(key.verifying_key());
        let outdated = key_changed || checkpoint != Some(note.as_str());
        spare::remove_unfinished(&directory)?;
        let log = Self {
            directory,
            options,
            key: key.clone(),
            state,
            chain,
            segment: Some(segment),
            group: Vec::new(),
            pending: 0,
            unwritten: false,
            note,
            published: !outdated,
            key_changed,
            poison: None,
            _lock: lock,
        };
        Ok((log, recovery))
    }
}

/// Whether a log was interrupted while it was being created: it holds nothing that was ever acknowledged.
pub(crate) fn never_committed(directory: &Directory) -> Result<bool> {
    let tail = find_tail(&segment_name(0), Chain::default(), &directory.read_segment(0)?);
    Ok(tail.committed == 0 && directory.read_checkpoint()?.is_none())
}
