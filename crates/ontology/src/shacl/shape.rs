//! Shapes as they are evaluated: admitted, checked and numbered. `docs/shacl.md` says which terms of SHACL they cover.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::iri::Iri;
use crate::shacl::pattern::Pattern;
use crate::sparql::constraint::SparqlConstraint;
use crate::triple::{Literal, Term};

/// A term of the shapes graph, by position in the table of the compiled shapes. What it is numbered in the data is
/// found when it is first asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TermNo(pub(crate) u32);

/// A shape, by position among the compiled shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShapeNo(pub(crate) u32);

/// One shape. Node shapes have no path.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Its node in the shapes graph.
    pub name: Iri,
    /// Where a property shape's value nodes are; a node shape's only value node is the focus node itself.
    pub path: Option<Path>,
    /// What it is validated on by itself. Empty for shapes that others refer to.
    pub targets: Vec<Target>,
    /// What is asked of the value nodes, in order of the component's IRI.
    pub constraints: Vec<Constraint>,
    /// `sh:severity`; `sh:Violation` when not stated.
    pub severity: Iri,
    /// `sh:message`, in order of text.
    pub messages: Vec<Literal>,
    /// `sh:deactivated`: nothing is asked.
    pub deactivated: bool,
}

/// A property path (SHACL §2.3.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Path {
    /// One predicate, from subject to object.
    Predicate(TermNo),
    /// A path backwards.
    Inverse(Box<Path>),
    /// One after another; at least two.
    Sequence(Vec<Path>),
    /// One or another; at least one.
    Alternative(Vec<Path>),
    /// Any number of times, also none.
    ZeroOrMore(Box<Path>),
    /// Once or more.
    OneOrMore(Box<Path>),
    /// Once or not at all.
    ZeroOrOne(Box<Path>),
}

impl Path {
    /// How many predicates and operators it has.
    pub(super) fn parts(&self) -> usize {
        match self {
            Self::Predicate(_) => 1,
            Self::Inverse(inner)
            | Self::ZeroOrMore(inner)
            | Self::OneOrMore(inner)
            | Self::ZeroOrOne(inner) => 1 + inner.parts(),
            Self::Sequence(parts) | Self::Alternative(parts) => {
                1 + parts.iter().map(Self::parts).sum::<usize>()
            }
        }
    }
}

/// What a shape is validated on (SHACL §2.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// `sh:targetNode`: the node itself, whether the data knows it or not.
    Node(TermNo),
    /// `sh:targetClass`, or a shape that is a class: its instances.
    Class(TermNo),
    /// `sh:targetSubjectsOf`.
    SubjectsOf(TermNo),
    /// `sh:targetObjectsOf`.
    ObjectsOf(TermNo),
}

/// `sh:nodeKind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeKind {
    /// Whether IRIs are allowed.
    pub iri: bool,
    /// Whether blank nodes are: skolem IRIs here, as Σ holds no others.
    pub blank: bool,
    /// Whether literals are.
    pub literal: bool,
}

/// One constraint, named as its component (SHACL §4).
#[derive(Clone, Debug)]
pub enum Constraint {
    /// `sh:class`.
    Class(TermNo),
    /// `sh:datatype`.
    Datatype(TermNo),
    /// `sh:nodeKind`.
    NodeKind(NodeKind),
    /// `sh:minCount`.
    MinCount(u64),
    /// `sh:maxCount`.
    MaxCount(u64),
    /// `sh:minExclusive`.
    MinExclusive(Literal),
    /// `sh:minInclusive`.
    MinInclusive(Literal),
    /// `sh:maxExclusive`.
    MaxExclusive(Literal),
    /// `sh:maxInclusive`.
    MaxInclusive(Literal),
    /// `sh:minLength`, in characters.
    MinLength(u64),
    /// `sh:maxLength`, in characters.
    MaxLength(u64),
    /// `sh:pattern` with `sh:flags`.
    Pattern(Pattern),
    /// `sh:languageIn`, in lower case.
    LanguageIn(Vec<String>),
    /// `sh:uniqueLang true`.
    UniqueLang,
    /// `sh:equals`.
    Equals(TermNo),
    /// `sh:disjoint`.
    Disjoint(TermNo),
    /// `sh:lessThan`.
    LessThan(TermNo),
    /// `sh:lessThanOrEquals`.
    LessThanOrEquals(TermNo),
    /// `sh:not`.
    Not(ShapeNo),
    /// `sh:and`.
    And(Vec<ShapeNo>),
    /// `sh:or`.
    Or(Vec<ShapeNo>),
    /// `sh:xone`.
    Xone(Vec<ShapeNo>),
    /// `sh:node`.
    Node(ShapeNo),
    /// `sh:property`.
    Property(ShapeNo),
    /// `sh:qualifiedValueShape` with its counts.
    Qualified {
        /// The shape counted.
        shape: ShapeNo,
        /// `sh:qualifiedMinCount`.
        min: Option<u64>,
        /// `sh:qualifiedMaxCount`.
        max: Option<u64>,
        /// The sibling shapes that a counted value must not conform to: empty unless
        /// `sh:qualifiedValueShapesDisjoint true`.
        siblings: Vec<ShapeNo>,
    },
    /// `sh:closed true`.
    Closed {
        /// The predicates allowed: the shape's own paths and `sh:ignoredProperties`.
        allowed: Vec<TermNo>,
    },
    /// `sh:hasValue`.
    HasValue(TermNo),
    /// `sh:in`, in order of text.
    In(Vec<TermNo>),
    /// `sh:sparql`.
    Sparql(Arc<SparqlConstraint>),
}

/// Shapes that were found fit for evaluation, numbered. Every reference between them is to an earlier or later number
/// of the same table, and no shape contains itself.
#[derive(Clone, Debug, Default)]
pub struct ShapeTable {
    /// Terms, each once; the first two are those of [`ShapeTable::RDF_TYPE`] and [`ShapeTable::RDFS_SUB_CLASS_OF`].
    pub(crate) terms: Vec<Term>,
    pub(crate) numbers: BTreeMap<Term, TermNo>,
    /// Shapes in order of their name.
    pub(crate) shapes: Vec<Shape>,
}

impl ShapeTable {
    /// `rdf:type`.
    pub(crate) const RDF_TYPE: TermNo = TermNo(0);
    /// `rdfs:subClassOf`.
    pub(crate) const RDFS_SUB_CLASS_OF: TermNo = TermNo(1);

    /// The number of a term; `None` when the shapes do not name it.
    pub(crate) fn number(&self, term: &Term) -> Option<TermNo> {
        self.numbers.get(term).copied()
    }

    /// The term of a number of this table.
    pub fn term(&self, no: TermNo) -> Option<&Term> {
        self.terms.get(usize::try_from(no.0).ok()?)
    }

    /// The shape of a number of this table.
    pub fn shape(&self, no: ShapeNo) -> Option<&Shape> {
        self.shapes.get(usize::try_from(no.0).ok()?)
    }

    /// The shapes that have targets, with their numbers.
    pub fn roots(&self) -> impl Iterator<Item = (ShapeNo, &Shape)> {
        (0..).map(ShapeNo).zip(&self.shapes).filter(|(_, shape)| !shape.targets.is_empty())
    }
}
