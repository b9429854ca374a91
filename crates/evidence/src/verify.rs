//! Verification of a whole log, from bytes alone. See `docs/formats/log.md`.
//!
//! The verifier repairs nothing and skips nothing: a byte it cannot account for is an error with its place.

use crate::block::{Block, BlockHeader, Payloads};
use crate::checkpoint::UnverifiedCheckpoint;
use crate::entry::{Assembler, Entry, Item, covered, retained};
use crate::error::{Error, Place, Result, within};
use crate::frame::{
    Chain, Commit, FRAME_HEADER_LEN, FrameHeader, FrameKind, MAX_SEGMENT_LEN, Tail, find_tail, signed_behind,
};
use crate::hash::Hash;
use crate::key::VerifyingKey;
use crate::producers::Lost;
use crate::sealed::SealedState;
use crate::state::{Counts, LogState};
use crate::unchecked::{Unchecked, UncheckedBlock};

/// Whom to believe.
#[expect(clippy::large_enum_variant, reason = "there is one per verification")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// A key obtained elsewhere; it must be one of the log's keys.
    Key(VerifyingKey),
    /// The log's own word: shows that it is consistent, not whose it is.
    SelfAttested,
}

/// The file name of a segment.
pub fn segment_name(number: u32) -> String {
    format!("{number:08}.seg")
}

/// How much is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// That every byte is under the newest checkpoint's root: frames, records, payloads, bodies, the tree, the commits.
    /// Receipts and inputs are not decoded, and of the signatures only the newest checkpoint's and those of key changes
    /// are checked.
    Roots,
    /// All of that, every rule of the log, and every signature.
    Everything,
}

/// What verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Name of the log: that of its keys.
    pub origin: String,
    /// vkey of the key in force.
    pub key: String,
    /// Whether the log itself was the only source of its key.
    pub self_attested: bool,
    /// How much was checked.
    pub depth: Depth,
    /// Entries before the place where verification began: known by their root alone.
    pub begins_at: u64,
    /// Entries of the log.
    pub tree_size: u64,
    /// RFC 6962 root over them.
    pub root: Hash,
    /// Entries under the largest signed checkpoint, beside the log or in it. The rest, at most one group, is
    /// consistent but not signed.
    pub covered: u64,
    /// What the entries are.
    pub counts: Counts,
    /// What producers' counts say is missing. Known only with [`Depth::Everything`].
    pub lost: Lost,
    /// Checkpoint notes found in the log.
    pub checkpoints: u64,
    /// Groups that were read.
    pub commits: u64,
    /// Segments that were read.
    pub segments: u64,
    /// Frames of the log.
    pub frames: u64,
    /// Bytes that were read, all accounted for.
    pub bytes: u64,
    /// Bytes behind the last commit: a write that was interrupted, or is going on. They are no part of the log.
    pub torn: u64,
}

/// Where a block stands whose records the caller checks.
#[derive(Debug, Clone, Copy)]
struct Left {
    /// Offset of its frame in the segment.
    at: usize,
    /// Bytes of the frame's body.
    len: usize,
    /// Number of the frame.
    frame: u64,
}

/// Verifies a log segment by segment. Memory: one segment and the log's [`LogState`].
#[derive(Debug, Clone)]
pub struct Verifier {
    trust: Trust,
    depth: Depth,
    expected: Vec<UnverifiedCheckpoint>,
    covered: u64,
    state: LogState,
    chain: Chain,
    assembler: Assembler,
    /// Number of the first segment that is read.
    first: u32,
    /// Whether the log must say that what lies before was dropped on purpose.
    dropped: bool,
    /// Index of each entry that says so, and what it says.
    retained: Vec<(u64, u64)>,
    /// The checkpoint before the sealed state from which verification begins, until that state is read.
    anchor: Option<UnverifiedCheckpoint>,
    begins_at: u64,
    /// Which of the log's keys may be trusted: those from this one on. What a sealed state says of earlier ones is the
    /// word of its signer alone.
    answerable: usize,
    /// Signatures met and not yet checked.
    unchecked: Vec<Unchecked>,
    /// Blocks of the present segment that are left to the caller; `None` if none is.
    left: Option<Vec<Left>>,
    /// Entries since the last commit.
    pending: u32,
    /// Whether a frame of a group has come that no commit has closed.
    open: bool,
    segments: u64,
    checkpoints: u64,
    commits: u64,
    bytes: u64,
    torn: Option<(Place, u64)>,
    /// The first error: a log that failed once is not verified by going on.
    failure: Option<Error>,
}

impl Verifier {
    /// Begins at the first entry, with nothing but whom to trust.
    pub fn new(trust: Trust, depth: Depth) -> Self {
        Self::kept_from(0, trust, depth)
    }

    /// Begins at segment `first`, the oldest that is kept: the log must say that what lies before was dropped on
    /// purpose. 0 begins at the first entry.
    pub fn kept_from(first: u32, trust: Trust, depth: Depth) -> Self {
        Self { first, dropped: first > 0, ..Self::since(first, trust, depth) }
    }

    /// Begins at the sealed state at the start of segment `first`, because the caller chose so: what lies before is
    /// theirs to answer for.
    pub fn since(first: u32, trust: Trust, depth: Depth) -> Self {
        Self {
            dropped: false,
            retained: Vec::new(),
            trust,
            depth,
            expected: Vec::new(),
            covered: 0,
            state: LogState::new(),
            chain: Chain::default(),
            assembler: Assembler::default(),
            first,
            anchor: None,
            begins_at: 0,
            answerable: 0,
            unchecked: Vec::new(),
            left: None,
            pending: 0,
            open: false,
            segments: 0,
            checkpoints: 0,
            commits: 0,
            bytes: 0,
            torn: None,
            failure: None,
        }
    }

    /// Demands that the log agree with a signed checkpoint: the one beside the log, and any that was kept elsewhere.
    /// A log shorter than a checkpoint, or another log, is then refused.
    ///
    /// # Errors
    /// Refuses what is not a checkpoint. Its signature is checked when the log reaches its size.
    pub fn expect_checkpoint(&mut self, note: &str) -> Result<()> {
        self.expected.push(UnverifiedCheckpoint::parse(note)?);
        Ok(())
    }

    /// Where the first frame of the next segment, whose bytes these are, must stand.
    pub fn next_segment(&self, bytes: &[u8]) -> Chain {
        if self.segments > 0 {
            let mut chain = self.chain;
            chain.next_segment();
            return chain;
        }
        // In the middle of a log the first frame says where it stands; only the segment is known.
        let header = bytes.first_chunk().and_then(|bytes| FrameHeader::from_bytes(bytes).ok());
        match header {
            Some(header) if self.first > 0 && header.segment == self.first => Chain::at(&header),
            _ => Chain::starting_segment(self.first),
        }
    }

    /// Takes the next segment whole, in order of number.
    ///
    /// # Errors
    /// Gives what is wrong and where; [`Verifier::finish`] then gives the same again.
    pub fn segment(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let done = self.failure.clone().map_or_else(|| self.frames(name, bytes), Err);
        self.failure = done.clone().err();
        done
    }

    /// Takes the last segment, which may end in room for frames to come, and in a group that was never committed; gives
    /// where the committed part ends.
    ///
    /// # Errors
    /// As [`Verifier::segment`]; damage before the last commit is no torn tail.
    pub fn last_segment(&mut self, name: &str, bytes: &[u8]) -> Result<Tail> {
        let done = self.failure.clone().map_or_else(|| self.up_to_last_commit(name, bytes), Err);
        self.failure = done.clone().err();
        done
    }

    /// Like [`Verifier::segment`]. With [`Depth::Roots`] the records of blocks are left to the caller, who checks them in
    /// any order, on any thread, also after an error.
    pub fn segment_leaving_blocks<'a>(
        &mut self,
        name: &str,
        bytes: &'a [u8],
    ) -> (Result<()>, Vec<UncheckedBlock<'a>>) {
        self.left = Some(Vec::new());
        (self.segment(name, bytes), self.take_left(name, bytes))
    }

    /// Like [`Verifier::last_segment`], leaving blocks as [`Verifier::segment_leaving_blocks`] does.
    pub fn last_segment_leaving_blocks<'a>(
        &mut self,
        name: &str,
        bytes: &'a [u8],
    ) -> (Result<Tail>, Vec<UncheckedBlock<'a>>) {
        self.left = Some(Vec::new());
        (self.last_segment(name, bytes), self.take_left(name, bytes))
    }

    fn take_left<'a>(&mut self, name: &str, bytes: &'a [u8]) -> Vec<UncheckedBlock<'a>> {
        let left = self.left.take().unwrap_or_default();
        let block = |Left { at, len, frame }: Left| {
            let place = Place { segment: name.to_owned(), offset: at as u64, frame };
            let body = at + FRAME_HEADER_LEN;
            // Read from these bytes a moment ago.
            UncheckedBlock::new(bytes.get(body..body + len).unwrap_or_default(), place)
        };
        left.into_iter().map(block).collect()
    }

    fn up_to_last_commit(&mut self, name: &str, bytes: &[u8]) -> Result<Tail> {
        let start = self.next_segment(bytes);
        let tail = find_tail(name, start, bytes);
        let nothing_yet = self.segments == 0;
        if tail.committed > 0 || nothing_yet {
            self.frames(name, &bytes[..tail.committed])?;
        }
        if let (Some(broken), Some(key)) = (&tail.broken, self.state.key())
            && signed_behind(self.state.size(), key, &bytes[tail.committed..])
        {
            return Err(broken.clone());
        }
        if tail.torn > 0 || tail.committed == 0 {
            let frame = if tail.committed == 0 { start.number() } else { self.chain.number() };
            let place = Place { segment: name.to_owned(), offset: tail.committed as u64, frame };
            self.torn = Some((place, tail.torn as u64));
        }
        Ok(tail)
    }

    fn frames(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.chain = self.next_segment(bytes);
        let here = |error: Error, at: usize, chain: &Chain| error.at(name, at as u64, chain.number());
        within("segment", bytes.len(), MAX_SEGMENT_LEN).map_err(|error| here(error, 0, &self.chain))?;
        let expected = segment_name(self.chain.segment());
        if name != expected {
            let error = Error::FrameOrder { what: "segment file", actual: name.into(), expected };
            return Err(here(error, 0, &self.chain));
        }
        let (mut at, mut committed) = (0, 0);
        while at < bytes.len() {
            let (before, start) = (self.chain, at);
            let met = self.unchecked.len();
            at += self.frame(&bytes[at..], at).map_err(|error| here(error, at, &before))?;
            if self.unchecked.len() > met {
                let place = Place { segment: name.to_owned(), offset: start as u64, frame: before.number() };
                self.place_unchecked(met, &place);
            }
            if !self.open {
                committed = at;
            }
        }
        if committed != at || at == 0 {
            let error = Error::Uncommitted { bytes: (at - committed) as u64 };
            return Err(here(error, committed, &self.chain));
        }
        self.segments += 1;
        self.bytes += at as u64;
        Ok(())
    }

    fn place_unchecked(&mut self, from: usize, place: &Place) {
        let met: Vec<_> = self.unchecked.drain(from..).collect();
        self.unchecked.extend(met.into_iter().map(|unchecked| unchecked.at(place.clone())));
    }

    fn frame(&mut self, bytes: &[u8], at: usize) -> Result<usize> {
        let frame = self.chain.number();
        let (kind, body, len) = self.chain.read(bytes)?;
        // Every group but the log's first begins with the checkpoint of the commit before it, and only there.
        let due = !self.open && (self.commits > 0 || self.first > 0);
        if due != (kind == FrameKind::Checkpoint) {
            return Err(Error::FrameOrder {
                what: "frame kind",
                actual: format!("{kind:?}"),
                expected: if due { "the checkpoint of the commit before" } else { "an entry or a commit" }
                    .into(),
            });
        }
        self.open = true;
        if let Some(from) = retained(kind, body)? {
            self.retained.push((self.state.size(), from));
        }
        let covers = self.depth == Depth::Roots && self.anchor.is_none() && !self.assembler.is_waiting();
        match kind {
            FrameKind::Receipt | FrameKind::Input if covers => {
                let (kind, leaf) = covered(kind, body)?;
                self.state.cover(kind, leaf);
                self.pending = self.pending.saturating_add(1);
                return Ok(len);
            }
            FrameKind::Block if covers => {
                let header =
                    body.first_chunk().ok_or(Error::Block { why: "it is shorter than 128 bytes" })?;
                let header = BlockHeader::from_bytes(header)?;
                // The payloads of a block are checked against its records, which are then read.
                if header.payload_bytes == 0 {
                    match &mut self.left {
                        Some(left) => left.push(Left { at, len: body.len(), frame }),
                        None => {
                            Block::check(body)?;
                        }
                    }
                    self.state.cover_block(&header, 0);
                    self.pending = self.pending.saturating_add(1);
                    return Ok(len);
                }
            }
            FrameKind::Checkpoint => {
                self.note(body)?;
                return Ok(len);
            }
            _ => {}
        }
        match self.assembler.push(kind, body)? {
            Some(Item::Entry(entry)) => self.entry(&entry)?,
            Some(Item::Commit(commit)) => self.commit(commit)?,
            Some(Item::Checkpoint(_)) | None => {}
        }
        Ok(len)
    }

    fn entry(&mut self, entry: &Entry) -> Result<()> {
        if let Some(anchor) = self.anchor.take() {
            self.begin(&anchor, entry)?;
        }
        if let (Depth::Roots, Entry::Block { block, payloads }) = (self.depth, entry) {
            let erased = payloads.as_ref().map_or(0, Payloads::erased);
            self.state.cover_block(block.header(), erased);
        } else {
            let unchecked = &mut self.unchecked;
            self.state.apply_with(entry, &mut |signature| {
                unchecked.push(signature);
                Ok(())
            })?;
        }
        self.pending = self.pending.saturating_add(1);
        Ok(())
    }

    /// Takes the state from which verification begins; it must be the one that the checkpoint before it signed.
    fn begin(&mut self, anchor: &UnverifiedCheckpoint, entry: &Entry) -> Result<()> {
        let Entry::Input(input) = entry else {
            return Err(Error::Sealed {
                why: "the segment does not begin with one: start at an earlier segment",
            });
        };
        self.state = LogState::from_sealed(&SealedState::of(input)?)?;
        self.matches(anchor)?;
        self.check_now(anchor)?;
        self.covered = anchor.claimed().size;
        self.begins_at = anchor.claimed().size;
        self.answerable = self.state.keys().len() - 1;
        self.meet_expected()
    }

    /// A checkpoint in the log attests the commit before it.
    fn note(&mut self, body: &[u8]) -> Result<()> {
        let text = std::str::from_utf8(body)
            .map_err(|_| Error::Shape { what: "checkpoint", why: "it is not UTF-8".into() })?;
        self.checkpoints += 1;
        if self.depth == Depth::Roots && self.state.size() > 0 {
            let here = self.state.checkpoint()?;
            if text.strip_prefix(&here.to_string()).is_none_or(|rest| !rest.starts_with('\n')) {
                return self.matches(&UnverifiedCheckpoint::parse(text)?);
            }
            return Ok(());
        }
        let checkpoint = UnverifiedCheckpoint::parse(text)?;
        if self.state.size() == 0 {
            self.anchor = Some(checkpoint);
            return Ok(());
        }
        self.matches(&checkpoint)?;
        self.covered = self.covered.max(checkpoint.claimed().size);
        self.unchecked.push(Unchecked::checkpoint(&checkpoint, self.key()?));
        Ok(())
    }

    fn key(&self) -> Result<&VerifyingKey> {
        self.state.key().ok_or(Error::Frame { why: "the log has no key" })
    }

    fn check_now(&self, checkpoint: &UnverifiedCheckpoint) -> Result<()> {
        checkpoint.verify(self.key()?).map(drop)
    }

    fn matches(&self, checkpoint: &UnverifiedCheckpoint) -> Result<()> {
        let (claimed, here) = (checkpoint.claimed(), self.state.checkpoint()?);
        if claimed.size != here.size || claimed.root != here.root {
            return Err(Error::Checkpoint {
                size: claimed.size,
                actual: claimed.root.to_string(),
                expected: format!("{} at size {}", here.root, here.size),
            });
        }
        Ok(())
    }

    fn commit(&mut self, commit: Commit) -> Result<()> {
        let wrong = |what, actual: String, expected: String| Err(Error::Commit { what, actual, expected });
        if self.pending == 0 {
            return wrong("number of entries", commit.entries.to_string(), "none".into());
        }
        if commit.entries != self.pending {
            return wrong("number of entries", commit.entries.to_string(), self.pending.to_string());
        }
        if commit.tree_size != self.state.size() {
            return wrong("tree size", commit.tree_size.to_string(), self.state.size().to_string());
        }
        if commit.root != self.state.root() {
            return wrong("root", commit.root.to_string(), self.state.root().to_string());
        }
        self.meet_expected()?;
        self.pending = 0;
        self.open = false;
        self.commits += 1;
        Ok(())
    }

    /// Checks every expected checkpoint of the present size, signature included.
    fn meet_expected(&mut self) -> Result<()> {
        let size = self.state.size();
        let reached: Vec<_> = self.expected.extract_if(.., |c| c.claimed().size == size).collect();
        for checkpoint in &reached {
            self.matches(checkpoint)?;
            self.check_now(checkpoint)?;
            self.covered = self.covered.max(size);
        }
        Ok(())
    }

    /// The signatures met so far, to be checked by the caller. Those that nobody takes are checked by
    /// [`Verifier::finish`].
    pub fn take_unchecked(&mut self) -> Vec<Unchecked> {
        std::mem::take(&mut self.unchecked)
    }

    /// Entries so far.
    pub fn size(&self) -> u64 {
        self.state.size()
    }

    /// What the entries so far are.
    pub fn counts(&self) -> Counts {
        self.state.counts()
    }

    /// Ends verification: every expected checkpoint must have been met and the trusted key must be one of the log's.
    pub fn finish(self) -> Result<Report> {
        self.finish_for_append().map(|(report, ..)| report)
    }

    /// Like [`Verifier::finish`], and gives what is needed to go on writing.
    pub fn finish_for_append(self) -> Result<(Report, LogState, Chain)> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        for unchecked in &self.unchecked {
            unchecked.check()?;
        }
        let here = self.state.checkpoint()?;
        if let Some(missed) = self.expected.iter().map(UnverifiedCheckpoint::claimed).max_by_key(|c| c.size) {
            if missed.size > here.size {
                let error = Error::RolledBack { actual: here.size, expected: missed.size };
                // Where the log stopped being readable is where to look.
                return Err(match self.torn {
                    Some((place, _)) => error.at(&place.segment, place.offset, place.frame),
                    None => error,
                });
            }
            let before = missed.size < self.begins_at;
            return Err(Error::Checkpoint {
                size: missed.size,
                actual: missed.root.to_string(),
                expected: if before {
                    format!("nothing to compare it with: entries before {} were not read", self.begins_at)
                } else {
                    "no commit at that size".into()
                },
            });
        }
        // Whoever has no key can append an entry, but not have it covered by a checkpoint.
        let said =
            self.retained.iter().filter(|(entry, _)| *entry < self.covered).map(|(_, from)| *from).max();
        if self.dropped && self.begins_at > said.unwrap_or(0) {
            return Err(Error::Sealed {
                why: "entries before it are missing, and no entry under a checkpoint says that they were dropped",
            });
        }
        if let Trust::Key(trusted) = &self.trust
            && !self.state.keys()[self.answerable..].contains(trusted)
        {
            return Err(Error::Untrusted { trusted: trusted.label() });
        }
        let report = Report {
            origin: here.origin,
            key: self.state.key().map(ToString::to_string).unwrap_or_default(),
            self_attested: self.trust == Trust::SelfAttested,
            depth: self.depth,
            begins_at: self.begins_at,
            tree_size: here.size,
            root: here.root,
            covered: self.covered,
            counts: self.state.counts(),
            lost: self.state.lost(),
            checkpoints: self.checkpoints,
            commits: self.commits,
            segments: self.segments,
            frames: self.chain.number(),
            bytes: self.bytes,
            torn: self.torn.map_or(0, |(_, bytes)| bytes),
        };
        Ok((report, self.state, self.chain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::KeyChange;
    use crate::input::{Input, InputKind};
    use crate::key::SigningKey;

    fn key() -> SigningKey {
        SigningKey::generate([1; 32], b"")
    }

    /// A log of one segment and two groups, whose second is `entries` inputs.
    fn segment(entries: u32) -> (Vec<u8>, String) {
        let (mut chain, mut state, mut out) = (Chain::default(), LogState::new(), Vec::new());
        let mut add = |state: &mut LogState, chain: &mut Chain, entry: &Entry| {
            state.apply(entry).unwrap();
            entry.write_frames(|kind, body| chain.append(kind, body, &mut out)).unwrap();
        };
        add(&mut state, &mut chain, &Entry::KeyChange(KeyChange::first(&key(), 1).unwrap()));
        let commit = |entries, state: &LogState| {
            Commit { entries, tree_size: state.size(), root: state.root() }.to_bytes()
        };
        let mut second = Vec::new();
        let first = commit(1, &state);
        chain.append(FrameKind::Commit, &[&first], &mut second).unwrap();
        let note = state.checkpoint().unwrap().sign(&key()).unwrap();
        chain.append(FrameKind::Checkpoint, &[note.as_bytes()], &mut second).unwrap();
        for i in 0..entries {
            let entry = Entry::Input(Input::new(InputKind::CycleDue, None, 2, &i).unwrap());
            state.apply(&entry).unwrap();
            entry.write_frames(|kind, body| chain.append(kind, body, &mut second)).unwrap();
        }
        chain.append(FrameKind::Commit, &[&commit(entries, &state)], &mut second).unwrap();
        out.extend(second);
        (out, state.checkpoint().unwrap().sign(&key()).unwrap())
    }

    fn verify(name: &str, bytes: &[u8]) -> Result<Report> {
        let mut verifier = Verifier::new(Trust::SelfAttested, Depth::Everything);
        verifier.segment(name, bytes)?;
        verifier.finish()
    }

    #[test]
    fn a_log_is_verified_from_bytes_alone() {
        let (bytes, note) = segment(2);
        let mut verifier = Verifier::new(Trust::Key(key().verifying_key().clone()), Depth::Everything);
        verifier.expect_checkpoint(&note).unwrap();
        verifier.segment("00000000.seg", &bytes).unwrap();
        let report = verifier.finish().unwrap();
        assert_eq!((report.tree_size, report.covered, report.commits, report.checkpoints), (3, 3, 2, 1));
        // Without the checkpoint beside the log, the one in it covers the first group.
        assert_eq!(verify("00000000.seg", &bytes).unwrap().covered, 1);
    }

    #[test]
    fn a_group_without_entries_is_refused() {
        assert_eq!(verify("00000000.seg", &segment(0).0).unwrap_err().code(), "KNHK-E1121");
    }

    #[test]
    fn a_segment_under_another_name_or_without_bytes_is_refused() {
        assert_eq!(verify("00000001.seg", &segment(1).0).unwrap_err().code(), "KNHK-E1120");
        assert_eq!(verify("00000000.seg", &[]).unwrap_err().code(), "KNHK-E1122");
        assert!(Verifier::new(Trust::SelfAttested, Depth::Everything).finish().is_err());
    }

    #[test]
    fn what_failed_once_is_never_verified() {
        let (good, _) = segment(1);
        let mut bad = good.clone();
        *bad.last_mut().unwrap() ^= 1;
        let mut verifier = Verifier::new(Trust::SelfAttested, Depth::Everything);
        let error = verifier.segment("00000000.seg", &bad).unwrap_err();
        assert_eq!(verifier.segment("00000000.seg", &good).unwrap_err(), error);
        assert_eq!(verifier.finish().unwrap_err(), error);
    }

    #[test]
    fn a_checkpoint_between_commits_is_refused() {
        let (bytes, note) = segment(2);
        let size = UnverifiedCheckpoint::parse(&note).unwrap().claimed().clone();
        let between = crate::checkpoint::Checkpoint { size: 2, ..size }.sign(&key()).unwrap();
        let mut verifier = Verifier::new(Trust::SelfAttested, Depth::Everything);
        verifier.expect_checkpoint(&between).unwrap();
        verifier.segment("00000000.seg", &bytes).unwrap();
        assert_eq!(verifier.finish().unwrap_err().code(), "KNHK-E1116");
    }
}
