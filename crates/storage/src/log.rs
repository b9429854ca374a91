//! The writer of a log: append, commit, recovery.

use knhk_evidence::block::{Block, Payloads};
use knhk_evidence::checkpoint::{Checkpoint, UnverifiedCheckpoint};
use knhk_evidence::entry::{Entry, KeyChange};
use knhk_evidence::frame::{Chain, Commit, FrameKind, find_tail};
use knhk_evidence::input::{Input, InputKind};
use knhk_evidence::intern::Table;
use knhk_evidence::receipt::Signed;
use knhk_evidence::record::Record;
use knhk_evidence::state::LogState;
use knhk_evidence::verify::{Depth, Report, Trust, Verifier, segment_name};
use knhk_evidence::{Hash, SigningKey, VerifyingKey};

use crate::audit;
use crate::directory::{Directory, Durability};
use crate::error::{Error, Result};
use crate::medium::Guard;
use crate::segment::Segment;

/// Bytes of a group from which on nothing more is taken before a commit: 64 MiB.
pub const MAX_GROUP_LEN: usize = 64 << 20;
/// Bytes of a segment from which on the next group opens a new one: 128 MiB.
///
/// With [`MAX_GROUP_LEN`] and one entry of at most 33 MiB on top, a segment stays below 256 MiB.
pub const ROLL_LEN: u64 = 128 << 20;

/// How a log is written. The default is right outside tests and high rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Bytes of a segment from which on the next group opens a new one; at most [`ROLL_LEN`]. A prepared segment (see
    /// [`crate::spare`]) is left when three quarters of its room are used.
    pub roll_len: u64,
    /// When the checkpoint file is replaced.
    pub publish: Publish,
    /// How much opening verifies.
    pub verify: Extent,
}

/// When `DIR/checkpoint` is replaced by the newest checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publish {
    /// At every commit.
    EveryCommit,
    /// When [`Log::publish`] is called, and when the log is closed.
    OnRequest,
}

/// How much of a log is verified when it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Every byte.
    Whole,
    /// From the newest sealed state on that lies before the published checkpoint; what is older is under its root.
    SinceLastSeal,
}

impl Default for Options {
    fn default() -> Self {
        Self { roll_len: ROLL_LEN, publish: Publish::EveryCommit, verify: Extent::Whole }
    }
}

/// What opening a log found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Bytes cut off behind the last commit: a group whose write was interrupted and that was never acknowledged.
    pub truncated_bytes: u64,
    /// Whole frames among them.
    pub truncated_frames: u64,
    /// Whether the checkpoint file was missing or empty, so that a rollback could not be told.
    pub checkpoint_missing: bool,
    /// What verification of the rest found.
    pub report: Report,
}

/// A block that was appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendedBlock {
    /// Index of its entry.
    pub index: u64,
    /// Sequence of its first record; the others follow.
    pub first_sequence: u64,
    /// Digest of its header.
    pub header: Hash,
}

/// A log open for writing. One at a time per directory.
///
/// Nothing appended is durable, or visible to readers, before [`Log::commit`] returns. After a failed write or sync every
/// call returns [`Error::Poisoned`], except after [`Error::NoSpace`]: then nothing more is taken, and the next commit
/// tries again.
#[derive(Debug)]
pub struct Log {
    pub(crate) directory: Directory,
    options: Options,
    key: SigningKey,
    state: LogState,
    chain: Chain,
    pub(crate) segment: Option<Segment>,
    group: Vec<u8>,
    pending: u32,
    /// The group has its commit frame and is still to be written: there was no space.
    unwritten: bool,
    note: String,
    published: bool,
    key_changed: bool,
    poison: Option<String>,
    _lock: Box<dyn Guard>,
}

impl Log {
    /// Creates a log in a directory, which is made if need be, and commits its first entry: the key.
    ///
    /// `time_ms` is now, Unix milliseconds.
    ///
    /// # Errors
    /// Refuses a directory that already holds a log or is in use.
    pub fn create(directory: impl Into<Directory>, key: &SigningKey, time_ms: i64) -> Result<Self> {
        Self::create_with(directory, key, time_ms, Options::default())
    }

    /// Like [`Log::create`], with options.
    pub fn create_with(
        directory: impl Into<Directory>,
        key: &SigningKey,
        time_ms: i64,
        options: Options,
    ) -> Result<Self> {
        let directory = directory.into();
        let root = directory.root().to_owned();
        directory.create(&root)?;
        let lock = directory.lock()?;
        match directory.segments() {
            Err(Error::NotALog { .. }) => {}
            Ok(range) if range == (0..1) && never_committed(&directory)? => {
                directory.remove(&directory.segment(0))?;
            }
            Ok(_) | Err(Error::Layout { .. }) => return Err(Error::Exists { path: root }),
            Err(error) => return Err(error),
        }
        directory.create(&directory.log())?;
        let mut log = Self {
            directory,
            options,
            key: key.clone(),
            state: LogState::new(),
            chain: Chain::default(),
            segment: None,
            group: Vec::new(),
            pending: 0,
            unwritten: false,
            note: String::new(),
            published: false,
            key_changed: true,
            poison: None,
            _lock: lock,
        };
        log.append(&Entry::KeyChange(KeyChange::first(key, time_ms)?))?;
        log.commit()?;
        log.publish()?;
        Ok(log)
    }

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
        let segments = directory.segments()?;
        let checkpoint = directory.read_checkpoint()?;
        let (trust, depth) = (Trust::Key(key.verifying_key().clone()), Depth::Everything);
        let (first, mut verifier) = match (options.verify, &checkpoint) {
            (Extent::SinceLastSeal, Some(note)) => {
                let first = audit::newest_start(&directory, note)?;
                (first, Verifier::since(first, trust, depth))
            }
            _ => (segments.start, Verifier::kept_from(segments.start, trust, depth)),
        };
        if let Some(note) = &checkpoint {
            verifier.expect_checkpoint(note)?;
        }
        let last = segments.end - 1;
        for number in first..last {
            verifier.segment(&segment_name(number), &directory.read_segment(number)?)?;
            audit::check_in_parallel(&verifier.take_unchecked())?;
        }
        let bytes = directory.read_segment(last)?;
        if last == 0 && find_tail(&segment_name(0), Chain::default(), &bytes)?.committed == 0 {
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
        let published_size = match &checkpoint {
            Some(note) => UnverifiedCheckpoint::parse(note)?.claimed().size,
            None => 0,
        };
        let recovery = Recovery {
            truncated_bytes: tail.torn as u64,
            truncated_frames: tail.frames,
            checkpoint_missing: checkpoint.is_none(),
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
        let outdated = key_changed || checkpoint.as_ref() != Some(&note);
        let mut log = Self {
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
        if outdated {
            log.publish()?;
        }
        Ok((log, recovery))
    }

    /// Where the log lies.
    pub fn directory(&self) -> Directory {
        self.directory.clone()
    }

    /// What the log allows next, appended but uncommitted entries included.
    pub fn state(&self) -> &LogState {
        &self.state
    }

    /// The signed checkpoint of the last commit.
    pub fn checkpoint_note(&self) -> &str {
        &self.note
    }

    /// The key in force, which signs receipts.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// Bytes appended since the last commit.
    pub fn group_len(&self) -> usize {
        self.group.len()
    }

    /// Seals records into the next block of a sector and appends it. Sector and sequence of the records are set here.
    ///
    /// `payloads` holds one payload per record, in order, empty where there is none.
    ///
    /// # Errors
    /// Refuses what [`Block::seal`] and [`Payloads::seal`] refuse, and numbers that were not interned.
    pub fn append_block<P: AsRef<[u8]>>(
        &mut self,
        sector: u16,
        records: Vec<Record>,
        payloads: &[P],
    ) -> Result<AppendedBlock> {
        let block = Block::seal(self.state.next_block(sector), records)?;
        let payloads = Payloads::seal(&block, payloads)?;
        let (first_sequence, header) = (block.header().first_sequence, block.header().digest());
        let payloads = (block.header().payload_bytes > 0).then_some(payloads);
        let index = self.append(&Entry::Block { block, payloads })?;
        Ok(AppendedBlock { index, first_sequence, header })
    }

    /// Appends an input; gives the index of its entry.
    pub fn append_input(&mut self, input: Input) -> Result<u64> {
        self.append(&Entry::Input(input))
    }

    /// Appends a signed receipt and its body; gives the index of its entry.
    ///
    /// # Errors
    /// Refuses a receipt that does not continue its sector's chain, and a wrong signature or body.
    pub fn append_receipt(&mut self, signed: Signed, body: Vec<u8>) -> Result<u64> {
        self.append(&Entry::Receipt { signed, body })
    }

    /// The number of a text in a table; appends the input that gives it one if it has none.
    pub fn intern(&mut self, table: Table, text: &str, time_ms: i64) -> Result<u32> {
        if let Some(id) = self.state.tables().id(table, text) {
            return Ok(id);
        }
        let body = self.state.tables().propose(table, text);
        self.append_input(Input::new(InputKind::Interned, None, time_ms, &body)?)?;
        Ok(body.id)
    }

    /// Hands the log over to another key of the same name, from the next entry on.
    pub fn rotate_key(&mut self, new: SigningKey, time_ms: i64) -> Result<u64> {
        let change = KeyChange::rotate(&self.key, new.verifying_key(), time_ms)?;
        let index = self.append(&Entry::KeyChange(change))?;
        self.key = new;
        self.key_changed = true;
        Ok(index)
    }

    /// Appends an entry to the group that the next commit closes.
    ///
    /// # Errors
    /// Refuses an entry that does not continue the log, which is then unchanged, and more than [`MAX_GROUP_LEN`]
    /// without a commit.
    pub fn append(&mut self, entry: &Entry) -> Result<u64> {
        self.check_poison()?;
        if self.unwritten {
            return Err(Error::NoSpace { action: "append to", path: self.directory.log() });
        }
        if self.group.len() >= MAX_GROUP_LEN {
            return Err(Error::GroupFull { len: self.group.len() as u64 });
        }
        if self.group.is_empty() {
            let begun = self.begin_group();
            self.poison_on_error(begun)?;
        }
        let index = self.state.apply(entry)?;
        // The entry is taken; a failure from here on leaves state and group apart.
        let written = self.write_entry(entry);
        self.poison_on_error(written)?;
        Ok(index)
    }

    fn write_entry(&mut self, entry: &Entry) -> Result<()> {
        let (chain, group) = (&mut self.chain, &mut self.group);
        entry.write_frames(|kind, body| chain.append(kind, body, group))?;
        self.pending += 1;
        Ok(())
    }

    /// The checkpoint of the commit before and, in a new segment, the sealed state.
    fn begin_group(&mut self) -> Result<()> {
        let rolls = self.segment.as_ref().is_some_and(|segment| segment.is_used_up(self.options.roll_len));
        if rolls {
            self.chain.next_segment();
        }
        if !self.note.is_empty() {
            self.chain.append(FrameKind::Checkpoint, &[self.note.as_bytes()], &mut self.group)?;
        }
        if rolls {
            // A state too large for an input is not sealed; nothing can start at this segment then.
            if let Ok(input) = self.state.seal().to_input() {
                let sealed = Entry::Input(input);
                self.state.apply(&sealed)?;
                self.write_entry(&sealed)?;
            }
        }
        Ok(())
    }

    /// The number of the segment that is being written, or that the next group opens.
    pub fn present_segment(&self) -> u32 {
        self.chain.segment()
    }

    /// Bytes of frames in it.
    pub fn present_segment_len(&self) -> u64 {
        self.segment.as_ref().map_or(0, Segment::used)
    }

    /// Leaves the present segment: the next group opens a new one, whose sealed state lets everything before it be
    /// dropped. Takes effect at once only between groups.
    pub fn roll(&mut self) {
        if let Some(segment) = &mut self.segment {
            segment.leave();
        }
    }

    /// Makes everything appended durable with one write and one sync, then signs its checkpoint.
    ///
    /// Without anything appended it gives the last checkpoint again.
    ///
    /// # Errors
    /// [`Error::NoSpace`]: nothing was lost, and the next commit tries again. Any other failed write or sync stops the
    /// log: what reached the disk is then unknown until it is opened again.
    pub fn commit(&mut self) -> Result<Checkpoint> {
        self.check_poison()?;
        if self.pending > 0 {
            if !self.unwritten {
                let commit =
                    Commit { entries: self.pending, tree_size: self.state.size(), root: self.state.root() };
                let closed = self.chain.append(FrameKind::Commit, &[&commit.to_bytes()], &mut self.group);
                self.poison_on_error(closed.map_err(Error::from))?;
                self.unwritten = true;
            }
            match self.write_group() {
                Err(error @ Error::NoSpace { .. }) => return Err(error),
                done => self.poison_on_error(done)?,
            }
            self.group.clear();
            self.pending = 0;
            self.unwritten = false;
            let signed = self.state.checkpoint().and_then(|checkpoint| checkpoint.sign(&self.key));
            self.note = self.poison_on_error(signed.map_err(Error::from))?;
            self.published = false;
            if self.options.publish == Publish::EveryCommit || self.key_changed {
                self.publish()?;
            }
        }
        Ok(self.state.checkpoint()?)
    }

    fn write_group(&mut self) -> Result<()> {
        let number = self.chain.segment();
        match &mut self.segment {
            Some(segment) if segment.number() == number => segment.append(&self.group),
            before => {
                if let Some(left) = before {
                    // Only the last segment may have room behind its frames.
                    left.cut_off_room()?;
                }
                let mut next = Segment::begin(&self.directory, number)?;
                // Its name is durable before its content: were it the other way round, a power cut could leave a
                // prepared file under its old name, and in it bytes that are no zeros.
                self.directory.sync_dir(&self.directory.log())?;
                if let Err(error) = next.append(&self.group) {
                    if matches!(error, Error::NoSpace { .. }) {
                        next.abandon()?;
                    }
                    return Err(error);
                }
                *before = Some(next);
                Ok(())
            }
        }
    }

    /// Replaces the checkpoint file by the newest checkpoint. It need not be synced: the log itself is durable, and
    /// opening it signs again what the file does not cover.
    ///
    /// On a full disk the old file stays, and the next commit or call tries again.
    pub fn publish(&mut self) -> Result<()> {
        let done = self.replace_checkpoint();
        match done {
            Err(Error::NoSpace { .. }) => Ok(()),
            done => self.poison_on_error(done),
        }
    }

    /// Like [`Log::publish`], and the file is on the disk.
    ///
    /// # Errors
    /// [`Error::NoSpace`]: the old file stays.
    pub(crate) fn publish_durably(&mut self) -> Result<()> {
        let path = self.directory.checkpoint();
        match self.directory.replace(&path, self.note.as_bytes(), Durability::Synced) {
            Err(error @ Error::NoSpace { .. }) => return Err(error),
            done => self.poison_on_error(done)?,
        }
        self.published = true;
        self.publish()
    }

    fn replace_checkpoint(&mut self) -> Result<()> {
        if !self.published {
            self.directory.replace(&self.directory.checkpoint(), self.note.as_bytes(), Durability::Atomic)?;
            self.published = true;
        }
        // A key that no committed entry names is not in force.
        if self.key_changed && self.pending == 0 {
            let key = format!("{}\n", self.key.verifying_key());
            self.directory.replace(&self.directory.public_key(), key.as_bytes(), Durability::Synced)?;
            self.key_changed = false;
        }
        Ok(())
    }

    /// Whether the checkpoint file is the newest checkpoint.
    pub fn is_published(&self) -> bool {
        self.published
    }

    /// Ends writing in good order: commits, publishes, and cuts off the room behind the last frame.
    ///
    /// A log that is dropped instead is as safe; opening it does the same.
    pub fn close(mut self) -> Result<Checkpoint> {
        let checkpoint = self.commit()?;
        self.publish()?;
        if let Some(segment) = &self.segment {
            segment.cut_off_room()?;
        }
        Ok(checkpoint)
    }

    pub(crate) fn check_poison(&self) -> Result<()> {
        self.poison.as_ref().map_or(Ok(()), |cause| Err(Error::Poisoned { cause: cause.clone() }))
    }

    pub(crate) fn poison_on_error<T>(&mut self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result {
            self.poison = Some(error.to_string());
        }
        result
    }
}

/// Whether a log was interrupted while it was being created: it holds nothing that was ever acknowledged.
fn never_committed(directory: &Directory) -> Result<bool> {
    let tail = find_tail(&segment_name(0), Chain::default(), &directory.read_segment(0)?)?;
    Ok(tail.committed == 0 && directory.read_checkpoint()?.is_none())
}
