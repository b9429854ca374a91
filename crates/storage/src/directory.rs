//! The files of a data directory, and the durable ways to make and replace them.

use std::io;
use std::num::NonZero;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use knhk_evidence::frame::MAX_SEGMENT_LEN;
use knhk_evidence::note::MAX_NOTE_LEN;
use knhk_evidence::verify::segment_name;

use crate::error::{Error, Result};
use crate::medium::{Disk, Guard, How, Medium, MediumFile};

/// Bytes that one thread reads of a file, at least.
const MIN_SHARE_LEN: usize = 8 << 20;

/// A data directory on a medium. Nothing is touched by naming it.
#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
    medium: Arc<dyn Medium>,
}

impl<P: AsRef<Path> + ?Sized> From<&P> for Directory {
    /// A data directory on this machine's file system.
    fn from(root: &P) -> Self {
        Self::on(Arc::new(Disk), root.as_ref())
    }
}

impl From<&Directory> for Directory {
    fn from(directory: &Directory) -> Self {
        directory.clone()
    }
}

/// Whether a replaced file must be on the disk before the call returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    Synced,
    /// Only atomic: after a power cut the old or the new file is there, or on some file systems an empty one.
    Atomic,
}

impl Directory {
    /// A data directory on a medium of the caller's.
    pub fn on(medium: Arc<dyn Medium>, root: &Path) -> Self {
        Self { root: root.to_owned(), medium }
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What it lies on.
    pub fn medium(&self) -> &Arc<dyn Medium> {
        &self.medium
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    pub(crate) fn spare(&self) -> PathBuf {
        self.root.join("spare")
    }

    pub(crate) fn segment(&self, number: u32) -> PathBuf {
        self.log().join(segment_name(number))
    }

    pub(crate) fn checkpoint(&self) -> PathBuf {
        self.root.join("checkpoint")
    }

    pub(crate) fn public_key(&self) -> PathBuf {
        self.root.join("key.pub")
    }

    pub(crate) fn open(&self, path: &Path, how: How) -> Result<Box<dyn MediumFile>> {
        let action = match how {
            How::Read | How::Write => "open",
            How::CreateNew | How::Replace => "create",
        };
        self.medium.open(path, how).map_err(Error::io(action, path))
    }

    /// Holds the one writer's lock.
    pub(crate) fn lock(&self) -> Result<Box<dyn Guard>> {
        let path = self.root.join("lock");
        let guard = self.medium.lock(&path).map_err(Error::io("lock", &path))?;
        guard.ok_or_else(|| Error::Locked { path: self.root.clone() })
    }

    /// The numbers of the segments. Their files must follow each other; the first ones may be gone.
    pub(crate) fn segments(&self) -> Result<Range<u32>> {
        let log = self.log();
        let mut names = match self.medium.list(&log) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::NotALog { path: self.root.clone() });
            }
            other => other.map_err(Error::io("list", &log))?,
        };
        names.sort();
        let first = match names.first() {
            None => return Err(Error::NotALog { path: self.root.clone() }),
            // A name that is no number is told below, since it is not the name of segment 0 either.
            Some(name) => {
                let number = name.to_str().and_then(|name| name.strip_suffix(".seg")).map(str::parse);
                number.and_then(Result::ok).unwrap_or(0)
            }
        };
        let mut next = first;
        for name in names {
            if *name != *segment_name(next) {
                let why =
                    "it is not the next segment: a segment is missing, or the file does not belong here";
                return Err(Error::Layout { path: log.join(name), why });
            }
            let why = "its number is the last there is";
            next = next.checked_add(1).ok_or_else(|| Error::Layout { path: self.segment(next), why })?;
        }
        Ok(first..next)
    }

    /// A segment's bytes.
    pub(crate) fn read_segment(&self, number: u32) -> Result<Vec<u8>> {
        self.read_bounded(&self.segment(number), MAX_SEGMENT_LEN)
    }

    /// The checkpoint note; `None` if the file is missing, empty or all zeros, as a power cut may leave it.
    pub(crate) fn read_checkpoint(&self) -> Result<Option<String>> {
        let path = self.checkpoint();
        if !self.medium.exists(&path) {
            return Ok(None);
        }
        let text = String::from_utf8(self.read_bounded(&path, MAX_NOTE_LEN)?)
            .map_err(|_| Error::Layout { path, why: "it is not UTF-8" })?;
        Ok(Some(text).filter(|text| text.bytes().any(|byte| byte != 0)))
    }

    /// A file's bytes, if they are no more than `limit`.
    pub(crate) fn read_bounded(&self, path: &Path, limit: usize) -> Result<Vec<u8>> {
        let file = self.open(path, How::Read)?;
        let len = file.len().map_err(Error::io("inspect", path))?;
        if len > limit as u64 {
            return Err(Error::Layout { path: path.to_owned(), why: "it is larger than such a file may be" });
        }
        let mut bytes = vec![0; usize::try_from(len).unwrap_or_default()];
        // Half of what reading costs is the memory, which each core touches for itself.
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let share = bytes.len().div_ceil(cores).max(MIN_SHARE_LEN);
        let file = &*file;
        let read = |(number, part): (usize, &mut [u8])| file.read_at(part, (number * share) as u64);
        let got: io::Result<Vec<usize>> = if bytes.len() <= share {
            read((0, &mut bytes)).map(|got| vec![got])
        } else {
            thread::scope(|scope| {
                let parts = bytes.chunks_mut(share).enumerate();
                let parts: Vec<_> = parts.map(|part| scope.spawn(move || read(part))).collect();
                let joined = parts.into_iter().map(|part| {
                    // A panic of a worker is this thread's panic.
                    part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                });
                joined.collect()
            })
        };
        // A file that was cut off meanwhile gives less; only its last parts do.
        bytes.truncate(got.map_err(Error::io("read", path))?.into_iter().sum());
        Ok(bytes)
    }

    /// Makes a file's content durable. After an error, a full disk included, nothing is known about it.
    pub(crate) fn sync(file: &dyn MediumFile, path: &Path) -> Result<()> {
        file.sync_data().map_err(|cause| Error::Io { action: "sync", path: path.to_owned(), cause })
    }

    /// Makes the names in a directory durable. After an error, a full disk included, nothing is known about them.
    pub(crate) fn sync_dir(&self, path: &Path) -> Result<()> {
        let failed = |cause| Error::Io { action: "sync", path: path.to_owned(), cause };
        self.medium.sync_dir(path).map_err(failed)
    }

    pub(crate) fn remove(&self, path: &Path) -> Result<()> {
        self.medium.remove(path).map_err(Error::io("remove", path))
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.medium.rename(from, to).map_err(Error::io("rename", from))
    }

    /// Creates a directory, its parents included, and makes its name durable.
    pub(crate) fn create(&self, path: &Path) -> Result<()> {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        if self.medium.exists(path) {
            // Whoever made it may have been stopped before its name was durable.
            return match self.sync_dir(parent.unwrap_or(Path::new("."))) {
                // A directory that is no business of ours was there before.
                Err(Error::Io { cause, .. }) if cause.kind() == io::ErrorKind::PermissionDenied => Ok(()),
                done => done,
            };
        }
        if let Some(parent) = parent {
            self.create(parent)?;
        }
        match self.medium.create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other.map_err(Error::io("create", path))?,
        }
        self.sync_dir(parent.unwrap_or(Path::new(".")))
    }

    /// Replaces a file by renaming a whole new one over it.
    pub(crate) fn replace(&self, path: &Path, bytes: &[u8], durability: Durability) -> Result<()> {
        self.replace_by_way_of(&path.with_extension("tmp"), path, bytes, durability)
    }

    fn make(&self, path: &Path, bytes: &[u8], durability: Durability) -> Result<()> {
        let file = self.open(path, How::Replace)?;
        file.write_at(bytes, 0).map_err(Error::io("write", path))?;
        if durability == Durability::Synced {
            Self::sync(&*file, path)?;
        }
        Ok(())
    }

    /// Like [`Directory::replace`], with the new file made at `temporary`, which must be on the same file system.
    pub(crate) fn replace_by_way_of(
        &self,
        temporary: &Path,
        path: &Path,
        bytes: &[u8],
        durability: Durability,
    ) -> Result<()> {
        let made = self.make(temporary, bytes, durability).and_then(|()| self.rename(temporary, path));
        if made.is_err() {
            // A half-made file would hold the space that is missing.
            let _ = self.remove(temporary);
        }
        made?;
        match (durability, path.parent()) {
            (Durability::Synced, Some(parent)) => self.sync_dir(parent),
            _ => Ok(()),
        }
    }
}
