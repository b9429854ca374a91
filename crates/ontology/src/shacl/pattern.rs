//! `sh:pattern`: XPath regular expressions, as far as they mean the same here.

use std::fmt;

/// A compiled `sh:pattern` with its `sh:flags`.
#[derive(Clone)]
pub struct Pattern {
    /// As written.
    pub source: String,
    /// As written; empty when not stated.
    pub flags: String,
    pub(crate) regex: regex::Regex,
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/{}", self.source, self.flags)
    }
}
