//! Judging events by an ontology: the plain interpreter, and the reference for every faster form of it.
//!
//! The rules are those of `docs/formats/ontology.md`, "From an event to RDF".

use std::collections::BTreeMap;

use knhk_ontology::Iri;
use knhk_ontology::schema::{Cardinality, Datatype, Facets, Range, Schema};

pub use crate::facet::{FacetBreach, breach};
use crate::json::Json;
use crate::lexical;
pub use crate::verdict::{VIOLATIONS_MAX, Verdict, Violation, ViolationKind};

/// A class of an [`Admission`], by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClassId(u32);

/// What an ontology asks of events, laid out for judging them: classes by position, keys sorted.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    classes: Vec<ClassShape>,
    event_types: BTreeMap<Box<str>, ClassId>,
}

/// What one class asks of an object.
#[derive(Clone, Debug)]
pub struct ClassShape {
    iri: Iri,
    properties: Vec<PropertyShape>,
    required: usize,
}

/// What one property asks of the value under its key.
#[derive(Clone, Debug)]
pub struct PropertyShape {
    key: Box<str>,
    datatypes: Vec<Datatype>,
    classes: Vec<ClassId>,
    cardinality: Cardinality,
    facets: Option<Box<Facets>>,
}

impl Admission {
    /// Lays out `schema`. A range that names a class without a shape admits nothing.
    pub fn new(schema: &Schema) -> Self {
        let ids: BTreeMap<&Iri, ClassId> =
            (0..).zip(schema.classes.keys()).map(|(n, iri)| (iri, ClassId(n))).collect();
        let classes = schema
            .classes
            .values()
            .map(|class| {
                // Inherited keys are keys of the class too.
                let properties: Vec<PropertyShape> = schema
                    .keys_of(class)
                    .into_iter()
                    .map(|(key, property)| PropertyShape {
                        key: key.into(),
                        datatypes: property
                            .ranges
                            .iter()
                            .filter_map(|range| match range {
                                Range::Datatype(datatype) => Some(*datatype),
                                Range::Class(_) => None,
                            })
                            .collect(),
                        classes: property
                            .ranges
                            .iter()
                            .filter_map(|range| match range {
                                Range::Class(iri) => ids.get(iri).copied(),
                                Range::Datatype(_) => None,
                            })
                            .collect(),
                        cardinality: property.cardinality,
                        facets: (property.facets != Facets::default())
                            .then(|| Box::new(property.facets.clone())),
                    })
                    .collect();
                let required = properties.iter().filter(|p| p.cardinality.is_required()).count();
                ClassShape { iri: class.iri.clone(), properties, required }
            })
            .collect();
        let event_types = schema
            .event_types
            .iter()
            .filter_map(|(name, iri)| Some((name.as_str().into(), *ids.get(iri)?)))
            .collect();
        Self { classes, event_types }
    }

    /// The class of an event type's data.
    pub fn class_of_event(&self, event_type: &str) -> Option<ClassId> {
        self.event_types.get(event_type).copied()
    }

    /// The shape of a class.
    ///
    /// `id` must come from this admission; an id of another one may name another class, or give `None`.
    pub fn class(&self, id: ClassId) -> Option<&ClassShape> {
        self.classes.get(id.0 as usize)
    }

    /// Whether the event agrees with its class. Stops at the first disagreement and allocates nothing, except where a
    /// property admits several classes.
    pub fn conforms(&self, event_type: &str, data: &Json<'_>) -> bool {
        self.class_of_event(event_type)
            .is_some_and(|class| self.data_conforms(class, data, &mut Memory::default()))
    }

    fn data_conforms(&self, class: ClassId, data: &Json<'_>, memory: &mut Memory) -> bool {
        match data {
            Json::Object(members) => self.object_conforms(class, members, memory),
            Json::Null => self.object_conforms(class, &[], memory),
            _ => false,
        }
    }

    pub(crate) fn object_conforms(&self, class: ClassId, members: &Members<'_>, memory: &mut Memory) -> bool {
        let Some(class) = self.class(class) else { return false };
        let mut required = class.required;
        for (key, value) in members {
            let Some(property) = class.property(key) else { return false };
            let filled = match value {
                Json::Null => false,
                Json::Array(elements) => {
                    if !property.admits_array(elements) {
                        return false;
                    }
                    let mut values = elements.iter().filter(|element| **element != Json::Null);
                    let filled = values.clone().next().is_some();
                    if !values.all(|element| self.value_conforms(property, element, memory)) {
                        return false;
                    }
                    filled
                }
                other if self.value_conforms(property, other, memory) => true,
                _ => return false,
            };
            if filled && property.cardinality.is_required() {
                required -= 1;
            }
        }
        required == 0
    }

    fn value_conforms(&self, property: &PropertyShape, value: &Json<'_>, memory: &mut Memory) -> bool {
        if property.facets.as_deref().is_some_and(|facets| breach(facets, value).is_some()) {
            return false;
        }
        if property.admits_literal(value) {
            return true;
        }
        let Json::Object(members) = value else { return false };
        match property.classes.as_slice() {
            [] => false,
            [class] => self.object_conforms(*class, members, memory),
            classes => {
                // Without memory, nested alternatives would be tried in every combination.
                let address = std::ptr::from_ref(value).addr();
                classes.iter().any(|class| {
                    if let Some(known) = memory.0.get(&(address, *class)) {
                        return *known;
                    }
                    let conforms = self.object_conforms(*class, members, memory);
                    memory.0.insert((address, *class), conforms);
                    conforms
                })
            }
        }
    }
}

pub(crate) type Members<'a> = [(std::borrow::Cow<'a, str>, Json<'a>)];

/// Which objects are known to conform to which classes, while one event is judged.
#[derive(Default)]
pub(crate) struct Memory(BTreeMap<(usize, ClassId), bool>);

impl ClassShape {
    /// The class's IRI.
    pub fn iri(&self) -> &Iri {
        &self.iri
    }

    /// Its properties, by key.
    pub fn properties(&self) -> &[PropertyShape] {
        &self.properties
    }

    /// The property that a key stands for.
    pub fn property(&self, key: &str) -> Option<&PropertyShape> {
        self.position(key).and_then(|position| self.properties.get(position))
    }

    /// The position in [`ClassShape::properties`] of the property that a key stands for.
    pub fn position(&self, key: &str) -> Option<usize> {
        self.properties.binary_search_by(|property| (*property.key).cmp(key)).ok()
    }
}

impl PropertyShape {
    /// The JSON key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Datatypes a value may have.
    pub fn datatypes(&self) -> &[Datatype] {
        &self.datatypes
    }

    /// Classes an object may have.
    pub fn classes(&self) -> &[ClassId] {
        &self.classes
    }

    /// How many values.
    pub fn cardinality(&self) -> Cardinality {
        self.cardinality
    }

    /// Further constraints, if any.
    pub fn facets(&self) -> Option<&Facets> {
        self.facets.as_deref()
    }

    /// Whether no type is known yet: only `null` and `[]` are admitted.
    pub fn is_untyped(&self) -> bool {
        self.datatypes.is_empty() && self.classes.is_empty()
    }

    /// Whether values are not looked into (`rdf:JSON`).
    pub fn is_opaque(&self) -> bool {
        self.datatypes.contains(&Datatype::Json)
    }

    /// Whether an array may stand here: where several values may be, or an empty one where no type is known.
    pub fn admits_array(&self, elements: &[Json<'_>]) -> bool {
        self.cardinality.is_many() || (self.is_untyped() && elements.is_empty())
    }

    /// Whether one of the datatypes admits the value. Facets and classes are not looked at.
    pub fn admits_literal(&self, value: &Json<'_>) -> bool {
        self.datatypes.iter().any(|datatype| admits(*datatype, value))
    }

    /// The types in words, e.g. `integer|string`; `null` when none is known yet.
    pub fn expected(&self) -> String {
        let mut names: Vec<&str> = self.datatypes.iter().map(|datatype| datatype_name(*datatype)).collect();
        if !self.classes.is_empty() {
            names.push("object");
        }
        if names.is_empty() { "null".to_owned() } else { names.join("|") }
    }
}

/// The name of a datatype in reports.
pub fn datatype_name(datatype: Datatype) -> &'static str {
    match datatype {
        Datatype::String => "string",
        Datatype::Boolean => "boolean",
        Datatype::Integer => "integer",
        Datatype::Decimal => "decimal",
        Datatype::DateTime => "date_time",
        Datatype::Date => "date",
        Datatype::AnyUri => "iri",
        Datatype::Json => "json",
    }
}

fn admits(datatype: Datatype, value: &Json<'_>) -> bool {
    match (datatype, value) {
        (Datatype::Json | Datatype::String, Json::String(_))
        | (Datatype::Json | Datatype::Boolean, Json::Bool(_))
        | (Datatype::Json | Datatype::Decimal, Json::Number(_))
        | (Datatype::Json, Json::Object(_) | Json::Array(_)) => true,
        (Datatype::Integer, Json::Number(number)) => number.is_integer(),
        (Datatype::DateTime, Json::String(text)) => lexical::is_date_time(text),
        (Datatype::Date, Json::String(text)) => lexical::is_date(text),
        (Datatype::AnyUri, Json::String(text)) => lexical::is_absolute_iri(text),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::fixture::{class, property, schema};

    fn shipment() -> Schema {
        let mut weight = property("weightKg", &["decimal"], Cardinality::ZeroOrOne);
        weight.facets.min = Some("0".parse().unwrap());
        weight.facets.max = Some("1000".parse().unwrap());
        let mut status = property("status", &["string"], Cardinality::One);
        status.facets.values = Some(BTreeSet::from(["new".to_owned(), "sent".to_owned()]));
        let mut code = property("code", &["string"], Cardinality::ZeroOrOne);
        code.facets.min_length = Some(2);
        code.facets.max_length = Some(3);
        schema(vec![
            class(
                "Shipment",
                &["shipment"],
                vec![
                    weight,
                    status,
                    code,
                    property("count", &["integer"], Cardinality::ZeroOrOne),
                    property("tags", &["string"], Cardinality::ZeroOrMore),
                    property("items", &["Item"], Cardinality::OneOrMore),
                    property("unknown", &[], Cardinality::ZeroOrOne),
                    property("at", &["date_time", "date"], Cardinality::ZeroOrOne),
                    property("link", &["iri"], Cardinality::ZeroOrOne),
                    property("flag", &["boolean"], Cardinality::ZeroOrOne),
                    property("anything", &["json"], Cardinality::ZeroOrMore),
                    property("either", &["Item", "Box"], Cardinality::ZeroOrOne),
                ],
            ),
            class("Item", &[], vec![property("sku", &["string"], Cardinality::One)]),
            class(
                "Box",
                &[],
                vec![
                    property("size", &["integer"], Cardinality::One),
                    property("inner", &["Box", "Item"], Cardinality::ZeroOrOne),
                ],
            ),
        ])
    }

    fn judge(data: &str) -> Vec<(ViolationKind, String)> {
        let admission = Admission::new(&shipment());
        let json = Json::parse(data).unwrap();
        let verdict = admission.check("shipment", &json);
        assert_eq!(
            verdict.conforms(),
            admission.conforms("shipment", &json),
            "{data}: the two ways disagree"
        );
        match verdict {
            Verdict::Violates { violations, .. } => {
                violations.into_iter().map(|v| (v.kind, v.path)).collect()
            }
            Verdict::Conforms => Vec::new(),
            Verdict::UnknownEventType => panic!("known"),
        }
    }

    fn with(rest: &str) -> String {
        format!("{{\"status\":\"new\",\"items\":[{{\"sku\":\"a\"}}]{rest}}}")
    }

    #[test]
    fn a_conforming_event_conforms() {
        for rest in [
            "",
            ",\"weightKg\":5,\"count\":-3,\"tags\":[],\"unknown\":null,\"at\":\"2026-01-01\"",
            ",\"tags\":\"lone\",\"unknown\":[],\"at\":\"2026-01-01T00:00:00Z\",\"link\":\"urn:x:1\",\"flag\":true",
            ",\"anything\":[[1],{\"x\":null},\"y\",null],\"either\":{\"sku\":\"a\"},\"code\":\"éé\"",
            ",\"either\":{\"size\":1,\"inner\":{\"size\":2,\"inner\":{\"sku\":\"z\"}}},\"weightKg\":1000.0",
        ] {
            assert_eq!(judge(&with(rest)), [], "{rest}");
        }
        assert_eq!(
            judge("{\"status\":\"sent\",\"items\":{\"sku\":\"a\"}}"),
            [],
            "a lone value is an array of one"
        );
    }

    #[test]
    fn each_rule_refuses_at_its_path() {
        use ViolationKind as K;
        for (rest, kind, path) in [
            (",\"other\":1", K::Undeclared, "other"),
            (",\"count\":1.0", K::Type, "count"),
            (",\"count\":\"1\"", K::Type, "count"),
            (",\"flag\":0", K::Type, "flag"),
            (",\"at\":\"yesterday\"", K::Type, "at"),
            (",\"link\":\"not one\"", K::Type, "link"),
            (",\"tags\":[\"a\",1]", K::Type, "tags[]"),
            (",\"tags\":[[\"a\"]]", K::Type, "tags[]"),
            (",\"unknown\":1", K::Type, "unknown"),
            (",\"either\":5", K::Type, "either"),
            (",\"weightKg\":-0.1", K::OutOfRange, "weightKg"),
            (",\"weightKg\":1000.0000000000000001", K::OutOfRange, "weightKg"),
            (",\"weightKg\":1e300", K::OutOfRange, "weightKg"),
            (",\"code\":\"é\"", K::OutOfRange, "code"),
            (",\"code\":\"abcd\"", K::OutOfRange, "code"),
            (",\"count\":[1]", K::Cardinality, "count"),
            (",\"either\":{\"size\":1,\"skew\":2}", K::Undeclared, "either.skew"),
        ] {
            assert_eq!(judge(&with(rest)), [(kind, path.to_owned())], "{rest}");
        }
        assert_eq!(
            judge("{\"status\":\"lost\",\"items\":[{\"sku\":\"a\"}]}"),
            [(K::Enum, "status".to_owned())]
        );
        assert_eq!(
            judge("{\"status\":null,\"items\":[{}]}"),
            [(K::MissingRequired, "items[].sku".to_owned()), (K::MissingRequired, "status".to_owned())]
        );
        assert_eq!(
            judge("{\"status\":\"new\",\"items\":[null]}"),
            [(K::MissingRequired, "items".to_owned())]
        );
        assert_eq!(judge("null").len(), 2);
        assert_eq!(judge("[1]"), [(K::Type, String::new())]);
    }

    #[test]
    fn an_event_type_without_class_is_unknown() {
        let admission = Admission::new(&shipment());
        assert_eq!(admission.check("other", &Json::Null), Verdict::UnknownEventType);
        assert!(!admission.conforms("other", &Json::Null));
    }

    #[test]
    fn the_list_of_violations_is_bounded() {
        let data = (0..100).map(|n| format!(",\"x{n}\":1")).collect::<Vec<_>>().concat();
        let admission = Admission::new(&shipment());
        match admission.check("shipment", &Json::parse(&with(&data)).unwrap()) {
            Verdict::Violates { violations, more } => assert!(more && violations.len() == VIOLATIONS_MAX),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nested_alternatives_are_not_tried_in_every_combination() {
        let mut data = "{\"size\":\"wrong\"}".to_owned();
        for _ in 0..100 {
            data = format!("{{\"size\":1,\"inner\":{data}}}");
        }
        assert_eq!(judge(&with(&format!(",\"either\":{data}"))).len(), 1);
    }

    proptest! {
        #[test]
        fn the_fast_answer_is_that_of_the_report(
            count in prop_oneof![Just("1"), Just("1.5"), Just("null"), Just("[1]"), Just("{}")],
            tags in prop_oneof![Just("[]"), Just("[\"a\",null]"), Just("[1]"), Just("\"a\"")],
            items in prop_oneof![Just("[]"), Just("[{\"sku\":\"a\"}]"), Just("[{\"sku\":\"a\",\"x\":1}]"), Just("{}")],
            status in prop_oneof![Just("\"new\""), Just("\"old\""), Just("7")],
        ) {
            judge(&format!("{{\"count\":{count},\"tags\":{tags},\"items\":{items},\"status\":{status}}}"));
        }
    }
}
