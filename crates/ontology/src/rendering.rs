//! From a schema to the triples that state it, one form for each meaning. `docs/formats/ontology.md` is the source.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use crate::decimal::Decimal;
use crate::iri::Iri;
use crate::schema::{Class, Datatype, Property, Range, Schema, Settings};
use crate::triple::{Literal, Term, Triple};
use crate::vocab;

/// The IRI of the shape of a class or property: its own with `-shape` after it.
pub fn shape_of(iri: &Iri) -> Iri {
    Iri::derived(format!("{iri}-shape"))
}

/// The triples that state a class without its properties. `closed` is [`is_closed`].
pub fn class_triples(class: &Class, sector: &Iri, closed: bool) -> Vec<Triple> {
    let iri = &class.iri;
    let shape = shape_of(iri);
    let mut triples = vec![
        Triple::new(iri, &vocab::RDF_TYPE, vocab::OWL_CLASS.clone()),
        Triple::new(iri, &vocab::RDFS_LABEL, Literal::string(class.label.as_str())),
        Triple::new(iri, &vocab::RDFS_COMMENT, Literal::string(class.comment.as_str())),
        Triple::new(iri, &vocab::RDFS_SUB_CLASS_OF, class.subclass_of.clone()),
        Triple::new(iri, &vocab::KNHK_IN_SECTOR, sector.clone()),
        Triple::new(&shape, &vocab::RDF_TYPE, vocab::SH_NODE_SHAPE.clone()),
        Triple::new(&shape, &vocab::SH_TARGET_CLASS, iri.clone()),
    ];
    for event_type in &class.event_types {
        triples.push(Triple::new(iri, &vocab::KNHK_EVENT_TYPE, Literal::string(event_type.as_str())));
    }
    if class.hot {
        triples.push(Triple::new(iri, &vocab::KNHK_HOT, boolean(true)));
    }
    if closed {
        triples.push(Triple::new(&shape, &vocab::SH_CLOSED, boolean(true)));
        triples.push(Triple::new(&shape, &vocab::SH_IGNORED_PROPERTIES, vocab::KNHK_TYPE_ONLY.clone()));
    }
    triples
}

/// The triples that state one key of a class.
pub fn property_triples(domain: &Iri, property: &Property, sector: &Iri) -> Vec<Triple> {
    let iri = &property.iri;
    let shape = shape_of(iri);
    let mut triples = vec![
        Triple::new(iri, &vocab::RDF_TYPE, vocab::RDF_PROPERTY.clone()),
        Triple::new(iri, &vocab::RDFS_LABEL, Literal::string(property.label.as_str())),
        Triple::new(iri, &vocab::RDFS_COMMENT, Literal::string(property.comment.as_str())),
        Triple::new(iri, &vocab::RDFS_DOMAIN, domain.clone()),
        Triple::new(iri, &vocab::RDFS_RANGE, stated_range(property)),
        Triple::new(iri, &vocab::KNHK_CARDINALITY, Literal::string(property.cardinality.as_str())),
        Triple::new(iri, &vocab::KNHK_IN_SECTOR, sector.clone()),
        Triple::new(&shape_of(domain), &vocab::SH_PROPERTY, shape.clone()),
        Triple::new(&shape, &vocab::RDF_TYPE, vocab::SH_PROPERTY_SHAPE.clone()),
        Triple::new(&shape, &vocab::SH_PATH, iri.clone()),
        Triple::new(&shape, &vocab::KNHK_KEY, Literal::string(property.key.as_str())),
    ];
    if property.deprecated {
        triples.push(Triple::new(iri, &vocab::OWL_DEPRECATED, boolean(true)));
    }
    if let Some(successor) = &property.replaced_by {
        triples.push(Triple::new(iri, &vocab::KNHK_REPLACED_BY, successor.clone()));
    }
    let mut state = |predicate: &Iri, object: Term| triples.push(Triple::new(&shape, predicate, object));
    let (least, most) = occurrence(property);
    if let Some(least) = least {
        state(&vocab::SH_MIN_COUNT, integer(least).into());
    }
    if let Some(most) = most {
        state(&vocab::SH_MAX_COUNT, integer(most).into());
    }
    let facets = &property.facets;
    for (predicate, bound) in [(&vocab::SH_MIN_INCLUSIVE, facets.min), (&vocab::SH_MAX_INCLUSIVE, facets.max)]
    {
        if let Some(bound) = bound {
            state(predicate, Literal::typed(bound.to_string(), vocab::XSD_DECIMAL.clone()).into());
        }
    }
    for (predicate, length) in
        [(&vocab::SH_MIN_LENGTH, facets.min_length), (&vocab::SH_MAX_LENGTH, facets.max_length)]
    {
        if let Some(length) = length {
            state(predicate, integer(length.into()).into());
        }
    }
    let mut ranges = property.ranges.iter();
    match (ranges.next(), ranges.next()) {
        (Some(only), None) => {
            let (predicate, object) = constraint(only);
            state(predicate, object.clone().into());
        }
        (Some(_), Some(_)) => {
            let base = list_base(&shape, &vocab::SH_OR);
            let members = property.ranges.iter().enumerate().map(|(at, range)| {
                let member = Iri::derived(format!("{base}:{at}m"));
                let (predicate, object) = constraint(range);
                triples.push(Triple::new(&member, predicate, object.clone()));
                Term::Iri(member)
            });
            let members: Vec<Term> = members.collect();
            list_triples(&shape, &vocab::SH_OR, &members, &mut triples);
        }
        _ => {}
    }
    if let Some(values) = &facets.values {
        let datatype = value_datatype(&property.ranges);
        let members: Vec<Term> =
            values.iter().map(|value| Literal::typed(value.as_str(), datatype.clone()).into()).collect();
        list_triples(&shape, &vocab::SH_IN, &members, &mut triples);
    }
    triples
}

/// The triples of every class and property, and of expected rates; not those of the sector node.
pub fn vocabulary_triples(schema: &Schema) -> BTreeSet<Triple> {
    let sector = schema.sector_iri();
    let mut triples = BTreeSet::new();
    let parents = parents(schema);
    for class in schema.classes.values() {
        triples.extend(class_triples(class, &sector, is_closed_among(class, schema, &parents)));
        for property in class.properties.values() {
            triples.extend(property_triples(&class.iri, property, &sector));
        }
    }
    triples
}

/// The triples of the sector node, with every setting that is not the default, and the expected rate of each class.
pub fn sector_triples(schema: &Schema, comment: &str) -> BTreeSet<Triple> {
    let sector = schema.sector_iri();
    let core = Iri::derived(format!("{}core", vocab::SECTOR_PREFIX));
    let (given, usual) = (&schema.settings, Settings::default());
    let mut triples = BTreeSet::new();
    let mut state = |subject: &Iri, predicate: &Iri, object: Term| {
        triples.insert(Triple::new(subject, predicate, object))
    };
    state(&sector, &vocab::RDF_TYPE, vocab::KNHK_SECTOR.clone().into());
    state(&sector, &vocab::RDFS_LABEL, Literal::string(schema.sector.as_str()).into());
    state(&sector, &vocab::RDFS_COMMENT, Literal::string(comment).into());
    state(&sector, &vocab::OWL_IMPORTS, core.into());
    state(&sector, &vocab::KNHK_NAMESPACE_TERM, Literal::string(schema.namespace.as_str()).into());
    state(&sector, &vocab::KNHK_PROMOTION_POLICY, Literal::string(given.promotion_policy.as_str()).into());
    state(&sector, &vocab::KNHK_COMPATIBILITY, Literal::string(given.compatibility.as_str()).into());
    for (predicate, value, default) in [
        (&vocab::KNHK_MINIMUM_EVIDENCE, u64::from(given.minimum_evidence), u64::from(usual.minimum_evidence)),
        (&vocab::KNHK_FREQUENCY_LIMIT, u64::from(given.frequency_limit), u64::from(usual.frequency_limit)),
        (&vocab::KNHK_HEARTBEAT, given.heartbeat_ms, usual.heartbeat_ms),
    ] {
        if value != default {
            state(&sector, predicate, integer(value).into());
        }
    }
    for (predicate, value, default) in [
        (&vocab::KNHK_ERROR_SHARE, given.error_share_ppm, usual.error_share_ppm),
        (&vocab::KNHK_MINIMUM_CONFIDENCE, given.minimum_confidence_ppm, usual.minimum_confidence_ppm),
    ] {
        if value != default {
            let share = Decimal::from_millionths(value.into()).to_string();
            state(&sector, predicate, Literal::typed(share, vocab::XSD_DECIMAL.clone()).into());
        }
    }
    for event_type in &given.error_event_types {
        state(&sector, &vocab::KNHK_ERROR_EVENT_TYPE, Literal::string(event_type.as_str()).into());
    }
    for class in schema.classes.values() {
        if let Some(&rate) =
            class.event_types.iter().find_map(|event_type| given.expected_rates.get(event_type))
        {
            state(&class.iri, &vocab::KNHK_EXPECTED_RATE, integer(rate).into());
        }
    }
    triples
}

/// Whether the class's shape carries `sh:closed`. A class above or below another class of the sector is left open in
/// SHACL, where a closed parent would refuse its children's keys; undeclared keys are still found when events are read.
pub fn is_closed(class: &Class, schema: &Schema) -> bool {
    !schema.classes.contains_key(&class.subclass_of)
        && !schema.classes.values().any(|other| other.subclass_of == class.iri)
}

/// Every IRI that some class is directly below.
pub(crate) fn parents(schema: &Schema) -> BTreeSet<&Iri> {
    schema.classes.values().map(|class| &class.subclass_of).collect()
}

/// [`is_closed`] for many classes: `parents` is [`parents`] of the schema.
pub(crate) fn is_closed_among(class: &Class, schema: &Schema, parents: &BTreeSet<&Iri>) -> bool {
    !schema.classes.contains_key(&class.subclass_of) && !parents.contains(&class.iri)
}

/// `rdfs:range`: the only alternative, or `rdfs:Resource`.
pub(crate) fn stated_range(property: &Property) -> Iri {
    let mut ranges = property.ranges.iter();
    match (ranges.next(), ranges.next()) {
        (Some(only), None) => constraint(only).1.clone(),
        _ => vocab::RDFS_RESOURCE.clone(),
    }
}

/// `sh:minCount` and `sh:maxCount` where they are stated.
pub(crate) fn occurrence(property: &Property) -> (Option<u64>, Option<u64>) {
    if property.ranges.is_empty() {
        return (None, Some(0));
    }
    let cardinality = property.cardinality;
    (cardinality.is_required().then_some(1), (!cardinality.is_many()).then_some(1))
}

/// The datatype of `sh:in`'s members: the only range when it is a datatype, `xsd:string` otherwise.
pub(crate) fn value_datatype(ranges: &BTreeSet<Range>) -> &'static Iri {
    let mut ranges = ranges.iter();
    match (ranges.next(), ranges.next()) {
        (Some(Range::Datatype(datatype)), None) => datatype.iri(),
        _ => Datatype::String.iri(),
    }
}

fn constraint(range: &Range) -> (&'static Iri, &Iri) {
    match range {
        Range::Datatype(datatype) => (&vocab::SH_DATATYPE, datatype.iri()),
        Range::Class(class) => (&vocab::SH_CLASS, class),
    }
}

fn list_base(owner: &Iri, predicate: &Iri) -> String {
    format!("{}{}", vocab::SKOLEM_PREFIX, hex::encode(Sha256::digest(format!("{owner} {predicate}"))))
}

fn list_triples(owner: &Iri, predicate: &Iri, members: &[Term], triples: &mut Vec<Triple>) {
    let base = list_base(owner, predicate);
    let cell = |at: usize| {
        if at == members.len() { vocab::RDF_NIL.clone() } else { Iri::derived(format!("{base}:{at}")) }
    };
    triples.push(Triple::new(owner, predicate, cell(0)));
    for (at, member) in members.iter().enumerate() {
        triples.push(Triple::new(&cell(at), &vocab::RDF_FIRST, member.clone()));
        triples.push(Triple::new(&cell(at), &vocab::RDF_REST, cell(at + 1)));
    }
}

fn boolean(value: bool) -> Literal {
    Literal::typed(if value { "true" } else { "false" }, vocab::XSD_BOOLEAN.clone())
}

fn integer(value: u64) -> Literal {
    Literal::typed(value.to_string(), vocab::XSD_INTEGER.clone())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::core_ontology::meta_report;
    use crate::reading::normalise;
    use crate::samples::{any_schema, sigma_of};
    use crate::shacl::Shapes;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn what_is_rendered_reads_back_and_is_canonical(schema in any_schema()) {
            let sigma = sigma_of(&schema);
            prop_assert_eq!(&sigma.schema().unwrap(), &schema);
            let (again, graph) = normalise(&sigma.sector).unwrap();
            prop_assert_eq!(&again, &schema);
            prop_assert_eq!(&graph, &sigma.sector);
            prop_assert!(meta_report(&sigma).unwrap().conforms());
            prop_assert!(Shapes::of_sector(&sigma).is_ok());
        }
    }
}
