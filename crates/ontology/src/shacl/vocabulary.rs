//! The terms of SHACL that are evaluated, and what their objects must be. Everything else of `sh:` is refused.

use crate::iri::Iri;
use crate::vocab;

/// What a term's object must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Expects {
    /// An IRI.
    Iri,
    /// Any term.
    Any,
    /// A literal.
    Text,
    /// A literal with an order.
    Ordered,
    /// A whole number, not negative.
    Count,
    /// `true` or `false`.
    Boolean,
    /// A node kind.
    NodeKind,
    /// A path.
    Path,
    /// A shape.
    Shape,
    /// A shape with a path.
    PropertyShape,
    /// A list of shapes.
    Shapes,
    /// A list.
    List,
    /// A SPARQL-based constraint.
    Sparql,
}

/// Terms on a shape: local name, what the object must be, whether there may be several.
const ON_SHAPES: [(&str, Expects, bool); 46] = [
    ("and", Expects::Shapes, true),
    ("class", Expects::Iri, true),
    ("closed", Expects::Boolean, false),
    ("datatype", Expects::Iri, false),
    ("deactivated", Expects::Boolean, false),
    ("defaultValue", Expects::Any, true),
    ("description", Expects::Text, true),
    ("disjoint", Expects::Iri, true),
    ("equals", Expects::Iri, true),
    ("flags", Expects::Text, false),
    ("group", Expects::Iri, true),
    ("hasValue", Expects::Any, true),
    ("ignoredProperties", Expects::List, false),
    ("in", Expects::List, false),
    ("languageIn", Expects::List, false),
    ("lessThan", Expects::Iri, true),
    ("lessThanOrEquals", Expects::Iri, true),
    ("maxCount", Expects::Count, false),
    ("maxExclusive", Expects::Ordered, false),
    ("maxInclusive", Expects::Ordered, false),
    ("maxLength", Expects::Count, false),
    ("message", Expects::Text, true),
    ("minCount", Expects::Count, false),
    ("minExclusive", Expects::Ordered, false),
    ("minInclusive", Expects::Ordered, false),
    ("minLength", Expects::Count, false),
    ("name", Expects::Text, true),
    ("node", Expects::Shape, true),
    ("nodeKind", Expects::NodeKind, false),
    ("not", Expects::Shape, true),
    ("or", Expects::Shapes, true),
    ("order", Expects::Any, false),
    ("path", Expects::Path, false),
    ("pattern", Expects::Text, false),
    ("property", Expects::PropertyShape, true),
    ("qualifiedMaxCount", Expects::Count, false),
    ("qualifiedMinCount", Expects::Count, false),
    ("qualifiedValueShape", Expects::Shape, true),
    ("qualifiedValueShapesDisjoint", Expects::Boolean, false),
    ("severity", Expects::Iri, false),
    ("sparql", Expects::Sparql, true),
    ("targetClass", Expects::Iri, true),
    ("targetNode", Expects::Any, true),
    ("targetObjectsOf", Expects::Iri, true),
    ("targetSubjectsOf", Expects::Iri, true),
    ("uniqueLang", Expects::Boolean, false),
];

/// `sh:xone` is kept apart only by the alphabet.
const XONE: (&str, Expects, bool) = ("xone", Expects::Shapes, true);

/// Terms that say nothing of shapes by themselves: path operators, what stands on constraints and ontologies.
const BESIDE_SHAPES: [&str; 10] = [
    "alternativePath",
    "declare",
    "inversePath",
    "namespace",
    "oneOrMorePath",
    "prefix",
    "prefixes",
    "select",
    "zeroOrMorePath",
    "zeroOrOnePath",
];

/// Terms that are values and classes.
const VALUES: [&str; 16] = [
    "BlankNode",
    "BlankNodeOrIRI",
    "BlankNodeOrLiteral",
    "IRI",
    "IRIOrLiteral",
    "Info",
    "Literal",
    "NodeShape",
    "PrefixDeclaration",
    "PropertyGroup",
    "PropertyShape",
    "SPARQLConstraint",
    "SPARQLSelectExecutable",
    "Shape",
    "Violation",
    "Warning",
];

/// What reports are made of: shapes and reports may stand in one document, and a report asks for nothing.
const OF_REPORTS: [&str; 13] = [
    "ValidationReport",
    "ValidationResult",
    "conforms",
    "detail",
    "focusNode",
    "result",
    "resultMessage",
    "resultPath",
    "resultSeverity",
    "sourceConstraint",
    "sourceConstraintComponent",
    "sourceShape",
    "value",
];

/// The part of a SHACL term after the namespace.
pub(super) fn local(iri: &Iri) -> Option<&str> {
    iri.as_str().strip_prefix(vocab::SH_NAMESPACE)
}

/// The SHACL term of that name.
pub(super) fn sh(name: &str) -> Iri {
    Iri::derived(format!("{}{name}", vocab::SH_NAMESPACE))
}

/// What a term on a shape expects; `None` when it does not stand on shapes.
pub(super) fn on_shapes(name: &str) -> Option<(Expects, bool)> {
    let found = ON_SHAPES.iter().chain([&XONE]).find(|(known, ..)| *known == name);
    found.map(|(_, expects, many)| (*expects, *many))
}

/// Whether a term may stand as a predicate somewhere.
pub(super) fn is_predicate(name: &str) -> bool {
    on_shapes(name).is_some() || BESIDE_SHAPES.contains(&name) || OF_REPORTS.contains(&name)
}

/// Whether the term is known at all.
pub(super) fn is_known(name: &str) -> bool {
    is_predicate(name) || VALUES.contains(&name) || name.ends_with("ConstraintComponent")
}
