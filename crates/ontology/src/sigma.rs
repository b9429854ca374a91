//! Σ = Σ_core ⊕ Σ_sector: two graphs read as one.

use sha2::{Digest, Sha256};

use crate::error::OntologyError;
use crate::graph::Graph;
use crate::index::Composed;
use crate::iri::Iri;
use crate::schema::Schema;
use crate::snapshot::ContentId;
use crate::triple::{Term, Triple};
use crate::triple_delta::TripleDelta;
use crate::vocab;

/// The composed ontology of one sector. Cloning is O(1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sigma {
    /// Σ_core, the same for every sector.
    pub core: Graph,
    /// Σ_sector.
    pub sector: Graph,
}

impl Sigma {
    /// The two together, numbered so that they can be read as one.
    pub fn new(core: Graph, sector: Graph) -> Self {
        let numbered = sector.numbered_after(&core);
        drop(sector);
        Self { core, sector: numbered }
    }

    /// Both read as one graph, by number.
    pub fn composed(&self) -> Composed<'_> {
        Composed::new(&self.core, &self.sector)
    }

    /// SHA-256 of `knhk-content/v1`, a line feed, and both roots (`docs/formats/ontology-identifiers.md`).
    pub fn content_id(&self) -> ContentId {
        let digest = Sha256::new()
            .chain_update(b"knhk-content/v1\n")
            .chain_update(self.core.root())
            .chain_update(self.sector.root())
            .finalize();
        ContentId(digest.into())
    }

    /// The name of the sector described, from the IRI of the one `knhk:Sector` of the sector graph.
    pub fn sector_name(&self) -> Option<String> {
        match self.sector.subjects(&vocab::RDF_TYPE, &Term::Iri(vocab::KNHK_SECTOR.clone())).as_slice() {
            [only] => only.as_str().strip_prefix(vocab::SECTOR_PREFIX).map(str::to_owned),
            _ => None,
        }
    }

    /// The triples of the union that agree with every part given, each once, in no order worth relying on.
    pub fn triples_matching<'g>(
        &'g self,
        subject: Option<&Iri>,
        predicate: Option<&Iri>,
        object: Option<&Term>,
    ) -> impl Iterator<Item = Triple> + use<'g> {
        self.core.matching(subject, predicate, object).chain(
            self.sector.matching(subject, predicate, object).filter(|triple| !self.core.contains(triple)),
        )
    }

    /// Every triple of the union, each once, in no order worth relying on.
    pub fn iter(&self) -> impl Iterator<Item = Triple> + '_ {
        self.triples_matching(None, None, None)
    }

    /// What it says about events.
    pub fn schema(&self) -> Result<Schema, OntologyError> {
        Schema::read(&self.core, &self.sector)
    }

    /// Σ after a change of the sector's graph; the core stays.
    pub fn apply(&self, delta: &TripleDelta) -> Result<Self, OntologyError> {
        Ok(Self { core: self.core.clone(), sector: delta.apply(&self.sector)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_union_has_each_triple_once_and_the_id_tells_the_layers_apart() {
        let line = |text: &str| Triple::from_nquads_line(text).unwrap();
        let (a, b) = (line("<urn:a> <urn:p> <urn:o> ."), line("<urn:b> <urn:p> <urn:o> ."));
        let core: Graph = [a.clone()].into_iter().collect();
        let sector: Graph = [a.clone(), b.clone()].into_iter().collect();
        let sigma = Sigma::new(core.clone(), sector.clone());
        let mut all: Vec<Triple> = sigma.iter().collect();
        all.sort();
        assert_eq!(all, [a, b.clone()]);
        assert_eq!(sigma.triples_matching(Some(&b.subject), None, None).count(), 1);
        assert_ne!(sigma.content_id(), Sigma::new(sector, core).content_id());
        assert_eq!(sigma.sector_name(), None);
    }
}
