//! `knhk log verify ARCHIVE`: segments that `knhk log retain --archive` moved away, verified without the log.

use std::fs;
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use knhk_evidence::VerifyingKey;
use knhk_evidence::frame::MAX_SEGMENT_LEN;
use knhk_evidence::unchecked::Unchecked;
use knhk_evidence::verify::{Depth, Report, Trust, Verifier, segment_name};

use crate::bounded;
use crate::error::CliError;

/// The segments that lie in `dir` itself, in order; none when it is no archive.
pub(crate) fn segments(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut segments: Vec<PathBuf> = files
        .filter(|path| number(path).is_some_and(|number| path.ends_with(segment_name(number))))
        .collect();
    segments.sort();
    segments
}

fn number(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.strip_suffix(".seg")?.parse().ok()
}

/// Verifies every byte, rule and signature of the segments; the report's root is that of all entries up to their end.
pub(crate) fn verify(
    segments: &[PathBuf],
    trusted: Option<&VerifyingKey>,
    kept: Option<&str>,
    depth: Depth,
    bar: &ProgressBar,
) -> Result<Report, CliError> {
    let first = segments.first().and_then(|path| number(path)).unwrap_or_default();
    let trust = trusted.map_or(Trust::SelfAttested, |key| Trust::Key(key.clone()));
    let mut verifier = Verifier::since(first, trust, depth);
    if let Some(note) = kept {
        verifier.expect_checkpoint(note)?;
    }
    bar.set_length(segments.len() as u64);
    for path in segments {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        verifier.segment(&name, &bounded::bytes(path, MAX_SEGMENT_LEN)?)?;
        verifier.take_unchecked().iter().try_for_each(Unchecked::check)?;
        bar.inc(1);
    }
    Ok(verifier.finish()?)
}
