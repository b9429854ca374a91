//! Changes that reading does not look at: what an ontology says about events is the same after them.

use crate::graph::Graph;
use crate::iri::Iri;
use crate::schema::Schema;
use crate::triple::Term;
use crate::triple_delta::TripleDelta;
use crate::vocab;

/// Whether the change says nothing about events: every triple has a predicate of the sector's own and a subject that
/// may have one and belongs to no shape. `graph` is the sector's before the change and `schema` what was read from it;
/// the answer `false` may be too careful, `true` is certain. Costs what the change does.
pub(crate) fn is_silent(schema: &Schema, graph: &Graph, delta: &TripleDelta) -> bool {
    delta.added.iter().chain(&delta.removed).all(|triple| {
        is_own(schema, &triple.predicate) && may_have_notes(schema, &triple.subject) && {
            !is_of_shapes(graph, &triple.subject)
        }
    })
}

/// A predicate that only shapes could mind.
fn is_own(schema: &Schema, predicate: &Iri) -> bool {
    let text = predicate.as_str();
    // A namespace above that of a known vocabulary does not make its terms the sector's.
    text.starts_with(&schema.namespace) && !vocab::PREFIXES.iter().any(|(_, known)| text.starts_with(known))
}

fn may_have_notes(schema: &Schema, subject: &Iri) -> bool {
    subject.as_str().starts_with(&schema.namespace)
        || subject.as_str().starts_with(vocab::SKOLEM_PREFIX)
        || *subject == schema.sector_iri()
}

/// Every shape, list cell and alternative that is read states at least one such triple.
fn is_of_shapes(graph: &Graph, subject: &Iri) -> bool {
    let types = graph.objects(subject, &vocab::RDF_TYPE);
    let is_shape =
        |class: &Term| matches!(class, Term::Iri(iri) if iri.as_str().starts_with(vocab::SH_NAMESPACE));
    let says = |predicate: &Iri| graph.matching(Some(subject), Some(predicate), None).next().is_some();
    types.iter().any(is_shape)
        || [&*vocab::RDF_FIRST, &*vocab::RDF_REST].into_iter().any(says)
        || vocab::SH_READ.iter().any(says)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::samples::{any_schema, iri, sigma_of};
    use crate::triple::{Literal, Triple};

    /// Triples about what is there and what is not, own predicates and others.
    fn any_statement() -> impl Strategy<Value = (usize, usize, bool)> {
        (0..40_usize, 0..8_usize, any::<bool>())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn after_a_silent_change_the_same_is_read(
            schema in any_schema(), steps in prop::collection::vec(any_statement(), 1..5), notes in any::<bool>(),
        ) {
            let mut before = sigma_of(&schema).sector;
            let subjects: Vec<Iri> = before.sorted().into_iter().map(|triple| triple.subject)
                .chain([iri("new"), Iri::new("urn:other").unwrap()])
                .collect::<BTreeSet<_>>().into_iter().collect();
            let predicates = [
                iri("note"), iri("other"), vocab::RDFS_LABEL.clone(), vocab::RDF_TYPE.clone(),
                vocab::SH_MIN_COUNT.clone(), vocab::KNHK_EVENT_TYPE.clone(), vocab::RDF_FIRST.clone(),
                vocab::KNHK_MINIMUM_EVIDENCE.clone(),
            ];
            if notes {
                before.insert(&Triple::new(&iri("C0"), &iri("note"), Literal::string("n")));
            }
            let mut delta = TripleDelta::default();
            for (subject, predicate, add) in steps {
                let subject = &subjects[subject % subjects.len()];
                // Own predicates in half of the cases, so that many changes are silent.
                let predicate = &predicates[if add && notes { predicate % 2 } else { predicate }];
                match before.matching(Some(subject), Some(predicate), None).next() {
                    Some(triple) if !add => { delta.removed.insert(triple); }
                    _ => { delta.added.insert(Triple::new(subject, predicate, Literal::string("x"))); }
                }
            }
            delta.added.retain(|triple| !before.contains(triple) && !delta.removed.contains(triple));
            let read = |graph: &Graph| Schema::read(&Graph::new(), graph);
            let old = read(&before).unwrap();
            if is_silent(&old, &before, &delta) {
                prop_assert_eq!(read(&delta.apply(&before).unwrap()).unwrap(), old);
            }
        }
    }

    #[test]
    fn notes_are_silent_and_what_shapes_or_strangers_would_say_is_not() {
        use proptest::strategy::ValueTree;
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let (schema, graph) = loop {
            let schema = any_schema().new_tree(&mut runner).unwrap().current();
            if schema.classes.contains_key(&iri("C0")) {
                break (schema.clone(), sigma_of(&schema).sector);
            }
        };
        let silent = |subject: &Iri, predicate: &Iri| {
            let triple = Triple::new(subject, predicate, Literal::string("x"));
            let delta = TripleDelta { added: BTreeSet::from([triple]), removed: BTreeSet::new() };
            is_silent(&schema, &graph, &delta)
        };
        assert!(silent(&iri("C0"), &iri("note")) && silent(&iri("new"), &iri("note")));
        assert!(silent(&schema.sector_iri(), &iri("note")));
        assert!(!silent(&iri("C0-shape"), &iri("note")), "shapes may say only what is known");
        assert!(!silent(&iri("C0"), &vocab::KNHK_EVENT_TYPE));
        assert!(!silent(&Iri::new("urn:other").unwrap(), &iri("note")));
    }
}
