use super::*;
use crate::turtle;

const PREFIXES: &str = r"
@prefix knhk: <urn:knhk:ns#> . @prefix e: <urn:e:x#> . @prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
";
const HAND_WRITTEN: &str = r#"
<urn:knhk:sector:x> a knhk:Sector ; rdfs:label "x" ; rdfs:comment "X." ; owl:imports <urn:knhk:sector:core> ;
knhk:namespace "urn:e:x#" ; knhk:heartbeat 2000 ; knhk:minimumConfidence 0.85 ; knhk:errorEventType "bad" .
e:C a owl:Class ; rdfs:label "C" ; rdfs:comment "C." ; rdfs:subClassOf knhk:Event ; knhk:eventType "c" ;
knhk:hot false ; knhk:expectedRate 30 ; e:steward "Ada", [ e:name "Bob" ] .
e:P a owl:Class ; rdfs:label "P" ; rdfs:comment "P." ; rdfs:subClassOf knhk:Part .
e:C.k a rdf:Property ; rdfs:label "k" ; rdfs:comment "K." ; e:note "kept" .
e:C.p a rdf:Property ; rdfs:label "p" ; rdfs:comment "P." ; rdfs:domain e:C .
e:limit a e:Threshold ; e:value 50000 .
[] a sh:NodeShape ; sh:targetClass e:C ; sh:closed true ; sh:ignoredProperties ( rdf:type ) ;
sh:property
    [ sh:path e:C.k ; knhk:key "k" ; sh:datatype xsd:string ; sh:in ( "b" "a" ) ; sh:minCount 1 ; sh:maxCount 1 ],
    [ sh:path e:C.p ; knhk:key "p" ; sh:or ( [ sh:datatype xsd:integer ] [ sh:class e:P ] ) ; sh:minCount 0 ;
      sh:minInclusive 1 ; sh:maxLength 9 ] .
e:PShape sh:targetClass e:P .
"#;

fn read(text: &str) -> Result<(Schema, Graph), OntologyError> {
    normalise(&turtle::parse(&format!("{PREFIXES}{text}")).unwrap())
}

#[test]
fn a_hand_written_sector_is_brought_into_canonical_form() {
    let (schema, graph) = read(HAND_WRITTEN).unwrap();
    assert_eq!((schema.settings.heartbeat_ms, schema.settings.minimum_confidence_ppm), (2000, 850_000));
    assert_eq!(schema.settings.expected_rates, BTreeMap::from([("c".to_owned(), 30)]));
    assert_eq!(schema.settings.error_event_types, BTreeSet::from(["bad".to_owned()]));
    let class = schema.class_of_event("c").unwrap();
    let (k, p) = (&class.properties["k"], &class.properties["p"]);
    assert_eq!((k.cardinality, p.cardinality), (Cardinality::One, Cardinality::ZeroOrMore));
    assert_eq!(k.facets.values, Some(BTreeSet::from(["a".to_owned(), "b".to_owned()])));
    assert_eq!(p.facets.min, Some(1.into()));
    assert_eq!(
        p.ranges,
        BTreeSet::from([Range::Datatype(Datatype::Integer), Range::Class(Iri::new("urn:e:x#P").unwrap())])
    );
    let lines = turtle::write_nquads(graph.iter());
    for kept in
        ["steward> \"Ada\"", "name> \"Bob\"", "note> \"kept\"", "value> \"50000\"", "expectedRate> \"30\""]
    {
        assert!(lines.contains(kept), "{kept}");
    }
    for rewritten in ["PShape", "ns#hot>", "minCount> \"0\""] {
        assert!(!lines.contains(rewritten), "{rewritten}");
    }
    assert_eq!(normalise(&graph).unwrap(), (schema.clone(), graph.clone()));
    assert_eq!(Schema::read(&Graph::new(), &graph).unwrap(), schema);
    // Another document of the same meaning: other blank node names, other order, the same graph but for the annotation.
    let other =
        read(&HAND_WRITTEN.replace(", [ e:name \"Bob\" ]", "").replace("( \"b\" \"a\" )", "( \"a\" \"b\" )"));
    let plain = read(&HAND_WRITTEN.replace(", [ e:name \"Bob\" ]", ""));
    assert_eq!(other.unwrap().1.root(), plain.unwrap().1.root());
}

#[test]
fn what_is_not_understood_is_refused_with_its_name() {
    for (from, to, code, mention) in [
        ("sh:closed true ;", "sh:closed false ;", "KNHK-E1305", "sh:closed"),
        ("sh:closed true ;", "sh:closed true ; sh:not e:P ;", "KNHK-E1304", "shacl#not"),
        ("sh:closed true ;", "sh:closed true ; rdfs:label \"x\" ;", "KNHK-E1304", "label"),
        ("( rdf:type )", "( rdf:type e:C.k )", "KNHK-E1305", "rdf:type"),
        ("sh:maxLength 9", "sh:pattern \"a\"", "KNHK-E1304", "shacl#pattern"),
        ("sh:maxLength 9", "sh:maxLength -9", "KNHK-E1305", "maxLength"),
        ("sh:maxLength 9", "sh:maxLength 99999999999", "KNHK-E1305", "maxLength"),
        ("sh:maxLength 9", "sh:class e:P", "KNHK-E1305", "sh:or"),
        ("sh:minInclusive 1 ;", "sh:minInclusive 1e0 ;", "KNHK-E1305", "minInclusive"),
        ("sh:datatype xsd:integer ", "sh:datatype xsd:float ", "KNHK-E1304", "float"),
        (" [ sh:class e:P ] )", " )", "KNHK-E1305", "two alternatives"),
        ("sh:class e:P", "sh:class e:Q", "KNHK-E1317", "#Q"),
        ("\"a\" )", "1 )", "KNHK-E1305", "sh:in"),
        ("sh:minCount 1 ; ", "", "", ""),
        ("rdfs:domain e:C .", "knhk:cardinality \"1\" .", "KNHK-E1305", "cardinality"),
        ("rdfs:domain e:C .", "knhk:cardinality \"7\" .", "KNHK-E1305", "cardinality"),
        ("rdfs:domain e:C .", "rdfs:domain e:P .", "KNHK-E1305", "domain"),
        ("rdfs:domain e:C .", "rdfs:range xsd:string .", "KNHK-E1305", "range"),
        ("rdfs:domain e:C .", "knhk:replacedBy e:C.z .", "KNHK-E1317", "C.z"),
        ("rdfs:domain e:C .", "sh:minCount 1 .", "KNHK-E1304", "minCount"),
        ("sh:path e:C.p ;", "sh:path e:C.k ;", "KNHK-E1305", "more than one key"),
        ("sh:path e:C.p ;", "sh:path e:C ;", "KNHK-E1305", "rdf:Property"),
        ("sh:path e:C.p ;", "", "KNHK-E1305", "sh:path"),
        ("knhk:key \"p\"", "knhk:key \"k\"", "KNHK-E1307", "k"),
        ("knhk:key \"p\" ;", "", "KNHK-E1305", "key"),
        ("e:PShape sh:targetClass e:P .", "", "KNHK-E1305", "#P"),
        (
            "e:PShape sh:targetClass e:P .",
            "e:PShape sh:targetClass e:P . e:S sh:targetClass e:P .",
            "KNHK-E1305",
            "#P",
        ),
        ("e:PShape sh:targetClass e:P .", "e:PShape a sh:NodeShape .", "KNHK-E1305", "targetClass"),
        ("e:limit", "<urn:other#limit>", "KNHK-E1313", "other"),
        ("a e:Threshold", "a sh:Rule", "KNHK-E1304", "Rule"),
        ("knhk:hot false", "knhk:hot \"no\"", "KNHK-E1305", "hot"),
        ("knhk:expectedRate 30", "knhk:eventType \"c\"@en", "KNHK-E1305", "language"),
        ("rdfs:label \"C\"", "rdfs:label \"C\", \"D\"", "KNHK-E1305", "label"),
        ("rdfs:subClassOf knhk:Event", "rdfs:subClassOf e:C", "KNHK-E1308", "#C"),
        ("rdfs:subClassOf knhk:Event", "rdfs:subClassOf e:Z", "KNHK-E1317", "#Z"),
        ("rdfs:subClassOf knhk:Event", "rdfs:subClassOf knhk:Part", "KNHK-E1305", "event type"),
        ("rdfs:subClassOf knhk:Event ;", "", "KNHK-E1305", "subClassOf"),
        ("rdfs:subClassOf knhk:Part", "rdfs:subClassOf knhk:Event ; knhk:eventType \"c\"", "KNHK-E1307", "c"),
        (
            "rdfs:subClassOf knhk:Part",
            "rdfs:subClassOf knhk:Part ; knhk:inSector <urn:knhk:sector:y>",
            "KNHK-E1305",
            "sector",
        ),
        ("rdfs:label \"x\"", "rdfs:label \"y\"", "KNHK-E1305", "urn:knhk:sector:y"),
        ("knhk:namespace \"urn:e:x#\"", "knhk:namespace \"urn:e:x\"", "KNHK-E1305", "namespace"),
        ("knhk:namespace \"urn:e:x#\"", "knhk:namespace \"urn:knhk:ns#\"", "KNHK-E1313", "urn:e:x#"),
        ("knhk:heartbeat 2000", "knhk:promotionPolicy \"me\"", "KNHK-E1305", "policy"),
        ("knhk:heartbeat 2000", "knhk:compatibility \"me\"", "KNHK-E1305", "compatibility"),
        ("knhk:minimumConfidence 0.85", "knhk:minimumConfidence 1.5", "KNHK-E1305", "0 to 1"),
        ("a knhk:Sector", "a e:Sector", "KNHK-E1305", "knhk:Sector"),
    ] {
        assert!(HAND_WRITTEN.contains(from), "{from}");
        let result = read(&HAND_WRITTEN.replacen(from, to, 1));
        match result {
            Ok(_) => assert_eq!(code, "", "{from} → {to} was accepted"),
            Err(error) => {
                assert_eq!(error.code(), code, "{from} → {to}: {error}");
                assert!(error.to_string().contains(mention), "{from} → {to}: {error}");
            }
        }
    }
}

#[test]
fn a_list_that_is_circular_or_shared_is_refused() {
    let circle = "e:l rdf:first \"b\" ; rdf:rest e:l .";
    let error = read(&(HAND_WRITTEN.replace("( \"b\" \"a\" )", "e:l") + circle)).unwrap_err();
    assert_eq!(error.code(), "KNHK-E1305", "{error}");
    let shared = HAND_WRITTEN.replace("( \"b\" \"a\" )", "e:l").replace(
        "sh:or ( [ sh:datatype xsd:integer ] [ sh:class e:P ] )",
        "sh:datatype xsd:string ; sh:in e:l",
    );
    let list = "e:l rdf:first \"b\" ; rdf:rest rdf:nil .";
    let error = read(&(shared + list)).unwrap_err();
    assert!(error.to_string().contains("two lists"), "{error}");
}
