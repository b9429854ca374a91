//! Graphs to ask.

use crate::graph::Graph;
use crate::turtle;

/// The same graph with its terms numbered in the order of text, or backwards.
pub(super) fn of(graph: &Graph, backwards: bool) -> Graph {
    let mut triples = graph.sorted();
    if backwards {
        triples.reverse();
    }
    triples.into_iter().collect()
}

pub(super) fn read(text: &str) -> Graph {
    turtle::parse(text).unwrap()
}
