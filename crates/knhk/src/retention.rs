//! `knhk log seal | retain | erase | salvage`: what of a log is kept, and what goes.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use knhk_evidence::input::InputKind;
use knhk_kernel::inputs::Command;
use knhk_storage::{key_file, salvage as storage};
use serde::Serialize;

use crate::cli::{Erase, Format, KeyFile, Retain};
use crate::error::CliError;
use crate::session::{Session, now_ms};
use crate::table::thousands;
use crate::{exit, json, prove, signing};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Seals the state.
pub(crate) fn seal(dir: &Path, key: &KeyFile, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    #[derive(Serialize)]
    struct Done {
        digest: String,
        segment: u32,
    }
    let (mut session, _) = Session::open(dir, &signing::key_of(dir, key)?)?;
    let sealed = session.seal(dir)?;
    let done = Done { digest: sealed.digest.to_string(), segment: session.log().present_segment() };
    if format == Format::Text {
        writeln!(out, "sealed: state {} at the start of segment {}", done.digest, done.segment)
            .map_err(CliError::Output)?;
    } else {
        json(out, &done)?;
    }
    Ok(exit::DONE)
}

/// Drops the oldest segments.
pub(crate) fn retain(args: &Retain, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    #[derive(Serialize)]
    struct Done {
        dropped: Vec<u32>,
        kept_from: u32,
        entries_before: u64,
    }
    let dir = &args.data.data;
    let (mut session, _) = Session::open(dir, &signing::key_of(dir, &args.key)?)?;
    session.seal(dir)?;
    let segments = session.log().segments()?;
    let from = match (args.keep_segments, args.older_than) {
        (Some(keep), _) => segments.end.saturating_sub(keep),
        (None, days) => {
            let before_ms =
                now_ms().saturating_sub(DAY_MS.saturating_mul(i64::from(days.unwrap_or(u32::MAX))));
            session.log().first_segment_since(before_ms)?
        }
    };
    let dropped = session.retain_from(from, args.archive.as_deref(), &args.reason)?;
    let done = Done {
        kept_from: dropped.end,
        entries_before: session.log().entries_before(dropped.end)?,
        dropped: dropped.collect(),
    };
    if format == Format::Text {
        let what = if args.archive.is_some() { "moved to the archive" } else { "dropped" };
        writeln!(
            out,
            "{} segments {what}; the log is kept from segment {} on, {} entries lie before",
            done.dropped.len(),
            done.kept_from,
            thousands(done.entries_before)
        )
        .map_err(CliError::Output)?;
    } else {
        json(out, &done)?;
    }
    Ok(exit::DONE)
}

/// Erases payloads.
pub(crate) fn erase(args: &Erase, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    #[derive(Serialize)]
    struct Done {
        erased: u64,
        sequences: BTreeSet<u64>,
    }
    let dir = &args.data.data;
    let key = signing::key_of(dir, &args.key)?;
    let mut sequences: BTreeSet<u64> = args.sequence.iter().copied().collect();
    for id in &args.event {
        sequences.insert(prove::observation(dir, id, args.source.as_deref())?);
    }
    let (mut session, _) = Session::open(dir, &key)?;
    // No later decision, and no restart, may need what goes.
    session.seal(dir)?;
    let command =
        Command::Erase { sequences: sequences.iter().copied().collect(), reason: args.reason.clone() };
    session.input(InputKind::OperatorCommand, None, &command, &mut ())?;
    session.commit()?;
    let done = Done { erased: session.erase(&sequences)?, sequences };
    if format == Format::Text {
        writeln!(
            out,
            "{} of {} payloads erased; their hashes stand. Copies, archives and bundles are not reached",
            done.erased,
            done.sequences.len()
        )
        .map_err(CliError::Output)?;
    } else {
        json(out, &done)?;
    }
    Ok(exit::DONE)
}

/// Cuts a damaged log before the damage.
pub(crate) fn salvage(
    dir: &Path,
    key: &KeyFile,
    format: Format,
    out: &mut dyn Write,
) -> Result<u8, CliError> {
    #[derive(Serialize)]
    struct Done {
        damaged: bool,
        given_up_from: Option<u64>,
        given_up_entries: Option<u64>,
        damage: Option<String>,
        set_aside: Option<String>,
        set_aside_bytes: Option<u64>,
    }
    let key = key_file::load(&signing::key_of(dir, key)?)?;
    let given_up = storage::salvage(dir, &key, now_ms())?;
    if format != Format::Text {
        let given_up = given_up.as_ref();
        json(
            out,
            &Done {
                damaged: given_up.is_some(),
                given_up_from: given_up.map(|g| g.from),
                given_up_entries: given_up.map(|g| g.had - g.from),
                damage: given_up.map(|g| g.damage.clone()),
                set_aside: given_up.map(|g| g.aside.display().to_string()),
                set_aside_bytes: given_up.map(|g| g.bytes),
            },
        )?;
        return Ok(exit::DONE);
    }
    let Some(given_up) = given_up else {
        writeln!(out, "nothing is damaged; a torn tail, if there is one, is cut off when the log is opened")
            .map_err(CliError::Output)?;
        return Ok(exit::DONE);
    };
    let lost = match given_up.all {
        Some(all) => format!(
            "{} observations and {} receipts among them",
            thousands(all.observations - given_up.kept.observations),
            thousands(all.receipts - given_up.kept.receipts)
        ),
        None => "what they were cannot be read".to_owned(),
    };
    writeln!(
        out,
        "given up: entries {} to {} of the log; {lost}\n  damage: {}\n  {} bytes set aside in {}\n  kept: {} observations, \
         {} receipts. The log goes on from there, and no longer agrees with checkpoints of more than {} entries",
        thousands(given_up.from),
        thousands(given_up.had),
        given_up.damage,
        thousands(given_up.bytes),
        given_up.aside.display(),
        thousands(given_up.kept.observations),
        thousands(given_up.kept.receipts),
        thousands(given_up.from),
    )
    .map_err(CliError::Output)?;
    Ok(exit::DONE)
}
