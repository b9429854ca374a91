//! A change as triples: what is added and what is removed, exactly.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::OntologyError;
use crate::graph::Graph;
use crate::trie::Hash;
use crate::triple::Triple;

/// Triples to add and to remove. Both sets are disjoint in every change that [`crate::lowering::lower`] makes.
/// Serialised as canonical N-Quads lines without line feed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TripleDelta {
    /// Triples that are absent before and present after.
    pub added: BTreeSet<Triple>,
    /// Triples that are present before and absent after.
    pub removed: BTreeSet<Triple>,
}

impl TripleDelta {
    /// The change that turns `old` into `new`.
    pub fn between(old: &Graph, new: &Graph) -> Self {
        Self { added: new.difference(old), removed: old.difference(new) }
    }

    /// What it changes of the union with `lower`, a graph that stays as it is.
    #[must_use]
    pub fn beside(&self, lower: &Graph) -> Self {
        let own =
            |triples: &BTreeSet<Triple>| triples.iter().filter(|t| !lower.contains(t)).cloned().collect();
        Self { added: own(&self.added), removed: own(&self.removed) }
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }

    /// SHA-256 of its canonical lines, each with `+` or `-` before it and a line feed after it, in order of their
    /// bytes (`docs/formats/ontology-identifiers.md`).
    pub fn digest(&self) -> Hash {
        let signed = |sign: char| move |triple: &Triple| format!("{sign}{}", triple.to_nquads_line());
        let mut lines: Vec<String> =
            self.added.iter().map(signed('+')).chain(self.removed.iter().map(signed('-'))).collect();
        lines.sort_unstable();
        let mut digest = Sha256::new();
        for line in lines {
            digest.update(line.as_bytes());
        }
        digest.finalize().into()
    }

    /// The change that undoes this one.
    #[must_use]
    pub fn inverse(&self) -> Self {
        Self { added: self.removed.clone(), removed: self.added.clone() }
    }

    /// The graph after the change; `graph` itself stays as it is, at no cost.
    ///
    /// # Errors
    /// [`OntologyError::DoesNotFit`] when a triple to add is there or one to remove is not: only then is
    /// [`TripleDelta::inverse`] exact.
    pub fn apply(&self, graph: &Graph) -> Result<Graph, OntologyError> {
        let misfit = |triple: &Triple, state| OntologyError::DoesNotFit { line: triple.to_string(), state };
        let mut after = graph.clone();
        for triple in &self.removed {
            if !after.remove(triple) {
                return Err(misfit(triple, "not there"));
            }
        }
        for triple in &self.added {
            // A triple both removed and added would pass here but not on the way back.
            if self.removed.contains(triple) || !after.insert(triple) {
                return Err(misfit(triple, "already there"));
            }
        }
        Ok(after)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::graph::tests::any_triple;

    proptest! {
        #[test]
        fn a_change_and_its_inverse_leave_the_graph_as_it_was(
            old in prop::collection::btree_set(any_triple(), 0..20),
            new in prop::collection::btree_set(any_triple(), 0..20),
        ) {
            let (old, new): (Graph, Graph) = (old.into_iter().collect(), new.into_iter().collect());
            let delta = TripleDelta::between(&old, &new);
            let after = delta.apply(&old).unwrap();
            prop_assert_eq!(after.root(), new.root());
            prop_assert_eq!(delta.inverse().apply(&after).unwrap().root(), old.root());
            prop_assert_eq!(delta.is_empty(), old == new);
            if !delta.is_empty() {
                prop_assert!(delta.apply(&after).is_err());
                prop_assert_ne!(delta.digest(), delta.inverse().digest());
            }
        }
    }

    #[test]
    fn the_digest_is_that_of_the_sorted_signed_lines() {
        let line = |text: &str| Triple::from_nquads_line(text).unwrap();
        let delta = TripleDelta {
            added: BTreeSet::from([line("<urn:a> <urn:p> \"1\" ."), line("<urn:a/b> <urn:p> \"1\" .")]),
            removed: BTreeSet::from([line("<urn:a> <urn:p> \"2\" .")]),
        };
        let text = "+<urn:a/b> <urn:p> \"1\" .\n+<urn:a> <urn:p> \"1\" .\n-<urn:a> <urn:p> \"2\" .\n";
        assert_eq!(delta.digest(), <Hash>::from(Sha256::digest(text)));
        assert_eq!(TripleDelta::default().digest(), <Hash>::from(Sha256::digest("")));
    }

    #[test]
    fn it_is_serialised_as_its_lines() {
        let triple = Triple::from_nquads_line("<urn:a> <urn:p> \"1\" .").unwrap();
        let delta = TripleDelta { added: BTreeSet::from([triple]), removed: BTreeSet::new() };
        let json = serde_json::to_string(&delta).unwrap();
        assert_eq!(json, r#"{"added":["<urn:a> <urn:p> \"1\" ."],"removed":[]}"#);
        assert_eq!(serde_json::from_str::<TripleDelta>(&json).unwrap(), delta);
        assert!(
            serde_json::from_str::<TripleDelta>(r#"{"added":["_:b <urn:p> <urn:o> ."],"removed":[]}"#)
                .is_err()
        );
    }

    #[test]
    fn a_triple_both_added_and_removed_is_refused() {
        let triple = Triple::from_nquads_line("<urn:a> <urn:p> \"1\" .").unwrap();
        let graph: Graph = [triple.clone()].into_iter().collect();
        let both = TripleDelta { added: BTreeSet::from([triple.clone()]), removed: BTreeSet::from([triple]) };
        assert_eq!(both.apply(&graph).unwrap_err().code(), "KNHK-E1309");
    }
}
