//! `knhk log consistency` and `check-consistency`: a kept checkpoint is a prefix of the log.

use std::io::Write;
use std::path::Path;

use knhk_evidence::checkpoint::UnverifiedCheckpoint;
use knhk_evidence::consistency_proof::{ConsistencyProof, Consistent, MAX_CONSISTENCY_PROOF_LEN};
use serde::Serialize;

use crate::cli::Format;
use crate::error::CliError;
use crate::table::counted;
use crate::verify::{checkpoint, disagrees, read_key};
use crate::{bounded, exit, json, kept};

/// Writes the proof that the checkpoint in `kept` is a prefix of the log in `dir`.
pub(crate) fn prove(
    dir: &Path,
    kept: &Path,
    output: Option<&Path>,
    out: &mut dyn Write,
) -> Result<u8, CliError> {
    if !dir.join("log").is_dir() {
        return Err(CliError::NoLog { path: dir.to_owned() });
    }
    let (note, size) = checkpoint(kept)?;
    let begins_at = kept::start(dir)?.map_or(0, |start| start.size);
    if size < begins_at {
        return Err(CliError::OlderThanKept { path: kept.to_owned(), size, begins_at });
    }
    let (proof, _) = knhk_storage::consistency::prove_consistency(dir, &note)
        .map_err(|error| disagrees(kept, size, error))?;
    bounded::put(output, proof.to_string().as_bytes(), out)?;
    Ok(exit::DONE)
}

#[derive(Serialize)]
struct Checked {
    consistent: bool,
    origin: String,
    old: Side,
    new: Side,
}

#[derive(Serialize)]
struct Side {
    tree_size: u64,
    root: String,
}

/// Checks a proof file with public keys, and with the checkpoint that was kept if it is given.
pub(crate) fn check(
    path: &Path,
    keys: &[String],
    kept: Option<&Path>,
    format: Format,
    out: &mut dyn Write,
) -> Result<u8, CliError> {
    let keys = keys.iter().map(|key| read_key(key)).collect::<Result<Vec<_>, _>>()?;
    let in_file =
        |mend| move |source| CliError::InFile { path: path.to_owned(), source: Box::new(source), mend };
    let text = bounded::text(path, MAX_CONSISTENCY_PROOF_LEN)?;
    let proof: ConsistencyProof =
        text.parse().map_err(in_file("give a file that `knhk log consistency` wrote"))?;
    let mend = "check it with the keys of the log that it is from, or get the proof again";
    let Consistent { old, new } = proof.verify(&keys).map_err(in_file(mend))?;
    if let Some(kept) = kept {
        let (note, _) = checkpoint(kept)?;
        if *UnverifiedCheckpoint::parse(&note)?.claimed() != old {
            return Err(CliError::Proof { why: "its older checkpoint is not the one given".to_owned() });
        }
    }
    if format == Format::Text {
        writeln!(
            out,
            "consistent: the first {} of the log {}: unchanged\n  root then {}\n  root of {} now {}",
            counted(old.size, "entry"),
            old.origin,
            old.root,
            counted(new.size, "entry"),
            new.root
        )
        .map_err(CliError::Output)?;
        if kept.is_none() {
            writeln!(
                out,
                "  the older checkpoint is the proof's own; give --from to compare it with the one you kept"
            )
            .map_err(CliError::Output)?;
        }
    } else {
        let side = |size, root: knhk_evidence::Hash| Side { tree_size: size, root: root.to_string() };
        let (a, b) = (side(old.size, old.root), side(new.size, new.root));
        json(out, &Checked { consistent: true, origin: old.origin, old: a, new: b })?;
    }
    Ok(exit::DONE)
}
