//! A query as it is evaluated: variables and constants by number, and what may be joined how decided beforehand.

use std::collections::BTreeSet;

use spargebra::algebra::Function;

use crate::triple::Term;

/// The place of a variable in a row.
pub(crate) type Slot = usize;

/// A position of a triple pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pos {
    Slot(Slot),
    /// By position among the plan's constants.
    Const(usize),
}

#[derive(Clone, Debug)]
pub(crate) enum Route {
    Predicate(usize),
    Inverse(Box<Route>),
    Sequence(Box<Route>, Box<Route>),
    Alternative(Box<Route>, Box<Route>),
    ZeroOrMore(Box<Route>),
    OneOrMore(Box<Route>),
    ZeroOrOne(Box<Route>),
    NoneOf(Vec<usize>),
}

impl Route {
    /// Whether it may lead nowhere: a node to itself.
    pub(crate) fn may_be_empty(&self) -> bool {
        match self {
            Self::Predicate(_) | Self::NoneOf(_) => false,
            Self::Inverse(inner) | Self::OneOrMore(inner) => inner.may_be_empty(),
            Self::Sequence(a, b) => a.may_be_empty() && b.may_be_empty(),
            Self::Alternative(a, b) => a.may_be_empty() || b.may_be_empty(),
            Self::ZeroOrMore(_) | Self::ZeroOrOne(_) => true,
        }
    }
}

/// One side of a join. With `inward`, it is evaluated for each row of what comes before it, else once and then joined.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    pub(crate) node: Node,
    pub(crate) inward: bool,
    /// The slots that both sides surely bind.
    pub(crate) keys: Vec<Slot>,
    /// The slots that it may bind.
    pub(crate) slots: Vec<Slot>,
}

#[derive(Clone, Debug)]
pub(crate) enum Node {
    Triples(Vec<[Pos; 3]>),
    Path {
        subject: Pos,
        route: Route,
        object: Pos,
    },
    Join(Vec<Side>),
    LeftJoin {
        left: Box<Side>,
        right: Box<Side>,
        on: Option<Expr>,
    },
    Filter {
        inner: Box<Node>,
        on: Expr,
    },
    Union(Vec<Node>),
    Extend {
        inner: Box<Node>,
        slot: Slot,
        value: Expr,
    },
    Minus {
        left: Box<Node>,
        right: Box<Side>,
    },
    Table {
        slots: Vec<Slot>,
        rows: Vec<Vec<Option<usize>>>,
    },
    Order {
        inner: Box<Node>,
        by: Vec<(Expr, bool)>,
    },
    /// Pairs of the slot inside and the slot outside.
    Project {
        inner: Box<Node>,
        links: Vec<(Slot, Slot)>,
    },
    Distinct(Box<Node>),
    Slice {
        inner: Box<Node>,
        start: usize,
        length: Option<usize>,
        ordered: bool,
    },
    Group {
        inner: Box<Node>,
        keys: Vec<Slot>,
        sums: Vec<(Slot, Sum)>,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Sum {
    pub(crate) kind: SumKind,
    pub(crate) distinct: bool,
    /// Nothing for `COUNT(*)`.
    pub(crate) of: Option<Expr>,
}

#[derive(Clone, Debug)]
pub(crate) enum SumKind {
    Count,
    Sum,
    Average,
    Least,
    Greatest,
    Joined(String),
    Sample,
}

#[derive(Clone, Debug)]
pub(crate) enum Expr {
    Const(usize),
    Slot(Slot),
    Bound(Slot),
    Or(Vec<Expr>),
    And(Vec<Expr>),
    Not(Box<Expr>),
    SameTerm(Box<Expr>, Box<Expr>),
    In(Box<Expr>, Vec<Expr>),
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    Coalesce(Vec<Expr>),
    Exists(Box<Node>),
    Call(Box<Call>),
}

/// An operator that is applied to terms alone.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) operator: Operator,
    pub(crate) args: Vec<Expr>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Plus,
    Minus,
    Function(Function),
}

/// A whole pattern with its tables.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) node: Node,
    pub(crate) constants: Vec<Term>,
    /// How many slots a row has.
    pub(crate) width: usize,
}

type Slots = BTreeSet<Slot>;

impl Expr {
    /// The slots that it looks at, those of patterns inside with them.
    pub(crate) fn slots(&self, into: &mut Slots) {
        match self {
            Self::Const(_) => {}
            Self::Slot(slot) | Self::Bound(slot) => {
                into.insert(*slot);
            }
            Self::Or(all) | Self::And(all) | Self::Coalesce(all) => all.iter().for_each(|e| e.slots(into)),
            Self::Not(inner) => inner.slots(into),
            Self::SameTerm(a, b) => {
                a.slots(into);
                b.slots(into);
            }
            Self::In(one, all) => {
                one.slots(into);
                all.iter().for_each(|e| e.slots(into));
            }
            Self::If(a, b, c) => [a, b, c].into_iter().for_each(|e| e.slots(into)),
            Self::Exists(node) => node.mentioned(into),
            Self::Call(call) => call.args.iter().for_each(|e| e.slots(into)),
        }
    }

    fn mark(&mut self) {
        match self {
            Self::Const(_) | Self::Slot(_) | Self::Bound(_) => {}
            Self::Or(all) | Self::And(all) | Self::Coalesce(all) => all.iter_mut().for_each(Self::mark),
            Self::Not(inner) => inner.mark(),
            Self::SameTerm(a, b) => {
                a.mark();
                b.mark();
            }
            Self::In(one, all) => {
                one.mark();
                all.iter_mut().for_each(Self::mark);
            }
            Self::If(a, b, c) => [a, b, c].into_iter().for_each(|e| e.mark()),
            Self::Exists(node) => node.mark(&Slots::new()),
            Self::Call(call) => call.args.iter_mut().for_each(Self::mark),
        }
    }
}

impl Node {
    /// Adds every slot that the node names, those of its expressions with them.
    fn mentioned(&self, into: &mut Slots) {
        match self {
            Self::Triples(_) | Self::Path { .. } | Self::Table { .. } => self.possible(into),
            Self::Join(sides) => sides.iter().for_each(|side| side.node.mentioned(into)),
            Self::LeftJoin { left, right, on } => {
                left.node.mentioned(into);
                right.node.mentioned(into);
                on.iter().for_each(|e| e.slots(into));
            }
            Self::Filter { inner, on } => {
                inner.mentioned(into);
                on.slots(into);
            }
            Self::Union(all) => all.iter().for_each(|node| node.mentioned(into)),
            Self::Extend { inner, slot, value } => {
                inner.mentioned(into);
                into.insert(*slot);
                value.slots(into);
            }
            Self::Minus { left, right } => {
                left.mentioned(into);
                right.node.mentioned(into);
            }
            Self::Order { inner, by } => {
                inner.mentioned(into);
                by.iter().for_each(|(e, _)| e.slots(into));
            }
            Self::Project { links, .. } => into.extend(links.iter().map(|link| link.1)),
            Self::Distinct(inner) | Self::Slice { inner, .. } => inner.mentioned(into),
            Self::Group { inner, sums, .. } => {
                inner.mentioned(into);
                into.extend(sums.iter().map(|sum| sum.0));
            }
        }
    }

    /// Adds the slots that a row of the node may have.
    pub(crate) fn possible(&self, into: &mut Slots) {
        let slot = |pos: &Pos| match pos {
            Pos::Slot(slot) => Some(*slot),
            Pos::Const(_) => None,
        };
        match self {
            Self::Triples(all) => into.extend(all.iter().flatten().filter_map(slot)),
            Self::Path { subject, object, .. } => into.extend([subject, object].into_iter().filter_map(slot)),
            Self::Table { slots, .. } => into.extend(slots),
            Self::Join(sides) => sides.iter().for_each(|side| side.node.possible(into)),
            Self::LeftJoin { left, right, .. } => {
                left.node.possible(into);
                right.node.possible(into);
            }
            Self::Union(all) => all.iter().for_each(|node| node.possible(into)),
            Self::Extend { inner, slot, .. } => {
                inner.possible(into);
                into.insert(*slot);
            }
            Self::Filter { inner, .. }
            | Self::Minus { left: inner, .. }
            | Self::Order { inner, .. }
            | Self::Distinct(inner)
            | Self::Slice { inner, .. } => inner.possible(into),
            Self::Project { links, .. } => into.extend(links.iter().map(|link| link.1)),
            Self::Group { keys, sums, .. } => {
                into.extend(keys);
                into.extend(sums.iter().map(|sum| sum.0));
            }
        }
    }

    /// The slots that every row of the node has.
    pub(crate) fn certain(&self) -> Slots {
        match self {
            Self::Triples(_) | Self::Path { .. } => self.all_possible(),
            Self::Table { slots, rows } => slots
                .iter()
                .enumerate()
                .filter(|(at, _)| rows.iter().all(|row| row.get(*at).is_some_and(Option::is_some)))
                .map(|(_, slot)| *slot)
                .collect(),
            Self::Join(sides) => sides.iter().flat_map(|side| side.node.certain()).collect(),
            Self::LeftJoin { left, .. } => left.node.certain(),
            Self::Union(all) => {
                let mut all = all.iter().map(Self::certain);
                let first = all.next().unwrap_or_default();
                all.fold(first, |kept, next| kept.intersection(&next).copied().collect())
            }
            Self::Extend { inner, .. }
            | Self::Filter { inner, .. }
            | Self::Minus { left: inner, .. }
            | Self::Order { inner, .. }
            | Self::Distinct(inner)
            | Self::Slice { inner, .. } => inner.certain(),
            Self::Project { inner, links } => {
                let inside = inner.certain();
                links.iter().filter(|link| inside.contains(&link.0)).map(|link| link.1).collect()
            }
            Self::Group { inner, keys, .. } => {
                let inside = inner.certain();
                keys.iter().copied().filter(|key| inside.contains(key)).collect()
            }
        }
    }

    fn all_possible(&self) -> Slots {
        let mut slots = Slots::new();
        self.possible(&mut slots);
        slots
    }

    /// Whether evaluating it on top of a row that may bind `outer` gives what joining its own rows to it would.
    fn is_safe(&self, outer: &Slots) -> bool {
        let within = |slots: &Slots, certain: &Slots| slots.intersection(outer).all(|s| certain.contains(s));
        let of = |expr: &Expr| {
            let mut slots = Slots::new();
            expr.slots(&mut slots);
            slots
        };
        match self {
            Self::Triples(_) | Self::Path { .. } | Self::Table { .. } | Self::Join(_) => true,
            Self::LeftJoin { left, right, on } => {
                let certain = left.node.certain();
                within(&right.node.all_possible(), &certain)
                    && on.as_ref().is_none_or(|on| within(&of(on), &certain))
            }
            Self::Filter { inner, on } => inner.is_safe(outer) && within(&of(on), &inner.certain()),
            Self::Union(all) => all.iter().all(|node| node.is_safe(outer)),
            Self::Extend { inner, slot, value } => {
                inner.is_safe(outer) && !outer.contains(slot) && within(&of(value), &inner.certain())
            }
            Self::Minus { left, right } => {
                left.is_safe(outer) && within(&right.node.all_possible(), &left.certain())
            }
            Self::Order { .. }
            | Self::Project { .. }
            | Self::Distinct(_)
            | Self::Slice { .. }
            | Self::Group { .. } => outer.is_empty(),
        }
    }

    /// Decides for every side below how it is joined, when rows that come to this node may bind `outer`.
    pub(crate) fn mark(&mut self, outer: &Slots) {
        let nothing = Slots::new();
        match self {
            Self::Triples(_) | Self::Path { .. } | Self::Table { .. } => {}
            Self::Join(sides) => {
                let (mut before, mut certain) = (outer.clone(), Slots::new());
                for side in sides {
                    side.mark(&before, &certain);
                    before.extend(side.slots.iter());
                    certain.extend(side.node.certain());
                }
            }
            Self::LeftJoin { left, right, on } => {
                left.mark(outer, &nothing);
                let before = outer.iter().chain(&left.slots).copied().collect();
                right.mark(&before, &left.node.certain());
                on.iter_mut().for_each(Expr::mark);
            }
            Self::Filter { inner, on } => {
                inner.mark(outer);
                on.mark();
            }
            Self::Union(all) => all.iter_mut().for_each(|node| node.mark(outer)),
            Self::Extend { inner, value, .. } => {
                inner.mark(outer);
                value.mark();
            }
            Self::Minus { left, right } => {
                left.mark(outer);
                right.mark(&nothing, &left.certain());
                right.inward = false;
            }
            Self::Order { inner, by } => {
                inner.mark(&nothing);
                by.iter_mut().for_each(|(e, _)| e.mark());
            }
            Self::Project { inner, .. } | Self::Distinct(inner) | Self::Slice { inner, .. } => {
                inner.mark(&nothing)
            }
            Self::Group { inner, sums, .. } => {
                inner.mark(&nothing);
                sums.iter_mut().filter_map(|(_, sum)| sum.of.as_mut()).for_each(Expr::mark);
            }
        }
    }
}

impl Side {
    pub(crate) fn new(node: Node) -> Self {
        Self { node, inward: false, keys: Vec::new(), slots: Vec::new() }
    }

    fn mark(&mut self, outer: &Slots, certain: &Slots) {
        self.slots = self.node.all_possible().into_iter().collect();
        self.inward = self.node.is_safe(outer);
        self.keys = self.node.certain().intersection(certain).copied().collect();
        let nothing = Slots::new();
        self.node.mark(if self.inward { outer } else { &nothing });
    }
}
