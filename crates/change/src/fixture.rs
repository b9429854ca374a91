//! A small sector for tests: a press line with an interlock.

use std::collections::BTreeSet;
use std::sync::Arc;

use knhk_evidence::Hash;
use knhk_ontology::delta::{AddedProperty, ChangedProperty, Delta, PropertyRef, SetValue, TypedLiteral};
use knhk_ontology::pack::Pack;
use knhk_ontology::schema::{
    Cardinality, Class, Compatibility, Datatype, Facets, Property, Range, Schema, Settings,
};
use knhk_ontology::{History, Iri, Snapshot, Version, vocab};

use crate::doctrine::{Approval, DoctrineSet};
use crate::guards::GuardSet;
use crate::pipeline;
use crate::proposal::{Checked, Claims, Proposal, ProposalContent};
use crate::stages::Measurement;
use crate::window::{Arrival, Window};

pub(crate) const NAMESPACE: &str = "urn:knhk:plant#";
pub(crate) const STROKE: &str = "com.example.press.stroke";
pub(crate) const NOW_MS: i64 = 1_780_000_000_000;

pub(crate) fn iri(local: &str) -> Iri {
    Iri::new(format!("{NAMESPACE}{local}")).unwrap()
}

pub(crate) fn place(class: &str, key: &str) -> PropertyRef {
    PropertyRef { domain: iri(class), key: key.to_owned() }
}

pub(crate) fn literal(datatype: Datatype) -> BTreeSet<Range> {
    BTreeSet::from([Range::Datatype(datatype)])
}

pub(crate) fn property(
    class: &str,
    key: &str,
    ranges: BTreeSet<Range>,
    cardinality: Cardinality,
) -> Property {
    Property {
        iri: iri(&format!("{class}.{key}")),
        key: key.to_owned(),
        label: key.to_owned(),
        comment: format!("The {key}."),
        ranges,
        cardinality,
        facets: Facets::default(),
        deprecated: false,
        replaced_by: None,
    }
}

pub(crate) fn class(name: &str, event_types: &[&str], properties: Vec<Property>) -> Class {
    Class {
        iri: iri(name),
        label: name.to_owned(),
        comment: format!("A {name}."),
        subclass_of: if event_types.is_empty() {
            vocab::KNHK_PART.clone()
        } else {
            vocab::KNHK_EVENT.clone()
        },
        event_types: event_types.iter().map(|&event_type| event_type.to_owned()).collect(),
        hot: false,
        properties: properties.into_iter().map(|property| (property.key.clone(), property)).collect(),
    }
}

pub(crate) fn schema() -> Schema {
    let mut force = property("Stroke", "force", literal(Datatype::Decimal), Cardinality::ZeroOrOne);
    force.facets.min = Some(0.into());
    force.facets.max = Some(100.into());
    let mut mode = property("Stroke", "mode", literal(Datatype::String), Cardinality::One);
    mode.facets.values = Some(["automatic", "manual"].map(str::to_owned).into());
    schema_of(vec![
        class(
            "Stroke",
            &[STROKE],
            vec![
                property("Stroke", "press", literal(Datatype::String), Cardinality::One),
                force,
                mode,
                property("Stroke", "guardClosed", literal(Datatype::Boolean), Cardinality::One),
                property(
                    "Stroke",
                    "tool",
                    BTreeSet::from([Range::Class(iri("Tool"))]),
                    Cardinality::ZeroOrOne,
                ),
            ],
        ),
        class(
            "Tool",
            &[],
            vec![
                property("Tool", "name", literal(Datatype::String), Cardinality::One),
                property("Tool", "wear", literal(Datatype::Integer), Cardinality::ZeroOrOne),
            ],
        ),
    ])
}

pub(crate) fn schema_of(classes: Vec<Class>) -> Schema {
    let event_types = classes
        .iter()
        .flat_map(|class| class.event_types.iter().map(|event_type| (event_type.clone(), class.iri.clone())))
        .collect();
    Schema {
        sector: "plant".to_owned(),
        namespace: NAMESPACE.to_owned(),
        settings: Settings { compatibility: Compatibility::Backward, ..Settings::default() },
        event_types,
        classes: classes.into_iter().map(|class| (class.iri.clone(), class)).collect(),
    }
}

pub(crate) fn snapshot(schema: &Schema) -> Snapshot {
    let pack = Pack::from_schema(schema, "Plant", "A press line.", Version::FIRST).unwrap();
    Snapshot::genesis(pack.sigma().unwrap(), pack.version, pack.digest, 1_000).unwrap()
}

/// Everything a check reads, ready to be changed by a test.
pub(crate) struct Bench {
    pub(crate) base: Arc<Snapshot>,
    pub(crate) history: History,
    pub(crate) doctrine: DoctrineSet,
    pub(crate) guards: GuardSet,
    pub(crate) approvals: Vec<Approval>,
    pub(crate) window: Window,
    pub(crate) measurement: Option<Measurement>,
}

impl Bench {
    /// A sector in order: one doctrine rule, one guard, conforming events, good measurements.
    pub(crate) fn new(schema: &Schema) -> Self {
        let base = Arc::new(snapshot(schema));
        let mut bench = Self {
            history: History::begin((*base).clone()).unwrap(),
            base,
            doctrine: DoctrineSet::from_toml(RULES.as_bytes()).unwrap(),
            guards: GuardSet::from_toml(GUARDS.as_bytes()).unwrap(),
            approvals: Vec::new(),
            window: Window::default(),
            measurement: Some(Measurement {
                admission_batch_mean_ns: 90,
                admission_p99_ns: 5_000,
                resident_bytes: 50_000_000,
            }),
        };
        for n in 0..100 {
            let tool = if n % 2 == 0 { r#","tool":{"name":"die 4","wear":3}"# } else { "" };
            let text =
                format!(r#"{{"press":"p{n}","force":{n},"mode":"automatic","guardClosed":true{tool}}}"#);
            bench.observe(STROKE, &text, 2_000 + n);
        }
        bench
    }

    pub(crate) fn observe(&mut self, event_type: &str, data: &str, time_ms: i64) {
        let digest = Hash::of(data.as_bytes());
        self.window.push(&Arrival {
            event_type,
            data: data.as_bytes(),
            data_digest: digest.0[..16].try_into().unwrap(),
            record_digest: digest,
            time_ms,
        });
    }

    pub(crate) fn content(&self, delta: Delta) -> ProposalContent {
        ProposalContent {
            sector: "plant".to_owned(),
            base: self.base.id,
            patterns: vec!["p1".to_owned()],
            changes: Vec::new(),
            delta,
            reasoning: "because".to_owned(),
            confidence_ppm: 950_000,
            estimated_ticks: 7,
            rollback: "apply the inverse".to_owned(),
            proposer: "rules/1".to_owned(),
            claims: Claims::default(),
            evidence_digest: Hash::ZERO,
            time_ms: NOW_MS,
        }
    }

    pub(crate) fn check(&self, delta: Delta) -> Checked {
        self.check_content(self.content(delta))
    }

    pub(crate) fn check_content(&self, stated: ProposalContent) -> Checked {
        let context = crate::stages::Context {
            now_ms: NOW_MS,
            history: &self.history,
            doctrine: &self.doctrine,
            guards: &self.guards,
            approvals: &self.approvals,
            window: &self.window,
            measurement: self.measurement,
        };
        let mut ended = Vec::new();
        let checked = pipeline::check(&self.base, Proposal::new(stated).unwrap(), &context, &mut |stage| {
            ended.push(stage);
        });
        assert_eq!(ended, crate::finding::Stage::ALL, "every stage runs, in order");
        checked
    }

    /// A changed property, as a delta.
    pub(crate) fn change(&self, class: &str, key: &str, set: impl FnOnce(&mut Property)) -> Delta {
        let mut property = self.base.schema.classes[&iri(class)].properties[key].clone();
        set(&mut property);
        let target = place(class, key);
        Delta { changed_properties: vec![ChangedProperty { target, property }], ..Delta::default() }
    }
}

/// Adds an optional string.
pub(crate) fn addition(class: &str, key: &str) -> Delta {
    let property = property(class, key, literal(Datatype::String), Cardinality::ZeroOrOne);
    Delta { added_properties: vec![AddedProperty { domain: iri(class), property }], ..Delta::default() }
}

pub(crate) fn removal(class: &str, key: &str) -> Delta {
    Delta { removed_properties: vec![place(class, key)], ..Delta::default() }
}

pub(crate) fn set_value(
    subject: &str,
    predicate: &Iri,
    old: Option<&str>,
    new: &str,
    datatype: &Iri,
) -> Delta {
    let typed = |value: &str| TypedLiteral { value: value.to_owned(), datatype: datatype.clone() };
    let value = SetValue {
        subject: Iri::new(subject).unwrap(),
        predicate: predicate.clone(),
        old: old.map(typed),
        new: typed(new),
    };
    Delta { set_values: vec![value], ..Delta::default() }
}

const RULES: &str = r#"
[[rule]]
id = "PLANT-001"
name = "Nothing is removed"
description = "Old strokes stay readable."
enforcement = "mandatory"
source = "ISO 9001"
version = 1
guards = ["PLANT-G-001"]
constraint = { type = "custom", predicate = "no_removal" }
"#;

const GUARDS: &str = r#"
[[guard]]
id = "PLANT-G-001"
name = "The press interlock"
description = "A stroke says whether the guard was closed."
type = "safety_interlock"
criticality = "critical"
properties = ["urn:knhk:plant#Stroke.guardClosed"]
tier = "hot"
immutable = true
rules = ["PLANT-001"]
"#;
