//! Shapes of which some terms are not evaluated: what has to be left out so that the rest can be, and a list of it.
//!
//! Left out is never less than what is not evaluated. A constraint that is missing makes a shape accept more; where a
//! shape is used to refuse (`sh:not`, `sh:xone`, `sh:qualifiedValueShape`) that would turn into wrong results, so such a use
//! of a shape that lost a constraint is left out too.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::blank_nodes::is_blank;
use crate::error::OntologyError;
use crate::graph::Graph;
use crate::iri::Iri;
use crate::shacl::admit_shapes;
use crate::triple::{Term, Triple};
use crate::vocab;

/// Most triples looked at while what is not evaluated is left out; each new refusal looks at all that is left.
pub const LEFT_OUT_STEPS_MAX: usize = 2_000_000;

/// A term that is not evaluated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The term, e.g. `sh:rule`; an IRI for parameters of components of one's own.
    pub term: String,
    /// What it means that it is not evaluated.
    pub consequence: &'static str,
    /// The nodes that carry it, in order.
    pub nodes: Vec<Iri>,
}

/// The part of a shapes graph that can be evaluated, and what is not in it, in order of the terms.
///
/// # Errors
/// As [`admit_shapes`] for everything that is wrong with the shapes, and [`OntologyError::TooLarge`] beyond
/// [`LEFT_OUT_STEPS_MAX`].
pub fn evaluable(shapes: &Graph) -> Result<(Graph, Vec<LeftOut>), OntologyError> {
    let mut graph = shapes.clone();
    let mut out: BTreeMap<String, BTreeSet<Iri>> = BTreeMap::new();
    let mut weaker = BTreeSet::new();
    let mut steps = 0;
    loop {
        step(&mut steps, graph.len())?;
        let (term, subject) = match admit_shapes(&graph) {
            Ok(()) => return Ok((graph, told(out))),
            Err(OntologyError::NotSupported { term, subject }) => (term, subject),
            Err(other) => return Err(other),
        };
        // Rules and targets of one's own go first: what hangs on them is not worth a name then.
        let first = ["rule", "target"]
            .map(|name| (format!("sh:{name}"), carriers(&graph, &format!("sh:{name}"), "")));
        let (term, refused) = first
            .into_iter()
            .find(|(_, carriers)| !carriers.is_empty())
            .unwrap_or_else(|| (term.clone(), carriers(&graph, &term, &subject)));
        if refused.is_empty() {
            return Err(OntologyError::NotSupported { term, subject });
        }
        for triple in &refused {
            // What a component of one's own asks for is asked by predicates of its own.
            if term == "sh:parameter"
                && let Some(parameter) = triple.object.as_iri()
                && let Some(Term::Iri(path)) = graph.object(parameter, &vocab::SH_PATH)
            {
                let uses = graph.matching(None, Some(&path), None).map(|triple| triple.subject);
                let uses: Vec<Iri> = uses.filter(|node| node != parameter).collect();
                weaker.extend(uses.iter().cloned());
                out.entry(format!("<{path}>")).or_default().extend(uses);
            }
            if consequence(&term) == CONSTRAINT {
                weaker.insert(triple.subject.clone());
            }
            out.entry(term.clone()).or_default().insert(triple.subject.clone());
        }
        remove(&mut graph, refused);
        // A shape that loses a use of another one accepts more itself.
        while let Some(triple) = refusing_use(&graph, &mut weaker, &mut steps)? {
            let name = triple.predicate.as_str().strip_prefix(vocab::SH_NAMESPACE).unwrap_or_default();
            let key = format!("sh:{name} of a shape that lost a constraint");
            out.entry(key).or_default().insert(triple.subject.clone());
            weaker.insert(triple.subject.clone());
            remove(&mut graph, vec![triple]);
        }
    }
}

fn step(steps: &mut usize, more: usize) -> Result<(), OntologyError> {
    *steps = steps.saturating_add(more);
    if *steps > LEFT_OUT_STEPS_MAX {
        let what = "leaving out what is not evaluated, in triples looked at";
        return Err(OntologyError::too_large(what, LEFT_OUT_STEPS_MAX));
    }
    Ok(())
}

const CONSTRAINT: &str = "what violates only this is not found";

/// What it means that a term is not evaluated.
fn consequence(term: &str) -> &'static str {
    match term {
        "sh:rule" => "nothing is inferred; only what the data says is validated",
        "sh:declare" | "sh:prefixes" => "names for SPARQL that is not evaluated; nothing of its own",
        "sh:target" => "these targets are not validated",
        _ => CONSTRAINT,
    }
}

fn told(out: BTreeMap<String, BTreeSet<Iri>>) -> Vec<LeftOut> {
    out.into_iter()
        .map(|(term, nodes)| LeftOut {
            consequence: consequence(&term),
            nodes: nodes.into_iter().collect(),
            term,
        })
        .collect()
}

/// The triples that a refusal is about: those with the term as predicate, everywhere; of `sh:sparql`, which is evaluated
/// where it can be, only on the node named; otherwise those that name the term.
fn carriers(graph: &Graph, term: &str, subject: &str) -> Vec<Triple> {
    let Some(name) = term.strip_prefix("sh:") else { return Vec::new() };
    let iri = Iri::derived(format!("{}{name}", vocab::SH_NAMESPACE));
    let with = |only: Option<&Iri>| graph.matching(only, Some(&iri), None).collect::<Vec<_>>();
    let on_node = Iri::derived(subject.to_owned());
    let found = match name {
        "sparql" => {
            let on = with(Some(&on_node));
            // The node may be the constraint itself.
            let of = graph.matching(None, Some(&iri), Some(&Term::Iri(on_node.clone())));
            if on.is_empty() { of.collect() } else { on }
        }
        _ => with(None),
    };
    if !found.is_empty() {
        return found;
    }
    let as_object = graph.matching(None, None, Some(&Term::Iri(iri.clone())));
    as_object.chain(graph.matching(Some(&iri), None, None)).collect()
}

/// Removes triples, and the blank nodes that only they led to.
fn remove(graph: &mut Graph, triples: Vec<Triple>) {
    let mut next = triples;
    while let Some(triple) = next.pop() {
        graph.remove(&triple);
        if let Some(node) = triple.object.as_iri().filter(|node| is_blank(node))
            && graph.matching(None, None, Some(&triple.object)).next().is_none()
        {
            next.extend(graph.matching(Some(node), None, None));
        }
    }
}

/// Where a shape that lost a constraint, or one that contains such a shape, is used to refuse. `weaker` grows by those
/// that contain one.
fn refusing_use(
    graph: &Graph,
    weaker: &mut BTreeSet<Iri>,
    steps: &mut usize,
) -> Result<Option<Triple>, OntologyError> {
    let mut next: Vec<Iri> = weaker.iter().cloned().collect();
    while let Some(shape) = next.pop() {
        step(steps, 1)?;
        for triple in graph.matching(None, None, Some(&Term::Iri(shape))) {
            step(steps, 1)?;
            let name = triple.predicate.as_str().strip_prefix(vocab::SH_NAMESPACE);
            let is_list = triple.predicate == *vocab::RDF_FIRST || triple.predicate == *vocab::RDF_REST;
            match name {
                Some("not" | "xone" | "qualifiedValueShape") => return Ok(Some(triple)),
                Some("node" | "property" | "and" | "or") if weaker.insert(triple.subject.clone()) => {
                    next.push(triple.subject);
                }
                None if is_list && weaker.insert(triple.subject.clone()) => next.push(triple.subject),
                _ => {}
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::turtle;

    const PREFIXES: &str = "@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix e: <urn:e:> . ";

    fn left_out(text: &str) -> Vec<(String, usize)> {
        let graph = turtle::parse(&format!("{PREFIXES}{text}")).unwrap();
        let (rest, out) = evaluable(&graph).unwrap();
        admit_shapes(&rest).unwrap();
        assert!(out.is_empty() == (rest.len() == graph.len()));
        out.into_iter().map(|left| (left.term, left.nodes.len())).collect()
    }

    #[test]
    fn what_can_be_evaluated_is_kept_whole() {
        assert_eq!(
            left_out(
                "e:S a sh:NodeShape ; sh:targetClass e:C ; sh:property [ sh:path e:p ; sh:minCount 1 ] ."
            ),
            []
        );
    }

    #[test]
    fn rules_go_with_all_that_hangs_on_them_and_are_told_by_name() {
        let rule = "sh:rule [ a sh:TripleRule ; sh:subject sh:this ; sh:predicate e:q ; sh:object ( e:x [ sh:path e:z ] ) ]";
        let text =
            format!("e:S a sh:NodeShape ; {rule} . e:T a sh:NodeShape ; {rule} ; sh:nodeKind sh:IRI .");
        assert_eq!(left_out(&text), [("sh:rule".to_owned(), 2)]);
    }

    #[test]
    fn a_component_of_ones_own_is_told_with_every_use_of_its_parameters() {
        let text = "e:C a sh:ConstraintComponent ; sh:parameter [ sh:path e:least ] ; sh:validator [ sh:ask \"ASK {}\" ] .
            e:S a sh:NodeShape ; sh:targetClass e:K ; e:least 3 . e:T a sh:NodeShape ; sh:not e:S .";
        let out = left_out(text);
        for expected in ["<urn:e:least>", "sh:parameter", "sh:not of a shape that lost a constraint"] {
            assert!(out.contains(&(expected.to_owned(), 1)), "{expected} is missing in {out:?}");
        }
    }

    #[test]
    fn a_shape_that_lost_a_constraint_refuses_nothing_any_more() {
        let text = "e:S a sh:NodeShape ; sh:property e:P ; sh:xone ( e:T e:U ) ; sh:or ( e:T e:U ) .
            e:P sh:path e:p ; sh:js [] . e:T a sh:NodeShape ; sh:node e:V . e:V a sh:NodeShape ; sh:not e:S . e:U a sh:NodeShape .
            e:W a sh:NodeShape ; sh:not e:U .";
        let out = left_out(text);
        assert_eq!(out.len(), 3, "{out:?}");
        assert!(out.contains(&("sh:not of a shape that lost a constraint".to_owned(), 1)));
        assert!(out.contains(&("sh:xone of a shape that lost a constraint".to_owned(), 1)));
    }

    #[test]
    fn shapes_made_to_keep_programs_busy_are_refused() {
        let mut text = PREFIXES.to_owned();
        for n in 0..5_000 {
            // Each of these terms is another refusal.
            let _ = write!(text, "e:S sh:not-known-{n} e:x . ");
        }
        let error = evaluable(&turtle::parse(&text).unwrap()).unwrap_err();
        assert_eq!(error.code(), "KNHK-E1312", "{error}");
    }

    #[test]
    fn what_is_wrong_is_still_refused() {
        let graph =
            turtle::parse(&format!("{PREFIXES} e:S a sh:NodeShape ; sh:minLength \"x\" ; sh:rule [] ."))
                .unwrap();
        assert_eq!(evaluable(&graph).unwrap_err().code(), "KNHK-E1315");
    }
}
