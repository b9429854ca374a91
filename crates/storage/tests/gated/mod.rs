//! The real file system with a hand on it: syncs that hang or fail, a disk that is full.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use knhk_storage::medium::{Disk, Guard, How, Medium, MediumFile};

#[derive(Debug, Clone, Copy, Default)]
struct Rules {
    syncs_held: bool,
    syncs_fail: bool,
    full: bool,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gated(Arc<(Mutex<Rules>, Condvar)>);

impl Gated {
    fn change(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    pub(crate) fn hold_syncs(&self) {
        self.change(|rules| rules.syncs_held = true);
    }

    pub(crate) fn release_syncs(&self) {
        self.change(|rules| rules.syncs_held = false);
    }

    pub(crate) fn fail_syncs(&self) {
        self.change(|rules| rules.syncs_fail = true);
    }

    pub(crate) fn fill_disk(&self) {
        self.change(|rules| rules.full = true);
    }

    pub(crate) fn empty_disk(&self) {
        self.change(|rules| rules.full = false);
    }

    pub(crate) fn heal(&self) {
        self.change(|rules| *rules = Rules::default());
    }

    /// Waits as long as syncs are held.
    fn rules(&self, syncs: bool) -> Rules {
        let rules = self.0.0.lock().unwrap();
        *self.0.1.wait_while(rules, |rules| syncs && rules.syncs_held).unwrap()
    }
}

#[derive(Debug)]
struct GatedFile {
    file: Box<dyn MediumFile>,
    gate: Gated,
}

impl MediumFile for GatedFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if self.gate.rules(false).full {
            // A full disk takes a part.
            self.file.write_at(&bytes[..bytes.len() / 2], offset)?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.gate.rules(true).syncs_fail {
            return Err(io::Error::other("the disk says no"));
        }
        self.file.sync_data()
    }
}

impl Medium for Gated {
    fn open(&self, path: &Path, how: How) -> io::Result<Box<dyn MediumFile>> {
        Ok(Box::new(GatedFile { file: Disk.open(path, how)?, gate: self.clone() }))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        Disk.list(path)
    }

    fn exists(&self, path: &Path) -> bool {
        Disk.exists(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        Disk.create_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Disk.remove(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        Disk.sync_dir(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Guard>>> {
        Disk.lock(path)
    }
}
