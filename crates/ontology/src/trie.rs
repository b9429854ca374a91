//! A persistent Merkle trie over 32-byte keys: one root hash for a set, whatever the order it was built in.
//!
//! The page `docs/formats/ontology-identifiers.md` defines the root and gives a recipe to compute it from scratch.

use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};

/// A SHA-256 digest.
pub type Hash = [u8; 32];

/// A set of 32-byte keys. Cloning is O(1) and versions share what they have in common; an insertion or a removal
/// touches one path. Hashes are computed when a root is asked for, each node once.
#[derive(Clone, Default)]
pub struct Trie(Option<Arc<Node>>);

enum Node {
    Leaf(Hash),
    Branch {
        /// The first bit, from the most significant of byte 0, at which keys below differ.
        bit: u8,
        zero: Arc<Node>,
        one: Arc<Node>,
        hash: OnceLock<Hash>,
    },
}

fn is_set(key: &Hash, bit: u8) -> bool {
    key[usize::from(bit / 8)] & (0x80 >> (bit % 8)) != 0
}

fn first_difference(a: &Hash, b: &Hash) -> Option<u8> {
    let byte = a.iter().zip(b).position(|(x, y)| x != y)?;
    let within = (a[byte] ^ b[byte]).leading_zeros();
    // byte < 32 and within < 8, so the sum is at most 255.
    u8::try_from(byte * 8).ok()?.checked_add(u8::try_from(within).ok()?)
}

fn branch(bit: u8, zero: Arc<Node>, one: Arc<Node>) -> Arc<Node> {
    Arc::new(Node::Branch { bit, zero, one, hash: OnceLock::new() })
}

impl Node {
    fn hash(&self) -> Hash {
        match self {
            Self::Leaf(key) => Sha256::new().chain_update([0]).chain_update(key).finalize().into(),
            Self::Branch { bit, zero, one, hash } => *hash.get_or_init(|| {
                Sha256::new()
                    .chain_update([1, *bit])
                    .chain_update(zero.hash())
                    .chain_update(one.hash())
                    .finalize()
                    .into()
            }),
        }
    }

    /// The key of some leaf below that agrees with `key` on every bit tested on the way.
    fn nearest(&self, key: &Hash) -> Hash {
        let mut node = self;
        loop {
            match node {
                Self::Leaf(found) => return *found,
                Self::Branch { bit, zero, one, .. } => node = if is_set(key, *bit) { one } else { zero },
            }
        }
    }

    fn inserted(self: &Arc<Self>, key: Hash, at: u8) -> Arc<Self> {
        match &**self {
            Self::Branch { bit, zero, one, .. } if *bit < at => {
                if is_set(&key, *bit) {
                    branch(*bit, zero.clone(), one.inserted(key, at))
                } else {
                    branch(*bit, zero.inserted(key, at), one.clone())
                }
            }
            _ => {
                let leaf = Arc::new(Self::Leaf(key));
                if is_set(&key, at) { branch(at, self.clone(), leaf) } else { branch(at, leaf, self.clone()) }
            }
        }
    }

    /// Without `key`, which is known to be there; `None` when nothing is left.
    fn removed(&self, key: &Hash) -> Option<Arc<Self>> {
        let Self::Branch { bit, zero, one, .. } = self else { return None };
        Some(if is_set(key, *bit) {
            match one.removed(key) {
                Some(one) => branch(*bit, zero.clone(), one),
                None => zero.clone(),
            }
        } else {
            match zero.removed(key) {
                Some(zero) => branch(*bit, zero, one.clone()),
                None => one.clone(),
            }
        })
    }
}

/// The node over sorted, distinct keys; `None` when there are none.
fn over(keys: &[Hash]) -> Option<Arc<Node>> {
    let (first, last) = (keys.first()?, keys.last()?);
    // The outermost keys differ first where any two do.
    let Some(bit) = first_difference(first, last) else { return Some(Arc::new(Node::Leaf(*first))) };
    let (zero, one) = keys.split_at(keys.partition_point(|key| !is_set(key, bit)));
    Some(branch(bit, over(zero)?, over(one)?))
}

impl FromIterator<Hash> for Trie {
    /// Builds each node once.
    fn from_iter<T: IntoIterator<Item = Hash>>(keys: T) -> Self {
        let mut keys: Vec<Hash> = keys.into_iter().collect();
        keys.sort_unstable();
        keys.dedup();
        Self(over(&keys))
    }
}

impl Trie {
    /// The root hash: SHA-256 of nothing for the empty set.
    pub fn root(&self) -> Hash {
        self.0.as_ref().map_or_else(|| Sha256::digest([]).into(), |node| node.hash())
    }

    /// Adds a key; whether it was absent.
    pub fn insert(&mut self, key: Hash) -> bool {
        let Some(node) = &self.0 else {
            self.0 = Some(Arc::new(Node::Leaf(key)));
            return true;
        };
        let Some(at) = first_difference(&node.nearest(&key), &key) else { return false };
        self.0 = Some(node.inserted(key, at));
        true
    }

    /// Removes a key; whether it was present.
    pub fn remove(&mut self, key: &Hash) -> bool {
        match &self.0 {
            Some(node) if node.nearest(key) == *key => {
                self.0 = node.removed(key);
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// The documented recipe, over sorted keys.
    fn from_scratch(keys: &[Hash]) -> Hash {
        match keys {
            [] => Sha256::digest([]).into(),
            [key] => Sha256::digest([&[0][..], key].concat()).into(),
            [first, .., last] => {
                let bit = (0..=255).find(|bit| is_set(first, *bit) != is_set(last, *bit)).unwrap();
                let (zero, one) = keys.split_at(keys.partition_point(|key| !is_set(key, bit)));
                Sha256::digest([&[1, bit][..], &from_scratch(zero), &from_scratch(one)].concat()).into()
            }
        }
    }

    /// Keys that share long prefixes, as random ones would not.
    fn key() -> impl Strategy<Value = Hash> {
        (0..4_u8, prop::sample::select(vec![0, 1, 15, 31]), any::<u8>()).prop_map(|(fill, at, byte)| {
            let mut key = [fill; 32];
            key[at] = byte;
            key
        })
    }

    proptest! {
        #[test]
        fn the_root_depends_on_the_set_alone(steps in prop::collection::vec((any::<bool>(), key()), 0..120)) {
            let mut trie = Trie::default();
            let mut model = BTreeSet::new();
            for (add, key) in steps {
                if add {
                    prop_assert_eq!(trie.insert(key), model.insert(key));
                } else {
                    prop_assert_eq!(trie.remove(&key), model.remove(&key));
                }
                let keys: Vec<Hash> = model.iter().copied().collect();
                prop_assert_eq!(trie.root(), from_scratch(&keys));
                let built: Trie = keys.iter().rev().chain(&keys).copied().collect();
                prop_assert_eq!(built.root(), trie.root());
            }
        }
    }

    #[test]
    fn a_clone_keeps_its_root_when_the_original_changes() {
        let mut trie = Trie::default();
        trie.insert([1; 32]);
        let (kept, root) = (trie.clone(), trie.root());
        trie.insert([2; 32]);
        assert_eq!(kept.root(), root);
        assert_ne!(trie.root(), root);
    }
}
