//! Reading the TOML files of a pack, with the place of what is wrong.

use serde::de::DeserializeOwned;

use crate::error::{ChangeError, Result};

/// Most bytes of `doctrine.toml` or `guards.toml`.
pub const GOVERNANCE_FILE_BYTES_MAX: usize = 1 << 20;

/// Parses a file; unknown keys are errors when `T` denies them.
pub(crate) fn parse<T: DeserializeOwned>(file: &'static str, page: &'static str, bytes: &[u8]) -> Result<T> {
    if bytes.len() > GOVERNANCE_FILE_BYTES_MAX {
        return Err(ChangeError::Limit {
            what: "the size in bytes of a governance file",
            actual: bytes.len(),
            limit: GOVERNANCE_FILE_BYTES_MAX,
        });
    }
    let refuse = |offset: usize, message: String| {
        let before = &bytes[..offset.min(bytes.len())];
        let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        ChangeError::File {
            file,
            line: before.split(|b| *b == b'\n').count(),
            column: before.len() - line_start + 1,
            message,
            page,
        }
    };
    let text = std::str::from_utf8(bytes).map_err(|e| refuse(e.valid_up_to(), "not UTF-8".to_owned()))?;
    toml::from_str(text).map_err(|e| {
        let message = e.message().split_whitespace().collect::<Vec<_>>().join(" ");
        refuse(e.span().map_or(0, |span| span.start), message)
    })
}
