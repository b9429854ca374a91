use super::small;
use crate::graph::Graph;
use crate::sparql::{Budget, Query, answer};

fn clique(nodes: usize) -> Graph {
    small::read(&numbered(nodes * nodes, |at| {
        format!(
            "<urn:n{}> <urn:p> <urn:n{}> .
",
            at / nodes,
            at % nodes
        )
    }))
}

/// A text for each number, one after another.
fn numbered(count: usize, text: impl Fn(usize) -> String) -> String {
    (0..count).map(text).collect::<Vec<_>>().concat()
}

fn repeated(one: &str, times: usize, between: &str) -> String {
    vec![one; times].join(between)
}

/// What is refused before it is evaluated, and the code.
fn refused() -> Vec<(&'static str, String, &'static str)> {
    vec![
        (
            "parentheses",
            format!("ASK {{ FILTER({}1{}) }}", "(".repeat(5_000), ")".repeat(5_000)),
            "KNHK-E1312",
        ),
        ("groups", format!("ASK {}{}", "{".repeat(5_000), "}".repeat(5_000)), "KNHK-E1312"),
        (
            "groups within the brackets",
            format!("ASK {{ {}{} }}", "?s ?p ?o OPTIONAL {".repeat(120), "}".repeat(120)),
            "KNHK-E1312",
        ),
        ("a sequence of steps", format!("ASK {{ ?s {} ?o }}", repeated("a", 6_000, "/")), "KNHK-E1312"),
        ("alternatives", format!("ASK {{ ?s {} ?o }}", repeated("a", 1_900, "|")), "KNHK-E1312"),
        ("a sum", format!("ASK {{ FILTER({}) }}", repeated("1", 1_900, "+")), "KNHK-E1312"),
        ("many patterns", format!("ASK {{ {} }}", repeated("?s ?p ?o", 129, " . ")), "KNHK-E1312"),
        ("a huge VALUES", format!("ASK {{ VALUES ?x {{ {} }} }}", repeated("1", 50_000, " ")), "KNHK-E1312"),
        ("a long query", "#".repeat(20_000), "KNHK-E1312"),
        ("a service", "ASK { SERVICE <http://e.org/> { ?s ?p ?o } }".into(), "KNHK-E1331"),
        ("a graph", "ASK { GRAPH ?g { ?s ?p ?o } }".into(), "KNHK-E1331"),
        ("a dataset", "ASK FROM <http://e.org/> { ?s ?p ?o }".into(), "KNHK-E1331"),
        ("chance", "SELECT (RAND() AS ?x) {}".into(), "KNHK-E1331"),
        ("the clock", "ASK { FILTER(NOW() > 1) }".into(), "KNHK-E1331"),
        ("new names", "SELECT (UUID() AS ?x) (STRUUID() AS ?y) {}".into(), "KNHK-E1331"),
        ("new nodes", "SELECT (BNODE() AS ?x) {}".into(), "KNHK-E1331"),
        ("an unknown function", "ASK { FILTER(<urn:f>(1)) }".into(), "KNHK-E1331"),
        ("an update", "DROP ALL".into(), "KNHK-E1330"),
    ]
}

/// What is admitted and would not end, or not fit.
fn endless() -> Vec<(&'static str, String)> {
    let product = numbered(10, |i| format!("?a{i} ?b{i} ?c{i} . "));
    let sets = numbered(12, |i| format!("VALUES ?v{i} {{ {} }} ", repeated("1 2 3 4", 8, " ")));
    let doubling = numbered(40, |i| format!("BIND(CONCAT(?x{i}, ?x{i}) AS ?x{}) ", i + 1));
    let selects = numbered(8, |i| format!("{{ SELECT ?a{i} {{ ?a{i} ?p ?o . ?x ?y ?z }} }} "));
    vec![
        ("a product of ten patterns", format!("ASK {{ {product} FILTER(?a0 = 1) }}")),
        ("a product that is counted", format!("SELECT (COUNT(*) AS ?n) {{ {product} }}")),
        ("a product of groups", "ASK { { ?a ?b ?c FILTER(?a != 1) } { ?d ?e ?f } { ?g ?h ?i } { ?j ?k ?l } FILTER(?a = 1) }".into()),
        ("sets of values", format!("ASK {{ {sets} FILTER(?v0 = 5) }}")),
        ("a text that doubles", format!("SELECT ?x40 {{ BIND('0123456789' AS ?x0) {doubling} }}")),
        ("a text that is replaced", "SELECT (REPLACE(REPLACE(REPLACE(REPLACE('aaaaaaaaaaaaaaaa', 'a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'), 'a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'), 'a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'), 'a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa') AS ?x) {}".into()),
        ("texts that are joined", "SELECT (GROUP_CONCAT(CONCAT(STR(?a), STR(?b), STR(?c), STR(?d))) AS ?t) { ?a ?p ?b . ?c ?q ?d }".into()),
        ("every path in a clique", "SELECT (COUNT(*) AS ?n) { ?a (<urn:p>/<urn:p>/<urn:p>/<urn:p>) ?b }".into()),
        ("closures of closures", "SELECT (COUNT(*) AS ?n) { ?a ((<urn:p>*/<urn:p>*)*/(<urn:p>|^<urn:p>)*)* ?b . ?c <urn:p>* ?d . ?e <urn:p>* ?f }".into()),
        ("everything sorted", "SELECT * { ?a ?b ?c . ?d ?e ?f } ORDER BY ?f ?c ?a LIMIT 1".into()),
        ("everything apart", "SELECT DISTINCT * { ?a ?b ?c . ?d ?e ?f }".into()),
        ("sub-selects", format!("SELECT (COUNT(*) AS ?n) {{ {selects} }}")),
        ("many rows", "SELECT * { ?a ?b ?c . ?d ?e ?f }".into()),
        ("a search within a search", "ASK { ?a ?b ?c FILTER NOT EXISTS { ?d ?e ?f . ?g ?h ?i . ?j ?k ?l FILTER(?l = 1) } }".into()),
        (
            "expressions that are costly to compile",
            format!("SELECT (COUNT(*) AS ?n) {{ ?a ?b ?c FILTER(REGEX(STR(?c), CONCAT(STR(?a), STR(?c), '{}'))) }}", r"\\w".repeat(300)),
        ),
        ("an expression that is costly to match", format!("ASK {{ ?a ?b ?c . ?d ?e ?f . ?g ?h ?i FILTER(REGEX('{}', '(a{{0,90}}){{0,9}}b')) }}", "a".repeat(9_000))),
    ]
}

#[test]
fn what_cannot_be_read_or_evaluated_safely_is_refused_by_its_code() {
    for (what, query, code) in refused() {
        assert_eq!(
            Query::parse(&query, &[]).map(|_| what).map_err(|error| error.code()),
            Err(code),
            "{what}"
        );
    }
}

#[test]
fn what_would_not_end_is_ended_by_count() {
    let index = clique(40);
    for (what, query) in endless() {
        let query = Query::parse(&query, &[]).unwrap_or_else(|error| panic!("{what}: {error}"));
        let budget = Budget::new(1_000_000, 100_000);
        let error = answer(&index, &query, &budget).map(|_| ()).expect_err(what);
        assert_eq!(error.code(), "KNHK-E1332", "{what}: {error}");
    }
}

#[test]
fn a_stop_signal_ends_a_query_that_still_has_steps() {
    let query = Query::parse("ASK { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i FILTER(?a = 1) }", &[]).unwrap();
    let looks = std::cell::Cell::new(0);
    let stop = || {
        looks.set(looks.get() + 1);
        looks.get() == 3
    };
    let budget = Budget::default().with_stop(&stop);
    assert_eq!(answer(&clique(20), &query, &budget).unwrap_err().code(), "KNHK-E1333");
    assert!(budget.steps_taken() < 10_000);
}

#[test]
fn steps_are_the_same_every_time_and_what_was_held_is_given_back() {
    let query =
        Query::parse("SELECT ?a (COUNT(?b) AS ?n) { ?a <urn:p>+ ?b } GROUP BY ?a ORDER BY ?n", &[]).unwrap();
    let index = clique(10);
    let steps = || {
        let budget = Budget::default();
        for _ in 0..50 {
            answer(&index, &query, &budget).unwrap();
        }
        budget.steps_taken()
    };
    assert_eq!(steps(), steps());
}

#[test]
fn chains_of_one_operator_are_read_without_nesting() {
    let wide = format!("ASK {{ FILTER({}) }}", repeated("?x = 1", 200, " || "));
    assert!(Query::parse(&wide, &[]).is_ok());
    let groups = format!("ASK {{ {} }}", repeated("{ ?s ?p ?o }", 100, " UNION "));
    assert!(Query::parse(&groups, &[]).is_ok());
}

/// The deepest that is admitted stays within the stack of a test's thread.
#[test]
fn the_deepest_query_that_is_admitted_is_evaluated() {
    let index = clique(2);
    for query in [
        format!("ASK {{ {}{} }}", "?s ?p ?o OPTIONAL { ".repeat(45), "}".repeat(45)),
        format!("ASK {{ {}{} }}", "?s ?p ?o FILTER EXISTS { ".repeat(30), "}".repeat(30)),
        format!("ASK {{ {} }}", repeated("?s ?p ?o", 128, " . ")),
        format!("ASK {{ {} }}", repeated("{ ?s ?p ?o BIND(1 AS ?x) }", 120, " ")),
        format!("ASK {{ {} }}", "OPTIONAL { ?s ?p ?o } ".repeat(90)),
        format!("SELECT * {{ {} {} }}", "{ SELECT * { ?s ?p ?o ".repeat(40), "} } ".repeat(40)),
        format!("ASK {{ ?s {}a{} ?o }}", "(".repeat(90), ")*".repeat(90)),
        format!("ASK {{ FILTER({}1{}) }}", "STR(".repeat(90), ")".repeat(90)),
    ] {
        let query = Query::parse(&query, &[]).unwrap_or_else(|error| panic!("{error}: {query}"));
        answer(&index, &query, &Budget::default()).unwrap();
    }
}
