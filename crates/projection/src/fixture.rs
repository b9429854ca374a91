//! Small schemas for tests.

use std::collections::{BTreeMap, BTreeSet};

use knhk_ontology::Iri;
use knhk_ontology::schema::{
    Cardinality, Class, Compatibility, Datatype, Facets, PromotionPolicy, Property, Range, Schema, Settings,
};

fn term(name: &str) -> Iri {
    Iri::new(format!("urn:knhk:test#{name}")).unwrap()
}

/// A property; types are datatype names or else class names.
pub(crate) fn property(key: &str, types: &[&str], cardinality: Cardinality) -> Property {
    let ranges = types
        .iter()
        .map(|name| match *name {
            "string" => Range::Datatype(Datatype::String),
            "boolean" => Range::Datatype(Datatype::Boolean),
            "integer" => Range::Datatype(Datatype::Integer),
            "decimal" => Range::Datatype(Datatype::Decimal),
            "date_time" => Range::Datatype(Datatype::DateTime),
            "date" => Range::Datatype(Datatype::Date),
            "iri" => Range::Datatype(Datatype::AnyUri),
            "json" => Range::Datatype(Datatype::Json),
            class => Range::Class(term(class)),
        })
        .collect();
    Property {
        iri: term(key),
        key: key.to_owned(),
        label: key.to_owned(),
        comment: String::new(),
        ranges,
        cardinality,
        facets: Facets::default(),
        deprecated: false,
        replaced_by: None,
    }
}

pub(crate) fn class(name: &str, event_types: &[&str], properties: Vec<Property>) -> Class {
    Class {
        iri: term(name),
        label: name.to_owned(),
        comment: String::new(),
        subclass_of: term("Parent"),
        event_types: event_types.iter().map(ToString::to_string).collect(),
        hot: false,
        properties: properties.into_iter().map(|property| (property.key.clone(), property)).collect(),
    }
}

pub(crate) fn schema(classes: Vec<Class>) -> Schema {
    Schema {
        sector: "test".to_owned(),
        namespace: "urn:knhk:test#".to_owned(),
        settings: Settings {
            minimum_evidence: 12,
            frequency_limit: 100,
            error_share_ppm: 50_000,
            heartbeat_ms: 10_000,
            minimum_confidence_ppm: 700_000,
            promotion_policy: PromotionPolicy::Automatic,
            compatibility: Compatibility::Backward,
            expected_rates: BTreeMap::new(),
            error_event_types: BTreeSet::new(),
        },
        event_types: classes
            .iter()
            .flat_map(|class| class.event_types.iter().map(|name| (name.clone(), class.iri.clone())))
            .collect(),
        classes: classes.into_iter().map(|class| (class.iri.clone(), class)).collect(),
    }
}
