//! What is refused, and what is found.

mod components;
mod differential;
mod w3c;

use super::*;
use crate::turtle;

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
        ("e:s sh:sparql [ sh:select \"\" ] .", "KNHK-E1330"),
        ("e:s sh:reifierShape e:t .", "KNHK-E1304"),
        ("e:s a sh:NodeShape ; sh:rule e:r .", "KNHK-E1304"),
        ("e:s sh:property [ sh:minCount 1 ] .", "KNHK-E1315"),
        ("e:s sh:path e:p ; sh:minCount \"one\" .", "KNHK-E1315"),
        ("e:s sh:path e:p ; sh:minCount -1 .", "KNHK-E1315"),
        ("e:s sh:path e:p ; sh:pattern \"(\" .", "KNHK-E1315"),
        ("e:s sh:path e:p ; sh:pattern \"a\" ; sh:flags \"g\" .", "KNHK-E1315"),
        ("e:s sh:minCount 1 .", "KNHK-E1315"),
        ("e:s a sh:NodeShape ; sh:path e:p .", "KNHK-E1315"),
        ("e:s sh:path e:p ; sh:qualifiedMinCount 1 .", "KNHK-E1315"),
        ("e:s sh:path e:p ; sh:datatype \"string\" .", "KNHK-E1315"),
        ("e:s sh:path e:p ; sh:datatype xsd:string, xsd:integer .", "KNHK-E1315"),
        ("e:s sh:path e:p ; sh:in e:l . e:l rdf:first 1 ; rdf:rest e:l .", "KNHK-E1312"),
        ("e:s sh:node e:s .", "KNHK-E1315"),
        ("e:s sh:or ( e:t ) . e:t sh:not e:s .", "KNHK-E1315"),
        ("e:s sh:path [ e:p e:q ] .", "KNHK-E1315"),
        ("e:s sh:path \"p\" .", "KNHK-E1315"),
        ("e:s sh:path e:n . e:n sh:inversePath e:p .", "KNHK-E1315"),
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
    let found = Shapes::compile(&shapes).unwrap().validate(&read(data)).unwrap().violations();
    assert_eq!(found.iter().map(|v| v.focus.as_str()).collect::<Vec<_>>(), ["<urn:e:x>"]);
}

#[test]
fn a_closed_shape_sees_every_predicate() {
    let shapes = read("e:s sh:targetNode e:x ; sh:closed true ; sh:property [ sh:path e:p ] .");
    let found =
        Shapes::compile(&shapes).unwrap().validate(&read("e:x e:p 1 ; e:q 2 .")).unwrap().violations();
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
    let bad = shapes.validate(&read("e:a e:p e:b ; e:r e:c . e:b e:q e:c .")).unwrap().violations();
    let seen: Vec<_> =
        bad.iter().map(|v| (v.path.as_deref().unwrap(), v.severity, v.message.as_str())).collect();
    assert_eq!(seen.len(), 3, "{bad:#?}");
    assert_eq!(seen[0].0, "(<urn:e:q>|<urn:e:r>)");
    assert_eq!(seen[0].1, Severity::Warning);
    assert_eq!((seen[1].0, seen[1].2), ("<urn:e:p>/<urn:e:q>*", "reach z"));
    assert_eq!(seen[2].0, "^<urn:e:p>");
    let good = shapes.validate(&read("e:a e:p e:b . e:b e:q e:c . e:c e:q e:z . e:y e:p e:a .")).unwrap();
    assert!(good.conforms(), "{good:?}");
}
