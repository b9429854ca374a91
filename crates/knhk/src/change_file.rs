//! A change that a person wrote: the change itself in JSON, or the sector's ontology in Turtle as it shall be.

use std::path::Path;

use knhk_ontology::delta::Delta;
use knhk_ontology::semantic_diff::{SemanticChange, diff};
use knhk_ontology::{Snapshot, lower, reading, turtle};

use crate::bounded;
use crate::error::CliError;
use crate::table::shorten;

/// Longest file of a change, in bytes: 64 MiB.
pub(crate) const CHANGE_FILE_BYTES_MAX: usize = 64 << 20;
/// Differences that a refusal names.
const NAMED_MAX: usize = 5;

/// The change of `current` that the file at `path` asks for.
pub(crate) fn read(path: &Path, current: &Snapshot) -> Result<Delta, CliError> {
    let refused = |why: String| CliError::Change { path: path.to_owned(), why };
    let bytes = bounded::bytes(path, CHANGE_FILE_BYTES_MAX)?;
    if bytes.len() > CHANGE_FILE_BYTES_MAX {
        return Err(refused(format!("it is longer than {CHANGE_FILE_BYTES_MAX} bytes; split the change")));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| refused("it is not UTF-8".to_owned()))?;
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => serde_json::from_str(text).map_err(|error| {
            refused(format!("it is no change ({error}); docs/formats/proposal.md has the form"))
        }),
        Some("ttl") => {
            let wanted = reading::normalise(&turtle::parse(text)?)?.0;
            wanted.check()?;
            let delta = Delta::between(&current.schema, &wanted);
            // A typed change does not say everything that an ontology can: what it leaves out is told, not dropped.
            let triples = lower(&delta, &current.sigma, &current.schema)?;
            let reached = current.sigma.apply(&triples)?.schema()?;
            let left_out = diff(&reached, &wanted);
            if left_out.is_empty() { Ok(delta) } else { Err(refused(unsaid(&left_out))) }
        }
        _ => Err(refused("its name ends neither in .json (a change) nor in .ttl (an ontology)".to_owned())),
    }
}

fn unsaid(left_out: &[SemanticChange]) -> String {
    let named: Vec<String> = left_out
        .iter()
        .take(NAMED_MAX)
        .map(|change| {
            let key = change.key.as_ref().map(|key| format!(" {key}")).unwrap_or_default();
            format!("{} of {}{key}", change.aspect, shorten(&change.subject, 80))
        })
        .collect();
    let more = left_out.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(
        "it differs from the current ontology in what a change cannot say: {}{more}; leave that as it is, or write the \
         change in JSON",
        named.join(", ")
    )
}
