//! Constraints on one key that no value can meet together.
//!
//! Sound, not complete. Covered, for property shapes with one predicate as path, at node shapes whose target is the class or
//! a class above it: counts, value bounds, lengths, `sh:datatype`, `sh:nodeKind`, `sh:class` beside a literal kind, and
//! `sh:in` with all of them. Not covered: paths, `sh:or`, `sh:not` and the other shapes inside shapes, patterns, languages
//! and SPARQL.

use std::collections::{BTreeMap, BTreeSet};

use knhk_ontology::decimal::Decimal;
use knhk_ontology::{Graph, Iri, Term, vocab};

use super::{CORE, Conflict, ConflictKind, Layer, Side, side};

/// Values of a list that a conflict shows.
const SHOWN: usize = 8;

/// One constraint and where it is said.
#[derive(Clone, Debug)]
struct Said<T> {
    value: T,
    side: Side,
}

/// Every constraint on the values of one key.
#[derive(Clone, Debug, Default)]
struct Constraints {
    min_count: Vec<Said<u64>>,
    max_count: Vec<Said<u64>>,
    /// Bounds; `true`: the bound itself is allowed.
    min: Vec<Said<(Decimal, bool)>>,
    max: Vec<Said<(Decimal, bool)>>,
    min_length: Vec<Said<u64>>,
    max_length: Vec<Said<u64>>,
    datatypes: Vec<Said<Iri>>,
    /// Whether an IRI, a blank node, a literal may be there.
    kinds: Vec<Said<[bool; 3]>>,
    classes: Vec<Said<Iri>>,
    lists: Vec<Said<BTreeSet<Term>>>,
}

type State<'s> = dyn FnMut(&Side, &Side, String) + 's;

impl Constraints {
    /// What cannot hold together.
    fn contradictions(&self, term: &str) -> Vec<Conflict> {
        let mut found = Vec::new();
        let mut state = |one: &Side, other: &Side, proposal: String| {
            found.push(Conflict {
                term: term.to_owned(),
                kind: ConflictKind::Contradiction,
                stands: one.clone(),
                comes: other.clone(),
                proposal,
            });
        };
        self.numbers_exclude(&mut state);
        self.types_exclude(&mut state);
        self.lists_exclude(&mut state);
        found
    }

    fn numbers_exclude(&self, state: &mut State<'_>) {
        let counts = [
            (&self.min_count, &self.max_count, "values"),
            (&self.min_length, &self.max_length, "characters"),
        ];
        for (minima, maxima, of) in counts {
            let (low, high) = (minima.iter().max_by_key(|m| m.value), maxima.iter().min_by_key(|m| m.value));
            if let (Some(low), Some(high)) = (low, high)
                && low.value > high.value
            {
                let proposal =
                    format!("ask for at most {} {of}, or allow at least {}", high.value, low.value);
                state(&high.side, &low.side, proposal);
            }
        }
        // Of equal bounds the exclusive one is the stricter.
        let low = self.min.iter().max_by_key(|m| (m.value.0, !m.value.1));
        let high = self.max.iter().min_by_key(|m| m.value);
        if let (Some(low), Some(high)) = (low, high) {
            let ((minimum, low_in), (maximum, high_in)) = (low.value, high.value);
            if minimum > maximum || (minimum == maximum && !(low_in && high_in)) {
                let proposal =
                    format!("lower the minimum below {maximum}, or raise the maximum above {minimum}");
                state(&high.side, &low.side, proposal);
            }
        }
    }

    fn types_exclude(&self, state: &mut State<'_>) {
        for (at, one) in self.datatypes.iter().enumerate() {
            for other in self.datatypes.iter().take(at).filter(|other| other.value != one.value) {
                let proposal = format!(
                    "allow both in one place: `sh:or ( [ sh:datatype <{}> ] [ sh:datatype <{}> ] )`",
                    other.value, one.value
                );
                state(&other.side, &one.side, proposal);
            }
        }
        let implied = self.datatypes.iter().map(|said| ([false, false, true], &said.side));
        let implied = implied.chain(self.classes.iter().map(|said| ([true, true, false], &said.side)));
        let kinds: Vec<_> = self.kinds.iter().map(|said| (said.value, &said.side)).chain(implied).collect();
        for (at, (one, one_side)) in kinds.iter().enumerate() {
            for (other, other_side) in kinds.iter().take(at) {
                if !one.iter().zip(other).any(|(a, b)| *a && *b) {
                    let proposal = "a value is a literal or a node, not both: keep one, or give the other a key of its own";
                    state(other_side, one_side, proposal.to_owned());
                }
            }
        }
    }

    fn lists_exclude(&self, state: &mut State<'_>) {
        for (at, one) in self.lists.iter().enumerate() {
            for other in self.lists.iter().take(at).filter(|other| one.value.is_disjoint(&other.value)) {
                let all: Vec<String> =
                    one.value.union(&other.value).take(SHOWN).map(ToString::to_string).collect();
                let proposal = format!("list what both allow, as in `sh:in ( {} )`", all.join(" "));
                state(&other.side, &one.side, proposal);
            }
            let mut none = |side: &Side, meets: &dyn Fn(&Term) -> bool| {
                if !one.value.iter().any(meets) {
                    let proposal = "list values that meet the other constraint, or take that away";
                    state(side, &one.side, proposal.to_owned());
                }
            };
            for said in &self.datatypes {
                none(&said.side, &|term| term.as_literal().is_some_and(|l| *l.datatype() == said.value));
            }
            for said in &self.kinds {
                let [iri, blank, literal] = said.value;
                none(&said.side, &|term| match term {
                    Term::Iri(named) if named.as_str().starts_with(vocab::SKOLEM_PREFIX) => blank,
                    Term::Iri(_) => iri,
                    Term::Literal(_) => literal,
                });
            }
            // What is no decimal may still be compared by an engine, dates for one: it is not judged here.
            let comparable = one.value.iter().all(|term| number(term).is_some());
            for said in self.min.iter().filter(|_| comparable) {
                let (bound, closed) = said.value;
                none(&said.side, &|term| number(term).is_some_and(|n| n > bound || (closed && n == bound)));
            }
            for said in self.max.iter().filter(|_| comparable) {
                let (bound, closed) = said.value;
                none(&said.side, &|term| number(term).is_some_and(|n| n < bound || (closed && n == bound)));
            }
            for said in &self.min_length {
                none(&said.side, &|term| length(term) >= said.value);
            }
            for said in &self.max_length {
                none(&said.side, &|term| length(term) <= said.value);
            }
        }
    }

    fn read(&mut self, layer: &str, graph: &Graph, shape: &Iri) {
        for triple in graph.matching(Some(shape), None, None) {
            let Some(component) = triple.predicate.as_str().strip_prefix(vocab::SH_NAMESPACE) else {
                continue;
            };
            let by = side(layer, format!("`sh:{component} {}` in <{shape}>", triple.object));
            let counted = |list: &mut Vec<Said<u64>>, by: Side| {
                let count = triple.object.as_literal().and_then(|literal| literal.value().parse().ok());
                list.extend(count.map(|value| Said { value, side: by }));
            };
            let bounded = |list: &mut Vec<Said<(Decimal, bool)>>, closed: bool, by: Side| {
                list.extend(number(&triple.object).map(|n| Said { value: (n, closed), side: by }));
            };
            match (component, &triple.object) {
                ("minCount", _) => counted(&mut self.min_count, by),
                ("maxCount", _) => counted(&mut self.max_count, by),
                ("minLength", _) => counted(&mut self.min_length, by),
                ("maxLength", _) => counted(&mut self.max_length, by),
                ("minInclusive", _) => bounded(&mut self.min, true, by),
                ("minExclusive", _) => bounded(&mut self.min, false, by),
                ("maxInclusive", _) => bounded(&mut self.max, true, by),
                ("maxExclusive", _) => bounded(&mut self.max, false, by),
                ("datatype", Term::Iri(datatype)) => {
                    self.datatypes.push(Said { value: datatype.clone(), side: by });
                }
                ("class", Term::Iri(class)) => self.classes.push(Said { value: class.clone(), side: by }),
                ("nodeKind", Term::Iri(kind)) => {
                    let allows = ["IRI", "BlankNode", "Literal"].map(|part| kind.local_name().contains(part));
                    self.kinds.push(Said { value: allows, side: by });
                }
                ("in", Term::Iri(head)) => {
                    let value = members(graph, head);
                    let shown: Vec<String> = value.iter().take(SHOWN).map(ToString::to_string).collect();
                    let side = side(layer, format!("`sh:in ( {} )` in <{shape}>", shown.join(" ")));
                    self.lists.push(Said { value, side });
                }
                _ => {}
            }
        }
    }
}

/// What core and the sector ask of each key of each class together.
pub(super) fn contradictions(core: &Graph, layer: &Layer<'_>, conflicts: &mut Vec<Conflict>) {
    type Shapes<'g> = Vec<(&'g str, &'g Graph, Iri)>;
    let layers = [(CORE, core), (layer.name, layer.graph)];
    // Class → path → the property shapes at node shapes that target the class.
    let mut targeted: BTreeMap<Iri, BTreeMap<Iri, Shapes<'_>>> = BTreeMap::new();
    for (name, graph) in layers {
        for target in graph.matching(None, Some(&vocab::SH_TARGET_CLASS), None) {
            let Term::Iri(class) = target.object else { continue };
            for property in graph.objects(&target.subject, &vocab::SH_PROPERTY) {
                let Term::Iri(shape) = property else { continue };
                if let [Term::Iri(path)] = graph.objects(&shape, &vocab::SH_PATH).as_slice()
                    && !path.as_str().starts_with(vocab::SKOLEM_PREFIX)
                {
                    let paths = targeted.entry(class.clone()).or_default();
                    paths.entry(path.clone()).or_default().push((name, graph, shape));
                }
            }
        }
    }
    for class in targeted.keys() {
        let mut by_path: BTreeMap<&Iri, Shapes<'_>> = BTreeMap::new();
        for above in lineage(layers, class) {
            for (path, shapes) in targeted.get(&above).into_iter().flatten() {
                by_path.entry(path).or_default().extend(shapes.iter().cloned());
            }
        }
        for (path, shapes) in by_path {
            let mut constraints = Constraints::default();
            for (name, graph, shape) in shapes {
                constraints.read(name, graph, &shape);
            }
            conflicts.extend(constraints.contradictions(&format!("{class} {path}")));
        }
    }
}

/// The class and every class above it, in either layer.
fn lineage(layers: [(&str, &Graph); 2], class: &Iri) -> BTreeSet<Iri> {
    let (mut found, mut open) = (BTreeSet::from([class.clone()]), vec![class.clone()]);
    while let Some(at) = open.pop() {
        for above in layers.iter().flat_map(|(_, graph)| graph.objects(&at, &vocab::RDFS_SUB_CLASS_OF)) {
            if let Term::Iri(above) = above
                && found.insert(above.clone())
            {
                open.push(above);
            }
        }
    }
    found
}

fn members(graph: &Graph, head: &Iri) -> BTreeSet<Term> {
    let (mut members, mut seen, mut at) = (BTreeSet::new(), BTreeSet::new(), head.clone());
    while at != *vocab::RDF_NIL && seen.insert(at.clone()) {
        members.extend(graph.objects(&at, &vocab::RDF_FIRST));
        match graph.objects(&at, &vocab::RDF_REST).as_slice() {
            [Term::Iri(rest)] => at = rest.clone(),
            _ => break,
        }
    }
    members
}

fn number(term: &Term) -> Option<Decimal> {
    term.as_literal()?.value().parse().ok()
}

fn length(term: &Term) -> u64 {
    let text = match term {
        Term::Iri(iri) => iri.as_str(),
        Term::Literal(literal) => literal.value(),
    };
    text.chars().count() as u64
}
