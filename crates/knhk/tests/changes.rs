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

/// The logistics pack with an invariant of its own, in `dir/pack`.
fn pack_with(dir: &Path, ask: &str) {
    let (from, to) = (common::root().join("sectors/logistics"), dir.join("pack"));
    fs::create_dir(&to).unwrap();
    for file in fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
    }
    let ontology = fs::read_to_string(to.join("ontology.ttl")).unwrap();
    let invariant = format!(
        "<urn:knhk:logistics#Q6> a <urn:knhk:ns#Invariant> ; <http://www.w3.org/2000/01/rdf-schema#label> \"Q6\" ;
            <http://www.w3.org/2000/01/rdf-schema#comment> \"Packages have a weight.\" ; <urn:knhk:ns#ask> \"{ask}\" ."
    );
    fs::write(to.join("ontology.ttl"), format!("{ontology}\n{invariant}\n")).unwrap();
}

#[test]
fn an_invariant_of_the_sector_holds_against_every_change() {
    let dir = tempfile::tempdir().unwrap();
    pack_with(dir.path(), "ASK { logistics:Package.weightKg rdfs:domain logistics:Package }");
    observe(dir.path(), "pack", &[&example("events-normal.ndjson")]);
    let weight = serde_json::json!([{ "domain": "urn:knhk:logistics#Package", "key": "weightKg" }]);
    let kind = serde_json::json!([{ "domain": "urn:knhk:logistics#Package", "key": "kind" }]);
    let invariant_says = |removed: serde_json::Value| {
        let change = serde_json::json!({ "removed_properties": removed });
        fs::write(dir.path().join("change.json"), change.to_string()).unwrap();
        let (_, told) = json(dir.path(), &["check", "change.json", "--data", "data"]);
        let findings = told["stages"][1]["findings"].as_array().unwrap().clone();
        findings.into_iter().find(|finding| finding["code"] == "KNHK-S212")
    };
    let finding = invariant_says(weight.clone()).expect("the weight goes");
    assert_eq!((finding["rule"].as_str(), finding["severity"].as_str()), (Some("Q6"), Some("error")));
    assert_eq!(invariant_says(kind), None, "another key is none of its business");

    let change = serde_json::json!({ "removed_properties": weight });
    fs::write(dir.path().join("change.json"), change.to_string()).unwrap();
    let (code, _, _) = run(dir.path(), &["propose", "change.json", "--data", "data", "--reason", "lighter"]);
    assert_eq!(code, 1);
    let (_, receipts, _) = run(dir.path(), &["receipts", "list", "--data", "data"]);
    assert!(receipts.contains("InvariantViolation"), "{receipts}");
    assert_eq!(run(dir.path(), &["replay", "data"]).0, 0);

    // Nor can a change rewrite the invariant.
    let rewrite = serde_json::json!({ "set_values": [{
        "subject": "urn:knhk:logistics#Q6",
        "predicate": "urn:knhk:ns#ask",
        "old": { "value": "ASK { logistics:Package.weightKg rdfs:domain logistics:Package }", "datatype": "http://www.w3.org/2001/XMLSchema#string" },
        "new": { "value": "ASK {}", "datatype": "http://www.w3.org/2001/XMLSchema#string" },
    }] });
    fs::write(dir.path().join("rewrite.json"), rewrite.to_string()).unwrap();
    let (code, told) = json(dir.path(), &["check", "rewrite.json", "--data", "data"]);
    assert_eq!((code, told["outcome"].as_str()), (1, Some("would be rejected")), "{told:#}");
}

#[test]
fn a_pack_that_breaks_its_own_invariant_or_asks_without_end_is_refused() {
    for (ask, code) in [
        ("ASK { logistics:Nothing rdfs:domain logistics:Package }", "KNHK-E1305"),
        ("ASK { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . FILTER(?a = ?d && ?d = ?g && ?a != ?g) }", "KNHK-E1332"),
        ("ASK { SERVICE <http://localhost/> { ?s ?p ?o } }", "KNHK-E1331"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        pack_with(dir.path(), ask);
        let (exit, _, err) = run(
            dir.path(),
            &[
                "observe",
                "--sector",
                "pack",
                "--data",
                "data",
                example("events-normal.ndjson").to_str().unwrap(),
            ],
        );
        assert!(exit >= 4 && err.contains(code), "{ask}: {exit} {err}");
    }
}
