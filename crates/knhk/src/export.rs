//! `knhk log export`: the log as static files that other tools read.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::cli::Format;
use crate::error::CliError;
use crate::table::{counted, thousands};
use crate::{exit, json};

/// Writes the tiles of the log in `dir` into `target`.
pub(crate) fn tiles(dir: &Path, target: &Path, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    #[derive(Serialize)]
    struct Done {
        origin: String,
        tree_size: u64,
        root: String,
        tiles: u64,
        written: u64,
        bytes: u64,
    }
    if !dir.join("log").is_dir() {
        return Err(CliError::NoLog { path: dir.to_owned() });
    }
    let exported = knhk_storage::export::tiles(dir, target)?;
    let done = Done {
        origin: exported.checkpoint.origin,
        tree_size: exported.checkpoint.size,
        root: exported.checkpoint.root.to_string(),
        tiles: exported.tiles,
        written: exported.written,
        bytes: exported.bytes,
    };
    if format == Format::Text {
        writeln!(
            out,
            "exported: {} of {} as {}, {} of them new ({})\n  root {}",
            counted(done.tree_size, "entry"),
            done.origin,
            counted(done.tiles, "tile"),
            thousands(done.written),
            counted(done.bytes, "byte"),
            done.root
        )
        .map_err(CliError::Output)?;
    } else {
        json(out, &done)?;
    }
    Ok(exit::DONE)
}
