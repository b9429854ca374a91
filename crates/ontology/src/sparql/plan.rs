//! A query as it is evaluated: variables and constants by number, and what may be joined how decided beforehand.

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
