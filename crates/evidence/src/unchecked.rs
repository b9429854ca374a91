//! Signatures that were met and are still to be checked: by the caller, in any order, on any thread.

use crate::block::Block;
use crate::checkpoint::UnverifiedCheckpoint;
use crate::error::{Place, Result};
use crate::key::VerifyingKey;
use crate::receipt::Signed;

/// A signature in a log whose check was put off. A log is verified only when every one of them was checked.
#[derive(Debug, Clone)]
pub struct Unchecked {
    subject: Subject,
    key: VerifyingKey,
    place: Option<Place>,
}

#[derive(Debug, Clone)]
enum Subject {
    Receipt(Box<Signed>),
    Checkpoint(Box<UnverifiedCheckpoint>),
}

impl Unchecked {
    pub(crate) fn receipt(signed: &Signed, key: &VerifyingKey) -> Self {
        Self { subject: Subject::Receipt(Box::new(signed.clone())), key: key.clone(), place: None }
    }

    pub(crate) fn checkpoint(checkpoint: &UnverifiedCheckpoint, key: &VerifyingKey) -> Self {
        Self { subject: Subject::Checkpoint(Box::new(checkpoint.clone())), key: key.clone(), place: None }
    }

    pub(crate) fn at(self, place: Place) -> Self {
        Self { place: Some(place), ..self }
    }

    /// Checks it.
    ///
    /// # Errors
    /// Names the place in the log, if it came from one.
    pub fn check(&self) -> Result<()> {
        let checked = match &self.subject {
            Subject::Receipt(signed) => signed.verify(&self.key),
            Subject::Checkpoint(checkpoint) => checkpoint.verify(&self.key).map(drop),
        };
        checked.map_err(|error| match &self.place {
            Some(place) => error.at(&place.segment, place.offset, place.frame),
            None => error,
        })
    }
}

/// A block of which only the header was read: whether its records are the header's is still to be checked. See
/// [`crate::verify::Verifier::segment_leaving_blocks`].
#[derive(Debug, Clone)]
#[must_use = "a log is verified only when every block was checked"]
pub struct UncheckedBlock<'a> {
    body: &'a [u8],
    place: Place,
}

impl<'a> UncheckedBlock<'a> {
    pub(crate) fn new(body: &'a [u8], place: Place) -> Self {
        Self { body, place }
    }

    /// Checks it.
    ///
    /// # Errors
    /// Names the place in the log.
    pub fn check(&self) -> Result<()> {
        let checked = Block::check(self.body);
        checked.map(drop).map_err(|error| error.at(&self.place.segment, self.place.offset, self.place.frame))
    }
}
