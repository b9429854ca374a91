//! `knhk log verify`: every byte of a log, checked with a public key and nothing else.

use std::fs;
use std::io::{IsTerminal as _, Write};
use std::path::Path;

use indicatif::ProgressBar;
use knhk_evidence::VerifyingKey;
use knhk_evidence::note::MAX_NOTE_LEN;
use knhk_evidence::verify::{Depth, Report};
use knhk_storage::audit::{self, Audit};
use serde::Serialize;

use crate::cli::Format;
use crate::error::CliError;
use crate::receipts::read_bounded;
use crate::table::thousands;
use crate::{exit, json};

/// How the log is to be verified.
pub(crate) struct Wanted<'a> {
    /// Verifier key: text, or a file.
    pub(crate) key: Option<&'a str>,
    /// Roots and checkpoint only.
    pub(crate) roots: bool,
    /// A checkpoint that was kept.
    pub(crate) since: Option<&'a Path>,
}

/// Verifies the log in `dir`.
pub(crate) fn run(
    dir: &Path,
    wanted: &Wanted<'_>,
    format: Format,
    out: &mut dyn Write,
) -> Result<u8, CliError> {
    if !dir.join("log").is_dir() {
        return Err(CliError::NoLog { path: dir.to_owned() });
    }
    let trusted = wanted.key.map(read_key).transpose()?;
    let kept = match wanted.since {
        Some(path) => {
            let bytes = read_bounded(path, MAX_NOTE_LEN)?;
            let not_text =
                |_| knhk_evidence::Error::Shape { what: "checkpoint", why: "it is not UTF-8".into() };
            Some(String::from_utf8(bytes).map_err(not_text)?)
        }
        None => None,
    };
    let kept: Vec<&str> = kept.as_deref().into_iter().collect();
    let depth = if wanted.roots { Depth::Roots } else { Depth::Everything };
    let audit = Audit { trusted: trusted.as_ref(), kept: &kept, depth, since_kept: wanted.since.is_some() };
    let bar = ProgressBar::hidden();
    if std::io::stderr().is_terminal() {
        bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
    }
    let report = audit::verify_with(dir, &audit, &mut |progress| {
        bar.set_length(u64::from(progress.of));
        bar.set_position(u64::from(progress.segments));
    });
    bar.finish_and_clear();
    let report = report?;
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
    Ok(content.trim().parse()?)
}

#[derive(Serialize)]
struct Outcome {
    verified: bool,
    self_attested: bool,
    origin: String,
    key: String,
    depth: &'static str,
    begins_at: u64,
    entries: u64,
    covered: u64,
    root: String,
    blocks: u64,
    observations: u64,
    receipts: u64,
    inputs: u64,
    payloads_erased: u64,
    numbers_lost: u64,
    epochs_abandoned: u64,
    checkpoints: u64,
    segments: u64,
    bytes: u64,
    torn_bytes: u64,
}

impl From<&Report> for Outcome {
    fn from(report: &Report) -> Self {
        Self {
            verified: true,
            self_attested: report.self_attested,
            origin: report.origin.clone(),
            key: report.key.clone(),
            depth: match report.depth {
                Depth::Roots => "roots",
                Depth::Everything => "everything",
            },
            begins_at: report.begins_at,
            entries: report.tree_size,
            covered: report.covered,
            root: report.root.to_string(),
            blocks: report.counts.blocks,
            observations: report.counts.observations,
            receipts: report.counts.receipts,
            inputs: report.counts.inputs,
            payloads_erased: report.counts.payloads_erased,
            numbers_lost: report.lost.numbers,
            epochs_abandoned: report.lost.abandoned,
            checkpoints: report.checkpoints,
            segments: report.segments,
            bytes: report.bytes,
            torn_bytes: report.torn,
        }
    }
}

fn write(report: &Report, out: &mut dyn Write) -> std::io::Result<()> {
    let counts = &report.counts;
    let how = match report.depth {
        Depth::Roots => {
            "under the root; signatures of single receipts were not checked (without --roots they are)"
        }
        Depth::Everything => "every one accounted for",
    };
    writeln!(out, "verified: {} bytes, {how}", thousands(report.bytes))?;
    if report.begins_at > 0 {
        writeln!(
            out,
            "  begun at entry {}: what lies before is known by its root alone",
            thousands(report.begins_at)
        )?;
    }
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
    if report.lost.numbers > 0 {
        writeln!(
            out,
            "  {} observations were numbered by their producers and never arrived",
            thousands(report.lost.numbers)
        )?;
    }
    if report.lost.abandoned > 0 {
        writeln!(
            out,
            "  {} counts of producers were never closed: they may have lost their last observations",
            thousands(report.lost.abandoned)
        )?;
    }
    if report.torn > 0 {
        writeln!(
            out,
            "  {} bytes behind the last commit are no part of the log: a write was interrupted, or is going on",
            thousands(report.torn)
        )?;
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
