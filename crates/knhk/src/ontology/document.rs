//! RDF files: opened by their ending, gunzipped, read into one graph.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use knhk_ontology::document::{Syntax, parse};
use knhk_ontology::turtle::DOCUMENT_BYTES_MAX;
use knhk_ontology::{Graph, OntologyError};

use crate::error::CliError;

/// Reads one file.
pub(super) fn read(path: &Path) -> Result<Graph, CliError> {
    let name = path.file_name().map(|name| name.to_string_lossy().to_string()).unwrap_or_default();
    let (plain, is_gzip) = match name.strip_suffix(".gz") {
        Some(plain) => (plain, true),
        None => (name.as_str(), false),
    };
    let syntax = Syntax::of_name(plain).ok_or_else(|| CliError::UnknownSyntax { path: path.to_owned() })?;
    let in_document = |source| CliError::InDocument { path: path.to_owned(), source: Box::new(source) };
    let file = File::open(path).map_err(CliError::reading(path))?;
    let reader: Box<dyn Read> = if is_gzip { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut bytes = Vec::new();
    // One byte more than is read tells what is too long, however long it is.
    let limit = DOCUMENT_BYTES_MAX as u64 + 1;
    reader.take(limit).read_to_end(&mut bytes).map_err(CliError::reading(path))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        // What is cut in the middle of a character is too long, not wrong.
        let cut = error.as_bytes().len() as u64 == limit;
        in_document(if cut {
            OntologyError::TooLarge { what: format!("{} document in bytes", syntax.as_str()), max: limit - 1 }
        } else {
            OntologyError::Document {
                syntax: syntax.as_str(),
                at: format!("byte {}: ", error.utf8_error().valid_up_to()),
                message: "the text is not UTF-8".to_owned(),
            }
        })
    })?;
    parse(&text, syntax).map_err(in_document)
}

/// Reads several files as one graph.
pub(super) fn read_all(paths: &[PathBuf]) -> Result<Graph, CliError> {
    let mut all = Graph::new();
    for path in paths {
        let graph = read(path)?;
        if all.is_empty() {
            all = graph;
        } else {
            all.extend(graph.iter());
        }
    }
    Ok(all)
}
