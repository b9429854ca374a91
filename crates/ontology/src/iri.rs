//! Absolute IRIs.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::OntologyError;

/// An absolute IRI (RFC 3987), checked when made, cheap to clone, ordered by its text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Iri(Arc<str>);

/// Longest IRI accepted, in bytes. Longer ones are refused wherever they come from.
pub const IRI_BYTES_MAX: usize = 2_048;

impl Iri {
    /// Checks `text` and wraps it; [`OntologyError::BadIri`] when it is not an absolute IRI or is too long.
    pub fn new(text: impl Into<String>) -> Result<Self, OntologyError> {
        let text = text.into();
        if text.len() > IRI_BYTES_MAX || oxrdf::NamedNode::new(text.as_str()).is_err() {
            return Err(OntologyError::BadIri { iri: text.chars().take(120).collect() });
        }
        Ok(Self(text.into()))
    }

    /// An IRI that a parser has checked; only its length is left to check.
    pub(crate) fn parsed(node: oxrdf::NamedNode) -> Result<Self, OntologyError> {
        let text = node.into_string();
        if text.len() > IRI_BYTES_MAX {
            return Err(OntologyError::BadIri { iri: text.chars().take(120).collect() });
        }
        Ok(Self(text.into()))
    }

    /// An IRI made of a checked one by appending plain ASCII, or of constants and a digest.
    pub(crate) fn derived(text: String) -> Self {
        Self(text.into())
    }

    /// The IRI of a vocabulary term of this crate: the text is a constant, known to be well formed.
    pub(crate) fn constant(text: &'static str) -> Self {
        Self(text.into())
    }

    /// The IRI's text, without angle brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part after the last `#`, `/` or `:`, for people; the whole text when that part is empty.
    pub fn local_name(&self) -> &str {
        match self.0.rsplit(['#', '/', ':']).next() {
            Some(name) if !name.is_empty() => name,
            _ => &self.0,
        }
    }
}

impl fmt::Display for Iri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Iri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.0)
    }
}

impl Serialize for Iri {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Iri {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
