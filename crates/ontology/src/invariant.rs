//! Invariants that a sector declares (Q6 and up): questions that every version of its ontology must answer with yes.
//! `docs/formats/invariants.md`.

use crate::error::OntologyError;
use crate::iri::Iri;
use crate::sigma::Sigma;
use crate::sparql::{Budget, Form, QUERY_ROWS, Query, ask};
use crate::triple::Term;
use crate::vocab;

/// Most invariants of one sector, core's included.
pub const INVARIANTS_MAX: usize = 64;
/// Most steps of one invariant's query. More is an error, never a yes.
pub const INVARIANT_STEPS_MAX: u64 = 5_000_000;

/// One invariant.
#[derive(Clone, Debug)]
pub struct Invariant {
    /// Its node.
    pub iri: Iri,
    /// Its name, e.g. `Q6` (`rdfs:label`).
    pub name: String,
    /// What it asks for, for people (`rdfs:comment`).
    pub statement: String,
    query: Query,
}

impl Invariant {
    /// Whether it holds in `sigma`.
    ///
    /// # Errors
    /// Those of the query's evaluation, e.g. [`OntologyError::QueryTooCostly`].
    pub fn holds(&self, sigma: &Sigma) -> Result<bool, OntologyError> {
        ask(&sigma.composed(), &self.query, &Budget::new(INVARIANT_STEPS_MAX, QUERY_ROWS))
    }
}

impl Sigma {
    /// The invariants that core and sector declare, in order of their IRI.
    ///
    /// # Errors
    /// [`OntologyError::Malformed`] for one without exactly one label, comment and query, or whose query is no ASK;
    /// [`OntologyError::TooLarge`] beyond [`INVARIANTS_MAX`]; those of reading a query.
    pub fn invariants(&self) -> Result<Vec<Invariant>, OntologyError> {
        let class = Term::Iri(vocab::KNHK_INVARIANT.clone());
        let mut nodes = self.core.subjects(&vocab::RDF_TYPE, &class);
        nodes.extend(self.sector.subjects(&vocab::RDF_TYPE, &class));
        nodes.sort();
        nodes.dedup();
        if nodes.len() > INVARIANTS_MAX {
            return Err(OntologyError::too_large("invariants of one sector", INVARIANTS_MAX));
        }
        nodes.into_iter().map(|iri| self.invariant(iri)).collect()
    }

    fn invariant(&self, iri: Iri) -> Result<Invariant, OntologyError> {
        let text = |predicate: &Iri| {
            let found: Vec<Term> =
                self.triples_matching(Some(&iri), Some(predicate), None).map(|t| t.object).collect();
            match found.as_slice() {
                [Term::Literal(text)] => Ok(text.value().to_owned()),
                _ => Err(OntologyError::malformed(
                    &iri,
                    format!("is an invariant without exactly one <{predicate}>; give it one, as text"),
                )),
            }
        };
        let (name, statement) = (text(&vocab::RDFS_LABEL)?, text(&vocab::RDFS_COMMENT)?);
        let namespace = self.sector_name().zip(self.namespace());
        let prefixes: Vec<(&str, &str)> =
            namespace.iter().map(|(name, iri)| (name.as_str(), iri.as_str())).collect();
        let query = Query::parse(&text(&vocab::KNHK_ASK)?, &prefixes)?;
        if query.form() != Form::Ask {
            return Err(OntologyError::malformed(
                &iri,
                "is an invariant whose query is no ASK; ask for yes or no",
            ));
        }
        Ok(Invariant { iri, name, statement, query })
    }

    fn namespace(&self) -> Option<String> {
        let mut found = self.sector.matching(None, Some(&vocab::KNHK_NAMESPACE_TERM), None);
        found.next()?.object.as_literal().map(|text| text.value().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{core_graph, turtle};

    const SECTOR: &str = "@prefix knhk: <urn:knhk:ns#> . @prefix e: <urn:e:x#> .
        @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
        <urn:knhk:sector:x> a knhk:Sector ; knhk:namespace \"urn:e:x#\" .
        e:Q6 a knhk:Invariant ; rdfs:label \"Q6\" ; rdfs:comment \"Every limit is above zero.\" ;
            knhk:ask \"ASK { FILTER NOT EXISTS { ?x x:limit ?n FILTER(?n <= 0) } }\" .\n";

    fn sigma(more: &str) -> Sigma {
        Sigma::new(core_graph().unwrap().clone(), turtle::parse(&format!("{SECTOR}{more}")).unwrap())
    }

    #[test]
    fn it_holds_or_does_not_and_knows_the_sectors_prefix() {
        let holds = |more: &str| {
            let sigma = sigma(more);
            let all = sigma.invariants().unwrap();
            assert_eq!((all.len(), all[0].name.as_str()), (1, "Q6"));
            all[0].holds(&sigma).unwrap()
        };
        assert!(holds("e:a e:limit 5 ."));
        assert!(!holds("e:a e:limit 5 . e:b e:limit 0 ."));
    }

    #[test]
    fn one_that_cannot_be_asked_is_refused() {
        let more = |text: &str| sigma(&format!("{text} rdfs:comment \"c\" .")).invariants().map(|_| ());
        let code = |text: &str| more(text).unwrap_err().code();
        assert_eq!(code("e:b a knhk:Invariant ; rdfs:label \"b\" ; "), "KNHK-E1305", "no query");
        assert_eq!(
            code("e:b a knhk:Invariant ; rdfs:label \"b\" ; knhk:ask \"SELECT * { ?s ?p ?o }\" ; "),
            "KNHK-E1305"
        );
        assert_eq!(code("e:b a knhk:Invariant ; rdfs:label \"b\" ; knhk:ask \"ASK {\" ; "), "KNHK-E1330");
        assert_eq!(
            code(
                "e:b a knhk:Invariant ; rdfs:label \"b\" ; knhk:ask \"ASK { SERVICE <urn:x> { ?s ?p ?o } }\" ; "
            ),
            "KNHK-E1331"
        );
    }
}
