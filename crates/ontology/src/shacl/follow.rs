//! Property paths (SHACL §2.3.1), in both directions.

use super::node::{Bound, close};
use super::shape::Path;
use crate::error::OntologyError;
use crate::index::{Id, Index};

/// Which way a path is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// From its beginning.
    Forwards,
    /// From its end.
    Backwards,
}

impl Way {
    pub(super) fn turned(self) -> Self {
        match self {
            Self::Forwards => Self::Backwards,
            Self::Backwards => Self::Forwards,
        }
    }
}

impl<I: Index> Bound<'_, I> {
    /// The nodes at the other end of the path, each once, in order of number.
    pub(crate) fn follow(&self, path: &Path, from: Id, way: Way) -> Result<Vec<Id>, OntologyError> {
        match path {
            Path::Predicate(no) => match (self.known(*no), way) {
                (None, _) => Ok(Vec::new()),
                (Some(predicate), Way::Forwards) => self.objects(from, predicate),
                (Some(predicate), Way::Backwards) => self.subjects(predicate, from),
            },
            Path::Inverse(inner) => self.follow(inner, from, way.turned()),
            Path::Sequence(parts) => match way {
                Way::Forwards => self.follow_all(parts.iter(), from, way),
                Way::Backwards => self.follow_all(parts.iter().rev(), from, way),
            },
            Path::Alternative(parts) => {
                let mut found = Vec::new();
                for part in parts {
                    found.extend(self.follow(part, from, way)?);
                }
                Ok(once(found))
            }
            Path::ZeroOrOne(inner) => {
                let mut found = self.follow(inner, from, way)?;
                found.push(from);
                Ok(once(found))
            }
            Path::ZeroOrMore(inner) => {
                let mut found = vec![from];
                close(&mut found, |node| self.follow(inner, node, way))?;
                Ok(found)
            }
            Path::OneOrMore(inner) => {
                let mut found = self.follow(inner, from, way)?;
                close(&mut found, |node| self.follow(inner, node, way))?;
                Ok(found)
            }
        }
    }

    /// The nodes at the other end of parts followed one after another.
    pub(super) fn follow_all<'p>(
        &self,
        parts: impl Iterator<Item = &'p Path>,
        from: Id,
        way: Way,
    ) -> Result<Vec<Id>, OntologyError> {
        let mut at = vec![from];
        for part in parts {
            let mut next = Vec::new();
            for node in at {
                next.extend(self.follow(part, node, way)?);
            }
            at = once(next);
        }
        Ok(at)
    }

    /// The path in the notation of SPARQL.
    pub(crate) fn path_text(&self, path: &Path) -> String {
        match path {
            Path::Predicate(no) => self.table.term(*no).map(ToString::to_string).unwrap_or_default(),
            Path::Inverse(inner) => format!("^{}", self.part_text(inner)),
            Path::Sequence(parts) => {
                let part = |part: &Path| match part {
                    Path::Sequence(_) => self.part_text(part),
                    _ => self.path_text(part),
                };
                parts.iter().map(part).collect::<Vec<_>>().join("/")
            }
            Path::Alternative(parts) => {
                let parts: Vec<String> = parts.iter().map(|part| self.path_text(part)).collect();
                format!("({})", parts.join("|"))
            }
            Path::ZeroOrMore(inner) => format!("{}*", self.part_text(inner)),
            Path::OneOrMore(inner) => format!("{}+", self.part_text(inner)),
            Path::ZeroOrOne(inner) => format!("{}?", self.part_text(inner)),
        }
    }

    fn part_text(&self, path: &Path) -> String {
        let text = self.path_text(path);
        match path {
            Path::Predicate(_) | Path::Alternative(_) => text,
            _ => format!("({text})"),
        }
    }
}

/// Sorted, each once.
fn once(mut nodes: Vec<Id>) -> Vec<Id> {
    nodes.sort_unstable();
    nodes.dedup();
    nodes
}
