//! Consistency of two trees: the older one's leaves are the newer one's first (RFC 6962 §2.1.2, RFC 9162 §2.1.4).

use std::ops::Range;

use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::merkle::{Frontier, node_hash, seed};

/// Hashes in a consistency path: one more than in an inclusion path.
pub const MAX_CONSISTENCY_PATH_LEN: usize = 65;

/// Builds one consistency path from the newer tree's leaf hashes in order, keeping O(log² size) hashes.
#[derive(Debug)]
pub struct ConsistencyBuilder {
    new: u64,
    next: u64,
    /// The subtrees whose roots make the path, from the one nearest the root down.
    subtrees: Vec<(Range<u64>, Frontier)>,
}

impl ConsistencyBuilder {
    /// The path from the tree of the first `old` leaves to that of the first `new`.
    ///
    /// # Errors
    /// Refuses an empty older tree, of which nothing can be shown, and one larger than the newer.
    pub fn new(old: u64, new: u64) -> Result<Self> {
        check_sizes(old, new)?;
        let (mut low, mut high) = (0, new);
        let mut subtrees = Vec::new();
        // RFC 6962's SUBPROOF, from the root down; `old` lies in low..=high throughout.
        while old < high {
            // The largest power of two below the number of leaves.
            let split = low + (1 << (high - low - 1).ilog2());
            if old <= split {
                subtrees.push(split..high);
                high = split;
            } else {
                subtrees.push(low..split);
                low = split;
            }
        }
        // Whoever verifies knows the older root already if the subtree left over is the whole older tree.
        if low > 0 {
            subtrees.push(low..high);
        }
        let subtrees = subtrees.into_iter().map(|range| (range, Frontier::new())).collect();
        Ok(Self { new, next: 0, subtrees })
    }

    /// Like [`ConsistencyBuilder::new`], for who has only the leaves from `start` on: what is before stands in its peaks.
    ///
    /// # Errors
    /// Refuses an older tree that ends before the start, whose path cannot be built from peaks.
    pub fn resuming(start: &Frontier, old: u64, new: u64) -> Result<Self> {
        let mut builder = Self::new(old, new)?;
        if old < start.size() {
            return Err(Error::Proof { why: "the older tree ends before the entries that are kept" });
        }
        // A complete subtree of the start lies within the older tree, so no subtree of the path divides it.
        seed(&mut builder.subtrees, start);
        builder.next = start.size();
        Ok(builder)
    }

    /// Takes the next leaf hash; leaves beyond the newer tree are ignored.
    pub fn push(&mut self, leaf: Hash) {
        if let Some((_, tree)) = self.subtrees.iter_mut().find(|(range, _)| range.contains(&self.next)) {
            tree.push(leaf);
        }
        self.next = self.next.saturating_add(1);
    }

    /// The path, in RFC 6962's order.
    ///
    /// # Errors
    /// Fails if fewer leaves came than the newer tree has.
    pub fn finish(self) -> Result<Vec<Hash>> {
        if self.next < self.new {
            return Err(Error::Proof { why: "the tree has fewer leaves than stated" });
        }
        Ok(self.subtrees.iter().rev().map(|(_, tree)| tree.root()).collect())
    }
}

/// The consistency path between the first `old` and the first `new` of `leaves`: see [`ConsistencyBuilder`].
pub fn consistency_path(leaves: impl IntoIterator<Item = Hash>, old: u64, new: u64) -> Result<Vec<Hash>> {
    let mut builder = ConsistencyBuilder::new(old, new)?;
    for leaf in leaves {
        builder.push(leaf);
    }
    builder.finish()
}

/// Checks a consistency path (RFC 9162 §2.1.4.2): the tree of `old` leaves under `old_root` is the beginning of the tree
/// of `new` leaves under `new_root`.
pub fn verify_consistency(old: u64, old_root: &Hash, new: u64, new_root: &Hash, path: &[Hash]) -> Result<()> {
    check_sizes(old, new)?;
    let refuse = |why| Err(Error::Proof { why });
    if old == new {
        return match (path, old_root == new_root) {
            ([], true) => Ok(()),
            ([], false) => refuse("two trees of one size have two roots"),
            _ => refuse("the path is too long for the trees"),
        };
    }
    // The older root of a power of two leaves is a node of the newer tree, so it is not sent.
    let (start, rest) = if old.is_power_of_two() {
        (old_root, path)
    } else {
        path.split_first().ok_or(Error::Proof { why: "the path is too short for the trees" })?
    };
    let (mut position, mut last) = (old - 1, new - 1);
    let complete = position.trailing_ones();
    position >>= complete;
    last >>= complete;
    let (mut old_hash, mut new_hash) = (*start, *start);
    for sibling in rest {
        if last == 0 {
            return refuse("the path is too long for the trees");
        }
        if position & 1 == 1 || position == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            while position & 1 == 0 && position != 0 {
                position >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        position >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return refuse("the path is too short for the trees");
    }
    if old_hash != *old_root {
        return refuse("the path does not lead to the older root");
    }
    if new_hash != *new_root {
        return refuse("the path does not lead to the newer root");
    }
    Ok(())
}

fn check_sizes(old: u64, new: u64) -> Result<()> {
    if old == 0 {
        return Err(Error::Proof { why: "the older tree is empty" });
    }
    if old > new {
        return Err(Error::Proof { why: "the older tree is larger than the newer" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::merkle::{leaf_hash, root};

    fn leaves(size: u64) -> Vec<Hash> {
        (0..size).map(|i| leaf_hash(&[&i.to_be_bytes()])).collect()
    }

    fn root_of(leaves: &[Hash]) -> Hash {
        root(leaves.iter().copied())
    }

    /// RFC 6962 §2.1.2, word for word, as reference.
    fn naive(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
        if old == leaves.len() {
            return if whole { vec![] } else { vec![root_of(leaves)] };
        }
        let k = leaves.len().next_power_of_two() / 2;
        let (left, right) = leaves.split_at(k);
        if old <= k {
            [naive(old, left, whole), vec![root_of(right)]].concat()
        } else {
            [naive(old - k, right, false), vec![root_of(left)]].concat()
        }
    }

    /// Builds, compares with the definition, verifies, and sees everything else refused.
    fn check(old: u64, leaves: &[Hash]) {
        let (at, new) = (usize::try_from(old).unwrap(), leaves.len() as u64);
        let path = consistency_path(leaves.iter().copied(), old, new).unwrap();
        assert_eq!(path, naive(at, leaves, true), "{old} of {new}");
        assert!(path.len() <= MAX_CONSISTENCY_PATH_LEN);
        let (a, b) = (root_of(&leaves[..at]), root_of(leaves));
        verify_consistency(old, &a, new, &b, &path).unwrap();
        let refused = |old, a: &Hash, new, b: &Hash, path: &[Hash]| {
            assert!(verify_consistency(old, a, new, b, path).is_err(), "{old} of {new}");
        };
        let wrong = Hash::of(b"wrong");
        refused(old, &wrong, new, &b, &path);
        refused(old, &a, new, &wrong, &path);
        refused(old, &a, new, &b, &[&path[..], &[wrong]].concat());
        refused(old, &a, new, &b, &[&[wrong], &path[..]].concat());
        if old != new {
            refused(old, &b, new, &a, &path);
            refused(new, &a, old, &b, &path);
        }
        for i in 0..path.len() {
            let mut changed = path.clone();
            for byte in [0, 15, 31] {
                changed[i].0[byte] ^= 1;
                refused(old, &a, new, &b, &changed);
                changed[i].0[byte] ^= 1;
            }
            changed.remove(i);
            refused(old, &a, new, &b, &changed);
        }
    }

    #[test]
    fn every_pair_of_sizes_up_to_64_is_as_the_definition_says_and_nothing_else_verifies() {
        let leaves = leaves(64);
        for new in 1..=64 {
            for old in 1..=new {
                check(old, &leaves[..usize::try_from(new).unwrap()]);
            }
        }
    }

    #[test]
    fn another_older_size_is_refused() {
        let leaves = leaves(40);
        for new in 2..=40_u64 {
            for old in 1..new {
                let (a, b) = (
                    root_of(&leaves[..usize::try_from(old).unwrap()]),
                    root_of(&leaves[..usize::try_from(new).unwrap()]),
                );
                let path = consistency_path(leaves.iter().copied(), old, new).unwrap();
                for other in 1..=41 {
                    let verdict = verify_consistency(other, &a, new, &b, &path);
                    assert_eq!(verdict.is_ok(), other == old, "{other} for {old} of {new}");
                }
            }
        }
    }

    #[test]
    fn a_path_is_the_same_when_earlier_leaves_are_known_by_their_peaks_alone() {
        let leaves = leaves(40);
        for new in 1..=40 {
            let mut start = Frontier::new();
            for kept in 0..=new {
                for old in kept.max(1)..=new {
                    let whole = consistency_path(leaves.iter().copied(), old, new).unwrap();
                    let mut builder = ConsistencyBuilder::resuming(&start, old, new).unwrap();
                    leaves[usize::try_from(kept).unwrap()..].iter().for_each(|leaf| builder.push(*leaf));
                    assert_eq!(builder.finish().unwrap(), whole, "{old} of {new}, from {kept}");
                }
                if kept > 1 {
                    assert!(ConsistencyBuilder::resuming(&start, kept - 1, new).is_err());
                }
                if kept < new {
                    start.push(leaves[usize::try_from(kept).unwrap()]);
                }
            }
        }
    }

    #[test]
    fn an_empty_or_larger_older_tree_shows_nothing() {
        assert!(ConsistencyBuilder::new(0, 3).is_err());
        assert!(ConsistencyBuilder::new(4, 3).is_err());
        let root = Hash::of(b"");
        assert!(verify_consistency(0, &root, 0, &root, &[]).is_err());
        assert!(verify_consistency(2, &root, 1, &root, &[]).is_err());
        let mut builder = ConsistencyBuilder::new(1, 3).unwrap();
        builder.push(root);
        assert!(builder.finish().is_err());
        for old in [1, 2, u64::MAX / 2, (1 << 63) + 1, u64::MAX - 1, u64::MAX] {
            assert!(
                ConsistencyBuilder::new(old, u64::MAX).unwrap().subtrees.len() <= MAX_CONSISTENCY_PATH_LEN
            );
            let _ = verify_consistency(old, &root, u64::MAX, &root, &[root; MAX_CONSISTENCY_PATH_LEN]);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn larger_trees_are_as_the_definition_says(new in 65_u64..3000, old in any::<prop::sample::Index>()) {
            check(old.index(usize::try_from(new).unwrap()) as u64 + 1, &leaves(new));
        }
    }
}
