//! The dead-letter file: every refused event with its place and reason. Nothing that came in is lost.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use knhk_evidence::Hash;
use knhk_observation::reader::{Event, Reject};
use serde::Serialize;

use crate::error::CliError;
use crate::refusal::Refusal;

/// Name of the file unless the user chooses one.
pub(crate) const FILE_NAME: &str = "dead-letter.ndjson";

/// One line of the file (`docs/formats/events.md`, section "Dead letters").
#[derive(Serialize)]
struct Letter<'a> {
    file: &'a str,
    line: u64,
    column: u64,
    code: &'a str,
    reason: &'a str,
    offset: u64,
    length: u64,
    sha256: String,
    /// The bytes as text when they are UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<&'a str>,
    /// The bytes in base64 when they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_base64: Option<String>,
    /// Name of the file beside this one that holds the bytes when they are too many for a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_file: Option<String>,
}

/// What a run tells of its dead letters.
#[derive(Debug)]
pub(crate) struct Letters {
    /// Where they are.
    pub path: PathBuf,
    /// The first one.
    pub first: Refusal,
}

/// Writes dead letters; makes its file when the first one comes.
#[derive(Debug)]
pub(crate) struct DeadLetters {
    path: PathBuf,
    file: Option<BufWriter<File>>,
    oversize: Option<(PathBuf, BufWriter<File>)>,
    first: Option<Refusal>,
}

impl DeadLetters {
    /// Letters will go to `path`, after those that are there.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, file: None, oversize: None, first: None }
    }

    /// Where the letters are and why the first was written, if there are any.
    pub(crate) fn told(self) -> Option<Letters> {
        self.first.map(|first| Letters { path: self.path, first })
    }

    /// Takes some bytes of an event that is too large for memory; [`DeadLetters::reject`] ends it.
    pub(crate) fn oversize(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if self.oversize.is_none() {
            let path = self.path.with_added_extension("oversize.part");
            let file = BufWriter::new(File::create(&path)?);
            self.oversize = Some((path, file));
        }
        let Some((_, file)) = &mut self.oversize else { return Ok(()) };
        file.write_all(bytes)
    }

    /// Writes what the reader refused.
    pub(crate) fn reject(&mut self, file: &str, reject: &Reject<'_>) -> Result<(), CliError> {
        let raw_file = self.close_oversize(&hex::encode(reject.sha256))?;
        let raw = std::str::from_utf8(reject.raw).ok().filter(|_| raw_file.is_none());
        self.write(&Letter {
            file,
            line: reject.line,
            column: reject.column,
            code: reject.reason.code(),
            reason: &reject.message,
            offset: reject.offset,
            length: reject.length,
            sha256: hex::encode(reject.sha256),
            raw,
            raw_base64: (raw.is_none() && raw_file.is_none()).then(|| STANDARD.encode(reject.raw)),
            raw_file,
        })
    }

    /// Writes an event that was read but does not belong here.
    pub(crate) fn refuse(
        &mut self,
        file: &str,
        event: &Event<'_>,
        code: &str,
        reason: &str,
    ) -> Result<(), CliError> {
        self.write(&Letter {
            file,
            line: event.line,
            column: 1,
            code,
            reason,
            offset: event.offset,
            length: event.raw.len() as u64,
            sha256: Hash::of(event.raw).to_string(),
            raw: std::str::from_utf8(event.raw).ok(),
            raw_base64: None,
            raw_file: None,
        })
    }

    /// Makes the letters durable.
    pub(crate) fn finish(&mut self) -> Result<(), CliError> {
        if let Some(file) = &mut self.file {
            file.flush().and_then(|()| file.get_ref().sync_all()).map_err(CliError::writing(&self.path))?;
        }
        Ok(())
    }

    fn write(&mut self, letter: &Letter<'_>) -> Result<(), CliError> {
        if self.file.is_none() {
            let file = OpenOptions::new().create(true).append(true).open(&self.path);
            self.file = Some(BufWriter::new(file.map_err(CliError::writing(&self.path))?));
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let failed = CliError::writing(&self.path);
        serde_json::to_writer(&mut *file, letter)
            .map_err(std::io::Error::from)
            .and_then(|()| file.write_all(b"\n"))
            .map_err(failed)?;
        self.first.get_or_insert_with(|| Refusal {
            file: letter.file.to_owned(),
            line: letter.line,
            column: letter.column,
            code: letter.code.to_owned(),
            reason: letter.reason.to_owned(),
        });
        Ok(())
    }

    /// Gives the collected bytes their name: the digest of the content, so that a repeat takes no more room.
    fn close_oversize(&mut self, sha256: &str) -> Result<Option<String>, CliError> {
        let Some((path, mut file)) = self.oversize.take() else { return Ok(None) };
        file.flush().and_then(|()| file.get_ref().sync_all()).map_err(CliError::writing(&path))?;
        let name =
            format!("{}.{sha256}", self.path.file_name().and_then(|n| n.to_str()).unwrap_or("dead-letter"));
        let target = self.path.with_file_name(&name);
        std::fs::rename(&path, &target).map_err(CliError::writing(&target))?;
        Ok(Some(name))
    }
}
