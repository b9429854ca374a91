//! Triples by number: what validation and queries read.

use crate::triple::Term;

mod composed;
mod for_graph;

pub use composed::Composed;

/// The number of a term. Numbers are given in order of first appearance and never taken back, so a number that a graph
/// has given means the same term in every later version of that graph.
pub type Id = u32;

/// A set of triples that is read by number, each position by an index. Nothing here is in an order worth relying on,
/// and no lookup costs more than O(log n) before its first result.
pub trait Index {
    /// The number of a term; `None` when no triple ever had it.
    fn id_of(&self, term: &Term) -> Option<Id>;

    /// The term of a number that this index has given.
    fn term(&self, id: Id) -> Option<&Term>;

    /// Whether the triple is there.
    fn has(&self, subject: Id, predicate: Id, object: Id) -> bool;

    /// Predicates and objects of a subject, grouped by predicate in ascending order of its number.
    fn outgoing(&self, subject: Id) -> impl Iterator<Item = (Id, Id)> + '_;

    /// Subjects and predicates of an object.
    fn incoming(&self, object: Id) -> impl Iterator<Item = (Id, Id)> + '_;

    /// Objects of a subject and predicate.
    fn objects_of(&self, subject: Id, predicate: Id) -> impl Iterator<Item = Id> + '_;

    /// Subjects of a predicate and object.
    fn subjects_of(&self, predicate: Id, object: Id) -> impl Iterator<Item = Id> + '_;

    /// Subjects and objects of a predicate.
    fn with_predicate(&self, predicate: Id) -> impl Iterator<Item = (Id, Id)> + '_;

    /// Every triple.
    fn all(&self) -> impl Iterator<Item = [Id; 3]> + '_;

    /// Whether the node belongs to what is under test: only such nodes are validated, the others are looked at. True of
    /// every node unless an index says otherwise. The answer rests on the term alone, known to the index or not, so that it
    /// is the same in every version.
    fn is_under_test(&self, node: &Term) -> bool {
        let _ = node;
        true
    }
}
