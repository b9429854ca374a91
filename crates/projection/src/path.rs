//! Paths into an event's data: keys joined by `.`, arrays as `[]`, e.g. `items[].price.amount`.
//!
//! A `.`, `[` or `\` that belongs to a key is preceded by `\`, so that different places never share a path.

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
