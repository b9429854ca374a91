//! A small schema and streams for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use knhk_ontology::Iri;
use knhk_ontology::schema::{
    Cardinality, Class, Compatibility, Datatype, Facets, PromotionPolicy, Property, Range, Schema, Settings,
};
use knhk_projection::Json;
use sha2::{Digest, Sha256};

use crate::baseline::Baseline;
use crate::detect::detect;
use crate::pattern::Pattern;
use crate::profile::{EventMeta, Profile};

pub(crate) fn term(name: &str) -> Iri {
    Iri::new(format!("urn:knhk:test#{name}")).unwrap()
}

fn property(key: &str, ranges: &[Range], cardinality: Cardinality) -> Property {
    Property {
        iri: term(key),
        key: key.to_owned(),
        label: key.to_owned(),
        comment: String::new(),
        ranges: ranges.iter().cloned().collect(),
        cardinality,
        facets: Facets::default(),
        deprecated: false,
        replaced_by: None,
    }
}

fn class(name: &str, event_types: &[&str], properties: Vec<Property>) -> Class {
    Class {
        iri: term(name),
        label: name.to_owned(),
        comment: String::new(),
        subclass_of: term("Parent"),
        event_types: event_types.iter().map(ToString::to_string).collect(),
        hot: false,
        properties: properties.into_iter().map(|p| (p.key.clone(), p)).collect(),
    }
}

pub(crate) fn empty_schema() -> Schema {
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
        event_types: BTreeMap::new(),
        classes: BTreeMap::new(),
    }
}

/// The event types `order` and `ping`.
pub(crate) fn schema() -> Schema {
    let one_of = |datatype| [Range::Datatype(datatype)];
    let part = |name| [Range::Class(term(name))];
    let mut total = property("total", &one_of(Datatype::Decimal), Cardinality::ZeroOrOne);
    total.facets.min = Some(0.into());
    total.facets.max = Some(1_000.into());
    let mut status = property("status", &one_of(Datatype::String), Cardinality::One);
    status.facets.values = Some(["new", "sent"].map(str::to_owned).into());
    let order = class(
        "Order",
        &["order"],
        vec![
            total,
            status,
            property("customerName", &one_of(Datatype::String), Cardinality::ZeroOrOne),
            property("placedAt", &one_of(Datatype::DateTime), Cardinality::ZeroOrOne),
            property("count", &one_of(Datatype::Integer), Cardinality::ZeroOrOne),
            property("note", &[], Cardinality::ZeroOrOne),
            property("items", &part("Item"), Cardinality::OneOrMore),
            property("extra", &one_of(Datatype::Json), Cardinality::ZeroOrMore),
            property(
                "either",
                &[Range::Class(term("Item")), Range::Class(term("Box"))],
                Cardinality::ZeroOrOne,
            ),
        ],
    );
    let item = class(
        "Item",
        &[],
        vec![
            property("sku", &one_of(Datatype::String), Cardinality::One),
            property("tags", &one_of(Datatype::String), Cardinality::ZeroOrMore),
        ],
    );
    let boxed = class("Box", &[], vec![property("size", &one_of(Datatype::Integer), Cardinality::ZeroOrOne)]);
    let ping = class("Ping", &["ping"], vec![]);
    let mut schema = empty_schema();
    for class in [order, item, boxed, ping] {
        for name in &class.event_types {
            schema.event_types.insert(name.clone(), class.iri.clone());
        }
        schema.classes.insert(class.iri.clone(), class);
    }
    schema
}

pub(crate) fn meta(data: &str, time_ms: i64) -> EventMeta {
    let record = format!("{time_ms} {data}");
    EventMeta {
        record_digest: Sha256::digest(record).into(),
        data_digest: Sha256::digest(data).into(),
        time_ms,
    }
}

/// Profiles events (type, data, time) against a schema.
pub(crate) fn profile_of<'e>(
    schema: Schema,
    events: impl IntoIterator<Item = (&'e str, &'e str, i64)>,
) -> Profile {
    let mut profile = Profile::against(Arc::new(schema));
    for (event_type, data, time_ms) in events {
        profile.observe(event_type, &Json::parse(data).unwrap(), &meta(data, time_ms));
    }
    profile
}

/// An order that conforms, with something added before its end.
pub(crate) fn order(rest: &str) -> String {
    format!("{{\"status\":\"new\",\"items\":[{{\"sku\":\"a\"}}]{rest}}}")
}

/// The patterns of `n` orders like `drifted` among 40 that conform, a second apart.
pub(crate) fn patterns_of(drifted: &str, n: i64) -> Vec<Pattern> {
    let fine = order("");
    let events = (0..40 + n).map(|at| ("order", if at < 40 { fine.as_str() } else { drifted }, at * 1_000));
    detect(&profile_of(schema(), events), &Baseline::default())
}
