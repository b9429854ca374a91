//! Every code in the sources has a page, and every page a code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)] // A test may fail.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use common::root;

fn codes_in(dir: &Path, codes: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            codes_in(&path, codes);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            for (at, _) in text.match_indices("\"KNHK-") {
                let code: String = text[at + 1..].chars().take_while(|c| *c != '"').collect();
                let (letter, digits) = code[5..].split_at_checked(1).unwrap_or_default();
                if matches!(letter, "E" | "S")
                    && digits.len() >= 3
                    && digits.bytes().all(|b| b.is_ascii_digit())
                {
                    codes.insert(code);
                }
            }
        }
    }
}

#[test]
fn every_code_has_a_page_with_cause_and_mend_and_no_page_is_left_over() {
    let mut codes = BTreeSet::new();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        codes_in(&entry.unwrap().path().join("src"), &mut codes);
    }
    let mut pages = BTreeSet::new();
    for entry in fs::read_dir(root().join("docs/errors")).unwrap() {
        let path = entry.unwrap().path();
        let code = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let page = fs::read_to_string(&path).unwrap();
        assert!(page.starts_with(&format!("# {code}: ")), "{code}");
        assert!(page.contains("## Mend"), "{code} says how to mend it");
        pages.insert(code);
    }
    assert_eq!(codes.difference(&pages).collect::<Vec<_>>(), Vec::<&String>::new(), "codes without a page");
    assert_eq!(pages.difference(&codes).collect::<Vec<_>>(), Vec::<&String>::new(), "pages without a code");
}
