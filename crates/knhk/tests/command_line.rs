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
