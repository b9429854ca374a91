//! Choosing one of several by name, or by the first digits of an id.

use std::fmt::Display;

use knhk_kernel::Kernel;

use crate::error::CliError;

/// The sector asked for, or the only one there is.
pub(crate) fn sector(kernel: &Kernel, asked: Option<&str>) -> Result<String, CliError> {
    if let Some(name) = asked {
        kernel.sector(name)?;
        return Ok(name.to_owned());
    }
    let names: Vec<&str> = kernel.sectors().map(|(name, _)| name).collect();
    match names.as_slice() {
        [only] => Ok((*only).to_owned()),
        _ => Err(CliError::ChooseSector { names: names.join(", ") }),
    }
}

/// The one id that starts with `text`.
pub(crate) fn id<T: Display + Copy>(
    what: &'static str,
    text: &str,
    ids: impl Iterator<Item = T>,
) -> Result<T, CliError> {
    let lower = text.to_ascii_lowercase();
    let fits: Vec<T> = ids.filter(|id| id.to_string().starts_with(&lower)).collect();
    match fits.as_slice() {
        [only] if !text.is_empty() => Ok(*only),
        fits => Err(CliError::Id { what, text: text.to_owned(), count: fits.len() }),
    }
}
