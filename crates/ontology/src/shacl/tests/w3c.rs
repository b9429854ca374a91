//! The W3C test suite, read from beside the repository.

use std::collections::BTreeMap;
use std::path::{Path as FilePath, PathBuf};

use crate::graph::Graph;
use crate::iri::Iri;
use crate::shacl::{Severity, Shapes};
use crate::triple::Term;
use crate::{turtle, vocab};

const SH: &str = vocab::SH_NAMESPACE;
const SHT: &str = "http://www.w3.org/ns/shacl-test#";
const MF: &str = "http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#";

fn iri(text: impl Into<String>) -> Iri {
    Iri::new(text).unwrap()
}

fn load(path: &FilePath) -> Graph {
    let text = std::fs::read_to_string(path).unwrap();
    turtle::parse(&format!("@base <file://{}> .\n{text}", path.display())).unwrap()
}

fn one(graph: &Graph, subject: &Iri, predicate: String) -> Option<Term> {
    graph.object(subject, &iri(predicate))
}

fn node(term: Option<Term>) -> Iri {
    term.unwrap().as_iri().unwrap().clone()
}

fn file_of(term: Option<Term>) -> PathBuf {
    PathBuf::from(node(term).as_str().trim_start_matches("file://"))
}

/// Blank nodes differ between files read twice, so all look the same here.
fn plain(text: &str) -> String {
    let text = text.trim_start_matches('<').trim_end_matches('>');
    if text.starts_with(vocab::SKOLEM_PREFIX) { "_:".into() } else { text.to_owned() }
}

/// A path in the notation of SPARQL, read from the graph by itself: not by the code under test.
fn path_text(graph: &Graph, path: &Term) -> String {
    let at = path.as_iri().unwrap();
    let list = |at: &Iri| {
        let (mut at, mut members) = (at.clone(), Vec::new());
        while at != *vocab::RDF_NIL {
            members.push(path_text(graph, &graph.object(&at, &vocab::RDF_FIRST).unwrap()));
            at = node(graph.object(&at, &vocab::RDF_REST));
        }
        members
    };
    // What a unary operator stands before or after, or a sequence inside a sequence, has parentheses.
    let wrapped = |text: String| {
        let is_iri = text.starts_with('<') && text.matches('<').count() == 1 && text.ends_with('>');
        if is_iri || text.starts_with('(') { text } else { format!("({text})") }
    };
    if !at.as_str().starts_with(vocab::SKOLEM_PREFIX) {
        return path.to_string();
    }
    if graph.object(at, &vocab::RDF_FIRST).is_some() {
        let part = |text: String| if text.contains(">/") { wrapped(text) } else { text };
        return list(at).into_iter().map(part).collect::<Vec<_>>().join("/");
    }
    if let Some(inner) = one(graph, at, format!("{SH}alternativePath")) {
        return format!("({})", list(&node(Some(inner))).join("|"));
    }
    for (operator, before, after) in [
        ("inversePath", "^", ""),
        ("zeroOrMorePath", "", "*"),
        ("oneOrMorePath", "", "+"),
        ("zeroOrOnePath", "", "?"),
    ] {
        if let Some(inner) = one(graph, at, format!("{SH}{operator}")) {
            return format!("{before}{}{after}", wrapped(path_text(graph, &inner)));
        }
    }
    panic!("{path}")
}

/// What a case says and what came of it: whether it conforms, and results by focus node, path, value, component, source
/// shape and severity.
struct Case {
    conforms: bool,
    expected: Vec<String>,
    found: Result<Vec<String>, String>,
}

fn run(file: &FilePath) -> Option<Case> {
    let manifest = load(file);
    let validate = Term::Iri(iri(format!("{SHT}Validate")));
    let case = manifest.subjects(&vocab::RDF_TYPE, &validate).into_iter().next()?;
    let action = node(one(&manifest, &case, format!("{MF}action")));
    let data = load(&file_of(one(&manifest, &action, format!("{SHT}dataGraph"))));
    let shapes = load(&file_of(one(&manifest, &action, format!("{SHT}shapesGraph"))));
    let report = node(one(&manifest, &case, format!("{MF}result")));
    let conforms = one(&manifest, &report, format!("{SH}conforms"))
        .is_some_and(|term| term.to_string().contains("true"));
    let mut expected: Vec<String> = manifest
        .objects(&report, &iri(format!("{SH}result")))
        .into_iter()
        .map(|result| {
            let get = |local: &str| one(&manifest, &node(Some(result.clone())), format!("{SH}{local}"));
            let text = |local: &str| get(local).map(|term| plain(&term.to_string())).unwrap_or_default();
            let severity = match text("resultSeverity").strip_prefix(SH) {
                Some("Warning") => Severity::Warning,
                Some("Info") => Severity::Info,
                _ => Severity::Violation,
            };
            let path = get("resultPath").map(|path| path_text(&manifest, &path)).unwrap_or_default();
            format!(
                "{} {path} {} {} {} {severity:?}",
                text("focusNode"),
                text("value"),
                text("sourceConstraintComponent"),
                text("sourceShape")
            )
        })
        .collect();
    expected.sort();
    let found = Shapes::compile(&shapes).and_then(|shapes| shapes.validate(&data));
    let found = found.map_err(|error| error.to_string()).map(|report| {
        assert_eq!(report.conforms(), report.is_empty());
        let mut found: Vec<String> = report
            .violations()
            .iter()
            .map(|v| {
                let path = v.path.clone().unwrap_or_default();
                let value = v.value.as_deref().map(plain).unwrap_or_default();
                format!(
                    "{} {path} {value} {} {} {:?}",
                    plain(&v.focus),
                    v.component,
                    plain(&v.shape),
                    v.severity
                )
            })
            .collect();
        found.sort();
        found
    });
    Some(Case { conforms, expected, found })
}

fn suite(part: &str) -> Option<PathBuf> {
    let suite = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/w3c-shacl").join(part);
    if let Ok(suite) = suite.canonicalize() {
        return Some(suite);
    }
    println!("skipped: the W3C SHACL test suite is not at {}", suite.display());
    None
}

fn cases(suite: &FilePath) -> Vec<(String, Case)> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(suite)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "ttl"))
        .collect();
    files.sort();
    let name = |path: &FilePath| path.file_stem().unwrap().to_string_lossy().into_owned();
    files.iter().filter_map(|file| Some((name(file), run(file)?))).collect()
}

#[test]
fn every_case_of_core_gives_the_report_that_it_asks_for() {
    let Some(suite) = suite("core") else { return };
    let cases = cases(&suite);
    let mut failures = BTreeMap::new();
    for (name, case) in &cases {
        let as_expected = case
            .found
            .as_ref()
            .is_ok_and(|found| *found == case.expected && case.conforms == found.is_empty());
        if !as_expected {
            failures.insert(name, (&case.expected, &case.found));
        }
    }
    assert!(failures.is_empty(), "{} of {}: {failures:#?}", failures.len(), cases.len());
    assert_eq!(cases.len(), 98);
}
