//! Names for new classes: none is given twice, and giving one costs the same however many there are.

use std::collections::{BTreeMap, BTreeSet};

/// Longest class name minted, in bytes; longer keys are cut and numbered.
pub(crate) const CLASS_NAME_BYTES_MAX: usize = 64;

/// The class names in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassNames {
    taken: BTreeSet<String>,
    /// Name → the least number not tried after it. Names are never given back, so what was taken stays taken.
    next: BTreeMap<String, u64>,
}

impl ClassNames {
    /// Marks a name as in use.
    pub fn reserve(&mut self, name: &str) {
        self.taken.insert(name.to_owned());
    }

    /// The first of `candidates` that is free and not too long; else `name` with the least number from 2 on that is free.
    pub(crate) fn take(&mut self, candidates: impl IntoIterator<Item = String>, name: &str) -> String {
        let fits = |c: &String| !c.is_empty() && c.len() <= CLASS_NAME_BYTES_MAX;
        let free = candidates.into_iter().filter(fits).find(|c| !self.taken.contains(c));
        let chosen = free.unwrap_or_else(|| self.numbered(name));
        self.taken.insert(chosen.clone());
        chosen
    }

    fn numbered(&mut self, name: &str) -> String {
        let next = self.next.entry(name.to_owned()).or_insert(2);
        loop {
            let candidate = format!("{name}{next}");
            *next += 1;
            if !self.taken.contains(&candidate) {
                return candidate;
            }
        }
    }
}

/// `pull_request` → `PullRequest`, `labels` → `Labels`: letters and digits only, never empty, never starting with a digit.
pub(crate) fn class_name(text: &str) -> String {
    let mut name = String::new();
    let mut upper = true;
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            name.push(if upper { c.to_ascii_uppercase() } else { c });
            upper = false;
        } else {
            upper = true;
        }
        if name.len() >= CLASS_NAME_BYTES_MAX {
            break;
        }
    }
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        format!("Object{name}")
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_free_number_is_given_and_never_twice() {
        let mut names = ClassNames::default();
        names.reserve("Object3");
        let mut take = || names.take(["Object".to_owned(), String::new()], "Object");
        assert_eq!([take(), take(), take(), take()], ["Object", "Object2", "Object4", "Object5"]);
        assert_eq!(
            names.take(["x".repeat(CLASS_NAME_BYTES_MAX + 1)], "X"),
            "X2",
            "too long a name is numbered"
        );
    }

    #[test]
    fn as_many_equal_names_as_a_profile_has_fields_are_told_apart_at_once() {
        // Counting from 2 for each of them takes 30 thousand million tries: hours.
        let mut names = ClassNames::default();
        let last = (0..250_000).map(|_| names.take(["Object".to_owned()], "Object")).last();
        assert_eq!(last.as_deref(), Some("Object250000"));
    }
}
