//! Σ_core and Σ², built into the program from `sectors/core`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::error::OntologyError;
use crate::graph::Graph;
use crate::pack;
use crate::shacl::{Change, Report, Shapes};
use crate::sigma::Sigma;
use crate::snapshot::Version;
use crate::trie::Hash;
use crate::triple_delta::TripleDelta;
use crate::turtle;

const MANIFEST: &str = include_str!("../../../sectors/core/sector.toml");
const ONTOLOGY: &str = include_str!("../../../sectors/core/ontology.ttl");
const META: &str = include_str!("../../../sectors/core/meta.ttl");

/// The core pack: the same for every sector.
#[derive(Clone, Debug)]
pub struct CorePack {
    /// Its version.
    pub version: Version,
    /// Σ_core: terms and Σ² together.
    pub graph: Graph,
    /// The pack digest of its files.
    pub digest: Hash,
    /// Its files, name → bytes.
    pub files: BTreeMap<String, Vec<u8>>,
}

static CORE: LazyLock<Result<CorePack, OntologyError>> = LazyLock::new(|| {
    #[derive(serde::Deserialize)]
    struct Manifest {
        version: Version,
    }
    let manifest: Manifest = toml::from_str(MANIFEST).map_err(|error| OntologyError::Pack {
        file: "sector.toml".into(),
        problem: error.message().to_owned(),
    })?;
    let mut graph = turtle::parse(ONTOLOGY)?;
    graph.extend(turtle::parse(META)?.iter());
    let files: BTreeMap<String, Vec<u8>> =
        [("sector.toml", MANIFEST), ("ontology.ttl", ONTOLOGY), ("meta.ttl", META)]
            .map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()))
            .into();
    Ok(CorePack { version: manifest.version, graph, digest: pack::digest(&files), files })
});

static META_SHAPES: LazyLock<Result<Shapes, OntologyError>> =
    LazyLock::new(|| Shapes::compile(&turtle::parse(META)?));

/// The core pack of this build. A test shows that it always reads.
///
/// # Errors
/// Those of reading Turtle, which cannot happen in a build whose tests pass.
pub fn core_pack() -> Result<&'static CorePack, OntologyError> {
    CORE.as_ref().map_err(Clone::clone)
}

/// Σ_core of this build.
///
/// # Errors
/// As [`core_pack`].
pub fn core_graph() -> Result<&'static Graph, OntologyError> {
    core_pack().map(|core| &core.graph)
}

/// What of Σ² the composed ontology breaks: nothing when it is sound.
///
/// # Errors
/// As [`Shapes::validate`].
pub fn meta_report(sigma: &Sigma) -> Result<Report, OntologyError> {
    META_SHAPES.as_ref().map_err(Clone::clone)?.validate(&sigma.composed())
}

/// The same of `after`, from the report of `before`, at the cost of what changed: `delta` leads from the one sector's graph
/// to the other. With another core everything is validated.
///
/// # Errors
/// As [`Shapes::revalidate`].
pub fn meta_report_after(
    before: &Sigma,
    after: &Sigma,
    delta: &TripleDelta,
    report: &Report,
) -> Result<Report, OntologyError> {
    let shapes = META_SHAPES.as_ref().map_err(Clone::clone)?;
    if before.core != after.core {
        return meta_report(after);
    }
    let delta = delta.beside(&after.core);
    let (before, after) = (before.composed(), after.composed());
    let change = Change { before: &before, after: &after, delta: &delta };
    Ok(shapes.revalidate(shapes, report, &change)?.report)
}

#[cfg(test)]
mod tests;
