//! Admission of expressions and set functions.

use spargebra::algebra::{AggregateExpression, AggregateFunction, Expression, Function};

use crate::error::OntologyError;
use crate::sparql::admission::{Admission, refused, spine};
use crate::sparql::plan::{Call, Expr, Operator, Sum, SumKind};

const XSD: &str = "http://www.w3.org/2001/XMLSchema#";
/// The constructor functions that `spareval` has (SPARQL 1.1 §17.5, and those of dates and durations).
const CASTS: [&str; 12] = [
    "boolean",
    "date",
    "dateTime",
    "dayTimeDuration",
    "decimal",
    "double",
    "duration",
    "float",
    "integer",
    "string",
    "time",
    "yearMonthDuration",
];

impl Admission<'_> {
    pub(super) fn sum(&mut self, aggregate: &AggregateExpression) -> Result<Sum, OntologyError> {
        Ok(match aggregate {
            AggregateExpression::CountSolutions { distinct } => {
                Sum { kind: SumKind::Count, distinct: *distinct, of: None }
            }
            AggregateExpression::FunctionCall { name, expr, distinct } => Sum {
                kind: match name {
                    AggregateFunction::Count => SumKind::Count,
                    AggregateFunction::Sum => SumKind::Sum,
                    AggregateFunction::Avg => SumKind::Average,
                    AggregateFunction::Min => SumKind::Least,
                    AggregateFunction::Max => SumKind::Greatest,
                    AggregateFunction::Sample => SumKind::Sample,
                    AggregateFunction::GroupConcat { separator } => {
                        SumKind::Joined(separator.clone().unwrap_or_else(|| " ".to_owned()))
                    }
                    AggregateFunction::Custom(name) => {
                        return refused(
                            format!("the set function {name}"),
                            "only those of SPARQL 1.1 are known",
                        );
                    }
                },
                distinct: *distinct,
                of: Some(self.expression(expr)?),
            },
        })
    }

    pub(super) fn expression(&mut self, expression: &Expression) -> Result<Expr, OntologyError> {
        self.deeper(|this| this.expression_here(expression))
    }

    fn expressions<'e>(
        &mut self,
        all: impl IntoIterator<Item = &'e Expression>,
    ) -> Result<Vec<Expr>, OntologyError> {
        all.into_iter().map(|expr| self.expression(expr)).collect()
    }

    fn expression_here(&mut self, expression: &Expression) -> Result<Expr, OntologyError> {
        let operator = match expression {
            Expression::NamedNode(node) => return Ok(Expr::Const(self.iri(node)?)),
            Expression::Literal(literal) => return Ok(Expr::Const(self.literal(literal)?)),
            Expression::Variable(variable) => return Ok(Expr::Slot(self.variable(variable)?)),
            Expression::Bound(variable) => return Ok(Expr::Bound(self.variable(variable)?)),
            Expression::Or(..) | Expression::And(..) => {
                let is_or = matches!(expression, Expression::Or(..));
                let mut parts = Vec::new();
                spine(
                    expression,
                    |e| match e {
                        Expression::Or(a, b) if is_or => Some((a, b)),
                        Expression::And(a, b) if !is_or => Some((a, b)),
                        _ => None,
                    },
                    &mut parts,
                );
                let parts = self.expressions(parts)?;
                return Ok(if is_or { Expr::Or(parts) } else { Expr::And(parts) });
            }
            Expression::Not(inner) => return Ok(Expr::Not(Box::new(self.expression(inner)?))),
            Expression::SameTerm(a, b) => {
                return Ok(Expr::SameTerm(Box::new(self.expression(a)?), Box::new(self.expression(b)?)));
            }
            Expression::In(one, all) => {
                return Ok(Expr::In(Box::new(self.expression(one)?), self.expressions(all)?));
            }
            Expression::If(a, b, c) => {
                let mut boxed = |e| self.expression(e).map(Box::new);
                return Ok(Expr::If(boxed(a)?, boxed(b)?, boxed(c)?));
            }
            Expression::Coalesce(all) => return Ok(Expr::Coalesce(self.expressions(all)?)),
            Expression::Exists(pattern) => return Ok(Expr::Exists(self.boxed(pattern)?)),
            Expression::Equal(a, b) => (Operator::Equal, vec![&**a, &**b]),
            Expression::Greater(a, b) => (Operator::Greater, vec![&**a, &**b]),
            Expression::GreaterOrEqual(a, b) => (Operator::GreaterOrEqual, vec![&**a, &**b]),
            Expression::Less(a, b) => (Operator::Less, vec![&**a, &**b]),
            Expression::LessOrEqual(a, b) => (Operator::LessOrEqual, vec![&**a, &**b]),
            Expression::Add(a, b) => (Operator::Add, vec![&**a, &**b]),
            Expression::Subtract(a, b) => (Operator::Subtract, vec![&**a, &**b]),
            Expression::Multiply(a, b) => (Operator::Multiply, vec![&**a, &**b]),
            Expression::Divide(a, b) => (Operator::Divide, vec![&**a, &**b]),
            Expression::UnaryPlus(a) => (Operator::Plus, vec![&**a]),
            Expression::UnaryMinus(a) => (Operator::Minus, vec![&**a]),
            Expression::FunctionCall(function, args) => {
                admit_function(function)?;
                (Operator::Function(function.clone()), args.iter().collect())
            }
        };
        let (operator, args) = operator;
        Ok(Expr::Call(Box::new(Call { operator, args: self.expressions(args)? })))
    }
}

fn admit_function(function: &Function) -> Result<(), OntologyError> {
    match function {
        Function::Rand | Function::Now | Function::Uuid | Function::StrUuid | Function::BNode => refused(
            format!("{function}()"),
            "the same query on the same ontology has the same answer; write the value into the query",
        ),
        Function::Custom(name)
            if !name.as_str().strip_prefix(XSD).is_some_and(|local| CASTS.contains(&local)) =>
        {
            refused(format!("the function {name}"), "only the functions of SPARQL 1.1 are known")
        }
        _ => Ok(()),
    }
}
