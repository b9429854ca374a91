//! `knhk log verify`: every byte of a log, checked with a public key and nothing else.

use std::fs;
use std::io::Write;
use std::path::Path;

use knhk_evidence::VerifyingKey;
use knhk_evidence::verify::Report;
use knhk_storage::audit;
use serde::Serialize;

use crate::cli::Format;
use crate::error::CliError;
use crate::table::thousands;
use crate::{exit, json};

/// Verifies the log in `dir`.
pub(crate) fn run(
    dir: &Path,
    key: Option<&str>,
    format: Format,
    out: &mut dyn Write,
) -> Result<u8, CliError> {
    if !dir.join("log").is_dir() {
        return Err(CliError::NoLog { path: dir.to_owned() });
    }
    let trusted = key.map(read_key).transpose()?;
    let report = audit::verify(dir, trusted.as_ref(), &[])?;
    if format == Format::Text {
        write(&report, out).map_err(CliError::Output)?;
    } else {
        json(out, &Outcome::from(&report))?;
    }
    Ok(exit::DONE)
}

/// A verifier key given as text, or as a file that holds it.
pub(crate) fn read_key(text: &str) -> Result<VerifyingKey, CliError> {
    if let Ok(key) = text.trim().parse() {
        return Ok(key);
    }
    let path = Path::new(text);
    let content = fs::read_to_string(path).map_err(CliError::reading(path))?;
    content.trim().parse().map_err(|source| CliError::InFile {
        path: path.to_owned(),
        source: Box::new(source),
        mend: "give the verifier key that `knhk observe` told, or the file key.pub of the log",
    })
}

#[derive(Serialize)]
struct Outcome {
    verified: bool,
    self_attested: bool,
    origin: String,
    key: String,
    entries: u64,
    covered: u64,
    root: String,
    blocks: u64,
    observations: u64,
    receipts: u64,
    inputs: u64,
    payloads_erased: u64,
    checkpoints: u64,
    segments: u64,
    bytes: u64,
}

impl From<&Report> for Outcome {
    fn from(report: &Report) -> Self {
        Self {
            verified: true,
            self_attested: report.self_attested,
            origin: report.origin.clone(),
            key: report.key.clone(),
            entries: report.tree_size,
            covered: report.covered,
            root: report.root.to_string(),
            blocks: report.counts.blocks,
            observations: report.counts.observations,
            receipts: report.counts.receipts,
            inputs: report.counts.inputs,
            payloads_erased: report.counts.payloads_erased,
            checkpoints: report.checkpoints,
            segments: report.segments,
            bytes: report.bytes,
        }
    }
}

fn write(report: &Report, out: &mut dyn Write) -> std::io::Result<()> {
    let counts = &report.counts;
    writeln!(out, "verified: {} bytes, every one accounted for", thousands(report.bytes))?;
    writeln!(
        out,
        "  {} entries: {} blocks with {} observations, {} receipts, {} inputs",
        thousands(report.tree_size),
        thousands(counts.blocks),
        thousands(counts.observations),
        thousands(counts.receipts),
        thousands(counts.inputs)
    )?;
    if counts.payloads_erased > 0 {
        writeln!(out, "  {} payloads were erased; their hashes stand", thousands(counts.payloads_erased))?;
    }
    writeln!(
        out,
        "  root {} under a signed checkpoint of {} entries",
        report.root,
        thousands(report.covered)
    )?;
    if report.self_attested {
        writeln!(
            out,
            "  self-attested: the key is the directory's own ({}); give --key to check whose log it is",
            report.key
        )
    } else {
        writeln!(out, "  signed by {}", report.key)
    }
}
