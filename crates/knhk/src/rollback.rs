//! `knhk rollback`: an earlier snapshot's content becomes current again, as a new snapshot.

use std::io::Write;

use knhk_evidence::input::InputKind;
use knhk_kernel::inputs::Command;
use serde::Serialize;

use crate::cli::{Format, Rollback};
use crate::error::CliError;
use crate::ontology::{snapshot, snapshot_id};
use crate::session::{Session, key_path};
use crate::{choice, exit, json};

/// Runs the rollback.
pub(crate) fn run(args: &Rollback, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    #[derive(Serialize)]
    struct Done {
        sector: String,
        from: String,
        to: String,
        snapshot_id: String,
        content_id: String,
        version: String,
        receipt: String,
    }
    let dir = &args.data.data;
    let (mut session, _) = Session::open(dir, &key_path(dir, args.key.signing_key.as_deref())?)?;
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
    let done = Done {
        sector,
        from: head.id.to_string(),
        to: to.to_string(),
        snapshot_id: now.id.to_string(),
        content_id: now.content_id.to_string(),
        version: now.version.to_string(),
        receipt: decisions.first().map(|d| d.id.to_string()).unwrap_or_default(),
    };
    if format == Format::Text {
        writeln!(
            out,
            "{}: content of {} is current again as version {} (snapshot {}), receipt {}",
            done.sector,
            &done.to[..12],
            done.version,
            &done.snapshot_id[..12],
            &done.receipt[..12]
        )
        .map_err(CliError::Output)?;
    } else {
        json(out, &done)?;
    }
    Ok(exit::DONE)
}
