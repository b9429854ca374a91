//! Evaluation of one shape at one focus node (SHACL §3.4, §4).

use std::borrow::Cow;
use std::cell::OnceCell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::compile::is_blank;
use super::follow::Way;
use super::literal::{compare, is_well_formed, lang_matches};
use super::node::{Bound, UNKNOWN_FROM};
use super::report::{Severity, Violation};
use super::shape::{Constraint, NodeKind, Path, Shape, ShapeNo, TermNo};
use super::sink::{Breach, Sink};
use crate::error::OntologyError;
use crate::index::{Id, Index};
use crate::sparql::Budget;
use crate::triple::{Literal, Term};
use crate::vocab;

/// Lists up to this length are searched one by one.
const FEW_MEMBERS: usize = 16;

/// A node with its outgoing triples, read once for all property shapes about it, when the first one asks.
pub(super) struct Around {
    node: Id,
    edges: OnceCell<Edges>,
}

/// Outgoing triples in order of predicate: predicates, and their objects at the same places.
#[derive(Default)]
struct Edges {
    predicates: Vec<Id>,
    objects: Vec<Id>,
}

impl Edges {
    fn iter(&self) -> impl Iterator<Item = (&Id, &Id)> {
        self.predicates.iter().zip(&self.objects)
    }
}

impl Around {
    fn new(node: Id) -> Self {
        Self { node, edges: OnceCell::new() }
    }
}

impl<I: Index> Bound<'_, I> {
    /// What the shape finds at the focus node.
    pub(crate) fn evaluate(&self, no: ShapeNo, focus: Id) -> Result<Vec<Violation>, OntologyError> {
        let mut sink = Sink::list();
        let around = Around::new(focus);
        self.shape(no, focus, &around, &mut sink)?;
        Ok(sink.into_list())
    }

    fn conforms(&self, no: ShapeNo, node: Id) -> Result<bool, OntologyError> {
        self.spend(0)?;
        let mut sink = Sink::first();
        let around = Around::new(node);
        self.shape(no, node, &around, &mut sink)?;
        Ok(!sink.any())
    }

    /// The node's predicates and objects, in order of predicate.
    fn edges<'n>(&self, around: &'n Around) -> Result<&'n Edges, OntologyError> {
        if let Some(edges) = around.edges.get() {
            return Ok(edges);
        }
        let mut edges = Edges::default();
        if around.node < UNKNOWN_FROM {
            let (predicates, objects) = self.index.outgoing(around.node).unzip();
            edges = Edges { predicates, objects };
        }
        self.spend(edges.objects.len())?;
        Ok(around.edges.get_or_init(|| edges))
    }

    fn values<'n>(&self, path: Option<&Path>, around: &'n Around) -> Result<Cow<'n, [Id]>, OntologyError> {
        match path {
            None => Ok(Cow::Borrowed(std::slice::from_ref(&around.node))),
            Some(Path::Predicate(no)) => {
                let Some(predicate) = self.known(*no) else { return Ok(Cow::Borrowed(&[])) };
                let Edges { predicates, objects } = self.edges(around)?;
                let from = predicates.partition_point(|p| *p < predicate);
                let values = predicates[from..].iter().take_while(|p| **p == predicate).count();
                Ok(Cow::Borrowed(&objects[from..from + values]))
            }
            Some(path) => self.follow(path, around.node, Way::Forwards).map(Cow::Owned),
        }
    }

    fn shape(&self, no: ShapeNo, focus: Id, around: &Around, sink: &mut Sink) -> Result<(), OntologyError> {
        let Some(shape) = self.table.shape(no) else { return Ok(()) };
        if shape.deactivated {
            return Ok(());
        }
        let values = self.values(shape.path.as_ref(), around)?;
        for constraint in &shape.constraints {
            let at = At { shape, focus, values: &values, around };
            self.constraint(constraint, &at, sink)?;
            if sink.is_done() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn constraint(&self, constraint: &Constraint, at: &At<'_>, sink: &mut Sink) -> Result<(), OntologyError> {
        let values = at.values;
        let mut fails = |breach: Breach| sink.push(|| self.violation(constraint, at, breach));
        match constraint {
            Constraint::MinCount(least) if (values.len() as u64) < *least => fails(Breach::plain()),
            Constraint::MaxCount(most) if values.len() as u64 > *most => fails(Breach::plain()),
            Constraint::MinCount(_) | Constraint::MaxCount(_) => {}
            Constraint::HasValue(no) => {
                if !values.contains(&self.node(*no)) {
                    fails(Breach::plain());
                }
            }
            Constraint::UniqueLang => {
                let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
                for value in values {
                    if let Some(tag) = self.literal(*value).and_then(Literal::language) {
                        *seen.entry(tag).or_default() += 1;
                    }
                }
                for _ in seen.values().filter(|count| **count > 1) {
                    fails(Breach::plain());
                }
            }
            Constraint::Class(no) => {
                let class = self.node(*no);
                for value in values {
                    if !self.is_instance(*value, class)? {
                        fails(Breach::value(*value));
                    }
                }
            }
            Constraint::Equals(no) | Constraint::Disjoint(no) => {
                let other = match self.known(*no) {
                    Some(predicate) => self.objects(at.around.node, predicate)?,
                    None => Vec::new(),
                };
                let other: BTreeSet<Id> = other.into_iter().collect();
                if matches!(constraint, Constraint::Disjoint(_)) {
                    for value in values.iter().filter(|value| other.contains(value)) {
                        fails(Breach::value(*value));
                    }
                } else {
                    let own: BTreeSet<Id> = values.iter().copied().collect();
                    for value in own.symmetric_difference(&other) {
                        fails(Breach::value(*value));
                    }
                }
            }
            Constraint::LessThan(no) | Constraint::LessThanOrEquals(no) => {
                let other = match self.known(*no) {
                    Some(predicate) => self.objects(at.around.node, predicate)?,
                    None => Vec::new(),
                };
                let or_equal = matches!(constraint, Constraint::LessThanOrEquals(_));
                for value in values {
                    self.spend(other.len())?;
                    for bound in &other {
                        let order = self.order(*value, *bound);
                        if !(order == Some(Ordering::Less) || (or_equal && order == Some(Ordering::Equal))) {
                            fails(Breach::value(*value));
                        }
                    }
                }
            }
            Constraint::Not(no) => {
                for value in values {
                    if self.conforms(*no, *value)? {
                        fails(Breach::value(*value));
                    }
                }
            }
            Constraint::Node(no) => {
                for value in values {
                    if !self.conforms(*no, *value)? {
                        fails(Breach::value(*value));
                    }
                }
            }
            Constraint::And(all) | Constraint::Or(all) | Constraint::Xone(all) => {
                for value in values {
                    let mut conforming = 0;
                    for no in all {
                        conforming += usize::from(self.conforms(*no, *value)?);
                    }
                    let holds = match constraint {
                        Constraint::And(_) => conforming == all.len(),
                        Constraint::Or(_) => conforming > 0,
                        _ => conforming == 1,
                    };
                    if !holds {
                        fails(Breach::value(*value));
                    }
                }
            }
            Constraint::Property(no) => {
                for value in values {
                    if *value == at.around.node {
                        self.shape(*no, *value, at.around, sink)?;
                    } else {
                        let around = Around::new(*value);
                        self.shape(*no, *value, &around, sink)?;
                    }
                    if sink.is_done() {
                        break;
                    }
                }
            }
            Constraint::Qualified { shape, min, max, siblings } => {
                let mut counted = 0_u64;
                for value in values {
                    if self.conforms(*shape, *value)? && self.conforms_to_none(siblings, *value)? {
                        counted += 1;
                    }
                }
                if min.is_some_and(|least| counted < least) {
                    fails(Breach::component("QualifiedMinCountConstraintComponent"));
                }
                if max.is_some_and(|most| counted > most) {
                    fails(Breach::component("QualifiedMaxCountConstraintComponent"));
                }
            }
            Constraint::Closed { allowed } => {
                let allowed: BTreeSet<Id> = allowed.iter().filter_map(|no| self.known(*no)).collect();
                for value in values {
                    let other;
                    let around = if *value == at.around.node {
                        at.around
                    } else {
                        other = Around::new(*value);
                        &other
                    };
                    for (predicate, object) in
                        self.edges(around)?.iter().filter(|(p, _)| !allowed.contains(*p))
                    {
                        fails(Breach { value: Some(*object), path: Some(*predicate), ..Breach::plain() });
                    }
                }
            }
            Constraint::In(members) => {
                for value in values {
                    self.spend(members.len().min(FEW_MEMBERS))?;
                    if !self.is_member(*value, members) {
                        fails(Breach::value(*value));
                    }
                }
            }
            Constraint::Sparql(constraint) => {
                if let Some(focus) = self.term(at.focus) {
                    let budget = Budget::default();
                    let found = constraint.violations(self.index, focus, &budget)?;
                    self.spend(usize::try_from(budget.steps_taken()).unwrap_or(usize::MAX))?;
                    for found in found {
                        let messages: Vec<&str> = found.messages.iter().map(Literal::value).collect();
                        let message = (!messages.is_empty()).then(|| messages.join("; "));
                        fails(Breach {
                            said: Some(Box::new((found.value, found.path, message))),
                            ..Breach::plain()
                        });
                    }
                }
            }
            _ => {
                for value in values {
                    if !self.term(*value).is_some_and(|term| self.is_fit(constraint, term)) {
                        fails(Breach::value(*value));
                    }
                }
            }
        }
        Ok(())
    }

    /// Long lists are searched by the text of their members, which are in that order.
    fn is_member(&self, value: Id, members: &[TermNo]) -> bool {
        if members.len() <= FEW_MEMBERS {
            return members.iter().any(|no| self.node(*no) == value);
        }
        let found = members.binary_search_by(|no| self.table.term(*no).cmp(&self.term(value)));
        found.is_ok()
    }

    fn conforms_to_none(&self, shapes: &[ShapeNo], node: Id) -> Result<bool, OntologyError> {
        for no in shapes {
            if self.conforms(*no, node)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The constraints that a term meets or not by itself.
    fn is_fit(&self, constraint: &Constraint, term: &Term) -> bool {
        let literal = term.as_literal();
        let against = |bound: &Literal| literal.and_then(|literal| compare(literal, bound));
        match constraint {
            Constraint::Datatype(no) => literal.is_some_and(|literal| {
                self.table.term(*no).and_then(Term::as_iri) == Some(literal.datatype())
                    && is_well_formed(literal)
            }),
            Constraint::NodeKind(NodeKind { iri, blank, literal }) => match term {
                Term::Literal(_) => *literal,
                Term::Iri(name) if is_blank(name) => *blank,
                Term::Iri(_) => *iri,
            },
            Constraint::MinExclusive(bound) => against(bound) == Some(Ordering::Greater),
            Constraint::MinInclusive(bound) => {
                matches!(against(bound), Some(Ordering::Greater | Ordering::Equal))
            }
            Constraint::MaxExclusive(bound) => against(bound) == Some(Ordering::Less),
            Constraint::MaxInclusive(bound) => {
                matches!(against(bound), Some(Ordering::Less | Ordering::Equal))
            }
            Constraint::MinLength(least) => text_of(term).is_some_and(|text| characters(text) >= *least),
            Constraint::MaxLength(most) => text_of(term).is_some_and(|text| characters(text) <= *most),
            Constraint::Pattern(pattern) => text_of(term).is_some_and(|text| pattern.is_match(text)),
            Constraint::LanguageIn(ranges) => literal
                .and_then(Literal::language)
                .is_some_and(|tag| ranges.iter().any(|range| lang_matches(tag, range))),
            // Every other constraint is decided where its values are looked at together.
            _ => true,
        }
    }

    fn literal(&self, node: Id) -> Option<&Literal> {
        self.term(node).and_then(Term::as_literal)
    }

    fn order(&self, a: Id, b: Id) -> Option<Ordering> {
        compare(self.literal(a)?, self.literal(b)?)
    }

    fn violation(&self, constraint: &Constraint, at: &At<'_>, breach: Breach) -> Violation {
        let path = match breach.path {
            Some(predicate) => Some(self.text(predicate)),
            None => at.shape.path.as_ref().map(|path| self.path_text(path)),
        };
        let mut violation = Violation {
            focus: self.text(at.focus),
            path,
            value: breach.value.map(|value| self.text(value)),
            component: format!(
                "{}{}",
                vocab::SH_NAMESPACE,
                breach.component.unwrap_or_else(|| constraint.component())
            ),
            shape: at.shape.name.as_str().to_owned(),
            severity: match at.shape.severity.as_str().strip_prefix(vocab::SH_NAMESPACE) {
                Some("Warning") => Severity::Warning,
                Some("Info") => Severity::Info,
                _ => Severity::Violation,
            },
            message: String::new(),
        };
        let mut own = None;
        if let Some((value, path, message)) = breach.said.map(|said| *said) {
            violation.value = value.map(|term| term.to_string());
            violation.path = path.map(|iri| format!("<{iri}>")).or(violation.path);
            own = message;
        }
        let authored: Vec<&str> = at.shape.messages.iter().map(Literal::value).collect();
        violation.message = match own {
            Some(message) => message,
            None if authored.is_empty() => constraint.in_words(self.table),
            None => authored.join("; "),
        };
        violation
    }
}

/// Where a constraint is evaluated.
struct At<'e> {
    shape: &'e Shape,
    focus: Id,
    values: &'e [Id],
    around: &'e Around,
}

/// The text of an IRI or literal; blank nodes have none (SPARQL `str`).
fn text_of(term: &Term) -> Option<&str> {
    match term {
        Term::Literal(literal) => Some(literal.value()),
        Term::Iri(iri) if is_blank(iri) => None,
        Term::Iri(iri) => Some(iri.as_str()),
    }
}

fn characters(text: &str) -> u64 {
    text.chars().count() as u64
}
