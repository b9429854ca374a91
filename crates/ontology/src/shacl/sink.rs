//! Where results go: into a list, or no further than the first when only conformance is asked.

use super::report::Violation;
use crate::index::Id;
use crate::iri::Iri;
use crate::triple::Term;

/// Value, path and message of a SPARQL solution.
pub(super) type Said = (Option<Term>, Option<Iri>, Option<String>);

/// What a constraint found, before it is put into words.
pub(super) struct Breach {
    /// The value at fault.
    pub value: Option<Id>,
    /// The predicate at fault, where it is not the shape's path.
    pub path: Option<Id>,
    /// The component, where a constraint has several.
    pub component: Option<&'static str>,
    /// What a SPARQL solution says.
    pub said: Option<Box<Said>>,
}

impl Breach {
    pub(super) fn plain() -> Self {
        Self { value: None, path: None, component: None, said: None }
    }

    pub(super) fn value(value: Id) -> Self {
        Self { value: Some(value), ..Self::plain() }
    }

    pub(super) fn component(component: &'static str) -> Self {
        Self { component: Some(component), ..Self::plain() }
    }
}

pub(super) enum Sink {
    List(Vec<Violation>),
    First(bool),
}

impl Sink {
    pub(super) fn list() -> Self {
        Self::List(Vec::new())
    }

    pub(super) fn first() -> Self {
        Self::First(false)
    }

    pub(super) fn push(&mut self, violation: impl FnOnce() -> Violation) {
        match self {
            Self::List(list) => list.push(violation()),
            Self::First(any) => *any = true,
        }
    }

    /// Whether nothing more is asked.
    pub(super) fn is_done(&self) -> bool {
        matches!(self, Self::First(true))
    }

    pub(super) fn any(&self) -> bool {
        match self {
            Self::List(list) => !list.is_empty(),
            Self::First(any) => *any,
        }
    }

    pub(super) fn into_list(self) -> Vec<Violation> {
        match self {
            Self::List(list) => list,
            Self::First(_) => Vec::new(),
        }
    }
}
