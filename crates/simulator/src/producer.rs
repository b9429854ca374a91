//! A producer that counts, as a program beside the log would.

/// What a producer remembers of its own count.
#[derive(Debug, Clone)]
pub(crate) struct Producer {
    pub(crate) name: &'static str,
    pub(crate) epoch: u64,
    /// The number that the next observation gets.
    pub(crate) given: u64,
}

impl Producer {
    pub(crate) fn all() -> Vec<Self> {
        ["till-1", "till-2", "scale"].map(|name| Self { name, epoch: 0, given: 0 }).to_vec()
    }
}
