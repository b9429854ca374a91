use std::collections::BTreeSet;

use super::*;
use crate::pack::Pack;

const SECTOR: &str = r#"
@prefix knhk: <urn:knhk:ns#> . @prefix e: <urn:e:x#> . @prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
<urn:knhk:sector:x> a knhk:Sector ; rdfs:label "x" ; rdfs:comment "X." ; owl:imports <urn:knhk:sector:core> ;
    knhk:namespace "urn:e:x#" ; knhk:promotionPolicy "automatic" ; knhk:compatibility "backward" .
e:C a owl:Class ; rdfs:label "C" ; rdfs:comment "C." ; rdfs:subClassOf knhk:Event ; knhk:eventType "c" ;
    knhk:inSector <urn:knhk:sector:x> .
e:C.k a rdf:Property ; rdfs:label "k" ; rdfs:comment "K." ; rdfs:domain e:C ; rdfs:range xsd:string ;
    knhk:cardinality "1" ; knhk:inSector <urn:knhk:sector:x> .
e:C-shape a sh:NodeShape ; sh:targetClass e:C ; sh:closed true ; sh:property e:C.k-shape .
e:C.k-shape a sh:PropertyShape ; sh:path e:C.k ; knhk:key "k" ; sh:datatype xsd:string ; sh:minCount 1 ; sh:maxCount 1 .
"#;

fn shapes_broken(text: &str) -> Vec<String> {
    let sigma = Sigma::new(core_graph().unwrap().clone(), turtle::parse(text).unwrap());
    let found = meta_report(&sigma).unwrap().violations();
    let names: BTreeSet<String> = found
        .iter()
        .map(|v| {
            assert!(!v.message.is_empty(), "{v:?}");
            v.shape.trim_start_matches("urn:knhk:ns#meta-").trim_end_matches("-value").to_owned()
        })
        .collect();
    names.into_iter().collect()
}

#[test]
fn the_core_and_a_sound_sector_satisfy_the_meta_ontology() {
    let core = Sigma::new(core_graph().unwrap().clone(), Graph::new());
    assert_eq!(meta_report(&core).unwrap().violations(), []);
    assert_eq!(shapes_broken(SECTOR), [""; 0]);
}

/// Replaces `from` by `to` in a sound sector; only the named shape may be broken by it.
fn breaks(from: &str, to: &str, shape: &[&str]) {
    assert!(SECTOR.contains(from), "{from}");
    assert_eq!(shapes_broken(&SECTOR.replacen(from, to, 1)), shape, "{from} → {to}");
}

#[test]
fn a_missing_or_second_label_is_refused() {
    breaks("rdfs:label \"C\" ;", "", &["label"]);
    breaks("rdfs:label \"k\"", "rdfs:label \"k\", \"K\"", &["label"]);
    breaks("rdfs:label \"x\"", "rdfs:label \"\"", &["label"]);
}

#[test]
fn a_missing_or_second_comment_is_refused() {
    breaks("rdfs:comment \"C.\" ;", "", &["comment"]);
    breaks("rdfs:comment \"K.\"", "rdfs:comment \"a\", \"b\"", &["comment"]);
}

#[test]
fn a_term_of_no_or_two_sectors_is_refused() {
    breaks("knhk:inSector <urn:knhk:sector:x> .\ne:C.k", "knhk:hot false .\ne:C.k", &["sector"]);
    breaks("knhk:inSector <urn:knhk:sector:x> .\ne:C.k", "knhk:inSector <urn:e:y> .\ne:C.k", &["sector"]);
}

#[test]
fn a_class_below_nothing_known_is_refused() {
    breaks("rdfs:subClassOf knhk:Event ;", "rdfs:subClassOf knhk:Event, e:D ;", &["parent"]);
    breaks("rdfs:subClassOf knhk:Event ; knhk:eventType \"c\" ;", "", &["parent"]);
}

#[test]
fn a_class_without_node_shape_is_refused() {
    breaks("sh:targetClass e:C ;", "", &["node-shape"]);
}

#[test]
fn an_event_type_on_a_part_is_refused() {
    breaks("rdfs:subClassOf knhk:Event", "rdfs:subClassOf knhk:Part", &["event-type"]);
}

#[test]
fn a_property_without_known_domain_is_refused() {
    breaks("rdfs:domain e:C ;", "", &["domain"]);
    breaks("rdfs:domain e:C ;", "rdfs:domain e:D ;", &["domain"]);
}

#[test]
fn a_property_without_known_range_is_refused() {
    breaks("rdfs:range xsd:string ;", "", &["range"]);
    breaks("rdfs:range xsd:string ;", "rdfs:range xsd:float ;", &["range"]);
}

#[test]
fn a_cardinality_outside_the_four_is_refused() {
    breaks("knhk:cardinality \"1\" ;", "", &["cardinality"]);
    breaks("knhk:cardinality \"1\" ;", "knhk:cardinality \"2\" ;", &["cardinality"]);
}

#[test]
fn a_replacement_that_is_no_property_is_refused() {
    breaks("rdfs:domain e:C ;", "rdfs:domain e:C ; knhk:replacedBy e:C ;", &["replaced-by"]);
}

#[test]
fn a_property_shape_without_path_or_key_is_refused() {
    breaks("sh:path e:C.k ;", "sh:path e:C ;", &["property-shape", "shape-path"]);
    breaks("knhk:key \"k\" ;", "", &["shape-key"]);
    breaks("knhk:key \"k\" ;", "knhk:key \"k\", \"l\" ;", &["shape-key"]);
}

#[test]
fn a_property_without_shape_is_refused() {
    let stray = "e:C.l a rdf:Property ; rdfs:label \"l\" ; rdfs:comment \"L.\" ; rdfs:domain e:C ; rdfs:range xsd:string ;
        knhk:cardinality \"1\" ; knhk:inSector <urn:knhk:sector:x> .";
    assert_eq!(shapes_broken(&format!("{SECTOR}{stray}")), ["property-shape"]);
}

#[test]
fn a_sector_without_namespace_import_or_known_settings_is_refused() {
    breaks("knhk:namespace \"urn:e:x#\" ;", "", &["namespace"]);
    breaks("knhk:namespace \"urn:e:x#\" ;", "knhk:namespace \"urn:e:x\" ;", &["namespace"]);
    breaks("owl:imports <urn:knhk:sector:core> ;", "", &["import"]);
    breaks("\"automatic\"", "\"nobody\"", &["policy"]);
    breaks("\"backward\"", "\"sideways\"", &["compatibility"]);
}

#[test]
fn the_sound_sector_reads_as_a_pack() {
    let files = BTreeMap::from([
        ("sector.toml".to_owned(), b"name = \"x\"\ntitle = \"X\"\nversion = \"1.0.0\"\n".to_vec()),
        ("x.ttl".to_owned(), SECTOR.as_bytes().to_vec()),
    ]);
    let pack = Pack::from_files(&files).unwrap();
    assert_eq!(pack.schema.class_of_event("c").unwrap().properties.len(), 1);
    assert_eq!(core_pack().unwrap().version, Version::FIRST);
}
