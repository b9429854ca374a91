//! Property paths (SPARQL 1.1 §9): sequences and alternatives keep their duplicates, closures are sets.

use std::collections::BTreeSet;

use crate::error::OntologyError;
use crate::index::{Id, Index};
use crate::sparql::plan::{Pos, Route};
use crate::sparql::run::{Flow, Row, Run, Sink, Step, Val};

/// What a node in a set is counted as, in bytes.
const NODE_BYTES: usize = 48;

type Nodes<'o> = &'o mut dyn FnMut(Val) -> Step;

impl<I: Index> Run<'_, '_, I> {
    pub(crate) fn path(
        &self,
        subject: Pos,
        route: &Route,
        object: Pos,
        base: &Row,
        row: &mut Row,
        out: Sink<'_>,
    ) -> Step {
        let ends = (self.at(subject, row), self.at(object, row));
        // Without a step, a path leads from a term of the query to itself, but from a variable only to nodes of the graph.
        let is_given = |pos| match pos {
            Pos::Const(_) => true,
            Pos::Slot(slot) => base.get(slot).is_some_and(Option::is_some),
        };
        let may_start =
            |pos, value| -> bool { !route.may_be_empty() || is_given(pos) || self.is_node(value) };
        match ends {
            (Some(s), Some(o)) => {
                if !may_start(subject, s) && !may_start(object, o) {
                    return Ok(Flow::More);
                }
                self.from(route, s, true, &mut |found| if found == o { out(row) } else { Ok(Flow::More) })
            }
            (Some(s), None) if may_start(subject, s) => {
                self.from(route, s, true, &mut |o| self.ends(subject, s, object, o, row, out))
            }
            (None, Some(o)) if may_start(object, o) => {
                self.from(route, o, false, &mut |s| self.ends(subject, s, object, o, row, out))
            }
            (None, None) => {
                let mut held = self.budget.hold();
                let mut starts = BTreeSet::new();
                self.starts(route, true, &mut |node| {
                    if starts.insert(node) {
                        held.more(NODE_BYTES)?;
                    }
                    Ok(Flow::More)
                })?;
                for s in starts {
                    let each = &mut |o| self.ends(subject, s, object, o, row, out);
                    if self.from(route, s, true, each)? == Flow::Enough {
                        return Ok(Flow::Enough);
                    }
                }
                Ok(Flow::More)
            }
            _ => Ok(Flow::More),
        }
    }

    fn ends(&self, subject: Pos, s: Val, object: Pos, o: Val, row: &mut Row, out: Sink<'_>) -> Step {
        let bound: Vec<(usize, Option<Val>)> = [(subject, s), (object, o)]
            .into_iter()
            .filter_map(|(pos, value)| match pos {
                Pos::Slot(slot) => Some((slot, Some(value))),
                Pos::Const(_) => None,
            })
            .collect();
        self.with(row, &bound, out)
    }

    /// Whether it is the subject or object of a triple.
    fn is_node(&self, value: Val) -> bool {
        match value {
            Val::Known(id) => {
                self.index.outgoing(id).next().is_some() || self.index.incoming(id).next().is_some()
            }
            Val::Made(_) => false,
        }
    }

    /// Nodes from which the route may lead anywhere, some perhaps more than once.
    fn starts(&self, route: &Route, forward: bool, out: Nodes<'_>) -> Step {
        match route {
            Route::Predicate(predicate) => {
                let Some(Val::Known(p)) = self.constant(*predicate) else { return Ok(Flow::More) };
                for (s, o) in self.index.with_predicate(p) {
                    self.budget.step(1)?;
                    out(Val::Known(if forward { s } else { o }))?;
                }
                Ok(Flow::More)
            }
            Route::Inverse(inner) => self.starts(inner, !forward, out),
            Route::OneOrMore(inner) if !inner.may_be_empty() => self.starts(inner, forward, out),
            Route::Alternative(a, b) if !route.may_be_empty() => {
                self.starts(a, forward, out)?;
                self.starts(b, forward, out)
            }
            Route::Sequence(a, b) => {
                let first = if forward { a } else { b };
                if first.may_be_empty() { self.all_nodes(out) } else { self.starts(first, forward, out) }
            }
            _ => self.all_nodes(out),
        }
    }

    fn all_nodes(&self, out: Nodes<'_>) -> Step {
        for [s, _, o] in self.index.all() {
            self.budget.step(1)?;
            out(Val::Known(s))?;
            out(Val::Known(o))?;
        }
        Ok(Flow::More)
    }

    /// Where the route leads from a node, or with `forward` false from where it leads to it.
    fn from(&self, route: &Route, node: Val, forward: bool, out: Nodes<'_>) -> Step {
        self.budget.step(1)?;
        match route {
            Route::Predicate(predicate) => match (node, self.constant(*predicate)) {
                (Val::Known(n), Some(Val::Known(p))) if forward => {
                    self.found(self.index.objects_of(n, p), out)
                }
                (Val::Known(n), Some(Val::Known(p))) => self.found(self.index.subjects_of(p, n), out),
                _ => Ok(Flow::More),
            },
            Route::Inverse(inner) => self.from(inner, node, !forward, out),
            Route::Sequence(a, b) => {
                let (first, second) = if forward { (a, b) } else { (b, a) };
                self.from(first, node, forward, &mut |middle| self.from(second, middle, forward, out))
            }
            Route::Alternative(a, b) => match self.from(a, node, forward, out)? {
                Flow::More => self.from(b, node, forward, out),
                Flow::Enough => Ok(Flow::Enough),
            },
            Route::ZeroOrMore(inner) => self.closure(inner, vec![node], forward, out),
            Route::OneOrMore(inner) => {
                let mut held = self.budget.hold();
                let mut first = Vec::new();
                self.from(inner, node, forward, &mut |found| {
                    held.more(NODE_BYTES)?;
                    first.push(found);
                    Ok(Flow::More)
                })?;
                self.closure(inner, first, forward, out)
            }
            Route::ZeroOrOne(inner) => {
                let mut held = self.budget.hold();
                let mut seen = BTreeSet::from([node]);
                if out(node)? == Flow::Enough {
                    return Ok(Flow::Enough);
                }
                self.from(inner, node, forward, &mut |found| {
                    if !seen.insert(found) {
                        return Ok(Flow::More);
                    }
                    held.more(NODE_BYTES)?;
                    out(found)
                })
            }
            Route::NoneOf(predicates) => {
                let Val::Known(n) = node else { return Ok(Flow::More) };
                let excluded: Vec<Option<Val>> = predicates.iter().map(|p| self.constant(*p)).collect();
                let allowed = |p: Id| !excluded.contains(&Some(Val::Known(p)));
                if forward {
                    let all = self.index.outgoing(n);
                    self.found_by(all, allowed, out)
                } else {
                    let all = self.index.incoming(n).map(|(s, p)| (p, s));
                    self.found_by(all, allowed, out)
                }
            }
        }
    }

    fn found(&self, ids: impl Iterator<Item = Id>, out: Nodes<'_>) -> Step {
        self.found_by(ids.map(|id| (id, id)), |_| true, out)
    }

    fn found_by(
        &self,
        ids: impl Iterator<Item = (Id, Id)>,
        allowed: impl Fn(Id) -> bool,
        out: Nodes<'_>,
    ) -> Step {
        for (predicate, id) in ids {
            self.budget.step(1)?;
            if allowed(predicate) && out(Val::Known(id))? == Flow::Enough {
                return Ok(Flow::Enough);
            }
        }
        Ok(Flow::More)
    }

    /// What can be reached from nodes by any number of steps, each node once.
    fn closure(&self, route: &Route, mut todo: Vec<Val>, forward: bool, out: Nodes<'_>) -> Step {
        let mut held = self.budget.hold();
        let mut seen: BTreeSet<Val> = BTreeSet::new();
        todo.retain(|node| seen.insert(*node));
        held.more(todo.len() * NODE_BYTES)?;
        while let Some(node) = todo.pop() {
            if out(node)? == Flow::Enough {
                return Ok(Flow::Enough);
            }
            self.from(route, node, forward, &mut |found| -> Result<Flow, OntologyError> {
                if seen.insert(found) {
                    held.more(NODE_BYTES)?;
                    todo.push(found);
                }
                Ok(Flow::More)
            })?;
        }
        Ok(Flow::More)
    }
}
