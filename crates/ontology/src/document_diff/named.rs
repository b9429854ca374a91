//! What terms are and what they are called.

use super::{Kind, split};
use crate::graph::Graph;
use crate::iri::Iri;
use crate::triple::{Literal, Term};
use crate::vocab;

/// What a term is, by its `rdf:type`s.
pub fn kind_of(graph: &Graph, term: &Iri) -> Kind {
    let mut kind = Kind::Individual;
    for of in graph.matching(Some(term), Some(&vocab::RDF_TYPE), None) {
        let Some(of) = of.object.as_iri() else { continue };
        let (namespace, name) = split(of);
        let is = match (namespace, name) {
            (vocab::SH_NAMESPACE, "NodeShape" | "PropertyShape") => Kind::Shape,
            (vocab::OWL_NAMESPACE | vocab::RDFS_NAMESPACE, "Class" | "Datatype") => Kind::Class,
            (vocab::OWL_NAMESPACE | vocab::RDF_NAMESPACE, name) if name.ends_with("Property") => {
                Kind::Property
            }
            _ => continue,
        };
        kind = kind.min(is);
    }
    kind
}

/// A term's label: `rdfs:label`, then `skos:prefLabel`; untagged before English before any other language.
pub fn label(graph: &Graph, term: &Iri) -> Option<String> {
    [&*vocab::RDFS_LABEL, &*vocab::SKOS_PREF_LABEL].into_iter().find_map(|predicate| {
        let labels = graph.objects(term, predicate);
        let rank = |literal: &&Literal| match literal.language() {
            None => 0,
            Some("en") => 1,
            Some(language) if language.starts_with("en-") => 2,
            Some(_) => 3,
        };
        labels.iter().filter_map(Term::as_literal).min_by_key(rank).map(|literal| literal.value().to_owned())
    })
}

/// An IRI as people know it: with a well-known prefix, or in full.
pub(super) fn short(iri: &Iri) -> String {
    if *iri == *vocab::RDF_TYPE {
        return "a".to_owned();
    }
    let known = vocab::PREFIXES.iter().chain(&vocab::OTHER_PREFIXES);
    let named = known.filter_map(|(prefix, namespace)| Some((prefix, iri.as_str().strip_prefix(namespace)?)));
    let named = named
        .filter(|(_, name)| !name.is_empty() && !name.contains(['/', '#']))
        .min_by_key(|(_, name)| name.len());
    named.map_or_else(|| format!("<{iri}>"), |(prefix, name)| format!("{prefix}:{name}"))
}

pub(super) fn shown(term: &Term) -> String {
    match term {
        Term::Iri(iri) => short(iri),
        Term::Literal(literal)
            if literal.language().is_none() && *literal.datatype() != *vocab::XSD_STRING =>
        {
            let mut text = String::new();
            // Writing to a String does not fail.
            let _ = crate::triple::write_quoted(literal.value(), &mut text);
            format!("{text}^^{}", short(literal.datatype()))
        }
        Term::Literal(literal) => literal.to_string(),
    }
}
