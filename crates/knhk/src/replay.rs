//! `knhk replay`: every logged input decided again, every decision compared with the log.

use std::io::Write;
use std::path::Path;

use knhk_evidence::entry::Entry;
use knhk_kernel::replay::Replay;
use knhk_storage::read::{self, Located};
use serde::Serialize;

use crate::cli::Format;
use crate::error::{CliError, describe};
use crate::{exit, json};

/// Replays a data directory from its first entry.
pub(crate) fn run(dir: &Path, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    #[derive(Serialize)]
    struct Agreed {
        agrees: bool,
        from: &'static str,
        inputs: u64,
        decisions: u64,
    }
    if !dir.join("log").is_dir() {
        return Err(CliError::NoLog { path: dir.to_owned() });
    }
    let mut replay = Replay::new();
    let mut last = (0, 0, 0);
    for located in read::entries(dir)? {
        let located = located?;
        last = (located.index, located.segment, located.offset);
        step(&mut replay, &located).map_err(|what| disagrees(last, what))?;
    }
    let replayed = replay.finish().map_err(|d| disagrees(last, describe(&d)))?;
    let agreed =
        Agreed { agrees: true, from: "genesis", inputs: replayed.inputs, decisions: replayed.decisions };
    if format == Format::Text {
        writeln!(
            out,
            "replay agrees: {} inputs from genesis lead to the {} decisions in the log",
            agreed.inputs, agreed.decisions
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
                "the payloads of this block were erased; its decisions cannot be derived again".to_owned()
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
