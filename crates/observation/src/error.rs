//! What can go wrong in this crate. A malformed event is no error: it is a [`crate::reader::Reject`].

/// An error of reading an input.
#[derive(Debug, thiserror::Error)]
pub enum ObservationError {
    /// The input itself failed.
    #[error("the input failed after byte {offset}: {source}; check the file and run again")]
    Input {
        /// Bytes read before.
        offset: u64,
        /// Why.
        source: std::io::Error,
    },
    /// The bytes of an oversize event could not be handed on.
    #[error(
        "the event at byte {offset} is too large, and its bytes cannot be kept: {source}; free space and run again"
    )]
    Oversize {
        /// Where the event starts.
        offset: u64,
        /// Why.
        source: std::io::Error,
    },
}

impl ObservationError {
    /// The stable code of the error; `knhk explain CODE` prints its page.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Input { .. } => "KNHK-E1501",
            Self::Oversize { .. } => "KNHK-E1502",
        }
    }
}
