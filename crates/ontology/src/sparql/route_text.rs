//! The path of a property shape as a property path of SPARQL (SHACL §2.3.1).

use std::collections::BTreeSet;

use spargebra::algebra::PropertyPathExpression as Expression;

use crate::error::OntologyError;
use crate::index::Index;
use crate::iri::Iri;
use crate::sparql::constraint::objects;
use crate::triple::Term;
use crate::vocab;

/// Deepest nesting of a path.
const DEPTH_MAX: usize = 32;

/// Reads `path`.
///
/// # Errors
/// [`OntologyError::BadShape`] when it is not well formed or nested too deeply.
pub(crate) fn property_path(
    shapes: &impl Index,
    shape: &Iri,
    path: &Term,
) -> Result<Expression, OntologyError> {
    read(shapes, path, 0).ok_or_else(|| OntologyError::BadShape {
        shape: shape.to_string(),
        problem: format!("its `sh:path` is no well-formed path of at most {DEPTH_MAX} levels; write it as SHACL §2.3.1 has it"),
    })
}

fn read(shapes: &impl Index, path: &Term, depth: usize) -> Option<Expression> {
    let node = path.as_iri().filter(|_| depth < DEPTH_MAX)?;
    if !node.as_str().starts_with(vocab::SKOLEM_PREFIX) {
        return Some(oxrdf::NamedNode::new_unchecked(node.as_str()).into());
    }
    let inner = |path: &Term| read(shapes, path, depth + 1).map(Box::new);
    if !objects(shapes, node, &vocab::RDF_FIRST).is_empty() {
        return chain(shapes, node, depth, Expression::Sequence);
    }
    let one = |predicate: &Iri| match objects(shapes, node, predicate).as_slice() {
        [only] => Some(only.clone()),
        _ => None,
    };
    if let Some(path) = one(&vocab::SH_INVERSE_PATH) {
        return Some(Expression::Reverse(inner(&path)?));
    }
    if let Some(path) = one(&vocab::SH_ZERO_OR_MORE_PATH) {
        return Some(Expression::ZeroOrMore(inner(&path)?));
    }
    if let Some(path) = one(&vocab::SH_ONE_OR_MORE_PATH) {
        return Some(Expression::OneOrMore(inner(&path)?));
    }
    if let Some(path) = one(&vocab::SH_ZERO_OR_ONE_PATH) {
        return Some(Expression::ZeroOrOne(inner(&path)?));
    }
    chain(shapes, one(&vocab::SH_ALTERNATIVE_PATH)?.as_iri()?, depth, Expression::Alternative)
}

/// The members of a list, at least two, joined from the left.
fn chain(
    shapes: &impl Index,
    list: &Iri,
    depth: usize,
    join: impl Fn(Box<Expression>, Box<Expression>) -> Expression,
) -> Option<Expression> {
    let (mut cell, mut seen, mut all) = (list.clone(), BTreeSet::new(), Vec::new());
    while cell != *vocab::RDF_NIL {
        if !seen.insert(cell.clone()) || seen.len() > DEPTH_MAX {
            return None;
        }
        let (first, rest) =
            (objects(shapes, &cell, &vocab::RDF_FIRST), objects(shapes, &cell, &vocab::RDF_REST));
        let ([first], [Term::Iri(rest)]) = (first.as_slice(), rest.as_slice()) else { return None };
        all.push(read(shapes, first, depth + 1)?);
        cell = rest.clone();
    }
    let mut all = all.into_iter();
    let first = all.next()?;
    let second = all.next()?;
    Some(
        all.fold(join(Box::new(first), Box::new(second)), |before, next| {
            join(Box::new(before), Box::new(next))
        }),
    )
}
