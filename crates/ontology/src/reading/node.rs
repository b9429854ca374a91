//! What a graph says about one subject, asked for in the form that the ontology format demands.

use crate::decimal::Decimal;
use crate::error::OntologyError;
use crate::iri::Iri;
use crate::triple::{Literal, Term};
use crate::vocab;

/// What the graph says about one subject.
pub(super) struct Node<'g> {
    pub(super) iri: &'g Iri,
    /// Predicate and object, in order of text.
    pub(super) said: Vec<(&'g Iri, &'g Term)>,
}

impl<'g> Node<'g> {
    pub(super) fn all(&self, predicate: &'g Iri) -> impl Iterator<Item = &'g Term> + '_ {
        self.said.iter().filter(move |(p, _)| *p == predicate).map(|(_, o)| *o)
    }

    pub(super) fn optional(&self, predicate: &'g Iri) -> Result<Option<&'g Term>, OntologyError> {
        let mut found = self.all(predicate);
        match (found.next(), found.next()) {
            (first, None) => Ok(first),
            _ => Err(self.malformed(format!("has more than one <{predicate}>; keep one"))),
        }
    }

    pub(super) fn optional_text(&self, predicate: &'g Iri) -> Result<Option<&'g str>, OntologyError> {
        self.optional(predicate)?.map(|term| self.text(predicate, term)).transpose()
    }

    pub(super) fn required_text(&self, predicate: &'g Iri) -> Result<&'g str, OntologyError> {
        match self.optional_text(predicate)? {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(self.malformed(format!("has no <{predicate}>; state one, as text"))),
        }
    }

    pub(super) fn text(&self, predicate: &Iri, term: &'g Term) -> Result<&'g str, OntologyError> {
        match term.as_literal() {
            Some(literal) if *literal.datatype() == *vocab::XSD_STRING => Ok(literal.value()),
            _ => Err(self
                .malformed(format!("has {term} for <{predicate}>; write a plain string without language"))),
        }
    }

    pub(super) fn optional_iri(&self, predicate: &'g Iri) -> Result<Option<&'g Iri>, OntologyError> {
        self.optional(predicate)?.map(|term| self.iri_of(predicate, term)).transpose()
    }

    pub(super) fn iri_of(&self, predicate: &Iri, term: &'g Term) -> Result<&'g Iri, OntologyError> {
        term.as_iri().ok_or_else(|| self.malformed(format!("has {term} for <{predicate}>; write an IRI")))
    }

    pub(super) fn optional_boolean(&self, predicate: &'g Iri) -> Result<Option<bool>, OntologyError> {
        let Some(term) = self.optional(predicate)? else { return Ok(None) };
        match term.as_literal().map(|literal| (literal.value(), literal.datatype())) {
            Some(("true" | "1", datatype)) if *datatype == *vocab::XSD_BOOLEAN => Ok(Some(true)),
            Some(("false" | "0", datatype)) if *datatype == *vocab::XSD_BOOLEAN => Ok(Some(false)),
            _ => Err(self.malformed(format!("has {term} for <{predicate}>; write true or false"))),
        }
    }

    pub(super) fn optional_decimal(&self, predicate: &'g Iri) -> Result<Option<Decimal>, OntologyError> {
        let Some(term) = self.optional(predicate)? else { return Ok(None) };
        let number = |literal: &Literal| {
            let exact =
                *literal.datatype() == *vocab::XSD_DECIMAL || *literal.datatype() == *vocab::XSD_INTEGER;
            if exact { literal.value().parse().ok() } else { None }
        };
        term.as_literal().and_then(number).map(Some).ok_or_else(|| {
            self.malformed(format!("has {term} for <{predicate}>; write an integer or a decimal number"))
        })
    }

    pub(super) fn optional_count(&self, predicate: &'g Iri) -> Result<Option<u64>, OntologyError> {
        let Some(term) = self.optional(predicate)? else { return Ok(None) };
        term.as_literal()
            .filter(|literal| *literal.datatype() == *vocab::XSD_INTEGER)
            .and_then(|literal| literal.value().parse().ok())
            .map(Some)
            .ok_or_else(|| {
                self.malformed(format!("has {term} for <{predicate}>; write a whole number from 0"))
            })
    }

    pub(super) fn optional_small(&self, predicate: &'g Iri) -> Result<Option<u32>, OntologyError> {
        self.optional_count(predicate)?.map(u32::try_from).transpose().map_err(|_| {
            self.malformed(format!("has too large a number for <{predicate}>; write one below 2³²"))
        })
    }

    pub(super) fn millionths(&self, predicate: &'g Iri) -> Result<Option<u32>, OntologyError> {
        let Some(share) = self.optional_decimal(predicate)? else { return Ok(None) };
        share
            .to_millionths()
            .and_then(|parts| u32::try_from(parts).ok())
            .filter(|parts| *parts <= 1_000_000)
            .map(Some)
            .ok_or_else(|| {
                self.malformed(format!("has {share} for <{predicate}>; write 0 to 1 with six digits at most"))
            })
    }

    pub(super) fn is_a(&self, class: &Iri) -> bool {
        self.said.iter().any(|(p, o)| **p == *vocab::RDF_TYPE && o.as_iri() == Some(class))
    }

    pub(super) fn allow(&self, known: &[&Iri], kind: &Iri) -> Result<(), OntologyError> {
        for (predicate, object) in &self.said {
            if **predicate == *vocab::RDF_TYPE && object.as_iri() != Some(kind) {
                return Err(self.unsupported(object));
            }
            if **predicate != *vocab::RDF_TYPE && !known.contains(predicate) {
                return Err(self.unsupported(predicate));
            }
        }
        Ok(())
    }

    pub(super) fn unsupported(&self, term: &impl ToString) -> OntologyError {
        OntologyError::NotSupported { term: term.to_string(), subject: self.iri.to_string() }
    }

    pub(super) fn malformed(&self, problem: impl Into<String>) -> OntologyError {
        OntologyError::malformed(self.iri, problem)
    }
}
