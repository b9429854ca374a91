//! What can go wrong in this crate: texts that are not JSON within the limits.

/// A text that cannot be read. Offsets count bytes from the start of the text.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum ProjectionError {
    /// Not JSON (RFC 8259).
    #[error("not JSON at byte {offset}: {reason}; mend the text there")]
    Syntax {
        /// Where.
        offset: usize,
        /// What is wrong there.
        reason: &'static str,
    },
    /// Nested deeper than [`crate::json::DEPTH_MAX`].
    #[error(
        "nested deeper than 128 levels at byte {offset}; flatten the value or send the inner part as a string"
    )]
    TooDeep {
        /// Where the level too many starts.
        offset: usize,
    },
    /// A key twice in one object.
    #[error("the key `{key}` occurs twice in the object that ends at byte {offset}; keep one of them")]
    DuplicateKey {
        /// Where the object ends.
        offset: usize,
        /// The key, shortened to 64 characters.
        key: String,
    },
    /// A number that is infinite as a 64-bit float.
    #[error("the number at byte {offset} is beyond the range of a 64-bit float; send it as a string")]
    NumberTooLarge {
        /// Where.
        offset: usize,
    },
    /// More than [`crate::json::VALUES_MAX`] values.
    #[error("more than 1,048,576 values, counted up to byte {offset}; split the event")]
    TooManyValues {
        /// Where the value too many starts.
        offset: usize,
    },
    /// A value where an object is needed.
    #[error("a JSON object is needed, and the value at byte {offset} is none; wrap it in an object")]
    NotAnObject {
        /// Where the value starts.
        offset: usize,
    },
}

impl ProjectionError {
    /// The stable code of the error; `knhk explain CODE` prints its page.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "KNHK-E1401",
            Self::TooDeep { .. } => "KNHK-E1402",
            Self::DuplicateKey { .. } => "KNHK-E1403",
            Self::NumberTooLarge { .. } => "KNHK-E1404",
            Self::TooManyValues { .. } => "KNHK-E1405",
            Self::NotAnObject { .. } => "KNHK-E1406",
        }
    }

    /// The byte where reading stopped.
    pub fn offset(&self) -> usize {
        match self {
            Self::Syntax { offset, .. }
            | Self::TooDeep { offset }
            | Self::DuplicateKey { offset, .. }
            | Self::NumberTooLarge { offset }
            | Self::TooManyValues { offset }
            | Self::NotAnObject { offset } => *offset,
        }
    }
}
