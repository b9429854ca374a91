//! Paths into an event's data: keys joined by `.`, arrays as `[]`, e.g. `items[].price.amount`.
//!
//! A `.`, `[` or `\` that belongs to a key is preceded by `\`, so that different places never share a path. A path longer
//! than [`PATH_BYTES_MAX`] is cut and ends in a digest of what it was, so that they do not either.

use sha2::{Digest, Sha256};

/// Longest path, in bytes, that is written out (and `[]` after it).
pub const PATH_BYTES_MAX: usize = 1_024;

/// Bytes kept of a longer one, before `…` and the first 32 hexadecimal digits of the SHA-256 of the path that was too long.
const CUT_PATH_BYTES: usize = 960;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Into the member of an object with this key.
    Key(String),
    /// Into the elements of an array.
    Elements,
}

/// Appends the step into a member.
pub fn push_key(path: &mut String, key: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    if key.contains(['.', '[', '\\']) {
        for character in key.chars() {
            if matches!(character, '.' | '[' | '\\') {
                path.push('\\');
            }
            path.push(character);
        }
    } else {
        path.push_str(key);
    }
    if path.len() > PATH_BYTES_MAX {
        let digest = hex::encode(&Sha256::digest(path.as_bytes())[..16]);
        path.truncate(path.floor_char_boundary(CUT_PATH_BYTES));
        path.push('…');
        path.push_str(&digest);
    }
}

/// Appends the step into an array's elements.
pub fn push_elements(path: &mut String) {
    path.push_str("[]");
}

/// What a path was before [`enter`].
#[derive(Debug)]
pub enum Before {
    /// Its beginning of this length.
    Beginning(usize),
    /// All of it: the step made it too long.
    Whole(String),
}

/// Appends the step into the member with this key, or into an array's elements; [`leave`] takes it back.
pub fn enter(path: &mut String, key: Option<&str>) -> Before {
    let length = path.len();
    let Some(key) = key else {
        push_elements(path);
        return Before::Beginning(length);
    };
    // At most twice the key is appended, and a dot.
    let may_be_cut = length.saturating_add(2 * key.len()) >= PATH_BYTES_MAX;
    let before = if may_be_cut { Before::Whole(path.clone()) } else { Before::Beginning(length) };
    push_key(path, key);
    before
}

/// Takes back the step that `before` came from.
pub fn leave(path: &mut String, before: Before) {
    match before {
        Before::Beginning(length) => path.truncate(length),
        Before::Whole(whole) => *path = whole,
    }
}

/// `items[]` → `items`: the path of the property, without its elements. A `[]` that belongs to the key stays.
pub fn property(path: &str) -> &str {
    match path.strip_suffix("[]") {
        Some(stem) if stem.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 0 => property(stem),
        _ => path,
    }
}

/// The steps of a path; the empty path has none. Any text is some path.
pub fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut key: Option<String> = None;
    let mut characters = path.chars();
    while let Some(character) = characters.next() {
        match character {
            '.' => match key.take() {
                Some(key) => steps.push(Step::Key(key)),
                // Directly after `[]` the dot only separates; elsewhere it ends an empty key.
                None if steps.last() == Some(&Step::Elements) => {}
                None => steps.push(Step::Key(String::new())),
            },
            '[' if characters.as_str().starts_with(']') => {
                characters.next();
                steps.extend(key.take().map(Step::Key));
                steps.push(Step::Elements);
            }
            '\\' => key.get_or_insert_default().extend(characters.next()),
            other => key.get_or_insert_default().push(other),
        }
    }
    steps.extend(key.map(Step::Key));
    steps
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_read_as_they_are_written() {
        assert_eq!(steps(""), []);
        assert_eq!(
            steps("items[].price.amount"),
            [
                Step::Key("items".into()),
                Step::Elements,
                Step::Key("price".into()),
                Step::Key("amount".into())
            ]
        );
        let mut path = String::new();
        push_key(&mut path, "a.b[]\\");
        push_elements(&mut path);
        push_key(&mut path, "c");
        assert_eq!(path, "a\\.b\\[]\\\\[].c");
        assert_eq!(steps(&path), [Step::Key("a.b[]\\".into()), Step::Elements, Step::Key("c".into())]);
    }

    #[test]
    fn a_long_path_is_cut_and_still_of_one_place() {
        let mut path = "x".repeat(PATH_BYTES_MAX - 2);
        let before = enter(&mut path, Some("é"));
        assert_eq!(path.len(), CUT_PATH_BYTES + '…'.len_utf8() + 32);
        let cut = path.clone();
        let deeper = enter(&mut path, Some(&"y".repeat(40)));
        assert!(path.len() <= PATH_BYTES_MAX && path != cut);
        leave(&mut path, deeper);
        assert_eq!(path, cut);
        leave(&mut path, before);
        let whole = enter(&mut path, Some("è"));
        assert!(path.len() == cut.len() && path != cut, "another key, another digest");
        leave(&mut path, whole);
        assert_eq!(path, "x".repeat(PATH_BYTES_MAX - 2));
    }

    #[test]
    fn brackets_of_a_key_belong_to_it() {
        for key in ["tags[]", "a\\[]", "a\\", "a"] {
            let mut path = String::new();
            push_key(&mut path, key);
            let stem = path.clone();
            push_elements(&mut path);
            assert_eq!((property(&path), property(&stem)), (stem.as_str(), stem.as_str()));
        }
    }

    proptest! {
        #[test]
        fn any_keys_come_back(keys in proptest::collection::vec(("[a-c.\\[\\]\\\\]{1,6}", any::<bool>()), 0..6)) {
            let (mut path, mut expected) = (String::new(), Vec::new());
            for (key, array) in keys {
                push_key(&mut path, &key);
                expected.push(Step::Key(key));
                if array {
                    push_elements(&mut path);
                    expected.push(Step::Elements);
                }
            }
            prop_assert_eq!(steps(&path), expected);
        }
    }
}
