//! The writer of a log: append, commit, recovery.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::path::Path;

use knhk_evidence::block::{Block, Payloads};
use knhk_evidence::checkpoint::Checkpoint;
use knhk_evidence::entry::{Entry, KeyChange};
use knhk_evidence::frame::{Chain, Commit, FrameKind, find_tail};
use knhk_evidence::input::{Input, InputKind};
use knhk_evidence::intern::Table;
use knhk_evidence::receipt::Signed;
use knhk_evidence::record::Record;
use knhk_evidence::state::LogState;
use knhk_evidence::verify::{Report, Trust, Verifier, segment_name};
use knhk_evidence::{Hash, SigningKey, VerifyingKey};

use crate::audit;
use crate::directory::{self, Directory, Durability};
use crate::error::{Error, Result};

/// Bytes of a group from which on nothing more is taken before a commit: 64 MiB.
pub const MAX_GROUP_LEN: usize = 64 << 20;
/// Bytes of a segment from which on the next group opens a new one: 128 MiB.
///
/// With [`MAX_GROUP_LEN`] and one entry of at most 33 MiB on top, a segment stays below 256 MiB.
pub const ROLL_LEN: u64 = 128 << 20;

/// How a log is written. The default is right outside tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Bytes of a segment from which on the next group opens a new one; at most [`ROLL_LEN`].
    pub roll_len: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { roll_len: ROLL_LEN }
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
    /// What verification of the rest found. Opening verifies every byte.
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
/// Nothing appended is durable, or visible to readers, before [`Log::commit`] returns. After a failed write every
/// call returns [`Error::Poisoned`].
#[derive(Debug)]
pub struct Log {
    pub(crate) directory: Directory,
    options: Options,
    key: SigningKey,
    state: LogState,
    chain: Chain,
    pub(crate) segment: Segment,
    group: Vec<u8>,
    pending: u32,
    note: String,
    key_changed: bool,
    poison: Option<String>,
    _lock: File,
}

/// The segment being written.
#[derive(Debug)]
pub(crate) enum Segment {
    Open {
        file: File,
        len: u64,
    },
    /// The next group creates it.
    Next,
}

impl Log {
    /// Creates a log in a directory, which is made if need be, and commits its first entry: the key.
    ///
    /// `time_ms` is now, Unix milliseconds.
    ///
    /// # Errors
    /// Refuses a directory that already holds a log or is in use.
    pub fn create(dir: &Path, key: &SigningKey, time_ms: i64) -> Result<Self> {
        Self::create_with(dir, key, time_ms, Options::default())
    }

    /// Like [`Log::create`], with options.
    pub fn create_with(dir: &Path, key: &SigningKey, time_ms: i64, options: Options) -> Result<Self> {
        let directory = Directory::new(dir);
        directory::create(dir)?;
        let lock = lock(&directory)?;
        match directory.segments() {
            Err(Error::NotALog { .. }) => {}
            Ok(1) if never_committed(&directory)? => {
                let path = directory.segment(0);
                std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
            }
            Ok(_) | Err(Error::Layout { .. }) => return Err(Error::Exists { path: dir.to_owned() }),
            Err(error) => return Err(error),
        }
        directory::create(&directory.log())?;
        let mut log = Self {
            directory,
            options,
            key: key.clone(),
            state: LogState::new(),
            chain: Chain::default(),
            segment: Segment::Next,
            group: Vec::new(),
            pending: 0,
            note: String::new(),
            key_changed: true,
            poison: None,
            _lock: lock,
        };
        log.append(&Entry::KeyChange(KeyChange::first(key, time_ms)?))?;
        log.commit()?;
        Ok(log)
    }

    /// Opens a log for writing: verifies every byte, cuts off a torn tail, and signs what is not yet signed.
    ///
    /// # Errors
    /// Refuses damage anywhere but in the torn tail, a log that ends before its checkpoint, a key other than the one
    /// in force, and a log in use. Nothing is changed then.
    pub fn open(dir: &Path, key: &SigningKey) -> Result<(Self, Recovery)> {
        Self::open_with(dir, key, Options::default())
    }

    /// Like [`Log::open`], with options.
    pub fn open_with(dir: &Path, key: &SigningKey, options: Options) -> Result<(Self, Recovery)> {
        let directory = Directory::new(dir);
        directory.segments()?;
        let lock = lock(&directory)?;
        let segments = directory.segments()?;
        let mut verifier = Verifier::new(Trust::Key(key.verifying_key().clone()));
        let checkpoint = directory.read_checkpoint()?;
        if let Some(note) = &checkpoint {
            verifier.expect_checkpoint(note)?;
        }
        let last = segments - 1;
        for number in 0..last {
            verifier.segment(&segment_name(number), &directory.read_segment(number)?)?;
        }
        let bytes = directory.read_segment(last)?;
        let tail = find_tail(&segment_name(last), verifier.next_segment(), &bytes)?;
        if tail.committed > 0 {
            verifier.segment(&segment_name(last), &bytes[..tail.committed])?;
        } else if last == 0 {
            // The very first group never became durable.
            return Err(Error::NotALog { path: dir.to_owned() });
        }
        let (report, state, chain) = verifier.finish_for_append()?;
        if state.key() != Some(key.verifying_key()) {
            let expected = state.key().map(VerifyingKey::label).unwrap_or_default();
            return Err(Error::WrongKey { actual: key.verifying_key().label(), expected });
        }
        let recovery = Recovery {
            truncated_bytes: (bytes.len() - tail.committed) as u64,
            truncated_frames: tail.frames,
            checkpoint_missing: checkpoint.is_none(),
            report,
        };
        let segment = reopen(&directory, last, tail.committed as u64, recovery.truncated_bytes)?;
        let note = state.checkpoint()?.sign(key)?;
        let key_changed = audit::published_key(dir).ok().as_ref() != Some(key.verifying_key());
        let outdated = key_changed || checkpoint.as_ref() != Some(&note);
        let mut log = Self {
            directory,
            options,
            key: key.clone(),
            state,
            chain,
            segment,
            group: Vec::new(),
            pending: 0,
            note,
            key_changed,
            poison: None,
            _lock: lock,
        };
        if outdated {
            log.publish()?;
        }
        Ok((log, recovery))
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
        if self.group.len() >= MAX_GROUP_LEN {
            return Err(Error::GroupFull { len: self.group.len() as u64 });
        }
        let index = self.state.apply(entry)?;
        // The entry is taken; a failure from here on leaves state and group apart.
        let written = self.write_entry(entry);
        self.poison_on_error(written)?;
        Ok(index)
    }

    fn write_entry(&mut self, entry: &Entry) -> Result<()> {
        if self.group.is_empty() {
            self.begin_group()?;
        }
        let (chain, group) = (&mut self.chain, &mut self.group);
        entry.write_frames(|kind, body| chain.append(kind, body, group))?;
        self.pending += 1;
        Ok(())
    }

    fn begin_group(&mut self) -> Result<()> {
        if let Segment::Open { len, .. } = self.segment
            && len >= self.options.roll_len.min(ROLL_LEN)
        {
            self.segment = Segment::Next;
            self.chain.next_segment();
        }
        if !self.note.is_empty() {
            self.chain.append(FrameKind::Checkpoint, &[self.note.as_bytes()], &mut self.group)?;
        }
        Ok(())
    }

    /// Makes everything appended durable with one write and one `fdatasync`, then signs and publishes its checkpoint.
    ///
    /// Without anything appended it gives the last checkpoint again.
    ///
    /// # Errors
    /// Any failed write or sync stops the log: what reached the disk is then unknown until it is opened again.
    pub fn commit(&mut self) -> Result<Checkpoint> {
        self.check_poison()?;
        if self.pending > 0 {
            let done = self.commit_group();
            self.poison_on_error(done)?;
        }
        Ok(self.state.checkpoint()?)
    }

    fn commit_group(&mut self) -> Result<()> {
        let commit = Commit { entries: self.pending, tree_size: self.state.size(), root: self.state.root() };
        self.chain.append(FrameKind::Commit, &[&commit.to_bytes()], &mut self.group)?;
        let path = self.directory.segment(self.chain.segment());
        let is_new = matches!(self.segment, Segment::Next);
        if is_new {
            let file = OpenOptions::new().append(true).create_new(true).open(&path);
            self.segment = Segment::Open { file: file.map_err(Error::io("create", &path))?, len: 0 };
        }
        if let Segment::Open { file, len } = &mut self.segment {
            file.write_all(&self.group).map_err(Error::io("write", &path))?;
            file.sync_data().map_err(Error::io("sync", &path))?;
            *len += self.group.len() as u64;
        }
        if is_new {
            directory::sync(&self.directory.log())?;
        }
        self.group.clear();
        self.pending = 0;
        self.note = self.state.checkpoint()?.sign(&self.key)?;
        self.publish()
    }

    /// Writes the checkpoint beside the log. It need not be synced: the log itself is durable, and opening it signs
    /// again what the file does not cover.
    fn publish(&mut self) -> Result<()> {
        directory::replace(&self.directory.checkpoint(), self.note.as_bytes(), Durability::Atomic)?;
        if self.key_changed {
            let key = format!("{}\n", self.key.verifying_key());
            directory::replace(&self.directory.public_key(), key.as_bytes(), Durability::Synced)?;
            self.key_changed = false;
        }
        Ok(())
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

fn lock(directory: &Directory) -> Result<File> {
    let path = directory.lock();
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(Error::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked { path: directory.root.clone() }),
        Err(TryLockError::Error(error)) => Err(Error::io("lock", &path)(error)),
    }
}

/// Whether a log was interrupted while it was being created: it holds nothing that was ever acknowledged.
fn never_committed(directory: &Directory) -> Result<bool> {
    let tail = find_tail(&segment_name(0), Chain::default(), &directory.read_segment(0)?)?;
    Ok(tail.committed == 0 && !directory.checkpoint().exists())
}

/// Opens the last segment at its end, without its torn tail.
fn reopen(directory: &Directory, number: u32, committed: u64, torn: u64) -> Result<Segment> {
    let path = directory.segment(number);
    if committed == 0 {
        // A segment whose first group was torn: the next group makes it anew under the same number.
        std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        directory::sync(&directory.log())?;
        let previous = directory.segment(number - 1);
        return open_segment(&previous);
    }
    if torn > 0 {
        let file = OpenOptions::new().write(true).open(&path).map_err(Error::io("open", &path))?;
        file.set_len(committed).map_err(Error::io("truncate", &path))?;
        file.sync_all().map_err(Error::io("sync", &path))?;
    }
    open_segment(&path)
}

pub(crate) fn open_segment(path: &Path) -> Result<Segment> {
    let file = OpenOptions::new().append(true).open(path).map_err(Error::io("open", path))?;
    let len = file.metadata().map_err(Error::io("inspect", path))?.len();
    Ok(Segment::Open { file, len })
}
