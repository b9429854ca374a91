//! The same shapes and data given to this engine and to another, `shacl-rust`. Where the two differ, the generator leaves
//! out what the other gets wrong by the Recommendation, or has no words for, and says so here.
//!
//! - Paths are [`flat_paths`]: the other has no inverse of a path and no sequence within a path. It does not come back to
//!   where `sh:oneOrMorePath` began, so there is none.
//! - It does not follow a path on from a literal, or back from one, nor `sh:equals` and its like at one. So there are
//!   either no literals, or no sequences, no shapes of values and no targets that are objects.
//! - It does not read `sh:closed` on a property shape, allows the first predicate of a complex path beside `sh:closed`, and
//!   takes several `sh:not` of a shape for one. There are none of these.
//! - It gives texts with languages an order, among themselves and with other texts; SPARQL has none. So there are no such
//!   texts beside `sh:lessThan` and `sh:lessThanOrEquals`; nor ill-typed numbers, which it takes for equal to themselves
//!   where SPARQL's operators give an error.
//!
//! The cases are the same each time: what the other engine gets wrong beyond this list is found by changing the seed, not
//! by whoever changes something else.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use shacl_rust::core::path::{Path, PathElement};
use shacl_rust::validation::dataset::ValidationDataset;

use crate::shacl::Shapes;
use crate::shacl::samples::{Kind, PREFIXES, any_shapes, any_statement, flat_paths, read, shapes_of};
use crate::vocab;

/// Results as focus, path, value, component and shape, in order.
type Results = Vec<String>;

fn ours(shapes: &str, data: &str) -> Results {
    let report = Shapes::compile(&read(shapes)).unwrap().validate(&read(data)).unwrap();
    let mut all: Results = report
        .violations()
        .iter()
        .map(|v| {
            let shape = if v.shape.starts_with(vocab::SKOLEM_PREFIX) { "_:" } else { v.shape.as_str() };
            let (path, value) = (v.path.clone().unwrap_or_default(), v.value.clone().unwrap_or_default());
            format!("{} {path} {value} {} {shape}", v.focus, v.component)
        })
        .collect();
    all.sort();
    all
}

fn theirs(shapes: &str, data: &str) -> Results {
    let parse = |text: &str| -> oxrdf::Graph {
        let text = format!("{PREFIXES}{text}");
        oxttl::TurtleParser::new().for_slice(text.as_bytes()).map(Result::unwrap).collect()
    };
    let shapes = parse(shapes);
    let parsed = shacl_rust::parse_shapes(&shapes).unwrap();
    let data = parse(data);
    let data = ValidationDataset::from_triples_with_experimental_index(
        data.iter().map(oxrdf::TripleRef::into_owned),
        oxrdf::Graph::new(),
    );
    let data = data.unwrap();
    let report = shacl_rust::validate(&data, &parsed);
    let mut all: Results = report
        .get_results()
        .iter()
        .map(|result| {
            let shape = match result.source_shape() {
                oxrdf::NamedOrBlankNodeRef::NamedNode(node) => node.as_str().to_owned(),
                oxrdf::NamedOrBlankNodeRef::BlankNode(_) => "_:".to_owned(),
            };
            format!(
                "{} {} {} {} {shape}",
                result.focus_node(),
                result.result_path().map(path_text).unwrap_or_default(),
                result.value().map(|value| value.to_string()).unwrap_or_default(),
                result.source_constraint_component().map(|c| c.as_str().to_owned()).unwrap_or_default(),
            )
        })
        .map(|text| text.replace("@de-AT", "@de-at"))
        .collect();
    all.sort();
    all
}

fn path_text(path: &Path<'_>) -> String {
    path.get_elements().iter().map(element_text).collect::<Vec<_>>().join("/")
}

fn element_text(element: &PathElement<'_>) -> String {
    let part = |inner: &PathElement<'_>| match inner {
        PathElement::Iri(_) | PathElement::Alternative(_) => element_text(inner),
        _ => format!("({})", element_text(inner)),
    };
    match element {
        PathElement::Iri(iri) => iri.to_string(),
        PathElement::Inverse(iri) => format!("^{iri}"),
        PathElement::ZeroOrMore(inner) => format!("{}*", part(inner)),
        PathElement::OneOrMore(inner) => format!("{}+", part(inner)),
        PathElement::ZeroOrOne(inner) => format!("{}?", part(inner)),
        PathElement::Alternative(inner) => {
            format!("({})", inner.iter().map(element_text).collect::<Vec<_>>().join("|"))
        }
    }
}

/// Shapes and data in Turtle, with literals or with shapes of values.
fn any_case(literals: bool, most: usize) -> impl Strategy<Value = (String, String)> {
    let kind = Kind { paths: flat_paths(!literals), all_forms: false, shapes_of_values: !literals };
    let is_kept = move |text: &String| {
        literals
            || text.ends_with(|c: char| c.is_ascii_alphabetic())
                && text.contains(" e:")
                && !text.contains('"')
                && !text.ends_with("true")
    };
    let statement = any_statement().prop_filter("a literal", is_kept);
    let cases =
        (shapes_of(&kind), prop::collection::vec(statement, 0..most)).prop_map(move |(shapes, data)| {
            let mut shapes = shapes.join("\n").replace("sh:targetNode \"x\"", "sh:targetNode e:a");
            if literals {
                shapes = shapes.replace("sh:targetObjectsOf", "sh:targetSubjectsOf");
            }
            (shapes, data.iter().map(|t| format!("{t} .\n")).collect())
        });
    cases.prop_filter("an order of what has none", |(shapes, data): &(String, String)| {
        !shapes.contains("sh:lessThan") || !(data.contains('@') || data.contains("\"n\"^^xsd:integer"))
    })
}

/// Every form that the generator has.
fn every_form(most: usize) -> impl Strategy<Value = (String, String)> {
    (any_shapes(), prop::collection::vec(any_statement(), 0..most))
        .prop_map(|(shapes, data)| (shapes.join("\n"), data.iter().map(|t| format!("{t} .\n")).collect()))
}

#[test]
fn another_engine_finds_the_same_where_there_are_literals() {
    compare(true);
}

#[test]
fn another_engine_finds_the_same_where_values_have_shapes() {
    compare(false);
}

fn compare(literals: bool) {
    let config = Config { cases: 384, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let found = std::cell::Cell::new([0_usize; 2]);
    runner
        .run(&any_case(literals, 24), |(shapes, data)| {
            let ours = ours(&shapes, &data);
            prop_assert_eq!(&ours, &theirs(&shapes, &data), "shapes\n{}\ndata\n{}", shapes, data);
            let mut counts = found.get();
            counts[usize::from(ours.is_empty())] += 1;
            found.set(counts);
            Ok(())
        })
        .unwrap();
    let [with, without] = found.get();
    assert!(with > 50 && without > 20, "{with} cases with results and {without} without tell little");
}

/// Cases for `scripts/shacl-peers`: `N.shapes.ttl`, `N.data.ttl`, and in `N.expected` what was found here, in the folder
/// that `KNHK_PEER_CASES` names, if it does.
#[test]
fn there_are_cases_for_engines_that_are_no_libraries() {
    let folder = std::env::var("KNHK_PEER_CASES").ok();
    let folder = folder.as_deref().map(std::path::Path::new);
    let mut with_results = 0;
    let mut runner = TestRunner::deterministic();
    for n in 0..360 {
        let (kind, case) = match n % 3 {
            0 => ("every", every_form(16).boxed()),
            1 => ("literals", any_case(true, 16).boxed()),
            _ => ("shapes", any_case(false, 16).boxed()),
        };
        let (shapes, data) = case.new_tree(&mut runner).unwrap().current();
        // Tags are kept in lower case here, and not everywhere.
        let [shapes, data] = [shapes, data].map(|text| text.replace("@de-AT", "@de-at"));
        let found = ours(&shapes, &data);
        with_results += usize::from(!found.is_empty());
        let Some(folder) = folder else { continue };
        let write = |what: &str, text: &str| {
            std::fs::write(folder.join(format!("{n:03}-{kind}.{what}")), text).unwrap();
        };
        write("shapes.ttl", &format!("{PREFIXES}{shapes}"));
        write("data.ttl", &format!("{PREFIXES}{data}"));
        write("expected", &found.iter().map(|line| format!("{line}\n")).collect::<String>());
    }
    assert!(with_results > 100, "only {with_results} cases have results");
}
