//! Choosing one of several by name, or by the first digits of an id.

use std::fmt::Display;

use knhk_kernel::Kernel;

use crate::error::CliError;
use crate::table::short_id;

/// Ids that an error names.
const NAMED_MAX: usize = 8;

/// The sector asked for, or the only one there is.
pub(crate) fn sector(kernel: &Kernel, asked: Option<&str>) -> Result<String, CliError> {
    let names: Vec<&str> = kernel.sectors().map(|(name, _)| name).collect();
    match (asked, names.as_slice()) {
        (Some(name), names) if names.contains(&name) => Ok(name.to_owned()),
        (Some(name), names) => {
            let here = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            Err(CliError::UnknownSector { name: name.to_owned(), here })
        }
        (None, [only]) => Ok((*only).to_owned()),
        (None, []) => Err(CliError::NoSector),
        (None, names) => Err(CliError::ChooseSector { names: names.join(", ") }),
    }
}

/// What kind of id is chosen, and where its like are listed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// In words.
    pub what: &'static str,
    /// The command that lists them.
    pub listed_by: &'static str,
}

/// The one id that starts with `text`. Each comes with what else people know it by; empty when there is nothing.
pub(crate) fn id<T: Display + Copy>(
    kind: Kind,
    text: &str,
    ids: impl Iterator<Item = (T, String)>,
) -> Result<T, CliError> {
    let lower = text.to_ascii_lowercase();
    let fits: Vec<(T, String)> = ids.filter(|(id, _)| id.to_string().starts_with(&lower)).collect();
    let why = match fits.as_slice() {
        _ if text.is_empty() => format!("an empty text chooses no {}", kind.what),
        [(only, _)] => return Ok(*only),
        [] => format!("no {} has an id that starts with `{text}`", kind.what),
        fits => {
            let mut named: Vec<String> = fits
                .iter()
                .take(NAMED_MAX)
                .map(|(id, known_by)| format!("{}{known_by}", short_id(&id.to_string())))
                .collect();
            if fits.len() > NAMED_MAX {
                named.push("…".to_owned());
            }
            format!("`{text}` fits {} {}s ({}); give more digits", fits.len(), kind.what, named.join(", "))
        }
    };
    Err(CliError::Id { why, listed_by: kind.listed_by })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Kind = Kind { what: "snapshot", listed_by: "knhk ontology log" };

    fn chosen(text: &str) -> Result<&'static str, String> {
        let ids = ["abc1", "abd2", "ffff"].map(|id| (id, format!(" (version {id})")));
        id(KIND, text, ids.into_iter()).map_err(|e| e.to_string())
    }

    #[test]
    fn a_beginning_chooses_the_one_id_that_it_fits() {
        assert_eq!(chosen("abc"), Ok("abc1"));
        assert_eq!(chosen("FF"), Ok("ffff"));
    }

    #[test]
    fn a_beginning_that_fits_none_or_several_is_told_apart() {
        let empty = chosen("").unwrap_err();
        assert!(empty.contains("empty") && empty.contains("knhk ontology log"), "{empty}");
        let none = chosen("e").unwrap_err();
        assert!(none.contains("no snapshot has an id that starts with `e`"), "{none}");
        let several = chosen("ab").unwrap_err();
        for expected in ["fits 2 snapshots", "abc1 (version abc1)", "abd2", "more digits"] {
            assert!(several.contains(expected), "{expected} is missing in {several}");
        }
    }
}
