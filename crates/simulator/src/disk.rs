//! A file system in memory that loses power, fails and fills up when it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use knhk_storage::medium::{Guard, How, Medium, MediumFile};

use crate::content::Content;
use crate::names::{Names, Node};
use crate::rng::Rng;
use crate::survival::Survival;

/// A way in which a disk breaks its word: the checks must find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// It keeps its word.
    None,
    /// `sync_data` does nothing.
    SyncData,
    /// `sync_dir` does nothing.
    SyncDir,
    /// A rename removes the target first, and both steps may be lost by themselves.
    Rename,
    /// Every 17th write is forgotten.
    Write,
}

/// How running stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The process is killed: the page cache stays.
    Kill,
    /// The power goes: what was not synced survives as this says.
    PowerCut(Survival),
}

/// What is to go wrong, by number of the operation. Operations are counted from 1: creating, writing, changing length,
/// syncing, renaming, removing. Reads are counted by themselves.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Running stops in the middle of this operation.
    pub stop_at: Option<(u64, Option<Stop>)>,
    /// These operations fail once with EIO.
    pub fail_at: BTreeSet<u64>,
    /// These reads fail once with EIO.
    pub fail_read_at: BTreeSet<u64>,
    /// Bytes that the disk holds at most.
    pub capacity: Option<u64>,
}

#[derive(Debug)]
struct State {
    rng: Rng,
    lie: Lie,
    plan: Plan,
    names: Names,
    contents: BTreeMap<u64, Content>,
    next_file: u64,
    operations: u64,
    writes: u64,
    reads: u64,
    /// Number of the present run; what was opened in an earlier one is dead.
    run: u64,
    /// Running has stopped, and every call fails until the next start.
    stopped: bool,
    injected: u64,
    locks: BTreeSet<PathBuf>,
    /// How often each file is open.
    open: BTreeMap<u64, u32>,
    clock_ms: i64,
}

/// A simulated file system. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Disk(Arc<Mutex<State>>);

/// What an operation comes to.
#[derive(PartialEq, Eq)]
enum Turn {
    Done,
    /// It happens in part, or not, and running has stopped.
    Last,
    /// It fails once.
    Fails,
}

impl State {
    fn operation(&mut self) -> io::Result<Turn> {
        self.running()?;
        self.operations += 1;
        if self.operations.is_multiple_of(256) {
            self.forget_files();
        }
        if self.plan.stop_at.is_some_and(|(at, _)| at == self.operations) {
            self.stopped = true;
            return Ok(Turn::Last);
        }
        if self.plan.fail_at.remove(&self.operations) {
            self.injected += 1;
            return Ok(Turn::Fails);
        }
        Ok(Turn::Done)
    }

    fn running(&self) -> io::Result<()> {
        if self.stopped { Err(io::Error::other("the machine has stopped")) } else { Ok(()) }
    }

    fn read(&mut self) -> io::Result<()> {
        self.running()?;
        self.reads += 1;
        if self.plan.fail_read_at.remove(&self.reads) {
            self.injected += 1;
            return Err(io_error());
        }
        Ok(())
    }

    /// Drops the content of files that nothing leads to any more.
    fn forget_files(&mut self) {
        let (names, open) = (&self.names, &self.open);
        self.contents.retain(|file, _| open.contains_key(file) || names.knows(*file));
    }

    fn used(&self) -> u64 {
        self.names.files().map(|(_, file)| self.contents[&file].bytes().len() as u64).sum()
    }

    /// How many bytes a file may grow.
    fn free(&self) -> usize {
        let free = self.plan.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.used()));
        usize::try_from(free).unwrap_or(usize::MAX)
    }

    fn file(&mut self, path: &Path) -> io::Result<u64> {
        match self.names.get(path) {
            Some(Node::File(file)) => Ok(file),
            Some(Node::Directory) => Err(ErrorKind::IsADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    fn create(&mut self, path: &Path) -> u64 {
        let file = self.next_file;
        self.next_file += 1;
        self.contents.insert(file, Content::default());
        self.names.link(path, Node::File(file));
        file
    }

    /// Ends an operation that changed names.
    fn ended(turn: &Turn) -> io::Result<()> {
        if *turn == Turn::Last { Err(io::Error::other("the machine stops")) } else { Ok(()) }
    }
}

fn io_error() -> io::Error {
    io::Error::from_raw_os_error(5)
}

impl Disk {
    /// An empty disk with a root directory; the seed decides what survives a power cut.
    pub fn new(seed: u64, lie: Lie) -> Self {
        let mut names = Names::default();
        names.format();
        let state = State {
            rng: Rng::new(seed),
            lie,
            plan: Plan::default(),
            names,
            contents: BTreeMap::new(),
            next_file: 0,
            operations: 0,
            writes: 0,
            reads: 0,
            run: 0,
            stopped: false,
            injected: 0,
            locks: BTreeSet::new(),
            open: BTreeMap::new(),
            clock_ms: 1_700_000_000_000,
        };
        // The root itself is always there.
        Self(Arc::new(Mutex::new(state)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Changes what is to go wrong.
    pub fn plan(&self, change: impl FnOnce(&mut Plan)) {
        change(&mut self.state().plan);
    }

    /// Operations so far.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Reads so far.
    pub fn reads(&self) -> u64 {
        self.state().reads
    }

    /// Bytes of all files.
    pub fn used(&self) -> u64 {
        self.state().used()
    }

    /// How many failures were injected.
    pub fn injected(&self) -> u64 {
        self.state().injected
    }

    /// Whether running has stopped.
    pub fn has_stopped(&self) -> bool {
        self.state().stopped
    }

    /// Stops running now, or as planned if it has stopped already, and starts again with nothing planned.
    pub fn restart(&self, stop: Stop) {
        let mut state = self.state();
        let state = &mut *state;
        let planned = state.plan.stop_at.and_then(|(_, stop)| stop);
        let stop = if state.stopped { planned.unwrap_or(stop) } else { stop };
        if let Stop::PowerCut(survival) = stop {
            state.names.lose_power(survival, &mut state.rng);
            for content in state.contents.values_mut() {
                content.lose_power(survival, &mut state.rng);
            }
        }
        state.open.clear();
        state.locks.clear();
        state.forget_files();
        state.plan = Plan::default();
        state.run += 1;
        state.stopped = false;
    }

    /// The time, which goes forward with every sync and may be moved.
    pub fn now_ms(&self) -> i64 {
        self.state().clock_ms
    }

    /// Moves the clock, also back.
    pub fn move_clock_ms(&self, by: i64) {
        self.state().clock_ms += by;
    }

    /// The bytes of a file as programs see them; no operation.
    pub fn peek(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state();
        let Some(Node::File(file)) = state.names.get(path) else { return None };
        Some(state.contents[&file].bytes().to_vec())
    }

    /// Every file, by name; no operation.
    pub fn files(&self) -> Vec<PathBuf> {
        self.state().names.files().map(|(path, _)| path.to_owned()).collect()
    }

    /// Turns a bit of a file over on the disk.
    pub fn flip(&self, path: &Path, offset: usize, bit: u8) {
        let mut state = self.state();
        let file = state.file(path).unwrap();
        let content = state.contents.get_mut(&file).unwrap();
        assert!(content.is_synced(), "flips are of bytes at rest");
        content.flip(offset, bit);
    }

    /// Writes everything through, as an idle machine does after a while.
    pub fn settle(&self) {
        let mut state = self.state();
        let state = &mut *state;
        state.contents.values_mut().for_each(Content::sync);
        let folders: BTreeSet<_> =
            state.names.files().filter_map(|(path, _)| path.parent().map(Path::to_owned)).collect();
        for folder in folders {
            state.names.sync(&folder);
        }
    }
}

impl Medium for Disk {
    fn open(&self, path: &Path, how: How) -> io::Result<Box<dyn MediumFile>> {
        let mut state = self.state();
        let known = state.file(path);
        if matches!(how, How::CreateNew | How::Replace) {
            if how == How::CreateNew && known.is_ok() {
                return Err(ErrorKind::AlreadyExists.into());
            }
            if path.parent().and_then(|parent| state.names.get(parent)) != Some(Node::Directory) {
                return Err(ErrorKind::NotFound.into());
            }
            let turn = state.operation()?;
            if turn == Turn::Fails {
                return Err(io_error());
            }
            match known {
                Ok(file) => state.contents.get_mut(&file).unwrap().empty(),
                // A directory needs space too, now and then.
                Err(_) if state.free() == 0 && state.rng.once_in(2) => {
                    return Err(ErrorKind::StorageFull.into());
                }
                Err(_) => drop(state.create(path)),
            }
            State::ended(&turn)?;
        } else {
            state.read()?;
        }
        let (file, run) = (state.file(path)?, state.run);
        *state.open.entry(file).or_default() += 1;
        Ok(Box::new(Handle { disk: self.clone(), file, run }))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        let mut state = self.state();
        state.read()?;
        if state.names.get(path) != Some(Node::Directory) {
            return Err(ErrorKind::NotFound.into());
        }
        let mut names: Vec<_> =
            state.names.children(path).filter_map(|path| path.file_name().map(ToOwned::to_owned)).collect();
        // No order is promised.
        let turn = state.rng.fork().index(names.len().max(1));
        names.rotate_left(turn);
        Ok(names)
    }

    fn exists(&self, path: &Path) -> bool {
        self.state().names.get(path).is_some()
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        if state.names.get(path).is_some() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let turn = state.operation()?;
        if turn == Turn::Fails {
            return Err(io_error());
        }
        state.names.link(path, Node::Directory);
        State::ended(&turn)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let turn = state.operation()?;
        if turn == Turn::Fails {
            return Err(io_error());
        }
        let node = Node::File(state.file(from)?);
        if state.lie == Lie::Rename {
            if let Some(target) = state.names.get(to) {
                state.names.unlink(to, target);
            }
            state.names.unlink(from, node);
            state.names.link(to, node);
        } else {
            state.names.rename(from, to, node);
        }
        State::ended(&turn)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let turn = state.operation()?;
        if turn == Turn::Fails {
            return Err(io_error());
        }
        let node = Node::File(state.file(path)?);
        state.names.unlink(path, node);
        State::ended(&turn)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let turn = state.operation()?;
        if turn == Turn::Fails {
            return Err(io_error());
        }
        let reached = turn == Turn::Done || state.rng.once_in(2);
        if reached && state.lie != Lie::SyncDir {
            state.names.sync(path);
        }
        State::ended(&turn)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Guard>>> {
        let mut state = self.state();
        state.running()?;
        if !state.locks.insert(path.to_owned()) {
            return Ok(None);
        }
        if state.names.get(path).is_none() {
            state.create(path);
        }
        Ok(Some(Box::new(Lock { disk: self.clone(), path: path.to_owned(), run: state.run })))
    }
}

#[derive(Debug)]
struct Lock {
    disk: Disk,
    path: PathBuf,
    run: u64,
}

impl Guard for Lock {}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.run == self.run {
            state.locks.remove(&self.path);
        }
    }
}

#[derive(Debug)]
struct Handle {
    disk: Disk,
    file: u64,
    run: u64,
}

impl Handle {
    fn with<T>(&self, act: impl FnOnce(&mut State, u64) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.disk.state();
        assert_eq!(state.run, self.run, "a file was used that an earlier run opened");
        act(&mut state, self.file)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.run == self.run
            && let Some(count) = state.open.get_mut(&self.file)
        {
            *count -= 1;
            if *count == 0 {
                state.open.remove(&self.file);
            }
        }
    }
}

impl MediumFile for Handle {
    fn len(&self) -> io::Result<u64> {
        self.with(|state, file| {
            state.running()?;
            Ok(state.contents[&file].bytes().len() as u64)
        })
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.with(|state, file| {
            state.read()?;
            let bytes = state.contents[&file].bytes();
            let from = usize::try_from(offset).unwrap().min(bytes.len());
            let got = buffer.len().min(bytes.len() - from);
            buffer[..got].copy_from_slice(&bytes[from..from + got]);
            Ok(got)
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.with(|state, file| {
            let offset = usize::try_from(offset).unwrap();
            let turn = state.operation()?;
            state.writes += 1;
            if state.lie == Lie::Write && state.writes.is_multiple_of(17) {
                return Ok(());
            }
            let len = state.contents[&file].bytes().len();
            let room = len.saturating_add(state.free()).saturating_sub(offset);
            let part = state.rng.index(bytes.len() + 1);
            let (written, outcome) = match turn {
                Turn::Fails => (part, Err(io_error())),
                Turn::Last => (part.max(state.rng.index(2) * bytes.len()), State::ended(&turn)),
                Turn::Done if room < bytes.len() => (room, Err(ErrorKind::StorageFull.into())),
                Turn::Done => (bytes.len(), Ok(())),
            };
            if written > 0 {
                state.contents.get_mut(&file).unwrap().write(offset, &bytes[..written.min(room)]);
            }
            outcome
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.with(|state, file| {
            let turn = state.operation()?;
            if turn == Turn::Fails {
                return Err(io_error());
            }
            let len = usize::try_from(len).unwrap();
            if len.saturating_sub(state.contents[&file].bytes().len()) > state.free() {
                return Err(ErrorKind::StorageFull.into());
            }
            state.contents.get_mut(&file).unwrap().set_len(len);
            State::ended(&turn)
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(|state, file| {
            let turn = state.operation()?;
            // Some take long, as seen by whoever reads the clock.
            let took_ms = if state.rng.once_in(20) { state.rng.below(30_000) } else { state.rng.below(3) };
            state.clock_ms += took_ms.cast_signed();
            if turn == Turn::Fails {
                let mut rng = state.rng.fork();
                state.contents.get_mut(&file).unwrap().fail_sync(&mut rng);
                return Err(io_error());
            }
            let reached = turn == Turn::Done || state.rng.once_in(2);
            if reached && state.lie != Lie::SyncData {
                state.contents.get_mut(&file).unwrap().sync();
            }
            State::ended(&turn)
        })
    }
}
