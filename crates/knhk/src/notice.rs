//! What a user should know beside the result, on standard error: results on standard output stay as they are.

use std::io::{self, Write};

use crate::clean::clean;
use crate::table::paragraph;

/// Tells it.
pub(crate) fn tell(text: &str) {
    let mut told = Vec::new();
    // Writing to memory does not fail, and nothing is left to do when standard error is closed.
    let _ = paragraph(&mut told, "notice: ", &clean(text));
    let _ = io::stderr().lock().write_all(&told);
}
