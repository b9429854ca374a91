//! Admission: a parsed query becomes a plan, or is refused with the construct that is in the way.

use std::collections::BTreeMap;

use spargebra::algebra::{GraphPattern, OrderExpression, PropertyPathExpression};
use spargebra::term::{GroundTerm, NamedNode, NamedNodePattern, TermPattern, TriplePattern, Variable};

use crate::error::OntologyError;
use crate::iri::Iri;
use crate::sparql::expression::constant;
use crate::sparql::plan::{Node, Plan, Pos, Route, Side, Slot};
use crate::triple::Term;

/// Deepest nesting of a query, counted in parts of its algebra.
pub const QUERY_DEPTH_MAX: usize = 96;
/// Most triple patterns and paths of one query.
pub const QUERY_PATTERNS_MAX: usize = 128;
/// Most variables of one query.
pub const QUERY_VARIABLES_MAX: usize = 256;

/// What is different when a query belongs to a SHACL constraint (SHACL §5.3 and appendix A).
pub(crate) struct PreBinding<'p> {
    /// Variables bound beforehand, which the query may not bind itself.
    pub(crate) names: &'p [&'static str],
    /// What `$PATH` stands for, when there is such a thing.
    pub(crate) path: Option<&'p PropertyPathExpression>,
}

pub(crate) struct Admission<'p> {
    constants: Vec<Term>,
    numbers: BTreeMap<Term, usize>,
    scope: BTreeMap<String, Slot>,
    width: usize,
    bound: Option<PreBinding<'p>>,
    depth: usize,
    patterns: usize,
    in_select: usize,
}

pub(super) fn refused<T>(construct: impl Into<String>, reason: &'static str) -> Result<T, OntologyError> {
    Err(OntologyError::QueryRefused { construct: construct.into(), reason })
}

const PRE_BINDING: &str =
    "variables bound beforehand have no meaning in it (SHACL, appendix A); state it otherwise";

impl<'p> Admission<'p> {
    pub(crate) fn new(bound: Option<PreBinding<'p>>) -> Self {
        Self {
            constants: Vec::new(),
            numbers: BTreeMap::new(),
            scope: BTreeMap::new(),
            width: 0,
            bound,
            depth: 0,
            patterns: 0,
            in_select: 0,
        }
    }

    /// The plan of a pattern, its nodes marked.
    pub(crate) fn finish(self, mut node: Node) -> Plan {
        node.mark(&std::collections::BTreeSet::new());
        Plan { node, constants: self.constants, width: self.width }
    }

    pub(crate) fn constant(&mut self, term: Term) -> usize {
        if let Some(&at) = self.numbers.get(&term) {
            return at;
        }
        let at = self.constants.len();
        self.constants.push(term.clone());
        self.numbers.insert(term, at);
        at
    }

    pub(super) fn iri(&mut self, node: &NamedNode) -> Result<usize, OntologyError> {
        Ok(self.constant(Iri::parsed(node.clone())?.into()))
    }

    pub(crate) fn slot(&mut self, name: &str) -> Result<Slot, OntologyError> {
        if let Some(&slot) = self.scope.get(name) {
            return Ok(slot);
        }
        if self.width == QUERY_VARIABLES_MAX {
            return Err(OntologyError::too_large("variables of a query", QUERY_VARIABLES_MAX));
        }
        let slot = self.width;
        self.width += 1;
        self.scope.insert(name.to_owned(), slot);
        Ok(slot)
    }

    pub(super) fn variable(&mut self, variable: &Variable) -> Result<Slot, OntologyError> {
        if self.bound.is_some() && variable.as_str() == "PATH" {
            return refused(
                "`$PATH` where it is no predicate",
                "it stands for the path of a property shape (SHACL §5.3)",
            );
        }
        self.slot(variable.as_str())
    }

    /// A variable that the query itself gives a value.
    fn made(&mut self, variable: &Variable) -> Result<Slot, OntologyError> {
        if self.bound.as_ref().is_some_and(|bound| bound.names.contains(&variable.as_str())) {
            return refused(
                format!("`AS ${}`", variable.as_str()),
                "the variable is bound beforehand (SHACL, appendix A)",
            );
        }
        self.variable(variable)
    }

    pub(super) fn literal(&mut self, literal: &oxrdf::Literal) -> Result<usize, OntologyError> {
        match constant(literal.clone()) {
            Some(literal) => Ok(self.constant(literal.into())),
            None => {
                Err(OntologyError::BadIri { iri: literal.datatype().as_str().chars().take(120).collect() })
            }
        }
    }

    pub(super) fn deeper<T>(
        &mut self,
        of: impl FnOnce(&mut Self) -> Result<T, OntologyError>,
    ) -> Result<T, OntologyError> {
        if self.depth == QUERY_DEPTH_MAX {
            return Err(OntologyError::too_large("nesting of a query", QUERY_DEPTH_MAX));
        }
        self.depth += 1;
        let done = of(self);
        self.depth -= 1;
        done
    }

    pub(crate) fn pattern(&mut self, pattern: &GraphPattern) -> Result<Node, OntologyError> {
        self.deeper(|this| this.pattern_here(pattern))
    }

    pub(super) fn boxed(&mut self, pattern: &GraphPattern) -> Result<Box<Node>, OntologyError> {
        self.pattern(pattern).map(Box::new)
    }

    fn pattern_here(&mut self, pattern: &GraphPattern) -> Result<Node, OntologyError> {
        match pattern {
            GraphPattern::Bgp { patterns } => self.triples(patterns),
            GraphPattern::Path { subject, path, object } => {
                self.patterns_more(1)?;
                let route = self.route(path)?;
                Ok(Node::Path { subject: self.term(subject)?, route, object: self.term(object)? })
            }
            GraphPattern::Join { .. } => {
                let mut parts = Vec::new();
                spine(
                    pattern,
                    |p| match p {
                        GraphPattern::Join { left, right } => Some((left, right)),
                        _ => None,
                    },
                    &mut parts,
                );
                let sides = parts.into_iter().map(|part| self.pattern(part).map(Side::new));
                Ok(Node::Join(sides.collect::<Result<_, _>>()?))
            }
            GraphPattern::Union { .. } => {
                let mut parts = Vec::new();
                spine(
                    pattern,
                    |p| match p {
                        GraphPattern::Union { left, right } => Some((left, right)),
                        _ => None,
                    },
                    &mut parts,
                );
                Ok(Node::Union(parts.into_iter().map(|part| self.pattern(part)).collect::<Result<_, _>>()?))
            }
            GraphPattern::LeftJoin { left, right, expression } => Ok(Node::LeftJoin {
                left: Box::new(Side::new(self.pattern(left)?)),
                right: Box::new(Side::new(self.pattern(right)?)),
                on: expression.as_ref().map(|on| self.expression(on)).transpose()?,
            }),
            GraphPattern::Filter { expr, inner } => {
                Ok(Node::Filter { inner: self.boxed(inner)?, on: self.expression(expr)? })
            }
            GraphPattern::Extend { inner, variable, expression } => Ok(Node::Extend {
                inner: self.boxed(inner)?,
                value: self.expression(expression)?,
                slot: self.made(variable)?,
            }),
            GraphPattern::Minus { left, right } => {
                if self.bound.is_some() {
                    return refused("MINUS", PRE_BINDING);
                }
                Ok(Node::Minus { left: self.boxed(left)?, right: Box::new(Side::new(self.pattern(right)?)) })
            }
            GraphPattern::Values { variables, bindings } => {
                if self.bound.is_some() {
                    return refused("VALUES", PRE_BINDING);
                }
                let slots = variables.iter().map(|v| self.variable(v)).collect::<Result<_, _>>()?;
                let mut rows = Vec::with_capacity(bindings.len());
                for binding in bindings {
                    let mut row = Vec::with_capacity(binding.len());
                    for term in binding {
                        row.push(match term {
                            None => None,
                            Some(GroundTerm::NamedNode(node)) => Some(self.iri(node)?),
                            Some(GroundTerm::Literal(literal)) => Some(self.literal(literal)?),
                        });
                    }
                    rows.push(row);
                }
                Ok(Node::Table { slots, rows })
            }
            GraphPattern::OrderBy { inner, expression } => {
                let inner = self.boxed(inner)?;
                let by = expression
                    .iter()
                    .map(|order| match order {
                        OrderExpression::Asc(expr) => Ok((self.expression(expr)?, false)),
                        OrderExpression::Desc(expr) => Ok((self.expression(expr)?, true)),
                    })
                    .collect::<Result<_, OntologyError>>()?;
                Ok(Node::Order { inner, by })
            }
            GraphPattern::Project { inner, variables } => self.select(inner, variables),
            // Which duplicates REDUCED leaves is open; here it leaves none.
            GraphPattern::Distinct { inner } | GraphPattern::Reduced { inner } => {
                Ok(Node::Distinct(self.boxed(inner)?))
            }
            GraphPattern::Slice { inner, start, length } => Ok(Node::Slice {
                ordered: is_ordered(inner),
                inner: self.boxed(inner)?,
                start: *start,
                length: *length,
            }),
            GraphPattern::Group { inner, variables, aggregates } => {
                let inner = self.boxed(inner)?;
                let keys = variables.iter().map(|v| self.variable(v)).collect::<Result<_, _>>()?;
                let mut sums = Vec::with_capacity(aggregates.len());
                for (variable, aggregate) in aggregates {
                    let sum = self.sum(aggregate)?;
                    sums.push((self.made(variable)?, sum));
                }
                Ok(Node::Group { inner, keys, sums })
            }
            GraphPattern::Graph { .. } => refused("GRAPH", "there is one graph: leave it out"),
            GraphPattern::Service { .. } => refused("SERVICE", "a query reads nothing but the ontology"),
            GraphPattern::Lateral { .. } => {
                refused("LATERAL", "it is not part of SPARQL 1.1; use a sub-select")
            }
        }
    }

    fn select(&mut self, inner: &GraphPattern, variables: &[Variable]) -> Result<Node, OntologyError> {
        if self.in_select > 0
            && self.bound.as_ref().is_some_and(|bound| bound.names.contains(&"this"))
            && !variables.iter().any(|variable| variable.as_str() == "this")
        {
            return refused("a sub-select that does not return `$this`", "SHACL, appendix A, asks for it");
        }
        // What is bound beforehand is so inside as well, whether it is returned or not.
        let mut names: Vec<&str> = variables.iter().map(Variable::as_str).collect();
        let bound = self.bound.as_ref().map_or(&[][..], |bound| bound.names);
        names.extend(bound.iter().filter(|name| !variables.iter().any(|v| v.as_str() == **name)));
        self.in_select += 1;
        let outside = std::mem::take(&mut self.scope);
        let inner = self.boxed(inner);
        let inside = names.iter().map(|name| self.slot(name)).collect::<Result<Vec<_>, _>>();
        self.scope = outside;
        self.in_select -= 1;
        let outside = names.iter().map(|name| self.slot(name)).collect::<Result<Vec<_>, _>>()?;
        Ok(Node::Project { inner: inner?, links: inside?.into_iter().zip(outside).collect() })
    }

    fn patterns_more(&mut self, count: usize) -> Result<(), OntologyError> {
        self.patterns = self.patterns.saturating_add(count);
        if self.patterns > QUERY_PATTERNS_MAX {
            return Err(OntologyError::too_large("triple patterns of a query", QUERY_PATTERNS_MAX));
        }
        Ok(())
    }

    fn triples(&mut self, patterns: &[TriplePattern]) -> Result<Node, OntologyError> {
        self.patterns_more(patterns.len())?;
        let (mut all, mut sides) = (Vec::new(), Vec::new());
        for triple in patterns {
            let (subject, object) = (self.term(&triple.subject)?, self.term(&triple.object)?);
            let predicate = match &triple.predicate {
                NamedNodePattern::NamedNode(node) => Pos::Const(self.iri(node)?),
                NamedNodePattern::Variable(variable) => {
                    let path =
                        self.bound.as_ref().filter(|_| variable.as_str() == "PATH").map(|bound| bound.path);
                    match path {
                        Some(Some(PropertyPathExpression::NamedNode(node))) => Pos::Const(self.iri(node)?),
                        Some(Some(path)) => {
                            let route = self.route(path)?;
                            sides.push(Side::new(Node::Path { subject, route, object }));
                            continue;
                        }
                        Some(None) => {
                            return refused("`$PATH`", "only a property shape has a path (SHACL §5.3)");
                        }
                        None => Pos::Slot(self.variable(variable)?),
                    }
                }
            };
            all.push([subject, predicate, object]);
        }
        if sides.is_empty() {
            return Ok(Node::Triples(all));
        }
        sides.insert(0, Side::new(Node::Triples(all)));
        Ok(Node::Join(sides))
    }

    fn term(&mut self, term: &TermPattern) -> Result<Pos, OntologyError> {
        Ok(match term {
            TermPattern::NamedNode(node) => Pos::Const(self.iri(node)?),
            TermPattern::Literal(literal) => Pos::Const(self.literal(literal)?),
            TermPattern::Variable(variable) => Pos::Slot(self.variable(variable)?),
            // No variable has a colon in its name.
            TermPattern::BlankNode(node) => Pos::Slot(self.slot(&format!("_:{}", node.as_str()))?),
        })
    }

    pub(crate) fn route(&mut self, path: &PropertyPathExpression) -> Result<Route, OntologyError> {
        self.deeper(|this| {
            let mut boxed = |path| this.route(path).map(Box::new);
            Ok(match path {
                PropertyPathExpression::Reverse(inner) => Route::Inverse(boxed(inner)?),
                PropertyPathExpression::Sequence(a, b) => Route::Sequence(boxed(a)?, boxed(b)?),
                PropertyPathExpression::Alternative(a, b) => Route::Alternative(boxed(a)?, boxed(b)?),
                PropertyPathExpression::ZeroOrMore(inner) => Route::ZeroOrMore(boxed(inner)?),
                PropertyPathExpression::OneOrMore(inner) => Route::OneOrMore(boxed(inner)?),
                PropertyPathExpression::ZeroOrOne(inner) => Route::ZeroOrOne(boxed(inner)?),
                PropertyPathExpression::NamedNode(node) => Route::Predicate(this.iri(node)?),
                PropertyPathExpression::NegatedPropertySet(all) => {
                    Route::NoneOf(all.iter().map(|node| this.iri(node)).collect::<Result<_, _>>()?)
                }
            })
        })
    }
}

/// Whether the rows of a pattern come in an order that the query asks for.
pub(crate) fn is_ordered(pattern: &GraphPattern) -> bool {
    match pattern {
        GraphPattern::OrderBy { .. } | GraphPattern::Slice { .. } => true,
        GraphPattern::Project { inner, .. }
        | GraphPattern::Distinct { inner }
        | GraphPattern::Reduced { inner } => is_ordered(inner),
        _ => false,
    }
}

/// The operands of a chain of one operator, from left to right, without recursion on its left.
pub(super) fn spine<'t, T>(
    whole: &'t T,
    split: impl Fn(&'t T) -> Option<(&'t T, &'t T)>,
    into: &mut Vec<&'t T>,
) {
    let mut rest = whole;
    while let Some((left, right)) = split(rest) {
        into.push(right);
        rest = left;
    }
    into.push(rest);
    into.reverse();
}
