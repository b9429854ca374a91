//! Event files: walked, opened, gunzipped, read in order of their names.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use indicatif::{ProgressBar, ProgressStyle};

use crate::error::CliError;

/// Bytes read at once.
const BUFFER_BYTES: usize = 256 << 10;

/// Directories inside directories that are followed.
const DIRECTORY_DEPTH_MAX: usize = 16;

/// Inputs that a message names.
const NAMED_MAX: usize = 5;

/// File name endings that a directory walk takes for events.
const ENDINGS: [&str; 6] = [".ndjson", ".jsonl", ".json", ".ndjson.gz", ".jsonl.gz", ".json.gz"];

/// One input: a file, or standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

impl Source {
    /// Its name in reports and dead letters.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Stdin => "-".to_owned(),
        }
    }

    /// Whether it can be opened; standard input is taken as it comes.
    pub(crate) fn check(&self) -> Result<(), CliError> {
        match self {
            Self::File(path) => File::open(path).map(drop).map_err(CliError::reading(path)),
            Self::Stdin => Ok(()),
        }
    }

    /// Opens it; a gzip header is recognised by its bytes, not by the name.
    pub(crate) fn open(&self, progress: &ProgressBar) -> Result<Box<dyn BufRead>, CliError> {
        let raw: Box<dyn Read> = match self {
            Self::File(path) => Box::new(File::open(path).map_err(CliError::reading(path))?),
            Self::Stdin => Box::new(io::stdin()),
        };
        let mut counted = BufReader::with_capacity(BUFFER_BYTES, progress.wrap_read(raw));
        let head = counted.fill_buf().map_err(CliError::reading(self.name()))?;
        if head.starts_with(&[0x1f, 0x8b]) {
            Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(counted))))
        } else {
            Ok(Box::new(counted))
        }
    }
}

/// The inputs behind the given names, directories walked in order of their entries' names.
pub(crate) fn sources(names: &[PathBuf]) -> Result<Vec<Source>, CliError> {
    let mut sources = Vec::new();
    for name in names {
        if name.as_os_str() == "-" {
            sources.push(Source::Stdin);
        } else if fs::metadata(name).map_err(CliError::reading(name))?.is_dir() {
            walk(name, 0, &mut sources)?;
        } else {
            sources.push(Source::File(name.clone()));
        }
    }
    if sources.is_empty() {
        let names: Vec<String> = names.iter().map(|name| name.display().to_string()).collect();
        return Err(CliError::NoEvents { inputs: names.join(", ") });
    }
    Ok(sources)
}

fn walk(dir: &Path, depth: usize, sources: &mut Vec<Source>) -> Result<(), CliError> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(dir).map_err(CliError::reading(dir))? {
        entries.push(entry.map_err(CliError::reading(dir))?);
    }
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        // The entry's own type: symbolic links are not followed, so a walk cannot run in circles.
        let kind = entry.file_type().map_err(CliError::reading(&path))?;
        if kind.is_dir() && depth < DIRECTORY_DEPTH_MAX {
            walk(&path, depth + 1, sources)?;
        } else if kind.is_file() && ENDINGS.iter().any(|e| entry.file_name().to_string_lossy().ends_with(e)) {
            sources.push(Source::File(path));
        }
    }
    Ok(())
}

/// Their names, for people; the first few where there are many.
pub(crate) fn names(sources: &[Source]) -> String {
    let mut names: Vec<String> = sources.iter().take(NAMED_MAX).map(Source::name).collect();
    if sources.len() > NAMED_MAX {
        names.push(format!("{} more", sources.len() - NAMED_MAX));
    }
    names.join(", ")
}

/// A bar over the bytes of all files, on a terminal; nothing otherwise.
pub(crate) fn progress(sources: &[Source]) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bytes = |source: &Source| match source {
        Source::File(path) => fs::metadata(path).ok().map(|m| m.len()),
        Source::Stdin => None,
    };
    let style = |template: &str| {
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
    };
    match sources.iter().map(bytes).sum::<Option<u64>>() {
        Some(total) => {
            ProgressBar::new(total).with_style(style("{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {msg}"))
        }
        None => ProgressBar::new_spinner().with_style(style("{spinner} {bytes} {bytes_per_sec} {msg}")),
    }
}
