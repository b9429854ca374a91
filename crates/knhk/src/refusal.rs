//! Why an event was refused, in a line for people.

use std::fmt;

use knhk_observation::reader::Reject;

use crate::table::shorten;

/// One refused event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The input's name.
    pub file: String,
    /// The line of the fault, from 1.
    pub line: u64,
    /// Its column, in bytes from 1.
    pub column: u64,
    /// The stable code.
    pub code: String,
    /// Why.
    pub reason: String,
}

impl Refusal {
    /// Of what the reader refused.
    pub(crate) fn of(file: &str, reject: &Reject<'_>) -> Self {
        let code = reject.reason.code().to_owned();
        let (line, column, reason) = (reject.line, reject.column, reject.message.clone());
        Self { file: file.to_owned(), line, column, code, reason }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, code, reason } = self;
        write!(f, "{file}, line {line}, column {column}: {} ({code})", shorten(reason, 300))
    }
}
