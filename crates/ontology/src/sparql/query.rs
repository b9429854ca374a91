//! Queries, admitted once and asked of any index.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use spargebra::SparqlParser;
use spargebra::algebra::GraphPattern;
use spargebra::term::{NamedNodePattern, TermPattern, TriplePattern, Variable};

use crate::error::OntologyError;
use crate::index::Index;
use crate::iri::Iri;
use crate::sparql::admission::{Admission, is_ordered};
use crate::sparql::budget::Budget;
use crate::sparql::expression::{constant, is_blank};
use crate::sparql::plan::{Plan, Slot};
use crate::sparql::run::{Flow, Row, Run};
use crate::triple::{Term, Triple};
use crate::vocab;

/// Longest query, in bytes.
pub const QUERY_BYTES_MAX: usize = 16 << 10;
/// Most opening brackets of a query, wherever they stand: what bounds the nesting before it is read.
pub const QUERY_BRACKETS_MAX: usize = 256;
/// Most signs `/ | ^ & + - * !` of a query, wherever they stand: what bounds chains of operators before they are read.
pub const QUERY_SIGNS_MAX: usize = 2_000;

/// What a query asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Yes or no.
    Ask,
    /// Rows.
    Select,
    /// Triples made of rows.
    Construct,
    /// The triples about nodes.
    Describe,
}

/// A query that was admitted.
#[derive(Clone, Debug)]
pub struct Query {
    form: Form,
    plan: Plan,
    ordered: bool,
    /// Name and place of each variable of the answer.
    columns: Vec<(String, Slot)>,
    template: Vec<[Part; 3]>,
    /// What the blank nodes of a template are named after.
    digest: String,
}

#[derive(Clone, Debug)]
enum Part {
    Term(Term),
    Slot(Slot),
    Blank(usize),
}

/// Rows of an answer, each as wide as there are variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Solutions {
    /// The names of the variables, without `?`.
    pub variables: Vec<String>,
    /// The rows: in the order asked for, else in order of text.
    pub rows: Vec<Vec<Option<Term>>>,
}

/// What a query is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Of ASK.
    Boolean(bool),
    /// Of SELECT.
    Solutions(Solutions),
    /// Of CONSTRUCT and DESCRIBE, in order of text.
    Triples(Vec<Triple>),
}

/// Refuses text that the parser is not given: too long, or possibly too deep for its stack.
pub(crate) fn check_text(text: &str) -> Result<(), OntologyError> {
    let count = |signs: &[u8]| text.bytes().filter(|byte| signs.contains(byte)).count();
    for (what, found, max) in [
        ("query in bytes", text.len(), QUERY_BYTES_MAX),
        ("opening brackets of a query", count(b"([{"), QUERY_BRACKETS_MAX),
        ("operator signs of a query", count(b"/|^&+-*!"), QUERY_SIGNS_MAX),
    ] {
        if found > max {
            return Err(OntologyError::too_large(what, max));
        }
    }
    Ok(())
}

pub(crate) fn parse(text: &str, prefixes: &[(&str, &str)]) -> Result<spargebra::Query, OntologyError> {
    check_text(text)?;
    let bad = |problem: String| OntologyError::BadQuery { problem: problem.chars().take(400).collect() };
    let mut parser = SparqlParser::new();
    for (prefix, namespace) in prefixes {
        parser = parser
            .with_prefix(*prefix, *namespace)
            .map_err(|error| bad(format!("the namespace of `{prefix}:` is no IRI: {error}")))?;
    }
    parser.parse_query(text).map_err(|error| bad(error.to_string()))
}

pub(crate) fn no_dataset(dataset: Option<&spargebra::algebra::QueryDataset>) -> Result<(), OntologyError> {
    match dataset {
        None => Ok(()),
        Some(_) => Err(OntologyError::QueryRefused {
            construct: "FROM".to_owned(),
            reason: "there is one graph: leave it out",
        }),
    }
}

impl Query {
    /// Reads and admits a query. [`vocab::PREFIXES`] and `prefixes` need not be declared in it.
    ///
    /// # Errors
    /// [`OntologyError::BadQuery`] when it is no SPARQL 1.1 query, [`OntologyError::QueryRefused`] when it has what is not
    /// evaluated, [`OntologyError::TooLarge`] beyond a limit.
    pub fn parse(text: &str, prefixes: &[(&str, &str)]) -> Result<Self, OntologyError> {
        let prefixes: Vec<(&str, &str)> = vocab::PREFIXES.iter().chain(prefixes).copied().collect();
        let query = parse(text, &prefixes)?;
        let mut admission = Admission::new(None);
        let (form, dataset, pattern, template) = match &query {
            spargebra::Query::Ask { dataset, pattern, .. } => (Form::Ask, dataset, pattern, &[][..]),
            spargebra::Query::Select { dataset, pattern, .. } => (Form::Select, dataset, pattern, &[][..]),
            spargebra::Query::Describe { dataset, pattern, .. } => {
                (Form::Describe, dataset, pattern, &[][..])
            }
            spargebra::Query::Construct { dataset, pattern, template, .. } => {
                (Form::Construct, dataset, pattern, template.as_slice())
            }
        };
        no_dataset(dataset.as_ref())?;
        let node = admission.pattern(pattern)?;
        let columns = columns(pattern)
            .iter()
            .map(|variable| Ok((variable.as_str().to_owned(), admission.slot(variable.as_str())?)))
            .collect::<Result<_, OntologyError>>()?;
        let mut blanks = Vec::new();
        let template = template
            .iter()
            .map(|triple| parts(triple, &mut admission, &mut blanks))
            .collect::<Result<_, OntologyError>>()?;
        Ok(Self {
            form,
            ordered: is_ordered(pattern),
            plan: admission.finish(node),
            columns,
            template,
            digest: hex::encode(Sha256::digest(text.as_bytes())),
        })
    }

    /// What it asks for.
    pub fn form(&self) -> Form {
        self.form
    }

    fn expect(&self, form: Form) -> Result<(), OntologyError> {
        if self.form == form {
            return Ok(());
        }
        let problem = format!("it is of the form {:?}, where {form:?} is expected", self.form);
        Err(OntologyError::BadQuery { problem })
    }

    /// Every row, in the order asked for, else in order of text.
    fn rows<I: Index>(&self, run: &Run<'_, '_, I>, budget: &Budget<'_>) -> Result<Vec<Row>, OntologyError> {
        let mut held = budget.hold();
        let mut rows: Vec<Row> = Vec::new();
        let base = run.blank();
        run.node(&self.plan.node, &base, &mut base.clone(), &mut |row| {
            budget.row(rows.len() + 1)?;
            held.more((row.len() + 2) * size_of::<Option<Term>>())?;
            rows.push(row.clone());
            Ok(Flow::More)
        })?;
        if self.ordered { Ok(rows) } else { run.by_text(rows) }
    }

    fn triples<I: Index>(&self, index: &I, budget: &Budget<'_>) -> Result<Vec<Triple>, OntologyError> {
        let run = Run::new(index, &self.plan, budget)?;
        let mut held = budget.hold();
        let mut found: BTreeSet<Triple> = BTreeSet::new();
        let mut keep = |triple: Triple| {
            held.more(4 * size_of::<Triple>())?;
            found.insert(triple);
            budget.row(found.len())
        };
        let rows = self.rows(&run, budget)?;
        if self.form == Form::Construct {
            for (number, row) in rows.iter().enumerate() {
                for triple in &self.template {
                    budget.step(1)?;
                    let [Some(Term::Iri(subject)), Some(Term::Iri(predicate)), Some(object)] =
                        [&triple[0], &triple[1], &triple[2]].map(|part| self.part(part, number, row, &run))
                    else {
                        continue; // A triple that cannot be made is left out (SPARQL 1.1 §16.2).
                    };
                    keep(Triple { subject, predicate, object })?;
                }
            }
            return Ok(found.into_iter().collect());
        }
        // What is told of a node: its triples, and those of the blank nodes that they lead to.
        let mut todo: Vec<Term> = rows
            .iter()
            .flat_map(|row| self.columns.iter().filter_map(|(_, slot)| row.get(*slot).copied().flatten()))
            .filter_map(|value| run.term(value))
            .collect();
        let mut seen: BTreeSet<Term> = BTreeSet::new();
        while let Some(node) = todo.pop() {
            let (Term::Iri(subject), Some(id)) = (&node, index.id_of(&node)) else { continue };
            if !seen.insert(node.clone()) {
                continue;
            }
            for (predicate, object) in index.outgoing(id) {
                budget.step(1)?;
                let (Some(Term::Iri(predicate)), Some(object)) = (index.term(predicate), index.term(object))
                else {
                    continue;
                };
                if is_blank(object) {
                    todo.push(object.clone());
                }
                keep(Triple::new(subject, predicate, object.clone()))?;
            }
        }
        Ok(found.into_iter().collect())
    }

    fn part<I: Index>(&self, part: &Part, number: usize, row: &Row, run: &Run<'_, '_, I>) -> Option<Term> {
        match part {
            Part::Term(term) => Some(term.clone()),
            Part::Slot(slot) => run.term(row.get(*slot).copied().flatten()?),
            Part::Blank(at) => {
                Some(Iri::derived(format!("{}{}:r{number}b{at}", vocab::SKOLEM_PREFIX, self.digest)).into())
            }
        }
    }
}

/// The variables of the answer.
fn columns(pattern: &GraphPattern) -> &[Variable] {
    match pattern {
        GraphPattern::Project { variables, .. } => variables,
        GraphPattern::Slice { inner, .. }
        | GraphPattern::Distinct { inner }
        | GraphPattern::Reduced { inner } => columns(inner),
        _ => &[],
    }
}

fn parts(
    triple: &TriplePattern,
    admission: &mut Admission<'_>,
    blanks: &mut Vec<String>,
) -> Result<[Part; 3], OntologyError> {
    let mut part = |term: &TermPattern| -> Result<Part, OntologyError> {
        Ok(match term {
            TermPattern::NamedNode(node) => Part::Term(Iri::parsed(node.clone())?.into()),
            TermPattern::Variable(variable) => Part::Slot(admission.slot(variable.as_str())?),
            TermPattern::Literal(literal) => match constant(literal.clone()) {
                Some(literal) => Part::Term(literal.into()),
                None => return Err(OntologyError::BadIri { iri: literal.datatype().as_str().to_owned() }),
            },
            TermPattern::BlankNode(node) => {
                let at = blanks.iter().position(|known| known == node.as_str()).unwrap_or_else(|| {
                    blanks.push(node.as_str().to_owned());
                    blanks.len() - 1
                });
                Part::Blank(at)
            }
        })
    };
    let predicate = match &triple.predicate {
        NamedNodePattern::NamedNode(node) => part(&node.clone().into())?,
        NamedNodePattern::Variable(variable) => part(&variable.clone().into())?,
    };
    Ok([part(&triple.subject)?, predicate, part(&triple.object)?])
}

/// Whether an ASK query holds. Stops at the first solution.
///
/// # Errors
/// [`OntologyError::QueryTooCostly`] or [`OntologyError::QueryStopped`] when the budget ends before the answer is known;
/// [`OntologyError::BadQuery`] when it is no ASK.
pub fn ask(index: &impl Index, query: &Query, budget: &Budget<'_>) -> Result<bool, OntologyError> {
    query.expect(Form::Ask)?;
    let run = Run::new(index, &query.plan, budget)?;
    let base = run.blank();
    let flow = run.node(&query.plan.node, &base, &mut base.clone(), &mut |_| Ok(Flow::Enough))?;
    Ok(flow == Flow::Enough)
}

/// The solutions of a SELECT query.
///
/// # Errors
/// As [`ask`]; also when there are more rows than the budget allows.
pub fn select(index: &impl Index, query: &Query, budget: &Budget<'_>) -> Result<Solutions, OntologyError> {
    query.expect(Form::Select)?;
    let run = Run::new(index, &query.plan, budget)?;
    let rows = query.rows(&run, budget)?;
    let cell = |row: &Row, slot: Slot| row.get(slot).copied().flatten().and_then(|value| run.term(value));
    Ok(Solutions {
        variables: query.columns.iter().map(|(name, _)| name.clone()).collect(),
        rows: rows
            .iter()
            .map(|row| query.columns.iter().map(|(_, slot)| cell(row, *slot)).collect())
            .collect(),
    })
}

/// The triples of a CONSTRUCT or DESCRIBE query, in order of text. Blank nodes of a template are skolem IRIs named after
/// the query and the row.
///
/// # Errors
/// As [`select`].
pub fn construct(
    index: &impl Index,
    query: &Query,
    budget: &Budget<'_>,
) -> Result<Vec<Triple>, OntologyError> {
    if query.form != Form::Describe {
        query.expect(Form::Construct)?;
    }
    query.triples(index, budget)
}

/// The answer to a query of any form.
///
/// # Errors
/// As [`select`].
pub fn answer(index: &impl Index, query: &Query, budget: &Budget<'_>) -> Result<Answer, OntologyError> {
    Ok(match query.form {
        Form::Ask => Answer::Boolean(ask(index, query, budget)?),
        Form::Select => Answer::Solutions(select(index, query, budget)?),
        Form::Construct | Form::Describe => Answer::Triples(query.triples(index, budget)?),
    })
}
