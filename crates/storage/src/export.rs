//! The log as static files in a directory of their own: C2SP tlog-tiles. See `docs/formats/tiles.md`.

use std::path::Path;

use knhk_evidence::VerifyingKey;
use knhk_evidence::checkpoint::{Checkpoint, UnverifiedCheckpoint};
use knhk_evidence::entry::Entry;
use knhk_evidence::merkle::Frontier;
use knhk_evidence::tiles::{TileFile, Tiler};

use crate::audit::checkpoint_note;
use crate::directory::{Directory, Durability};
use crate::error::{Error, Result};
use crate::read;

/// What an export wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The checkpoint it is made for.
    pub checkpoint: Checkpoint,
    /// Tiles and entry bundles of that checkpoint.
    pub tiles: u64,
    /// Those among them that were not there before.
    pub written: u64,
    /// Bytes of those.
    pub bytes: u64,
}

/// Writes the tiles of the newest checkpoint into `out`, the checkpoint last.
///
/// # Errors
/// Refuses a directory that holds another log's files, and a log that does not agree with its checkpoint.
pub fn tiles(directory: impl Into<Directory>, out: &Path) -> Result<Exported> {
    let (directory, out) = (directory.into(), Directory::from(out));
    let note = checkpoint_note(&directory)?;
    let claimed = UnverifiedCheckpoint::parse(&note)?;
    let size = claimed.claimed().size;
    check_origin(&out, claimed.claimed())?;
    let mut exported = Exported { checkpoint: claimed.claimed().clone(), tiles: 0, written: 0, bytes: 0 };
    let mut write = |file: TileFile| {
        exported.tiles += 1;
        if put(&out, &file)? {
            exported.written += 1;
            exported.bytes += file.bytes.len() as u64;
        }
        Ok::<(), Error>(())
    };
    let (mut tiler, mut tree) = (Tiler::new(), Frontier::new());
    let mut key: Option<VerifyingKey> = None;
    for located in read::entries(&directory)? {
        let located = located?;
        if located.index != tree.size() {
            let why = "the log's first entries were dropped, and tiles begin with the first";
            return Err(Error::Layout { path: directory.log(), why });
        }
        if located.index >= size {
            break;
        }
        if let Entry::KeyChange(change) = &located.entry {
            key = Some(change.verify(key.as_ref())?);
        }
        tree.push(located.entry.leaf_hash()?);
        tiler.push(&located.entry.leaf_data()?, &mut write)?;
    }
    tiler.finish(&mut write)?;
    let root = tree.root();
    if tree.size() != size {
        return Err(knhk_evidence::Error::RolledBack { actual: tree.size(), expected: size }.into());
    }
    if root != claimed.claimed().root {
        let (actual, expected) = (claimed.claimed().root.to_string(), root.to_string());
        return Err(knhk_evidence::Error::Checkpoint { size, actual, expected }.into());
    }
    let key = key.ok_or(knhk_evidence::Error::Frame { why: "the log has no key" })?;
    claimed.verify(&key)?;
    out.create(out.root())?;
    out.replace(&out.checkpoint(), note.as_bytes(), Durability::Synced)?;
    Ok(exported)
}

/// An export goes on where one of the same log stopped, and nowhere else.
fn check_origin(out: &Directory, new: &Checkpoint) -> Result<()> {
    let path = out.checkpoint();
    if !path.exists() {
        return Ok(());
    }
    let note = out.read_bounded(&path, knhk_evidence::note::MAX_NOTE_LEN)?;
    let old = std::str::from_utf8(&note).ok().and_then(|note| UnverifiedCheckpoint::parse(note).ok());
    let old = old.ok_or(Error::Layout { path: path.clone(), why: "it is not a checkpoint" })?;
    if old.claimed().origin != new.origin {
        return Err(Error::Layout { path, why: "it is another log's: choose another directory" });
    }
    if old.claimed().size > new.size {
        let (actual, expected) = (new.size, old.claimed().size);
        return Err(knhk_evidence::Error::RolledBack { actual, expected }.into());
    }
    Ok(())
}

/// Writes a tile unless it is there; false if it was. A tile never changes.
fn put(out: &Directory, file: &TileFile) -> Result<bool> {
    let path = file.path.split('/').fold(out.root().to_owned(), |path, part| path.join(part));
    if path.exists() {
        if out.read_bounded(&path, file.bytes.len()).is_ok_and(|bytes| bytes == file.bytes) {
            return Ok(false);
        }
        return Err(Error::Layout {
            path,
            why: "it has other bytes than this log's tile: choose another directory",
        });
    }
    if let Some(folder) = path.parent() {
        out.create(folder)?;
    }
    out.replace(&path, &file.bytes, Durability::Synced)?;
    Ok(true)
}
