//! JSON-LD 1.1 (W3C Recommendation of 16 July 2020) out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Named;
use crate::graph::Graph;
use crate::iri::Iri;
use crate::triple::{Term, Triple};
use crate::vocab;

/// Writes graphs with names, or one without. `prefixes` are tried beside [`vocab::PREFIXES`]; only those in use are in
/// the context. A property whose values are all IRIs, or all literals of one datatype, is declared so, and its values
/// are plain strings; every other value says what it is.
pub(crate) fn write(graphs: &[Named<'_>], default: Option<&Graph>, prefixes: &[(&str, &str)]) -> String {
    let all: Vec<Triple> =
        graphs.iter().map(|part| part.graph).chain(default).flat_map(Graph::sorted).collect();
    let mut names = Names::of(&all, prefixes);
    let parts: Vec<Value> = graphs
        .iter()
        .map(|part| json!({ "@id": names.compact(&part.name), "@graph": names.nodes(part.graph) }))
        .collect();
    let nodes = default.map_or(parts, |graph| names.nodes(graph));
    let mut context = Map::new();
    let declared = names.declared.clone();
    for (predicate, kind) in &declared {
        let key = names.compact(predicate);
        // Only a name that is shortened is worth a line of the context.
        if key != predicate.as_str() {
            let kind = kind.as_ref().map_or_else(|| "@id".to_owned(), |datatype| names.compact(datatype));
            context.insert(key, json!({ "@type": kind }));
        }
    }
    for (prefix, namespace) in &names.used {
        context.insert((*prefix).to_owned(), json!(namespace));
    }
    let document = json!({ "@context": context, "@graph": nodes });
    // A value made of strings, maps and lists always has a text.
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}

struct Names<'p> {
    known: Vec<(&'p str, &'p str)>,
    used: BTreeSet<(&'p str, &'p str)>,
    /// Predicates all of whose values are IRIs (`None`) or literals of one datatype.
    declared: BTreeMap<Iri, Option<Iri>>,
}

impl<'p> Names<'p> {
    fn of(triples: &[Triple], prefixes: &[(&'p str, &'p str)]) -> Self {
        let iris = triples.iter().flat_map(|t| [Some(&t.subject), Some(&t.predicate), t.object.as_iri()]);
        let schemes: BTreeSet<&str> =
            iris.flatten().filter_map(|iri| iri.as_str().split_once(':')).map(|(scheme, _)| scheme).collect();
        // A prefix that is also the scheme of an IRI would change that IRI's meaning.
        let known = vocab::PREFIXES.iter().chain(prefixes).copied();
        let known = known.filter(|(prefix, namespace)| {
            !schemes.contains(prefix) && namespace.ends_with([':', '/', '?', '#', '[', ']', '@'])
        });
        let mut declared: BTreeMap<Iri, Option<Option<Iri>>> = BTreeMap::new();
        for triple in triples.iter().filter(|triple| triple.predicate != *vocab::RDF_TYPE) {
            let kind = match &triple.object {
                Term::Iri(_) => Some(None),
                Term::Literal(literal) if literal.language().is_some() => None,
                Term::Literal(literal) if *literal.datatype() == *vocab::XSD_STRING => None,
                Term::Literal(literal) => Some(Some(literal.datatype().clone())),
            };
            declared
                .entry(triple.predicate.clone())
                .and_modify(|other| {
                    if *other != kind {
                        *other = None;
                    }
                })
                .or_insert(kind);
        }
        Self {
            known: known.collect(),
            used: BTreeSet::new(),
            declared: declared.into_iter().filter_map(|(iri, kind)| Some((iri, kind?))).collect(),
        }
    }

    fn compact(&mut self, iri: &Iri) -> String {
        let short = self.known.iter().filter_map(|&(prefix, namespace)| {
            let local = iri.as_str().strip_prefix(namespace)?;
            // `//` after the colon would make it an absolute IRI again.
            (!local.is_empty() && !local.starts_with("//")).then_some((prefix, namespace, local))
        });
        match short.min_by_key(|(_, _, local)| local.len()) {
            Some((prefix, namespace, local)) => {
                self.used.insert((prefix, namespace));
                format!("{prefix}:{local}")
            }
            None => iri.to_string(),
        }
    }

    fn nodes(&mut self, graph: &Graph) -> Vec<Value> {
        let mut nodes: Vec<Value> = Vec::new();
        let triples = graph.sorted();
        for said in triples.chunk_by(|a, b| a.subject == b.subject) {
            let mut node: BTreeMap<String, Vec<Value>> = BTreeMap::new();
            for triple in said {
                let (key, value) = self.said(triple);
                node.entry(key).or_default().push(value);
            }
            let mut map: Map<String, Value> = Map::new();
            if let Some(first) = said.first() {
                map.insert("@id".to_owned(), json!(self.compact(&first.subject)));
            }
            for (key, mut values) in node {
                let only = values.len() == 1;
                let value = if only { values.pop().unwrap_or_default() } else { Value::Array(values) };
                map.insert(key, value);
            }
            nodes.push(Value::Object(map));
        }
        nodes
    }

    fn said(&mut self, triple: &Triple) -> (String, Value) {
        if let (true, Term::Iri(class)) = (triple.predicate == *vocab::RDF_TYPE, &triple.object) {
            return ("@type".to_owned(), json!(self.compact(class)));
        }
        let key = self.compact(&triple.predicate);
        // What the context declares of this key; it says nothing of names it does not shorten.
        let declared = key != triple.predicate.as_str() && self.declared.contains_key(&triple.predicate);
        let value = match &triple.object {
            Term::Iri(iri) if declared => json!(self.compact(iri)),
            Term::Iri(iri) => json!({ "@id": self.compact(iri) }),
            Term::Literal(literal) if declared => json!(literal.value()),
            Term::Literal(literal) => match literal.language() {
                Some(language) => json!({ "@value": literal.value(), "@language": language }),
                None if *literal.datatype() == *vocab::XSD_STRING => json!(literal.value()),
                None => json!({ "@value": literal.value(), "@type": self.compact(literal.datatype()) }),
            },
        };
        (key, value)
    }
}
