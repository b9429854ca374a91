//! `knhk log verify`: every byte of a log, checked with a public key and nothing else.

use std::io::{IsTerminal as _, Write};
use std::path::Path;

use indicatif::ProgressBar;
use knhk_evidence::checkpoint::UnverifiedCheckpoint;
use knhk_evidence::key::MAX_KEY_TEXT_LEN;
use knhk_evidence::merkle::Frontier;
use knhk_evidence::note::MAX_NOTE_LEN;
use knhk_evidence::verify::{Depth, Report};
use knhk_evidence::{Hash, VerifyingKey};
use knhk_storage::audit::{self, Audit};
use serde::Serialize;

use crate::cli::Format;
use crate::error::CliError;
use crate::receipts::read_bounded;
use crate::sealed_at::{self, SealedStateIs};
use crate::table::{counted, paragraph, shorten, thousands};
use crate::{archive, bounded, exit, json, kept};

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
    let archived = if dir.join("log").is_dir() { Vec::new() } else { archive::segments(dir) };
    if archived.is_empty() && !dir.join("log").is_dir() {
        return Err(CliError::NoLog { path: dir.to_owned() });
    }
    let trusted = wanted.key.map(read_key).transpose()?;
    let kept =
        wanted.since.map(|path| checkpoint(path).map(|(note, size)| (path, note, size))).transpose()?;
    let depth = if wanted.roots { Depth::Roots } else { Depth::Everything };
    let bar = ProgressBar::hidden();
    if std::io::stderr().is_terminal() {
        bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
    }
    if !archived.is_empty() {
        let note = kept.as_ref().map(|(_, note, _)| note.as_str());
        let report = archive::verify(&archived, trusted.as_ref(), note, depth, &bar);
        bar.finish_and_clear();
        let found = Found { report: report?, archive: true, root_before: None, sealed: None };
        return told(&found, format, out);
    }
    let start = kept::start(dir)?;
    let begins_at = start.as_ref().map_or(0, |start| start.size);
    let older = kept.as_ref().filter(|(_, _, size)| *size < begins_at);
    let notes: Vec<&str> =
        kept.iter().filter(|_| older.is_none()).map(|(_, note, _)| note.as_str()).collect();
    let audit = Audit { trusted: trusted.as_ref(), kept: &notes, depth, since_kept: !notes.is_empty() };
    let report = audit::verify_with(dir, &audit, &mut |progress| {
        bar.set_length(u64::from(progress.of));
        bar.set_position(u64::from(progress.segments));
    });
    bar.finish_and_clear();
    let report = report.map_err(|error| match &kept {
        Some((path, _, size)) => disagrees(path, *size, error),
        None => error.into(),
    })?;
    // Only a log that says, and signs, that its front was dropped comes this far.
    if let Some((path, _, size)) = older {
        return Err(CliError::OlderThanKept { path: path.to_path_buf(), size: *size, begins_at });
    }
    let sealed = sealed_at::newest(dir)?;
    let sealed = match sealed {
        // Nothing else leads to the state, so the directory cannot be used.
        SealedStateIs::Lost(error) if begins_at > 0 => return Err(error.into()),
        sealed => sealed,
    };
    let root_before = match start {
        Some(start) if start.size == report.begins_at => {
            Some(Frontier::from_peaks(start.size, start.peaks)?.root())
        }
        _ => None,
    };
    told(&Found { report, archive: false, root_before, sealed: Some(sealed) }, format, out)
}

/// A signed checkpoint in a file, and the entries that it says it covers.
pub(crate) fn checkpoint(path: &Path) -> Result<(String, u64), CliError> {
    let in_file = |source| CliError::InFile {
        path: path.to_owned(),
        source: Box::new(source),
        mend: "give a signed checkpoint: a copy of DIR/checkpoint",
    };
    let bytes = read_bounded(path, MAX_NOTE_LEN)?;
    let note = String::from_utf8(bytes).map_err(|_| {
        in_file(knhk_evidence::Error::Shape { what: "checkpoint", why: "it is not UTF-8".into() })
    })?;
    let size = UnverifiedCheckpoint::parse(&note).map_err(in_file)?.claimed().size;
    Ok((note, size))
}

/// An error of the log; where the checkpoint that was kept is what it disagrees with, its file is named.
pub(crate) fn disagrees(kept: &Path, size: u64, error: knhk_storage::Error) -> CliError {
    use knhk_evidence::Error::{At, Checkpoint, RolledBack};
    let knhk_storage::Error::Evidence(evidence) = error else { return error.into() };
    let of = match &evidence {
        At { error, .. } => error,
        error => error,
    };
    match of {
        Checkpoint { size: of, .. } | RolledBack { expected: of, .. } if *of == size => CliError::InFile {
            path: kept.to_owned(),
            source: Box::new(evidence),
            mend: "keep both, they are evidence: the log was rewritten or set back, or the checkpoint is another log's",
        },
        _ => knhk_storage::Error::Evidence(evidence).into(),
    }
}

/// What verification found.
struct Found {
    report: Report,
    /// Whether it was an archive.
    archive: bool,
    /// Root over the entries that the log no longer keeps.
    root_before: Option<Hash>,
    /// The newest sealed state; not looked for in an archive.
    sealed: Option<SealedStateIs>,
}

fn told(found: &Found, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    if format == Format::Text {
        write(found, out).map_err(CliError::Output)?;
    } else {
        json(out, &Outcome::from(found))?;
    }
    Ok(exit::DONE)
}

/// A verifier key given as text, or as a file that holds it.
pub(crate) fn read_key(text: &str) -> Result<VerifyingKey, CliError> {
    if let Ok(key) = text.trim().parse() {
        return Ok(key);
    }
    let path = Path::new(text);
    let content = match bounded::bytes(path, MAX_KEY_TEXT_LEN) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(CliError::File { source, .. }) => {
            return Err(CliError::NotAKey { given: shorten(text, 100), why: source.to_string() });
        }
        Err(other) => return Err(other),
    };
    content.trim().parse().map_err(|source| CliError::InFile {
        path: path.to_owned(),
        source: Box::new(source),
        mend: "give the verifier key that `knhk observe` told, or the file key.pub of the log",
    })
}

#[derive(Serialize)]
struct Outcome {
    verified: bool,
    archive: bool,
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
    /// Root over the entries before `begins_at`, where retention dropped them.
    root_before: Option<String>,
    /// `ok`, `none` or `lost`; null for an archive.
    sealed_state: Option<&'static str>,
}

impl From<&Found> for Outcome {
    fn from(found: &Found) -> Self {
        let report = &found.report;
        Self {
            verified: true,
            archive: found.archive,
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
            root_before: found.root_before.map(|root| root.to_string()),
            sealed_state: found.sealed.as_ref().map(SealedStateIs::name),
        }
    }
}

fn write(found: &Found, out: &mut dyn Write) -> std::io::Result<()> {
    let report = &found.report;
    let counts = &report.counts;
    let how = match report.depth {
        Depth::Roots => {
            "under the root; signatures of single receipts were not checked (without --roots they are)"
        }
        Depth::Everything => "every one accounted for",
    };
    let what = if found.archive { "verified, an archive" } else { "verified" };
    writeln!(out, "{what}: {}, {how}", counted(report.bytes, "byte"))?;
    if report.begins_at > 0 {
        writeln!(
            out,
            "  begun at entry {}: what lies before is known by its root alone",
            thousands(report.begins_at)
        )?;
    }
    if let Some(root) = found.root_before {
        writeln!(out, "  root {root} of what lies before: an archive of it says the same")?;
    }
    writeln!(
        out,
        "  {}: {} with {}, {}, {}",
        counted(report.tree_size, "entry"),
        counted(counts.blocks, "block"),
        counted(counts.observations, "observation"),
        counted(counts.receipts, "receipt"),
        counted(counts.inputs, "input")
    )?;
    if counts.payloads_erased > 0 {
        writeln!(out, "  erased: {}; the hashes stand", counted(counts.payloads_erased, "payload"))?;
    }
    if report.lost.numbers > 0 {
        writeln!(
            out,
            "  numbered by a producer and never arrived: {}",
            counted(report.lost.numbers, "observation")
        )?;
    }
    if report.lost.abandoned > 0 {
        writeln!(
            out,
            "  never closed: {} of producers, which may have lost their last observations",
            counted(report.lost.abandoned, "count")
        )?;
    }
    if report.torn > 0 {
        writeln!(
            out,
            "  no part of the log: {} behind the last commit; a write was interrupted, or is going on",
            counted(report.torn, "byte")
        )?;
    }
    match &found.sealed {
        Some(SealedStateIs::Lost(error)) => paragraph(
            out,
            "  warning: ",
            &format!("{error}. The whole log is here, so nothing is lost: `knhk log seal` makes a new state"),
        )?,
        Some(SealedStateIs::Ok) => writeln!(out, "  the newest sealed state is whole")?,
        Some(SealedStateIs::None) | None => {}
    }
    if found.archive {
        writeln!(out, "  root {} of all {} up to its end", report.root, counted(report.tree_size, "entry"))?;
        paragraph(
            out,
            "  ",
            &format!(
                "to be compared with the checkpoint that the kept log begins with: `knhk log verify DIR` says its root; \
                 signed here are {}",
                thousands(report.covered)
            ),
        )?;
    } else {
        writeln!(
            out,
            "  root {} under a signed checkpoint of {}",
            report.root,
            counted(report.covered, "entry")
        )?;
    }
    if report.self_attested {
        writeln!(
            out,
            "  self-attested: the key is the {} own ({}); give --key to check whose log it is",
            if found.archive { "archive's" } else { "directory's" },
            report.key
        )
    } else {
        writeln!(out, "  signed by {}", report.key)
    }
}
