//! The log's tree as static files: C2SP tlog-tiles. See `docs/formats/tiles.md` and <https://c2sp.org/tlog-tiles>.

use crate::entry::MAX_ENTRY_LEN;
use crate::error::{Result, within};
use crate::hash::Hash;
use crate::merkle;

/// Hashes of a full tile: 2^8, the height that C2SP fixes.
pub const TILE_WIDTH: usize = 256;

/// One file of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TileFile {
    /// Its path below the export's directory, with `/` between the parts.
    pub path: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Turns a stream of leaf data into tiles, keeping at most one tile a level.
#[derive(Debug, Default)]
pub struct Tiler {
    entries: Pending<u8>,
    levels: Vec<Pending<Hash>>,
}

/// A tile in the making.
#[derive(Debug)]
struct Pending<T> {
    /// How many full tiles came before.
    number: u64,
    width: usize,
    content: Vec<T>,
}

impl<T> Default for Pending<T> {
    fn default() -> Self {
        Self { number: 0, width: 0, content: Vec::new() }
    }
}

impl<T> Pending<T> {
    /// Empties the tile and begins the next; gives path and content of this one.
    fn close(&mut self, level: &str) -> (String, Vec<T>) {
        let path = tile_path(level, self.number, self.width);
        self.number += 1;
        self.width = 0;
        (path, std::mem::take(&mut self.content))
    }
}

impl Tiler {
    /// Begins with the empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next leaf's data; gives each tile that is full now to `write`.
    ///
    /// # Errors
    /// Refuses leaf data above [`MAX_ENTRY_LEN`], and passes on what `write` gives.
    pub fn push<E: From<crate::Error>>(
        &mut self,
        leaf_data: &[u8],
        mut write: impl FnMut(TileFile) -> Result<(), E>,
    ) -> Result<(), E> {
        within("log entry", leaf_data.len(), MAX_ENTRY_LEN)?;
        let len = u16::try_from(leaf_data.len()).unwrap_or(u16::MAX);
        self.entries.content.extend_from_slice(&len.to_be_bytes());
        self.entries.content.extend_from_slice(leaf_data);
        self.entries.width += 1;
        if self.entries.width == TILE_WIDTH {
            let (path, bytes) = self.entries.close("entries");
            write(TileFile { path, bytes })?;
        }
        let mut hash = merkle::leaf_hash(&[leaf_data]);
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(Pending::default());
            }
            let tile = &mut self.levels[level];
            tile.content.push(hash);
            tile.width += 1;
            if tile.width < TILE_WIDTH {
                break;
            }
            let (path, hashes) = tile.close(&level.to_string());
            write(TileFile { path, bytes: concat(&hashes) })?;
            hash = merkle::root(hashes);
        }
        Ok(())
    }

    /// Gives the partial tiles to `write`.
    pub fn finish<E>(mut self, mut write: impl FnMut(TileFile) -> Result<(), E>) -> Result<(), E> {
        if self.entries.width > 0 {
            let (path, bytes) = self.entries.close("entries");
            write(TileFile { path, bytes })?;
        }
        for (level, tile) in self.levels.iter_mut().enumerate() {
            if tile.width > 0 {
                let (path, hashes) = tile.close(&level.to_string());
                write(TileFile { path, bytes: concat(&hashes) })?;
            }
        }
        Ok(())
    }
}

fn concat(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

/// The path of tile `number` of a level, `entries` included, with `width` hashes.
fn tile_path(level: &str, number: u64, width: usize) -> String {
    let mut path = format!("{:03}", number % 1000);
    let mut rest = number / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    let part = if width < TILE_WIDTH { format!(".p/{width}") } else { String::new() };
    format!("tile/{level}/{path}{part}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::error::Error;
    use crate::merkle::{Frontier, leaf_hash};

    fn leaf(i: usize) -> Vec<u8> {
        vec![u8::try_from(i % 251).unwrap(); i % 7]
    }

    fn tiles(size: usize) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut write = |file: TileFile| {
            assert!(files.insert(file.path, file.bytes).is_none());
            Ok::<(), Error>(())
        };
        let mut tiler = Tiler::new();
        for i in 0..size {
            tiler.push(&leaf(i), &mut write).unwrap();
        }
        tiler.finish(write).unwrap();
        files
    }

    /// The hash at a place of a level, from the leaves alone.
    fn expected(level: u32, at: usize) -> Hash {
        let width = TILE_WIDTH.pow(level);
        merkle::root((at * width..(at + 1) * width).map(|i| leaf_hash(&[&leaf(i)])))
    }

    #[test]
    fn the_paths_are_those_of_the_specification() {
        assert_eq!(tile_path("0", 0, 256), "tile/0/000");
        assert_eq!(tile_path("1", 0, 1), "tile/1/000.p/1");
        assert_eq!(tile_path("entries", 1_234_067, 256), "tile/entries/x001/x234/067");
        assert_eq!(tile_path("15", 1000, 255), "tile/15/x001/000.p/255");
    }

    #[test]
    fn a_tree_of_every_shape_has_the_tiles_of_the_specification_and_no_other() {
        for size in [0, 1, 2, 255, 256, 257, 511, 512, 700] {
            let files = tiles(size);
            let mut wanted = Vec::new();
            for (level, count) in [("entries", size), ("0", size), ("1", size / 256)] {
                wanted.extend((0..count / 256).map(|n| format!("tile/{level}/{n:03}")));
                if count % 256 > 0 {
                    wanted.push(format!("tile/{level}/{:03}.p/{}", count / 256, count % 256));
                }
            }
            wanted.sort();
            assert_eq!(files.keys().cloned().collect::<Vec<_>>(), wanted, "size {size}");
            for (path, bytes) in &files {
                let parts: Vec<_> = path.split('/').collect();
                let number: usize = parts[2].trim_end_matches(".p").parse().unwrap();
                if let Ok(level) = parts[1].parse::<u32>() {
                    for (i, hash) in bytes.chunks(32).enumerate() {
                        assert_eq!(hash, expected(level, number * 256 + i).as_bytes(), "{path} {i}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_third_level_begins_at_65536_leaves_and_leads_to_the_root() {
        let size = 65_536 + 300;
        let files = tiles(size);
        let mut tree = Frontier::new();
        (0..size).for_each(|i| tree.push(leaf_hash(&[&leaf(i)])));
        let hash = |path: &str, at: usize| Hash::from_slice(&files[path][at * 32..(at + 1) * 32]).unwrap();
        let rest = merkle::root((0..44).map(|i| hash("tile/0/257.p/44", i)));
        let middle = merkle::node_hash(&hash("tile/1/001.p/1", 0), &rest);
        assert_eq!(merkle::node_hash(&hash("tile/2/000.p/1", 0), &middle), tree.root());
    }

    #[test]
    fn an_entry_that_no_tile_can_carry_is_refused() {
        let mut tiler = Tiler::new();
        let write = |_| Ok::<(), Error>(());
        assert!(tiler.push(&vec![0; MAX_ENTRY_LEN], write).is_ok());
        assert!(matches!(tiler.push(&vec![0; MAX_ENTRY_LEN + 1], write), Err(Error::Limit { .. })));
    }
}
