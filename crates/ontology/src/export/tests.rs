use std::collections::BTreeSet;
use std::fmt::Debug;

use proptest::prelude::*;

use super::kgcl::{self, Change};
use super::prov::{Event, Made, What};
use super::*;
use crate::document::{self, Syntax};
use crate::graph::tests::any_triple;
use crate::samples::{any_schema, iri, sigma_of};
use crate::schema::{Cardinality, Class, Datatype, Facets, Property, Range, Schema, Settings};
use crate::snapshot::{ContentId, SnapshotId, Version};
use crate::vocab;

const PREFIXES: [(&str, &str); 1] = [("x", crate::samples::NAMESPACE)];

fn property(key: &str, cardinality: Cardinality, range: Range) -> Property {
    Property {
        iri: iri(&format!("Order.{key}")),
        key: key.to_owned(),
        label: key.to_owned(),
        comment: format!("The {key} of an order."),
        ranges: BTreeSet::from([range]),
        cardinality,
        facets: Facets::default(),
        deprecated: false,
        replaced_by: None,
    }
}

/// An ontology of orders.
fn before() -> Schema {
    let mut order = Class {
        iri: iri("Order"),
        label: "Order".to_owned(),
        comment: "An order.".to_owned(),
        subclass_of: vocab::KNHK_EVENT.clone(),
        event_types: BTreeSet::from(["order.placed".to_owned()]),
        hot: false,
        properties: [].into(),
    };
    let total = Property {
        facets: Facets { values: Some(["a".to_owned(), "b'c".to_owned()].into()), ..Facets::default() },
        ..property("kind", Cardinality::One, Range::Datatype(Datatype::String))
    };
    for property in [
        total,
        property("total", Cardinality::One, Range::Datatype(Datatype::Integer)),
        property("old", Cardinality::One, Range::Datatype(Datatype::String)),
        property("gone", Cardinality::ZeroOrOne, Range::Datatype(Datatype::Boolean)),
    ] {
        order.properties.insert(property.key.clone(), property);
    }
    Schema {
        sector: "x".to_owned(),
        namespace: crate::samples::NAMESPACE.to_owned(),
        settings: Settings::default(),
        event_types: [("order.placed".to_owned(), iri("Order"))].into(),
        classes: [(iri("Order"), order)].into(),
    }
}

/// The same after a rename, a new class, and changes of words and constraints.
fn after() -> Schema {
    let mut schema = before();
    schema.settings.minimum_evidence = 20;
    let item = Class {
        iri: iri("Item"),
        label: "Item of 'an' order".to_owned(),
        comment: String::new(),
        subclass_of: vocab::KNHK_PART.clone(),
        event_types: BTreeSet::new(),
        hot: false,
        properties: [].into(),
    };
    schema.classes.insert(iri("Item"), item);
    if let Some(order) = schema.classes.get_mut(&iri("Order")) {
        order.label = "Purchase order".to_owned();
        order.properties.remove("gone");
        let items = property("items", Cardinality::OneOrMore, Range::Class(iri("Item")));
        let new = property("new", Cardinality::ZeroOrOne, Range::Datatype(Datatype::String));
        order.properties.insert("items".to_owned(), items);
        order.properties.insert("new".to_owned(), new);
        if let Some(old) = order.properties.get_mut("old") {
            old.cardinality = Cardinality::ZeroOrOne;
            old.deprecated = true;
            old.replaced_by = Some(iri("Order.new"));
        }
        if let Some(total) = order.properties.get_mut("total") {
            total.ranges = [Range::Datatype(Datatype::Decimal)].into();
            total.facets.min = "0".parse().ok();
            total.comment = "What is to be paid,\nin all.".to_owned();
        }
    }
    schema
}

fn events() -> Vec<Event> {
    let made = |n: u8, content: u8, parent: Option<u8>| Made {
        snapshot: SnapshotId([n; 32]),
        content: ContentId([content; 32]),
        version: Version { major: u64::from(n), minor: 0, patch: 0 },
        parent: parent.map(|parent| SnapshotId([parent; 32])),
    };
    let event = |receipt: &str, at: &str, what: What| Event {
        receipt: (!receipt.is_empty()).then(|| receipt.to_owned()),
        at: at.to_owned(),
        what,
    };
    let against = SnapshotId([1; 32]);
    let proposer = "rules/1 \"é\"".to_owned();
    vec![
        event("a1", "2026-01-05T08:00:00Z", What::Genesis(made(1, 1, None))),
        event("", "2026-01-05T08:00:01Z", What::Proposed { proposal: "p1".into(), proposer, base: against }),
        event(
            "a2",
            "2026-01-05T08:00:02Z",
            What::Checked { proposal: "p1".into(), against, verdict: "promote", by_operator: false },
        ),
        event("a3", "2026-01-05T08:00:03Z", What::Promoted(made(2, 2, Some(1)), "p1".into())),
        event("", "2026-01-05T08:00:04Z", What::Unknown(made(3, 3, Some(2)))),
        event(
            "a5",
            "2026-01-05T08:00:05Z",
            What::RolledBack { made: made(4, 1, Some(3)), to: against, reason: "too \"early\"".into() },
        ),
    ]
}

/// Compares with a file that a person has read; a format that changes shows here. `KNHK_GOLDEN=write` writes it.
fn golden(name: &str, text: &str) {
    let path = format!("{}/src/export/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("KNHK_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&path, text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "{name}");
}

#[test]
fn every_format_is_as_it_was() {
    let sigma = sigma_of(&before());
    golden("sector.ttl", &turtle(&sigma, Layer::Sector, &PREFIXES));
    golden("sector.nq", &nquads(&sigma, "x", Layer::Sector));
    golden("sector.jsonld", &jsonld(&sigma, "x", Layer::Sector, &PREFIXES));
    let changes = kgcl::changes(&before(), &after());
    golden("changes.kgcl", &kgcl::lines(&changes, "from 1.0.0\nto 2.0.0"));
    golden("changes.json", &(serde_json::to_string_pretty(&kgcl::json(&changes)).unwrap() + "\n"));
    golden("history.ttl", &prov::turtle("x", &events()));
}

fn read<T: Debug>(text: &str, syntax: Syntax, about: &T) -> Graph {
    document::parse(text, syntax).unwrap_or_else(|error| panic!("{error}: {text} {about:?}"))
}

fn holds(sigma: &Sigma, prefixes: &[(&str, &str)]) {
    for (layer, graph) in [(Layer::Core, &sigma.core), (Layer::Sector, &sigma.sector)] {
        let (quads, json) = (nquads(sigma, "x", layer), jsonld(sigma, "x", layer, prefixes));
        assert_eq!(read(&turtle(sigma, layer, prefixes), Syntax::Turtle, &layer).root(), graph.root());
        assert_eq!(read(&quads, Syntax::NQuads, &layer).root(), graph.root());
        assert_eq!(read(&json, Syntax::JsonLd, &layer).root(), graph.root(), "{json}");
    }
    let (union, layer) = (sigma.iter().collect::<Graph>(), Layer::Composed);
    let (quads, json) = (nquads(sigma, "x", layer), jsonld(sigma, "x", layer, prefixes));
    assert_eq!(read(&turtle(sigma, layer, prefixes), Syntax::Turtle, &layer), union);
    assert_eq!(read(&quads, Syntax::NQuads, &layer), union);
    assert_eq!(read(&json, Syntax::JsonLd, &layer), union);
    assert_eq!(quads.lines().count(), sigma.core.len() + sigma.sector.len(), "each layer is whole");
}

#[test]
fn an_ontology_with_its_core_reads_back() {
    holds(&sigma_of(&after()), &PREFIXES);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_exported_reads_back_with_the_same_roots(
        core in prop::collection::btree_set(any_triple(), 0..12),
        sector in prop::collection::btree_set(any_triple(), 0..12),
    ) {
        let graph = |triples: BTreeSet<Triple>| triples.into_iter().collect::<Graph>();
        let sigma = Sigma::new(graph(core), graph(sector));
        // Names that are the beginning of IRIs in the graph must not change what those mean.
        holds(&sigma, &[("a", "http://e.org/a#"), ("urn", "http://e.org/b#"), ("http", "urn:x:")]);
    }

    #[test]
    fn kgcl_names_every_term_that_comes_or_goes_and_something_for_every_difference(
        old in any_schema(), new in any_schema(),
    ) {
        let changes = kgcl::changes(&old, &new);
        let terms = |schema: &Schema| -> BTreeSet<String> {
            let properties = schema.classes.values().flat_map(|class| class.properties.values());
            let properties = properties.map(|property| property.iri.to_string());
            schema.classes.keys().map(ToString::to_string).chain(properties).collect()
        };
        let of = |kinds: &[&str]| -> BTreeSet<String> {
            let about = |change: &Change| kgcl::json(std::slice::from_ref(change))[0]["about_node"].as_str().unwrap().to_owned();
            changes.iter().filter(|change| kinds.contains(&change.kind)).map(about).collect()
        };
        let (before, after) = (terms(&old), terms(&new));
        prop_assert_eq!(of(&["ClassCreation", "NodeCreation"]), after.difference(&before).cloned().collect::<BTreeSet<_>>());
        prop_assert_eq!(of(&["NodeDeletion"]), before.difference(&after).cloned().collect::<BTreeSet<_>>());
        let differs = !crate::semantic_diff::diff(&old, &new).is_empty();
        prop_assert_eq!(!changes.is_empty(), differs);
        let text = kgcl::lines(&changes, "");
        prop_assert!(text.lines().all(|line| line.starts_with("# knhk:") || line.chars().next().unwrap().is_ascii_lowercase()), "{}", text);
    }
}

#[test]
fn a_history_in_prov_reads_back_and_names_what_ended_what() {
    let text = prov::turtle("x", &events());
    let graph = read(&text, Syntax::Turtle, &());
    let ended = Iri::new("http://www.w3.org/ns/prov#wasInvalidatedBy").unwrap();
    assert_eq!(graph.matching(None, Some(&ended), None).count(), 3, "{text}");
    assert!(text.contains("urn:knhk:agent:proposer:rules/1%20%22%C3%A9%22"), "{text}");
}
