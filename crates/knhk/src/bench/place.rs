//! Where a benchmark writes: a directory of its own, with enough room on the disk.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::show::mebibytes;
use crate::error::CliError;

/// An empty directory, removed when dropped.
#[derive(Debug)]
pub(crate) struct Place(TempDir);

impl Place {
    /// A new directory in `parent`, or in the present directory. Says on standard error how much disk is needed.
    ///
    /// # Errors
    /// Refuses a disk with less than `need` bytes free.
    pub(crate) fn with_room(parent: Option<&Path>, need: u64) -> Result<Self, CliError> {
        let parent = parent.unwrap_or(Path::new("."));
        let system = rustix::fs::statvfs(parent).map_err(|error| CliError::reading(parent)(error.into()))?;
        let free = system.f_bavail.saturating_mul(system.f_frsize);
        let path = fs::canonicalize(parent).map_err(CliError::reading(parent))?;
        if free < need {
            return Err(CliError::NoRoom { path, need: mebibytes(need), free: mebibytes(free) });
        }
        let (need, free) = (mebibytes(need), mebibytes(free));
        super::note(&format!("needs up to {need} of disk in {} ({free} free)", path.display()));
        let made = tempfile::Builder::new().prefix("knhk-bench-").tempdir_in(&path);
        Ok(Self(made.map_err(CliError::writing(path))?))
    }

    /// A directory in it.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}
