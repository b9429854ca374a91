//! Which key signs, looked up before anything is opened so that what is missing is named.

use std::path::{Path, PathBuf};

use knhk_evidence::SigningKey;
use knhk_storage::key_file;

use crate::cli::KeyFile;
use crate::error::CliError;
use crate::session::key_path;

/// Reads a private key.
pub(crate) fn load(path: &Path) -> Result<SigningKey, CliError> {
    key_file::load(path).map_err(|error| match error {
        knhk_storage::Error::Evidence(source) => {
            CliError::SigningKeyFile { path: path.to_owned(), source: Box::new(source) }
        }
        other => other.into(),
    })
}

/// The key file for a log that must be there.
pub(crate) fn key_of(dir: &Path, asked: &KeyFile) -> Result<PathBuf, CliError> {
    if !dir.join("log").is_dir() {
        return Err(CliError::NoLog { path: dir.to_owned() });
    }
    let path = key_path(dir, asked.signing_key.as_deref())?;
    if path.exists() { Ok(path) } else { Err(CliError::NoKey { path, dir: dir.to_owned() }) }
}
