//! The bytes of one file: as the page cache has them, as the disk has them, and what lies between.

use std::cmp::Ordering;

use crate::rng::Rng;
use crate::survival::Survival;

/// Bytes that a disk writes whole or not at all.
pub(crate) const SECTOR_LEN: usize = 512;

#[derive(Debug, Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Len(usize),
}

/// A file's content.
#[derive(Debug, Default)]
pub(crate) struct Content {
    cache: Vec<u8>,
    disk: Vec<u8>,
    unsynced: Vec<Change>,
}

impl Content {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.cache
    }

    pub(crate) fn is_synced(&self) -> bool {
        self.unsynced.is_empty()
    }

    pub(crate) fn write(&mut self, offset: usize, bytes: &[u8]) {
        put(&mut self.cache, offset, bytes);
        self.unsynced.push(Change::Write { offset, bytes: bytes.to_vec() });
    }

    pub(crate) fn set_len(&mut self, len: usize) {
        self.cache.resize(len, 0);
        self.unsynced.push(Change::Len(len));
    }

    /// Empties the file at once: a journal never puts the new name of a file before its truncation.
    pub(crate) fn empty(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            apply(&mut self.disk, &change, &mut |_| true);
        }
    }

    /// A sync that fails, as Linux fails it: some of the pages reached the disk, all of them count as clean, and the
    /// cache still shows what the disk has not. Lengths are in the journal, which forgets nothing.
    pub(crate) fn fail_sync(&mut self, rng: &mut Rng) {
        for change in std::mem::take(&mut self.unsynced) {
            match change {
                Change::Len(_) => self.unsynced.push(change),
                Change::Write { .. } if rng.once_in(2) => {
                    apply(&mut self.disk, &change, &mut |_| rng.once_in(2));
                }
                Change::Write { .. } => {}
            }
        }
    }

    /// The power goes; the cache is gone, and some of what was not synced is on the disk.
    pub(crate) fn lose_power(&mut self, survival: Survival, rng: &mut Rng) {
        let changes = std::mem::take(&mut self.unsynced);
        let edge = rng.index(changes.len() + 1);
        for (i, change) in changes.iter().enumerate() {
            match survival {
                Survival::Nothing | Survival::Names => {}
                Survival::Everything | Survival::Contents => whole(&mut self.disk, change),
                Survival::Lengths => match change {
                    Change::Write { offset, bytes } => {
                        let len = self.disk.len().max(offset + bytes.len());
                        self.disk.resize(len, 0);
                    }
                    Change::Len(len) => self.disk.resize(*len, 0),
                },
                Survival::Prefix => {
                    // Whole before the edge, torn at it, gone behind it.
                    let sectors = match i.cmp(&edge) {
                        Ordering::Less => usize::MAX,
                        Ordering::Equal => rng.index(16),
                        Ordering::Greater => 0,
                    };
                    apply(&mut self.disk, change, &mut |sector| sector < sectors);
                }
                Survival::Subset => match rng.below(3) {
                    0 => {}
                    1 => whole(&mut self.disk, change),
                    _ => apply(&mut self.disk, change, &mut |_| rng.once_in(2)),
                },
            }
        }
        self.cache.clone_from(&self.disk);
    }

    /// A bit that turned over on the disk.
    pub(crate) fn flip(&mut self, offset: usize, bit: u8) {
        self.disk[offset] ^= 1 << bit;
        self.cache[offset] ^= 1 << bit;
    }
}

fn whole(to: &mut Vec<u8>, change: &Change) {
    apply(to, change, &mut |_| true);
}

fn put(to: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if to.len() < end {
        to.resize(end, 0);
    }
    to[offset..end].copy_from_slice(bytes);
}

/// Applies a change; of a write, those sectors, counted from its first, that are kept.
fn apply(to: &mut Vec<u8>, change: &Change, keep: &mut dyn FnMut(usize) -> bool) {
    match change {
        Change::Len(len) => {
            if keep(0) {
                to.resize(*len, 0);
            }
        }
        Change::Write { offset, bytes } => {
            let (mut at, mut sector) = (0, 0);
            while at < bytes.len() {
                let end = bytes.len().min(at + SECTOR_LEN - (offset + at) % SECTOR_LEN);
                if keep(sector) {
                    put(to, offset + at, &bytes[at..end]);
                }
                (at, sector) = (end, sector + 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_synced_survives_and_what_was_not_may_survive_by_sector() {
        let mut torn = 0;
        for seed in 0..200 {
            let mut rng = Rng::new(seed);
            let survival = rng.pick(&Survival::ALL);
            let mut content = Content::default();
            content.write(0, &[1; 700]);
            content.sync();
            content.write(300, &[2; 2000]);
            assert_eq!(content.bytes().len(), 2300);
            content.lose_power(survival, &mut rng);
            let bytes = content.bytes();
            assert!(bytes[..300].iter().all(|byte| *byte == 1), "{survival:?}");
            for sector in bytes.chunks(SECTOR_LEN).skip(2) {
                assert!(sector.iter().all(|byte| *byte == sector[0]), "a sector is torn in itself");
            }
            torn += usize::from(bytes.contains(&2) && bytes[700.min(bytes.len())..].contains(&0));
        }
        assert!(torn > 0, "no write was ever torn");
    }

    #[test]
    fn a_failed_sync_leaves_in_the_cache_what_the_disk_does_not_have() {
        let mut content = Content::default();
        content.write(0, &[7; 4096]);
        content.fail_sync(&mut Rng::new(3));
        assert_eq!(content.bytes(), [7; 4096]);
        content.sync();
        content.lose_power(Survival::Everything, &mut Rng::new(3));
        assert_ne!(content.bytes(), [7; 4096], "a second sync does not mend the first");
    }
}
