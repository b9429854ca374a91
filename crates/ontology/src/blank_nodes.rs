//! What a blank node says, as a digest: the same for the same statements, whatever its label and whoever refers to it.
//!
//! A blank node without a way back to itself (a list, a restriction, a property shape) has the digest of its statements,
//! in which blank nodes stand by their digests: linear work. Blank nodes in a circle are brought into a canonical order:
//! each is told from the others by its statements and its neighbours, and where that does not suffice, every choice is
//! tried and the smallest result taken. This is as hard as graph isomorphism, so it is bounded (`docs/formats/export.md`).

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::error::OntologyError;
use crate::graph::Graph;
use crate::iri::Iri;
use crate::trie::Hash;
use crate::triple::{Term, Triple};
use crate::vocab;

/// Most statements looked at while blank nodes in circles are told apart, in one document.
pub const BLANK_NODE_STEPS_MAX: u64 = 1_000_000;

/// Whether this IRI stands for a blank node.
pub fn is_blank(iri: &Iri) -> bool {
    iri.as_str().starts_with(vocab::SKOLEM_PREFIX)
}

/// The digest of every blank node of the graph that is said or asked something.
///
/// # Errors
/// [`OntologyError::BlankNodes`] beyond [`BLANK_NODE_STEPS_MAX`].
pub fn digests(graph: &Graph) -> Result<BTreeMap<Iri, Hash>, OntologyError> {
    let mut nodes: BTreeMap<Iri, Vec<Triple>> = BTreeMap::new();
    for triple in graph.iter() {
        if let Some(iri) = triple.object.as_iri().filter(|iri| is_blank(iri)) {
            nodes.entry(iri.clone()).or_default();
        }
        if is_blank(&triple.subject) {
            nodes.entry(triple.subject.clone()).or_default().push(triple);
        }
    }
    let mut found = BTreeMap::new();
    let mut steps = 0;
    for component in components(&nodes) {
        if let [only] = component.as_slice()
            && !nodes[only].iter().any(|triple| triple.object.as_iri() == Some(only))
        {
            let digest = digest_of(nodes[only].iter().map(|triple| line(triple, &found)));
            found.insert(only.clone(), digest);
        } else {
            let of = Circle::of(&component, &nodes, &found).digests(&mut steps)?;
            found.extend(component.into_iter().zip(of));
        }
    }
    Ok(found)
}

/// A statement of a blank node without its subject.
fn line(triple: &Triple, known: &BTreeMap<Iri, Hash>) -> String {
    let object = match &triple.object {
        Term::Iri(iri) => known
            .get(iri)
            .map_or_else(|| triple.object.to_string(), |hash| format!("_:{}", hex::encode(hash))),
        Term::Literal(_) => triple.object.to_string(),
    };
    format!("<{}> {object}\n", triple.predicate)
}

fn digest_of(lines: impl Iterator<Item = String>) -> Hash {
    let mut lines: Vec<String> = lines.collect();
    lines.sort_unstable();
    lines.iter().fold(Sha256::new(), Digest::chain_update).finalize().into()
}

/// No number yet.
const NEW: usize = usize::MAX;

/// Strongly connected components, each after those it refers to (Tarjan, without recursion: lists are deep).
fn components(nodes: &BTreeMap<Iri, Vec<Triple>>) -> Vec<Vec<Iri>> {
    let names: Vec<&Iri> = nodes.keys().collect();
    let numbers: BTreeMap<&Iri, usize> =
        names.iter().enumerate().map(|(number, iri)| (*iri, number)).collect();
    let edges: Vec<Vec<usize>> = nodes
        .values()
        .map(|said| said.iter().filter_map(|t| numbers.get(t.object.as_iri()?).copied()).collect())
        .collect();
    let (mut index, mut low) = (vec![NEW; names.len()], vec![0; names.len()]);
    let (mut open, mut is_open) = (Vec::new(), vec![false; names.len()]);
    let (mut next, mut found) = (0, Vec::new());
    for start in 0..names.len() {
        if index[start] != NEW {
            continue;
        }
        let mut calls = vec![(start, 0)];
        while let Some((node, edge)) = calls.pop() {
            if edge == 0 {
                (index[node], low[node]) = (next, next);
                next += 1;
                open.push(node);
                is_open[node] = true;
            } else {
                low[node] = low[node].min(low[edges[node][edge - 1]]);
            }
            let on = (edge..edges[node].len()).find(|&edge| {
                let to = edges[node][edge];
                if index[to] != NEW && is_open[to] {
                    low[node] = low[node].min(index[to]);
                }
                index[to] == NEW
            });
            if let Some(edge) = on {
                calls.push((node, edge + 1));
                calls.push((edges[node][edge], 0));
            } else if low[node] == index[node] {
                let mut component = Vec::new();
                while let Some(member) = open.pop() {
                    is_open[member] = false;
                    component.push(names[member].clone());
                    if member == node {
                        break;
                    }
                }
                found.push(component);
            }
        }
    }
    found
}

/// Blank nodes that refer to each other, by number.
struct Circle {
    /// What each says of all else.
    outside: Vec<Hash>,
    /// Per node: predicate and node referred to.
    edges: Vec<Vec<(Iri, usize)>>,
    /// Per node: predicate and node that refers to it.
    back: Vec<Vec<(Iri, usize)>>,
}

impl Circle {
    fn of(members: &[Iri], nodes: &BTreeMap<Iri, Vec<Triple>>, known: &BTreeMap<Iri, Hash>) -> Self {
        let numbers: BTreeMap<&Iri, usize> = members.iter().enumerate().map(|(n, iri)| (iri, n)).collect();
        let mut circle = Self {
            outside: Vec::new(),
            edges: vec![Vec::new(); members.len()],
            back: vec![Vec::new(); members.len()],
        };
        for (number, member) in members.iter().enumerate() {
            let mut lines = Vec::new();
            for triple in &nodes[member] {
                match triple.object.as_iri().and_then(|iri| numbers.get(iri)) {
                    Some(&to) => {
                        circle.edges[number].push((triple.predicate.clone(), to));
                        circle.back[to].push((triple.predicate.clone(), number));
                    }
                    None => lines.push(line(triple, known)),
                }
            }
            circle.outside.push(digest_of(lines.into_iter()));
        }
        for edges in circle.edges.iter_mut().chain(&mut circle.back) {
            edges.sort_unstable();
        }
        circle
    }

    /// The digest of each node: of the smallest form that the circle has when it is begun there.
    fn digests(&self, steps: &mut u64) -> Result<Vec<Hash>, OntologyError> {
        let colours = self.refine(self.outside.clone(), steps)?;
        if is_discrete(&colours) {
            let form = self.form(&colours);
            return Ok(colours.iter().map(|colour| pair(&form, colour)).collect());
        }
        (0..colours.len())
            .map(|root| Ok(pair(b"root", &self.smallest(&self.told_apart(&colours, root, steps)?, steps)?)))
            .collect()
    }

    /// The smallest form among those that any way of telling the rest apart leads to.
    fn smallest(&self, colours: &[Hash], steps: &mut u64) -> Result<Hash, OntologyError> {
        let mut classes: BTreeMap<Hash, Vec<usize>> = BTreeMap::new();
        for (node, colour) in colours.iter().enumerate() {
            classes.entry(*colour).or_default().push(node);
        }
        let Some(alike) = classes.values().find(|class| class.len() > 1) else {
            return Ok(self.form(colours));
        };
        let mut smallest = None;
        let mut tried = BTreeSet::new();
        for &node in alike {
            // Of nodes with the same neighbours any one will do: exchanging them changes nothing.
            if !tried.insert((&self.edges[node], &self.back[node])) {
                continue;
            }
            let form = self.smallest(&self.told_apart(colours, node, steps)?, steps)?;
            smallest = Some(smallest.map_or(form, |other: Hash| other.min(form)));
        }
        Ok(smallest.unwrap_or_default())
    }

    fn told_apart(&self, colours: &[Hash], node: usize, steps: &mut u64) -> Result<Vec<Hash>, OntologyError> {
        let mut colours = colours.to_vec();
        colours[node] = pair(b"this", &colours[node]);
        self.refine(colours, steps)
    }

    /// Tells nodes apart by their neighbours until nothing more comes of it.
    fn refine(&self, mut colours: Vec<Hash>, steps: &mut u64) -> Result<Vec<Hash>, OntologyError> {
        let mut classes = count(&colours);
        loop {
            let edges: usize = self.edges.iter().map(Vec::len).sum();
            *steps += 2 * edges as u64 + colours.len() as u64;
            if *steps > BLANK_NODE_STEPS_MAX {
                return Err(OntologyError::BlankNodes { nodes: colours.len(), max: BLANK_NODE_STEPS_MAX });
            }
            let next: Vec<Hash> = (0..colours.len())
                .map(|node| {
                    let side = |mark: &'static str, edges: &[(Iri, usize)]| {
                        let of = |(predicate, to): &(Iri, usize)| {
                            format!("{mark}<{predicate}> {}\n", hex::encode(colours[*to]))
                        };
                        edges.iter().map(of).collect::<Vec<_>>()
                    };
                    let lines = [side(">", &self.edges[node]), side("<", &self.back[node])].concat();
                    pair(&colours[node], &digest_of(lines.into_iter()))
                })
                .collect();
            let now = count(&next);
            colours = next;
            if now == classes {
                return Ok(colours);
            }
            classes = now;
        }
    }

    /// The digest of the circle with its nodes written by their colours.
    fn form(&self, colours: &[Hash]) -> Hash {
        digest_of(self.edges.iter().zip(colours).flat_map(|(edges, from)| {
            edges.iter().map(move |(predicate, to)| {
                format!("{} <{predicate}> {}\n", hex::encode(from), hex::encode(colours[*to]))
            })
        }))
    }
}

fn pair(a: &[u8], b: &[u8]) -> Hash {
    Sha256::new().chain_update(a).chain_update(b).finalize().into()
}

fn count(colours: &[Hash]) -> usize {
    colours.iter().collect::<BTreeSet<_>>().len()
}

fn is_discrete(colours: &[Hash]) -> bool {
    count(colours) == colours.len()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;
    use crate::turtle;

    fn sorted(text: &str) -> Vec<Hash> {
        let mut found: Vec<Hash> = digests(&turtle::parse(text).unwrap()).unwrap().into_values().collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn a_blank_node_is_what_it_says_not_what_it_is_called() {
        let a = "<urn:a> <urn:p> [ <urn:q> ( 1 [ <urn:r> 2 ] ) ] .";
        let b = "_:x <urn:r> 2 . <urn:a> <urn:p> _:y . _:y <urn:q> ( 1 _:x ) . # the same";
        assert_eq!(sorted(a), sorted(b));
        assert_eq!(sorted(a).len(), 4);
        assert_ne!(sorted(a), sorted("<urn:a> <urn:p> [ <urn:q> ( 1 [ <urn:r> 3 ] ) ] ."));
    }

    #[test]
    fn circles_are_told_apart_by_their_shape() {
        let two_triangles = "_:a <urn:p> _:b . _:b <urn:p> _:c . _:c <urn:p> _:a .
             _:d <urn:p> _:e . _:e <urn:p> _:f . _:f <urn:p> _:d .";
        let hexagon = "_:a <urn:p> _:b . _:b <urn:p> _:c . _:c <urn:p> _:d .
             _:d <urn:p> _:e . _:e <urn:p> _:f . _:f <urn:p> _:a .";
        assert_ne!(sorted(two_triangles), sorted(hexagon));
        assert_eq!(sorted(hexagon).windows(2).filter(|w| w[0] != w[1]).count(), 0, "all look the same");
        assert_ne!(sorted("_:a <urn:p> _:a ."), sorted("_:a <urn:p> _:b . _:b <urn:p> _:a ."));
    }

    #[test]
    fn many_nodes_that_are_alike_around_one_are_no_trouble() {
        let mut text = String::new();
        for n in 0..40 {
            let _ = write!(text, "_:hub <urn:p> _:n{n} . _:n{n} <urn:q> _:hub . ");
        }
        let found = sorted(&text);
        assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), 2, "the hub, and the others");
    }

    #[test]
    fn a_graph_made_to_keep_programs_busy_is_refused() {
        let mut text = String::new();
        for a in 0..24 {
            for b in 0..24 {
                if a != b {
                    let _ = write!(text, "_:n{a} <urn:p> _:n{b} . ");
                }
            }
        }
        let error = digests(&turtle::parse(&text).unwrap()).unwrap_err();
        assert_eq!(error.code(), "KNHK-E1351");
        assert!(error.to_string().contains("24 blank nodes"), "{error}");
    }

    #[test]
    fn depth_does_no_harm() {
        let deep = format!("<urn:a> <urn:p> {}1{} .", "[ <urn:p> ".repeat(5_000), " ]".repeat(5_000));
        assert_eq!(digests(&turtle::parse(&deep).unwrap()).unwrap().len(), 5_000);
    }

    /// Edges among `n` blank nodes, `a<i>`.
    fn edges() -> impl Strategy<Value = Vec<(u8, u8, u8)>> {
        prop::collection::vec((0..6_u8, 0..2_u8, 0..6_u8), 0..12)
    }

    fn written(edges: &[(u8, u8, u8)], name: impl Fn(u8) -> u8) -> String {
        // A node of the graph with a name refers to each, so nothing is lost by comparing digests.
        let mut lines: Vec<String> = edges
            .iter()
            .flat_map(|(s, p, o)| {
                let (s, o) = (name(*s), name(*o));
                [format!("_:n{s} <urn:p{p}> _:n{o} ."), format!("<urn:x> <urn:o> _:n{s}, _:n{o} .")]
            })
            .collect();
        lines.sort();
        lines.join("\n")
    }

    /// The oracle: two graphs are isomorphic when an exact search says so.
    fn isomorphic(a: &[(u8, u8, u8)], b: &[(u8, u8, u8)]) -> bool {
        let set = |edges: &[(u8, u8, u8)], to: &[u8]| {
            edges
                .iter()
                .map(|(s, p, o)| (to[usize::from(*s)], *p, to[usize::from(*o)]))
                .collect::<BTreeSet<_>>()
        };
        let identity: Vec<u8> = (0..6).collect();
        let target = set(b, &identity);
        let mut order = identity;
        permutations(&mut order, 0, &mut |to| set(a, to) == target)
    }

    fn permutations(order: &mut Vec<u8>, from: usize, found: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        if from == order.len() {
            return found(order);
        }
        (from..order.len()).any(|other| {
            order.swap(from, other);
            let yes = permutations(order, from + 1, found);
            order.swap(from, other);
            yes
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

        #[test]
        fn relabelled_graphs_have_the_same_digests_and_so_have_only_isomorphic_circles(
            a in edges(), b in edges(), shift in 0..6_u8,
        ) {
            let of = |edges: &[(u8, u8, u8)], shift: u8| sorted(&written(edges, |n| (n + shift) % 6));
            prop_assert_eq!(of(&a, 0), of(&a, shift));
            if isomorphic(&a, &b) {
                prop_assert_eq!(of(&a, 0), of(&b, 0));
            }
            // One circle through all nodes leaves nothing to owners outside: equal digests are isomorphic graphs.
            let ring = |edges: &[(u8, u8, u8)]| {
                let mut all = edges.to_vec();
                all.extend((0..6).map(|n| (n, 9, (n + 1) % 6)));
                all
            };
            let (a, b) = (ring(&a), ring(&b));
            prop_assert_eq!(of(&a, 0) == of(&b, 0), isomorphic(&a, &b));
        }
    }
}
