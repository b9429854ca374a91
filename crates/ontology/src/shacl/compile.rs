//! From a graph to shapes: everything that will be evaluated is read and checked here, once, and everything else of
//! SHACL is refused. An engine that ignores a constraint answers "conforms" where nobody looked.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::pattern::Pattern;
use super::shape::{Constraint, NodeKind, Path, Shape, ShapeNo, ShapeTable, Target, TermNo};
use super::vocabulary::{Expects, is_known, is_predicate, local, on_shapes, sh};
use crate::error::OntologyError;
use crate::graph::Graph;
use crate::iri::Iri;
use crate::sparql::constraint::SparqlConstraint;
use crate::triple::{Literal, Term};
use crate::vocab;

/// Deepest nesting of shapes in shapes, and of paths in paths.
pub const SHAPE_DEPTH_MAX: usize = 32;
/// Most shapes that evaluating one shape goes through, when every nested shape is counted where it is used.
pub const SHAPES_EXPANDED_MAX: u64 = 100_000;
/// Most shapes of one graph.
pub const SHAPES_MAX: usize = 100_000;
/// Longest list in a shape, in members.
pub const SHAPE_LIST_MAX: usize = 65_536;
/// Most members of lists and parts of paths that reading the shapes of one graph goes through: what several shapes share is
/// counted for each.
pub const SHAPE_PARTS_MAX: usize = 500_000;

/// Reads every shape of the graph.
///
/// # Errors
/// [`OntologyError::NotSupported`] names an `sh:` term that is not evaluated and the node that carries it;
/// [`OntologyError::BadShape`] a shape that is not well formed or contains itself; [`OntologyError::TooLarge`] a limit.
pub(super) fn compile(graph: &Graph) -> Result<ShapeTable, OntologyError> {
    refuse_unknown(graph)?;
    let parts = Parts::default();
    let names = shape_nodes(graph, &parts)?;
    if names.len() > SHAPES_MAX {
        return Err(OntologyError::too_large("shapes of one graph", SHAPES_MAX));
    }
    let mut compiler = Compiler {
        graph,
        numbers: (0..).map(ShapeNo).zip(&names).map(|(no, name)| (name.clone(), no)).collect(),
        terms: Vec::new(),
        term_numbers: BTreeMap::new(),
        parts,
    };
    for term in [&*vocab::RDF_TYPE, &*vocab::RDFS_SUB_CLASS_OF] {
        compiler.number(term.clone())?;
    }
    let shapes = names.iter().map(|name| compiler.shape(name)).collect::<Result<Vec<_>, _>>()?;
    let table = ShapeTable { terms: compiler.terms, numbers: compiler.term_numbers, shapes };
    refuse_recursion(&table)?;
    Ok(table)
}

/// Refuses what SHACL terms say and nobody would evaluate: predicates, and classes of nodes. Individuals of classes that
/// are not of SHACL are data, whatever they say. The first in order of text is told, so that the same graph always gives
/// the same refusal.
fn refuse_unknown(graph: &Graph) -> Result<(), OntologyError> {
    let mut worst: Option<(Iri, String, bool)> = None;
    // Triples come by subject; what a node is costs all that it says.
    let mut data: Option<(&Iri, bool)> = None;
    for (subject, predicate, object) in graph.borrowed() {
        let as_class = (*predicate == *vocab::RDF_TYPE).then_some(object).and_then(Term::as_iri);
        let said = [(Some(predicate), true), (as_class, false)];
        for (iri, as_predicate) in said {
            let Some(name) = iri.and_then(local) else { continue };
            let known = is_known(name);
            if known && (!as_predicate || is_predicate(name)) {
                continue;
            }
            if as_predicate && !known {
                let is_data = match data {
                    Some((node, is_data)) if node == subject => is_data,
                    _ => is_data(graph, subject),
                };
                data = Some((subject, is_data));
                if is_data {
                    continue;
                }
            }
            let found = (subject.clone(), name.to_owned(), known);
            if worst.as_ref().is_none_or(|worst| found < *worst) {
                worst = Some(found);
            }
        }
    }
    match worst {
        None => Ok(()),
        Some((subject, name, true)) => {
            Err(bad(&subject, format!("uses sh:{name} as a predicate; it is not one")))
        }
        Some((subject, name, false)) => {
            Err(OntologyError::NotSupported { term: format!("sh:{name}"), subject: subject.to_string() })
        }
    }
}

/// Whether the node has types, and none of them makes it part of a shapes graph.
fn is_data(graph: &Graph, node: &Iri) -> bool {
    let types = graph.objects(node, &vocab::RDF_TYPE);
    let of_shapes =
        |class: &Iri| local(class).is_some() || *class == *vocab::OWL_CLASS || class.as_str() == RDFS_CLASS;
    let says_more = graph.matching(Some(node), None, None).any(|t| local(&t.predicate).is_some_and(is_known));
    !types.is_empty() && !says_more && !types.iter().filter_map(Term::as_iri).any(of_shapes)
}

const RDFS_CLASS: &str = "http://www.w3.org/2000/01/rdf-schema#Class";

/// The nodes that are shapes (SHACL §2.1): by type, by target, by a parameter, or because a shape refers to them.
fn shape_nodes(graph: &Graph, parts: &Parts) -> Result<Vec<Iri>, OntologyError> {
    let mut nodes = BTreeSet::new();
    let mut lists = BTreeSet::new();
    for (subject, predicate, object) in graph.borrowed() {
        let is_type = *predicate == *vocab::RDF_TYPE;
        let typed = object.as_iri().and_then(local).is_some_and(|n| n == "NodeShape" || n == "PropertyShape");
        if is_type && typed {
            nodes.insert(subject.clone());
        }
        let Some((expects, _)) = local(predicate).and_then(on_shapes) else { continue };
        // Words and groups may stand on anything, e.g. on a property group.
        if matches!(local(predicate), Some("name" | "description" | "order" | "group" | "message")) {
            continue;
        }
        nodes.insert(subject.clone());
        match (expects, object.as_iri()) {
            (Expects::Shape | Expects::PropertyShape, Some(inner)) => {
                nodes.insert(inner.clone());
            }
            (Expects::Shapes, Some(list)) => {
                lists.insert((subject.clone(), list.clone()));
            }
            _ => {}
        }
    }
    // A SPARQL constraint has a message, prefixes and a query, and is no shape unless it has constraints itself.
    let is_shape = |iri: &Iri| graph.matching(Some(iri), Some(&sh("sparql")), None).next().is_some();
    for constraint in graph.matching(None, Some(&sh("sparql")), None) {
        if let Some(iri) = constraint.object.as_iri().filter(|iri| !is_shape(iri)) {
            nodes.remove(iri);
        }
    }
    for (shape, list) in lists {
        nodes.extend(
            members(graph, &shape, &list, parts)?.iter().filter_map(|member| member.as_iri().cloned()),
        );
    }
    Ok(nodes.into_iter().collect())
}

/// The members of a list, in order.
fn members(graph: &Graph, shape: &Iri, list: &Iri, parts: &Parts) -> Result<Vec<Term>, OntologyError> {
    let mut found = Vec::new();
    let mut at = list.clone();
    while at != *vocab::RDF_NIL {
        parts.count(shape)?;
        if found.len() == SHAPE_LIST_MAX {
            return Err(OntologyError::too_large(format!("list of `{shape}` in members"), SHAPE_LIST_MAX));
        }
        match (graph.object(&at, &vocab::RDF_FIRST), graph.object(&at, &vocab::RDF_REST)) {
            (Some(first), Some(Term::Iri(rest))) => {
                found.push(first);
                at = rest;
            }
            _ => return Err(bad(shape, "has a list that is not well formed; end it with rdf:nil")),
        }
    }
    Ok(found)
}

/// How many members of lists and parts of paths were gone through.
#[derive(Default)]
struct Parts(Cell<usize>);

impl Parts {
    fn count(&self, shape: &Iri) -> Result<(), OntologyError> {
        self.0.set(self.0.get() + 1);
        if self.0.get() > SHAPE_PARTS_MAX {
            let what = format!("shapes up to `{shape}` in members of lists and parts of paths");
            return Err(OntologyError::too_large(what, SHAPE_PARTS_MAX));
        }
        Ok(())
    }
}

struct Compiler<'g> {
    graph: &'g Graph,
    numbers: BTreeMap<Iri, ShapeNo>,
    terms: Vec<Term>,
    term_numbers: BTreeMap<Term, TermNo>,
    parts: Parts,
}

/// What a shape says, by local name.
type Said = BTreeMap<String, Vec<Term>>;

impl Compiler<'_> {
    fn number(&mut self, term: impl Into<Term>) -> Result<TermNo, OntologyError> {
        let term = term.into();
        if let Some(no) = self.term_numbers.get(&term) {
            return Ok(*no);
        }
        let no = u32::try_from(self.terms.len()).ok().filter(|no| *no < super::node::UNKNOWN_FROM);
        let no = TermNo(no.ok_or_else(|| OntologyError::too_large("terms of shapes", SHAPES_MAX))?);
        self.terms.push(term.clone());
        self.term_numbers.insert(term, no);
        Ok(no)
    }

    fn shape(&mut self, name: &Iri) -> Result<Shape, OntologyError> {
        let mut said = Said::new();
        for triple in self.graph.matching(Some(name), None, None) {
            let Some(term) = local(&triple.predicate) else { continue };
            let is_constraint = || {
                self.graph.matching(None, Some(&sh("sparql")), Some(&name.clone().into())).next().is_some()
            };
            if matches!(term, "prefixes" | "select") && is_constraint() {
                continue;
            }
            if on_shapes(term).is_none() {
                return Err(bad(name, format!("has sh:{term}, which does not stand on a shape")));
            }
            said.entry(term.to_owned()).or_default().push(triple.object);
        }
        for (term, objects) in &mut said {
            objects.sort_unstable();
            self.well_formed(name, term, objects)?;
        }
        let path = match said.get("path").and_then(|objects| objects.first()) {
            Some(path) => Some(self.path(name, path, SHAPE_DEPTH_MAX)?),
            None => None,
        };
        if path.is_none() && self.is(name, "PropertyShape") {
            return Err(bad(name, "is a property shape without sh:path; state one"));
        }
        if path.is_some() && self.is(name, "NodeShape") {
            return Err(bad(name, "is a node shape with sh:path; make it a property shape"));
        }
        let severity = match said.get("severity").and_then(|objects| objects.first()) {
            Some(Term::Iri(iri)) => iri.clone(),
            _ => sh("Violation"),
        };
        Ok(Shape {
            name: name.clone(),
            targets: self.targets(name, &said)?,
            constraints: self.constraints(name, &said, path.is_some())?,
            path,
            severity,
            messages: literals(&said, "message"),
            deactivated: is_true(&said, "deactivated"),
        })
    }

    fn is(&self, name: &Iri, class: &str) -> bool {
        self.graph.matching(Some(name), Some(&vocab::RDF_TYPE), Some(&sh(class).into())).next().is_some()
    }

    fn well_formed(&self, shape: &Iri, name: &str, objects: &[Term]) -> Result<(), OntologyError> {
        let Some((expects, many)) = on_shapes(name) else { return Ok(()) };
        if !many && objects.len() > 1 {
            return Err(bad(shape, format!("has more than one sh:{name}; keep one")));
        }
        for object in objects {
            let literal = object.as_literal();
            let fits = match expects {
                Expects::Any => true,
                Expects::Iri => object.as_iri().is_some_and(|iri| !is_blank(iri)),
                Expects::Text => literal.is_some(),
                Expects::Ordered => literal.is_some_and(|l| super::literal::compare(l, l).is_some()),
                Expects::Count => literal.is_some_and(|l| {
                    *l.datatype() == *vocab::XSD_INTEGER && l.value().parse::<u64>().is_ok()
                }),
                Expects::Boolean => literal.is_some_and(|l| {
                    // The suite of the Recommendation takes `1` as not stated for these two.
                    let lenient = ["uniqueLang", "qualifiedValueShapesDisjoint"].contains(&name);
                    let other = lenient && matches!(l.value(), "1" | "0");
                    *l.datatype() == *vocab::XSD_BOOLEAN && (matches!(l.value(), "true" | "false") || other)
                }),
                Expects::NodeKind => object.as_iri().and_then(local).and_then(node_kind).is_some(),
                Expects::Path
                | Expects::Shape
                | Expects::PropertyShape
                | Expects::Shapes
                | Expects::List
                | Expects::Sparql => object.as_iri().is_some(),
            };
            if !fits {
                return Err(bad(
                    shape,
                    format!("has {object} for sh:{name}; write what the SHACL recommendation asks for here"),
                ));
            }
            let has_path =
                |iri: &Iri| self.graph.matching(Some(iri), Some(&vocab::SH_PATH), None).next().is_some();
            if expects == Expects::PropertyShape && object.as_iri().is_some_and(|iri| !has_path(iri)) {
                return Err(bad(
                    shape,
                    format!("has {object} for sh:property, which has no sh:path; state one"),
                ));
            }
        }
        Ok(())
    }

    fn targets(&mut self, name: &Iri, said: &Said) -> Result<Vec<Target>, OntologyError> {
        type Made = fn(TermNo) -> Target;
        let mut targets = BTreeSet::new();
        let kinds: [(&str, Made); 4] = [
            ("targetNode", Target::Node),
            ("targetClass", Target::Class),
            ("targetSubjectsOf", Target::SubjectsOf),
            ("targetObjectsOf", Target::ObjectsOf),
        ];
        for (term, target) in kinds {
            for object in said.get(term).into_iter().flatten() {
                targets.insert(target(self.number(object.clone())?));
            }
        }
        // A shape that is a class targets its own instances (SHACL §2.1.3.3).
        let is_class = self
            .graph
            .objects(name, &vocab::RDF_TYPE)
            .iter()
            .filter_map(Term::as_iri)
            .any(|class| *class == *vocab::OWL_CLASS || class.as_str() == RDFS_CLASS);
        if is_class {
            targets.insert(Target::Class(self.number(name.clone())?));
        }
        Ok(targets.into_iter().collect())
    }

    /// A path (SHACL §2.3.1): a predicate, a list of paths, or a blank node with one operator.
    fn path(&mut self, shape: &Iri, path: &Term, depth: usize) -> Result<Path, OntologyError> {
        if depth == 0 {
            return Err(OntologyError::too_large(format!("path of `{shape}` in levels"), SHAPE_DEPTH_MAX));
        }
        self.parts.count(shape)?;
        let Some(node) = path.as_iri() else {
            return Err(bad(
                shape,
                format!("has {path} in its sh:path; write predicates and path operators"),
            ));
        };
        let operators =
            ["alternativePath", "inversePath", "oneOrMorePath", "zeroOrMorePath", "zeroOrOnePath"];
        let mut said: Vec<(Option<&str>, Term)> = Vec::new();
        // The suite of the Recommendation takes a list for a sequence, whatever operator stands beside it.
        if self.graph.objects(node, &vocab::RDF_FIRST).is_empty() {
            for operator in operators {
                said.extend(self.graph.objects(node, &sh(operator)).into_iter().map(|o| (Some(operator), o)));
            }
        } else {
            said.push((None, path.clone()));
        }
        if !is_blank(node) {
            return if said.is_empty() {
                Ok(Path::Predicate(self.number(node.clone())?))
            } else {
                Err(bad(shape, format!("has the complex path <{node}>; write it as a blank node")))
            };
        }
        let [(operator, object)] = said.as_slice() else {
            return Err(bad(
                shape,
                "has a node in its sh:path that is not exactly one list or path operator",
            ));
        };
        let list = |compiler: &mut Self, list: &Term| {
            let list =
                list.as_iri().ok_or_else(|| bad(shape, "has a path over something that is no list"))?;
            let members = members(compiler.graph, shape, list, &compiler.parts)?;
            members
                .iter()
                .map(|member| compiler.path(shape, member, depth - 1))
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(match operator {
            None => {
                let parts = list(self, object)?;
                if parts.len() < 2 {
                    return Err(bad(shape, "has a sequence path of fewer than two parts"));
                }
                Path::Sequence(parts)
            }
            Some("alternativePath") => {
                let parts = list(self, object)?;
                if parts.is_empty() {
                    return Err(bad(shape, "has an alternative path without parts"));
                }
                Path::Alternative(parts)
            }
            Some(operator) => {
                let inner = Box::new(self.path(shape, object, depth - 1)?);
                match *operator {
                    "inversePath" => Path::Inverse(inner),
                    "oneOrMorePath" => Path::OneOrMore(inner),
                    "zeroOrMorePath" => Path::ZeroOrMore(inner),
                    _ => Path::ZeroOrOne(inner),
                }
            }
        })
    }

    fn reference(&self, shape: &Iri, object: &Term) -> Result<ShapeNo, OntologyError> {
        let found = object.as_iri().and_then(|iri| self.numbers.get(iri).copied());
        found.ok_or_else(|| bad(shape, format!("refers to {object}, which is no shape")))
    }

    fn references(&self, shape: &Iri, list: &Term) -> Result<Vec<ShapeNo>, OntologyError> {
        let list = list.as_iri().ok_or_else(|| bad(shape, "has something that is no list of shapes"))?;
        let members = members(self.graph, shape, list, &self.parts)?;
        if members.is_empty() {
            return Err(bad(shape, "has an empty list of shapes"));
        }
        members.iter().map(|member| self.reference(shape, member)).collect()
    }

    fn constraints(
        &mut self,
        shape: &Iri,
        said: &Said,
        has_path: bool,
    ) -> Result<Vec<Constraint>, OntologyError> {
        let mut found = Vec::new();
        for (name, objects) in said {
            if !has_path && ON_PATHS.contains(&name.as_str()) {
                return Err(bad(shape, format!("has sh:{name} and no sh:path; it is for property shapes")));
            }
            for object in objects {
                if let Some(constraint) = self.constraint(shape, said, name, object)? {
                    found.push(constraint);
                }
            }
        }
        if let Some(select) = said.get("qualifiedValueShape") {
            let counts = ["qualifiedMinCount", "qualifiedMaxCount"].map(|name| count(said, name));
            if counts == [None, None] {
                return Err(bad(shape, "has sh:qualifiedValueShape without a count; state a least or most"));
            }
            for object in select {
                found.push(Constraint::Qualified {
                    shape: self.reference(shape, object)?,
                    min: counts[0],
                    max: counts[1],
                    siblings: self.siblings(shape, said)?,
                });
            }
        } else if has_path
            && (said.contains_key("qualifiedMinCount") || said.contains_key("qualifiedMaxCount"))
        {
            return Err(bad(shape, "counts values of a shape and names none; state sh:qualifiedValueShape"));
        }
        Ok(found)
    }

    fn constraint(
        &mut self,
        shape: &Iri,
        said: &Said,
        name: &str,
        object: &Term,
    ) -> Result<Option<Constraint>, OntologyError> {
        let text = object.as_literal();
        let whole = || text.and_then(|l| l.value().parse::<u64>().ok()).unwrap_or_default();
        let literal = || text.cloned().ok_or_else(|| bad(shape, format!("has {object} for sh:{name}")));
        Ok(Some(match name {
            "and" => Constraint::And(self.references(shape, object)?),
            "or" => Constraint::Or(self.references(shape, object)?),
            "xone" => Constraint::Xone(self.references(shape, object)?),
            "not" => Constraint::Not(self.reference(shape, object)?),
            "node" => Constraint::Node(self.reference(shape, object)?),
            "property" => Constraint::Property(self.reference(shape, object)?),
            "class" => Constraint::Class(self.number(object.clone())?),
            "datatype" => Constraint::Datatype(self.number(object.clone())?),
            "disjoint" => Constraint::Disjoint(self.number(object.clone())?),
            "equals" => Constraint::Equals(self.number(object.clone())?),
            "lessThan" => Constraint::LessThan(self.number(object.clone())?),
            "lessThanOrEquals" => Constraint::LessThanOrEquals(self.number(object.clone())?),
            "hasValue" => Constraint::HasValue(self.number(object.clone())?),
            "minCount" => Constraint::MinCount(whole()),
            "maxCount" => Constraint::MaxCount(whole()),
            "minLength" => Constraint::MinLength(whole()),
            "maxLength" => Constraint::MaxLength(whole()),
            "minExclusive" => Constraint::MinExclusive(literal()?),
            "minInclusive" => Constraint::MinInclusive(literal()?),
            "maxExclusive" => Constraint::MaxExclusive(literal()?),
            "maxInclusive" => Constraint::MaxInclusive(literal()?),
            "nodeKind" => match object.as_iri().and_then(local).and_then(node_kind) {
                Some(kind) => Constraint::NodeKind(kind),
                None => return Err(bad(shape, format!("has {object} for sh:nodeKind"))),
            },
            "pattern" => {
                let flags = literals(said, "flags");
                let flags = flags.first().map(Literal::value).unwrap_or_default();
                let pattern = Pattern::new(literal()?.value(), flags);
                Constraint::Pattern(pattern.map_err(|why| bad(shape, format!("has a pattern that {why}")))?)
            }
            "flags" if !said.contains_key("pattern") => {
                return Err(bad(shape, "has sh:flags without sh:pattern"));
            }
            "uniqueLang" if is_true(said, "uniqueLang") => Constraint::UniqueLang,
            "languageIn" => Constraint::LanguageIn(self.languages(shape, object)?),
            "in" => {
                let list = object.as_iri().ok_or_else(|| bad(shape, "has an sh:in that is no list"))?;
                let members: BTreeSet<Term> =
                    members(self.graph, shape, list, &self.parts)?.into_iter().collect();
                let numbers = members.into_iter().map(|member| self.number(member));
                Constraint::In(numbers.collect::<Result<Vec<_>, _>>()?)
            }
            "closed" if is_true(said, "closed") => Constraint::Closed { allowed: self.allowed(shape, said)? },
            "ignoredProperties" if !said.contains_key("closed") => {
                return Err(bad(shape, "has sh:ignoredProperties without sh:closed"));
            }
            "sparql" => match object.as_iri() {
                Some(node) => match SparqlConstraint::read(self.graph, shape, node)? {
                    Some(constraint) => Constraint::Sparql(Arc::new(constraint)),
                    None => return Ok(None),
                },
                None => return Err(bad(shape, "has an sh:sparql that is no node")),
            },
            _ => return Ok(None),
        }))
    }

    fn languages(&self, shape: &Iri, list: &Term) -> Result<Vec<String>, OntologyError> {
        let list = list.as_iri().ok_or_else(|| bad(shape, "has an sh:languageIn that is no list"))?;
        let members = members(self.graph, shape, list, &self.parts)?;
        members
            .iter()
            .map(|member| match member.as_literal() {
                Some(tag) => Ok(tag.value().to_ascii_lowercase()),
                None => Err(bad(shape, "has a language that is no text")),
            })
            .collect()
    }

    /// Predicates that a closed shape allows: its own property shapes' where the path is one, and those it ignores.
    fn allowed(&mut self, shape: &Iri, said: &Said) -> Result<Vec<TermNo>, OntologyError> {
        let mut allowed = BTreeSet::new();
        for property in said.get("property").into_iter().flatten().filter_map(Term::as_iri) {
            if let Some(Term::Iri(path)) = self.graph.object(property, &vocab::SH_PATH)
                && !is_blank(&path)
            {
                allowed.insert(self.number(path)?);
            }
        }
        for list in said.get("ignoredProperties").into_iter().flatten().filter_map(Term::as_iri) {
            for member in members(self.graph, shape, list, &self.parts)? {
                if member.as_iri().is_none_or(is_blank) {
                    return Err(bad(shape, format!("ignores {member}, which is no predicate")));
                }
                allowed.insert(self.number(member)?);
            }
        }
        Ok(allowed.into_iter().collect())
    }

    /// The other qualified shapes beside this one, of every shape that has it as a property (SHACL §4.7.3).
    fn siblings(&self, shape: &Iri, said: &Said) -> Result<Vec<ShapeNo>, OntologyError> {
        if !is_true(said, "qualifiedValueShapesDisjoint") {
            return Ok(Vec::new());
        }
        let own: BTreeSet<&Term> = said.get("qualifiedValueShape").into_iter().flatten().collect();
        let mut siblings = BTreeSet::new();
        for parent in self.graph.subjects(&vocab::SH_PROPERTY, &shape.clone().into()) {
            for property in self.graph.objects(&parent, &vocab::SH_PROPERTY).iter().filter_map(Term::as_iri) {
                self.parts.count(shape)?;
                for other in self.graph.objects(property, &sh("qualifiedValueShape")) {
                    if !own.contains(&other) {
                        siblings.insert(self.reference(shape, &other)?);
                    }
                }
            }
        }
        Ok(siblings.into_iter().collect())
    }
}

/// Terms that only mean something over a path.
const ON_PATHS: [&str; 5] = ["lessThan", "lessThanOrEquals", "maxCount", "minCount", "uniqueLang"];

fn node_kind(name: &str) -> Option<NodeKind> {
    let kind = |iri, blank, literal| Some(NodeKind { iri, blank, literal });
    match name {
        "IRI" => kind(true, false, false),
        "BlankNode" => kind(false, true, false),
        "Literal" => kind(false, false, true),
        "BlankNodeOrIRI" => kind(true, true, false),
        "BlankNodeOrLiteral" => kind(false, true, true),
        "IRIOrLiteral" => kind(true, false, true),
        _ => None,
    }
}

fn is_true(said: &Said, name: &str) -> bool {
    literals(said, name).iter().any(|literal| literal.value() == "true")
}

fn count(said: &Said, name: &str) -> Option<u64> {
    literals(said, name).first().and_then(|literal| literal.value().parse().ok())
}

fn literals(said: &Said, name: &str) -> Vec<Literal> {
    said.get(name).into_iter().flatten().filter_map(Term::as_literal).cloned().collect()
}

/// Whether the IRI stands for a blank node.
pub(super) fn is_blank(iri: &Iri) -> bool {
    iri.as_str().starts_with(vocab::SKOLEM_PREFIX)
}

/// A shape inside itself would never end; whether it might is left open by the Recommendation (§3.4.3).
fn refuse_recursion(table: &ShapeTable) -> Result<(), OntologyError> {
    /// Depth, and shapes gone through.
    type Extent = (usize, u64);
    fn deepest(
        table: &ShapeTable,
        no: ShapeNo,
        left: usize,
        known: &mut [Option<Extent>],
    ) -> Result<Extent, OntologyError> {
        let at = no.0 as usize;
        let Some(shape) = table.shape(no) else { return Ok((0, 0)) };
        if let Some(Some(extent)) = known.get(at) {
            return Ok(*extent);
        }
        if left == 0 {
            return Err(bad(
                &shape.name,
                "contains itself or is nested too deeply; recursive shapes are not supported",
            ));
        }
        let (mut depth, mut size) = (1, 1_u64);
        for inner in shape.constraints.iter().flat_map(Constraint::shapes) {
            let (inner_depth, inner_size) = deepest(table, inner, left - 1, known)?;
            depth = depth.max(1 + inner_depth);
            size = size.saturating_add(inner_size);
        }
        if depth > SHAPE_DEPTH_MAX {
            return Err(OntologyError::too_large(format!("nesting of `{}`", shape.name), SHAPE_DEPTH_MAX));
        }
        if size > SHAPES_EXPANDED_MAX {
            let what = format!("shapes gone through for `{}`", shape.name);
            return Err(OntologyError::TooLarge { what, max: SHAPES_EXPANDED_MAX });
        }
        if let Some(slot) = known.get_mut(at) {
            *slot = Some((depth, size));
        }
        Ok((depth, size))
    }
    let mut known = vec![None; table.shapes.len()];
    for (no, _) in (0..).map(ShapeNo).zip(&table.shapes) {
        deepest(table, no, SHAPE_DEPTH_MAX, &mut known)?;
    }
    Ok(())
}

fn bad(shape: &Iri, problem: impl Into<String>) -> OntologyError {
    OntologyError::BadShape { shape: shape.to_string(), problem: problem.into() }
}
