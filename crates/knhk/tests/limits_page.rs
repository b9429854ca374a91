//! Every limit in the sources is in the table, and the table names nothing else.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)] // A test may fail.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use common::root;

fn limits_in(dir: &Path, limits: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            limits_in(&path, limits);
        } else if path.extension().is_some_and(|e| e == "rs") {
            for line in fs::read_to_string(&path).unwrap().lines() {
                let name =
                    line.trim_start().strip_prefix("pub const ").and_then(|rest| rest.split(':').next());
                limits.extend(name.filter(|n| is_limit(n)).map(str::to_owned));
            }
        }
    }
}

fn is_limit(name: &str) -> bool {
    name.ends_with("_MAX") || name.ends_with("_MIN") || name.starts_with("MAX_")
}

#[test]
fn the_table_of_limits_is_complete_and_up_to_date() {
    let mut limits = BTreeSet::new();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        limits_in(&entry.unwrap().path().join("src"), &mut limits);
    }
    assert!(limits.len() > 50, "the sources have limits");
    let page = fs::read_to_string(root().join("docs/limits.md")).unwrap();
    let named: BTreeSet<String> = page.split('`').filter(|n| is_limit(n)).map(str::to_owned).collect();
    assert_eq!(limits.difference(&named).collect::<Vec<_>>(), Vec::<&String>::new(), "not in docs/limits.md");
    assert_eq!(
        named.difference(&limits).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "no longer in the sources"
    );
}
