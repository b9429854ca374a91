//! Which events were seen before: a bounded memory of identities.

use std::collections::{BTreeSet, VecDeque};

/// Identities remembered per sector; the oldest is forgotten first. A repeat older than this counts as new.
pub const DEDUPE_WINDOW: usize = 1_000_000;

/// The identities of a sector's latest events (`docs/formats/record.md`, dedupe key).
#[derive(Clone, Debug, Default)]
pub struct Seen {
    known: BTreeSet<[u8; 16]>,
    order: VecDeque<[u8; 16]>,
}

impl Seen {
    /// Whether `key` is remembered.
    pub fn contains(&self, key: &[u8; 16]) -> bool {
        self.known.contains(key)
    }

    /// Remembers `key`; `false` when it was remembered already.
    pub fn insert(&mut self, key: [u8; 16]) -> bool {
        if !self.known.insert(key) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > DEDUPE_WINDOW
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }

    /// The identities, the oldest first, 16 bytes each.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.order.iter().flatten().copied().collect()
    }

    /// Reads what [`Seen::to_bytes`] gave.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut seen = Self::default();
        for key in bytes.as_chunks().0 {
            seen.insert(*key);
        }
        seen
    }

    /// How many identities are remembered.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_identity_is_forgotten_first() {
        let mut seen = Seen::default();
        let key = |i: usize| u128::try_from(i).unwrap().to_be_bytes();
        for i in 0..=DEDUPE_WINDOW {
            assert!(seen.insert(key(i)));
        }
        assert_eq!(seen.len(), DEDUPE_WINDOW);
        assert!(!seen.contains(&key(0)));
        assert!(seen.contains(&key(1)));
        assert!(!seen.insert(key(DEDUPE_WINDOW)));
    }
}
