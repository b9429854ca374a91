//! Evaluation of a plan: rows are pushed from node to node, every one of them counted.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::error::OntologyError;
use crate::index::{Id, Index};
use crate::sparql::budget::{Budget, Held};
use crate::sparql::joins::Kept;
use crate::sparql::order::Key;
use crate::sparql::plan::{Node, Plan, Pos, Slot};
use crate::sparql::regexes::Compiled;
use crate::triple::Term;

/// A term while a query runs: numbered by the index, or one that no triple ever had. Equal terms have equal values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Val {
    Known(Id),
    Made(usize),
}

/// What each variable is bound to.
pub(crate) type Row = Vec<Option<Val>>;

/// Whether more rows are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    More,
    Enough,
}

pub(crate) type Step = Result<Flow, OntologyError>;
pub(crate) type Sink<'o> = &'o mut dyn FnMut(&mut Row) -> Step;

#[derive(Default)]
struct Made {
    terms: Vec<Term>,
    numbers: BTreeMap<Term, usize>,
}

/// One evaluation of one plan.
pub(crate) struct Run<'r, 's, I: Index> {
    pub(crate) index: &'r I,
    pub(crate) budget: &'r Budget<'s>,
    plan: &'r Plan,
    constants: Vec<Val>,
    made: RefCell<Made>,
    texts: RefCell<Held<'r, 's>>,
    pub(super) regexes: Compiled,
}

/// What a value in a row, a set or a map is counted as, in bytes.
pub(super) const VALUE_BYTES: usize = 24;

impl<'r, 's, I: Index> Run<'r, 's, I> {
    pub(crate) fn new(index: &'r I, plan: &'r Plan, budget: &'r Budget<'s>) -> Result<Self, OntologyError> {
        let mut run = Self {
            index,
            budget,
            plan,
            constants: Vec::new(),
            made: RefCell::default(),
            texts: RefCell::new(budget.hold()),
            regexes: Compiled::default(),
        };
        run.constants = plan.constants.iter().map(|term| run.value(term)).collect::<Result<_, _>>()?;
        Ok(run)
    }

    /// A row without bindings.
    pub(crate) fn blank(&self) -> Row {
        vec![None; self.plan.width]
    }

    pub(crate) fn constant(&self, at: usize) -> Option<Val> {
        self.constants.get(at).copied()
    }

    /// The value of a term.
    pub(crate) fn value(&self, term: &Term) -> Result<Val, OntologyError> {
        if let Some(id) = self.index.id_of(term) {
            return Ok(Val::Known(id));
        }
        let mut made = self.made.borrow_mut();
        if let Some(&at) = made.numbers.get(term) {
            return Ok(Val::Made(at));
        }
        let bytes = match term {
            Term::Iri(iri) => iri.as_str().len(),
            Term::Literal(literal) => literal.value().len() + literal.datatype().as_str().len(),
        };
        self.texts.borrow_mut().more(bytes + 6 * VALUE_BYTES)?;
        let at = made.terms.len();
        made.terms.push(term.clone());
        made.numbers.insert(term.clone(), at);
        Ok(Val::Made(at))
    }

    /// The term of a value.
    pub(crate) fn term(&self, value: Val) -> Option<Term> {
        match value {
            Val::Known(id) => self.index.term(id).cloned(),
            Val::Made(at) => self.made.borrow().terms.get(at).cloned(),
        }
    }

    pub(crate) fn terms(&self, row: &[Option<Val>]) -> Vec<Option<Term>> {
        row.iter().map(|value| value.and_then(|value| self.term(value))).collect()
    }

    pub(crate) fn at(&self, pos: Pos, row: &Row) -> Option<Val> {
        match pos {
            Pos::Slot(slot) => row.get(slot).copied().flatten(),
            Pos::Const(at) => self.constant(at),
        }
    }

    /// Pushes every row of `node` on top of `row` to `out`. What is evaluated apart from `row` starts at `base`.
    pub(crate) fn node(&self, node: &Node, base: &Row, row: &mut Row, out: Sink<'_>) -> Step {
        self.budget.step(1)?;
        match node {
            Node::Triples(all) => {
                let mut left: Vec<[Pos; 3]> = all.clone();
                self.triples(&mut left, row, out)
            }
            Node::Path { subject, route, object } => self.path(*subject, route, *object, base, row, out),
            Node::Join(sides) => {
                let kept: Vec<RefCell<Option<Kept<'_, 's>>>> =
                    sides.iter().map(|_| RefCell::default()).collect();
                self.join(sides, &kept, base, row, out)
            }
            Node::LeftJoin { left, right, on } => {
                let (kept_left, kept_right) = (RefCell::default(), RefCell::default());
                self.side(left, &kept_left, base, row, &mut |row| {
                    let mut alone = true;
                    let flow = self.side(right, &kept_right, base, row, &mut |row| {
                        if let Some(on) = on
                            && !self.holds(on, row)?
                        {
                            return Ok(Flow::More);
                        }
                        alone = false;
                        out(row)
                    })?;
                    if alone { out(row) } else { Ok(flow) }
                })
            }
            Node::Filter { inner, on } => self.node(inner, base, row, &mut |row| {
                if self.holds(on, row)? { out(row) } else { Ok(Flow::More) }
            }),
            Node::Union(all) => {
                for node in all {
                    if self.node(node, base, row, out)? == Flow::Enough {
                        return Ok(Flow::Enough);
                    }
                }
                Ok(Flow::More)
            }
            Node::Extend { inner, slot, value } => self.node(inner, base, row, &mut |row| {
                let found = self.evaluate(value, row)?;
                self.with(row, &[(*slot, found)], out)
            }),
            Node::Minus { left, right } => self.minus(left, right, base, row, out),
            Node::Table { slots, rows } => {
                for table_row in rows {
                    self.budget.step(1)?;
                    let bound: Vec<(Slot, Option<Val>)> = slots
                        .iter()
                        .zip(table_row)
                        .map(|(slot, at)| (*slot, at.and_then(|at| self.constant(at))))
                        .collect();
                    if self.with(row, &bound, out)? == Flow::Enough {
                        return Ok(Flow::Enough);
                    }
                }
                Ok(Flow::More)
            }
            Node::Order { inner, by } => {
                let mut held = self.budget.hold();
                let mut rows: Vec<(Vec<Key>, Row)> = Vec::new();
                self.node(inner, base, row, &mut |row| {
                    let mut keys = Vec::with_capacity(by.len());
                    for (expr, descending) in by {
                        let term = self.evaluate(expr, row)?.and_then(|value| self.term(value));
                        let key = Key::new(term, *descending);
                        held.more(Key::BYTES)?;
                        keys.push(key);
                    }
                    held.more((row.len() + 2) * VALUE_BYTES)?;
                    rows.push((keys, row.clone()));
                    Ok(Flow::More)
                })?;
                self.sort_steps(rows.len())?;
                rows.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| self.terms(&a.1).cmp(&self.terms(&b.1))));
                self.each(rows.into_iter().map(|(_, row)| row), out)
            }
            Node::Project { inner, links } => self.project(inner, links, base, row, out),
            Node::Distinct(inner) => {
                let mut held = self.budget.hold();
                let mut seen: BTreeSet<Row> = BTreeSet::new();
                self.node(inner, base, row, &mut |row| {
                    if seen.contains(row) {
                        return Ok(Flow::More);
                    }
                    held.more((row.len() + 2) * VALUE_BYTES)?;
                    seen.insert(row.clone());
                    out(row)
                })
            }
            Node::Slice { inner, start, length, ordered } => {
                let (mut at, end) = (0_usize, length.map(|length| start.saturating_add(length)));
                let mut within = |row: &mut Row, out: Sink<'_>| {
                    if end.is_some_and(|end| at >= end) {
                        return Ok(Flow::Enough);
                    }
                    at += 1;
                    let flow = if at > *start { out(row)? } else { Flow::More };
                    Ok(if end.is_some_and(|end| at >= end) { Flow::Enough } else { flow })
                };
                // That the slice is full says nothing of what the caller wants.
                let mut enough = Flow::More;
                let mut caller = |row: &mut Row| {
                    enough = out(row)?;
                    Ok(enough)
                };
                if *ordered {
                    self.node(inner, base, row, &mut |row| within(row, &mut caller))?;
                } else {
                    let kept = self.keep(inner, &[], base, row)?;
                    let rows = self.by_text(kept.rows)?;
                    self.each(rows, &mut |row| within(row, &mut caller))?;
                }
                Ok(enough)
            }
            Node::Group { inner, keys, sums } => self.group(inner, keys, sums, base, row, out),
        }
    }

    fn each(&self, rows: impl IntoIterator<Item = Row>, out: Sink<'_>) -> Step {
        for mut row in rows {
            self.budget.step(1)?;
            if out(&mut row)? == Flow::Enough {
                return Ok(Flow::Enough);
            }
        }
        Ok(Flow::More)
    }

    fn sort_steps(&self, rows: usize) -> Result<(), OntologyError> {
        let rows = u64::try_from(rows).unwrap_or(u64::MAX);
        self.budget.step(rows.saturating_mul(u64::from(rows.checked_ilog2().unwrap_or(0))))
    }

    /// Rows in order of the text of their terms.
    pub(crate) fn by_text(&self, rows: Vec<Row>) -> Result<Vec<Row>, OntologyError> {
        self.sort_steps(rows.len())?;
        let mut rows: Vec<(Vec<Option<Term>>, Row)> =
            rows.into_iter().map(|row| (self.terms(&row), row)).collect();
        rows.sort();
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    /// Binds what is not bound yet, if nothing contradicts, and takes it back afterwards.
    pub(crate) fn with(&self, row: &mut Row, bound: &[(Slot, Option<Val>)], out: Sink<'_>) -> Step {
        self.budget.step(1)?;
        let mut set: Vec<Slot> = Vec::new();
        let mut fits = true;
        for &(slot, value) in bound {
            let (Some(place), Some(value)) = (row.get_mut(slot), value) else { continue };
            match place {
                None => {
                    *place = Some(value);
                    set.push(slot);
                }
                Some(there) if *there == value => {}
                Some(_) => {
                    fits = false;
                    break;
                }
            }
        }
        let flow = if fits { out(row) } else { Ok(Flow::More) };
        for slot in set {
            row[slot] = None;
        }
        flow
    }

    fn triples(&self, left: &mut Vec<[Pos; 3]>, row: &mut Row, out: Sink<'_>) -> Step {
        self.budget.step(1)?;
        // The pattern with the fewest triples to read, as far as its bound positions tell.
        let cost = |pattern: &[Pos; 3]| match pattern.map(|pos| self.at(pos, row).is_some()) {
            [true, true, true] => 0,
            [true, true, false] | [true, false, true] => 1,
            [false, true, true] => 2,
            [true, false, false] => 3,
            [false, false, true] => 4,
            [false, true, false] => 5,
            [false, false, false] => 6,
        };
        let Some(best) = (0..left.len()).min_by_key(|at| (cost(&left[*at]), *at)) else { return out(row) };
        let pattern = left.remove(best);
        let flow = self.triple(pattern, row, &mut |row| self.triples(left, row, out));
        left.insert(best, pattern);
        flow
    }

    /// Every triple that agrees with a pattern.
    fn triple(&self, pattern: [Pos; 3], row: &mut Row, out: Sink<'_>) -> Step {
        let mut ids = [None; 3];
        for (id, pos) in ids.iter_mut().zip(pattern) {
            match self.at(pos, row) {
                Some(Val::Known(known)) => *id = Some(known),
                Some(Val::Made(_)) => return Ok(Flow::More),
                None => {}
            }
        }
        let mut found = |[s, p, o]: [Id; 3]| {
            let mut bound = [(0, None); 3];
            for ((place, pos), id) in bound.iter_mut().zip(pattern).zip([s, p, o]) {
                if let Pos::Slot(slot) = pos {
                    *place = (slot, Some(Val::Known(id)));
                }
            }
            self.with(row, &bound, out)
        };
        let index = self.index;
        match ids {
            [Some(s), Some(p), Some(o)] => {
                self.budget.step(1)?;
                if index.has(s, p, o) { found([s, p, o]) } else { Ok(Flow::More) }
            }
            [Some(s), Some(p), None] => self.read(index.objects_of(s, p).map(|o| [s, p, o]), found),
            [None, Some(p), Some(o)] => self.read(index.subjects_of(p, o).map(|s| [s, p, o]), found),
            [Some(s), None, None] => self.read(index.outgoing(s).map(|(p, o)| [s, p, o]), found),
            [Some(s), None, Some(o)] => self.read(index.outgoing(s).map(|(p, o)| [s, p, o]), |triple| {
                if triple[2] == o { found(triple) } else { Ok(Flow::More) }
            }),
            [None, None, Some(o)] => self.read(index.incoming(o).map(|(s, p)| [s, p, o]), found),
            [None, Some(p), None] => self.read(index.with_predicate(p).map(|(s, o)| [s, p, o]), found),
            [None, None, None] => self.read(index.all(), found),
        }
    }

    fn read(&self, triples: impl Iterator<Item = [Id; 3]>, mut found: impl FnMut([Id; 3]) -> Step) -> Step {
        for triple in triples {
            self.budget.step(1)?;
            if found(triple)? == Flow::Enough {
                return Ok(Flow::Enough);
            }
        }
        Ok(Flow::More)
    }
}
