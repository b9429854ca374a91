//! Paths into an event's data: keys joined by `.`, arrays as `[]`, e.g. `items[].price.amount`.
//!
//! A `.`, `[` or `\` that belongs to a key is preceded by `\`, and an empty key is written `\e`, so that different places
//! never share a path.

/// How an empty key is written. Nothing else is written so: an `e` is never preceded by `\` of its own.
const EMPTY_KEY: &str = "\\e";

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
    if key.is_empty() {
        path.push_str(EMPTY_KEY);
    } else if key.contains(['.', '[', '\\']) {
        for character in key.chars() {
            if matches!(character, '.' | '[' | '\\') {
                path.push('\\');
            }
            path.push(character);
        }
    } else {
        path.push_str(key);
    }
}

/// Appends the step into an array's elements.
pub fn push_elements(path: &mut String) {
    path.push_str("[]");
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
                // Directly after `[]` the dot only separates; elsewhere it ends an empty key that was left out.
                None if steps.last() == Some(&Step::Elements) => {}
                None => steps.push(Step::Key(String::new())),
            },
            '[' if characters.as_str().starts_with(']') => {
                characters.next();
                steps.extend(key.take().map(Step::Key));
                steps.push(Step::Elements);
            }
            '\\' => {
                // The empty key adds no character, yet it is a key.
                key.get_or_insert_default().extend(characters.next().filter(|c| *c != 'e'));
            }
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
    fn an_empty_key_has_a_spelling_of_its_own() {
        let path = |keys: &[&str]| {
            let mut path = String::new();
            for key in keys {
                push_key(&mut path, key);
            }
            path
        };
        assert_eq!(path(&[""]), "\\e", "not the event as a whole");
        assert_eq!(path(&["a", ""]), "a.\\e", "not `a`");
        assert_eq!(path(&["", "a"]), "\\e.a");
        assert_eq!(path(&["\\e"]), "\\\\e", "a key that looks like it is escaped");
        assert_eq!(steps("\\e"), [Step::Key(String::new())]);
        assert_eq!(steps("\\e.\\e[].e"), {
            let key = |key: &str| Step::Key(key.to_owned());
            [key(""), key(""), Step::Elements, key("e")]
        });
    }

    proptest! {
        #[test]
        fn any_keys_come_back(
            arrays in 0_usize..3,
            keys in proptest::collection::vec(("[a-ce.\\[\\]\\\\]{0,6}", 0_usize..3), 0..6),
        ) {
            let (mut path, mut expected) = (String::new(), Vec::new());
            for _ in 0..arrays {
                push_elements(&mut path);
                expected.push(Step::Elements);
            }
            for (key, arrays) in keys {
                push_key(&mut path, &key);
                expected.push(Step::Key(key));
                for _ in 0..arrays {
                    push_elements(&mut path);
                    expected.push(Step::Elements);
                }
            }
            prop_assert_eq!(steps(&path), expected);
        }
    }
}
