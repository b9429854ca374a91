//! `knhk observe`: the whole loop over event files. One run is one cycle over one window.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use knhk_change::rules_in_force;
use knhk_evidence::hash::Bytes;
use knhk_evidence::input::InputKind;
use knhk_kernel::KernelError;
use knhk_kernel::inputs::SectorAdmitted;
use knhk_kernel::sector::SectorState;
use knhk_ontology::{Pack, Snapshot, core_pack, pack};

use crate::cli::Observe;
use crate::dead_letter::{self, DeadLetters, Letters};
use crate::error::CliError;
use crate::fresh::Fresh;
use crate::inputs::{self, Source};
use crate::intake::Intake;
use crate::report::{Notice, ReceiptsReport, Report};
use crate::session::{Opened, Session, key_path};
use crate::{conformance, cycle, from_decisions, measure, packs, signing};

/// What a run produced, for whoever prints it.
#[derive(Debug)]
pub(crate) struct Run {
    /// The report.
    pub report: Report,
    /// Whether the directory is new, and what was repaired.
    pub opened: Opened,
    /// The data directory; gone at the end when none was asked for.
    pub dir: PathBuf,
    /// The verifier key.
    pub verifier_key: String,
    /// Where refused events are, if any were.
    pub dead_letters: Option<Letters>,
    /// Entries of the log after the run.
    pub log_size: u64,
}

/// Runs the loop.
///
/// A run that fails before anything of it is durable leaves nothing behind that was not there before.
pub(crate) fn run(args: &Observe) -> Result<Run, CliError> {
    let start = Instant::now();
    let files = packs::files(&args.sector)?;
    let sector = Pack::name_of(&files)?;
    let sources = inputs::sources(&args.files)?;
    let temporary = match args.data {
        Some(_) => None,
        None => Some(tempfile::tempdir().map_err(CliError::writing(std::env::temp_dir()))?),
    };
    let dir = match (&args.data, &temporary) {
        (Some(dir), _) => dir.clone(),
        (None, temporary) => temporary.as_ref().map(|t| t.path().join("data")).unwrap_or_default(),
    };
    let dead_letters = match (&args.dead_letter, &temporary) {
        (Some(path), _) => path.clone(),
        (None, None) => dir.join(dead_letter::FILE_NAME),
        // Refused events outlive a run whose log does not.
        (None, Some(_)) => PathBuf::from(dead_letter::FILE_NAME),
    };
    let is_new = !dir.join("log").is_dir();
    let key = if is_new {
        key_path(&dir, args.key.signing_key.as_deref())?
    } else {
        signing::key_of(&dir, &args.key)?
    };
    let fresh = Fresh::before(&dir, &key);
    if is_new {
        // Nothing is made for a pack or an input that cannot be used.
        let pack = Pack::from_files(&files)?;
        rules_in_force(core_pack()?, &pack).map_err(KernelError::from)?;
        sources.iter().try_for_each(Source::check)?;
        // Nor is a key made for a directory that cannot be written.
        fresh.make_directory()?;
    }
    let (mut session, opened) =
        Session::open_or_create(&dir, &key).inspect_err(|_| fresh.undo_directories())?;
    let note = session.log().checkpoint_note().to_owned();
    let mut notices = Vec::new();
    if let Opened::Reopened(recovery) = &opened {
        if recovery.checkpoint_missing {
            notices.push(Notice::checkpoint_missing());
        } else if recovery.signed > 0 {
            notices.push(Notice::signed_late(recovery.signed));
        }
    }
    notices.extend(session.lost().map(Notice::state_lost));
    let done = observe(&mut session, &sector, files, &sources, DeadLetters::new(dead_letters), args);
    let (mut report, dead_letters) = match done {
        Ok(done) => done,
        Err(error) => {
            let nothing_durable = session.log().checkpoint_note() == note;
            if matches!(opened, Opened::Created { .. }) && nothing_durable {
                fresh.undo();
            }
            return Err(error);
        }
    };
    report.notices.splice(0..0, notices);
    report.cycle.elapsed_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    report.cycle.peak_resident_bytes = measure::peak_resident_bytes();
    Ok(Run {
        report,
        opened,
        verifier_key: session.log().key().verifying_key().to_string(),
        dead_letters,
        log_size: session.log().state().size(),
        dir,
    })
}

/// Admits the sector where it is new, takes the events in, runs the cycle, and makes it durable.
fn observe(
    session: &mut Session,
    sector: &str,
    files: BTreeMap<String, Vec<u8>>,
    sources: &[Source],
    dead_letters: DeadLetters,
    args: &Observe,
) -> Result<(Report, Option<Letters>), CliError> {
    let mut notices = Vec::new();
    // A sector that is new writes its first receipt when it is admitted: by this run, too.
    let before = session.kernel().sector(sector).map_or(0, SectorState::receipts);
    if let Ok(state) = session.kernel().sector(sector) {
        if state.history().head().pack_digest != pack::digest(&files) {
            notices.push(Notice::pack_ignored(sector));
        }
    } else {
        let others: Vec<&str> = session.kernel().sectors().map(|(name, _)| name).collect();
        if !others.is_empty() {
            notices.push(Notice::new_sector(sector, &others));
        }
        let files = files.into_iter().map(|(name, bytes)| (name, Bytes(bytes))).collect();
        session.input(InputKind::SectorAdmitted, Some(sector), &SectorAdmitted { files }, &mut ())?;
    }
    let mut intake = Intake::new(session, sector, dead_letters)?;
    intake.read_all(sources)?;
    let (counts, dead_letters) = intake.finish()?;
    if counts.accepted + counts.duplicates + counts.rejected == 0 {
        return Err(CliError::NoEvents { inputs: inputs::names(sources) });
    }
    let head = Snapshot::clone(session.kernel().sector(sector)?.history().head());
    let (decisions, times) = cycle::run(session, sector, args.promote, counts)?;
    session.commit()?;
    let state = session.kernel().sector(sector)?;
    let mut report = from_decisions::report(sector, counts, &head, &decisions, &times)?;
    report.notices = notices;
    report.waiting = state.held().count() as u64;
    report.receipts = ReceiptsReport {
        count: state.receipts() - before,
        checkpoint: session.log().checkpoint_note().to_owned(),
    };
    report.conformance_after = match session.kernel().world().current().sectors.get(sector) {
        Some(world) if report.conformance.of > 0 && world.snapshot.id != head.id => {
            conformance::again(report.conformance, state.window(), world.admission())
        }
        // Nothing was promoted, or there is nothing to judge.
        _ => report.conformance,
    };
    Ok((report, dead_letters))
}
