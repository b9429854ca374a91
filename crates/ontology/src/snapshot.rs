//! Versions of one sector's ontology and their identities.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::core_ontology::{meta_report, meta_report_after};
use crate::error::OntologyError;
use crate::graph::Graph;
use crate::reading::is_silent;
use crate::schema::Schema;
use crate::shacl::Report;
use crate::sigma::Sigma;
use crate::trie::Hash;
use crate::triple_delta::TripleDelta;

macro_rules! digest_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Shown as 64 hexadecimal digits; serialised so in text formats, as 32 bytes in binary ones.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Hash);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = OntologyError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let mut bytes = [0; 32];
                // One spelling for each id: upper case is refused.
                let lower = !text.bytes().any(|b| b.is_ascii_uppercase());
                match hex::decode_to_slice(text, &mut bytes) {
                    Ok(()) if lower => Ok(Self(bytes)),
                    _ => Err(OntologyError::BadText {
                        text: text.chars().take(80).collect(),
                        expected: "64 lower-case hexadecimal digits",
                    }),
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    serializer.serialize_bytes(&self.0)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    deserializer.deserialize_str(DigestVisitor)
                } else {
                    deserializer.deserialize_bytes(DigestVisitor)
                }
                .map(Self)
            }
        }
    };
}

digest_newtype! {
    /// What an ontology says: the same triples in core and sector give the same id, whoever computes it.
    ContentId
}
digest_newtype! {
    /// One version in a history: two versions of equal content have different ids.
    SnapshotId
}

struct DigestVisitor;

impl serde::de::Visitor<'_> for DigestVisitor {
    type Value = Hash;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("64 hexadecimal digits or 32 bytes")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Hash, E> {
        text.parse::<ContentId>().map(|id| id.0).map_err(E::custom)
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Hash, E> {
        bytes.try_into().map_err(|_| E::invalid_length(bytes.len(), &self))
    }
}

/// A semantic version `x.y.z`, without pre-release or build parts (SemVer 2.0.0 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Raised by changes that may invalidate data.
    pub major: u64,
    /// Raised by additions and other changes that cannot.
    pub minor: u64,
    /// Raised by changes of words and thresholds.
    pub patch: u64,
}

impl Version {
    /// `1.0.0`.
    pub const FIRST: Self = Self { major: 1, minor: 0, patch: 0 };
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for Version {
    type Err = OntologyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |part: &str| {
            let plain = part == "0" || (!part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit()));
            if plain { part.parse::<u64>().ok() } else { None }
        };
        let parts: Option<Vec<u64>> = text.split('.').map(number).collect();
        match parts.as_deref() {
            Some(&[major, minor, patch]) => Ok(Self { major, minor, patch }),
            _ => Err(OntologyError::BadText {
                text: text.chars().take(60).collect(),
                expected: "a version x.y.z of whole numbers without leading zeros",
            }),
        }
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// One immutable version of one sector's ontology. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its identity in the history.
    pub id: SnapshotId,
    /// What it says.
    pub content_id: ContentId,
    /// The versions it was made from; none for the first.
    pub parents: Vec<SnapshotId>,
    /// The sector's name.
    pub sector: String,
    /// Semantic version.
    pub version: Version,
    /// When it came into force, Unix ms; later than its parents. Not part of any id.
    pub promoted_at_ms: u64,
    /// [`TripleDelta::digest`] of the change of the sector's graph that made it; that of the empty change for the first.
    pub delta_digest: Hash,
    /// Digest of the pack the history began with.
    pub pack_digest: Hash,
    /// The graphs.
    pub sigma: Sigma,
    /// What they say about events.
    pub schema: Arc<Schema>,
    /// What Σ² says of them, once it was asked.
    pub(crate) meta: Kept<Report>,
}

/// Something that follows from the rest of a snapshot, worked out when first asked for; no part of what it is.
#[derive(Clone, Debug)]
pub(crate) struct Kept<T>(Arc<OnceLock<T>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> PartialEq for Kept<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Eq for Kept<T> {}

/// An ontology with what it says about events, which was read from it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    sigma: Sigma,
    schema: Arc<Schema>,
}

impl Known {
    /// Reads what an ontology says.
    ///
    /// # Errors
    /// As [`Schema::read`].
    pub fn read(sigma: Sigma) -> Result<Self, OntologyError> {
        let schema = Arc::new(sigma.schema()?);
        Ok(Self { sigma, schema })
    }

    /// The graphs.
    pub fn sigma(&self) -> &Sigma {
        &self.sigma
    }

    /// What they say about events.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    pub(crate) fn kept(sigma: Sigma, schema: Arc<Schema>) -> Self {
        Self { sigma, schema }
    }

    /// What `sigma` says: this if it is the same ontology by its content id, and read anew otherwise.
    fn schema_of(&self, sigma: &Sigma) -> Result<Arc<Schema>, OntologyError> {
        if sigma.content_id() == self.sigma.content_id() {
            Ok(Arc::clone(&self.schema))
        } else {
            Ok(Arc::new(sigma.schema()?))
        }
    }
}

impl Snapshot {
    /// What of Σ² it breaks: a full pass when first asked, unless it was made from a version whose report is known.
    ///
    /// # Errors
    /// As [`meta_report`].
    pub fn meta_report(&self) -> Result<&Report, OntologyError> {
        if let Some(report) = self.meta.0.get() {
            return Ok(report);
        }
        let report = meta_report(&self.sigma)?;
        Ok(self.meta.0.get_or_init(|| report))
    }

    /// The same of this version after `delta` of its sector's graph, which leads to `after`: at the cost of the change.
    ///
    /// # Errors
    /// As [`meta_report_after`].
    pub fn meta_report_after(&self, after: &Sigma, delta: &TripleDelta) -> Result<Report, OntologyError> {
        meta_report_after(&self.sigma, after, delta, self.meta_report()?)
    }

    /// The first version, made from a pack.
    ///
    /// # Errors
    /// As [`Schema::read`].
    pub fn genesis(
        sigma: Sigma,
        version: Version,
        pack_digest: Hash,
        at_ms: u64,
    ) -> Result<Self, OntologyError> {
        let schema = Arc::new(sigma.schema()?);
        Ok(Self::make(
            sigma,
            schema,
            Vec::new(),
            version,
            TripleDelta::default().digest(),
            pack_digest,
            at_ms,
        ))
    }

    /// The version after a change of the sector's graph. In force from `now_ms`, or one ms after this one if the clock
    /// has gone back. A rollback is a child too, by [`TripleDelta::between`] this content and the earlier one.
    ///
    /// # Errors
    /// As [`TripleDelta::apply`] and [`Schema::read`].
    pub fn child(&self, delta: &TripleDelta, version: Version, now_ms: u64) -> Result<Self, OntologyError> {
        let Known { sigma, schema } = self.after(delta)?;
        self.child_of(sigma, schema, delta, version, now_ms)
    }

    /// The ontology after a change of the sector's graph. It is read, unless the change says nothing about events.
    ///
    /// # Errors
    /// As [`TripleDelta::apply`] and [`Schema::read`].
    pub fn after(&self, delta: &TripleDelta) -> Result<Known, OntologyError> {
        let sigma = self.sigma.apply(delta)?;
        if is_silent(&self.schema, &self.sigma.sector, delta) {
            return Ok(Known { sigma, schema: Arc::clone(&self.schema) });
        }
        Known::read(sigma)
    }

    /// [`Snapshot::child`] where the ontology after the change was read before: then it costs what the change does. If
    /// `known` is another ontology than the change leads to, the right one is read.
    ///
    /// # Errors
    /// As [`Snapshot::child`].
    pub fn child_known(
        &self,
        delta: &TripleDelta,
        known: &Known,
        version: Version,
        now_ms: u64,
    ) -> Result<Self, OntologyError> {
        let sigma = self.sigma.apply(delta)?;
        let schema = known.schema_of(&sigma)?;
        self.child_of(sigma, schema, delta, version, now_ms)
    }

    fn child_of(
        &self,
        sigma: Sigma,
        schema: Arc<Schema>,
        delta: &TripleDelta,
        version: Version,
        now_ms: u64,
    ) -> Result<Self, OntologyError> {
        let child = self.next(sigma, schema, version, delta.digest(), now_ms)?;
        // What was known of this version is soon known of the next.
        if let Some(report) = self.meta.0.get() {
            let report = meta_report_after(&self.sigma, &child.sigma, delta, report)?;
            child.meta.0.get_or_init(|| report);
        }
        Ok(child)
    }

    /// The version after a change of the core; the sector's graph stays.
    ///
    /// # Errors
    /// As [`Schema::read`].
    pub fn with_core(&self, core: Graph, version: Version, now_ms: u64) -> Result<Self, OntologyError> {
        let sigma = Sigma::new(core, self.sigma.sector.clone());
        let schema = Arc::new(sigma.schema()?);
        self.next(sigma, schema, version, TripleDelta::default().digest(), now_ms)
    }

    fn next(
        &self,
        sigma: Sigma,
        schema: Arc<Schema>,
        version: Version,
        delta: Hash,
        now_ms: u64,
    ) -> Result<Self, OntologyError> {
        let at_ms = now_ms.max(self.promoted_at_ms.saturating_add(1));
        let child = Self::make(sigma, schema, vec![self.id], version, delta, self.pack_digest, at_ms);
        if child.sector == self.sector {
            Ok(child)
        } else {
            Err(OntologyError::malformed(
                &child.sector,
                format!("cannot follow a version of sector `{}`", self.sector),
            ))
        }
    }

    fn make(
        sigma: Sigma,
        schema: Arc<Schema>,
        parents: Vec<SnapshotId>,
        version: Version,
        delta_digest: Hash,
        pack_digest: Hash,
        promoted_at_ms: u64,
    ) -> Self {
        let content_id = sigma.content_id();
        let sector = schema.sector.clone();
        let id = snapshot_id(&content_id, &parents, &sector, version, &delta_digest, &pack_digest);
        Self {
            id,
            content_id,
            parents,
            sector,
            version,
            promoted_at_ms,
            delta_digest,
            pack_digest,
            sigma,
            schema,
            meta: Kept::default(),
        }
    }
}

/// The identity of a version (`docs/formats/ontology-identifiers.md`): no time is in it.
pub fn snapshot_id(
    content_id: &ContentId,
    parents: &[SnapshotId],
    sector: &str,
    version: Version,
    delta_digest: &Hash,
    pack_digest: &Hash,
) -> SnapshotId {
    let mut digest = Sha256::new();
    digest.update(b"knhk-snapshot/v1\n");
    digest.update(content_id.0);
    digest.update((parents.len() as u64).to_be_bytes());
    for parent in parents {
        digest.update(parent.0);
    }
    digest.update((sector.len() as u64).to_be_bytes());
    digest.update(sector.as_bytes());
    for number in [version.major, version.minor, version.patch] {
        digest.update(number.to_be_bytes());
    }
    digest.update(delta_digest);
    digest.update(pack_digest);
    SnapshotId(digest.finalize().into())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::history::History;
    use crate::iri::Iri;
    use crate::samples::{iri, sigma_of};
    use crate::schema::Settings;
    use crate::triple::{Literal, Triple};

    fn genesis() -> Snapshot {
        let schema = Schema {
            sector: "x".into(),
            namespace: "urn:e:x#".into(),
            settings: Settings::default(),
            event_types: std::collections::BTreeMap::new(),
            classes: std::collections::BTreeMap::new(),
        };
        Snapshot::genesis(sigma_of(&schema), Version::FIRST, [7; 32], 1_000).unwrap()
    }

    fn note(n: usize) -> TripleDelta {
        let text = Literal::string(format!("note {n}"));
        TripleDelta {
            added: BTreeSet::from([Triple::new(&iri("i"), &iri("note"), text)]),
            removed: BTreeSet::new(),
        }
    }

    #[test]
    fn there_and_back_is_three_snapshots_of_two_contents() {
        let a = genesis();
        let b = a.child(&note(1), a.version.after(crate::delta::Effect::Neutral), 500).unwrap();
        let back =
            b.child(&TripleDelta::between(&b.sigma.sector, &a.sigma.sector), Version::FIRST, 500).unwrap();
        assert_eq!(back.content_id, a.content_id);
        assert_ne!(b.content_id, a.content_id);
        assert_eq!(BTreeSet::from([a.id, b.id, back.id]).len(), 3);
        assert_eq!((b.promoted_at_ms, back.promoted_at_ms), (1_001, 1_002), "time never stands still");
        assert_eq!(b.child(&note(2), Version::FIRST, 9_000).unwrap().promoted_at_ms, 9_000);
        assert_eq!(a.child(&note(1), b.version, 77_777).unwrap().id, b.id, "no time in the id");

        let mut history = History::begin(a.clone()).unwrap();
        history.insert(b.clone()).unwrap();
        history.insert(back.clone()).unwrap();
        assert_eq!(history.depth(), 3);
        assert_eq!(history.head(), &back);
        assert_eq!(history.chain().map(|(id, ..)| id).collect::<Vec<_>>(), [back.id, b.id, a.id]);
        assert_eq!(history.snapshot(&b.id).unwrap(), b);
        assert_eq!(history.snapshot(&back.id).unwrap(), back);
        assert_eq!(history.sigma(&a.id), Some(&a.sigma));
        assert!(history.is_ancestor(&a.id, &back.id) && history.is_ancestor(&b.id, &b.id));
        assert!(!history.is_ancestor(&back.id, &a.id));
        assert_eq!(history.snapshot(&SnapshotId([0; 32])).unwrap_err().code(), "KNHK-E1316");
    }

    #[test]
    fn what_is_known_of_another_ontology_is_not_taken_for_this_one() {
        let a = genesis();
        let evidence = |n: &str| {
            let value = Literal::typed(n, crate::vocab::XSD_INTEGER.clone());
            let triple = Triple::new(&a.schema.sector_iri(), &crate::vocab::KNHK_MINIMUM_EVIDENCE, value);
            TripleDelta { added: BTreeSet::from([triple]), removed: BTreeSet::new() }
        };
        let (one, other) = (evidence("3"), evidence("5"));
        let known = Known::read(a.sigma.apply(&one).unwrap()).unwrap();
        let child = a.child_known(&one, &known, Version::FIRST, 0).unwrap();
        assert!(Arc::ptr_eq(&child.schema, known.schema()), "not read again");
        assert_eq!(child, a.child(&one, Version::FIRST, 0).unwrap());
        let different = a.child_known(&other, &known, Version::FIRST, 0).unwrap();
        assert_eq!(different, a.child(&other, Version::FIRST, 0).unwrap());
        assert_eq!(different.schema.settings.minimum_evidence, 5);
    }

    #[test]
    fn the_schemas_of_the_latest_versions_are_kept_and_older_ones_are_read() {
        let first = genesis();
        let rate = |n: usize| {
            let value = |n: usize| Literal::typed(n.to_string(), crate::vocab::XSD_INTEGER.clone());
            let (sector, term) = (first.schema.sector_iri(), &crate::vocab::KNHK_FREQUENCY_LIMIT);
            let of = |n: usize| BTreeSet::from([Triple::new(&sector, term, value(n + 7))]);
            TripleDelta { added: of(n), removed: n.checked_sub(1).map(of).unwrap_or_default() }
        };
        let mut history = History::begin(first.clone()).unwrap();
        let mut all = vec![first.clone()];
        for n in 0..crate::history::SCHEMAS_KEPT + 2 {
            let next = history.head().child(&rate(n), Version::FIRST, 0).unwrap();
            history.insert(next.clone()).unwrap();
            all.push(next);
        }
        for (back, snapshot) in all.iter().rev().enumerate() {
            let known = history.known(&snapshot.id).unwrap();
            let kept = Arc::ptr_eq(known.schema(), &snapshot.schema);
            assert_eq!(kept, back < crate::history::SCHEMAS_KEPT);
            assert_eq!((known.sigma(), known.schema()), (&snapshot.sigma, &snapshot.schema));
            assert_eq!(history.snapshot(&snapshot.id).unwrap(), *snapshot);
            for (further, ancestor) in all.iter().rev().enumerate() {
                assert_eq!(history.is_ancestor(&ancestor.id, &snapshot.id), further >= back);
            }
        }
        assert!(!history.is_ancestor(&SnapshotId([0; 32]), &all[0].id));
        assert!(!history.is_ancestor(&all[0].id, &SnapshotId([0; 32])));
    }

    #[test]
    fn a_stale_parent_is_refused_and_changes_nothing() {
        let a = genesis();
        let (b, c) = (a.child(&note(1), a.version, 0).unwrap(), a.child(&note(2), a.version, 0).unwrap());
        let mut history = History::begin(a).unwrap();
        history.insert(b.clone()).unwrap();
        assert_eq!(history.insert(c).unwrap_err().code(), "KNHK-E1314");
        assert_eq!((history.depth(), history.head().id), (2, b.id));
        let mut early = b.child(&note(3), b.version, 0).unwrap();
        early.promoted_at_ms = b.promoted_at_ms;
        assert_eq!(history.insert(early).unwrap_err().code(), "KNHK-E1305");
        assert_eq!(History::begin(b).unwrap_err().code(), "KNHK-E1314");
    }

    #[test]
    fn a_new_core_makes_a_new_version_of_the_same_sector() {
        let a = genesis();
        let mut core = a.sigma.core.clone();
        core.insert(&Triple::new(&Iri::new("urn:knhk:ns#z").unwrap(), &iri("note"), Literal::string("n")));
        let b = a.with_core(core, Version { major: 2, minor: 0, patch: 0 }, 5_000).unwrap();
        assert_ne!(b.content_id, a.content_id);
        assert_eq!(b.sigma.sector.root(), a.sigma.sector.root());
        assert_eq!(b.parents, [a.id]);
    }

    #[test]
    fn ids_and_versions_read_back_and_bad_ones_are_refused() {
        let id = genesis().id;
        assert_eq!(id.to_string().parse::<SnapshotId>().unwrap(), id);
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, format!("\"{id}\""));
        assert_eq!(serde_json::from_str::<SnapshotId>(&json).unwrap(), id);
        assert!("00".parse::<ContentId>().is_err());
        assert!("A".repeat(64).parse::<ContentId>().is_err());
        let version: Version = serde_json::from_str("\"2.10.0\"").unwrap();
        assert_eq!(serde_json::to_string(&version).unwrap(), "\"2.10.0\"");
        for bad in ["", "1.2", "1.2.3.4", "01.2.3", "1.-2.3", "1.2.x", "1.2.3-a", "99999999999999999999.0.0"]
        {
            assert_eq!(bad.parse::<Version>().unwrap_err().code(), "KNHK-E1318", "{bad}");
        }
    }

    /// The vector in `docs/formats/ontology-identifiers.md`.
    #[test]
    fn the_documented_vector_holds() {
        let id = snapshot_id(
            &ContentId([1; 32]),
            &[SnapshotId([2; 32])],
            "x",
            Version { major: 1, minor: 2, patch: 3 },
            &[3; 32],
            &[4; 32],
        );
        let page = include_str!("../../../docs/formats/ontology-identifiers.md");
        assert!(page.contains(&id.to_string()), "{id}");
    }
}
