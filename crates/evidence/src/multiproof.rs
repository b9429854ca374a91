//! One proof for several leaves of a tree together: what their inclusion paths share stands in it once. See
//! `docs/formats/bundle.md`.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::merkle::{Frontier, node_hash, seed};

/// Builds the hashes that lead from chosen leaves to the root, from the tree's leaf hashes in order.
#[derive(Debug)]
pub struct MultiproofBuilder {
    size: u64,
    next: u64,
    /// The largest subtrees without a chosen leaf, from left to right, with what was seen of them.
    subtrees: Vec<(Range<u64>, Frontier)>,
    /// Which of them the next leaf may belong to.
    current: usize,
}

impl MultiproofBuilder {
    /// The proof of the leaves `chosen`, in ascending order, in the tree of the first `size` leaves.
    ///
    /// # Errors
    /// Refuses no leaf, leaves out of order and leaves outside the tree.
    pub fn new(chosen: &[u64], size: u64) -> Result<Self> {
        check_order(chosen.iter().copied(), size)?;
        let mut subtrees = Vec::new();
        gaps(0..size, chosen, &mut subtrees);
        let subtrees = subtrees.into_iter().map(|range| (range, Frontier::new())).collect();
        Ok(Self { size, next: 0, subtrees, current: 0 })
    }

    /// Like [`MultiproofBuilder::new`], for who has only the leaves from `start` on: what is before stands in its peaks.
    ///
    /// # Errors
    /// Refuses a leaf before the start.
    pub fn resuming(start: &Frontier, chosen: &[u64], size: u64) -> Result<Self> {
        let mut builder = Self::new(chosen, size)?;
        if chosen.first().is_some_and(|index| *index < start.size()) {
            return Err(Error::Proof { why: "the leaf lies before the entries that are kept" });
        }
        seed(&mut builder.subtrees, start);
        builder.next = start.size();
        builder.current = builder.subtrees.partition_point(|(range, _)| range.end <= start.size());
        Ok(builder)
    }

    /// Takes the next leaf hash; leaves beyond the tree are ignored.
    pub fn push(&mut self, leaf: Hash) {
        if let Some((range, tree)) = self.subtrees.get_mut(self.current)
            && range.contains(&self.next)
        {
            tree.push(leaf);
            if self.next + 1 == range.end {
                self.current += 1;
            }
        }
        self.next = self.next.saturating_add(1);
    }

    /// The hashes, from left to right.
    ///
    /// # Errors
    /// Fails if fewer leaves came than the tree has.
    pub fn finish(self) -> Result<Vec<Hash>> {
        if self.next < self.size {
            return Err(Error::Proof { why: "the tree has fewer leaves than stated" });
        }
        Ok(self.subtrees.iter().map(|(_, tree)| tree.root()).collect())
    }
}

/// The proof of the leaves `chosen` among the first `size` of `leaves`: see [`MultiproofBuilder`].
pub fn multiproof(leaves: impl IntoIterator<Item = Hash>, chosen: &[u64], size: u64) -> Result<Vec<Hash>> {
    let mut builder = MultiproofBuilder::new(chosen, size)?;
    for leaf in leaves {
        builder.push(leaf);
    }
    builder.finish()
}

/// Checks that `leaves`, each with its index and in ascending order, stand in the tree of `size` leaves under `root`.
///
/// The work is bounded by 64 hashes a leaf, whatever `size` says.
pub fn verify_multiproof(leaves: &[(u64, Hash)], size: u64, hashes: &[Hash], root: &Hash) -> Result<()> {
    check_order(leaves.iter().map(|(index, _)| *index), size)?;
    let mut rest = hashes.iter();
    let found = subtree(0..size, leaves, &mut rest)?;
    if rest.next().is_some() {
        return Err(Error::Proof { why: "the proof has more hashes than the tree needs" });
    }
    if found != *root {
        return Err(Error::Proof { why: "the leaves do not lead to the root" });
    }
    Ok(())
}

fn check_order(indexes: impl Iterator<Item = u64>, size: u64) -> Result<()> {
    let mut last = None;
    for index in indexes {
        if last.is_some_and(|last| index <= last) {
            return Err(Error::Proof { why: "the leaves are not in ascending order" });
        }
        if index >= size {
            return Err(Error::Proof { why: "the index lies outside the tree" });
        }
        last = Some(index);
    }
    last.map(drop).ok_or(Error::Proof { why: "no leaf is chosen" })
}

/// The middle of a subtree of more than one leaf: its left side has the largest power of two below its length.
fn middle(range: &Range<u64>) -> u64 {
    range.start + (1 << (range.end - range.start - 1).ilog2())
}

fn gaps(range: Range<u64>, chosen: &[u64], out: &mut Vec<Range<u64>>) {
    if chosen.is_empty() {
        out.push(range);
    } else if range.end - range.start > 1 {
        let middle = middle(&range);
        let (left, right) = chosen.split_at(chosen.partition_point(|index| *index < middle));
        gaps(range.start..middle, left, out);
        gaps(middle..range.end, right, out);
    }
}

fn subtree(range: Range<u64>, leaves: &[(u64, Hash)], rest: &mut std::slice::Iter<'_, Hash>) -> Result<Hash> {
    match leaves {
        [] => {
            rest.next().copied().ok_or(Error::Proof { why: "the proof has fewer hashes than the tree needs" })
        }
        [(_, leaf)] if range.end - range.start == 1 => Ok(*leaf),
        _ => {
            let middle = middle(&range);
            let (left, right) = leaves.split_at(leaves.partition_point(|(index, _)| *index < middle));
            let left = subtree(range.start..middle, left, rest)?;
            let right = subtree(middle..range.end, right, rest)?;
            Ok(node_hash(&left, &right))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::merkle::{inclusion_path, leaf_hash, root};

    fn leaves(size: u64) -> Vec<Hash> {
        (0..size).map(|i| leaf_hash(&[&i.to_be_bytes()])).collect()
    }

    fn chosen(leaves: &[Hash], indexes: &[u64]) -> Vec<(u64, Hash)> {
        indexes.iter().map(|index| (*index, leaves[usize::try_from(*index).unwrap()])).collect()
    }

    /// Builds, verifies, and sees every change refused.
    fn check(size: u64, indexes: &[u64]) {
        let leaves = leaves(size);
        let root = root(leaves.iter().copied());
        let proof = multiproof(leaves.iter().copied(), indexes, size).unwrap();
        let good = chosen(&leaves, indexes);
        verify_multiproof(&good, size, &proof, &root).unwrap();
        let refused = |leaves: &[(u64, Hash)], size, proof: &[Hash]| {
            assert!(verify_multiproof(leaves, size, proof, &root).is_err(), "{indexes:?} of {size}");
        };
        refused(&good, size, &[&proof[..], &[root]].concat());
        for i in 0..proof.len() {
            let mut wrong = proof.clone();
            wrong[i].0[7] ^= 1;
            refused(&good, size, &wrong);
            wrong.remove(i);
            refused(&good, size, &wrong);
        }
        for i in 0..good.len() {
            let mut wrong = good.clone();
            wrong[i].1.0[7] ^= 1;
            refused(&wrong, size, &proof);
            wrong[i] = good[i];
            // Another place, where it does not stand.
            for other in [wrong[i].0.wrapping_sub(1), wrong[i].0 + 1, wrong[i].0 ^ 4] {
                wrong[i].0 = other;
                refused(&wrong, size, &proof);
                wrong[i] = good[i];
            }
            wrong.remove(i);
            refused(&wrong, size, &proof);
        }
    }

    #[test]
    fn every_choice_from_every_small_tree_verifies_and_nothing_else() {
        for size in 1..=9_u64 {
            for mask in 1..1_u64 << size {
                let indexes: Vec<_> = (0..size).filter(|i| mask >> i & 1 == 1).collect();
                check(size, &indexes);
            }
        }
    }

    #[test]
    fn one_leaf_has_the_hashes_of_its_path_and_all_leaves_have_none() {
        let leaves = leaves(77);
        for index in 0..77 {
            let mut path = inclusion_path(leaves.iter().copied(), index, 77).unwrap();
            let mut proof = multiproof(leaves.iter().copied(), &[index], 77).unwrap();
            path.sort();
            proof.sort();
            assert_eq!(proof, path);
        }
        let all: Vec<_> = (0..77).collect();
        assert_eq!(multiproof(leaves.iter().copied(), &all, 77).unwrap(), vec![]);
    }

    #[test]
    fn a_proof_is_the_same_when_earlier_leaves_are_known_by_their_peaks_alone() {
        let leaves = leaves(37);
        let mut start = Frontier::new();
        for kept in 0..37_u64 {
            for chosen in [vec![kept], vec![36], vec![kept, 36], (kept..37).step_by(3).collect()] {
                let mut chosen: Vec<_> = chosen;
                chosen.dedup();
                let whole = multiproof(leaves.iter().copied(), &chosen, 37).unwrap();
                let mut builder = MultiproofBuilder::resuming(&start, &chosen, 37).unwrap();
                leaves[usize::try_from(kept).unwrap()..].iter().for_each(|leaf| builder.push(*leaf));
                assert_eq!(builder.finish().unwrap(), whole, "{chosen:?} from {kept}");
            }
            if kept > 0 {
                assert!(MultiproofBuilder::resuming(&start, &[kept - 1], 37).is_err());
            }
            start.push(leaves[usize::try_from(kept).unwrap()]);
        }
    }

    #[test]
    fn a_proof_needs_leaves_of_the_tree_in_order() {
        for wrong in [&[][..], &[2, 1], &[1, 1], &[3]] {
            assert!(MultiproofBuilder::new(wrong, 3).is_err());
            let leaves: Vec<_> = wrong.iter().map(|index| (*index, Hash::ZERO)).collect();
            assert!(verify_multiproof(&leaves, 3, &[Hash::ZERO], &Hash::ZERO).is_err());
        }
        let mut builder = MultiproofBuilder::new(&[0], 3).unwrap();
        builder.push(Hash::ZERO);
        assert!(builder.finish().is_err());
        // A claimed size costs nothing.
        let leaves = [(0, Hash::ZERO), (u64::MAX - 1, Hash::ZERO)];
        assert!(verify_multiproof(&leaves, u64::MAX, &[Hash::ZERO; 200], &Hash::ZERO).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn larger_choices_verify_and_nothing_else(
            size in 10_u64..700, picks in proptest::collection::vec(any::<u64>(), 1..40),
        ) {
            let indexes: std::collections::BTreeSet<u64> = picks.iter().map(|pick| pick % size).collect();
            check(size, &indexes.into_iter().collect::<Vec<_>>());
        }
    }
}
