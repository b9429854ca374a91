use std::collections::BTreeMap;
use std::path::{Path as FilePath, PathBuf};

use oxrdf::{NamedNodeRef, NamedOrBlankNodeRef, TermRef};

use super::*;
use crate::turtle;

const SH: &str = "http://www.w3.org/ns/shacl#";
const SHT: &str = "http://www.w3.org/ns/shacl-test#";
const MF: &str = "http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#";

fn load(path: &FilePath) -> oxrdf::Graph {
    let text = std::fs::read_to_string(path).unwrap();
    let base = format!("file://{}", path.display());
    oxttl::TurtleParser::new()
        .with_base_iri(base)
        .unwrap()
        .for_slice(text.as_bytes())
        .map(|triple| triple.unwrap())
        .collect()
}

fn file_of(term: TermRef<'_>) -> PathBuf {
    match term {
        TermRef::NamedNode(node) => PathBuf::from(node.as_str().trim_start_matches("file://")),
        other => panic!("{other}"),
    }
}

fn one<'g>(
    graph: &'g oxrdf::Graph,
    subject: NamedOrBlankNodeRef<'g>,
    predicate: &str,
) -> Option<TermRef<'g>> {
    graph.object_for_subject_predicate(subject, NamedNodeRef::new(predicate).unwrap())
}

fn node(term: TermRef<'_>) -> NamedOrBlankNodeRef<'_> {
    match term {
        TermRef::NamedNode(node) => node.into(),
        TermRef::BlankNode(node) => node.into(),
        TermRef::Literal(literal) => panic!("{literal}"),
    }
}

/// Blank nodes differ between files read twice, so all look the same here.
fn name(term: TermRef<'_>) -> String {
    match term {
        TermRef::BlankNode(_) => "_:".into(),
        other => other.to_string(),
    }
}

fn plain(text: &str) -> String {
    if text.starts_with("_:") { "_:".into() } else { text.to_owned() }
}

fn path_text(graph: &oxrdf::Graph, path: TermRef<'_>) -> String {
    let holder: oxrdf::Graph = graph.clone();
    let parsed = shacl_rust::parser::path::parse_path(&holder, path).unwrap();
    show_path(&parsed)
}

/// Multiset of (focus, path, value, component) of one `sht:Validate` case: expected and found.
fn run(file: &FilePath) -> Option<(bool, [Vec<String>; 2])> {
    let manifest = load(file);
    let case = manifest
        .subjects_for_predicate_object(
            oxrdf::vocab::rdf::TYPE,
            NamedNodeRef::new(&format!("{SHT}Validate")).unwrap(),
        )
        .next()?;
    let action = node(one(&manifest, case, &format!("{MF}action")).unwrap());
    let data = load(&file_of(one(&manifest, action, &format!("{SHT}dataGraph")).unwrap()));
    let shapes = load(&file_of(one(&manifest, action, &format!("{SHT}shapesGraph")).unwrap()));
    let report = node(one(&manifest, case, &format!("{MF}result")).unwrap());
    let conforms = one(&manifest, report, &format!("{SH}conforms")).unwrap().to_string().contains("true");
    let mut expected: Vec<String> = manifest
        .objects_for_subject_predicate(report, NamedNodeRef::new(&format!("{SH}result")).unwrap())
        .map(|result| {
            let get = |local: &str| one(&manifest, node(result), &format!("{SH}{local}"));
            format!(
                "{} {} {} {}",
                get("focusNode").map(name).unwrap_or_default(),
                get("resultPath").map(|path| path_text(&manifest, path)).unwrap_or_default(),
                get("value").map(name).unwrap_or_default(),
                get("sourceConstraintComponent").map(name).unwrap_or_default(),
            )
        })
        .collect();
    expected.sort();
    let found = evaluate(&shapes, data.iter().map(oxrdf::TripleRef::into_owned)).unwrap();
    let mut found: Vec<String> = found
        .iter()
        .map(|v| {
            format!(
                "{} {} {} <{}>",
                plain(&v.focus),
                v.path.clone().unwrap_or_default(),
                v.value.as_deref().map(plain).unwrap_or_default(),
                v.component
            )
        })
        .collect();
    found.sort();
    Some((conforms, [expected, found]))
}

#[test]
fn the_w3c_core_suite_passes() {
    let suite = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/w3c-shacl/core");
    let Ok(suite) = suite.canonicalize() else {
        println!("skipped: the W3C SHACL test suite is not at {}", suite.display());
        return;
    };
    let mut failures = BTreeMap::new();
    let mut cases = 0;
    for folder in
        std::fs::read_dir(&suite).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
    {
        for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let Some((conforms, [expected, found])) = run(&file) else { continue };
            cases += 1;
            if conforms != found.is_empty() || expected != found {
                failures.insert(file.display().to_string(), (conforms, expected, found));
            }
        }
    }
    assert!(failures.is_empty(), "{} of {cases}: {failures:#?}", failures.len());
    assert_eq!(cases, 98);
}

const PREFIXES: &str =
    "@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix owl: <http://www.w3.org/2002/07/owl#> .
    @prefix xsd: <http://www.w3.org/2001/XMLSchema#> . @prefix e: <urn:e:> .
    @prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .\n";

fn read(text: &str) -> Graph {
    turtle::parse(&format!("{PREFIXES}{text}")).unwrap()
}

#[test]
fn shapes_that_would_be_skipped_are_refused() {
    for (shape, code) in [
        ("e:s sh:sparql [ sh:select \"\" ] .", "KNHK-E1304"),
        ("e:s sh:reifierShape e:t .", "KNHK-E1304"),
        ("e:s a sh:NodeShape ; sh:rule e:r .", "KNHK-E1304"),
        ("e:s sh:property [ sh:minCount 1 ] .", "KNHK-E1315"),
        ("e:s sh:path e:p ; sh:minCount \"one\" .", "KNHK-E1315"),
        ("e:s sh:path e:p ; sh:minCount -1 .", "KNHK-E1315"),
        ("e:s sh:path e:p ; sh:pattern \"(\" .", "KNHK-E1315"),
        ("e:s sh:path e:p ; sh:pattern \"a\" ; sh:flags \"x\" .", "KNHK-E1315"),
        ("e:s sh:path e:p ; sh:datatype \"string\" .", "KNHK-E1315"),
        ("e:s sh:path e:p ; sh:datatype xsd:string, xsd:integer .", "KNHK-E1315"),
        ("e:s sh:path e:p ; sh:in () .", "KNHK-E1315"),
        ("e:s sh:path e:p ; sh:in e:l . e:l rdf:first 1 ; rdf:rest e:l .", "KNHK-E1312"),
        ("e:s sh:closed \"1\"^^xsd:boolean .", "KNHK-E1315"),
        ("e:s sh:node e:s .", "KNHK-E1315"),
        ("e:s sh:or ( e:t ) . e:t sh:not e:s .", "KNHK-E1315"),
        ("e:s sh:path [ sh:inversePath [ sh:inversePath e:p ] ] .", "KNHK-E1304"),
        ("e:s sh:path ( e:p ( e:q e:r ) ) .", "KNHK-E1304"),
        ("e:s sh:path [ e:p e:q ] .", "KNHK-E1315"),
        ("e:s sh:path \"p\" .", "KNHK-E1315"),
        ("e:s sh:path e:n . e:n sh:inversePath e:p .", "KNHK-E1315"),
        ("e:s a owl:Class, sh:NodeShape .", "KNHK-E1315"),
        ("e:s sh:NodeShape e:t .", "KNHK-E1315"),
    ] {
        let error = admit_shapes(&read(shape)).expect_err(shape);
        assert_eq!(error.code(), code, "{shape}: {error}");
    }
}

#[test]
fn doubled_references_do_not_blow_up() {
    let chain: String =
        (0..30).flat_map(|n| [format!("e:s{n} sh:and ( e:s{0} e:s{0} ) .\n", n + 1)]).collect();
    assert_eq!(admit_shapes(&read(&chain)).unwrap_err().code(), "KNHK-E1312");
}

#[test]
fn instances_of_subclasses_are_focus_nodes() {
    let shapes = read("e:s sh:targetClass e:C ; sh:property [ sh:path e:p ; sh:minCount 1 ] .");
    let data = "@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> . e:D rdfs:subClassOf e:C . e:x a e:D ; e:unread 1 .";
    let found = Shapes::compile(&shapes).unwrap().validate(read(data).iter()).unwrap();
    assert_eq!(found.iter().map(|v| v.focus.as_str()).collect::<Vec<_>>(), ["<urn:e:x>"]);
}

#[test]
fn a_closed_shape_sees_every_predicate() {
    let shapes = read("e:s sh:targetNode e:x ; sh:closed true ; sh:property [ sh:path e:p ] .");
    let found = Shapes::compile(&shapes).unwrap().validate(read("e:x e:p 1 ; e:q 2 .").iter()).unwrap();
    assert_eq!(found.iter().map(|v| v.path.as_deref()).collect::<Vec<_>>(), [Some("<urn:e:q>")]);
}

#[test]
fn complex_paths_of_skolemised_shapes_are_followed() {
    let shapes = read(
        "e:s sh:targetNode e:a ; sh:path ( e:p [ sh:zeroOrMorePath e:q ] ) ; sh:hasValue e:z ; sh:message \"reach z\" .
         e:t sh:targetNode e:a ; sh:path [ sh:inversePath e:p ] ; sh:minCount 1 .
         e:u sh:targetNode e:a ; sh:path [ sh:alternativePath ( e:q e:r ) ] ; sh:maxCount 0 ; sh:severity sh:Warning .",
    );
    let shapes = Shapes::compile(&shapes).unwrap();
    let bad = shapes.validate(read("e:a e:p e:b ; e:r e:c . e:b e:q e:c .").iter()).unwrap();
    let seen: Vec<_> =
        bad.iter().map(|v| (v.path.as_deref().unwrap(), v.severity, v.message.as_str())).collect();
    assert_eq!(seen.len(), 3, "{bad:#?}");
    assert_eq!(seen[0].0, "(<urn:e:q>|<urn:e:r>)");
    assert_eq!(seen[0].1, Severity::Warning);
    assert_eq!((seen[1].0, seen[1].2), ("<urn:e:p>/<urn:e:q>*", "reach z"));
    assert_eq!(seen[2].0, "^<urn:e:p>");
    let good =
        shapes.validate(read("e:a e:p e:b . e:b e:q e:c . e:c e:q e:z . e:y e:p e:a .").iter()).unwrap();
    assert_eq!(good, []);
}
