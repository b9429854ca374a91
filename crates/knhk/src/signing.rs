//! Which key signs, looked up before anything is opened so that what is missing is named.

use std::path::{Path, PathBuf};

use crate::cli::KeyFile;
use crate::error::CliError;
use crate::session::key_path;

/// The key file for a log that must be there.
pub(crate) fn key_of(dir: &Path, asked: &KeyFile) -> Result<PathBuf, CliError> {
    if !dir.join("log").is_dir() {
        return Err(CliError::NoLog { path: dir.to_owned() });
    }
    let path = key_path(dir, asked.signing_key.as_deref())?;
    if path.exists() { Ok(path) } else { Err(CliError::NoKey { path, dir: dir.to_owned() }) }
}
