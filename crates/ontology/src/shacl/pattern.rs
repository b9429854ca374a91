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
        let has = |flag| flags.contains(flag);
        if let Some(other) = flags.chars().find(|flag| !"imsxq".contains(*flag)) {
            return Err(format!("has the flag `{other}`, which is not evaluated"));
        }
        let text = if has('q') { regex::escape(source) } else { translate(source, has('x'))? };
        let compiled = RegexBuilder::new(&text)
            .case_insensitive(has('i'))
            .multi_line(has('m') && !has('q'))
            .dot_matches_new_line(has('s') && !has('q'))
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

/// From XPath's notation to that of the engine; what would mean something else there is refused.
fn translate(source: &str, without_spaces: bool) -> Result<String, String> {
    let mut out = String::with_capacity(source.len());
    let mut rest = source.chars().peekable();
    let mut in_class = false;
    let mut previous = ' ';
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some('w') => out.push_str(r"[^\p{P}\p{Z}\p{C}]"),
                Some('W') => out.push_str(r"[\p{P}\p{Z}\p{C}]"),
                Some('s') => out.push_str(r"[ \t\n\r]"),
                Some('S') => out.push_str(r"[^ \t\n\r]"),
                Some(e @ ('p' | 'P')) => {
                    // A category, e.g. `\p{Lu}`. Blocks of characters, `\p{IsGreek}`, are scripts to the engine.
                    let name: String = rest.by_ref().take_while(|c| *c != '}').collect();
                    let category = name.strip_prefix('{').filter(|name| (1..=2).contains(&name.len()));
                    let Some(category) = category else {
                        return Err(format!("has `\\{e}{name}`, which is no category of characters"));
                    };
                    out.extend(['\\', e, '{']);
                    out.push_str(category);
                    out.push('}');
                }
                Some(e) if r"nrtdD\|.?*+(){}-[]^$".contains(e) => out.extend(['\\', e]),
                Some(e) => return Err(format!("has the escape `\\{e}`, which is not evaluated")),
                None => return Err("ends in a backslash".into()),
            },
            ' ' | '\t' | '\n' | '\r' if without_spaces && !in_class => continue,
            '[' if in_class => return Err("subtracts one class from another, which is not evaluated".into()),
            '[' => {
                in_class = true;
                out.push(c);
                if rest.peek() == Some(&'^') {
                    out.extend(rest.next());
                }
                // A class that begins with a bracket is empty in XPath: no expression.
                if rest.peek() == Some(&']') {
                    return Err("has an empty class".into());
                }
                previous = ' ';
                continue;
            }
            ']' if in_class => {
                in_class = false;
                out.push(c);
            }
            '&' | '~' | '-' if in_class && previous == c => {
                return Err(format!("has `{c}{c}` in a class; escape it or write it once"));
            }
            '(' if !in_class && rest.peek() == Some(&'?') => {
                rest.next();
                if rest.next() != Some(':') {
                    return Err("has a group `(?` other than `(?:`".into());
                }
                out.push_str("(?:");
            }
            _ => out.push(c),
        }
        previous = c;
    }
    Ok(out)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xpath_writes_otherwise_means_the_same() {
        for (source, flags, text, expected) in [
            ("a b", "x", "ab", true),
            ("a[ ]b", "x", "a b", true),
            ("a#b", "x", "a#b", true),
            ("^\\w+$", "", "é1", true),
            ("^\\w+$", "", "a_", false),
            ("^[\\w_]+$", "", "a_", true),
            ("^\\s$", "", "\u{a0}", false),
            ("^.$", "", "\n", false),
            ("^.$", "s", "\n", true),
            ("^b$", "m", "a\nb", true),
            ("A", "i", "a", true),
            ("^\\p{Lu}\\P{Lu}$", "", "Ab", true),
            ("a.c", "q", "abc", false),
            ("a.c", "q", "a.c", true),
            ("[a\\-c]", "", "b", false),
            ("(?:ab){2}", "", "abab", true),
        ] {
            let pattern = Pattern::new(source, flags).unwrap();
            assert_eq!(pattern.is_match(text), expected, "/{source}/{flags} on {text:?}");
        }
    }

    #[test]
    fn what_would_mean_something_else_here_is_refused() {
        for source in [
            "[a-z-[aeiou]]",
            "\\bx",
            "\\Ax",
            "(?i)x",
            "(?=x)",
            "(a)\\1",
            "[]a]",
            "[a&&b]",
            "\\i\\c*",
            "a\\",
            "(",
            "[a--b]",
            "a{1,99999999}",
            "\\p{IsGreek}",
        ] {
            assert!(Pattern::new(source, "").is_err(), "{source}");
        }
    }
}
