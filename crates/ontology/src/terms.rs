//! Numbers for terms: given in order of first appearance, never taken back.

use std::sync::Arc;

use imbl::{OrdMap, Vector};
use sha2::{Digest, Sha256};

use crate::index::Id;
use crate::triple::Term;

/// A table of terms. It may continue another one, whose numbers it then shares. Cloning is O(1).
#[derive(Clone, Default)]
pub(crate) struct Terms {
    base: Option<Arc<Terms>>,
    /// Numbers below are those of `base`.
    from: Id,
    own: Vector<Term>,
    /// By the first eight bytes of a term's digest and, should several terms share them, a count. Not by the terms
    /// themselves: a change copies the nodes on its way, and copying terms means touching every one of them.
    numbers: OrdMap<(u64, u32), Id>,
    /// One token for each term of `own`: two tables that have the same one agree on every number up to it.
    tokens: Vector<Arc<()>>,
}

impl Terms {
    /// A table that continues `base`.
    pub(crate) fn continuing(base: &Arc<Self>) -> Self {
        Self { base: Some(Arc::clone(base)), from: base.len(), ..Self::default() }
    }

    /// Whether it continues exactly this table.
    pub(crate) fn continues(&self, base: &Arc<Self>) -> bool {
        self.base.as_ref().is_some_and(|own| Arc::ptr_eq(own, base))
    }

    /// How many numbers have been given, those of the table it continues included.
    pub(crate) fn len(&self) -> Id {
        // Documents are limited to far fewer than 2³¹ terms (`turtle::DOCUMENT_BYTES_MAX`).
        self.from.saturating_add(Id::try_from(self.own.len()).unwrap_or(Id::MAX))
    }

    /// The first number that is not the continued table's.
    pub(crate) fn from(&self) -> Id {
        self.from
    }

    pub(crate) fn get(&self, id: Id) -> Option<&Term> {
        match (id.checked_sub(self.from), &self.base) {
            (Some(own), _) => self.own.get(usize::try_from(own).ok()?),
            (None, base) => base.as_ref()?.get(id),
        }
    }

    pub(crate) fn number(&self, term: &Term) -> Option<Id> {
        self.found(digest(term), term).ok()
    }

    /// The number of a term with that digest, or the count under which it would be kept here.
    fn found(&self, digest: u64, term: &Term) -> Result<Id, u32> {
        if let Some(base) = &self.base
            && let Ok(id) = base.found(digest, term)
        {
            return Ok(id);
        }
        let mut count = 0;
        while let Some(&id) = self.numbers.get(&(digest, count)) {
            if self.get(id) == Some(term) {
                return Ok(id);
            }
            count += 1;
        }
        Err(count)
    }

    /// The number of a term, which is given now if it had none.
    pub(crate) fn intern(self: &mut Arc<Self>, term: &Term) -> Id {
        let digest = digest(term);
        let count = match self.found(digest, term) {
            Ok(id) => return id,
            Err(count) => count,
        };
        let id = self.len();
        let terms = Arc::make_mut(self);
        terms.own.push_back(term.clone());
        terms.numbers.insert((digest, count), id);
        terms.tokens.push_back(Arc::new(()));
        id
    }

    /// Whether every number that both have given means the same term in both, as far as that can be told at once.
    pub(crate) fn agrees_with(&self, other: &Self) -> bool {
        let same_base = match (&self.base, &other.base) {
            (None, None) => true,
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            _ => false,
        };
        let both = self.tokens.len().min(other.tokens.len());
        let last = |terms: &Self| both.checked_sub(1).and_then(|at| terms.tokens.get(at).cloned());
        same_base
            && match (last(self), last(other)) {
                (None, None) => true,
                (Some(a), Some(b)) => Arc::ptr_eq(&a, &b),
                _ => false,
            }
    }
}

/// The first eight bytes of SHA-256 over a term's parts: terms that share them are not found by trying.
fn digest(term: &Term) -> u64 {
    let mut sha = Sha256::new();
    match term {
        Term::Iri(iri) => sha.update(iri.as_str()),
        Term::Literal(literal) => {
            // No IRI begins so, and no IRI has a zero in it.
            sha.update([0]);
            sha.update(literal.datatype().as_str());
            sha.update([0]);
            sha.update(literal.language().unwrap_or_default());
            sha.update([0]);
            sha.update(literal.value());
        }
    }
    let bytes: [u8; 32] = sha.finalize().into();
    bytes.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triple::Literal;

    fn table(texts: &[&str]) -> Arc<Terms> {
        let mut terms = Arc::new(Terms::default());
        for text in texts {
            terms.intern(&Literal::string(*text).into());
        }
        terms
    }

    #[test]
    fn numbers_are_shared_with_the_continued_table_and_kept_in_later_versions() {
        let base = table(&["a", "b"]);
        let mut terms = Arc::new(Terms::continuing(&base));
        let number = |terms: &mut Arc<Terms>, text: &str| terms.intern(&Literal::string(text).into());
        assert_eq!((number(&mut terms, "b"), number(&mut terms, "c")), (1, 2));
        let earlier = Arc::clone(&terms);
        assert_eq!(number(&mut terms, "d"), 3);
        assert_eq!(earlier.number(&Literal::string("d").into()), None);
        for id in 0..4 {
            assert_eq!(terms.number(terms.get(id).unwrap()), Some(id));
        }
        assert_eq!((terms.get(4), terms.len(), terms.from()), (None, 4, 2));
        assert!(terms.continues(&base) && !terms.continues(&table(&["a", "b"])));
    }

    #[test]
    fn versions_of_one_table_agree_and_branches_of_it_do_not() {
        let trunk = table(&["a"]);
        let grow = |text: &str| {
            let mut terms = Arc::clone(&trunk);
            terms.intern(&Literal::string(text).into());
            terms
        };
        let (b, c) = (grow("b"), grow("c"));
        assert!(b.agrees_with(&trunk) && trunk.agrees_with(&b));
        assert!(!b.agrees_with(&c), "one number, two terms");
        assert!(!table(&["a"]).agrees_with(&table(&["a"])), "made apart: not told at once");
        assert!(Terms::default().agrees_with(&trunk));
    }

    #[test]
    fn terms_that_share_a_digest_are_told_apart() {
        let mut terms = table(&["a", "b"]);
        let (a, b) = (Term::from(Literal::string("a")), Term::from(Literal::string("b")));
        // As if `b` had the digest of `a`.
        let inner = Arc::make_mut(&mut terms);
        inner.numbers.insert((digest(&a), 1), 1);
        assert_eq!((inner.found(digest(&a), &a), inner.found(digest(&a), &b)), (Ok(0), Ok(1)));
        assert_eq!(inner.found(digest(&a), &Literal::string("c").into()), Err(2));
    }
}
