//! A change as RDF, for shapes that judge changes: `docs/formats/change-graph.md`.

use knhk_ontology::delta::PropertyRef;
use knhk_ontology::{Graph, Iri, Literal, OntologyError, Term, Triple, vocab};

use super::Meaning;
use super::rules::{CompatibilityRule, Direction};

/// The node of the change as a whole; its parts are numbered below it.
pub const CHANGE_IRI: &str = "urn:knhk:change";

impl Direction {
    /// The values of `knhk:effect`.
    pub fn effects(self) -> &'static [&'static str] {
        match self {
            Self::Neutral => &["neutral"],
            Self::Strengthening => &["strengthening"],
            Self::Weakening => &["weakening"],
            Self::Both => &["strengthening", "weakening"],
        }
    }
}

impl CompatibilityRule {
    /// Its class in the graph of a change: `RANGE_NARROWED` is `knhk:RangeNarrowed`.
    pub fn class_name(self) -> String {
        let words = self.as_str().split('_');
        words.flat_map(|word| [word[..1].to_owned(), word[1..].to_lowercase()]).collect()
    }
}

impl Meaning {
    /// The change as RDF: one node for the change, one for each thing that happens, in the order of
    /// [`Meaning::classified`]. The same change gives the same triples.
    ///
    /// # Errors
    /// [`OntologyError`] for a node whose IRI could not be made, which its text excludes.
    pub fn graph(&self) -> Result<Graph, OntologyError> {
        let term = |local: &str| Iri::new(format!("{}{local}", vocab::KNHK_NAMESPACE));
        let [about, in_class, key, predicate, effect, old, new, part, change_class, part_class] =
            ["about", "inClass", "key", "predicate", "effect", "old", "new", "part", "Change", "ChangePart"]
                .map(term);
        let (about, in_class, key, predicate) = (about?, in_class?, key?, predicate?);
        let (effect, old, new, part) = (effect?, old?, new?, part?);
        let change = Iri::new(CHANGE_IRI)?;
        let part_class = part_class?;
        let mut graph = Graph::new();
        let mut state = |subject: &Iri, predicate: &Iri, object: Term| {
            graph.insert(&Triple::new(subject, predicate, object));
        };
        let text = |text: &str| Term::from(Literal::string(text));
        state(&change, &vocab::RDF_TYPE, Term::Iri(change_class?));
        for (number, met) in self.classified().into_iter().enumerate() {
            let node = Iri::new(format!("{CHANGE_IRI}:{number}"))?;
            state(&change, &part, Term::Iri(node.clone()));
            state(&node, &vocab::RDF_TYPE, Term::Iri(part_class.clone()));
            state(&node, &vocab::RDF_TYPE, Term::Iri(term(&met.rule.class_name())?));
            for direction in met.rule.direction().effects() {
                state(&node, &effect, text(direction));
                state(&change, &effect, text(direction));
            }
            state(&node, &about, Term::Iri(met.term));
            if let Some(PropertyRef { domain, key: of }) = met.place {
                state(&node, &in_class, Term::Iri(domain));
                state(&node, &key, text(&of));
            }
            if let Some(of) = met.predicate {
                state(&node, &predicate, Term::Iri(of));
            }
            for (side, said) in [(&old, met.old), (&new, met.new)] {
                if let Some(said) = said {
                    state(&node, side, text(&said));
                }
            }
        }
        Ok(graph)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::*;

    #[test]
    fn the_graph_of_a_change_is_the_one_of_the_page() {
        let before = schema();
        let mut after = before.clone();
        let stroke = after.classes.get_mut(&iri("Stroke")).unwrap();
        stroke.properties.get_mut("force").unwrap().facets.max = Some(50.into());
        let base = snapshot(&before);
        let value = set_value(iri("limits").as_str(), &iri("lowest"), None, "7", &vocab::XSD_INTEGER);
        let triples = knhk_ontology::lower(&value, &base.sigma, &base.schema).unwrap();
        let graph = Meaning::between(&before, &after, &triples.added, []).graph().unwrap();
        let page = include_str!("../../../../docs/formats/change-graph.md");
        let example = page.split("```turtle\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let expected = knhk_ontology::turtle::parse(example).unwrap();
        assert_eq!(graph.sorted(), expected.sorted());
    }

    #[test]
    fn every_rule_is_a_class_of_the_page() {
        let page = include_str!("../../../../docs/formats/change-graph.md");
        for rule in CompatibilityRule::ALL {
            let name = rule.class_name();
            assert_eq!(name, format!("{rule:?}"));
            assert!(page.contains(&format!("`{name}`")), "{name}");
        }
    }
}
