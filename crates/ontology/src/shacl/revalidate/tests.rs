use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::graph::Graph;
use crate::index::Composed;
use crate::shacl::samples::{Siblings, any_paths, any_shapes, any_siblings, any_statement, read, target};

/// What a step changes: statements toggled, and perhaps the shapes.
#[derive(Clone, Debug)]
struct Step {
    toggled: Vec<String>,
    shapes: Option<Reshape>,
    /// Whether the graph after it is made anew, so that its terms have other numbers.
    renumbered: bool,
}

/// A change of the shapes.
#[derive(Clone, Debug)]
enum Reshape {
    /// New ones for all of them or for the first ones.
    Others(Vec<String>, bool),
    /// Another target for one of them.
    Target(usize, String),
    /// Other named siblings, or none.
    Siblings(Option<Siblings>),
    /// Another path for one of them.
    Path(String),
}

impl Reshape {
    fn apply(self, shapes: &mut Said) {
        match self {
            Self::Others(new, all) => {
                let rest = shapes.shapes.split_off(new.len().min(shapes.shapes.len()));
                shapes.shapes = new;
                shapes.shapes.extend(rest.into_iter().filter(|_| !all));
            }
            Self::Target(no, target) => {
                let no = no % shapes.shapes.len();
                let rest = shapes.shapes[no].split_once(" ; ").unwrap().1;
                shapes.shapes[no] = format!("e:s{no} {target} ; {rest}");
            }
            Self::Siblings(siblings) => shapes.siblings = siblings,
            Self::Path(path) => shapes.siblings.iter_mut().for_each(|own| own.path.clone_from(&path)),
        }
    }
}

/// A shapes graph: `e:s0` and so on, and perhaps named siblings.
#[derive(Clone, Debug)]
struct Said {
    shapes: Vec<String>,
    siblings: Option<Siblings>,
}

fn any_said() -> impl Strategy<Value = Said> {
    (any_shapes(), prop::option::weighted(0.5, any_siblings()))
        .prop_map(|(shapes, siblings)| Said { shapes, siblings })
}

impl Said {
    fn compiled(&self) -> Shapes {
        let mut documents = Vec::new();
        for shape in &self.shapes {
            // Blank nodes are named by their document: those of a shape stay when only its target changes.
            let (head, rest) = shape.split_once(" ; ").unwrap();
            let name = head.split(' ').next().unwrap();
            documents.extend([format!("{head} ."), format!("{name} {rest}")]);
        }
        documents.extend(self.siblings.iter().flat_map(Siblings::documents));
        let mut graph = Graph::new();
        for document in &documents {
            graph.extend(read(document).iter());
        }
        Shapes::compile(&graph).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let reshape = prop_oneof![
        2 => (any_shapes(), any::<bool>()).prop_map(|(new, all)| Reshape::Others(new, all)),
        2 => (0..3_usize, target()).prop_map(|(no, target)| Reshape::Target(no, target)),
        1 => prop::option::weighted(0.8, any_siblings()).prop_map(Reshape::Siblings),
        2 => any_paths().prop_map(Reshape::Path),
    ];
    let step = (
        prop::collection::vec(any_statement(), 0..6),
        prop::option::weighted(0.3, reshape),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(toggled, shapes, renumbered)| Step { toggled, shapes, renumbered });
    prop::collection::vec(step, 1..5)
}

fn graph_of(statements: &BTreeSet<String>) -> Graph {
    let text: String = statements.iter().map(|statement| format!("{statement} .\n")).collect();
    read(&text)
}

/// Core and sector, or one graph alone.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Over {
    Graph,
    Sigma,
}

fn incremental_is_full(
    over: Over,
    mut shapes: Said,
    [lower, statements]: [Vec<String>; 2],
    steps: Vec<Step>,
) -> Result<(), TestCaseError> {
    let mut current = shapes.compiled();
    let core = graph_of(&if over == Over::Sigma { lower.into_iter().collect() } else { BTreeSet::new() });
    let mut statements: BTreeSet<String> = statements.into_iter().collect();
    let mut graph = graph_of(&statements).numbered_after(&core);
    let mut report = current.validate(&Composed::new(&core, &graph)).unwrap();
    for step in steps {
        for statement in &step.toggled {
            if !statements.remove(statement) {
                statements.insert(statement.clone());
            }
        }
        let wanted = graph_of(&statements);
        let delta = TripleDelta::between(&graph, &wanted);
        let after = if step.renumbered { wanted } else { delta.apply(&graph).unwrap() };
        let mut next = current.clone();
        if let Some(reshape) = step.shapes {
            reshape.apply(&mut shapes);
            next = shapes.compiled();
        }
        let (found, full) = match over {
            Over::Graph => {
                let change = Change { before: &graph, after: &after, delta: &delta };
                (next.revalidate(&current, &report, &change).unwrap(), next.validate(&after).unwrap())
            }
            Over::Sigma => {
                let [before, after] = [&graph, &after].map(|sector| Composed::new(&core, sector));
                let change = Change { before: &before, after: &after, delta: &delta.beside(&core) };
                (next.revalidate(&current, &report, &change).unwrap(), next.validate(&after).unwrap())
            }
        };
        prop_assert_eq!(
            found.report.violations(),
            full.violations(),
            "{:?}\ncore {:?}\nbefore {:?}\ndelta {:?}",
            shapes,
            core,
            graph,
            delta
        );
        prop_assert!(found.report == full, "kept alike");
        (graph, report, current) = (after, found.report, next);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn the_report_after_a_change_is_that_of_a_full_validation(
        shapes in any_said(),
        statements in prop::collection::vec(any_statement(), 0..25),
        steps in any_steps(),
    ) {
        incremental_is_full(Over::Graph, shapes, [Vec::new(), statements], steps)?;
    }

    #[test]
    fn the_report_after_a_change_of_the_sector_is_that_of_a_full_validation_of_both(
        shapes in any_said(),
        core in prop::collection::vec(any_statement(), 0..15),
        sector in prop::collection::vec(any_statement(), 0..15),
        steps in any_steps(),
    ) {
        incremental_is_full(Over::Sigma, shapes, [core, sector], steps)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100_000, ..ProptestConfig::default() })]

    #[test]
    #[ignore = "minutes; `scripts/test --long` runs it"]
    fn the_report_after_a_change_is_that_of_a_full_validation_at_length(
        shapes in any_said(),
        core in prop::collection::vec(any_statement(), 0..20),
        statements in prop::collection::vec(any_statement(), 0..40),
        steps in any_steps(),
        over in prop::sample::select(vec![Over::Graph, Over::Sigma]),
    ) {
        incremental_is_full(over, shapes, [core, statements], steps)?;
    }
}

/// What validation of everything says after a change, and that revalidation says the same; then what it looked at.
fn after(shapes: &str, before: &str, after: &str) -> (Vec<String>, Revalidation) {
    let shapes = Shapes::compile(&read(shapes)).unwrap();
    let (before, wanted) = (read(before), read(after));
    let delta = TripleDelta::between(&before, &wanted);
    let after = delta.apply(&before).unwrap();
    let report = shapes.validate(&before).unwrap();
    let change = Change { before: &before, after: &after, delta: &delta };
    let found = shapes.revalidate(&shapes, &report, &change).unwrap();
    assert_eq!(found.report.violations(), shapes.validate(&after).unwrap().violations());
    (found.report.violations().into_iter().map(|violation| violation.focus).collect(), found)
}

#[test]
fn a_type_and_what_it_is_below_may_go_at_once() {
    let shapes = "e:s sh:targetClass e:C ; sh:property [ sh:path e:p ; sh:minCount 1 ] .";
    let before = "e:x a e:D . e:D rdfs:subClassOf e:C .";
    let deeper = "e:x a e:D . e:D rdfs:subClassOf e:E . e:E rdfs:subClassOf e:C .";
    assert_eq!(after(shapes, before, "e:x e:q 1 .").0, [""; 0]);
    assert_eq!(after(shapes, "e:x e:q 1 .", before).0, ["<urn:e:x>"]);
    assert_eq!(after(shapes, before, deeper).0, ["<urn:e:x>"]);
}

#[test]
fn a_sequence_read_backwards_is_read_from_its_end() {
    let shapes =
        "e:s sh:targetClass e:C ; sh:property [ sh:path [ sh:inversePath ( e:p e:q ) ] ; sh:minCount 1 ] .";
    let whole = "e:x a e:C . e:a e:p e:b . e:b e:q e:x .";
    assert_eq!(after(shapes, whole, "e:x a e:C . e:b e:q e:x .").0, ["<urn:e:x>"]);
    assert_eq!(after(shapes, whole, "e:x a e:C . e:a e:p e:b .").0, ["<urn:e:x>"]);
    assert_eq!(after(shapes, "e:x a e:C . e:b e:q e:x .", whole).0, [""; 0]);
}

#[test]
fn what_siblings_of_a_counted_shape_read_counts_as_well() {
    // The shape with a target is one of two siblings; only through the other it reads e:q.
    let shapes = "e:parent sh:property e:one, e:two .
        e:one sh:targetClass e:C ; sh:path e:p ; sh:qualifiedValueShape [ sh:class e:D ] ;
            sh:qualifiedMinCount 1 ; sh:qualifiedValueShapesDisjoint true .
        e:two sh:path e:p ; sh:qualifiedMinCount 0 ;
            sh:qualifiedValueShape [ sh:property [ sh:path e:q ; sh:minCount 1 ] ] .";
    let before = "e:x a e:C ; e:p e:y . e:y a e:D .";
    assert_eq!(after(shapes, before, &format!("{before} e:y e:q 1 .")).0, ["<urn:e:x>"]);
}

#[test]
fn a_target_node_that_the_data_no_longer_knows_is_still_validated() {
    let shapes = "e:s sh:targetNode e:a ; sh:property [ sh:path e:p ; sh:minCount 1 ] .";
    let shapes = Shapes::compile(&read(shapes)).unwrap();
    let (before, after) = (read("e:a e:p 1 ."), read("e:b e:p 1 ."));
    let delta = TripleDelta::between(&before, &after);
    let report = shapes.validate(&before).unwrap();
    assert!(report.conforms());
    let found =
        shapes.revalidate(&shapes, &report, &Change { before: &before, after: &after, delta: &delta });
    assert_eq!(found.unwrap().report.violations(), shapes.validate(&after).unwrap().violations());
    assert_eq!(shapes.validate(&after).unwrap().len(), 1);
}

#[test]
fn a_change_that_reaches_too_much_is_validated_in_full_and_told() {
    let shapes = "e:s sh:targetClass e:C ; sh:property [ sh:path ( e:p e:q ) ; sh:minCount 1 ] .";
    let many: String = (0..=AFFECTED_MAX).map(|n| format!("e:n{n} a e:C ; e:p e:hub .\n")).collect();
    let (found, told) = after(shapes, &many, &format!("{many} e:hub e:q 1 ."));
    assert_eq!(found, [""; 0]);
    let in_full: Vec<_> = told.in_full.iter().map(|(name, why)| (name.as_str(), *why)).collect();
    assert_eq!(in_full, [("urn:e:s", Reason::TooMany)]);
}

mod work;
