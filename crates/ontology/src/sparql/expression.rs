//! Expressions. What looks at rows and patterns is decided here, one operator at a time; what operators mean on terms
//! is `spareval`'s. So no operator is applied before its cost is known, and none sees more than its own arguments.

use spareval::QueryEvaluator;
use spargebra::algebra::Function;
use spargebra::term::Variable;
use sparopt::algebra::Expression;

use crate::error::OntologyError;
use crate::index::Index;
use crate::iri::Iri;
use crate::sparql::plan::{Expr, Operator};
use crate::sparql::run::{Flow, Row, Run, Val};
use crate::triple::{Literal, Term};
use crate::vocab;

/// Longest text that an operator may make, in bytes.
pub const QUERY_TEXT_BYTES_MAX: usize = 1 << 20;

/// Bytes of argument text that count as one step.
const BYTES_OF_A_STEP: usize = 256;

impl<I: Index> Run<'_, '_, I> {
    /// Whether an expression is true; an error in it is not.
    pub(crate) fn holds(&self, expr: &Expr, row: &mut Row) -> Result<bool, OntologyError> {
        Ok(self.truth(expr, row)? == Some(true))
    }

    /// The effective boolean value (SPARQL 1.1 §17.2.2); `None` is an error.
    fn truth(&self, expr: &Expr, row: &mut Row) -> Result<Option<bool>, OntologyError> {
        match expr {
            Expr::Or(all) => self.any(all, true, row),
            Expr::And(all) => self.any(all, false, row),
            Expr::Not(inner) => Ok(self.truth(inner, row)?.map(|truth| !truth)),
            Expr::Bound(slot) => Ok(Some(row.get(*slot).copied().flatten().is_some())),
            Expr::SameTerm(a, b) => {
                let (a, b) = (self.evaluate(a, row)?, self.evaluate(b, row)?);
                Ok(a.zip(b).map(|(a, b)| a == b))
            }
            Expr::In(one, all) => {
                let Some(one) = self.evaluate(one, row)? else { return Ok(None) };
                let mut found = Some(false);
                for other in all {
                    let equal = match self.evaluate(other, row)? {
                        Some(other) => self.equal(one, other)?,
                        None => None,
                    };
                    match equal {
                        Some(true) => return Ok(Some(true)),
                        Some(false) => {}
                        None => found = None,
                    }
                }
                Ok(found)
            }
            Expr::Exists(node) => {
                self.budget.step(1)?;
                let base = row.clone();
                Ok(Some(self.node(node, &base, row, &mut |_| Ok(Flow::Enough))? == Flow::Enough))
            }
            _ => {
                let Some(value) = self.evaluate(expr, row)? else { return Ok(None) };
                let Some(Term::Literal(literal)) = self.term(value) else { return Ok(None) };
                if literal.datatype() == &*vocab::XSD_BOOLEAN {
                    return Ok(Some(matches!(literal.value(), "true" | "1")));
                }
                if literal.datatype() == &*vocab::XSD_STRING || literal.language().is_some() {
                    return Ok(Some(!literal.value().is_empty()));
                }
                let Some((expression, names)) = operation(None, 1) else { return Ok(None) };
                let terms = names.iter().zip([outside(&literal.into())]);
                Ok(QueryEvaluator::new().evaluate_effective_boolean_value_expression(&expression, terms))
            }
        }
    }

    /// `||` with `decisive` true, `&&` with it false (SPARQL 1.1 §17.2).
    fn any(&self, all: &[Expr], decisive: bool, row: &mut Row) -> Result<Option<bool>, OntologyError> {
        let mut found = Some(!decisive);
        for expr in all {
            match self.truth(expr, row)? {
                Some(truth) if truth == decisive => return Ok(Some(decisive)),
                Some(_) => {}
                None => found = None,
            }
        }
        Ok(found)
    }

    /// The value of an expression; `None` where SPARQL has an error or nothing is bound.
    pub(crate) fn evaluate(&self, expr: &Expr, row: &mut Row) -> Result<Option<Val>, OntologyError> {
        self.budget.step(1)?;
        match expr {
            Expr::Const(at) => Ok(self.constant(*at)),
            Expr::Slot(slot) => Ok(row.get(*slot).copied().flatten()),
            Expr::If(condition, yes, no) => match self.truth(condition, row)? {
                Some(true) => self.evaluate(yes, row),
                Some(false) => self.evaluate(no, row),
                None => Ok(None),
            },
            Expr::Coalesce(all) => {
                for expr in all {
                    if let Some(value) = self.evaluate(expr, row)? {
                        return Ok(Some(value));
                    }
                }
                Ok(None)
            }
            Expr::Call(call) => {
                let mut values = Vec::with_capacity(call.args.len());
                for arg in &call.args {
                    let Some(value) = self.evaluate(arg, row)? else { return Ok(None) };
                    values.push(value);
                }
                if let (Operator::Equal, [a, b]) = (&call.operator, values.as_slice()) {
                    let equal = self.equal(*a, *b)?;
                    return equal.map(|equal| self.value(&boolean(equal))).transpose();
                }
                let terms: Vec<Term> = values.into_iter().filter_map(|value| self.term(value)).collect();
                let found = self.apply(&call.operator, &terms)?;
                found.map(|term| self.value(&term)).transpose()
            }
            _ => self.truth(expr, row)?.map(|truth| self.value(&boolean(truth))).transpose(),
        }
    }

    fn equal(&self, a: Val, b: Val) -> Result<Option<bool>, OntologyError> {
        match (self.term(a), self.term(b)) {
            (Some(Term::Literal(a)), Some(Term::Literal(b))) => {
                let found = self.apply(&Operator::Equal, &[a.into(), b.into()])?;
                Ok(found.and_then(|term| term.as_literal().map(|literal| literal.value() == "true")))
            }
            (Some(_), Some(_)) => Ok(Some(a == b)),
            _ => Ok(None),
        }
    }

    /// Applies an operator to terms, once it is known to be affordable.
    pub(crate) fn apply(&self, operator: &Operator, terms: &[Term]) -> Result<Option<Term>, OntologyError> {
        let total: usize = terms.iter().map(|term| text(term).len()).sum();
        self.budget.step(u64::try_from(1 + total / BYTES_OF_A_STEP).unwrap_or(u64::MAX))?;
        if let Operator::Function(function) = operator {
            match (function, terms) {
                (Function::IsIri, [term]) => {
                    return Ok(Some(boolean(term.as_iri().is_some() && !is_blank(term))));
                }
                (Function::IsBlank, [term]) => return Ok(Some(boolean(is_blank(term)))),
                (Function::IsLiteral, [term]) => return Ok(Some(boolean(term.as_literal().is_some()))),
                (Function::Str, [term]) if !is_blank(term) => {
                    return Ok(Some(Literal::string(text(term)).into()));
                }
                (Function::Datatype, [Term::Literal(literal)]) => {
                    return Ok(Some(literal.datatype().clone().into()));
                }
                (Function::Lang, [Term::Literal(literal)]) => {
                    return Ok(Some(Literal::string(literal.language().unwrap_or_default()).into()));
                }
                (Function::Concat, ..) => self.check_text(total)?,
                (Function::UCase | Function::LCase | Function::EncodeForUri, ..) => {
                    self.check_text(total * 3)?;
                }
                (Function::Regex, ..) => return Ok(self.regex(terms)?.map(boolean)),
                (Function::Replace, ..) => return self.replace(terms),
                _ => {}
            }
        }
        let Some((expression, names)) = operation(Some(operator), terms.len()) else { return Ok(None) };
        let outside = names.iter().zip(terms.iter().map(outside));
        let found = QueryEvaluator::new().evaluate_expression(&expression, outside);
        Ok(found.and_then(inside))
    }

    pub(crate) fn check_text(&self, bytes: usize) -> Result<(), OntologyError> {
        if bytes > QUERY_TEXT_BYTES_MAX {
            return Err(OntologyError::QueryTooCostly {
                what: "bytes in one text",
                max: QUERY_TEXT_BYTES_MAX.try_into().unwrap_or(u64::MAX),
            });
        }
        self.budget.step(u64::try_from(bytes / BYTES_OF_A_STEP).unwrap_or(u64::MAX))
    }
}

fn boolean(value: bool) -> Term {
    Literal::typed(if value { "true" } else { "false" }, vocab::XSD_BOOLEAN.clone()).into()
}

/// Whether an IRI stands for a blank node.
pub(crate) fn is_blank(term: &Term) -> bool {
    term.as_iri().is_some_and(|iri| iri.as_str().starts_with(vocab::SKOLEM_PREFIX))
}

fn text(term: &Term) -> &str {
    match term {
        Term::Iri(iri) => iri.as_str(),
        Term::Literal(literal) => literal.value(),
    }
}

/// The operator on as many variables, with their names; without one, the variable itself.
fn operation(operator: Option<&Operator>, arity: usize) -> Option<(Expression, Vec<Variable>)> {
    let names: Vec<Variable> = (0..arity).map(|at| Variable::new_unchecked(format!("a{at}"))).collect();
    let mut args = names.iter().cloned().map(Expression::from);
    let mut next = || args.next().map(Box::new);
    let expression = match operator {
        None => Expression::from(names.first()?.clone()),
        Some(Operator::Equal) => Expression::Equal(next()?, next()?),
        Some(Operator::Greater) => Expression::Greater(next()?, next()?),
        Some(Operator::GreaterOrEqual) => Expression::GreaterOrEqual(next()?, next()?),
        Some(Operator::Less) => Expression::Less(next()?, next()?),
        Some(Operator::LessOrEqual) => Expression::LessOrEqual(next()?, next()?),
        Some(Operator::Add) => Expression::Add(next()?, next()?),
        Some(Operator::Subtract) => Expression::Subtract(next()?, next()?),
        Some(Operator::Multiply) => Expression::Multiply(next()?, next()?),
        Some(Operator::Divide) => Expression::Divide(next()?, next()?),
        Some(Operator::Plus) => Expression::UnaryPlus(next()?),
        Some(Operator::Minus) => Expression::UnaryMinus(next()?),
        Some(Operator::Function(function)) => Expression::FunctionCall(function.clone(), args.collect()),
    };
    Some((expression, names))
}

/// A term as `spareval` takes it. Skolem IRIs are the blank nodes that they stand for.
fn outside(term: &Term) -> oxrdf::Term {
    match term {
        Term::Iri(iri) => match iri.as_str().strip_prefix(vocab::SKOLEM_PREFIX) {
            Some(label) => oxrdf::BlankNode::new_unchecked(format!("k{}", label.replace(':', "_"))).into(),
            None => oxrdf::NamedNode::new_unchecked(iri.as_str()).into(),
        },
        Term::Literal(literal) => match literal.language() {
            Some(language) => {
                oxrdf::Literal::new_language_tagged_literal_unchecked(literal.value(), language).into()
            }
            None => oxrdf::Literal::new_typed_literal(
                literal.value(),
                oxrdf::NamedNode::new_unchecked(literal.datatype().as_str()),
            )
            .into(),
        },
    }
}

/// A term that `spareval` made; blank nodes it makes none of.
fn inside(term: oxrdf::Term) -> Option<Term> {
    match term {
        oxrdf::Term::NamedNode(node) => Iri::parsed(node).ok().map(Term::from),
        oxrdf::Term::BlankNode(_) => None,
        oxrdf::Term::Literal(literal) => Some(constant(literal)?.into()),
    }
}

/// A literal of a query or of `spareval`.
pub(crate) fn constant(literal: oxrdf::Literal) -> Option<Literal> {
    Some(match literal.destruct() {
        (value, _, Some(language)) => Literal::tagged(value, &language),
        (value, Some(datatype), None) => Literal::typed(value, Iri::parsed(datatype).ok()?),
        (value, None, None) => Literal::string(value),
    })
}
