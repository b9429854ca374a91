//! Which SHACL shapes are evaluated. Anything else is refused before it can be skipped: an engine that ignores a
//! constraint answers "conforms" where nobody looked.

use std::collections::{BTreeMap, BTreeSet};

use shacl_rust::core::constraints::PatternConstraint;

use crate::error::OntologyError;
use crate::graph::Graph;
use crate::iri::Iri;
use crate::triple::Term;
use crate::vocab;

/// Deepest nesting of shapes in shapes, and of paths in paths.
pub const SHAPE_DEPTH_MAX: usize = 32;
/// Most shapes after every nested shape has been written out where it is used.
pub const SHAPES_EXPANDED_MAX: u64 = 100_000;
/// Longest list in a shape, in members.
pub const SHAPE_LIST_MAX: usize = 4_096;
/// Longest `sh:pattern`, in bytes.
pub const PATTERN_BYTES_MAX: usize = 1_024;

/// What a constraint's object must be.
#[derive(Clone, Copy, PartialEq)]
enum Expects {
    Iri,
    Any,
    Text,
    Number,
    Count,
    Boolean,
    Pattern,
    Path,
    Shape,
    PropertyShape,
    Shapes,
    List,
}

/// The terms that are evaluated on a shape, what their object must be, and whether there may be several.
const TERMS: [(&str, Expects, bool); 47] = [
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
    ("maxExclusive", Expects::Number, false),
    ("maxInclusive", Expects::Number, false),
    ("maxLength", Expects::Count, false),
    ("message", Expects::Text, true),
    ("minCount", Expects::Count, false),
    ("minExclusive", Expects::Number, false),
    ("minInclusive", Expects::Number, false),
    ("minLength", Expects::Count, false),
    ("name", Expects::Text, true),
    ("node", Expects::Shape, true),
    ("nodeKind", Expects::Iri, false),
    ("not", Expects::Shape, true),
    ("or", Expects::Shapes, true),
    ("order", Expects::Any, false),
    ("path", Expects::Path, false),
    ("pattern", Expects::Pattern, false),
    ("property", Expects::PropertyShape, true),
    ("qualifiedMaxCount", Expects::Count, false),
    ("qualifiedMinCount", Expects::Count, false),
    ("qualifiedValueShape", Expects::Shape, false),
    ("qualifiedValueShapesDisjoint", Expects::Boolean, false),
    ("severity", Expects::Iri, false),
    ("targetClass", Expects::Iri, true),
    ("targetNode", Expects::Any, true),
    ("targetObjectsOf", Expects::Iri, true),
    ("targetSubjectsOf", Expects::Iri, true),
    ("uniqueLang", Expects::Boolean, false),
    ("xone", Expects::Shapes, true),
    // Only on groups, where it says nothing of data.
    ("PropertyGroup", Expects::Any, true),
];

/// Terms allowed besides, as paths, classes and values.
const VALUES: [&str; 16] = [
    "NodeShape",
    "PropertyShape",
    "Shape",
    "BlankNode",
    "IRI",
    "Literal",
    "BlankNodeOrIRI",
    "BlankNodeOrLiteral",
    "IRIOrLiteral",
    "Info",
    "Warning",
    "Violation",
    "inversePath",
    "alternativePath",
    "zeroOrMorePath",
    "oneOrMorePath",
];

fn path_operators() -> [Iri; 5] {
    ["inversePath", "alternativePath", "zeroOrMorePath", "oneOrMorePath", "zeroOrOnePath"]
        .map(|local| Iri::derived(format!("{}{local}", vocab::SH_NAMESPACE)))
}

fn local(iri: &Iri) -> Option<&str> {
    iri.as_str().strip_prefix(vocab::SH_NAMESPACE)
}

/// Refuses every `sh:` term that is not evaluated, with the node that carries it, and every shape that the engine
/// would misread: values of the wrong kind, lists and paths that are not well formed, shapes that contain themselves.
///
/// # Errors
/// [`OntologyError::NotSupported`], [`OntologyError::BadShape`] or [`OntologyError::TooLarge`].
pub fn admit_shapes(graph: &Graph) -> Result<(), OntologyError> {
    Admission::new(graph).run().map(|_| ())
}

/// As [`admit_shapes`]; the nodes that stand for complex paths come back.
pub(crate) fn admitted_paths(graph: &Graph) -> Result<BTreeSet<Iri>, OntologyError> {
    Admission::new(graph).run()
}

struct Admission<'g> {
    graph: &'g Graph,
    operators: [Iri; 5],
    /// Shape → shapes directly inside it.
    inside: BTreeMap<Iri, Vec<Iri>>,
    paths: BTreeSet<Iri>,
}

impl<'g> Admission<'g> {
    fn new(graph: &'g Graph) -> Self {
        Self { graph, operators: path_operators(), inside: BTreeMap::new(), paths: BTreeSet::new() }
    }

    fn run(mut self) -> Result<BTreeSet<Iri>, OntologyError> {
        for triple in self.graph.sorted() {
            for iri in
                [Some(&triple.subject), Some(&triple.predicate), triple.object.as_iri()].into_iter().flatten()
            {
                if let Some(name) = local(iri)
                    && !(TERMS.iter().any(|(known, ..)| *known == name)
                        || VALUES.contains(&name)
                        || name == "zeroOrOnePath")
                {
                    return Err(OntologyError::NotSupported {
                        term: format!("sh:{name}"),
                        subject: triple.subject.to_string(),
                    });
                }
            }
            if let Some(name) = local(&triple.predicate) {
                if let Some((_, expects, many)) = TERMS.iter().find(|(known, ..)| *known == name) {
                    self.term(&triple.subject, &triple.predicate, &triple.object, *expects, *many)?;
                } else if !self.operators.contains(&triple.predicate) {
                    return Err(bad(
                        &triple.subject,
                        format!("uses sh:{name} as a predicate; it is not one"),
                    ));
                }
            }
            let is_type = triple.predicate == *vocab::RDF_TYPE;
            let is_shape =
                is_type && triple.object.as_iri().and_then(local).is_some_and(|name| name.ends_with("Shape"));
            let says = |class: &Iri| {
                !self
                    .graph
                    .matching(Some(&triple.subject), Some(&vocab::RDF_TYPE), Some(&class.clone().into()))
                    .count()
                    .eq(&0)
            };
            if is_shape && says(&vocab::OWL_CLASS) {
                let problem =
                    "is a class and a shape at once; give the shape its own name and sh:targetClass";
                return Err(bad(&triple.subject, problem));
            }
        }
        self.nesting()?;
        Ok(self.paths)
    }

    fn term(
        &mut self,
        shape: &Iri,
        predicate: &Iri,
        object: &Term,
        expects: Expects,
        many: bool,
    ) -> Result<(), OntologyError> {
        let name = local(predicate).unwrap_or_default();
        let wrong = |what: &str| bad(shape, format!("has {object} for sh:{name}; write {what}"));
        if !many && self.graph.matching(Some(shape), Some(predicate), None).nth(1).is_some() {
            return Err(bad(shape, format!("has more than one sh:{name}; keep one")));
        }
        let literal = object.as_literal();
        let fits = match expects {
            Expects::Any => true,
            Expects::Iri => object.as_iri().is_some(),
            Expects::Text => literal.is_some(),
            // Other orders of literals are compared by their text, which is not their order.
            Expects::Number => {
                literal.is_some_and(|l| l.value().parse::<f64>().is_ok() || is_temporal(l.datatype()))
            }
            Expects::Count => literal.is_some_and(|l| {
                *l.datatype() == *vocab::XSD_INTEGER && l.value().parse::<i32>().is_ok_and(|n| n >= 0)
            }),
            Expects::Boolean => literal.is_some_and(|l| {
                *l.datatype() == *vocab::XSD_BOOLEAN && matches!(l.value(), "true" | "false")
            }),
            Expects::Pattern => {
                return self.pattern(shape, object).ok_or_else(|| wrong("a regular expression"));
            }
            Expects::Path => {
                return self.path(shape, object, SHAPE_DEPTH_MAX);
            }
            Expects::List => {
                let list = object.as_iri().ok_or_else(|| wrong("a list"))?;
                return if self.list(shape, list)?.is_empty() {
                    Err(wrong("a list that is not empty"))
                } else {
                    Ok(())
                };
            }
            Expects::Shape | Expects::PropertyShape => match object.as_iri() {
                Some(inner) => {
                    let is_path =
                        self.graph.matching(Some(inner), Some(&vocab::SH_PATH), None).next().is_some();
                    if expects == Expects::PropertyShape && !is_path {
                        return Err(bad(inner, "has no sh:path though it is used by sh:property; state one"));
                    }
                    self.inside.entry(shape.clone()).or_default().push(inner.clone());
                    true
                }
                None => false,
            },
            Expects::Shapes => {
                let list = object.as_iri().ok_or_else(|| wrong("a list of shapes"))?;
                let members = self.list(shape, list)?;
                let shapes: Option<Vec<Iri>> =
                    members.iter().map(|member| member.as_iri().cloned()).collect();
                match shapes {
                    Some(shapes) if !shapes.is_empty() => {
                        self.inside.entry(shape.clone()).or_default().extend(shapes);
                        true
                    }
                    _ => false,
                }
            }
        };
        if fits { Ok(()) } else { Err(wrong("what the SHACL recommendation asks for here")) }
    }

    fn pattern(&self, shape: &Iri, object: &Term) -> Option<()> {
        let pattern = object.as_literal()?.value();
        let flags = self.graph.object(shape, &Iri::derived(format!("{}flags", vocab::SH_NAMESPACE)));
        let flags = flags.as_ref().and_then(Term::as_literal).map(|literal| literal.value().to_owned());
        // Of XPath's flags the engine knows these; the others would be ignored.
        let known = flags.as_deref().is_none_or(|flags| flags.bytes().all(|flag| b"ims".contains(&flag)));
        let compiles = pattern.len() <= PATTERN_BYTES_MAX
            && PatternConstraint::new(pattern.to_owned(), flags.filter(|flags| !flags.is_empty()))
                .compiled
                .is_some();
        (known && compiles).then_some(())
    }

    /// A path is a predicate, a list of at least two paths, or a node with one path operator. Such nodes must not
    /// be the names of predicates, so they are skolem IRIs.
    fn path(&mut self, shape: &Iri, path: &Term, depth: usize) -> Result<(), OntologyError> {
        let Some(iri) = path.as_iri() else {
            return Err(bad(
                shape,
                format!("has {path} in its sh:path; write predicates and path operators"),
            ));
        };
        let says: Vec<(Iri, Term)> = self
            .graph
            .matching(Some(iri), None, None)
            .filter(|t| self.operators.contains(&t.predicate) || t.predicate == *vocab::RDF_FIRST)
            .map(|t| (t.predicate, t.object))
            .collect();
        if !iri.as_str().starts_with(vocab::SKOLEM_PREFIX) {
            return if says.is_empty() {
                Ok(())
            } else {
                Err(bad(shape, format!("has the complex path <{iri}>; write it as a blank node")))
            };
        }
        if depth == 0 {
            return Err(OntologyError::too_large(format!("path of `{shape}` in levels"), SHAPE_DEPTH_MAX));
        }
        let [(operator, object)] = says.as_slice() else {
            return Err(bad(
                shape,
                "has a node in its sh:path that is not exactly one list or path operator",
            ));
        };
        let members = if *operator == *vocab::RDF_FIRST {
            let members = self.list(shape, iri)?;
            self.cells(iri);
            members
        } else if local(operator) == Some("alternativePath") {
            let list = object
                .as_iri()
                .ok_or_else(|| bad(shape, "has an sh:alternativePath that is no list"))?
                .clone();
            let members = self.list(shape, &list)?;
            self.cells(&list);
            members
        } else {
            vec![object.clone()]
        };
        self.paths.insert(iri.clone());
        let is_inverse = local(operator) == Some("inversePath");
        for member in &members {
            let is_plain = member.as_iri().is_some_and(|iri| !iri.as_str().starts_with(vocab::SKOLEM_PREFIX));
            let inner_list = member.as_iri().is_some_and(|iri| {
                self.graph.matching(Some(iri), Some(&vocab::RDF_FIRST), None).next().is_some()
            });
            if (is_inverse && !is_plain) || inner_list {
                let problem = "nests a path in a way that is not evaluated: only the inverse of a predicate, and no sequence inside a path";
                return Err(OntologyError::NotSupported {
                    term: format!("sh:path ({problem})"),
                    subject: shape.to_string(),
                });
            }
            self.path(shape, member, depth - 1)?;
        }
        Ok(())
    }

    fn cells(&mut self, list: &Iri) {
        let mut at = list.clone();
        while at != *vocab::RDF_NIL && self.paths.insert(at.clone()) {
            match self.graph.object(&at, &vocab::RDF_REST) {
                Some(Term::Iri(rest)) => at = rest,
                _ => break,
            }
        }
    }

    fn list(&self, shape: &Iri, list: &Iri) -> Result<Vec<Term>, OntologyError> {
        let mut members = Vec::new();
        let mut at = list.clone();
        while at != *vocab::RDF_NIL {
            if members.len() == SHAPE_LIST_MAX {
                return Err(OntologyError::too_large(
                    format!("list of `{shape}` in members"),
                    SHAPE_LIST_MAX,
                ));
            }
            match (self.graph.object(&at, &vocab::RDF_FIRST), self.graph.object(&at, &vocab::RDF_REST)) {
                (Some(first), Some(Term::Iri(rest))) => {
                    members.push(first);
                    at = rest;
                }
                _ => return Err(bad(shape, "has a list that is not well formed; end it with rdf:nil")),
            }
        }
        Ok(members)
    }

    /// Shapes are written out where they are used, so a shape inside itself never ends and a chain of doubled
    /// references grows without bound.
    fn nesting(&self) -> Result<(), OntologyError> {
        let mut size: BTreeMap<&Iri, u64> = BTreeMap::new();
        let mut total: u64 = 0;
        for shape in self.inside.keys() {
            total = total.saturating_add(self.size_of(shape, SHAPE_DEPTH_MAX, &mut size)?);
        }
        if total > SHAPES_EXPANDED_MAX {
            return Err(OntologyError::TooLarge {
                what: "shapes after expansion".into(),
                max: SHAPES_EXPANDED_MAX,
            });
        }
        Ok(())
    }

    fn size_of<'a>(
        &'a self,
        shape: &'a Iri,
        depth: usize,
        known: &mut BTreeMap<&'a Iri, u64>,
    ) -> Result<u64, OntologyError> {
        if let Some(size) = known.get(shape) {
            return Ok(*size);
        }
        if depth == 0 {
            return Err(bad(
                shape,
                "contains itself or is nested too deeply; recursive shapes are not supported",
            ));
        }
        let mut size: u64 = 1;
        for inner in self.inside.get(shape).into_iter().flatten() {
            size = size.saturating_add(self.size_of(inner, depth - 1, known)?);
        }
        known.insert(shape, size);
        Ok(size)
    }
}

fn is_temporal(datatype: &Iri) -> bool {
    *datatype == *vocab::XSD_DATE || *datatype == *vocab::XSD_DATE_TIME
}

fn bad(shape: &Iri, problem: impl Into<String>) -> OntologyError {
    OntologyError::BadShape { shape: shape.to_string(), problem: problem.into() }
}
