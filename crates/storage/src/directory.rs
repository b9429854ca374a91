//! The files of a data directory, and the durable ways to make and replace them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use knhk_evidence::frame::MAX_SEGMENT_LEN;
use knhk_evidence::note::MAX_NOTE_LEN;
use knhk_evidence::verify::segment_name;

use crate::error::{Error, Result};

/// Paths below a data directory.
#[derive(Debug, Clone)]
pub(crate) struct Directory {
    pub(crate) root: PathBuf,
}

impl Directory {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.root.join("log")
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

    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// The number of segments; their files must be exactly `00000000.seg` onwards.
    pub(crate) fn segments(&self) -> Result<u32> {
        let log = self.log();
        let listing = match fs::read_dir(&log) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::NotALog { path: self.root.clone() });
            }
            other => other.map_err(Error::io("list", &log))?,
        };
        let mut names = Vec::new();
        for item in listing {
            names.push(item.map_err(Error::io("list", &log))?.file_name());
        }
        names.sort();
        for (number, name) in (0..).zip(&names) {
            if *name != *segment_name(number) {
                let why =
                    "it is not the next segment: a segment is missing, or the file does not belong here";
                return Err(Error::Layout { path: log.join(name), why });
            }
        }
        match u32::try_from(names.len()) {
            Ok(count) if count > 0 => Ok(count),
            _ => Err(Error::NotALog { path: self.root.clone() }),
        }
    }

    /// A segment's bytes.
    pub(crate) fn read_segment(&self, number: u32) -> Result<Vec<u8>> {
        read_bounded(&self.segment(number), MAX_SEGMENT_LEN)
    }

    /// The checkpoint note; `None` if the file is missing or empty, as a power cut may leave it.
    pub(crate) fn read_checkpoint(&self) -> Result<Option<String>> {
        let path = self.checkpoint();
        if !path.exists() {
            return Ok(None);
        }
        let text = String::from_utf8(read_bounded(&path, MAX_NOTE_LEN)?)
            .map_err(|_| Error::Layout { path, why: "it is not UTF-8" })?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }
}

/// A file's bytes, if they are no more than `limit`.
pub(crate) fn read_bounded(path: &Path, limit: usize) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let len = file.metadata().map_err(Error::io("inspect", path))?.len();
    if len > limit as u64 {
        return Err(Error::Layout { path: path.to_owned(), why: "it is larger than such a file may be" });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or_default());
    file.take(limit as u64).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    Ok(bytes)
}

/// Makes a directory's entries durable.
pub(crate) fn sync(path: &Path) -> Result<()> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(Error::io("sync", path))
}

/// Creates a directory, its parents included, and makes its name durable.
pub(crate) fn create(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        create(parent)?;
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => other.map_err(Error::io("create", path))?,
    }
    sync(parent.unwrap_or(Path::new(".")))
}

/// Whether a replaced file must be on the disk before the call returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    Synced,
    /// Only atomic: after a power cut the old or the new file is there, or on some file systems an empty one.
    Atomic,
}

/// Replaces a file by renaming a whole new one over it.
pub(crate) fn replace(path: &Path, bytes: &[u8], durability: Durability) -> Result<()> {
    replace_by_way_of(&path.with_extension("tmp"), path, bytes, durability)
}

/// Like [`replace`], with the new file made at `temporary`, which must be on the same file system.
pub(crate) fn replace_by_way_of(
    temporary: &Path,
    path: &Path,
    bytes: &[u8],
    durability: Durability,
) -> Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(temporary)
        .map_err(Error::io("create", temporary))?;
    file.write_all(bytes).map_err(Error::io("write", temporary))?;
    if durability == Durability::Synced {
        file.sync_all().map_err(Error::io("sync", temporary))?;
    }
    fs::rename(temporary, path).map_err(Error::io("rename", temporary))?;
    match (durability, path.parent()) {
        (Durability::Synced, Some(parent)) => sync(parent),
        _ => Ok(()),
    }
}
