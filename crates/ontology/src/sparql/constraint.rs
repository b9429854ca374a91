//! `sh:sparql` constraints (SHACL §5): read from a shapes graph, evaluated for one focus node at a time.

use std::collections::{BTreeMap, BTreeSet};

use spargebra::algebra::GraphPattern;

use crate::error::OntologyError;
use crate::index::Index;
use crate::iri::Iri;
use crate::sparql::admission::{Admission, PreBinding};
use crate::sparql::budget::Budget;
use crate::sparql::plan::{Plan, Slot};
use crate::sparql::query::{no_dataset, parse};
use crate::sparql::route_text::property_path;
use crate::sparql::run::{Flow, Row, Run};
use crate::triple::{Literal, Term};
use crate::vocab;

/// Most prefixes declared for one constraint.
pub const CONSTRAINT_PREFIXES_MAX: usize = 256;

/// One SPARQL-based constraint, read and admitted. Two are equal when the same was read.
#[derive(Clone, Debug)]
pub struct SparqlConstraint {
    /// The node that carries the query, reported as `sh:sourceConstraint`.
    pub node: Iri,
    /// The query as it stands in the shapes graph.
    pub query: String,
    /// `sh:message` of the constraint, in order of text. Names in braces stand for what a solution binds.
    pub messages: Vec<Literal>,
    shape: Iri,
    of_property: bool,
    /// The path and the prefixes, as text.
    read_with: String,
    plan: Plan,
    columns: BTreeMap<String, Slot>,
}

/// One solution of a constraint's query: a validation result.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SparqlResult {
    /// `sh:value`: `?value`, or the focus node at a node shape.
    pub value: Option<Term>,
    /// `sh:resultPath`: `?path` if it is an IRI. A property shape's own path otherwise, which is not repeated here.
    pub path: Option<Iri>,
    /// `sh:resultMessage`: `?message`, or the constraint's messages filled in. When empty, the shape's messages count.
    pub messages: Vec<Literal>,
}

/// The variables bound beforehand (SHACL §5.3.1). `$shapesGraph` is not: there is one graph.
const BOUND: [&str; 2] = ["this", "currentShape"];

/// The objects of a node and predicate, in order of text.
pub(crate) fn objects(index: &impl Index, node: &Iri, predicate: &Iri) -> Vec<Term> {
    let number = |iri: &Iri| index.id_of(&Term::Iri(iri.clone()));
    let (Some(node), Some(predicate)) = (number(node), number(predicate)) else { return Vec::new() };
    let found: BTreeSet<Term> =
        index.objects_of(node, predicate).filter_map(|id| index.term(id).cloned()).collect();
    found.into_iter().collect()
}

fn bad(shape: &Iri, problem: impl Into<String>) -> OntologyError {
    OntologyError::BadShape { shape: shape.to_string(), problem: problem.into() }
}

/// The only value, when there is one.
fn only(index: &impl Index, shape: &Iri, node: &Iri, predicate: &Iri) -> Result<Option<Term>, OntologyError> {
    let mut found = objects(index, node, predicate);
    if found.len() > 1 {
        return Err(bad(
            shape,
            format!("`{node}` has more than one `{}`; state one", predicate.local_name()),
        ));
    }
    Ok(found.pop())
}

impl PartialEq for SparqlConstraint {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for SparqlConstraint {}

impl SparqlConstraint {
    /// All that was read, as text: what two versions of shapes are compared by.
    pub(crate) fn identity(&self) -> String {
        format!("{} {} {:?} {} {}", self.shape, self.node, self.messages, self.read_with, self.query)
    }

    /// Reads the constraint `node` of `shape` from a shapes graph; `None` when it is deactivated. Prefixes are those declared by `sh:prefixes`, `$PATH` is
    /// the shape's `sh:path`.
    ///
    /// # Errors
    /// [`OntologyError::BadShape`] when the constraint is not well formed (SHACL §5.2), [`OntologyError::BadQuery`],
    /// [`OntologyError::QueryRefused`] and [`OntologyError::TooLarge`] as [`crate::sparql::Query::parse`]; refused as well is
    /// what appendix A of SHACL excludes: MINUS, VALUES, SERVICE, `AS $this`, sub-selects that do not return `$this`.
    pub fn read(shapes: &impl Index, shape: &Iri, node: &Iri) -> Result<Option<Self>, OntologyError> {
        let query = match only(shapes, shape, node, &vocab::SH_SELECT)? {
            Some(Term::Literal(text)) if text.datatype() == &*vocab::XSD_STRING => text.value().to_owned(),
            Some(_) => return Err(bad(shape, "its `sh:select` is no string; write the query as one")),
            None => {
                return Err(bad(
                    shape,
                    format!("its `sh:sparql` `{node}` has no `sh:select`; state the query"),
                ));
            }
        };
        let deactivated = match only(shapes, shape, node, &vocab::SH_DEACTIVATED)? {
            None => false,
            Some(Term::Literal(literal)) if literal.datatype() == &*vocab::XSD_BOOLEAN => {
                matches!(literal.value(), "true" | "1")
            }
            Some(_) => return Err(bad(shape, "the `sh:deactivated` of its `sh:sparql` is no boolean")),
        };
        let mut messages = Vec::new();
        for message in objects(shapes, node, &vocab::SH_MESSAGE) {
            match message {
                Term::Literal(text)
                    if text.language().is_some() || text.datatype() == &*vocab::XSD_STRING =>
                {
                    messages.push(text);
                }
                _ => return Err(bad(shape, "the `sh:message` of its `sh:sparql` is no text")),
            }
        }
        let path = match only(shapes, shape, shape, &vocab::SH_PATH)? {
            Some(path) => Some(property_path(shapes, shape, &path)?),
            None => None,
        };
        let prefixes = prefixes(shapes, shape, node)?;
        let prefixes: Vec<(&str, &str)> = prefixes.iter().map(|(p, n)| (p.as_str(), n.as_str())).collect();
        let spargebra::Query::Select { dataset, pattern, .. } = parse(&query, &prefixes)? else {
            return Err(bad(shape, "its `sh:select` is no SELECT query; write one"));
        };
        no_dataset(dataset.as_ref())?;
        let mut admission = Admission::new(Some(PreBinding { names: &BOUND, path: path.as_ref() }));
        let plan = admission.pattern(&pattern)?;
        let mut columns = BTreeMap::new();
        for name in names(&pattern).into_iter().chain(BOUND) {
            columns.insert(name.to_owned(), admission.slot(name)?);
        }
        if deactivated {
            return Ok(None);
        }
        Ok(Some(Self {
            node: node.clone(),
            messages,
            shape: shape.clone(),
            of_property: path.is_some(),
            plan: admission.finish(plan),
            columns,
            query: query.clone(),
            read_with: format!("{path:?} {prefixes:?}"),
        }))
    }

    /// What the query finds wrong with `this`, in order of text.
    ///
    /// # Errors
    /// [`OntologyError::QueryTooCostly`] or [`OntologyError::QueryStopped`] when the budget ends first;
    /// [`OntologyError::BadShape`] when the query reports a failure (`?failure`).
    pub fn violations(
        &self,
        index: &impl Index,
        this: &Term,
        budget: &Budget<'_>,
    ) -> Result<Vec<SparqlResult>, OntologyError> {
        let run = Run::new(index, &self.plan, budget)?;
        let mut base = run.blank();
        for (name, term) in [("this", this), ("currentShape", &Term::Iri(self.shape.clone()))] {
            if let Some(place) = self.columns.get(name).and_then(|slot| base.get_mut(*slot)) {
                *place = Some(run.value(term)?);
            }
        }
        let mut held = budget.hold();
        let mut results = Vec::new();
        run.node(&self.plan.node, &base, &mut base.clone(), &mut |row| {
            budget.row(results.len() + 1)?;
            let cell = |name: &str| -> Option<Term> {
                let slot = self.columns.get(name)?;
                run.term(row.get(*slot).copied().flatten()?)
            };
            if matches!(cell("failure"), Some(Term::Literal(literal)) if matches!(literal.value(), "true" | "1")) {
                return Err(bad(&self.shape, "its `sh:select` reports a failure; mend the query or the data"));
            }
            let result = SparqlResult {
                value: cell("value").or_else(|| (!self.of_property).then(|| this.clone())),
                path: cell("path").and_then(|path| path.as_iri().cloned()),
                messages: match cell("message") {
                    Some(Term::Literal(message)) => vec![message],
                    _ => self.messages.iter().map(|message| self.filled(message, row, &run)).collect(),
                },
            };
            let texts: usize = result.messages.iter().map(|message| message.value().len()).sum();
            held.more(size_of::<SparqlResult>() + texts)?;
            results.push(result);
            Ok(Flow::More)
        })?;
        results.sort();
        Ok(results)
    }

    /// A message with `{?name}` and `{$name}` replaced by what they are bound to (SHACL §5.2.2).
    fn filled<I: Index>(&self, message: &Literal, row: &Row, run: &Run<'_, '_, I>) -> Literal {
        let mut text = String::new();
        let mut rest = message.value();
        while let Some(open) = rest.find(['{']) {
            let (before, from) = rest.split_at(open);
            text.push_str(before);
            let name = from
                .get(1..)
                .and_then(|inner| inner.strip_prefix(['?', '$']))
                .and_then(|n| n.split_once('}'));
            let value = name.and_then(|(name, after)| {
                let slot = self.columns.get(name)?;
                Some((run.term(row.get(*slot).copied().flatten()?)?, after))
            });
            if let Some((term, after)) = value {
                match &term {
                    Term::Iri(iri) => text.push_str(iri.as_str()),
                    Term::Literal(literal) => text.push_str(literal.value()),
                }
                rest = after;
            } else {
                text.push('{');
                rest = from.get(1..).unwrap_or_default();
            }
        }
        text.push_str(rest);
        match message.language() {
            Some(language) => Literal::tagged(text, language),
            None => Literal::string(text),
        }
    }
}

/// The variables that a SELECT returns.
fn names(pattern: &GraphPattern) -> Vec<&str> {
    match pattern {
        GraphPattern::Project { variables, .. } => {
            variables.iter().map(spargebra::term::Variable::as_str).collect()
        }
        GraphPattern::Slice { inner, .. }
        | GraphPattern::Distinct { inner }
        | GraphPattern::Reduced { inner } => names(inner),
        _ => Vec::new(),
    }
}

/// The prefixes that a constraint's `sh:prefixes` declare, and those of what these import (SHACL §5.2.1).
fn prefixes(shapes: &impl Index, shape: &Iri, node: &Iri) -> Result<BTreeMap<String, String>, OntologyError> {
    let mut todo = objects(shapes, node, &vocab::SH_PREFIXES);
    let (mut seen, mut declared) = (BTreeSet::new(), BTreeMap::new());
    while let Some(next) = todo.pop() {
        let Term::Iri(next) = next else {
            return Err(bad(
                shape,
                "a value of its `sh:prefixes` is a literal; name a node with `sh:declare`",
            ));
        };
        if !seen.insert(next.clone()) {
            continue;
        }
        todo.extend(objects(shapes, &next, &vocab::OWL_IMPORTS));
        for declaration in objects(shapes, &next, &vocab::SH_DECLARE) {
            let text = |predicate| -> Result<String, OntologyError> {
                let found = match &declaration {
                    Term::Iri(declaration) => only(shapes, shape, declaration, predicate)?,
                    Term::Literal(_) => None,
                };
                match found {
                    Some(Term::Literal(text)) => Ok(text.value().to_owned()),
                    _ => Err(bad(
                        shape,
                        "a `sh:declare` has not one `sh:prefix` and one `sh:namespace`; state both as literals",
                    )),
                }
            };
            let (prefix, namespace) = (text(&vocab::SH_PREFIX)?, text(&vocab::SH_NAMESPACE_TERM)?);
            match declared.insert(prefix.clone(), namespace.clone()) {
                Some(other) if other != namespace => {
                    return Err(bad(
                        shape,
                        format!("the prefix `{prefix}` is declared for two namespaces; keep one"),
                    ));
                }
                _ if declared.len() > CONSTRAINT_PREFIXES_MAX => {
                    return Err(OntologyError::too_large(
                        "prefixes of a constraint",
                        CONSTRAINT_PREFIXES_MAX,
                    ));
                }
                _ => {}
            }
        }
    }
    Ok(declared)
}
