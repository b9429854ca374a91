//! The Merkle tree of RFC 6962 §2.1 over SHA-256: roots and inclusion paths from a stream of leaf hashes.
//!
//! Nothing here keeps the leaves: a [`Frontier`] holds one hash per complete subtree, at most 64.

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::sha256::TwoBlocks;

/// Hashes in an inclusion path: a tree has at most 2^64 leaves.
pub const MAX_PATH_LEN: usize = 64;

/// SHA-256(0x00 ‖ data), the data given in parts.
pub fn leaf_hash(parts: &[&[u8]]) -> Hash {
    let mut sha = Sha256::new_with_prefix([0x00]);
    for part in parts {
        sha.update(part);
    }
    Hash(sha.finalize().into())
}

/// SHA-256(0x01 ‖ left ‖ right).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = TwoBlocks::<65>::new();
    let message = bytes.message();
    message[0] = 0x01;
    message[1..33].copy_from_slice(left.as_bytes());
    message[33..].copy_from_slice(right.as_bytes());
    bytes.digest()
}

/// The right edge of a growing tree: enough to append and to give the root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// Roots of the complete subtrees, largest first: one per set bit of `size`.
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// A tree of `size` leaves from the roots of its complete subtrees, as [`Frontier::peaks`] gives them.
    ///
    /// # Errors
    /// Refuses another number of peaks than `size` has set bits.
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Result<Self> {
        if peaks.len() != size.count_ones() as usize {
            return Err(Error::Sealed { why: "the number of peaks is not that of the size" });
        }
        Ok(Self { size, peaks })
    }

    /// Roots of the complete subtrees, largest first: one per set bit of the size.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Leaves so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root; of the empty tree, SHA-256 of the empty string.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return Hash::of(b"") };
        peaks.fold(*last, |right, left| node_hash(left, &right))
    }
}

/// The root over a sequence of leaf hashes.
pub fn root(leaves: impl IntoIterator<Item = Hash>) -> Hash {
    let mut tree = Frontier::new();
    for leaf in leaves {
        tree.push(leaf);
    }
    tree.root()
}

/// Builds one inclusion path (RFC 6962 §2.1.1) from the leaf hashes in order, keeping O(log² size) hashes.
#[derive(Debug)]
pub struct PathBuilder {
    size: u64,
    next: u64,
    /// The sibling subtrees from the root's child down to the leaf's sibling, with what was seen of them.
    siblings: Vec<(std::ops::Range<u64>, Frontier)>,
}

impl PathBuilder {
    /// The path of leaf `index` in the tree of the first `size` leaves.
    ///
    /// # Errors
    /// Refuses an index outside the tree.
    pub fn new(index: u64, size: u64) -> Result<Self> {
        if index >= size {
            return Err(Error::Proof { why: "the index lies outside the tree" });
        }
        let (mut low, mut high) = (0, size);
        let mut siblings = Vec::new();
        while high - low > 1 {
            // The largest power of two below the number of leaves.
            let split = low + (1 << (high - low - 1).ilog2());
            if index < split {
                siblings.push((split..high, Frontier::new()));
                high = split;
            } else {
                siblings.push((low..split, Frontier::new()));
                low = split;
            }
        }
        Ok(Self { size, next: 0, siblings })
    }

    /// Like [`PathBuilder::new`], for who has only the leaves from `start` on: what is before stands in its peaks.
    ///
    /// # Errors
    /// Refuses an index before the start, whose path cannot be built from peaks.
    pub fn resuming(start: &Frontier, index: u64, size: u64) -> Result<Self> {
        if index < start.size {
            return Err(Error::Proof { why: "the leaf lies before the entries that are kept" });
        }
        let mut builder = Self::new(index, size)?;
        seed(&mut builder.siblings, start);
        builder.next = start.size;
        Ok(builder)
    }

    /// Takes the next leaf hash; leaves beyond the tree are ignored.
    pub fn push(&mut self, leaf: Hash) {
        if let Some((_, tree)) = self.siblings.iter_mut().find(|(range, _)| range.contains(&self.next)) {
            tree.push(leaf);
        }
        self.next = self.next.saturating_add(1);
    }

    /// The path, the leaf's sibling first.
    ///
    /// # Errors
    /// Fails if fewer leaves came than the tree has.
    pub fn finish(self) -> Result<Vec<Hash>> {
        if self.next < self.size {
            return Err(Error::Proof { why: "the tree has fewer leaves than stated" });
        }
        Ok(self.siblings.iter().rev().map(|(_, tree)| tree.root()).collect())
    }
}

/// Gives each subtree the complete subtrees of `start` that lie in it: the leaves before are known by them alone.
///
/// One that lies in none of them is not needed: whoever verifies knows it already.
pub(crate) fn seed(subtrees: &mut [(std::ops::Range<u64>, Frontier)], start: &Frontier) {
    let mut low = 0;
    let bits = (0..u64::BITS).rev().filter(|bit| start.size >> bit & 1 == 1);
    for (bit, peak) in bits.zip(&start.peaks) {
        let len = 1 << bit;
        if let Some((_, tree)) = subtrees.iter_mut().find(|(range, _)| range.contains(&low)) {
            tree.peaks.push(*peak);
            tree.size += len;
        }
        low += len;
    }
}

/// The inclusion path of leaf `index` among the first `size` of `leaves`: see [`PathBuilder`].
pub fn inclusion_path(leaves: impl IntoIterator<Item = Hash>, index: u64, size: u64) -> Result<Vec<Hash>> {
    let mut builder = PathBuilder::new(index, size)?;
    for leaf in leaves {
        builder.push(leaf);
    }
    builder.finish()
}

/// Checks an inclusion path (RFC 9162 §2.1.3.2): `leaf` is leaf `index` of the tree of `size` leaves under `root`.
pub fn verify_inclusion(leaf: Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> Result<()> {
    if index >= size {
        return Err(Error::Proof { why: "the index lies outside the tree" });
    }
    let (mut position, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in path {
        if last == 0 {
            return Err(Error::Proof { why: "the path is too long for the tree" });
        }
        if position & 1 == 1 || position == last {
            hash = node_hash(sibling, &hash);
            while position & 1 == 0 && position != 0 {
                position >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        position >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(Error::Proof { why: "the path is too short for the tree" });
    }
    if hash != *root {
        return Err(Error::Proof { why: "the path does not lead to the root" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(i: u64) -> Hash {
        leaf_hash(&[&i.to_be_bytes()])
    }

    /// RFC 6962 §2.1, word for word, as reference.
    fn naive_root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash::of(b""),
            [one] => *one,
            _ => {
                let k = leaves.len().next_power_of_two() / 2;
                node_hash(&naive_root(&leaves[..k]), &naive_root(&leaves[k..]))
            }
        }
    }

    #[test]
    fn the_frontier_gives_the_roots_of_the_definition() {
        let leaves: Vec<_> = (0..130).map(leaf).collect();
        for n in 0..leaves.len() {
            assert_eq!(root(leaves[..n].iter().copied()), naive_root(&leaves[..n]), "size {n}");
        }
    }

    #[test]
    fn every_path_verifies_and_no_other_index_size_or_hash_does() {
        for size in 1..40 {
            let leaves: Vec<_> = (0..size).map(leaf).collect();
            let root = root(leaves.iter().copied());
            for index in 0..size {
                let path = inclusion_path(leaves.iter().copied(), index, size).unwrap();
                let at = usize::try_from(index).unwrap();
                verify_inclusion(leaves[at], index, size, &path, &root).unwrap();
                assert!(verify_inclusion(leaf(999), index, size, &path, &root).is_err());
                assert!(verify_inclusion(leaves[at], index + 1, size, &path, &root).is_err());
                assert!(
                    verify_inclusion(leaves[at], index, size, &[&path[..], &[root]].concat(), &root).is_err()
                );
                for i in 0..path.len() {
                    let mut wrong = path.clone();
                    wrong[i].0[31] ^= 1;
                    assert!(verify_inclusion(leaves[at], index, size, &wrong, &root).is_err());
                    wrong.remove(i);
                    assert!(verify_inclusion(leaves[at], index, size, &wrong, &root).is_err());
                }
            }
        }
    }

    #[test]
    fn a_path_is_the_same_when_earlier_leaves_are_known_by_their_peaks_alone() {
        for size in 1..70 {
            let leaves: Vec<_> = (0..size).map(leaf).collect();
            let mut start = Frontier::new();
            for kept in 0..size {
                for index in kept..size {
                    let whole = inclusion_path(leaves.iter().copied(), index, size).unwrap();
                    let mut builder = PathBuilder::resuming(&start, index, size).unwrap();
                    leaves[usize::try_from(kept).unwrap()..].iter().for_each(|leaf| builder.push(*leaf));
                    assert_eq!(builder.finish().unwrap(), whole, "{index} of {size}, from {kept}");
                }
                if kept > 0 {
                    assert!(PathBuilder::resuming(&start, kept - 1, size).is_err());
                }
                start.push(leaves[usize::try_from(kept).unwrap()]);
            }
        }
    }

    #[test]
    fn a_path_needs_its_leaf_and_all_leaves_of_its_tree() {
        assert!(PathBuilder::new(3, 3).is_err());
        assert!(PathBuilder::new(0, 0).is_err());
        let mut builder = PathBuilder::new(0, 3).unwrap();
        builder.push(leaf(0));
        builder.push(leaf(1));
        assert!(builder.finish().is_err());
        assert!(PathBuilder::new(u64::MAX - 1, u64::MAX).unwrap().siblings.len() <= MAX_PATH_LEN);
    }
}
