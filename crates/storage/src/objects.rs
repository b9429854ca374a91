//! Content-addressed files: packs, projections, anything too large for a log entry, named by SHA-256.

use std::path::PathBuf;

use knhk_evidence::Hash;

use crate::directory::{Directory, Durability};
use crate::error::{Error, Result};

/// Bytes of an object: 256 MiB.
pub const MAX_OBJECT_LEN: usize = 256 << 20;

/// The objects of a data directory: `objects/ab/cdef…`, the digest's 64 hexadecimal digits split after the second.
#[derive(Debug, Clone)]
pub struct Objects {
    directory: Directory,
    root: PathBuf,
}

impl Objects {
    /// The objects below a data directory, which is made if need be.
    pub fn open(directory: impl Into<Directory>) -> Result<Self> {
        let directory = directory.into();
        let root = directory.root().join("objects");
        directory.create(&root)?;
        Ok(Self { directory, root })
    }

    fn path(&self, digest: Hash) -> PathBuf {
        let name = digest.to_string();
        let (folder, file) = name.split_at(2);
        self.root.join(folder).join(file)
    }

    /// Keeps bytes durably and gives their digest. Bytes already kept are not written again.
    ///
    /// # Errors
    /// Refuses more than [`MAX_OBJECT_LEN`].
    pub fn put(&self, bytes: &[u8]) -> Result<Hash> {
        if bytes.len() > MAX_OBJECT_LEN {
            let (actual, limit) = (bytes.len() as u64, MAX_OBJECT_LEN as u64);
            return Err(knhk_evidence::Error::Limit { what: "object", actual, limit }.into());
        }
        let digest = Hash::of(bytes);
        if self.get(digest).is_ok() {
            return Ok(digest);
        }
        let path = self.path(digest);
        if let Some(folder) = path.parent() {
            self.directory.create(folder)?;
        }
        self.directory.replace(&path, bytes, Durability::Synced)?;
        Ok(digest)
    }

    /// The bytes of a digest, checked against it.
    pub fn get(&self, digest: Hash) -> Result<Vec<u8>> {
        let path = self.path(digest);
        if !self.directory.medium().exists(&path) {
            return Err(Error::NoObject { hash: digest.to_string(), path: self.root.clone() });
        }
        let bytes = self.directory.read_bounded(&path, MAX_OBJECT_LEN)?;
        if Hash::of(&bytes) != digest {
            return Err(Error::DamagedObject { path });
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_found_by_its_digest_and_kept_once() {
        let dir = tempfile::tempdir().unwrap();
        let objects = Objects::open(dir.path()).unwrap();
        let digest = objects.put(b"pack").unwrap();
        assert_eq!(digest, Hash::of(b"pack"));
        assert_eq!(objects.put(b"pack").unwrap(), digest);
        assert_eq!(Objects::open(dir.path()).unwrap().get(digest).unwrap(), b"pack");
        assert!(matches!(objects.get(Hash::of(b"other")), Err(Error::NoObject { .. })));
    }

    #[test]
    fn a_damaged_object_is_refused_and_put_mends_it() {
        let dir = tempfile::tempdir().unwrap();
        let objects = Objects::open(dir.path()).unwrap();
        let digest = objects.put(b"pack").unwrap();
        std::fs::write(objects.path(digest), b"pick").unwrap();
        assert!(matches!(objects.get(digest), Err(Error::DamagedObject { .. })));
        objects.put(b"pack").unwrap();
        assert_eq!(objects.get(digest).unwrap(), b"pack");
    }
}
