//! Random shapes, graphs and changes over a few names, so that they meet often. In Turtle.

use proptest::prelude::*;

use crate::graph::Graph;
use crate::turtle;

pub(crate) const PREFIXES: &str = "@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix e: <urn:e:> .
    @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
    @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .\n";

pub(crate) fn read(text: &str) -> Graph {
    turtle::parse(&format!("{PREFIXES}{text}")).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn one_of(names: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
    prop::sample::select(names).prop_map(str::to_owned)
}

fn predicate() -> impl Strategy<Value = String> + Clone {
    one_of(&["e:p", "e:q", "e:r"])
}

fn class() -> impl Strategy<Value = String> + Clone {
    one_of(&["e:C", "e:D", "e:E"])
}

fn node() -> impl Strategy<Value = String> + Clone {
    one_of(&["e:a", "e:b", "e:c", "e:d", "e:f"])
}

fn literal() -> impl Strategy<Value = String> + Clone {
    one_of(&[
        "1",
        "2",
        "\"x\"",
        "\"xy\"",
        "\"x\"@en",
        "\"y\"@en",
        "\"z\"@de-AT",
        "1.5",
        "\"n\"^^xsd:integer",
        "true",
    ])
}

fn any_node() -> impl Strategy<Value = String> + Clone {
    prop_oneof![4 => node(), 1 => class(), 1 => literal()]
}

/// Paths in Turtle.
pub(crate) type Paths = BoxedStrategy<String>;

/// What shapes are made of.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    pub paths: Paths,
    /// Also what other engines read otherwise: `sh:closed` on property shapes and beside complex paths, several
    /// `sh:not` of one shape.
    pub all_forms: bool,
    /// Values of paths have shapes of their own.
    pub shapes_of_values: bool,
}

/// Paths with neither inverses of paths nor sequences within paths; with `sequences`, also sequences at the outermost.
pub(crate) fn flat_paths(sequences: bool) -> Paths {
    let step = prop_oneof![
        3 => predicate(),
        2 => predicate().prop_map(|p| format!("[ sh:inversePath {p} ]")),
    ];
    let ways = (step.clone(), step.clone()).prop_map(|(p, q)| format!("[ sh:alternativePath ( {p} {q} ) ]"));
    let once = prop_oneof![3 => step, 1 => ways];
    let repeated = (one_of(&["zeroOrMore", "zeroOrOne"]), once.clone())
        .prop_map(|(how, p)| format!("[ sh:{how}Path {p} ]"));
    let part = prop_oneof![4 => once, 1 => repeated];
    let parts = (part.clone(), part.clone()).prop_map(|(p, q)| format!("( {p} {q} )"));
    if sequences { prop_oneof![3 => part, 1 => parts].boxed() } else { part.boxed() }
}

/// A path of any form, nested at most three deep.
pub(crate) fn any_paths() -> Paths {
    predicate().boxed().prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            3 => inner.clone().prop_map(|p| format!("[ sh:inversePath {p} ]")),
            3 => (inner.clone(), inner.clone()).prop_map(|(p, q)| format!("( {p} {q} )")),
            2 => (inner.clone(), inner.clone()).prop_map(|(p, q)| format!("[ sh:alternativePath ( {p} {q} ) ]")),
            2 => inner.clone().prop_map(|p| format!("[ sh:zeroOrMorePath {p} ]")),
            1 => inner.clone().prop_map(|p| format!("[ sh:oneOrMorePath {p} ]")),
            1 => inner.prop_map(|p| format!("[ sh:zeroOrOnePath {p} ]")),
        ]
    })
    .boxed()
}

/// A constraint that stands on any shape and has no shape inside.
fn plain_constraint() -> impl Strategy<Value = String> + Clone {
    let values = prop::collection::vec(any_node(), 1..4);
    prop_oneof![
        3 => class().prop_map(|c| format!("sh:class {c}")),
        1 => one_of(&["xsd:integer", "xsd:string", "xsd:decimal", "rdf:langString"])
            .prop_map(|d| format!("sh:datatype {}", d.replace("rdf:", "<http://www.w3.org/1999/02/22-rdf-syntax-ns#") + if d.starts_with("rdf:") { ">" } else { "" })),
        1 => one_of(&["sh:IRI", "sh:Literal", "sh:IRIOrLiteral", "sh:BlankNode"]).prop_map(|k| format!("sh:nodeKind {k}")),
        1 => one_of(&["sh:minInclusive 2", "sh:maxExclusive 2", "sh:minExclusive 1", "sh:maxInclusive 1.5"]),
        1 => one_of(&["sh:minLength 2", "sh:maxLength 7", "sh:pattern \"^u.*[abx]$\""]),
        1 => one_of(&["sh:languageIn ( \"en\" )", "sh:languageIn ( \"de\" )"]),
        2 => any_node().prop_map(|v| format!("sh:hasValue {v}")),
        2 => values.prop_map(|v| format!("sh:in ( {} )", v.join(" "))),
        1 => predicate().prop_map(|p| format!("sh:equals {p}")),
        1 => predicate().prop_map(|p| format!("sh:disjoint {p}")),
        2 => prop::collection::vec(predicate(), 1..3)
            .prop_map(|p| format!("sh:closed true ; sh:ignoredProperties ( {} )", p.join(" "))),
    ]
}

/// A constraint that needs a path.
fn path_constraint() -> impl Strategy<Value = String> + Clone {
    prop_oneof![
        2 => (0..3_u8).prop_map(|n| format!("sh:minCount {n}")),
        2 => (0..3_u8).prop_map(|n| format!("sh:maxCount {n}")),
        1 => Just("sh:uniqueLang true".to_owned()),
        1 => predicate().prop_map(|p| format!("sh:lessThan {p}")),
        1 => predicate().prop_map(|p| format!("sh:lessThanOrEquals {p}")),
    ]
}

/// Constraints of which none stands twice where only one may.
fn body(constraints: Vec<String>) -> String {
    let mut seen = std::collections::BTreeSet::new();
    let once = |text: &String| text.split(' ').next().unwrap_or_default().to_owned();
    let many = ["sh:class", "sh:hasValue", "sh:node", "sh:property", "sh:not", "sh:or", "sh:and", "sh:xone"];
    let kept: Vec<String> = constraints
        .into_iter()
        .filter(|text| seen.insert(once(text)) || many.contains(&once(text).as_str()))
        .collect();
    kept.join(" ; ")
}

/// The inside of a shape, `[` and `]` left out: with a path or without.
fn inside(kind: &Kind) -> impl Strategy<Value = String> + Clone + use<> {
    let Kind { paths: path, all_forms, shapes_of_values } = kind.clone();
    let on_path = plain_constraint().prop_map(move |text| match text.split_once(" ; ") {
        Some(("sh:closed true", _)) if !all_forms => "sh:nodeKind sh:IRI".to_owned(),
        _ => text,
    });
    let leaf = prop::collection::vec(plain_constraint(), 1..3).prop_map(body);
    leaf.boxed().prop_recursive(3, 12, 3, move |inner| {
        let property = (path.clone(), prop::collection::vec(prop_oneof![on_path.clone(), path_constraint()], 0..3), inner.clone())
            .prop_map(|(path, mut constraints, inside)| {
                // A node shape inside is asked of the values.
                constraints.push(format!("sh:node [ {inside} ]"));
                format!("sh:property [ sh:path {path} ; {} ]", body(constraints))
            });
        let simple = (path.clone(), prop::collection::vec(prop_oneof![on_path.clone(), path_constraint()], 1..4))
            .prop_map(|(path, constraints)| format!("sh:property [ sh:path {path} ; {} ]", body(constraints)));
        let qualified = (path.clone(), inner.clone(), inner.clone(), 0..2_u8, any::<bool>()).prop_map(|(p, a, b, n, disjoint)| {
            let disjoint = if disjoint { " ; sh:qualifiedValueShapesDisjoint true" } else { "" };
            format!(
                "sh:property [ sh:path {p} ; sh:qualifiedValueShape [ {a} ] ; sh:qualifiedMinCount {n}{disjoint} ], \
                 [ sh:path {p} ; sh:qualifiedValueShape [ {b} ] ; sh:qualifiedMaxCount {n}{disjoint} ]"
            )
        });
        let deep = if shapes_of_values {
            prop_oneof![3 => property, 1 => qualified].boxed()
        } else {
            simple.clone().boxed()
        };
        prop_oneof![
            3 => simple,
            4 => deep,
            2 => inner.clone().prop_map(|i| format!("sh:not [ {i} ]")),
            1 => inner.clone().prop_map(|i| format!("sh:node [ {i} ]")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("sh:or ( [ {a} ] [ {b} ] )")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("sh:xone ( [ {a} ] [ {b} ] )")),
            1 => (inner.clone(), inner).prop_map(|(a, b)| format!("sh:and ( [ {a} ] [ {b} ] )")),
        ]
    })
}

/// What a shape is validated on.
pub(crate) fn target() -> impl Strategy<Value = String> + Clone {
    prop_oneof![
        4 => class().prop_map(|c| format!("sh:targetClass {c}")),
        2 => predicate().prop_map(|p| format!("sh:targetSubjectsOf {p}")),
        2 => predicate().prop_map(|p| format!("sh:targetObjectsOf {p}")),
        1 => prop_oneof![node(), one_of(&["e:unknown", "\"x\""])].prop_map(|n| format!("sh:targetNode {n}")),
    ]
}

/// A shapes graph of one to three shapes with targets.
pub(crate) fn any_shapes() -> impl Strategy<Value = Vec<String>> {
    shapes_of(&Kind { paths: any_paths(), all_forms: true, shapes_of_values: true })
}

/// The same of some kind only.
pub(crate) fn shapes_of(kind: &Kind) -> impl Strategy<Value = Vec<String>> + use<> {
    let shape = (prop::collection::vec(target(), 1..3), prop::collection::vec(inside(kind), 1..3), 0..12_u8);
    let all_forms = kind.all_forms;
    prop::collection::vec(shape, 1..4).prop_map(move |shapes| {
        let shapes = shapes.into_iter().enumerate();
        shapes
            .map(|(n, (targets, insides, seldom))| {
                let off = if seldom == 0 { " ; sh:deactivated true" } else { "" };
                let mut parts: Vec<String> = insides.iter().flat_map(|i| split(i)).collect();
                let has_complex_path = |part: &String| {
                    part.starts_with("sh:property") && !part.starts_with("sh:property [ sh:path e:")
                };
                if !all_forms && parts.iter().any(has_complex_path) {
                    parts.retain(|part| !part.starts_with("sh:closed") && !part.starts_with("sh:ignored"));
                }
                if let (false, Some(at)) =
                    (all_forms, parts.iter().position(|part| part.starts_with("sh:not")))
                {
                    let first = parts.remove(at);
                    parts.retain(|part| !part.starts_with("sh:not"));
                    parts.push(first);
                }
                if parts.is_empty() {
                    parts.push("sh:nodeKind sh:IRI".to_owned());
                }
                format!("e:s{n} {} ; {}{off} .", targets.join(" ; "), body(parts))
            })
            .collect()
    })
}

/// Two counted property shapes of the first shape, `e:own` and `e:other`, with names and paths of their own: values of the one
/// must not conform to what the other counts.
#[derive(Clone, Debug)]
pub(crate) struct Siblings {
    /// Of `e:own`.
    pub path: String,
    own: String,
    other: String,
}

impl Siblings {
    /// In several documents, so that blank nodes keep their names when the path changes.
    pub(crate) fn documents(&self) -> [String; 3] {
        let Self { path, own, other } = self;
        [
            format!("e:own sh:path {path} ."),
            format!("e:own {own} ."),
            format!("e:s0 sh:property e:own, e:other . e:other {other} ."),
        ]
    }
}

pub(crate) fn any_siblings() -> impl Strategy<Value = Siblings> {
    let inside = inside(&Kind { paths: any_paths(), all_forms: true, shapes_of_values: true });
    let targets = prop::option::weighted(0.3, target());
    (any_paths(), any_paths(), inside.clone(), inside, 0..2_u8, targets).prop_map(|(path, q, a, b, n, target)| {
        let target = target.map(|target| format!(" ; {target}")).unwrap_or_default();
        let own = format!(
            "sh:qualifiedValueShape [ {a} ] ; sh:qualifiedMaxCount {n} ; sh:qualifiedValueShapesDisjoint true{target}"
        );
        let other = format!("sh:path {q} ; sh:qualifiedValueShape [ {b} ] ; sh:qualifiedMinCount 0");
        Siblings { path, own, other }
    })
}

/// The constraints of an inside, taken apart where they are joined at the outermost level.
fn split(inside: &str) -> Vec<String> {
    let (mut parts, mut depth, mut at) = (Vec::new(), 0_i32, String::new());
    for word in inside.split(' ') {
        depth += i32::try_from(word.matches(['[', '(']).count()).unwrap_or(0);
        depth -= i32::try_from(word.matches([']', ')']).count()).unwrap_or(0);
        if word == ";" && depth == 0 {
            parts.push(std::mem::take(&mut at).trim().to_owned());
        } else {
            at.push_str(word);
            at.push(' ');
        }
    }
    parts.push(at.trim().to_owned());
    parts
}

/// One triple, without the full stop.
pub(crate) fn any_statement() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => (node(), predicate(), any_node()).prop_map(|(s, p, o)| format!("{s} {p} {o}")),
        3 => (node(), class()).prop_map(|(s, c)| format!("{s} a {c}")),
        2 => (class(), class()).prop_map(|(c, d)| format!("{c} rdfs:subClassOf {d}")),
    ]
}
