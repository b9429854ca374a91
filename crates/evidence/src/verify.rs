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
    /// The first error: a log that failed once is not verified by going on.
    failure: Option<Error>,
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
    /// Gives what is wrong and where; [`Verifier::finish`] then gives the same again.
    pub fn segment(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let done = self.failure.clone().map_or_else(|| self.frames(name, bytes), Err);
        self.failure = done.clone().err();
        done
    }

    fn frames(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.chain = self.next_segment();
        let here = |error: Error, at: usize, chain: &Chain| error.at(name, at as u64, chain.number());
        within("segment", bytes.len(), MAX_SEGMENT_LEN).map_err(|error| here(error, 0, &self.chain))?;
        let expected = segment_name(self.chain.segment());
        if name != expected {
            let error = Error::FrameOrder { what: "segment file", actual: name.into(), expected };
            return Err(here(error, 0, &self.chain));
        }
        let (mut at, mut committed) = (0, 0);
        while at < bytes.len() {
            let before = self.chain;
            at += self.frame(&bytes[at..]).map_err(|error| here(error, at, &before))?;
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

    fn frame(&mut self, bytes: &[u8]) -> Result<usize> {
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
        match self.assembler.push(kind, body)? {
            Some(Item::Entry(entry)) => {
                self.state.apply(&entry)?;
                self.pending = self.pending.saturating_add(1);
            }
            Some(Item::Checkpoint(note)) => self.note(&note)?,
            Some(Item::Commit(commit)) => self.commit(commit)?,
            None => {}
        }
        Ok(len)
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
        if let Some(failure) = self.failure {
            return Err(failure);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Entry, KeyChange};
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
        let mut verifier = Verifier::new(Trust::SelfAttested);
        verifier.segment(name, bytes)?;
        verifier.finish()
    }

    #[test]
    fn a_log_is_verified_from_bytes_alone() {
        let (bytes, note) = segment(2);
        let mut verifier = Verifier::new(Trust::Key(key().verifying_key().clone()));
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
        assert!(Verifier::new(Trust::SelfAttested).finish().is_err());
    }

    #[test]
    fn what_failed_once_is_never_verified() {
        let (good, _) = segment(1);
        let mut bad = good.clone();
        *bad.last_mut().unwrap() ^= 1;
        let mut verifier = Verifier::new(Trust::SelfAttested);
        let error = verifier.segment("00000000.seg", &bad).unwrap_err();
        assert_eq!(verifier.segment("00000000.seg", &good).unwrap_err(), error);
        assert_eq!(verifier.finish().unwrap_err(), error);
    }

    #[test]
    fn a_checkpoint_between_commits_is_refused() {
        let (bytes, note) = segment(2);
        let size = UnverifiedCheckpoint::parse(&note).unwrap().claimed().clone();
        let between = crate::checkpoint::Checkpoint { size: 2, ..size }.sign(&key()).unwrap();
        let mut verifier = Verifier::new(Trust::SelfAttested);
        verifier.expect_checkpoint(&between).unwrap();
        verifier.segment("00000000.seg", &bytes).unwrap();
        assert_eq!(verifier.finish().unwrap_err().code(), "KNHK-E1116");
    }
}
