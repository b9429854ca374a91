//! `knhk log seal | retain | erase | salvage`: what of a log is kept, and what goes.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use knhk_evidence::input::InputKind;
use knhk_kernel::inputs::Command;
use knhk_storage::salvage as storage;
use serde::Serialize;

use crate::cli::{Erase, Format, KeyFile, Retain};
use crate::error::CliError;
use crate::kept::{self, Payload};
use crate::restore::{Plan, lost_state, unseal};
use crate::sealed_at::{self, SealedStateIs};
use crate::session::{Session, now_ms};
use crate::table::{counted, noun, paragraph, thousands};
use crate::{exit, json, prove, signing};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Seals the state.
pub(crate) fn seal(dir: &Path, key: &KeyFile, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    #[derive(Serialize)]
    struct Done {
        digest: String,
        segment: u32,
        already_sealed: bool,
    }
    let key = signing::key_of(dir, key)?;
    let plan = Plan::of(dir)?;
    if let Some(seal) = plan.seals.last().filter(|seal| seal.entry == plan.last)
        && unseal(dir, seal.digest).is_ok()
    {
        let done = Done { digest: seal.digest.to_string(), segment: seal.segment, already_sealed: true };
        if format == Format::Text {
            writeln!(
                out,
                "already sealed: state {} at the start of segment {}; nothing came since",
                done.digest, done.segment
            )
            .map_err(CliError::Output)?;
        } else {
            json(out, &done)?;
        }
        return Ok(exit::DONE);
    }
    let (mut session, _) = Session::open(dir, &key)?;
    let sealed = session.seal(dir)?;
    let done = Done {
        digest: sealed.digest.to_string(),
        segment: session.log().present_segment(),
        already_sealed: false,
    };
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
            "{} {what}; the log is kept from segment {} on, {} before",
            counted(done.dropped.len() as u64, "segment"),
            done.kept_from,
            counted(done.entries_before, "entry")
        )
        .map_err(CliError::Output)?;
    } else {
        json(out, &done)?;
    }
    Ok(exit::DONE)
}

/// Erases payloads. Nothing is done unless every observation asked for is there.
pub(crate) fn erase(args: &Erase, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    #[derive(Serialize)]
    struct Done {
        erased: u64,
        sequences: BTreeSet<u64>,
        already_erased: BTreeSet<u64>,
        without_payload: BTreeSet<u64>,
    }
    let dir = &args.data.data;
    let key = signing::key_of(dir, &args.key)?;
    let mut asked: BTreeSet<u64> = args.sequence.iter().copied().collect();
    for id in &args.event {
        asked.insert(prove::observation(dir, id, args.source.as_deref())?);
    }
    let found = kept::observations(dir, |sequence| asked.contains(&sequence))?;
    if let Some(sequence) = asked.iter().find(|sequence| !found.payloads.contains_key(sequence)) {
        return Err(CliError::NoObservation { sequence: *sequence, kept: found.kept });
    }
    let with = |wanted| {
        let those = found.payloads.iter().filter(|(_, payload)| **payload == wanted);
        those.map(|(sequence, _)| *sequence).collect::<BTreeSet<u64>>()
    };
    let sequences = with(Payload::Held);
    let mut erased = 0;
    if !sequences.is_empty() {
        let (mut session, _) = Session::open(dir, &key)?;
        // No later decision, and no restart, may need what goes.
        session.seal(dir)?;
        let command =
            Command::Erase { sequences: sequences.iter().copied().collect(), reason: args.reason.clone() };
        session.input(InputKind::OperatorCommand, None, &command, &mut ())?;
        session.commit()?;
        erased = session.erase(&sequences)?;
    }
    let (already_erased, without_payload) = (with(Payload::Erased), with(Payload::None));
    let done = Done { erased, sequences, already_erased, without_payload };
    if format != Format::Text {
        json(out, &done)?;
        return Ok(exit::DONE);
    }
    let mut lines = Vec::new();
    if !done.sequences.is_empty() {
        lines.push(format!(
            "{} erased; the hashes stand. Copies, archives and bundles are not reached",
            counted(done.erased, "payload")
        ));
    }
    for (which, what) in
        [(&done.already_erased, "already erased"), (&done.without_payload, "without a payload to erase")]
    {
        if !which.is_empty() {
            let numbers: Vec<String> = which.iter().map(u64::to_string).collect();
            lines.push(format!("{what}: {} {}", noun(which.len() as u64, "observation"), numbers.join(", ")));
        }
    }
    if done.sequences.is_empty() {
        lines.push("nothing was done".to_owned());
    }
    lines.iter().try_for_each(|line| paragraph(out, "", line)).map_err(CliError::Output)?;
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
    let key = signing::load(&signing::key_of(dir, key)?)?;
    let given_up = storage::salvage(dir, &key, now_ms())?;
    let lost = match (given_up.is_none(), sealed_at::newest(dir)?) {
        (true, SealedStateIs::Lost(error)) => {
            // The whole log leads to the state again; without its front nothing does.
            if kept::start(dir)?.is_some() {
                return Err(error.into());
            }
            Some(error)
        }
        _ => None,
    };
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
        writeln!(
            out,
            "nothing of the log is damaged; a torn tail, if there is one, is cut off when the log is opened"
        )
        .map_err(CliError::Output)?;
        if let Some(lost) = lost {
            paragraph(out, "  ", &lost_state(&lost)).map_err(CliError::Output)?;
        }
        return Ok(exit::DONE);
    };
    let lost = match given_up.all {
        Some(all) => format!(
            "{} and {} among them",
            counted(all.observations - given_up.kept.observations, "observation"),
            counted(all.receipts - given_up.kept.receipts, "receipt")
        ),
        None => "what they were cannot be read".to_owned(),
    };
    writeln!(
        out,
        "given up: entries {} to {} of the log; {lost}\n  damage: {}\n  {} set aside in {}\n  kept: {}, {}. The log \
         goes on from there, and no longer agrees with checkpoints of more than {}",
        thousands(given_up.from),
        thousands(given_up.had),
        given_up.damage,
        counted(given_up.bytes, "byte"),
        given_up.aside.display(),
        counted(given_up.kept.observations, "observation"),
        counted(given_up.kept.receipts, "receipt"),
        counted(given_up.from, "entry"),
    )
    .map_err(CliError::Output)?;
    Ok(exit::DONE)
}
