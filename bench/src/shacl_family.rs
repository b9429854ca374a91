//! Graphs of any size of one kind: 50 classes, seven triples an entity, one entity in 500 at fault; and 50 node shapes of
//! five property shapes each for them. The same size gives the same graph everywhere.

use std::fmt::Write as _;

/// Classes, and node shapes.
const CLASSES: usize = 50;
/// Triples of one entity.
pub(crate) const TRIPLES_OF_ONE: usize = 7;

const PREFIXES: &str = "@prefix e: <urn:e:> .\n@prefix sh: <http://www.w3.org/ns/shacl#> .\n\
                        @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .\n";

/// About `triples` triples of entities, in Turtle.
pub(crate) fn data(triples: usize) -> String {
    let entities = triples / TRIPLES_OF_ONE;
    let mut text = PREFIXES.to_owned();
    for n in 0..entities {
        let class = n % CLASSES;
        // A neighbour of the same class, so that `sh:class` has something to look at.
        let next = if n + CLASSES < entities { n + CLASSES } else { class };
        let amount = if n % 500 == 7 { -1 } else { i64::try_from(n % 100).unwrap_or(0) };
        let _ = writeln!(
            text,
            "e:n{n} a e:C{class} ; e:p{class}name \"name {n}\" ; e:p{class}amount {amount} ; \
             e:p{class}code \"x{n}\" ; e:p{class}next e:n{next} ; e:p{class}colour \"red\" ; e:note \"n{n}\" .",
        );
    }
    text
}

/// The shapes, in Turtle.
pub(crate) fn shapes() -> String {
    let mut text = PREFIXES.to_owned();
    for class in 0..CLASSES {
        let _ = writeln!(
            text,
            "e:S{class} a sh:NodeShape ; sh:targetClass e:C{class} ;\n\
             sh:property [ sh:path e:p{class}name ; sh:minCount 1 ; sh:maxCount 1 ; sh:datatype xsd:string ] ;\n\
             sh:property [ sh:path e:p{class}amount ; sh:minCount 1 ; sh:datatype xsd:integer ;\n\
             sh:minInclusive 0 ; sh:maxInclusive 1000 ] ;\n\
             sh:property [ sh:path e:p{class}code ; sh:minCount 1 ; sh:pattern \"^x[0-9]+$\" ] ;\n\
             sh:property [ sh:path e:p{class}next ; sh:maxCount 1 ; sh:class e:C{class} ] ;\n\
             sh:property [ sh:path e:p{class}colour ; sh:in ( \"red\" \"green\" \"blue\" ) ] .",
        );
    }
    text
}

/// A change of `size` triples: of entities spread over the graph, amounts are set anew, every second of them wrongly.
/// Removed and added triples, in Turtle; a change of one triple only adds.
pub(crate) fn change(triples: usize, size: usize) -> [String; 2] {
    let entities = triples / TRIPLES_OF_ONE;
    let mut sides = [PREFIXES.to_owned(), PREFIXES.to_owned()];
    if size == 1 {
        let n = entities / 2;
        let _ = writeln!(sides[1], "e:n{n} e:p{}amount -5 .", n % CLASSES);
        return sides;
    }
    let changed = size / 2;
    for k in 0..changed {
        let n = (k * entities / changed + 11) % entities;
        let class = n % CLASSES;
        let old = if n % 500 == 7 { -1 } else { i64::try_from(n % 100).unwrap_or(0) };
        let new = if k % 2 == 0 { 100 + old } else { -2 - old };
        let _ = writeln!(sides[0], "e:n{n} e:p{class}amount {old} .");
        let _ = writeln!(sides[1], "e:n{n} e:p{class}amount {new} .");
    }
    sides
}
