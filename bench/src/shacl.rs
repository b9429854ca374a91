//! SHACL beside its peers: full passes over graphs of three sizes, and validations of a change beside them.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use knhk_ontology::shacl::{Shapes, revalidate::Change};
use knhk_ontology::{Graph, TripleDelta, turtle};

use crate::line_peer::LinePeer;
use crate::{Result, median, quick, rounds, shacl_family as family};

/// Triples of the graphs.
const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
/// Triples of the changes.
const CHANGES: [usize; 4] = [1, 10, 100, 1_000];
/// A full pass of ours takes at most this many times that of the fastest peer, from 10,000 triples on.
const FULL_MAX: f64 = 1.2;
/// The fastest full pass takes at least this many times as long as validating a change of ten triples in 100,000.
const CHANGE_MIN: f64 = 100.0;

fn option(name: &str) -> Option<String> {
    let prefix = format!("--{name}=");
    std::env::args().find_map(|argument| argument.strip_prefix(&prefix).map(str::to_owned))
}

/// One candidate for full passes: what it is called, and a pass that gives milliseconds and results.
struct Candidate {
    name: &'static str,
    pass: Box<dyn FnMut() -> Result<(f64, u64)>>,
    took: Vec<f64>,
    results: u64,
}

impl Candidate {
    fn new(name: &'static str, pass: impl FnMut() -> Result<(f64, u64)> + 'static) -> Self {
        Self { name, pass: Box::new(pass), took: Vec::new(), results: 0 }
    }
}

fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(f64, T)> {
    let begin = Instant::now();
    let done = work()?;
    Ok((begin.elapsed().as_secs_f64() * 1e3, done))
}
