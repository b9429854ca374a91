use super::small;
use crate::graph::Graph;
use crate::iri::Iri;
use crate::sparql::Budget;
use crate::sparql::constraint::{SparqlConstraint, SparqlResult};

fn iri(text: &str) -> Iri {
    Iri::new(text).unwrap()
}

fn constraint(shapes: &str) -> Result<(Graph, Option<SparqlConstraint>), crate::OntologyError> {
    let index = small::read(&format!(
        "@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
         @prefix owl: <http://www.w3.org/2002/07/owl#> . @prefix : <urn:x:> .
         :p sh:declare [ sh:prefix \"\" ; sh:namespace \"urn:x:\"^^xsd:anyURI ] . {shapes}"
    ));
    let read = SparqlConstraint::read(&index, &iri("urn:x:S"), &iri("urn:x:C"))?;
    Ok((index, read))
}

fn found(shapes: &str, this: &str) -> Vec<SparqlResult> {
    let (index, constraint) = constraint(shapes).unwrap();
    let Some(constraint) = constraint else { return Vec::new() };
    constraint.violations(&index, &iri(this).into(), &Budget::default()).unwrap()
}

fn refusal(select: &str) -> &'static str {
    constraint(&format!(":C sh:prefixes :p ; sh:select \"\"\"{select}\"\"\" ."))
        .map(|_| ())
        .unwrap_err()
        .code()
}

#[test]
fn the_path_of_a_property_shape_stands_where_the_query_says_path() {
    let data = ":a :q :b . :b :r 1, \"x\" . :z :q :a .";
    let select = ":C sh:prefixes :p ; sh:message \"{?value} of {$this} {?none} {\" ; sh:select \"SELECT $this ?value { $this $PATH ?value FILTER(isLiteral(?value)) }\" .";
    let results = found(&format!("{data} :S sh:path ( :q :r ) . {select}"), "urn:x:a");
    let messages: Vec<&str> = results.iter().map(|r| r.messages[0].value()).collect();
    assert_eq!(messages, ["1 of urn:x:a {?none} {", "x of urn:x:a {?none} {"]);
    assert_eq!(
        found(
            &format!(
                "{data} :S sh:path ( :q [ sh:alternativePath ( :r [ sh:zeroOrMorePath :r ] ) ] ) . {select}"
            ),
            "urn:x:a"
        )
        .len(),
        4
    );
    assert_eq!(found(&format!("{data} :S sh:path [ sh:inversePath :q ] . {select}"), "urn:x:a").len(), 0);
    assert_eq!(refusal("SELECT $this { $this $PATH ?v }"), "KNHK-E1331", "a node shape has no path");
}

#[test]
fn this_is_bound_everywhere_also_where_the_query_does_not_return_it() {
    let data = ":a :q 1 . :b :q 2 .";
    for select in [
        "SELECT ?value { { ?x :q ?value FILTER(?x = $this) } }",
        "SELECT ?value { { SELECT $this ?value { $this :q ?value } } }",
        "SELECT ?value { ?x :q ?value FILTER EXISTS { $this :q ?value } }",
        "SELECT ?value { BIND($this AS ?x) ?x :q ?value }",
        "SELECT (MAX(?n) AS ?value) { $this :q ?n } GROUP BY $this",
        "SELECT ?value { OPTIONAL { $this :q ?value } FILTER(BOUND($currentShape)) }",
    ] {
        let results = found(&format!("{data} :C sh:prefixes :p ; sh:select \"{select}\" ."), "urn:x:a");
        assert_eq!(results.len(), 1, "{select}");
        assert_eq!(results[0].value.as_ref().unwrap().as_literal().unwrap().value(), "1", "{select}");
    }
}

#[test]
fn what_pre_binding_excludes_is_refused() {
    for select in [
        "SELECT $this { $this ?p ?o MINUS { $this ?p 1 } }",
        "SELECT $this { VALUES ?x { 1 } }",
        "SELECT $this { SERVICE <urn:s> { ?a ?b ?c } }",
        "SELECT $this { BIND(1 AS $this) }",
        "SELECT (1 AS $this) { ?a ?b ?c }",
        "SELECT $this { { SELECT ?x { ?x ?y ?z } } }",
        "SELECT $this { GRAPH $shapesGraph { ?a ?b ?c } }",
        "SELECT $this { ?PATH ?p ?o }",
        "SELECT $this { FILTER(NOW() > 1) }",
    ] {
        assert_eq!(refusal(select), "KNHK-E1331", "{select}");
    }
    assert_eq!(refusal("SELECT $this { $this ex:p 1 }"), "KNHK-E1330", "an undeclared prefix");
    assert_eq!(refusal("ASK { $this ?p ?o }"), "KNHK-E1315");
}

#[test]
fn ill_formed_constraints_are_refused_and_deactivated_ones_find_nothing() {
    for shapes in [
        ":C sh:message \"no query\" .",
        ":C sh:select \"SELECT $this {}\", \"SELECT ?x {}\" .",
        ":C sh:select 1 .",
        ":C sh:select \"SELECT $this {}\" ; sh:message 1 .",
        ":C sh:select \"SELECT $this {}\" ; sh:deactivated 1 .",
        ":C sh:select \"SELECT $this {}\" ; sh:prefixes \"p\" .",
        ":C sh:select \"SELECT $this {}\" ; sh:prefixes [ sh:declare [ sh:prefix \"a\" ] ] .",
        ":C sh:select \"SELECT $this {}\" ; sh:prefixes :p, [ sh:declare [ sh:prefix \"\" ; sh:namespace \"urn:y:\" ] ] .",
        ":S sh:path [ sh:inversePath [] ] . :C sh:select \"SELECT $this {}\" .",
    ] {
        assert_eq!(constraint(shapes).map(|_| ()).unwrap_err().code(), "KNHK-E1315", "{shapes}");
    }
    let select = ":a :q 1 . :C sh:select \"SELECT $this { $this <urn:x:q> ?v }\"";
    assert_eq!(found(&format!("{select} ."), "urn:x:a").len(), 1);
    assert_eq!(found(&format!("{select} ; sh:deactivated true ."), "urn:x:a").len(), 0);
}

#[test]
fn a_query_may_report_a_failure_and_one_that_does_not_end_is_ended() {
    let (index, failing) =
        constraint(":a :q 1 . :C sh:select \"SELECT $this (true AS ?failure) { $this ?p ?o }\" .").unwrap();
    let failed = failing.unwrap().violations(&index, &iri("urn:x:a").into(), &Budget::default());
    assert_eq!(failed.unwrap_err().code(), "KNHK-E1315");
    let select =
        "SELECT $this { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l . ?m ?n ?o . ?p ?q ?r FILTER(?a = 1) }";
    let (index, endless) =
        constraint(&format!(":C sh:select \"{select}\" . :a :q 1, 2, 3, 4, 5, 6, 7, 8 .")).unwrap();
    let ended = endless.unwrap().violations(&index, &iri("urn:x:a").into(), &Budget::new(100_000, 10));
    assert_eq!(ended.unwrap_err().code(), "KNHK-E1332");
}
