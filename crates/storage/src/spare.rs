//! Files of zeros that wait in `DIR/spare/` to become segments: a commit into one changes no metadata, which is what
//! makes it fast. See `docs/formats/frames.md`.
//!
//! A file is zeroed and synced under a name of its own and only then called ready, so nothing of an earlier life is ever
//! behind a frame.

use std::path::PathBuf;

use knhk_evidence::frame::MAX_SEGMENT_LEN;

use crate::directory::Directory;
use crate::error::{Error, Result};
use crate::medium::How;

/// Bytes of the first prepared segment; each next one is twice as large, up to [`MAX_SEGMENT_LEN`].
pub const FIRST_SPARE_LEN: u64 = 1 << 20;
/// Files that wait at most.
pub const MAX_SPARES: usize = 2;

/// Bytes zeroed in one write.
const CHUNK: usize = 1 << 20;
const READY: &str = "ready-";
const ZEROING: &str = "zeroing-";
const DROPPED: &str = "dropped-";

/// A file that is all zeros, durable, and ready to become a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spare {
    pub(crate) path: PathBuf,
    pub(crate) len: u64,
}

/// The size of the spare that follows one of `len` bytes.
pub fn next_len(len: u64) -> u64 {
    len.saturating_mul(2).clamp(FIRST_SPARE_LEN, MAX_SEGMENT_LEN as u64)
}

/// The files that are ready.
pub(crate) fn ready(directory: &Directory) -> Result<Vec<Spare>> {
    let folder = directory.spare();
    let mut found = Vec::new();
    for name in names(directory)? {
        if name.starts_with(READY) {
            let path = folder.join(name);
            let len = directory.open(&path, How::Read)?.len().map_err(Error::io("inspect", &path))?;
            found.push(Spare { path, len });
        }
    }
    Ok(found)
}

/// Makes one more file ready, of `len` bytes, if fewer than [`MAX_SPARES`] are: out of a file that retention dropped, if
/// there is one, else anew. Says whether it did. One thread at a time does this.
///
/// # Errors
/// A full disk among them; the log then goes on without.
pub fn prepare(directory: &Directory, len: u64) -> Result<bool> {
    let folder = directory.spare();
    directory.create(&folder)?;
    let names = names(directory)?;
    if names.iter().filter(|name| name.starts_with(READY)).count() >= MAX_SPARES {
        return Ok(false);
    }
    let number = next_number(&names);
    let path = folder.join(format!("{ZEROING}{number}"));
    let dropped = names.iter().find(|name| name.starts_with(DROPPED));
    let how = match dropped {
        Some(name) => {
            directory.rename(&folder.join(name), &path)?;
            How::Write
        }
        None => How::CreateNew,
    };
    let zeroed = zero(directory, &path, how, len);
    if zeroed.is_err() {
        // A half-made file would hold the space that is missing.
        let _ = directory.remove(&path);
    }
    zeroed?;
    directory.rename(&path, &folder.join(format!("{READY}{number}")))?;
    directory.sync_dir(&folder)?;
    Ok(true)
}

/// Puts a segment that is no longer wanted aside, to be zeroed and used again by who prepares segments; beyond
/// [`MAX_SPARES`], or where it cannot be moved, it is removed.
pub(crate) fn put_aside(directory: &Directory, segment: u32) -> Result<()> {
    let (folder, path) = (directory.spare(), directory.segment(segment));
    let has_room = directory.create(&folder).is_ok() && names(directory)?.len() < MAX_SPARES;
    if has_room && directory.rename(&path, &folder.join(format!("{DROPPED}{segment}"))).is_ok() {
        return Ok(());
    }
    directory.remove(&path)
}

/// Removes what an earlier run did not finish zeroing: it may hold what was dropped.
pub(crate) fn remove_unfinished(directory: &Directory) -> Result<()> {
    let unfinished: Vec<_> = names(directory)?.into_iter().filter(|name| !name.starts_with(READY)).collect();
    for name in &unfinished {
        directory.remove(&directory.spare().join(name))?;
    }
    if unfinished.is_empty() { Ok(()) } else { directory.sync_dir(&directory.spare()) }
}

fn next_number(names: &[String]) -> u64 {
    let numbers = names.iter().filter_map(|name| name.rsplit('-').next()?.parse::<u64>().ok());
    numbers.max().map_or(0, |number| number.wrapping_add(1))
}

fn names(directory: &Directory) -> Result<Vec<String>> {
    let folder = directory.spare();
    if !directory.medium().exists(&folder) {
        return Ok(Vec::new());
    }
    let names = directory.medium().list(&folder).map_err(Error::io("list", &folder))?;
    let mut names: Vec<_> = names.into_iter().filter_map(|name| name.into_string().ok()).collect();
    names.sort();
    Ok(names)
}

fn zero(directory: &Directory, path: &std::path::Path, how: How, len: u64) -> Result<()> {
    let file = directory.open(path, how)?;
    let zeros = vec![0; CHUNK];
    let mut at = 0;
    while at < len {
        let part = usize::try_from(len - at).unwrap_or(CHUNK).min(CHUNK);
        file.write_at(&zeros[..part], at).map_err(Error::io("write", path))?;
        at += part as u64;
    }
    file.set_len(len).map_err(Error::io("resize", path))?;
    Directory::sync(&*file, path)
}
