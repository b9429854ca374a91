//! Files that others wrote: read no further than what is refused for its length.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use crate::error::CliError;

/// A file's bytes, or more than `limit` of them, which its reader refuses.
pub(crate) fn bytes(path: &Path, limit: usize) -> Result<Vec<u8>, CliError> {
    let file = fs::File::open(path).map_err(CliError::reading(path))?;
    let mut bytes = Vec::new();
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(CliError::reading(path))?;
    Ok(bytes)
}

/// The text of a file that is to be verified, likewise.
pub(crate) fn text(path: &Path, limit: usize) -> Result<String, CliError> {
    String::from_utf8(bytes(path, limit)?)
        .map_err(|_| CliError::Proof { why: format!("{} is not text", path.display()) })
}

/// Writes a result to a file, or to standard output if none is named.
pub(crate) fn put(path: Option<&Path>, content: &[u8], out: &mut dyn Write) -> Result<(), CliError> {
    match path {
        Some(path) => fs::write(path, content).map_err(CliError::writing(path)),
        None => out.write_all(content).map_err(CliError::Output),
    }
}
