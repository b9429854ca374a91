//! What a first run makes, and how it is taken back when the run fails before anything of it is durable.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::dead_letter;
use crate::error::CliError;

/// What a log and a run's dead letters are called in a data directory; the latter also with endings of their own.
const MADE: [&str; 4] = ["log", "checkpoint", "key.pub", "lock"];

/// What was there before a run opened its data directory.
#[derive(Debug)]
pub(crate) struct Fresh {
    dir: PathBuf,
    /// The key file, where it was not there.
    key: Option<PathBuf>,
    /// What the directory held.
    held: BTreeSet<OsString>,
    /// Directories that were not there, the deepest first.
    missing: Vec<PathBuf>,
}

impl Fresh {
    /// Looks at what is there.
    pub(crate) fn before(dir: &Path, key: &Path) -> Self {
        let held = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect();
        let missing = |path: &Path| {
            let is_missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
            path.ancestors().take_while(is_missing).map(Path::to_owned).collect::<Vec<_>>()
        };
        let mut directories = missing(dir);
        directories.extend(key.parent().map(missing).unwrap_or_default());
        Self { dir: dir.to_owned(), key: (!key.exists()).then(|| key.to_owned()), held, missing: directories }
    }

    /// Makes the data directory, and sees that files can be made in it.
    pub(crate) fn make_directory(&self) -> Result<(), CliError> {
        if self.dir.is_file() {
            return Err(CliError::NotADirectory { path: self.dir.clone() });
        }
        let made = fs::create_dir_all(&self.dir).and_then(|()| tempfile::tempfile_in(&self.dir).map(drop));
        made.map_err(|error| {
            self.undo_directories();
            CliError::writing(&self.dir)(error)
        })
    }

    /// Removes what the run made and nothing else. Only for a run that made the log and made nothing of its own durable.
    pub(crate) fn undo(&self) {
        // The failure that led here is what the user is told; what cannot be removed is in nobody's way.
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let text = name.to_string_lossy();
            let made = MADE.contains(&&*text) || text.starts_with(dead_letter::FILE_NAME);
            if made && !self.held.contains(&name) {
                let path = entry.path();
                let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            }
        }
        if let Some(key) = &self.key {
            let _ = fs::remove_file(key);
        }
        self.undo_directories();
    }

    /// Removes the directories that were not there, as far as they are empty.
    pub(crate) fn undo_directories(&self) {
        for directory in &self.missing {
            // One that holds something stays.
            let _ = fs::remove_dir(directory);
        }
    }
}
