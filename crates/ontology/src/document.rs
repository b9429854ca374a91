//! RDF documents in the syntaxes people keep them in, read into a [`Graph`].

use std::collections::BTreeMap;

use oxjsonld::JsonLdParser;
use oxrdfxml::RdfXmlParser;
use oxttl::{NQuadsParser, NTriplesParser, TurtleParser};
use sha2::{Digest, Sha256};

use crate::error::OntologyError;
use crate::graph::Graph;
use crate::iri::Iri;
use crate::turtle::{self, DOCUMENT_BYTES_MAX, DOCUMENT_TRIPLES_MAX};
use crate::vocab;

/// Most bytes that the entities of an RDF/XML document may stand for.
pub const ENTITY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What relative IRIs are resolved against, wherever the document lies: the same document gives the same graph.
pub const BASE: &str = "file:///";

/// A syntax of RDF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// RDF 1.1 Turtle.
    Turtle,
    /// RDF 1.1 N-Triples.
    NTriples,
    /// RDF 1.1 N-Quads: the triples of every graph are taken together.
    NQuads,
    /// RDF 1.1 XML Syntax.
    RdfXml,
    /// JSON-LD 1.1 with its context inside: nothing is fetched. The triples of every graph are taken together.
    JsonLd,
}

impl Syntax {
    /// Every syntax with the endings of its files.
    pub const ENDINGS: [(Self, &'static [&'static str]); 5] = [
        (Self::Turtle, &["ttl"]),
        (Self::NTriples, &["nt"]),
        (Self::NQuads, &["nq"]),
        (Self::RdfXml, &["rdf", "owl", "xml"]),
        (Self::JsonLd, &["jsonld", "json"]),
    ];

    /// The syntax of a file with this name; `None` when its ending says nothing.
    pub fn of_name(name: &str) -> Option<Self> {
        let (_, ending) = name.rsplit_once('.')?;
        let ending = ending.to_ascii_lowercase();
        Self::ENDINGS
            .iter()
            .find(|(_, endings)| endings.contains(&ending.as_str()))
            .map(|(syntax, _)| *syntax)
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Turtle => "Turtle",
            Self::NTriples => "N-Triples",
            Self::NQuads => "N-Quads",
            Self::RdfXml => "RDF/XML",
            Self::JsonLd => "JSON-LD",
        }
    }
}

/// Reads a document. Blank nodes are named as by [`turtle::parse`]; relative IRIs are resolved against [`BASE`].
///
/// # Errors
/// [`OntologyError::Turtle`], [`OntologyError::Document`], [`OntologyError::BadIri`], or [`OntologyError::TooLarge`]
/// beyond [`DOCUMENT_BYTES_MAX`], [`DOCUMENT_TRIPLES_MAX`] or [`ENTITY_BYTES_MAX`].
pub fn parse(document: &str, syntax: Syntax) -> Result<Graph, OntologyError> {
    let bytes = document.as_bytes();
    if bytes.len() > DOCUMENT_BYTES_MAX {
        return Err(OntologyError::too_large(
            format!("{} document in bytes", syntax.as_str()),
            DOCUMENT_BYTES_MAX,
        ));
    }
    let mut reading = Reading::of(bytes, syntax);
    let bad = |at: Option<u64>, message: &str| OntologyError::Document {
        syntax: syntax.as_str(),
        at: at.map(|line| format!("line {}: ", line + 1)).unwrap_or_default(),
        message: message.chars().take(300).collect(),
    };
    match syntax {
        Syntax::Turtle => {
            let parser = TurtleParser::new().with_base_iri(BASE).map_err(|e| bad(None, &e.to_string()))?;
            for triple in parser.for_slice(bytes) {
                reading.take(triple.map_err(|e| turtle::syntax(&e))?)?;
            }
        }
        Syntax::NTriples => {
            for triple in NTriplesParser::new().for_slice(bytes) {
                reading.take(triple.map_err(|e| bad(Some(e.location().start.line), e.message()))?)?;
            }
        }
        Syntax::NQuads => {
            for quad in NQuadsParser::new().for_slice(bytes) {
                reading.take(quad.map_err(|e| bad(Some(e.location().start.line), e.message()))?.into())?;
            }
        }
        Syntax::RdfXml => {
            check_entities(document)?;
            let parser = RdfXmlParser::new().with_base_iri(BASE).map_err(|e| bad(None, &e.to_string()))?;
            for triple in parser.for_slice(bytes) {
                reading.take(triple.map_err(|e| bad(None, &e.to_string()))?)?;
            }
        }
        Syntax::JsonLd => {
            let parser = JsonLdParser::new().with_base_iri(BASE).map_err(|e| bad(None, &e.to_string()))?;
            for quad in parser.for_slice(bytes) {
                let quad = quad.map_err(|e| bad(e.location().map(|at| at.start.line), &e.to_string()))?;
                reading.take(quad.into())?;
            }
        }
    }
    Ok(reading.graph)
}

struct Reading {
    syntax: Syntax,
    base: String,
    names: BTreeMap<String, usize>,
    graph: Graph,
}

impl Reading {
    fn of(bytes: &[u8], syntax: Syntax) -> Self {
        let base = format!("{}{}:b", vocab::SKOLEM_PREFIX, hex::encode(Sha256::digest(bytes)));
        Self { syntax, base, names: BTreeMap::new(), graph: Graph::new() }
    }

    fn take(&mut self, triple: oxrdf::Triple) -> Result<(), OntologyError> {
        if self.graph.len() == DOCUMENT_TRIPLES_MAX {
            let what = format!("{} document in triples", self.syntax.as_str());
            return Err(OntologyError::too_large(what, DOCUMENT_TRIPLES_MAX));
        }
        let (base, names) = (&self.base, &mut self.names);
        let mut skolem = |label: &str| {
            let next = names.len();
            let number = *names.entry(label.to_owned()).or_insert(next);
            Iri::derived(format!("{base}{number}"))
        };
        let triple = turtle::convert(triple, &mut skolem)?;
        self.graph.insert(&triple);
        Ok(())
    }
}

/// Entities are written out by the parser, also inside each other: a few lines could stand for gigabytes. What the
/// document's entities may stand for at most is the longest of them at each reference; references in entities are refused.
fn check_entities(document: &str) -> Result<(), OntologyError> {
    let mut longest = 0;
    for declaration in document.split("<!ENTITY").skip(1) {
        let value = declaration.split_once('>').map_or(declaration, |(value, _)| value);
        let refers = value.match_indices('&').any(|(at, _)| !value[at..].starts_with("&#"));
        if refers {
            return Err(OntologyError::Document {
                syntax: Syntax::RdfXml.as_str(),
                at: String::new(),
                message: "an entity refers to another entity, which is not read; write its value in full"
                    .to_owned(),
            });
        }
        longest = longest.max(value.len());
    }
    if longest.saturating_mul(document.matches('&').count()) > ENTITY_BYTES_MAX {
        return Err(OntologyError::too_large(
            "entities of an RDF/XML document, written out, in bytes",
            ENTITY_BYTES_MAX,
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One triple with a blank node, a language and a datatype, in each syntax.
    const SAME: [(&str, &str); 5] = [
        ("x.ttl", "<urn:a> <urn:p> [ <urn:q> \"x\"@en, 1 ] ."),
        (
            "x.nt",
            "<urn:a> <urn:p> _:z .\n_:z <urn:q> \"x\"@en .\n_:z <urn:q> \"1\"^^<http://www.w3.org/2001/XMLSchema#integer> .\n",
        ),
        (
            "x.nq",
            "<urn:a> <urn:p> _:z <urn:g> .\n_:z <urn:q> \"x\"@en <urn:g> .\n_:z <urn:q> \"1\"^^<http://www.w3.org/2001/XMLSchema#integer> .\n",
        ),
        (
            "x.owl",
            "<!DOCTYPE r [<!ENTITY xsd \"http://www.w3.org/2001/XMLSchema#\">]>\n<r:RDF xmlns:r=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" xmlns:u=\"urn:\"><r:Description r:about=\"urn:a\"><u:p><r:Description><u:q xml:lang=\"en\">x</u:q><u:q r:datatype=\"&xsd;integer\">1</u:q></r:Description></u:p></r:Description></r:RDF>",
        ),
        (
            "x.JSONLD",
            "{\"@context\": {\"u\": \"urn:\"}, \"@id\": \"urn:a\", \"urn:p\": {\"urn:q\": [{\"@value\": \"x\", \"@language\": \"en\"}, 1]}}",
        ),
    ];

    fn without_labels(graph: &Graph) -> Vec<String> {
        let digests = crate::blank_nodes::digests(graph).unwrap();
        let mut lines: Vec<String> = graph
            .iter()
            .map(|triple| {
                let mut line = triple.to_string();
                for (blank, digest) in &digests {
                    line = line.replace(blank.as_str(), &hex::encode(digest));
                }
                line
            })
            .collect();
        lines.sort();
        lines
    }

    #[test]
    fn the_same_graph_is_read_from_every_syntax() {
        let graphs: Vec<_> = SAME
            .iter()
            .map(|(name, text)| without_labels(&parse(text, Syntax::of_name(name).unwrap()).unwrap()))
            .collect();
        assert_eq!(graphs[0].len(), 3);
        assert!(graphs.iter().all(|graph| *graph == graphs[0]), "{graphs:#?}");
        assert_eq!(Syntax::of_name("x.txt").or(Syntax::of_name("x")), None);
    }

    #[test]
    fn relative_iris_mean_the_same_wherever_a_document_lies() {
        let xml = "<r:RDF xmlns:r=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" xmlns:u=\"urn:\"><r:Description r:about=\"a\"><u:p r:resource=\"#b\"/></r:Description></r:RDF>";
        let json = "{\"@id\": \"a\", \"urn:p\": {\"@id\": \"#b\"}}";
        for (syntax, text) in
            [(Syntax::Turtle, "<a> <urn:p> <#b> ."), (Syntax::RdfXml, xml), (Syntax::JsonLd, json)]
        {
            let lines: Vec<String> =
                parse(text, syntax).unwrap().iter().map(|triple| triple.to_string()).collect();
            assert_eq!(lines, ["<file:///a> <urn:p> <file:///#b> ."], "{syntax:?}");
        }
    }

    #[test]
    fn what_does_not_parse_is_refused_with_its_place() {
        for (syntax, text) in [
            (Syntax::NTriples, "<urn:a> <urn:b> <urn:c> .\n<urn:a> <urn:b> ."),
            (Syntax::NQuads, "<urn:a> <urn:b> <urn:c> .\n<urn:a> <b> <urn:c> ."),
            (Syntax::RdfXml, "<r:RDF xmlns:r=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><a></r:RDF>"),
            (Syntax::RdfXml, "<!DOCTYPE r [<!ENTITY a \"b\"><!ENTITY c \"&a;&a;\">]>"),
            (Syntax::JsonLd, "{\"@id\": \"urn:a\",\n}"),
            (Syntax::JsonLd, "{\"@context\": \"http://example.org/c\", \"@id\": \"urn:a\", \"p\": 1}"),
        ] {
            let error = parse(text, syntax).unwrap_err();
            assert_eq!(error.code(), "KNHK-E1350", "{error}");
            assert!(
                matches!(syntax, Syntax::RdfXml | Syntax::JsonLd) || error.to_string().starts_with("line 2")
            );
        }
        let entity = format!("<!DOCTYPE r [<!ENTITY a \"{}\">]>{}", "b".repeat(70_000), "&a;".repeat(1_000));
        assert_eq!(parse(&entity, Syntax::RdfXml).unwrap_err().code(), "KNHK-E1312");
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let _ = parse(&deep, Syntax::JsonLd);
    }
}
