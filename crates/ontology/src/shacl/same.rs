//! Whether two shapes ask for the same, whatever their numbers: with all that they contain.

use std::collections::BTreeMap;

use super::shape::{Constraint, Path, ShapeNo, ShapeTable, Target, TermNo};
use crate::triple::Term;

/// A part of a shape without numbers of its table.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Part {
    name: &'static str,
    terms: Vec<Term>,
    text: String,
}

/// Two tables whose shapes are compared, each pair once.
pub(super) struct Comparison<'t> {
    one: &'t ShapeTable,
    other: &'t ShapeTable,
    known: BTreeMap<(ShapeNo, ShapeNo), bool>,
}

impl<'t> Comparison<'t> {
    pub(super) fn new(one: &'t ShapeTable, other: &'t ShapeTable) -> Self {
        Self { one, other, known: BTreeMap::new() }
    }

    /// Whether both shapes are the same in all that decides results. No shape contains itself.
    pub(super) fn is_same(&mut self, no: ShapeNo, other_no: ShapeNo) -> bool {
        if let Some(known) = self.known.get(&(no, other_no)) {
            return *known;
        }
        let is_same = self.look(no, other_no);
        self.known.insert((no, other_no), is_same);
        is_same
    }

    fn look(&mut self, no: ShapeNo, other_no: ShapeNo) -> bool {
        let (one, other) = (self.one, self.other);
        let (Some(a), Some(b)) = (one.shape(no), other.shape(other_no)) else { return false };
        let path = |table: &ShapeTable, path: &Option<Path>| path.as_ref().map(|path| table.path_part(path));
        let targets = |table: &ShapeTable, targets: &[Target]| {
            let mut parts: Vec<Part> = targets.iter().map(|target| table.target_part(*target)).collect();
            parts.sort();
            parts
        };
        a.name == b.name
            && (&a.severity, &a.messages, a.deactivated) == (&b.severity, &b.messages, b.deactivated)
            && path(one, &a.path) == path(other, &b.path)
            && targets(one, &a.targets) == targets(other, &b.targets)
            && a.constraints.len() == b.constraints.len()
            && a.constraints.iter().zip(&b.constraints).all(|(a, b)| {
                let (inner, other_inner) = (a.shapes(), b.shapes());
                one.constraint_part(a) == other.constraint_part(b)
                    && inner.len() == other_inner.len()
                    && inner.iter().zip(&other_inner).all(|(a, b)| self.is_same(*a, *b))
            })
    }
}

impl ShapeTable {
    fn terms_of(&self, numbers: &[TermNo]) -> Vec<Term> {
        let mut terms: Vec<Term> = numbers.iter().filter_map(|no| self.term(*no).cloned()).collect();
        terms.sort();
        terms
    }

    fn target_part(&self, target: Target) -> Part {
        let (name, no) = match target {
            Target::Node(no) => ("node", no),
            Target::Class(no) => ("class", no),
            Target::SubjectsOf(no) => ("subjects", no),
            Target::ObjectsOf(no) => ("objects", no),
        };
        Part { name, terms: self.terms_of(&[no]), text: String::new() }
    }

    fn path_part(&self, path: &Path) -> String {
        let all =
            |parts: &[Path]| parts.iter().map(|part| self.path_part(part)).collect::<Vec<_>>().join(" ");
        match path {
            Path::Predicate(no) => self.term(*no).map(ToString::to_string).unwrap_or_default(),
            Path::Inverse(inner) => format!("^({})", self.path_part(inner)),
            Path::Sequence(parts) => format!("/({})", all(parts)),
            Path::Alternative(parts) => format!("|({})", all(parts)),
            Path::ZeroOrMore(inner) => format!("*({})", self.path_part(inner)),
            Path::OneOrMore(inner) => format!("+({})", self.path_part(inner)),
            Path::ZeroOrOne(inner) => format!("?({})", self.path_part(inner)),
        }
    }

    fn constraint_part(&self, constraint: &Constraint) -> Part {
        let terms = match constraint {
            Constraint::Class(no)
            | Constraint::Datatype(no)
            | Constraint::Equals(no)
            | Constraint::Disjoint(no)
            | Constraint::LessThan(no)
            | Constraint::LessThanOrEquals(no)
            | Constraint::HasValue(no) => self.terms_of(&[*no]),
            Constraint::In(all) | Constraint::Closed { allowed: all } => self.terms_of(all),
            Constraint::MinExclusive(bound)
            | Constraint::MinInclusive(bound)
            | Constraint::MaxExclusive(bound)
            | Constraint::MaxInclusive(bound) => vec![bound.clone().into()],
            _ => Vec::new(),
        };
        let text = match constraint {
            Constraint::NodeKind(kind) => format!("{kind:?}"),
            Constraint::MinCount(n)
            | Constraint::MaxCount(n)
            | Constraint::MinLength(n)
            | Constraint::MaxLength(n) => n.to_string(),
            Constraint::Pattern(pattern) => format!("{pattern:?}"),
            Constraint::LanguageIn(ranges) => ranges.join(" "),
            Constraint::Qualified { min, max, .. } => format!("{min:?} {max:?}"),
            Constraint::Sparql(constraint) => constraint.identity(),
            _ => String::new(),
        };
        Part { name: constraint.component(), terms, text }
    }
}
