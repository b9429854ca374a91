//! Differential test: the admission of an event and SHACL on the event's RDF come to the same verdict.
//!
//! The RDF is made by the rules of `docs/formats/ontology.md`, section "From an event to RDF", with code of its own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use knhk_observation::class_names::ClassNames;
use knhk_observation::infer::Inference;
use knhk_observation::profile::{EventMeta, Profile};
use knhk_ontology::schema::{Cardinality, Class, Datatype, Property, Range, Schema, Settings};
use knhk_ontology::shacl::Shapes;
use knhk_ontology::{Iri, Literal, Pack, Term, Triple, Version, vocab};
use knhk_projection::admission::Admission;
use knhk_projection::json::Json;
use proptest::prelude::*;
use serde_json::{Value, json};

/// The schema of some events, some of whose properties are then made stricter.
fn schema_of(events: &[Value], strict: &[u8]) -> Schema {
    let mut profile = Profile::new();
    for data in events {
        let text = data.to_string();
        let meta = EventMeta { record_digest: [0; 32], data_digest: [0; 32], time_ms: 0 };
        profile.observe("t", &Json::parse(&text).unwrap(), &meta);
    }
    let mut schema = Schema {
        sector: "test".to_owned(),
        namespace: "urn:knhk:test#".to_owned(),
        settings: Settings::default(),
        event_types: BTreeMap::new(),
        classes: BTreeMap::new(),
    };
    let base = schema.clone();
    let mut inference = Inference::new(&base, 1, &ClassNames::default());
    inference.event_type("t", profile.event_type("t").unwrap()).unwrap();
    let mut strict = strict.iter().cycle();
    for mut class in inference.finish().0.classes {
        for property in class.properties.values_mut() {
            tighten(property, *strict.next().unwrap());
        }
        for event_type in &class.event_types {
            schema.event_types.insert(event_type.clone(), class.iri.clone());
        }
        schema.classes.insert(class.iri.clone(), class);
    }
    schema
}

fn tighten(property: &mut Property, how: u8) {
    let only = |datatype| property.ranges == BTreeSet::from([Range::Datatype(datatype)]);
    match how % 5 {
        1 if !property.ranges.is_empty() => {
            property.cardinality = Cardinality::of(true, property.cardinality.is_many());
        }
        2 if only(Datatype::Integer) || only(Datatype::Decimal) => {
            property.facets.min = Some((-10).into());
            property.facets.max = Some(10.into());
        }
        3 if only(Datatype::String) => property.facets.max_length = Some(1),
        4 if only(Datatype::String) => {
            property.facets.values = Some(BTreeSet::from(["a".to_owned(), String::new()]));
        }
        _ => {}
    }
}

/// The RDF of one object, and its node.
struct Rdf<'s> {
    schema: &'s Schema,
    triples: Vec<Triple>,
    nodes: u32,
}

impl Rdf<'_> {
    fn object(&mut self, class: Option<&Class>, members: &serde_json::Map<String, Value>) -> Iri {
        self.nodes += 1;
        let node = Iri::new(format!("urn:test:node:{}", self.nodes)).unwrap();
        if let Some(class) = class {
            self.say(&node, &vocab::RDF_TYPE, Term::Iri(class.iri.clone()));
        }
        for (key, value) in members {
            let property = class.and_then(|class| class.properties.get(key));
            let predicate = match property {
                Some(property) => property.iri.clone(),
                None => Iri::new(format!("urn:test:undeclared:{}", key.len())).unwrap(),
            };
            let values = match value {
                Value::Null => Vec::new(),
                Value::Array(elements) => elements.iter().filter(|e| !e.is_null()).collect(),
                one => vec![one],
            };
            if property.is_none() && values.is_empty() {
                // The key itself is what is undeclared.
                self.say(&node, &predicate, Term::Literal(Literal::string("")));
            }
            for (position, value) in values.into_iter().enumerate() {
                let term = self.value(property, value, position);
                self.say(&node, &predicate, term);
            }
        }
        node
    }

    fn value(&mut self, property: Option<&Property>, value: &Value, position: usize) -> Term {
        let ranges: Vec<&Range> = property.map(|p| p.ranges.iter().collect()).unwrap_or_default();
        let allows = |datatype| ranges.contains(&&Range::Datatype(datatype));
        let typed =
            |text: String, datatype: Datatype| Term::Literal(Literal::typed(text, datatype.iri().clone()));
        if allows(Datatype::Json) && (value.is_array() || ranges.len() == 1) {
            // Equal values of an array must stay several: RDF knows no repetition.
            return typed(format!("{value} {}", " ".repeat(position)), Datatype::Json);
        }
        match value {
            Value::Object(members) => {
                let class = ranges.iter().find_map(|range| match range {
                    Range::Class(class) => self.schema.classes.get(class),
                    Range::Datatype(_) => None,
                });
                Term::Iri(self.object(class, members))
            }
            Value::Array(_) => typed(value.to_string(), Datatype::Json),
            Value::Number(number) if number.is_f64() => typed(plain(number), Datatype::Decimal),
            Value::Number(number) if allows(Datatype::Integer) || !allows(Datatype::Decimal) => {
                typed(number.to_string(), Datatype::Integer)
            }
            Value::Number(number) => typed(number.to_string(), Datatype::Decimal),
            Value::Bool(truth) => typed(truth.to_string(), Datatype::Boolean),
            Value::String(text) => typed(text.clone(), Datatype::String),
            Value::Null => typed(String::new(), Datatype::String),
        }
    }

    fn say(&mut self, subject: &Iri, predicate: &Iri, object: Term) {
        self.triples.push(Triple::new(subject, predicate, object));
    }
}

/// A float as a decimal numeral: the generator makes quarters only.
fn plain(number: &serde_json::Number) -> String {
    format!("{:.2}", number.as_f64().unwrap())
}

fn conforms_by_shacl(schema: &Schema, shapes: &Shapes, data: &Value) -> bool {
    let mut rdf = Rdf { schema, triples: Vec::new(), nodes: 0 };
    rdf.object(schema.class_of_event("t"), data.as_object().unwrap());
    shapes.validate(&rdf.triples.into_iter().collect::<knhk_ontology::Graph>()).unwrap().is_empty()
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-20..20_i64).prop_map(Value::from),
        (-80..80_i32).prop_map(|quarter| json!(f64::from(quarter) + 0.25)),
        "[ab]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 12, 3, |inner| {
        prop_oneof![
            // Several values, all different: RDF knows no repetition.
            prop::collection::btree_set(-20..20_i64, 2..4).prop_map(|n| json!(n)),
            prop::collection::btree_map("[ab]", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn event() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[abc]", value(), 0..4)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn admission_and_shacl_come_to_the_same_verdict(
        known in prop::collection::vec(event(), 1..6),
        others in prop::collection::vec(event(), 1..12),
        strict in prop::collection::vec(any::<u8>(), 1..8),
    ) {
        let schema = schema_of(&known, &strict);
        let pack = Pack::from_schema(&schema, "Test", "Test.", Version::FIRST).unwrap();
        prop_assert_eq!(&pack.schema, &schema);
        let shapes = Shapes::of_sector(&pack.sigma().unwrap()).unwrap();
        let admission = Admission::new(&schema);
        for data in known.iter().chain(&others) {
            let text = data.to_string();
            let json = Json::parse(&text).unwrap();
            prop_assert_eq!(
                admission.conforms("t", &json),
                conforms_by_shacl(&schema, &shapes, data),
                "{}: {:?}", text, admission.check("t", &json)
            );
        }
    }
}
