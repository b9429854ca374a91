//! `knhk rollback`: an earlier snapshot's content becomes current again, as a new snapshot.

use std::io::Write;

use knhk_evidence::input::InputKind;
use knhk_kernel::inputs::Command;
use serde::Serialize;

use crate::cli::{Format, Rollback};
use crate::error::CliError;
use crate::ontology::{snapshot, snapshot_id};
use crate::session::Session;
use crate::table::short_id;
use crate::{choice, exit, json, signing};

/// Runs the rollback.
pub(crate) fn run(args: &Rollback, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    #[derive(Serialize)]
    struct Done {
        sector: String,
        from: String,
        from_version: String,
        to: String,
        to_version: String,
        snapshot_id: String,
        content_id: String,
        version: String,
        receipt: String,
    }
    let dir = &args.data.data;
    let (mut session, _) = Session::open(dir, &signing::key_of(dir, &args.key)?)?;
    let sector = choice::sector(session.kernel(), args.sector.as_deref())?;
    let head = snapshot(session.kernel(), &sector, None)?;
    let to = match &args.to {
        Some(text) => snapshot_id(session.kernel(), &sector, text)?,
        None => session.kernel().sector(&sector)?.before_the_current()?,
    };
    let command = Command::Rollback { to: to.to_string(), reason: args.reason.clone() };
    let decisions = session.input(InputKind::OperatorCommand, Some(&sector), &command, &mut ())?;
    session.commit()?;
    let now = snapshot(session.kernel(), &sector, None)?;
    let target = snapshot(session.kernel(), &sector, Some(&to.to_string()))?;
    let done = Done {
        sector,
        from: head.id.to_string(),
        from_version: head.version.to_string(),
        to: to.to_string(),
        to_version: target.version.to_string(),
        snapshot_id: now.id.to_string(),
        content_id: now.content_id.to_string(),
        version: now.version.to_string(),
        receipt: decisions.first().map(|d| d.id.to_string()).unwrap_or_default(),
    };
    if format == Format::Text {
        writeln!(
            out,
            "{}: the content of version {} ({}) is current again, as version {} ({}); it was {} ({}). Receipt {}",
            done.sector,
            done.to_version,
            short_id(&done.to),
            done.version,
            short_id(&done.snapshot_id),
            done.from_version,
            short_id(&done.from),
            short_id(&done.receipt)
        )
        .map_err(CliError::Output)?;
    } else {
        json(out, &done)?;
    }
    Ok(exit::DONE)
}
