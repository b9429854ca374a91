//! Runs the built binary on real files.
#![allow(dead_code)] // No test file uses all of it.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A shipped example file of the logistics pack.
pub(crate) fn example(name: &str) -> PathBuf {
    root().join("sectors/logistics/examples").join(name)
}

/// Runs `knhk` with these arguments in `dir`.
pub(crate) fn knhk<S: AsRef<OsStr>>(dir: &Path, arguments: &[S]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_knhk"))
        .args(arguments)
        .current_dir(dir)
        .env_remove("KNHK_SIGNING_KEY_FILE")
        .output()
        .expect("the binary runs")
}

/// Runs `knhk --format json …` and gives exit code and document.
pub(crate) fn json<S: AsRef<OsStr>>(dir: &Path, arguments: &[S]) -> (i32, Value) {
    let mut all: Vec<&OsStr> = vec![OsStr::new("--format"), OsStr::new("json")];
    all.extend(arguments.iter().map(AsRef::as_ref));
    let output = knhk(dir, &all);
    let code = output.status.code().expect("an exit code");
    let document = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}{}", text(&output.stdout), text(&output.stderr)));
    (code, document)
}

/// Runs `knhk` and gives exit code, standard output and standard error as text.
pub(crate) fn run<S: AsRef<OsStr>>(dir: &Path, arguments: &[S]) -> (i32, String, String) {
    let output = knhk(dir, arguments);
    (output.status.code().expect("an exit code"), text(&output.stdout), text(&output.stderr))
}

/// `knhk observe` of `files` with a sector, into `dir/data`.
pub(crate) fn observe(dir: &Path, sector: &str, files: &[&Path]) -> (i32, Value) {
    let mut arguments: Vec<&OsStr> =
        ["observe", "--sector", sector, "--data", "data"].map(OsStr::new).to_vec();
    arguments.extend(files.iter().map(|f| f.as_os_str()));
    json(dir, &arguments)
}

/// Files among the real streams for development; `None` when one is absent, and then it is said what `test` did not look
/// at. The message goes past the test runner, which hides what passing tests print.
pub(crate) fn shared(test: &str, names: &[&str]) -> Option<Vec<PathBuf>> {
    let dir = root().join("../shared/data");
    let (here, absent): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| dir.join(name).is_file());
    if absent.is_empty() {
        return Some(here.iter().map(|name| dir.join(name)).collect());
    }
    let message = format!("skipped {test}: {} not in {}\n", absent.join(", "), dir.display());
    std::io::stderr().write_all(message.as_bytes()).expect("standard error is open");
    None
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The array behind a key.
pub(crate) fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("{key} is an array in {value}"))
}
