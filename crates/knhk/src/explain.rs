//! `knhk explain`: the pages of `docs/errors`, compiled in.

use crate::embedded::PAGES;
use crate::error::CliError;

/// The page of `code`, upper or lower case, with or without the `KNHK-` prefix.
pub(crate) fn page(code: &str) -> Result<&'static str, CliError> {
    let upper = code.to_ascii_uppercase();
    let full = if upper.starts_with("KNHK-") { upper } else { format!("KNHK-{upper}") };
    PAGES
        .iter()
        .find(|(name, _)| *name == full)
        .map(|(_, page)| *page)
        .ok_or_else(|| CliError::UnknownCode { code: code.to_owned() })
}

/// Every code with its page's title.
pub(crate) fn titles() -> impl Iterator<Item = (&'static str, &'static str)> {
    PAGES.iter().map(|(code, page)| {
        let title = page.lines().next().unwrap_or_default().trim_start_matches("# ");
        (*code, title.strip_prefix(code).unwrap_or(title).trim_start_matches(':').trim())
    })
}
