//! The command line explains itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)] // A test may fail.

mod common;

use std::path::Path;

use common::run;

/// The commands that a help text lists.
fn subcommands(help: &str) -> Vec<String> {
    let section = help.split("Commands:").nth(1).unwrap_or_default();
    let lines = section.lines().skip(1).take_while(|line| !line.trim().is_empty());
    let is_name = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    lines
        .filter(is_name)
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

fn every_command(path: &[String], visit: &mut impl FnMut(&[String], &str)) {
    let arguments: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
    let (code, help, err) = run(Path::new("."), &arguments);
    assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}");
    visit(path, &help);
    for name in subcommands(&help) {
        every_command(&[path, &[name]].concat(), visit);
    }
}

#[test]
fn the_help_of_every_command_has_an_example_of_it() {
    let mut seen = Vec::new();
    every_command(&[], &mut |path, help| {
        let example = format!("Example: knhk {}", path.join(" "));
        assert!(help.contains(example.trim_end()), "`{example}` is missing in\n{help}");
        seen.push(path.join(" "));
    });
    for expected in ["observe", "receipts prove", "completions", "ontology diff", "log verify"] {
        assert!(seen.iter().any(|path| path == expected), "{expected} was not looked at: {seen:?}");
    }
}

#[test]
fn every_shell_gets_its_completions() {
    for (shell, mark) in [
        ("bash", "complete -F _knhk"),
        ("zsh", "#compdef knhk"),
        ("fish", "complete -c knhk"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion:arg-completer[knhk]"),
    ] {
        let (code, script, err) = run(Path::new("."), &["completions", shell]);
        assert_eq!((code, err.as_str()), (0, ""), "{shell}");
        assert!(script.contains(mark) && script.contains("observe"), "{shell}");
    }
    let (code, _, err) = run(Path::new("."), &["completions", "csh"]);
    assert!(code == 4 && err.contains("zsh"), "{code} {err}");
}

#[test]
fn completions_into_a_closed_pipe_end_quietly() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_knhk"))
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty());
}

#[test]
fn a_file_that_cannot_be_used_is_named_and_a_bad_private_key_is_no_failed_verification() {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    common::observe(at, "logistics", &[&common::example("events-normal.ndjson")]);
    fs::write(at.join("junk"), "junk\n").unwrap();
    fs::set_permissions(at.join("junk"), fs::Permissions::from_mode(0o600)).unwrap();
    for arguments in [
        &["log", "verify", "data", "--since", "junk"][..],
        &["log", "verify", "data", "--key", "junk"],
        &["log", "consistency", "--data", "data", "--from", "junk"],
        &["log", "check-consistency", "junk", "--key", "data/key.pub"],
        &["audit", "check", "junk", "--key", "data/key.pub"],
        &["receipts", "check", "junk", "--key", "data/key.pub"],
    ] {
        let (code, _, err) = run(at, arguments);
        assert!(code == 3 && err.contains(": junk: "), "{arguments:?}: {code} {err}");
    }
    let (code, _, err) = run(at, &["log", "seal", "--data", "data", "--signing-key", "junk"]);
    assert!(code == 5 && err.contains(": junk: "), "{code} {err}");
    let (code, _, err) = run(at, &["log", "verify", "data", "--key", "nothing-here"]);
    assert!(
        code == 5 && err.contains("KNHK-E1825") && err.contains("neither a verifier key"),
        "{code} {err}"
    );
}

#[test]
fn what_is_wrong_with_a_name_a_version_or_an_input_is_said_once() {
    use std::fs;
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let events = common::example("events-normal.ndjson");
    common::observe(at, "logistics", &[&events]);
    let (code, _, err) = run(at, &["rollback", "--data", "data", "--to", "9.9.9"]);
    assert!(code == 6 && err.contains("no snapshot of version 9.9.9"), "{err}");
    let (code, _, err) = run(at, &["sector", "init", "Bad Name", "--from", events.to_str().unwrap()]);
    assert!(code == 6 && err.contains("`Bad Name` is no name for a sector") && err.contains("a-z"), "{err}");
    // A gzip header, and nothing behind it.
    fs::write(at.join("cut.ndjson.gz"), [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]).unwrap();
    let (code, _, err) = run(at, &["observe", "--sector", "logistics", "--data", "data", "cut.ndjson.gz"]);
    assert!(code == 5 && err.contains("KNHK-E1501"), "{code} {err}");
    assert!(err.contains("check the file and run again") && !err.contains("check that it exists"), "{err}");
}
