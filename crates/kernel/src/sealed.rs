//! The sealed state of the kernel: enough to go on deciding, and to replay from, without the log before it. See
//! `docs/formats/sealed-kernel.md`.

use std::collections::BTreeMap;

use knhk_evidence::intern::{Table, Tables};
use knhk_evidence::{Hash, canonical};
use serde::{Deserialize, Serialize};

use crate::error::KernelError;
use crate::inputs::KernelStarted;
use crate::kernel::Kernel;
use crate::sector::SectorState;

/// A kernel's state as bytes: content-addressed objects, and the digest of the one that names the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Digest of the object to begin with; what a `state_sealed` input says.
    pub digest: Hash,
    /// Every object, by digest.
    pub objects: BTreeMap<Hash, Vec<u8>>,
}

/// Body of `state_sealed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateSealed {
    /// Digest of the sealed state.
    pub digest: Hash,
}

/// The object to begin with.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Root {
    started: Option<KernelStarted>,
    event_types: Vec<String>,
    sector_names: Vec<String>,
    sources: Vec<String>,
    /// Sector → digest of its object.
    sectors: BTreeMap<String, Hash>,
}

/// Objects being put together.
#[derive(Debug, Default)]
pub(crate) struct Objects(BTreeMap<Hash, Vec<u8>>);

impl Objects {
    /// Keeps bytes as an object.
    pub(crate) fn keep(&mut self, bytes: Vec<u8>) -> Hash {
        let digest = Hash::of(&bytes);
        self.0.insert(digest, bytes);
        digest
    }

    /// Keeps a value as an object.
    pub(crate) fn keep_value<T: Serialize>(&mut self, value: &T) -> Result<Hash, KernelError> {
        Ok(self.keep(canonical::to_bytes(value)?))
    }
}

/// Objects being taken apart.
pub(crate) struct Source<'a>(pub(crate) &'a mut dyn FnMut(Hash) -> Option<Vec<u8>>);

impl Source<'_> {
    /// An object's bytes, checked against its name.
    pub(crate) fn bytes(&mut self, digest: Hash) -> Result<Vec<u8>, KernelError> {
        let found = (self.0)(digest).filter(|bytes| Hash::of(bytes) == digest);
        found.ok_or(KernelError::SealedObject { digest: digest.to_string() })
    }

    /// An object's value.
    pub(crate) fn value<T: Serialize + serde::de::DeserializeOwned>(
        &mut self,
        digest: Hash,
    ) -> Result<T, KernelError> {
        Ok(canonical::from_bytes_exact(&self.bytes(digest)?)?)
    }
}

impl Kernel {
    /// The state as bytes. The events of the last window are no part of it, nor is the time: the input that names the state
    /// has it, and is the first to be given to a kernel that is unsealed.
    ///
    /// # Errors
    /// Refuses while a window is open, and a state of which one part is above the limit of a document.
    pub fn seal(&self) -> Result<Sealed, KernelError> {
        let mut objects = Objects::default();
        let mut sectors = BTreeMap::new();
        for (name, state) in &self.sectors {
            sectors.insert(name.clone(), state.seal(&mut objects)?);
        }
        let texts = |table| self.names().texts(table).map(str::to_owned).collect();
        let root = Root {
            started: self.started.clone(),
            event_types: texts(Table::EventType),
            sector_names: texts(Table::Sector),
            sources: texts(Table::Source),
            sectors,
        };
        let digest = objects.keep_value(&root)?;
        Ok(Sealed { digest, objects: objects.0 })
    }

    /// The kernel that was sealed. `object` gives the bytes of an object by its digest.
    ///
    /// # Errors
    /// Refuses missing or changed objects, and a state that its own history does not lead to.
    pub fn unseal(
        digest: Hash,
        object: &mut dyn FnMut(Hash) -> Option<Vec<u8>>,
    ) -> Result<Self, KernelError> {
        let mut source = Source(object);
        let root: Root = source.value(digest)?;
        let names = Tables::of(&root.event_types, &root.sector_names, &root.sources)?;
        let mut kernel = Self { names, started: root.started, ..Self::default() };
        for (name, digest) in &root.sectors {
            let state = SectorState::unseal(name, *digest, &mut source)?;
            if let Some(current) = &state.current {
                kernel.world.promote(name, None, current)?;
            }
            kernel.sectors.insert(name.clone(), state);
        }
        Ok(kernel)
    }
}
