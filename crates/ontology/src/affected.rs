//! Validation after a change, at a cost that grows with the change.
//!
//! What a shape finds at a focus node depends on triples that it reaches from there: forwards along the predicates it
//! reads, backwards along those it inverts. So a change can alter results only at nodes that reach a changed triple,
//! before or after; and around those nodes the triples they reach are all that need to be looked at. Both sets are
//! larger than strictly needed, never smaller: a property test compares with full passes.

use std::collections::BTreeSet;

use crate::error::OntologyError;
use crate::iri::Iri;
use crate::shacl::{Shapes, Violation};
use crate::sigma::Sigma;
use crate::triple::{Term, Triple};
use crate::triple_delta::TripleDelta;

/// Beyond so many affected nodes a full pass is the cheaper way.
const AFFECTED_MAX: usize = 1_000;

impl Shapes {
    /// The violations in `after` at every node where `delta`, which led there from `before`, may have made a
    /// difference. Violations at other nodes are those of `before`: none, when `before` was sound.
    ///
    /// # Errors
    /// As [`Shapes::validate`].
    pub fn validate_change(
        &self,
        before: &Sigma,
        after: &Sigma,
        delta: &TripleDelta,
    ) -> Result<Vec<Violation>, OntologyError> {
        let Some(affected) = (before.core == after.core).then(|| self.affected(after, delta)).flatten()
        else {
            return self.validate(after.iter());
        };
        let near = self.reached_from(&affected, after);
        let focus: BTreeSet<String> = affected.into_iter().map(|iri| Term::Iri(iri).to_string()).collect();
        let mut found = self.validate(near)?;
        found.retain(|violation| focus.contains(&violation.focus));
        Ok(found)
    }

    /// The nodes that reach a changed triple, before or after; `None` when they are too many. Looking at `after` is
    /// enough: on the way from a node to a removed triple, what comes before the first change is still there.
    fn affected(&self, after: &Sigma, delta: &TripleDelta) -> Option<BTreeSet<Iri>> {
        let mut open: Vec<Iri> = Vec::new();
        for triple in delta.added.iter().chain(&delta.removed) {
            if self.reads(&triple.predicate) {
                open.push(triple.subject.clone());
            }
            if self.inverts(&triple.predicate) {
                open.extend(triple.object.as_iri().cloned());
            }
        }
        let mut affected = BTreeSet::new();
        while let Some(node) = open.pop() {
            if !affected.insert(node.clone()) {
                continue;
            }
            if affected.len() > AFFECTED_MAX {
                return None;
            }
            let readers = after.triples_matching(None, None, Some(&Term::Iri(node.clone())));
            open.extend(readers.filter(|t| self.reads(&t.predicate)).map(|t| t.subject));
            let said = after.triples_matching(Some(&node), None, None);
            open.extend(
                said.filter(|t| self.inverts(&t.predicate)).filter_map(|t| t.object.as_iri().cloned()),
            );
        }
        Some(affected)
    }

    /// The triples that shapes reach from these nodes.
    fn reached_from(&self, nodes: &BTreeSet<Iri>, sigma: &Sigma) -> BTreeSet<Triple> {
        let mut found = BTreeSet::new();
        let mut seen: BTreeSet<Iri> = nodes.clone();
        let mut open: Vec<Iri> = nodes.iter().cloned().collect();
        while let Some(node) = open.pop() {
            let mut go = |iri: &Iri| {
                if seen.insert(iri.clone()) {
                    open.push(iri.clone());
                }
            };
            for triple in sigma.triples_matching(Some(&node), None, None).filter(|t| self.reads(&t.predicate))
            {
                triple.object.as_iri().into_iter().for_each(&mut go);
                found.insert(triple);
            }
            for predicate in self.inverted() {
                for triple in sigma.triples_matching(None, Some(predicate), Some(&Term::Iri(node.clone()))) {
                    go(&triple.subject);
                    found.insert(triple);
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::core_ontology::{meta_violations, meta_violations_after};
    use crate::graph::Graph;
    use crate::samples::{any_schema, sigma_of};
    use crate::shacl::Shapes;
    use crate::sigma::Sigma;
    use crate::triple::{Term, Triple};
    use crate::triple_delta::TripleDelta;
    use crate::turtle;

    /// Breaks a graph: drops some triples and turns the object of others into that of their neighbour.
    fn broken(sigma: &Sigma, at: &[(prop::sample::Index, bool)]) -> Sigma {
        let triples = sigma.sector.sorted();
        let mut sector = sigma.sector.clone();
        for (index, turn) in at {
            let n = index.index(triples.len());
            sector.remove(&triples[n]);
            if *turn {
                let object: Term = triples[(n + 7) % triples.len()].object.clone();
                sector.insert(&Triple { object, ..triples[n].clone() });
            }
        }
        Sigma::new(sigma.core.clone(), sector)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn nothing_that_a_full_pass_finds_is_missed(
            old in any_schema(),
            new in any_schema(),
            same in any::<bool>(),
            before_breaks in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..3),
            after_breaks in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..6),
        ) {
            let before = broken(&sigma_of(&old), &before_breaks);
            let after = if same { broken(&before, &after_breaks) } else { broken(&sigma_of(&new), &after_breaks) };
            let delta = TripleDelta::between(&before.sector, &after.sector);
            let (full_before, full_after) = (meta_violations(&before).unwrap(), meta_violations(&after).unwrap());
            let found = meta_violations_after(&before, &after, &delta).unwrap();
            for violation in &found {
                prop_assert!(full_after.contains(violation), "invented: {:?}", violation);
            }
            for violation in &full_after {
                prop_assert!(
                    found.contains(violation) || full_before.contains(violation), "missed: {:?}", violation
                );
            }
        }
    }

    #[test]
    fn what_is_reached_backwards_counts_as_well() {
        let read = |text: &str| {
            let prefixes = "@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix e: <urn:e:> .\n";
            turtle::parse(&format!("{prefixes}{text}")).unwrap()
        };
        let shapes = read(
            "e:s sh:targetClass e:C ; sh:property [ sh:path ( e:r [ sh:inversePath e:p ] e:q ) ; sh:minCount 1 ] .",
        );
        let shapes = Shapes::compile(&shapes).unwrap();
        let sigma = |text: &str| Sigma::new(Graph::new(), read(text));
        let focus = |before: &Sigma, after: &Sigma| -> Vec<String> {
            let delta = TripleDelta::between(&before.sector, &after.sector);
            let found = shapes.validate_change(before, after, &delta).unwrap();
            found.into_iter().map(|violation| violation.focus).collect()
        };
        let sound = sigma("e:x a e:C ; e:r e:v . e:y e:p e:v ; e:q 1 .");
        let none: [&str; 0] = [];
        assert_eq!(focus(&sound, &sigma("e:x a e:C, e:D ; e:r e:v . e:y e:p e:v ; e:q 1 .")), none);
        assert_eq!(focus(&sound, &sigma("e:x a e:C ; e:r e:v . e:y e:q 1 .")), ["<urn:e:x>"]);
        assert_eq!(focus(&sound, &sigma("e:x a e:C ; e:r e:v . e:y e:p e:v .")), ["<urn:e:x>"]);
        assert_eq!(focus(&sound, &sigma("e:x a e:C .")), ["<urn:e:x>"]);
        assert_eq!(
            focus(&sound, &sigma("e:x a e:C ; e:r e:v . e:y e:p e:v ; e:q 1 . e:z a e:C .")),
            ["<urn:e:z>"]
        );
    }
}
