//! `sh:pattern`: regular expressions of XPath, as far as they mean the same here.

use std::fmt;

use regex::{Regex, RegexBuilder};

/// Longest `sh:pattern`, in bytes.
pub const PATTERN_BYTES_MAX: usize = 1_024;
/// Largest compiled pattern, in bytes.
const PROGRAM_BYTES_MAX: usize = 1 << 20;

/// A compiled `sh:pattern` with its `sh:flags`. Matching takes time linear in the text.
#[derive(Clone)]
pub struct Pattern {
    /// As written.
    pub source: String,
    /// As written; empty when not stated.
    pub flags: String,
    regex: Regex,
}

impl Pattern {
    /// Compiles it, or says why it is not evaluated.
    pub(super) fn new(source: &str, flags: &str) -> Result<Self, String> {
        if source.len() > PATTERN_BYTES_MAX {
            return Err(format!("is longer than {PATTERN_BYTES_MAX} bytes"));
        }
        let mut text = source.to_owned();
        let has = |flag| flags.contains(flag);
        if let Some(other) = flags.chars().find(|flag| !"imsxq".contains(*flag)) {
            return Err(format!("has the flag `{other}`, which is not evaluated"));
        }
        if has('q') {
            text = regex::escape(source);
        }
        let compiled = RegexBuilder::new(&text)
            .case_insensitive(has('i'))
            .multi_line(has('m') && !has('q'))
            .dot_matches_new_line(has('s') && !has('q'))
            .ignore_whitespace(has('x') && !has('q'))
            .size_limit(PROGRAM_BYTES_MAX)
            .build();
        match compiled {
            Ok(regex) => Ok(Self { source: source.to_owned(), flags: flags.to_owned(), regex }),
            Err(regex::Error::CompiledTooBig(_)) => Err("compiles to too large a program".to_owned()),
            Err(_) => Err("is no regular expression that is evaluated".to_owned()),
        }
    }

    /// Whether the text has a match anywhere.
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        (&self.source, &self.flags) == (&other.source, &other.flags)
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/{}", self.source, self.flags)
    }
}
