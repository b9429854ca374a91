//! What a power cut leaves of what was not synced.

use crate::rng::Rng;

/// Which of the changes since the last sync are on the disk after a power cut. What was synced always is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survival {
    /// None.
    Nothing,
    /// All, as if everything had been synced.
    Everything,
    /// Every name and every length, but no content: files end in zeros.
    Lengths,
    /// Every name, no content and no length: new files are empty.
    Names,
    /// All content, no name.
    Contents,
    /// Of each file and each directory the oldest ones; the write at the edge torn at a sector.
    Prefix,
    /// Each one or not, and each sector of each write or not.
    Subset,
}

impl Survival {
    /// Every pattern.
    pub const ALL: [Self; 7] = [
        Self::Nothing,
        Self::Everything,
        Self::Lengths,
        Self::Names,
        Self::Contents,
        Self::Prefix,
        Self::Subset,
    ];

    /// Whether each of `n` changes of names survives.
    pub(crate) fn names(self, n: usize, rng: &mut Rng) -> Vec<bool> {
        match self {
            Self::Everything | Self::Lengths | Self::Names => vec![true; n],
            Self::Nothing | Self::Contents => vec![false; n],
            Self::Prefix => {
                let kept = rng.index(n + 1);
                (0..n).map(|i| i < kept).collect()
            }
            Self::Subset => (0..n).map(|_| rng.once_in(2)).collect(),
        }
    }
}
