//! Verification of a directory. Nothing here writes.

use std::num::NonZero;
use std::thread;

use knhk_evidence::VerifyingKey;
use knhk_evidence::checkpoint::UnverifiedCheckpoint;
use knhk_evidence::entry::{Assembler, Entry, Item};
use knhk_evidence::frame::{Chain, FRAME_HEADER_LEN, FrameHeader};
use knhk_evidence::sealed::SealedState;
use knhk_evidence::unchecked::{Unchecked, UncheckedBlock};
use knhk_evidence::verify::{Depth, Report, Trust, Verifier, segment_name};

use crate::ahead::Ahead;
use crate::directory::Directory;
use crate::error::{Error, Result};
use crate::medium::How;

/// Bytes of `key.pub`.
const MAX_KEY_FILE_LEN: usize = 1024;

/// How a log is to be verified.
#[derive(Debug, Clone, Copy)]
pub struct Audit<'a> {
    /// The key obtained elsewhere; without one the log vouches for itself, and the report says so.
    pub trusted: Option<&'a VerifyingKey>,
    /// Signed checkpoints kept elsewhere: the log must agree with each.
    pub kept: &'a [&'a str],
    /// How much is checked.
    pub depth: Depth,
    /// Whether to begin at the newest sealed state that every kept checkpoint covers, instead of at the first entry that
    /// is there. What lies before was verified when those checkpoints were.
    pub since_kept: bool,
}

impl Default for Audit<'_> {
    fn default() -> Self {
        Self { trusted: None, kept: &[], depth: Depth::Everything, since_kept: false }
    }
}

/// How far verification has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Segments done.
    pub segments: u32,
    /// Segments in all.
    pub of: u32,
}

/// Verifies every byte of a log, its signatures and its checkpoint.
///
/// # Errors
/// Gives the first thing that is wrong, with its place. A log without checkpoint is refused.
pub fn verify(
    directory: impl Into<Directory>,
    trusted: Option<&VerifyingKey>,
    kept: &[&str],
) -> Result<Report> {
    verify_with(directory, &Audit { trusted, kept, ..Audit::default() }, &mut |_| {})
}

/// Like [`verify`], as `audit` says. Signatures are checked on every core; `progress` is called after each segment.
pub fn verify_with(
    directory: impl Into<Directory>,
    audit: &Audit<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report> {
    let directory = directory.into();
    let segments = directory.segments()?;
    // The directory's own key is a claim like any other: it must be one of the log's.
    let published = published_key(&directory)?;
    let checkpoint = directory.read_checkpoint()?.ok_or_else(|| Error::Layout {
        path: directory.checkpoint(),
        why: "there is no checkpoint: open the log once",
    })?;
    let trust = audit.trusted.map_or(Trust::SelfAttested, |key| Trust::Key(key.clone()));
    let starts = audit.kept.iter().map(|note| newest_start(&directory, note));
    let (first, mut verifier) = match starts.collect::<Result<Vec<_>>>()?.into_iter().min() {
        Some(first) if audit.since_kept && first > segments.start => {
            (first, Verifier::since(first, trust, audit.depth))
        }
        _ => (segments.start, Verifier::kept_from(segments.start, trust, audit.depth)),
    };
    for note in [checkpoint.as_str()].iter().chain(audit.kept) {
        verifier.expect_checkpoint(note)?;
    }
    for number in first..segments.end {
        let (name, bytes) = (segment_name(number), directory.read_segment(number)?);
        let (read, blocks) = if number + 1 == segments.end {
            let (tail, blocks) = verifier.last_segment_leaving_blocks(&name, &bytes);
            (tail.map(drop), blocks)
        } else {
            verifier.segment_leaving_blocks(&name, &bytes)
        };
        // What is wrong with a block or a signature stands before whatever else was found behind it.
        on_every_core(&blocks, UncheckedBlock::check)?;
        check_in_parallel(&verifier.take_unchecked())?;
        read?;
        progress(Progress { segments: number + 1 - first, of: segments.end - first });
    }
    let (report, state, _) = verifier.finish_for_append()?;
    if !state.keys().contains(&published) {
        return Err(knhk_evidence::Error::Untrusted { trusted: published.label() }.into());
    }
    Ok(report)
}

/// Checks signatures on every core; gives the error of the first that is wrong.
pub(crate) fn check_in_parallel(unchecked: &[Unchecked]) -> Result<()> {
    on_every_core(unchecked, Unchecked::check)
}

/// Checks many things on every core; gives the error of the first that is wrong.
fn on_every_core<T: Sync>(all: &[T], check: impl Fn(&T) -> knhk_evidence::Result<()> + Sync) -> Result<()> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let share = all.len().div_ceil(cores).max(1);
    let check = |part: &[T]| part.iter().try_for_each(&check);
    if all.len() < 2 * cores {
        return Ok(check(all)?);
    }
    thread::scope(|scope| {
        let check = &check;
        let parts: Vec<_> = all.chunks(share).map(|part| scope.spawn(move || check(part))).collect();
        for part in parts {
            // A panic of a worker is this thread's panic, as if it had done the work itself.
            part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        Ok(())
    })
}

/// The newest segment whose sealed state the checkpoint covers; the first that is there if there is none.
pub(crate) fn newest_start(directory: &Directory, note: &str) -> Result<u32> {
    let size = UnverifiedCheckpoint::parse(note)?.claimed().size;
    let segments = directory.segments()?;
    for number in segments.clone().skip(1).rev() {
        if sealed_state(directory, number)?.is_some_and(|sealed| sealed.size <= size) {
            return Ok(number);
        }
    }
    Ok(segments.start)
}

/// The state of the log where a segment begins, if it begins with one in a group that was committed. Damage shows when it
/// is verified.
pub(crate) fn sealed_state(directory: &Directory, number: u32) -> Result<Option<SealedState>> {
    let path = directory.segment(number);
    let mut file = Ahead::new(directory.open(&path, How::Read)?);
    let (mut chain, mut assembler, mut sealed) = (None, Assembler::default(), None);
    loop {
        let bytes = file.peek(FRAME_HEADER_LEN).map_err(Error::io("read", &path))?;
        let Some(header) = bytes.first_chunk().and_then(|bytes| FrameHeader::from_bytes(bytes).ok()) else {
            return Ok(None);
        };
        let len = FRAME_HEADER_LEN + header.len as usize;
        let bytes = file.peek(len).map_err(Error::io("read", &path))?;
        let read = chain
            .get_or_insert(Chain::at(&header))
            .read(bytes)
            .and_then(|(kind, body, _)| assembler.push(kind, body));
        file.skip(len);
        match read {
            Ok(Some(Item::Commit(_))) => return Ok(sealed),
            Ok(Some(Item::Entry(Entry::Input(input)))) if sealed.is_none() => {
                let Ok(state) = SealedState::of(&input) else { return Ok(None) };
                sealed = Some(state);
            }
            Ok(Some(Item::Checkpoint(_))) => {}
            Ok(_) if sealed.is_some() => {}
            _ => return Ok(None),
        }
    }
}

/// The key that the directory publishes in `key.pub`. Whoever can change the log can change it too.
pub fn published_key(directory: impl Into<Directory>) -> Result<VerifyingKey> {
    let directory = directory.into();
    let path = directory.public_key();
    let bytes = directory.read_bounded(&path, MAX_KEY_FILE_LEN)?;
    let text = std::str::from_utf8(&bytes).ok().and_then(|text| text.strip_suffix('\n'));
    Ok(text.ok_or(Error::Layout { path, why: "it is not one line of text" })?.parse()?)
}

/// The newest signed checkpoint, as it stands beside the log; unverified.
pub fn checkpoint_note(directory: impl Into<Directory>) -> Result<String> {
    let directory = directory.into();
    directory.read_checkpoint()?.ok_or_else(|| Error::Layout {
        path: directory.checkpoint(),
        why: "there is no checkpoint: open the log once",
    })
}
