//! The versions of one sector, in order.

use std::sync::Arc;

use imbl::{OrdMap, Vector};

use crate::error::OntologyError;
use crate::schema::Schema;
use crate::sigma::Sigma;
use crate::snapshot::{ContentId, Known, Snapshot, SnapshotId, Version};
use crate::trie::Hash;

/// Most snapshots in one sector's history.
pub const HISTORY_DEPTH_MAX: usize = 100_000;
/// The latest versions whose schemas are kept, so that going back to one of them need not read its graphs.
pub const SCHEMAS_KEPT: usize = 4;

/// Every version of one sector since its first, and which is in force. Cloning is O(1). Earlier versions share the
/// triples they have in common; what they say about events is read again when asked for, but for the
/// [`SCHEMAS_KEPT`] latest.
#[derive(Clone, Debug)]
pub struct History {
    past: OrdMap<SnapshotId, Arc<Past>>,
    head: Snapshot,
    /// The latest last.
    schemas: Vector<(SnapshotId, Arc<Schema>)>,
}

/// A snapshot without its schema, which is a view of the graphs and by far the larger part.
#[derive(Debug)]
struct Past {
    /// How many versions are before it.
    at: usize,
    content_id: ContentId,
    parents: Vec<SnapshotId>,
    version: Version,
    promoted_at_ms: u64,
    delta_digest: Hash,
    pack_digest: Hash,
    sigma: Sigma,
}

impl Past {
    fn of(snapshot: &Snapshot, at: usize) -> Arc<Self> {
        Arc::new(Self {
            at,
            content_id: snapshot.content_id,
            parents: snapshot.parents.clone(),
            version: snapshot.version,
            promoted_at_ms: snapshot.promoted_at_ms,
            delta_digest: snapshot.delta_digest,
            pack_digest: snapshot.pack_digest,
            sigma: snapshot.sigma.clone(),
        })
    }
}

impl History {
    /// A history that begins with `genesis`.
    ///
    /// # Errors
    /// [`OntologyError::StaleParent`] when it has a parent.
    pub fn begin(genesis: Snapshot) -> Result<Self, OntologyError> {
        if let Some(parent) = genesis.parents.first() {
            return Err(stale(&genesis, *parent, "none: the first version has no parent"));
        }
        Ok(Self {
            past: OrdMap::unit(genesis.id, Past::of(&genesis, 0)),
            schemas: Vector::unit((genesis.id, Arc::clone(&genesis.schema))),
            head: genesis,
        })
    }

    /// Adds a version whose only parent is the head, and makes it the head.
    ///
    /// # Errors
    /// [`OntologyError::StaleParent`] when its parent is not the head, [`OntologyError::Malformed`] when it is of
    /// another sector or not later, [`OntologyError::TooLarge`] beyond [`HISTORY_DEPTH_MAX`].
    pub fn insert(&mut self, snapshot: Snapshot) -> Result<(), OntologyError> {
        if snapshot.parents != [self.head.id] {
            let parent = snapshot.parents.first().copied().unwrap_or(snapshot.id);
            return Err(stale(&snapshot, parent, &self.head.id.to_string()));
        }
        if snapshot.sector != self.head.sector || snapshot.promoted_at_ms <= self.head.promoted_at_ms {
            let problem = "is of another sector than its parent, or not later";
            return Err(OntologyError::malformed(&snapshot.id, problem));
        }
        if self.past.len() == HISTORY_DEPTH_MAX {
            let what = format!("history of sector `{}` in snapshots", self.head.sector);
            return Err(OntologyError::too_large(what, HISTORY_DEPTH_MAX));
        }
        self.past.insert(snapshot.id, Past::of(&snapshot, self.past.len()));
        if self.schemas.len() == SCHEMAS_KEPT {
            self.schemas.pop_front();
        }
        self.schemas.push_back((snapshot.id, Arc::clone(&snapshot.schema)));
        self.head = snapshot;
        Ok(())
    }

    /// The version in force.
    pub fn head(&self) -> &Snapshot {
        &self.head
    }

    /// How many versions.
    pub fn depth(&self) -> usize {
        self.past.len()
    }

    /// Whether the version is in this history.
    pub fn contains(&self, id: &SnapshotId) -> bool {
        self.past.contains_key(id)
    }

    /// The graphs of a version.
    pub fn sigma(&self, id: &SnapshotId) -> Option<&Sigma> {
        self.past.get(id).map(|past| &past.sigma)
    }

    /// The graphs of a version and what they say: read from them unless it is one of the latest.
    ///
    /// # Errors
    /// [`OntologyError::UnknownSnapshot`].
    pub fn known(&self, id: &SnapshotId) -> Result<Known, OntologyError> {
        let sigma =
            self.sigma(id).cloned().ok_or_else(|| OntologyError::UnknownSnapshot { id: id.to_string() })?;
        match self.schemas.iter().find(|(kept, _)| kept == id) {
            Some((_, schema)) => Ok(Known::kept(sigma, Arc::clone(schema))),
            None => Known::read(sigma),
        }
    }

    /// A version in full; its schema is read from its graphs unless it is one of the latest.
    ///
    /// # Errors
    /// [`OntologyError::UnknownSnapshot`].
    pub fn snapshot(&self, id: &SnapshotId) -> Result<Snapshot, OntologyError> {
        if *id == self.head.id {
            return Ok(self.head.clone());
        }
        let past = self.past.get(id).ok_or_else(|| OntologyError::UnknownSnapshot { id: id.to_string() })?;
        Ok(Snapshot {
            id: *id,
            content_id: past.content_id,
            parents: past.parents.clone(),
            sector: self.head.sector.clone(),
            version: past.version,
            promoted_at_ms: past.promoted_at_ms,
            delta_digest: past.delta_digest,
            pack_digest: past.pack_digest,
            sigma: past.sigma.clone(),
            schema: Arc::clone(self.known(id)?.schema()),
            meta: crate::snapshot::Kept::default(),
        })
    }

    /// The versions from the head back to the first: id, version, and when it came into force in Unix ms.
    pub fn chain(&self) -> impl Iterator<Item = (SnapshotId, Version, u64)> + '_ {
        let mut next = Some(self.head.id);
        std::iter::from_fn(move || {
            let id = next?;
            let past = self.past.get(&id)?;
            next = past.parents.first().copied();
            Some((id, past.version, past.promoted_at_ms))
        })
    }

    /// Whether `ancestor` is `of` or a version that `of` was made from. O(log n).
    pub fn is_ancestor(&self, ancestor: &SnapshotId, of: &SnapshotId) -> bool {
        // `insert` takes only children of the head, so the versions are a chain.
        match (self.past.get(ancestor), self.past.get(of)) {
            (Some(ancestor), Some(of)) => ancestor.at <= of.at,
            _ => false,
        }
    }
}

fn stale(snapshot: &Snapshot, parent: SnapshotId, head: &str) -> OntologyError {
    OntologyError::StaleParent {
        sector: snapshot.sector.clone(),
        parent: parent.to_string(),
        head: head.to_owned(),
    }
}
