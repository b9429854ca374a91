//! Changes that a person writes: checked in thought, proposed for real, refused with a code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)] // A test may fail.

mod common;

use std::fs;
use std::path::Path;

use common::{example, json, observe, run};

/// The logistics sector after its example events, and its ontology as `knhk ontology show --as turtle` prints it.
fn logistics(dir: &Path) -> String {
    observe(dir, "logistics", &[&example("events-normal.ndjson")]);
    let (code, turtle, err) = run(dir, &["ontology", "show", "--as", "turtle", "--data", "data"]);
    assert_eq!(code, 0, "{err}");
    turtle
}

/// The ontology with another upper bound for the weight of a package.
fn heaviest(turtle: &str, kilograms: &str) -> String {
    let at = turtle.find("logistics:Package.weightKg-shape a sh:PropertyShape").unwrap();
    let (before, after) = turtle.split_at(at);
    let bound = after.find("sh:maxInclusive").unwrap();
    let end = bound + after[bound..].find(" ;").unwrap();
    format!("{before}{}sh:maxInclusive {kilograms}.0{}", &after[..bound], &after[end..])
}

#[test]
fn an_edited_ontology_is_checked_without_a_trace_and_then_promoted() {
    let dir = tempfile::tempdir().unwrap();
    let turtle = logistics(dir.path());
    fs::write(dir.path().join("wide.ttl"), heaviest(&turtle, "40000")).unwrap();
    let log = |at: &Path| {
        fs::read_dir(at.join("data/log")).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum::<u64>()
    };
    let before = log(dir.path());
    let (code, told) = json(dir.path(), &["check", "wide.ttl", "--data", "data"]);
    assert_eq!((code, told["outcome"].as_str()), (0, Some("would be promoted")), "{told:#}");
    assert_eq!(told["stages"].as_array().unwrap().len(), 7);
    assert_eq!(told["differences"][0]["aspect"], "maximum", "{told:#}");
    assert_eq!(log(dir.path()), before, "nothing was written");

    let (code, told) =
        json(dir.path(), &["propose", "wide.ttl", "--data", "data", "--reason", "bigger vehicles"]);
    assert_eq!((code, told["outcome"].as_str()), (0, Some("promoted")), "{told:#}");
    assert_eq!(told["next_version"], "1.1.0");
    let (code, out, err) = run(dir.path(), &["replay", "data"]);
    assert_eq!(code, 0, "{out}{err}");
    let (_, shown, _) = run(dir.path(), &["ontology", "show", "--as", "turtle", "--data", "data"]);
    assert!(shown.contains("\"40000\"^^xsd:decimal"), "{shown}");
    let (code, _, _) = run(dir.path(), &["rollback", "--data", "data"]);
    assert_eq!(code, 0);
    let (_, shown, _) = run(dir.path(), &["ontology", "show", "--as", "turtle", "--data", "data"]);
    let body = |text: &str| text.split_once('\n').unwrap().1.to_owned();
    assert_eq!(body(&shown), body(&turtle), "back to the letter");
}

#[test]
fn a_narrower_ontology_is_rejected_by_the_stages_that_see_it() {
    let dir = tempfile::tempdir().unwrap();
    let turtle = logistics(dir.path());
    fs::write(dir.path().join("narrow.ttl"), heaviest(&turtle, "2")).unwrap();
    let (code, told) = json(dir.path(), &["check", "narrow.ttl", "--data", "data"]);
    assert_eq!((code, told["outcome"].as_str()), (1, Some("would be rejected")), "{told:#}");
    let compatibility = &told["stages"][6];
    let codes: Vec<&str> =
        compatibility["findings"].as_array().unwrap().iter().map(|f| f["code"].as_str().unwrap()).collect();
    assert!(
        codes.contains(&"KNHK-S701") && codes.contains(&"KNHK-S703"),
        "by structure and by replay: {codes:?}"
    );
    let (code, told) = json(dir.path(), &["propose", "narrow.ttl", "--data", "data", "--reason", "no"]);
    assert_eq!((code, told["outcome"].as_str()), (1, Some("rejected")), "{told:#}");
    assert_eq!(run(dir.path(), &["replay", "data"]).0, 0);
}

#[test]
fn what_cannot_be_a_change_is_refused_with_a_code() {
    let dir = tempfile::tempdir().unwrap();
    let turtle = logistics(dir.path());
    let label = turtle.replacen("rdfs:label \"Address\"", "rdfs:label \"Postal address\"", 1);
    let circle = turtle.replacen(
        "rdfs:label \"Address\" ;\n    rdfs:subClassOf knhk:Part",
        "rdfs:label \"Address\" ;\n    rdfs:subClassOf logistics:Address",
        1,
    );
    assert_ne!(circle, turtle);
    let many: Vec<String> = (0..1_000_000).map(|n| format!("urn:knhk:logistics#C{n}")).collect();
    let injected = format!("{turtle}\n<urn:knhk:logistics#a> <urn:p> <urn:x> . <urn:y\"> .");
    let recursive = format!("{turtle}\nlogistics:Address-shape sh:node logistics:Address-shape .");
    for (name, text, code) in [
        ("label.ttl", label, "KNHK-E1842"),
        ("circle.ttl", circle, "KNHK-E1308"),
        ("injected.ttl", injected, "KNHK-E1303"),
        ("recursive.ttl", recursive, "KNHK-E1304"),
        ("broken.json", "{\"added\":1".to_owned(), "KNHK-E1842"),
        ("nothing.txt", String::new(), "KNHK-E1842"),
        ("million.json", serde_json::json!({ "removed_classes": many }).to_string(), "KNHK-E1607"),
        ("deep.json", "[".repeat(1_000_000), "KNHK-E1842"),
        ("deep.ttl", format!("<urn:a> <urn:p> {}", "( ".repeat(100_000)), "KNHK-E1303"),
    ] {
        fs::write(dir.path().join(name), text).unwrap();
        let command =
            format!("ulimit -v 1000000; exec {} check {name} --data data", env!("CARGO_BIN_EXE_knhk"));
        let output =
            std::process::Command::new("sh").args(["-c", &command]).current_dir(dir.path()).output().unwrap();
        let err = common::text(&output.stderr);
        assert!(output.status.code().is_some_and(|exit| exit >= 5) && err.contains(code), "{name}: {err}");
    }
}
