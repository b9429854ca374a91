//! What a revalidation costs, counted where triples are read; and what is refused or given up when it would cost too much.

use std::cell::Cell;
use std::fmt::Write as _;

use super::*;
use crate::shacl::{FOOTPRINT_MAX, SHAPE_PARTS_MAX};

const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";

/// A graph that counts lookups and the triples that they give.
struct Counting {
    graph: Graph,
    reads: Cell<u64>,
    /// A node that is not under test.
    beside: Option<Term>,
}

impl Counting {
    fn of(graph: &Graph) -> Self {
        Self { graph: graph.clone(), reads: Cell::new(0), beside: None }
    }

    fn count<T>(&self, found: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        self.reads.set(self.reads.get() + 1);
        found.inspect(|_| self.reads.set(self.reads.get() + 1))
    }
}

impl Index for Counting {
    fn id_of(&self, term: &Term) -> Option<Id> {
        self.graph.id_of(term)
    }

    fn term(&self, id: Id) -> Option<&Term> {
        self.graph.term(id)
    }

    fn has(&self, subject: Id, predicate: Id, object: Id) -> bool {
        self.count(std::iter::once(())).for_each(drop);
        self.graph.has(subject, predicate, object)
    }

    fn outgoing(&self, subject: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        self.count(self.graph.outgoing(subject))
    }

    fn incoming(&self, object: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        self.count(self.graph.incoming(object))
    }

    fn objects_of(&self, subject: Id, predicate: Id) -> impl Iterator<Item = Id> + '_ {
        self.count(self.graph.objects_of(subject, predicate))
    }

    fn subjects_of(&self, predicate: Id, object: Id) -> impl Iterator<Item = Id> + '_ {
        self.count(self.graph.subjects_of(predicate, object))
    }

    fn with_predicate(&self, predicate: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        self.count(self.graph.with_predicate(predicate))
    }

    fn all(&self) -> impl Iterator<Item = [Id; 3]> + '_ {
        self.count(self.graph.all())
    }

    fn is_under_test(&self, node: &Term) -> bool {
        self.beside.as_ref() != Some(node)
    }
}

/// Entities of seven triples, of as many classes as there are shapes; each class below one of all.
fn entities(triples: usize, classes: usize) -> Graph {
    let mut text = String::new();
    for class in 0..classes {
        writeln!(text, "e:C{class} rdfs:subClassOf e:All .").unwrap();
    }
    for n in 0..triples / 7 {
        let (class, next) = (n % classes, n + 1);
        writeln!(
            text,
            "e:n{n} a e:C{class} ; e:p0 {n} ; e:p1 \"{n}\" ; e:p2 {n} ; e:p3 1 ; e:p4 2 ; e:to e:n{next} ."
        )
        .unwrap();
    }
    read(&text)
}

fn shapes_for(classes: usize) -> Shapes {
    let shape = |class: usize| {
        format!(
            "e:s{class} sh:targetClass e:C{class} ; sh:property [ sh:path e:p0 ; sh:maxCount 1 ; sh:datatype xsd:integer ],
                [ sh:path e:p1 ; sh:minCount 1 ; sh:minLength 1 ], [ sh:path ( e:to e:p2 ) ; sh:maxCount 2 ],
                [ sh:path e:to ; sh:class e:All ], [ sh:path [ sh:inversePath e:to ] ; sh:maxCount 1 ] ; sh:closed false .\n"
        )
    };
    Shapes::compile(&read(&(0..classes).map(shape).collect::<String>())).unwrap()
}

/// Reads of a revalidation, counted by the index itself.
fn counted(shapes: &Shapes, before: &Graph, report: &Report, changed: &str) -> u64 {
    let changed = read(changed);
    let (added, removed) = changed.iter().partition(|triple| !before.contains(triple));
    let delta = TripleDelta { added, removed };
    let after = delta.apply(before).unwrap();
    let (before, after) = (Counting::of(before), Counting::of(&after));
    let change = Change { before: &before, after: &after, delta: &delta };
    let found = shapes.revalidate(shapes, report, &change).unwrap();
    assert_eq!(found.in_full, BTreeMap::new());
    let reads = before.reads.get() + after.reads.get();
    assert!(found.report == shapes.validate(&after).unwrap(), "{changed:?}");
    reads
}

#[test]
fn what_a_changed_triple_reads_grows_neither_with_the_graph_nor_with_the_shapes() {
    let changes =
        ["e:n60 e:p0 1 .", "e:n60 e:p0 60 .", "e:n60 e:to e:n9 .", "e:n60 e:p2 7 .", "e:new a e:C3 ."];
    let reads = |triples: usize, classes: usize| {
        let (graph, shapes) = (entities(triples, classes), shapes_for(classes));
        let report = shapes.validate(&graph).unwrap();
        changes.map(|changed| counted(&shapes, &graph, &report, changed))
    };
    let small = reads(1_000, 5);
    assert!(small.iter().all(|reads| (1..400).contains(reads)), "{small:?}");
    for (triples, classes) in [(100_000, 5), (1_000, 50)] {
        let large = reads(triples, classes);
        for (changed, (small, large)) in changes.iter().zip(small.iter().zip(large)) {
            // Every shape reads `e:to` and is followed to; what is found is validated for its own shape alone.
            let most = if classes > 5 { small * 12 } else { *small };
            assert!(
                large <= most,
                "{changed}: {large} reads of {triples} triples, {classes} shapes; {small} before"
            );
        }
    }
}

#[test]
fn a_node_that_is_not_under_test_is_not_validated_known_or_not() {
    let shapes = "e:s sh:targetNode e:a ; sh:property [ sh:path e:p ; sh:minCount 1 ] .";
    let shapes = Shapes::compile(&read(shapes)).unwrap();
    for beside in [None, Some(Term::Iri(Iri::new("urn:e:a").unwrap()))] {
        let [before, after] = ["e:b e:q 1 .", "e:b e:q 1 ; e:z e:a ."].map(|text| {
            let graph = read(text);
            Counting { beside: beside.clone(), ..Counting::of(&graph) }
        });
        let delta = TripleDelta::between(&before.graph, &after.graph);
        let report = shapes.validate(&before).unwrap();
        assert_eq!(report.len(), usize::from(beside.is_none()));
        let change = Change { before: &before, after: &after, delta: &delta };
        let found = shapes.revalidate(&shapes, &report, &change).unwrap();
        assert!(found.report == shapes.validate(&after).unwrap());
    }
}

#[test]
fn a_change_that_is_dear_to_follow_is_validated_in_full_instead() {
    // From a class high up, back to all that is below it, once for every shape.
    let classes = 60;
    let mut shapes = String::new();
    for n in 0..classes {
        writeln!(shapes, "e:s{n} sh:targetNode e:n{n} ; sh:property [ sh:path e:to ; sh:class e:All ] .")
            .unwrap();
    }
    let mut graph = String::new();
    for n in 0..19_000 {
        writeln!(graph, "e:n{n} a e:C ; e:to e:n{} .", n + 1).unwrap();
    }
    let (found, told) = after(&shapes, &graph, &format!("{graph} e:C rdfs:subClassOf e:All ."));
    assert_eq!(found, [""; 0]);
    assert!((1..classes).contains(&told.in_full.len()), "{:?}", told.in_full);
    assert!(told.in_full.values().all(|why| *why == Reason::TooMany));
    assert!(told.reads < 2 * FOLLOWED_MAX, "{}", told.reads);
}

#[test]
fn a_path_too_long_to_be_followed_backwards_is_validated_in_full() {
    // Each part is read at the end of all parts before it.
    let mut parts = 2;
    while parts * parts / 2 < FOOTPRINT_MAX * 2 {
        parts += 1;
    }
    let shapes = format!(
        "e:s sh:targetNode e:a ; sh:property [ sh:path ( {} ) ; sh:minCount 1 ] .
         e:t sh:targetNode e:a ; sh:property [ sh:path e:q ; sh:minCount 1 ] .",
        "e:p ".repeat(parts)
    );
    let (found, told) = after(&shapes, "e:a e:q 1 .", "e:a e:q 1 ; e:p e:a .");
    assert_eq!(found, [""; 0]);
    let in_full: Vec<_> = told.in_full.iter().map(|(name, why)| (name.as_str(), *why)).collect();
    assert_eq!(in_full, [("urn:e:s", Reason::Unbounded)]);
}

#[test]
fn footprints_of_many_shapes_together_are_bounded() {
    // Each shape reads at the end of long paths; all together they would be gigabytes.
    let mut shapes =
        format!("e:inner sh:property [ sh:path ( {} ) ; sh:minCount 1 ] .\n", "e:p ".repeat(150));
    for n in 0..500 {
        writeln!(shapes, "e:s{n} sh:targetNode e:n{n} ; sh:node e:inner .").unwrap();
    }
    let shapes = Shapes::compile(&read(&shapes)).unwrap();
    let whole = 500 - shapes.footprints.unbounded().len();
    assert!((10..490).contains(&whole), "{whole}");
}

#[test]
fn paths_and_lists_that_are_shared_are_counted_where_they_are_used() {
    let mut doubled =
        String::from("e:s sh:targetNode e:a ; sh:path _:b0 ; sh:minCount 1 . _:b24 sh:inversePath e:p .\n");
    for n in 0..24 {
        writeln!(doubled, "_:b{n} sh:alternativePath ( _:b{0} _:b{0} ) .", n + 1).unwrap();
    }
    let members = 4_000;
    let mut shared = format!("e:s sh:in {} .\n", "_:l0");
    for n in 0..members {
        writeln!(shared, "_:l{n} <{0}first> {n} ; <{0}rest> _:l{1} .", RDF, n + 1).unwrap();
    }
    writeln!(shared, "_:l{members} <{RDF}first> 0 ; <{RDF}rest> <{RDF}nil> .").unwrap();
    for n in 0..=SHAPE_PARTS_MAX / members {
        writeln!(shared, "e:s{n} sh:in _:l0 .").unwrap();
    }
    for text in [doubled, shared] {
        let error = Shapes::compile(&read(&text)).unwrap_err();
        assert_eq!(error.code(), "KNHK-E1312", "{error}");
    }
}
