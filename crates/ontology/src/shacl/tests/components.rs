//! What each component finds at one node, where the Recommendation has to be read closely.

use super::read;
use crate::shacl::Shapes;

/// Components and values that shape `e:s`, of what is written, finds at `e:x`.
fn found(shape: &str, data: &str) -> Vec<String> {
    let shapes = Shapes::compile(&read(&format!("e:s sh:targetNode e:x ; {shape} ."))).unwrap();
    let report = shapes.validate(&read(data)).unwrap();
    let told = report.violations().into_iter().map(|v| {
        let name = v.component.rsplit('#').next().unwrap_or_default().replace("ConstraintComponent", "");
        format!("{name} {}", v.value.unwrap_or_default().replace("urn:e:", "")).trim_end().to_owned()
    });
    told.collect()
}

#[test]
fn components_find_what_the_recommendation_says() {
    for (shape, data, expected) in [
        // A literal has no class; a class is no instance of itself.
        ("sh:path e:p ; sh:class e:C", "e:x e:p e:C, e:y . e:y a e:C .", &["Class <C>"][..]),
        // A text that is not of its datatype breaks sh:datatype and can be compared with nothing.
        (
            "sh:path e:p ; sh:datatype xsd:byte",
            "e:x e:p \"128\"^^xsd:byte, \"-0\"^^xsd:byte .",
            &["Datatype \"128\"^^<http://www.w3.org/2001/XMLSchema#byte>"],
        ),
        (
            "sh:path e:p ; sh:minInclusive 1",
            "e:x e:p 1.0, \"1.0\"^^xsd:float, \"2\" .",
            &["MinInclusive \"2\""],
        ),
        // Length counts characters of the text of IRIs too; blank nodes have none.
        ("sh:path e:p ; sh:maxLength 2", "e:x e:p \"äö\", \"äöü\" .", &["MaxLength \"äöü\""]),
        ("sh:path e:p ; sh:maxLength 6 ", "e:x e:p e:abc .", &["MaxLength <abc>"]),
        ("sh:path e:p ; sh:nodeKind sh:BlankNode ; sh:class e:C", "e:x e:p [ a e:C ] .", &[]),
        // One result for each language that stands twice, without a value.
        (
            "sh:path e:p ; sh:uniqueLang true",
            "e:x e:p \"a\"@en, \"b\"@EN, \"c\"@en, \"d\"@de, \"e\"@de, \"f\", \"g\" .",
            &["UniqueLang", "UniqueLang"],
        ),
        ("sh:path e:p ; sh:languageIn ( \"en\" )", "e:x e:p \"a\"@en-gb, \"b\" .", &["LanguageIn \"b\""]),
        // Values on either side that the other side lacks.
        (
            "sh:path e:p ; sh:equals e:q",
            "e:x e:p 1, 2 ; e:q 2, 3 .",
            &[
                "Equals \"1\"^^<http://www.w3.org/2001/XMLSchema#integer>",
                "Equals \"3\"^^<http://www.w3.org/2001/XMLSchema#integer>",
            ],
        ),
        // A node shape's value is the node itself.
        ("sh:disjoint e:p", "e:x e:p e:x .", &["Disjoint <x>"]),
        // One result for each pair that is not in order; what cannot be compared is not.
        ("sh:path e:p ; sh:lessThan e:q", "e:x e:p e:a ; e:q 1, 2 .", &["LessThan <a>", "LessThan <a>"]),
        ("sh:path e:p ; sh:lessThan e:q", "e:x e:p 1 .", &[]),
        // Other terms with the same value are other terms.
        ("sh:path e:p ; sh:hasValue 1", "e:x e:p \"01\"^^xsd:integer .", &["HasValue"]),
        ("sh:path e:p ; sh:hasValue e:nowhere", "e:x e:p e:a .", &["HasValue"]),
        ("sh:hasValue e:x", "e:y e:p e:a .", &[]),
        ("sh:in ( e:x )", "e:y e:p e:a .", &[]),
        // Exactly one, not an odd number.
        (
            "sh:xone ( [ sh:nodeKind sh:IRI ] [ sh:hasValue e:x ] [ sh:in ( e:x ) ] )",
            "e:x e:p 1 .",
            &["Xone <x>"],
        ),
        // A deactivated shape is conformed to.
        ("sh:not [ sh:deactivated true ; sh:hasValue e:y ]", "e:x e:p 1 .", &["Not <x>"]),
        ("sh:property [ sh:path e:p ; sh:minCount 1 ; sh:deactivated true ]", "e:x e:q 1 .", &[]),
        // Warnings inside count as not conforming.
        ("sh:node [ sh:severity sh:Info ; sh:hasValue e:y ]", "e:x e:p 1 .", &["Node <x>"]),
        // Both sides of a count from one shape.
        (
            "sh:path e:p ; sh:qualifiedValueShape [ sh:datatype xsd:integer ] ; sh:qualifiedMinCount 2 ; sh:qualifiedMaxCount 0",
            "e:x e:p 1, \"a\" .",
            &["QualifiedMaxCount", "QualifiedMinCount"],
        ),
        // A complex path beside sh:closed allows nothing; what is ignored is not of the values.
        (
            "sh:closed true ; sh:ignoredProperties ( e:p ) ; sh:property [ sh:path ( e:q e:r ) ]",
            "e:x e:p 1 ; e:q e:y .",
            &["Closed <y>"],
        ),
        // A closed property shape is about its values.
        ("sh:path e:p ; sh:closed true", "e:x e:p e:y ; e:q 1 . e:y e:q e:z .", &["Closed <z>"]),
        // Once or more comes back to where it began; a path goes on from a literal backwards.
        ("sh:path [ sh:oneOrMorePath e:p ] ; sh:maxCount 1", "e:x e:p e:y . e:y e:p e:x .", &["MaxCount"]),
        (
            "sh:path ( e:p [ sh:inversePath e:p ] ) ; sh:nodeKind sh:Literal",
            "e:x e:p 1 . e:y e:p 1 .",
            &["NodeKind <x>", "NodeKind <y>"],
        ),
    ] {
        assert_eq!(found(shape, data), expected, "{shape} on {data}");
    }
}

#[test]
fn long_lists_are_searched_as_short_ones_are() {
    let list: String = (0..40).map(|n| format!("{n} \"{n}\" e:m{n} ")).collect();
    let told = found(&format!("sh:path e:p ; sh:in ( {list} )"), "e:x e:p 7, \"39\", e:m0, e:m40, 40, 07 .");
    let integer = |text: &str| format!("In \"{text}\"^^<http://www.w3.org/2001/XMLSchema#integer>");
    assert_eq!(told, [integer("07"), integer("40"), "In <m40>".to_owned()]);
}

#[test]
fn a_value_among_many_does_not_make_reading_dear() {
    let shapes = read(
        "e:s sh:targetSubjectsOf e:p ; sh:path e:p ; sh:or ( [ sh:hasValue e:hub ] [ sh:class e:C ] ) .",
    );
    let data: String = (0..500).map(|n| format!("e:hub e:q {n} . e:n{n} e:p e:hub .\n")).collect();
    let (shapes, data) = (Shapes::compile(&shapes).unwrap(), read(&data));
    let bound = crate::shacl::Bound::new(&shapes.table, &data);
    for (no, _) in shapes.table.roots() {
        for focus in bound.focus_nodes(no).unwrap() {
            assert!(bound.evaluate(no, focus).unwrap().is_empty());
        }
    }
    assert!(bound.reads() < 20_000, "{} triples read: the hub's own are not asked for", bound.reads());
}
