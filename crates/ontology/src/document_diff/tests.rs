use std::fmt::Write as _;

use super::*;
use crate::turtle;

const PREFIXES: &str = "@prefix owl: <http://www.w3.org/2002/07/owl#> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
    @prefix sh: <http://www.w3.org/ns/shacl#> . @prefix e: <http://e.org/> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> . ";

fn compare(old: &str, new: &str) -> DocumentDiff {
    let read = |text: &str| turtle::parse(&format!("{PREFIXES}{text}")).unwrap();
    diff(&read(old), &read(new)).unwrap()
}

#[test]
fn labels_of_blank_nodes_and_order_make_no_difference() {
    let old = "e:A a owl:Class ; rdfs:subClassOf [ a owl:Restriction ; owl:onProperty e:p ; owl:someValuesFrom e:B ] .
        e:S a sh:NodeShape ; sh:or ( [ sh:datatype xsd:string ] [ sh:datatype xsd:integer ] ) .
        [] a owl:AllDisjointClasses ; owl:members ( e:A e:B ) .";
    let new = "[] owl:members ( e:A e:B ) ; a owl:AllDisjointClasses . _:r owl:someValuesFrom e:B .
        e:S sh:or ( [ sh:datatype xsd:string ] [ sh:datatype xsd:integer ] ) ; a sh:NodeShape .
        e:A rdfs:subClassOf _:r . _:r owl:onProperty e:p . e:A a owl:Class . _:r a owl:Restriction . _:z e:p _:z .";
    let found = compare(old, new);
    assert!(found.added.is_empty() && found.removed.is_empty(), "{found:#?}");
    let [unnamed] = found.changed.as_slice() else { panic!("{found:#?}") };
    assert_eq!((unnamed.term.as_ref(), unnamed.added.len(), unnamed.removed.len()), (None, 1, 0));
    assert!(compare(old, old).is_empty());
}

#[test]
fn a_change_deep_in_a_blank_node_is_a_changed_statement_of_the_term_that_leads_to_it() {
    let shape = |max: &str| {
        format!("e:S a sh:NodeShape ; sh:property [ sh:path e:p ; sh:or ( [ sh:maxInclusive {max} ] ) ] .")
    };
    let found = compare(&shape("1"), &shape("2"));
    let [changed] = found.changed.as_slice() else { panic!("{found:#?}") };
    assert_eq!(changed.kind, Kind::Shape);
    assert_eq!(
        changed.removed,
        ["sh:property [ sh:or ( [ sh:maxInclusive \"1\"^^xsd:integer ] ) ; sh:path <http://e.org/p> ]"]
    );
    assert_eq!(found.statements(), (1, 1));
    assert_eq!(found.new.with_blank_nodes, 6);
}

#[test]
fn terms_are_added_removed_and_changed_with_kind_and_label() {
    let found = compare(
        "e:A a owl:Class ; rdfs:label \"Altes\"@de, \"Old\"@en . e:p a owl:DatatypeProperty ; rdfs:comment \"x\" .",
        "e:p a owl:DatatypeProperty ; rdfs:comment \"y\" . e:C a sh:NodeShape, owl:Class ; rdfs:label \"C\" .",
    );
    let removed = &found.removed[0];
    assert_eq!(
        (removed.kind, removed.label.as_deref(), removed.removed.len()),
        (Kind::Class, Some("Old"), 3)
    );
    assert_eq!((found.added[0].kind, found.added[0].added.len()), (Kind::Class, 3));
    assert_eq!(found.changed[0].removed, ["rdfs:comment \"x\""]);
    assert_eq!((found.old.terms, found.new.terms), ([1, 1, 0, 0], [1, 1, 0, 0]));
}

#[test]
fn a_namespace_that_moved_is_told_once_and_not_term_by_term() {
    let document = |namespace: &str, label: &str| {
        let mut text = String::new();
        for n in 0..8 {
            let _ = writeln!(
                text,
                "<{namespace}T{n}> a owl:Class ; rdfs:label \"{n}\" ; e:see <{namespace}T0> ."
            );
        }
        text + &format!("<{namespace}T3> rdfs:comment \"{label}\" .")
    };
    let found = compare(&document("http://old.org/voc/", "a"), &document("http://new.org/v#", "b"));
    assert_eq!(
        found.moved,
        [Moved { from: "http://old.org/voc/".into(), to: "http://new.org/v#".into(), terms: 8 }]
    );
    assert!(found.added.is_empty() && found.removed.is_empty());
    assert_eq!(found.changed.len(), 1);
    assert_eq!(found.changed[0].added, ["rdfs:comment \"b\""]);
    // A few names in common are no move.
    let few = compare(
        "<http://o.org/a> e:p 1 . <http://o.org/b> e:p 1 .",
        "<http://n.org/a> e:p 1 . <http://n.org/b> e:p 1 .",
    );
    assert!(few.moved.is_empty());
    assert_eq!((few.added.len(), few.removed.len()), (2, 2));
}
