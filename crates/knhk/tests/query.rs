//! `knhk ontology query`: answers in every form, limits, and queries that would not end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)] // A test may fail.

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{example, json, observe, run, text};

/// A data directory of the logistics pack.
fn data() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let files: Vec<_> = fs::read_dir(example("")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let events = files.iter().find(|path| path.to_string_lossy().contains("ndjson")).expect("an example");
    observe(dir.path(), "logistics", &[events]);
    dir
}

fn query(dir: &Path, arguments: &[&str]) -> (i32, String, String) {
    run(dir, &[&["ontology", "query", "--data", "data"], arguments].concat())
}

#[test]
fn an_ask_query_answers_with_its_exit_code_too() {
    let dir = data();
    let (code, out, err) = query(dir.path(), &["ASK { ?c rdfs:subClassOf+ ?d }"]);
    assert_eq!((code, out.as_str(), err.as_str()), (0, "yes\n", ""));
    let (code, out, _) = query(dir.path(), &["ASK { ?c rdfs:subClassOf+ ?c }"]);
    assert_eq!((code, out.as_str()), (1, "no\n"));
    let ask = ["ontology", "query", "--data", "data", "ASK { ?s ?p ?o }"];
    let (code, document) = json(dir.path(), &ask);
    assert_eq!((code, document), (0, serde_json::json!({ "head": {}, "boolean": true })));
}

#[test]
fn rows_are_a_table_or_the_standard_json() {
    let dir = data();
    let select = "SELECT ?s ?none { ?s a knhk:Sector FILTER(STRENDS(STR(?s), 'logistics')) }";
    let (code, out, err) = query(dir.path(), &[select]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(
        out.contains("?s") && out.contains("urn:knhk:sector:logistics") && out.ends_with("1 row\n"),
        "{out}"
    );
    let (_, document) = json(dir.path(), &["ontology", "query", "--data", "data", select]);
    assert_eq!(document["head"]["vars"], serde_json::json!(["s", "none"]));
    let binding = serde_json::json!([{ "s": { "type": "uri", "value": "urn:knhk:sector:logistics" } }]);
    assert_eq!(document["results"]["bindings"], binding);
}

#[test]
fn constructed_triples_are_turtle_that_can_be_read_again() {
    let dir = data();
    let (code, out, _) = query(dir.path(), &["CONSTRUCT { ?s rdfs:label ?l } { ?s rdfs:label ?l }"]);
    assert_eq!(code, 0);
    assert!(out.starts_with("@prefix ") && !knhk_ontology::turtle::parse(&out).unwrap().is_empty(), "{out}");
}

#[test]
fn a_query_comes_from_a_file_or_standard_input_as_well() {
    let dir = data();
    fs::write(dir.path().join("q.rq"), "ASK { ?s ?p ?o }").unwrap();
    assert_eq!(query(dir.path(), &["--file", "q.rq"]).0, 0);
    let mut child = Command::new(env!("CARGO_BIN_EXE_knhk"))
        .args(["ontology", "query", "--data", "data", "-"])
        .current_dir(dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"ASK { ?s ?p ?o }").unwrap();
    assert_eq!(text(&child.wait_with_output().unwrap().stdout), "yes\n");
    assert_eq!(query(dir.path(), &[]).0, 4, "there has to be a query");
    assert_eq!(query(dir.path(), &["ASK {}", "--file", "q.rq"]).0, 4, "and only one");
}

#[test]
fn limits_are_options_with_maxima_and_have_their_codes() {
    let dir = data();
    let everything = "SELECT * { ?s ?p ?o }";
    for (arguments, expected) in [
        (vec!["--max-rows", "1", everything], "KNHK-E1332"),
        (vec!["--max-steps", "10", everything], "KNHK-E1332"),
        (vec!["SELECT (NOW() AS ?t) {}"], "KNHK-E1331"),
        (vec!["SELECT"], "KNHK-E1330"),
    ] {
        let (code, out, err) = query(dir.path(), &arguments);
        assert!(code > 1 && out.is_empty() && err.contains(expected), "{arguments:?}: {code} {out} {err}");
    }
    assert_eq!(query(dir.path(), &["--max-steps", "1000000001", everything]).0, 4);
    assert_eq!(query(dir.path(), &["--seconds", "601", everything]).0, 4);
    let sorts = "SELECT * { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i FILTER(?a = 1) }";
    let (code, _, err) = query(dir.path(), &["--seconds", "1", "--max-steps", "1000000000", sorts]);
    assert!(code > 1 && (err.contains("KNHK-E1333") || err.contains("KNHK-E1332")), "{code} {err}");
}

#[test]
fn queries_that_would_not_end_or_not_fit_are_refused_in_bounded_memory() {
    let dir = data();
    let product = (0..10).map(|i| format!("?a{i} ?b{i} ?c{i} . ")).collect::<Vec<_>>().concat();
    let doubling =
        (0..40).map(|i| format!("BIND(CONCAT(?x{i}, ?x{i}) AS ?x{}) ", i + 1)).collect::<Vec<_>>().concat();
    for (hostile, expected) in [
        (format!("SELECT (COUNT(*) AS ?n) {{ {product} }}"), "KNHK-E1332"),
        (format!("SELECT * {{ {product} }} ORDER BY ?c0"), "KNHK-E1332"),
        (format!("SELECT DISTINCT * {{ {product} }}"), "KNHK-E1332"),
        (format!("SELECT ?x40 {{ BIND('0123456789' AS ?x0) {doubling} }}"), "KNHK-E1332"),
        ("SELECT (GROUP_CONCAT(STR(?c)) AS ?t) { ?a ?b ?c . ?d ?e ?f }".to_owned(), "KNHK-E1332"),
        ("SELECT * { ?a (!a)* ?b . ?c (!a)* ?d . ?e (!a|^a)* ?f FILTER(?a = 1) }".to_owned(), "KNHK-E1332"),
        (format!("ASK {{ FILTER({}1{}) }}", "(".repeat(7_000), ")".repeat(7_000)), "KNHK-E1312"),
        (format!("ASK {{ VALUES ?x {{ {} }} }}", "1 ".repeat(50_000)), "KNHK-E1312"),
    ] {
        fs::write(dir.path().join("q.rq"), &hostile).unwrap();
        let command = format!(
            "ulimit -v 600000; exec {} ontology query --data data --seconds 60 --max-steps 3000000 --file q.rq",
            env!("CARGO_BIN_EXE_knhk")
        );
        let output = Command::new("sh").args(["-c", &command]).current_dir(dir.path()).output().unwrap();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        let what = &hostile[..hostile.len().min(80)];
        assert!(out.is_empty() && err.contains(expected), "{what}: {:?} {err}", output.status);
    }
}
