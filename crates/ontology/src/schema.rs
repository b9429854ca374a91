//! What an ontology says about events: event types, classes, keys and their constraints.
//!
//! A [`Schema`] is read from a graph and rendered back to triples; the page `docs/formats/ontology.md` gives the
//! correspondence. It is a view: the graph is the truth.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::decimal::Decimal;
use crate::iri::Iri;
use crate::vocab;

/// A datatype that a JSON value can be checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Datatype {
    /// `xsd:string`: any JSON string.
    String,
    /// `xsd:boolean`.
    Boolean,
    /// `xsd:integer`: a JSON number without fraction or exponent.
    Integer,
    /// `xsd:decimal`: any finite JSON number.
    Decimal,
    /// `xsd:dateTime`: a JSON string in RFC 3339 form with a zone.
    DateTime,
    /// `xsd:date`: a JSON string `YYYY-MM-DD`.
    Date,
    /// `xsd:anyURI`: a JSON string holding an absolute IRI.
    AnyUri,
    /// `rdf:JSON`: any JSON value, not looked into (used for arrays inside arrays).
    Json,
}

/// One alternative of what a property's value may be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Range {
    /// A literal of this datatype.
    Datatype(Datatype),
    /// A JSON object described by this class.
    Class(Iri),
}

/// How many values a property takes. JSON `null` is no value; a lone value counts as an array of one (as in JSON-LD).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Cardinality {
    /// Exactly one.
    #[serde(rename = "1")]
    One,
    /// At most one.
    #[serde(rename = "0..1")]
    ZeroOrOne,
    /// Any number: a JSON array.
    #[serde(rename = "0..*")]
    ZeroOrMore,
    /// At least one: a JSON array that is not empty.
    #[serde(rename = "1..*")]
    OneOrMore,
}

impl Datatype {
    /// Every datatype.
    pub const ALL: [Self; 8] = [
        Self::String,
        Self::Boolean,
        Self::Integer,
        Self::Decimal,
        Self::DateTime,
        Self::Date,
        Self::AnyUri,
        Self::Json,
    ];

    /// The datatype's IRI, e.g. that of `xsd:decimal`.
    pub fn iri(self) -> &'static Iri {
        match self {
            Self::String => &vocab::XSD_STRING,
            Self::Boolean => &vocab::XSD_BOOLEAN,
            Self::Integer => &vocab::XSD_INTEGER,
            Self::Decimal => &vocab::XSD_DECIMAL,
            Self::DateTime => &vocab::XSD_DATE_TIME,
            Self::Date => &vocab::XSD_DATE,
            Self::AnyUri => &vocab::XSD_ANY_URI,
            Self::Json => &vocab::RDF_JSON,
        }
    }
}

impl Cardinality {
    /// Every cardinality.
    pub const ALL: [Self; 4] = [Self::One, Self::ZeroOrOne, Self::ZeroOrMore, Self::OneOrMore];

    /// Whether at least one value must be there.
    pub fn is_required(self) -> bool {
        matches!(self, Self::One | Self::OneOrMore)
    }

    /// Whether more than one value may be there.
    pub fn is_many(self) -> bool {
        matches!(self, Self::ZeroOrMore | Self::OneOrMore)
    }

    /// The cardinality with these two answers.
    pub fn of(required: bool, many: bool) -> Self {
        match (required, many) {
            (true, false) => Self::One,
            (false, false) => Self::ZeroOrOne,
            (false, true) => Self::ZeroOrMore,
            (true, true) => Self::OneOrMore,
        }
    }

    /// The notation used in ontologies and reports: `1`, `0..1`, `0..*`, `1..*`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::One => "1",
            Self::ZeroOrOne => "0..1",
            Self::ZeroOrMore => "0..*",
            Self::OneOrMore => "1..*",
        }
    }
}

/// Constraints on the values of a property beyond range and cardinality.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facets {
    /// `sh:in`: the lexical forms allowed. `None`: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<BTreeSet<String>>,
    /// `sh:minInclusive`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Decimal>,
    /// `sh:maxInclusive`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Decimal>,
    /// `sh:minLength`, in Unicode scalar values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u32>,
    /// `sh:maxLength`, in Unicode scalar values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
}

/// One key of a class: the property it means and what its values must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Property {
    /// The property's IRI (`sh:path` of its shape).
    pub iri: Iri,
    /// The JSON key that stands for it inside objects of the class (`knhk:key`).
    pub key: String,
    /// `rdfs:label`.
    pub label: String,
    /// `rdfs:comment`.
    pub comment: String,
    /// What a value may be; empty when no value was ever seen (only `null` or empty arrays).
    pub ranges: BTreeSet<Range>,
    /// How many values.
    pub cardinality: Cardinality,
    /// Further constraints.
    #[serde(default)]
    pub facets: Facets,
    /// `owl:deprecated`.
    #[serde(default)]
    pub deprecated: bool,
    /// `knhk:replacedBy`: the property that took over, after a rename.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<Iri>,
}

/// One class and the keys its objects may have. Objects are closed: any other key is undeclared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// The class's IRI.
    pub iri: Iri,
    /// `rdfs:label`.
    pub label: String,
    /// `rdfs:comment`.
    pub comment: String,
    /// `rdfs:subClassOf`: `knhk:Event` for an event's data, `knhk:Part` for an object inside it, or a class below one of them.
    pub subclass_of: Iri,
    /// Event types whose data this class describes (`knhk:eventType`); empty for parts.
    pub event_types: BTreeSet<String>,
    /// Whether its event types are on the hot path (`knhk:hot`).
    pub hot: bool,
    /// Keys in order.
    pub properties: BTreeMap<String, Property>,
}

/// Thresholds of a sector: triples on its `knhk:Sector` node, so they are versioned with the ontology.
///
/// The default value is what holds where the ontology says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// `knhk:minimumEvidence`: fewest events before a change is proposed. Default 12.
    pub minimum_evidence: u32,
    /// `knhk:frequencyLimit`: events of one type in 60 s that are too many while no rate is known. Default 100.
    pub frequency_limit: u32,
    /// `knhk:errorShare`: share of error events in 60 s that is a spike, in parts per million. Default 50,000 (5 %).
    pub error_share_ppm: u32,
    /// `knhk:heartbeat`: longest silence of an event type declared with a rate, in ms. Default 10,000.
    pub heartbeat_ms: u64,
    /// `knhk:minimumConfidence`: lowest confidence of a pattern that is proposed on, in parts per million. Default 700,000.
    pub minimum_confidence_ppm: u32,
    /// `knhk:promotionPolicy`.
    pub promotion_policy: PromotionPolicy,
    /// `knhk:compatibility`.
    pub compatibility: Compatibility,
    /// `knhk:expectedRate` by event type: events per minute that are normal, where the ontology declares it.
    pub expected_rates: BTreeMap<String, u64>,
    /// `knhk:errorEventType`: event types that count as errors.
    pub error_event_types: BTreeSet<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            minimum_evidence: 12,
            frequency_limit: 100,
            error_share_ppm: 50_000,
            heartbeat_ms: 10_000,
            minimum_confidence_ppm: 700_000,
            promotion_policy: PromotionPolicy::Automatic,
            compatibility: Compatibility::Backward,
            expected_rates: BTreeMap::new(),
            error_event_types: BTreeSet::new(),
        }
    }
}

/// Who may let a checked change through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromotionPolicy {
    /// A change that passed all seven stages is promoted at once.
    Automatic,
    /// Every change waits for a person.
    HumanReview,
}

impl PromotionPolicy {
    /// Both policies.
    pub const ALL: [Self; 2] = [Self::Automatic, Self::HumanReview];

    /// The name in ontologies: `automatic`, `human_review`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::HumanReview => "human_review",
        }
    }
}

/// Compatibility levels by the names schema registries use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compatibility {
    /// Data valid before stays valid.
    Backward,
    /// Data valid after was valid before.
    Forward,
    /// Both.
    Full,
    /// [`Compatibility::Backward`] against every ancestor.
    BackwardTransitive,
    /// [`Compatibility::Forward`] against every ancestor.
    ForwardTransitive,
    /// [`Compatibility::Full`] against every ancestor.
    FullTransitive,
}

impl Compatibility {
    /// Every level.
    pub const ALL: [Self; 6] = [
        Self::Backward,
        Self::Forward,
        Self::Full,
        Self::BackwardTransitive,
        Self::ForwardTransitive,
        Self::FullTransitive,
    ];

    /// The name in ontologies, e.g. `backward` or `full_transitive`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backward => "backward",
            Self::Forward => "forward",
            Self::Full => "full",
            Self::BackwardTransitive => "backward_transitive",
            Self::ForwardTransitive => "forward_transitive",
            Self::FullTransitive => "full_transitive",
        }
    }
}

/// What the composed ontology of one sector says about its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// The sector's name, e.g. `logistics`.
    pub sector: String,
    /// The namespace its terms are minted in; ends in `#` or `/`.
    pub namespace: String,
    /// Its thresholds.
    pub settings: Settings,
    /// Event type → class of the event's data.
    pub event_types: BTreeMap<String, Iri>,
    /// Every class that has a node shape.
    pub classes: BTreeMap<Iri, Class>,
}

impl Schema {
    /// The class that describes the data of `event_type`, if the ontology knows that event type.
    pub fn class_of_event(&self, event_type: &str) -> Option<&Class> {
        self.classes.get(self.event_types.get(event_type)?)
    }

    /// The sector's IRI, `urn:knhk:sector:NAME`.
    pub fn sector_iri(&self) -> Iri {
        Iri::derived(format!("{}{}", vocab::SECTOR_PREFIX, self.sector))
    }

    /// The class and the classes of the sector above it, nearest first. `classes[..].properties` holds own keys only.
    pub fn lineage<'s>(&'s self, class: &'s Class) -> impl Iterator<Item = &'s Class> {
        // A circle cannot get past `check`; the bound keeps a hand-made schema from looping.
        std::iter::successors(Some(class), |class| self.classes.get(&class.subclass_of))
            .take(self.classes.len() + 1)
    }

    /// The keys objects of `class` may have: its own and those of the classes above it.
    pub fn keys_of<'s>(&'s self, class: &'s Class) -> BTreeMap<&'s str, &'s Property> {
        let mut keys = BTreeMap::new();
        for class in self.lineage(class) {
            for (key, property) in &class.properties {
                keys.entry(key.as_str()).or_insert(property);
            }
        }
        keys
    }

    /// The property that `key` stands for in objects of `class`, its own or inherited.
    pub fn property<'s>(&'s self, class: &'s Iri, key: &str) -> Option<&'s Property> {
        self.lineage(self.classes.get(class)?).find_map(|class| class.properties.get(key))
    }
}
