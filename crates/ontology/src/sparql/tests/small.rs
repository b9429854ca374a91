//! Graphs to ask.

use crate::graph::Graph;
use crate::sparql::Listed;
use crate::turtle;

/// The triples of a graph; terms are numbered in the order of text, or backwards.
pub(super) fn of(graph: &Graph, backwards: bool) -> Listed {
    let mut triples = graph.sorted();
    if backwards {
        triples.reverse();
    }
    triples.into_iter().collect()
}

pub(super) fn read(text: &str) -> Listed {
    of(&turtle::parse(text).unwrap(), false)
}
