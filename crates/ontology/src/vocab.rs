//! IRIs of the vocabularies this crate reads and writes. The page `docs/formats/ontology.md` explains those of `knhk:`.

use std::sync::LazyLock;

use crate::iri::Iri;

/// The namespace of Σ_core's terms, `knhk:`.
pub const KNHK_NAMESPACE: &str = "urn:knhk:ns#";
/// The namespace of RDF, `rdf:`.
pub const RDF_NAMESPACE: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
/// The namespace of RDF Schema, `rdfs:`.
pub const RDFS_NAMESPACE: &str = "http://www.w3.org/2000/01/rdf-schema#";
/// The namespace of OWL, `owl:`.
pub const OWL_NAMESPACE: &str = "http://www.w3.org/2002/07/owl#";
/// The namespace of SHACL, `sh:`.
pub const SH_NAMESPACE: &str = "http://www.w3.org/ns/shacl#";
/// What the IRI of a sector begins with; its name follows.
pub const SECTOR_PREFIX: &str = "urn:knhk:sector:";
/// What every IRI that stands for a blank node begins with.
pub const SKOLEM_PREFIX: &str = "urn:knhk:sk:";

/// Prefixes known to every reader of this project's Turtle, in order of the prefix.
pub const PREFIXES: [(&str, &str); 6] = [
    ("knhk", KNHK_NAMESPACE),
    ("owl", OWL_NAMESPACE),
    ("rdf", RDF_NAMESPACE),
    ("rdfs", RDFS_NAMESPACE),
    ("sh", SH_NAMESPACE),
    ("xsd", "http://www.w3.org/2001/XMLSchema#"),
];

/// Prefixes of vocabularies that ontologies of others are written in, in order of the prefix. They shorten what people
/// read and are declared in no file of ours.
pub const OTHER_PREFIXES: [(&str, &str); 10] = [
    ("brick", "https://brickschema.org/schema/Brick#"),
    ("dcat", "http://www.w3.org/ns/dcat#"),
    ("dcterms", "http://purl.org/dc/terms/"),
    ("foaf", "http://xmlns.com/foaf/0.1/"),
    ("prov", "http://www.w3.org/ns/prov#"),
    ("qudt", "http://qudt.org/schema/qudt/"),
    ("schema", "http://schema.org/"),
    ("skos", "http://www.w3.org/2004/02/skos/core#"),
    ("sosa", "http://www.w3.org/ns/sosa/"),
    ("vann", "http://purl.org/vocab/vann/"),
];

macro_rules! terms {
    ($base:literal: $($name:ident = $local:literal),* $(,)?) => {
        $(
            #[doc = concat!("`", $base, $local, "`")]
            pub static $name: LazyLock<Iri> = LazyLock::new(|| Iri::constant(concat!($base, $local)));
        )*
    };
}

terms! { "http://www.w3.org/1999/02/22-rdf-syntax-ns#":
    RDF_FIRST = "first", RDF_JSON = "JSON", RDF_LANG_STRING = "langString", RDF_NIL = "nil",
    RDF_PROPERTY = "Property", RDF_REST = "rest", RDF_TYPE = "type",
}

terms! { "http://www.w3.org/2000/01/rdf-schema#":
    RDFS_COMMENT = "comment", RDFS_DOMAIN = "domain", RDFS_LABEL = "label", RDFS_RANGE = "range",
    RDFS_RESOURCE = "Resource", RDFS_SUB_CLASS_OF = "subClassOf",
}

terms! { "http://www.w3.org/2002/07/owl#":
    OWL_CLASS = "Class", OWL_DEPRECATED = "deprecated", OWL_IMPORTS = "imports",
}

terms! { "http://www.w3.org/2004/02/skos/core#":
    SKOS_PREF_LABEL = "prefLabel",
}

terms! { "http://www.w3.org/2001/XMLSchema#":
    XSD_ANY_URI = "anyURI", XSD_BOOLEAN = "boolean", XSD_DATE = "date", XSD_DATE_TIME = "dateTime",
    XSD_DECIMAL = "decimal", XSD_INTEGER = "integer", XSD_STRING = "string",
}

terms! { "http://www.w3.org/ns/shacl#":
    SH_ALTERNATIVE_PATH = "alternativePath", SH_DEACTIVATED = "deactivated", SH_DECLARE = "declare",
    SH_INVERSE_PATH = "inversePath", SH_MESSAGE = "message", SH_NAMESPACE_TERM = "namespace",
    SH_ONE_OR_MORE_PATH = "oneOrMorePath", SH_PREFIX = "prefix", SH_PREFIXES = "prefixes", SH_SELECT = "select",
    SH_ZERO_OR_MORE_PATH = "zeroOrMorePath", SH_ZERO_OR_ONE_PATH = "zeroOrOnePath",
    SH_CLASS = "class", SH_CLOSED = "closed", SH_DATATYPE = "datatype", SH_IGNORED_PROPERTIES = "ignoredProperties",
    SH_IN = "in", SH_MAX_COUNT = "maxCount", SH_MAX_INCLUSIVE = "maxInclusive", SH_MAX_LENGTH = "maxLength",
    SH_MIN_COUNT = "minCount", SH_MIN_INCLUSIVE = "minInclusive", SH_MIN_LENGTH = "minLength",
    SH_NODE_SHAPE = "NodeShape", SH_OR = "or", SH_PATH = "path", SH_PROPERTY = "property",
    SH_PROPERTY_SHAPE = "PropertyShape", SH_TARGET_CLASS = "targetClass",
}

terms! { "urn:knhk:ns#":
    KNHK_ASK = "ask", KNHK_CARDINALITY = "cardinality", KNHK_COMPATIBILITY = "compatibility", KNHK_ERROR_EVENT_TYPE = "errorEventType",
    KNHK_ERROR_SHARE = "errorShare", KNHK_EVENT = "Event", KNHK_EVENT_TYPE = "eventType",
    KNHK_EXPECTED_RATE = "expectedRate", KNHK_FREQUENCY_LIMIT = "frequencyLimit", KNHK_HEARTBEAT = "heartbeat",
    KNHK_HOT = "hot", KNHK_IN_SECTOR = "inSector", KNHK_INVARIANT = "Invariant", KNHK_KEY = "key",
    KNHK_MINIMUM_CONFIDENCE = "minimumConfidence", KNHK_MINIMUM_EVIDENCE = "minimumEvidence",
    KNHK_NAMESPACE_TERM = "namespace", KNHK_PART = "Part", KNHK_PROMOTION_POLICY = "promotionPolicy",
    KNHK_REPLACED_BY = "replacedBy", KNHK_SECTOR = "Sector", KNHK_TYPE_ONLY = "typeOnly",
}

/// The terms of SHACL that the shapes of a sector's ontology are read by: no others stand on its nodes.
pub(crate) static SH_READ: LazyLock<[Iri; 15]> = LazyLock::new(|| {
    [
        &SH_CLASS,
        &SH_CLOSED,
        &SH_DATATYPE,
        &SH_IGNORED_PROPERTIES,
        &SH_IN,
        &SH_MAX_COUNT,
        &SH_MAX_INCLUSIVE,
        &SH_MAX_LENGTH,
        &SH_MIN_COUNT,
        &SH_MIN_INCLUSIVE,
        &SH_MIN_LENGTH,
        &SH_OR,
        &SH_PATH,
        &SH_PROPERTY,
        &SH_TARGET_CLASS,
    ]
    .map(|term| Iri::clone(term))
});
