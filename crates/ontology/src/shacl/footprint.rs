//! What validating a focus node may read, worked out from the shapes alone (`docs/shacl.md`, "After a change").

use std::collections::{BTreeMap, BTreeSet};

use super::follow::Way;
use super::shape::{Constraint, Path, ShapeNo, ShapeTable, Target, TermNo};

/// Largest footprint of one shape, in parts of the paths that lead to what is read, when each is counted as often as it is
/// written down. A larger one is not worked out.
pub const FOOTPRINT_MAX: usize = 20_000;
/// Largest footprint of all shapes of one graph, counted so.
pub const FOOTPRINTS_MAX: usize = 1_000_000;

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
    /// Shapes that may read anything, and those whose footprint is not worked out.
    unbounded: BTreeSet<ShapeNo>,
}

impl Footprints {
    pub(super) fn of(table: &ShapeTable) -> Self {
        let mut footprints = Self::default();
        let mut left = FOOTPRINTS_MAX;
        for (root, shape) in table.roots() {
            let most = left.min(FOOTPRINT_MAX);
            let mut walk = Walk { table, root, footprints: &mut footprints, left: Some(most) };
            for target in &shape.targets {
                walk.target(*target);
            }
            walk.shape(root, &[]);
            let kept = walk.left;
            if kept.is_none() {
                footprints.unbounded.insert(root);
            }
            left -= most - kept.unwrap_or(0);
        }
        footprints
    }

    /// Shapes whose results may rest on any triple, as far as is known.
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

    /// Shapes with readers of this predicate that only ask whether something is below some class.
    pub(super) fn of_classes(&self, predicate: TermNo) -> impl Iterator<Item = ShapeNo> {
        let readers = self.by_class.iter().filter(move |((of, _), _)| *of == predicate);
        readers.flat_map(|(_, readers)| readers).map(|reader| reader.root)
    }
}

struct Walk<'a> {
    table: &'a ShapeTable,
    root: ShapeNo,
    footprints: &'a mut Footprints,
    /// How large the footprint may still become; `None` once it would be larger.
    left: Option<usize>,
}

impl Walk<'_> {
    /// A copy of the path, as long as the footprint stays within bounds.
    fn copy(&mut self, path: &[Path]) -> Option<Vec<Path>> {
        let left = self.left?;
        self.left = left.checked_sub(1 + path.iter().map(Path::parts).sum::<usize>());
        self.left.map(|_| path.to_vec())
    }

    fn reader(&mut self, way: Way, path: &[Path]) -> Option<Reader> {
        Some(Reader { root: self.root, way, path: self.copy(path)? })
    }

    fn reads(&mut self, predicate: TermNo, way: Way, path: &[Path]) {
        if let Some(reader) = self.reader(way, path) {
            self.footprints.by_predicate.entry(predicate).or_default().insert(reader);
        }
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
        let Some(of_types) = self.reader(Way::Forwards, path) else { return };
        let Some(mut of_classes) = self.reader(Way::Forwards, path) else { return };
        of_classes.path.extend([Path::Predicate(is_a), Path::ZeroOrMore(Box::new(Path::Predicate(below)))]);
        self.footprints.by_class.entry((is_a, class)).or_default().insert(of_types);
        self.footprints.by_class.entry((below, class)).or_default().insert(of_classes);
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
                let Some(mut from) = self.copy(from) else { return };
                let mut part = |walk: &mut Self, part: &Path| {
                    walk.path(part, way, &from);
                    if walk.left.is_some() {
                        from.push(turned(part));
                    }
                };
                match way {
                    Way::Forwards => parts.iter().for_each(|each| part(self, each)),
                    Way::Backwards => parts.iter().rev().for_each(|each| part(self, each)),
                }
            }
            Path::Alternative(parts) => parts.iter().for_each(|part| self.path(part, way, from)),
            Path::ZeroOrOne(inner) => self.path(inner, way, from),
            Path::ZeroOrMore(inner) | Path::OneOrMore(inner) => {
                let Some(mut repeated) = self.copy(from) else { return };
                repeated.push(Path::ZeroOrMore(Box::new(turned(inner))));
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
        let Some(mut values) = self.copy(at) else { return };
        if let Some(path) = &shape.path {
            self.path(path, Way::Forwards, at);
            let Some(own) = self.copy(std::slice::from_ref(path)) else { return };
            values.extend(own);
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
                    self.footprints.of_any.extend(reader);
                }
                Constraint::Sparql(_) => {
                    self.footprints.unbounded.insert(self.root);
                }
                _ => constraint.shapes().into_iter().for_each(|inner| self.shape(inner, &values)),
            }
        }
    }
}
