//! `knhk replay`: every logged input decided again, every decision compared with the log.

use std::io::Write;

use knhk_evidence::entry::Entry;
use knhk_kernel::replay::Replay;
use knhk_storage::read::{self, Located};
use serde::Serialize;

use crate::cli::{self, Format};
use crate::error::{CliError, describe};
use crate::restore::{Plan, unseal};
use crate::table::counted;
use crate::{exit, json};

/// Replays a data directory.
pub(crate) fn run(args: &cli::Replay, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    #[derive(Serialize)]
    struct Agreed {
        agrees: bool,
        from: &'static str,
        from_entry: u64,
        inputs: u64,
        decisions: u64,
    }
    let dir = &args.dir;
    if !dir.join("log").is_dir() {
        return Err(CliError::NoLog { path: dir.to_owned() });
    }
    let plan = Plan::of(dir)?;
    let seal = match (args.from_seal, plan.begins_at) {
        (true, _) => plan.seals.last(),
        (false, 0) => None,
        // What lies before was dropped, so the oldest state is the place to begin: none is passed over in silence.
        (false, _) => plan.seals.first(),
    };
    let (mut replay, from, from_entry) = match seal {
        Some(seal) => (Replay::from(unseal(dir, seal.digest)?), "sealed_state", seal.entry),
        None if args.from_seal || plan.begins_at > 0 => {
            return Err(CliError::NoSeal { dir: dir.clone(), begins_at: plan.begins_at });
        }
        None => (Replay::new(), "genesis", 0),
    };
    let mut last = (0, 0, 0);
    for located in read::entries(dir)? {
        let located = located?;
        if located.index < from_entry {
            continue;
        }
        last = (located.index, located.segment, located.offset);
        if let Entry::Block { payloads: Some(payloads), .. } = &located.entry
            && payloads.erased() > 0
        {
            return Err(CliError::ErasedInReplay { entry: located.index, erased: payloads.erased() });
        }
        step(&mut replay, &located).map_err(|what| disagrees(last, what))?;
    }
    let replayed = replay.finish().map_err(|d| disagrees(last, describe(&d)))?;
    let agreed =
        Agreed { agrees: true, from, from_entry, inputs: replayed.inputs, decisions: replayed.decisions };
    if format == Format::Text {
        let from = match seal {
            Some(seal) => format!("the state sealed at entry {}", seal.entry),
            None => "genesis".to_owned(),
        };
        writeln!(
            out,
            "replay agrees: {} from {from} lead to the {} in the log",
            counted(agreed.inputs, "input"),
            counted(agreed.decisions, "decision")
        )
        .map_err(CliError::Output)?;
    } else {
        json(out, &agreed)?;
    }
    Ok(exit::DONE)
}

fn step(replay: &mut Replay, located: &Located) -> Result<(), String> {
    let done = match &located.entry {
        Entry::Input(input) => replay.input(input),
        Entry::Block { block, payloads: Some(payloads) } => replay.block(block, payloads),
        Entry::Block { payloads: None, .. } => {
            return Err(
                "this block has no payloads, so its decisions cannot be derived again; --from-seal starts behind it".to_owned()
            );
        }
        Entry::Receipt { signed, .. } => replay.receipt(signed.draft(), signed.id()),
        Entry::KeyChange(_) => Ok(()),
    };
    done.map_err(|d| describe(&d))
}

fn disagrees((entry, segment, offset): (u64, u32, u64), what: String) -> CliError {
    CliError::Replay { entry, segment: knhk_evidence::verify::segment_name(segment), offset, what }
}
