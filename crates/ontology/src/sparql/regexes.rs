//! `REGEX` and `REPLACE` (XPath and XQuery Functions §5.6). Each expression is compiled once a run, as compiling is what
//! costs; `spareval` would compile it anew for every row.

use std::cell::RefCell;
use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};

use crate::error::OntologyError;
use crate::index::Index;
use crate::sparql::run::Run;
use crate::triple::{Literal, Term};
use crate::vocab;

/// Longest text that a regular expression is applied to, in bytes.
pub const QUERY_REGEX_TEXT_BYTES_MAX: usize = 16 << 10;
/// Longest regular expression, in bytes.
pub const QUERY_REGEX_BYTES_MAX: usize = 1 << 10;

/// Largest compiled expression, in bytes.
const PROGRAM_BYTES_MAX: usize = 1 << 20;
/// Compiled expressions that are kept.
const KEPT: usize = 64;
/// What compiling counts as: up to some 20 ms.
const STEPS_TO_COMPILE: u64 = 10_000;

/// The expressions of a run by pattern and flags; `None` is one that is an error.
#[derive(Default)]
pub(crate) struct Compiled(RefCell<BTreeMap<(String, String), Option<Regex>>>);

fn string(term: &Term) -> Option<&str> {
    term.as_literal().filter(|literal| literal.datatype() == &*vocab::XSD_STRING).map(Literal::value)
}

fn compile(pattern: &str, flags: &str) -> Option<Regex> {
    if flags.chars().any(|flag| !"smixq".contains(flag)) {
        return None;
    }
    let is_plain = flags.contains('q');
    let pattern = if is_plain { regex::escape(pattern) } else { pattern.to_owned() };
    let has = |flag| flags.contains(flag) && !is_plain;
    RegexBuilder::new(&pattern)
        .case_insensitive(flags.contains('i'))
        .dot_matches_new_line(has('s'))
        .multi_line(has('m'))
        .ignore_whitespace(has('x'))
        .size_limit(PROGRAM_BYTES_MAX)
        .build()
        .ok()
}

/// A replacement in the notation of `regex`: `$1` names a group, `\$` and `\\` stand for themselves.
fn replacement(text: &str) -> Option<String> {
    let mut made = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '$' => {
                let mut digits = String::new();
                while let Some(digit) = rest.next_if(char::is_ascii_digit) {
                    digits.push(digit);
                }
                if digits.is_empty() {
                    return None;
                }
                made.extend(["${", &digits, "}"]);
            }
            '\\' => match rest.next() {
                Some('$') => made.push_str("$$"),
                Some('\\') => made.push('\\'),
                _ => return None,
            },
            other => made.push(other),
        }
    }
    Some(made)
}

impl<I: Index> Run<'_, '_, I> {
    /// The expression that two arguments make, if it may be applied to a text of that length.
    fn compiled(
        &self,
        text: &Term,
        pattern: &Term,
        flags: Option<&Term>,
    ) -> Result<Option<Regex>, OntologyError> {
        let flags = match flags {
            Some(flags) => string(flags),
            None => Some(""),
        };
        let (Some(text), Some(pattern), Some(flags)) = (text.as_literal(), string(pattern), flags) else {
            return Ok(None);
        };
        if text.language().is_none() && text.datatype() != &*vocab::XSD_STRING {
            return Ok(None);
        }
        let text_bytes = text.value().len();
        for (what, bytes, max) in [
            ("bytes of text for a regular expression", text_bytes, QUERY_REGEX_TEXT_BYTES_MAX),
            ("bytes in a regular expression", pattern.len() + flags.len(), QUERY_REGEX_BYTES_MAX),
        ] {
            if bytes > max {
                return Err(OntologyError::QueryTooCostly { what, max: max.try_into().unwrap_or(u64::MAX) });
            }
        }
        // A counted repetition may make the expression as large as it may become.
        let size = if pattern.contains('{') { 4_096 } else { pattern.len() };
        self.budget.step(u64::try_from(text_bytes * (1 + size) / 128).unwrap_or(u64::MAX))?;
        let mut kept = self.regexes.0.borrow_mut();
        let key = (pattern.to_owned(), flags.to_owned());
        if let Some(regex) = kept.get(&key) {
            return Ok(regex.clone());
        }
        self.budget.step(STEPS_TO_COMPILE)?;
        if kept.len() == KEPT {
            kept.clear();
        }
        let regex = compile(pattern, flags);
        kept.insert(key, regex.clone());
        Ok(regex)
    }

    pub(super) fn regex(&self, terms: &[Term]) -> Result<Option<bool>, OntologyError> {
        let [text, pattern, flags @ ..] = terms else { return Ok(None) };
        let regex = self.compiled(text, pattern, flags.first())?;
        Ok(regex.zip(text.as_literal()).map(|(regex, text)| regex.is_match(text.value())))
    }

    pub(super) fn replace(&self, terms: &[Term]) -> Result<Option<Term>, OntologyError> {
        let [text, pattern, by, flags @ ..] = terms else { return Ok(None) };
        let Some(regex) = self.compiled(text, pattern, flags.first())? else { return Ok(None) };
        let (Some(text), Some(by)) = (text.as_literal(), string(by)) else { return Ok(None) };
        // A match, of which there is at most one more than there are bytes, is replaced by at most the replacement and
        // what it refers to; a reference is at least two bytes long.
        self.check_text(text.value().len() + 2 * (text.value().len() + 1) * by.len())?;
        let by = match flags.first().and_then(string) {
            Some(flags) if flags.contains('q') => Some(by.replace('$', "$$")),
            _ => replacement(by),
        };
        // What matches nothing at all has no place to be replaced at.
        let Some(by) = by.filter(|_| !regex.is_match("")) else { return Ok(None) };
        let made = regex.replace_all(text.value(), by.as_str()).into_owned();
        Ok(Some(match text.language() {
            Some(language) => Literal::tagged(made, language).into(),
            None => Literal::string(made).into(),
        }))
    }
}
