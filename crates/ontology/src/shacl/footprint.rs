//! What validating a focus node may read, worked out from the shapes alone (`docs/shacl.md`, "After a change").

use std::collections::{BTreeMap, BTreeSet};

use super::follow::Way;
use super::shape::{Constraint, Path, ShapeNo, ShapeTable, Target, TermNo};

/// Where a kind of triple is read: from its origin, the path leads backwards to the focus nodes of the shape.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reader {
    /// The shape with targets.
    pub root: ShapeNo,
    /// [`Way::Forwards`]: the origin is the triple's subject; backwards: its object.
    pub way: Way,
    /// From the focus node to the origin; empty: the origin is the focus node.
    pub path: Vec<Path>,
}

/// Every reader of every shape with targets, by the triples that it reads.
#[derive(Clone, Debug, Default)]
pub(super) struct Footprints {
    by_predicate: BTreeMap<TermNo, BTreeSet<Reader>>,
    /// Readers of `rdf:type` and `rdfs:subClassOf` that only ask whether something is below this class.
    by_class: BTreeMap<(TermNo, TermNo), BTreeSet<Reader>>,
    /// Readers of every predicate.
    of_any: BTreeSet<Reader>,
    /// Shapes that may read anything.
    unbounded: BTreeSet<ShapeNo>,
}

impl Footprints {
    pub(super) fn of(table: &ShapeTable) -> Self {
        let mut footprints = Self::default();
        for (root, shape) in table.roots() {
            let mut walk = Walk { table, root, footprints: &mut footprints };
            for target in &shape.targets {
                walk.target(*target);
            }
            walk.shape(root, &[]);
        }
        footprints
    }

    /// Shapes whose results may rest on any triple.
    pub(super) fn unbounded(&self) -> &BTreeSet<ShapeNo> {
        &self.unbounded
    }

    /// Readers of any triple with this predicate.
    pub(super) fn of_predicate(&self, predicate: Option<TermNo>) -> impl Iterator<Item = &Reader> {
        predicate.and_then(|no| self.by_predicate.get(&no)).into_iter().flatten().chain(&self.of_any)
    }

    /// Readers of a triple with this predicate whose object is the class or below it.
    pub(super) fn of_class(&self, predicate: TermNo, class: TermNo) -> impl Iterator<Item = &Reader> {
        self.by_class.get(&(predicate, class)).into_iter().flatten()
    }
}

struct Walk<'a> {
    table: &'a ShapeTable,
    root: ShapeNo,
    footprints: &'a mut Footprints,
}

impl Walk<'_> {
    fn reader(&self, way: Way, path: &[Path]) -> Reader {
        Reader { root: self.root, way, path: path.to_vec() }
    }

    fn reads(&mut self, predicate: TermNo, way: Way, path: &[Path]) {
        let reader = self.reader(way, path);
        self.footprints.by_predicate.entry(predicate).or_default().insert(reader);
    }

    fn target(&mut self, target: Target) {
        match target {
            // Always a focus node.
            Target::Node(_) => {}
            Target::Class(class) => self.instance(class, &[]),
            Target::SubjectsOf(predicate) => self.reads(predicate, Way::Forwards, &[]),
            Target::ObjectsOf(predicate) => self.reads(predicate, Way::Backwards, &[]),
        }
    }

    /// Whether the node at `path` is an instance of the class.
    fn instance(&mut self, class: TermNo, path: &[Path]) {
        let (is_a, below) = (ShapeTable::RDF_TYPE, ShapeTable::RDFS_SUB_CLASS_OF);
        let reader = self.reader(Way::Forwards, path);
        self.footprints.by_class.entry((is_a, class)).or_default().insert(reader);
        let above = [Path::Predicate(is_a), Path::ZeroOrMore(Box::new(Path::Predicate(below)))];
        let reader = self.reader(Way::Forwards, &[path, &above].concat());
        self.footprints.by_class.entry((below, class)).or_default().insert(reader);
    }

    /// What a path reads, followed from the node at `from`.
    fn path(&mut self, path: &Path, way: Way, from: &[Path]) {
        let turned = |path: &Path| match way {
            Way::Forwards => path.clone(),
            Way::Backwards => Path::Inverse(Box::new(path.clone())),
        };
        match path {
            Path::Predicate(predicate) => self.reads(*predicate, way, from),
            Path::Inverse(inner) => self.path(inner, way.turned(), from),
            Path::Sequence(parts) => {
                let mut from = from.to_vec();
                let mut part = |walk: &mut Self, part: &Path| {
                    walk.path(part, way, &from);
                    from.push(turned(part));
                };
                match way {
                    Way::Forwards => parts.iter().for_each(|each| part(self, each)),
                    Way::Backwards => parts.iter().rev().for_each(|each| part(self, each)),
                }
            }
            Path::Alternative(parts) => parts.iter().for_each(|part| self.path(part, way, from)),
            Path::ZeroOrOne(inner) => self.path(inner, way, from),
            Path::ZeroOrMore(inner) | Path::OneOrMore(inner) => {
                let repeated = [from, &[Path::ZeroOrMore(Box::new(turned(inner)))]].concat();
                self.path(inner, way, &repeated);
            }
        }
    }

    /// What the shape reads at the node at `at`.
    fn shape(&mut self, no: ShapeNo, at: &[Path]) {
        let Some(shape) = self.table.shape(no) else { return };
        if shape.deactivated {
            return;
        }
        let mut values = at.to_vec();
        if let Some(path) = &shape.path {
            self.path(path, Way::Forwards, at);
            values.push(path.clone());
        }
        for constraint in &shape.constraints {
            match constraint {
                Constraint::Class(class) => self.instance(*class, &values),
                Constraint::Equals(predicate)
                | Constraint::Disjoint(predicate)
                | Constraint::LessThan(predicate)
                | Constraint::LessThanOrEquals(predicate) => self.reads(*predicate, Way::Forwards, at),
                Constraint::Closed { .. } => {
                    let reader = self.reader(Way::Forwards, &values);
                    self.footprints.of_any.insert(reader);
                }
                Constraint::Sparql(_) => {
                    self.footprints.unbounded.insert(self.root);
                }
                _ => constraint.shapes().into_iter().for_each(|inner| self.shape(inner, &values)),
            }
        }
    }
}
