//! Verification of a whole log, from bytes alone. See `docs/formats/log.md`.
//!
//! The verifier repairs nothing and skips nothing: a byte it cannot account for is an error with its place.

use crate::checkpoint::UnverifiedCheckpoint;
use crate::entry::{Assembler, Item};
use crate::error::{Error, Result, within};
use crate::frame::{Chain, Commit, FrameKind, MAX_SEGMENT_LEN};
use crate::hash::Hash;
use crate::key::VerifyingKey;
use crate::state::{Counts, LogState};

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

/// What verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Name of the log: that of its keys.
    pub origin: String,
    /// vkey of the key in force.
    pub key: String,
    /// Whether the log itself was the only source of its key.
    pub self_attested: bool,
    /// Entries of the log.
    pub tree_size: u64,
    /// RFC 6962 root over them.
    pub root: Hash,
    /// Entries under the largest signed checkpoint, beside the log or in it. The rest, at most one group, is
    /// consistent but not signed.
    pub covered: u64,
    /// What the entries are.
    pub counts: Counts,
    /// Checkpoint notes found in the log, all verified.
    pub checkpoints: u64,
    /// Groups.
    pub commits: u64,
    /// Segments.
    pub segments: u64,
    /// Frames.
    pub frames: u64,
    /// Bytes, all accounted for.
    pub bytes: u64,
}

/// Verifies a log segment by segment. Memory: one segment and the log's [`LogState`].
#[derive(Debug)]
pub struct Verifier {
    trust: Trust,
    expected: Vec<UnverifiedCheckpoint>,
    covered: u64,
    state: LogState,
    chain: Chain,
    assembler: Assembler,
    /// Entries since the last commit.
    pending: u32,
    /// Whether a frame of a group has come that no commit has closed.
    open: bool,
    segments: u64,
    checkpoints: u64,
    commits: u64,
    bytes: u64,
}

impl Verifier {
    /// Begins with nothing but whom to trust.
    pub fn new(trust: Trust) -> Self {
        Self {
            trust,
            expected: Vec::new(),
            covered: 0,
            state: LogState::new(),
            chain: Chain::default(),
            assembler: Assembler::default(),
            pending: 0,
            open: false,
            segments: 0,
            checkpoints: 0,
            commits: 0,
            bytes: 0,
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

    /// Where the first frame of the next segment must stand.
    pub fn next_segment(&self) -> Chain {
        let mut chain = self.chain;
        if self.segments > 0 {
            chain.next_segment();
        }
        chain
    }

    /// Takes the next segment whole, in order of number.
    ///
    /// # Errors
    /// Gives what is wrong and where.
    pub fn segment(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.segment_with(name, bytes, |_, _, _| Ok(()))
    }

    /// Like [`Verifier::segment`], and gives each item that was verified to `visit`: the byte offset of its (last)
    /// frame, the log's state after it, and the item.
    pub fn segment_with(
        &mut self,
        name: &str,
        bytes: &[u8],
        mut visit: impl FnMut(u64, &LogState, &Item) -> Result<()>,
    ) -> Result<()> {
        self.chain = self.next_segment();
        let start = self.chain;
        let here = |error: Error, at: usize, chain: &Chain| error.at(name, at as u64, chain.number());
        within("segment", bytes.len(), MAX_SEGMENT_LEN).map_err(|e| here(e, 0, &start))?;
        if name != segment_name(start.segment()) {
            let error = Error::FrameOrder {
                what: "segment file",
                actual: name.into(),
                expected: segment_name(start.segment()),
            };
            return Err(here(error, 0, &start));
        }
        let (mut at, mut committed) = (0, 0);
        while at < bytes.len() {
            let before = self.chain;
            let taken = self.frame(&bytes[at..]).and_then(|(len, item)| {
                if let Some(item) = &item {
                    visit(at as u64, &self.state, item)?;
                }
                Ok((len, matches!(item, Some(Item::Commit(_)))))
            });
            let (len, is_commit) = taken.map_err(|error| here(error, at, &before))?;
            at += len;
            if is_commit {
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

    fn frame(&mut self, bytes: &[u8]) -> Result<(usize, Option<Item>)> {
        let (kind, body, len) = self.chain.read(bytes)?;
        // Every group but the log's first begins with the checkpoint of the commit before it, and only there.
        let due = !self.open && self.commits > 0;
        if due != (kind == FrameKind::Checkpoint) {
            return Err(Error::FrameOrder {
                what: "frame kind",
                actual: format!("{kind:?}"),
                expected: if due { "the checkpoint of the commit before" } else { "an entry or a commit" }
                    .into(),
            });
        }
        self.open = true;
        let item = self.assembler.push(kind, body)?;
        match &item {
            Some(Item::Entry(entry)) => {
                self.state.apply(entry)?;
                self.pending = self.pending.saturating_add(1);
            }
            Some(Item::Checkpoint(note)) => self.note(note)?,
            Some(Item::Commit(commit)) => self.commit(*commit)?,
            None => {}
        }
        Ok((len, item))
    }

    /// A checkpoint in the log attests the commit before it.
    fn note(&mut self, note: &str) -> Result<()> {
        let checkpoint = UnverifiedCheckpoint::parse(note)?;
        self.matches(&checkpoint)?;
        self.covered = self.covered.max(checkpoint.claimed().size);
        self.checkpoints += 1;
        Ok(())
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
        let key = self.state.key().ok_or(Error::Frame { why: "the log has no key" })?;
        checkpoint.verify(key).map(drop)
    }

    fn commit(&mut self, commit: Commit) -> Result<()> {
        let wrong = |what, actual: String, expected: String| Err(Error::Commit { what, actual, expected });
        if commit.entries != self.pending {
            return wrong("number of entries", commit.entries.to_string(), self.pending.to_string());
        }
        if commit.tree_size != self.state.size() {
            return wrong("tree size", commit.tree_size.to_string(), self.state.size().to_string());
        }
        if commit.root != self.state.root() {
            return wrong("root", commit.root.to_string(), self.state.root().to_string());
        }
        let reached: Vec<_> =
            self.expected.extract_if(.., |c| c.claimed().size == commit.tree_size).collect();
        for checkpoint in &reached {
            self.matches(checkpoint)?;
            self.covered = self.covered.max(checkpoint.claimed().size);
        }
        self.pending = 0;
        self.open = false;
        self.commits += 1;
        Ok(())
    }

    /// Ends verification: every expected checkpoint must have been met and the trusted key must be one of the log's.
    pub fn finish(self) -> Result<Report> {
        self.finish_for_append().map(|(report, ..)| report)
    }

    /// Like [`Verifier::finish`], and gives what is needed to go on writing.
    pub fn finish_for_append(self) -> Result<(Report, LogState, Chain)> {
        let here = self.state.checkpoint()?;
        if let Some(missed) = self.expected.iter().map(UnverifiedCheckpoint::claimed).max_by_key(|c| c.size) {
            if missed.size > here.size {
                return Err(Error::RolledBack { actual: here.size, expected: missed.size });
            }
            return Err(Error::Checkpoint {
                size: missed.size,
                actual: missed.root.to_string(),
                expected: "no commit at that size".into(),
            });
        }
        if let Trust::Key(trusted) = &self.trust
            && !self.state.keys().contains(trusted)
        {
            return Err(Error::Untrusted { trusted: trusted.label() });
        }
        let report = Report {
            origin: here.origin,
            key: self.state.key().map(ToString::to_string).unwrap_or_default(),
            self_attested: self.trust == Trust::SelfAttested,
            tree_size: here.size,
            root: here.root,
            covered: self.covered,
            counts: self.state.counts(),
            checkpoints: self.checkpoints,
            commits: self.commits,
            segments: self.segments,
            frames: self.chain.number(),
            bytes: self.bytes,
        };
        Ok((report, self.state, self.chain))
    }
}
