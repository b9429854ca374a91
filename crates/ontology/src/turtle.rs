//! Turtle in (skolemised, with positions in errors) and Turtle out (the same text for the same triples).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use oxttl::{NTriplesParser, TurtleParser, TurtleSyntaxError};
use sha2::{Digest, Sha256};

use crate::error::OntologyError;
use crate::graph::Graph;
use crate::iri::Iri;
use crate::triple::{Literal, Term, Triple, write_quoted};
use crate::vocab;

/// Largest Turtle document read, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most triples read from one document.
pub const DOCUMENT_TRIPLES_MAX: usize = 500_000;

/// Reads a Turtle document. Blank nodes become `urn:knhk:sk:<sha256 of the document>:b<n>`, n counted from 0 in order
/// of first appearance, so reading the same bytes gives the same graph.
///
/// # Errors
/// [`OntologyError::Turtle`] with line and column from 1, or [`OntologyError::TooLarge`].
pub fn parse(document: &str) -> Result<Graph, OntologyError> {
    if document.len() > DOCUMENT_BYTES_MAX {
        return Err(OntologyError::too_large("Turtle document in bytes", DOCUMENT_BYTES_MAX));
    }
    let base = format!("{}{}:b", vocab::SKOLEM_PREFIX, hex::encode(Sha256::digest(document.as_bytes())));
    let mut names = BTreeMap::new();
    let mut skolem = |label: &str| {
        let next = names.len();
        let number = *names.entry(label.to_owned()).or_insert(next);
        Iri::derived(format!("{base}{number}"))
    };
    let mut triples = Vec::new();
    for triple in TurtleParser::new().for_slice(document.as_bytes()) {
        let triple = triple.map_err(|error| syntax(&error))?;
        if triples.len() == DOCUMENT_TRIPLES_MAX {
            return Err(OntologyError::too_large("Turtle document in triples", DOCUMENT_TRIPLES_MAX));
        }
        triples.push(convert(triple, &mut skolem)?);
    }
    Ok(triples.into_iter().collect())
}

/// Reads one N-Triples line without blank nodes.
pub(crate) fn parse_line(line: &str) -> Result<Triple, OntologyError> {
    let mut found = NTriplesParser::new().for_slice(line.as_bytes());
    let bad = |message: &str| OntologyError::Turtle { line: 1, column: 1, message: message.to_owned() };
    let triple = found.next().ok_or_else(|| bad("there is no triple"))?.map_err(|error| syntax(&error))?;
    if found.next().is_some() {
        return Err(bad("there is more than one triple"));
    }
    let mut blank = false;
    let triple = convert(triple, &mut |_| {
        blank = true;
        vocab::RDF_NIL.clone()
    })?;
    if blank { Err(bad("blank nodes have no place here; use their skolem IRIs")) } else { Ok(triple) }
}

/// The place and the words of a parser's error.
pub(crate) fn syntax(error: &TurtleSyntaxError) -> OntologyError {
    let at = error.location().start;
    OntologyError::Turtle {
        line: at.line + 1,
        column: at.column + 1,
        message: error.message().chars().take(300).collect(),
    }
}

/// A parsed triple with its blank nodes named by `skolem`.
pub(crate) fn convert(
    triple: oxrdf::Triple,
    skolem: &mut impl FnMut(&str) -> Iri,
) -> Result<Triple, OntologyError> {
    let subject = match triple.subject {
        oxrdf::NamedOrBlankNode::NamedNode(node) => Iri::parsed(node)?,
        oxrdf::NamedOrBlankNode::BlankNode(node) => skolem(node.as_str()),
    };
    let predicate = Iri::parsed(triple.predicate)?;
    let object = match triple.object {
        oxrdf::Term::NamedNode(node) => Iri::parsed(node)?.into(),
        oxrdf::Term::BlankNode(node) => skolem(node.as_str()).into(),
        oxrdf::Term::Literal(literal) => match literal.destruct() {
            (value, _, Some(language)) => Literal::tagged(value, &language).into(),
            (value, Some(datatype), None) => Literal::typed(value, Iri::parsed(datatype)?).into(),
            (value, None, None) => Literal::string(value).into(),
        },
    };
    Ok(Triple { subject, predicate, object })
}

/// Writes triples as Turtle: grouped by subject, `a` first, everything else in order of text. `prefixes` are tried
/// beside [`vocab::PREFIXES`]; only those in use are declared.
pub fn write(triples: impl IntoIterator<Item = Triple>, prefixes: &[(&str, &str)]) -> String {
    write_folded(triples, prefixes, &BTreeSet::new())
}

/// As [`write`], with the nodes in `folded` written where they are referred to: list cells as `( … )`, others as
/// `[ … ]`. They lose their IRIs, so only nodes that are named anew on reading may be folded, each referred to once and
/// not in a circle.
pub(crate) fn write_folded(
    triples: impl IntoIterator<Item = Triple>,
    prefixes: &[(&str, &str)],
    folded: &BTreeSet<Iri>,
) -> String {
    let mut nodes: BTreeMap<Iri, Vec<Triple>> = BTreeMap::new();
    for triple in triples {
        nodes.entry(triple.subject.clone()).or_default().push(triple);
    }
    for said in nodes.values_mut() {
        said.sort_by_cached_key(|triple| (triple.predicate != *vocab::RDF_TYPE, triple.clone()));
        said.dedup();
    }
    let mut names = Names { known: vocab::PREFIXES.to_vec(), used: BTreeSet::new(), nodes: &nodes, folded };
    names.known.extend_from_slice(prefixes);
    let mut body = String::new();
    for (subject, said) in nodes.iter().filter(|(subject, _)| !folded.contains(*subject)) {
        body.push('\n');
        names.write_iri(subject, &mut body);
        body.push(' ');
        names.write_said(said, " ;\n    ", &mut body);
        body.push_str(" .\n");
    }
    let mut text = String::new();
    for (prefix, namespace) in &names.used {
        // Writing to a String does not fail.
        let _ = writeln!(text, "@prefix {prefix}: <{namespace}> .");
    }
    text + &body
}

/// Writes triples as canonical N-Quads, in order of the lines' bytes.
pub fn write_nquads(triples: impl IntoIterator<Item = Triple>) -> String {
    let lines: BTreeSet<String> = triples.into_iter().map(|triple| triple.to_nquads_line()).collect();
    lines.into_iter().collect()
}

struct Names<'p> {
    known: Vec<(&'p str, &'p str)>,
    used: BTreeSet<(&'p str, &'p str)>,
    nodes: &'p BTreeMap<Iri, Vec<Triple>>,
    folded: &'p BTreeSet<Iri>,
}

impl Names<'_> {
    fn write_said(&mut self, said: &[Triple], separator: &str, out: &mut String) {
        let mut predicate: Option<&Iri> = None;
        for triple in said {
            if predicate == Some(&triple.predicate) {
                out.push_str(", ");
            } else {
                if predicate.is_some() {
                    out.push_str(separator);
                }
                if triple.predicate == *vocab::RDF_TYPE {
                    out.push('a');
                } else {
                    self.write_iri(&triple.predicate, out);
                }
                out.push(' ');
                predicate = Some(&triple.predicate);
            }
            self.write_object(&triple.object, out);
        }
    }

    fn write_object(&mut self, object: &Term, out: &mut String) {
        let nodes = self.nodes;
        let said = object.as_iri().filter(|iri| self.folded.contains(*iri)).and_then(|iri| nodes.get(iri));
        let Some(mut said) = said else { return self.write_term(object, out) };
        let part = |said: &'_ [Triple], predicate: &Iri| {
            said.iter().find(|triple| triple.predicate == *predicate).map(|triple| triple.object.clone())
        };
        if part(said, &vocab::RDF_FIRST).is_none() {
            out.push_str("[ ");
            self.write_said(said, " ; ", out);
            out.push_str(" ]");
            return;
        }
        out.push('(');
        while let Some(member) = part(said, &vocab::RDF_FIRST) {
            out.push(' ');
            self.write_object(&member, out);
            match part(said, &vocab::RDF_REST).and_then(|rest| nodes.get(rest.as_iri()?)) {
                Some(next) => said = next,
                None => break,
            }
        }
        out.push_str(" )");
    }

    fn write_iri(&mut self, iri: &Iri, out: &mut String) {
        let short = self
            .known
            .iter()
            .filter_map(|&(prefix, namespace)| {
                Some((prefix, namespace, iri.as_str().strip_prefix(namespace)?))
            })
            .filter(|(_, _, local)| is_plain_local(local))
            .min_by_key(|(_, _, local)| local.len());
        let _ = match short {
            Some((prefix, namespace, local)) => {
                self.used.insert((prefix, namespace));
                write!(out, "{prefix}:{local}")
            }
            None => write!(out, "<{iri}>"),
        };
    }

    fn write_term(&mut self, term: &Term, out: &mut String) {
        let literal = match term {
            Term::Iri(iri) => return self.write_iri(iri, out),
            Term::Literal(literal) => literal,
        };
        if is_shorthand(literal) {
            out.push_str(literal.value());
            return;
        }
        let _ = write_quoted(literal.value(), out);
        if let Some(language) = literal.language() {
            let _ = write!(out, "@{language}");
        } else if *literal.datatype() != *vocab::XSD_STRING {
            out.push_str("^^");
            self.write_iri(literal.datatype(), out);
        }
    }
}

/// Whether the text needs no escapes as the local part of a prefixed name: a careful subset of Turtle's `PN_LOCAL`.
fn is_plain_local(local: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    match local.as_bytes() {
        [] => false,
        [one] => word(*one),
        [first, middle @ .., last] => {
            word(*first) && word(*last) && middle.iter().all(|&b| word(b) || b == b'-' || b == b'.')
        }
    }
}

/// Whether Turtle reads the bare lexical form as this very literal.
fn is_shorthand(literal: &Literal) -> bool {
    let value = literal.value();
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let unsigned = value.strip_prefix(['+', '-']).unwrap_or(value);
    if *literal.datatype() == *vocab::XSD_BOOLEAN {
        matches!(value, "true" | "false")
    } else if *literal.datatype() == *vocab::XSD_INTEGER {
        !unsigned.is_empty() && digits(unsigned)
    } else if *literal.datatype() == *vocab::XSD_DECIMAL {
        // A fraction is needed: a bare `1` is an integer and a trailing `.` ends the statement.
        unsigned
            .split_once('.')
            .is_some_and(|(whole, part)| digits(whole) && !part.is_empty() && digits(part))
    } else {
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::graph::tests::any_triple;

    proptest! {
        #[test]
        fn what_is_written_reads_back(triples in prop::collection::btree_set(any_triple(), 0..30)) {
            let graph: Graph = triples.iter().cloned().collect();
            let prefixes = [("a", "http://e.org/a#"), ("x", "urn:x:")];
            let text = write(triples.iter().cloned(), &prefixes);
            prop_assert_eq!(&parse(&text).unwrap(), &graph, "{}", text);
            prop_assert_eq!(write(triples.iter().rev().cloned(), &prefixes), text);
            prop_assert_eq!(parse(&write_nquads(triples)).unwrap(), graph);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,80}") {
            let _ = parse(&text);
            let _ = parse_line(&text);
        }
    }

    #[test]
    fn turtle_is_grouped_prefixed_and_ordered() {
        let graph =
            parse("@prefix k: <urn:knhk:ns#> . k:b k:c 2.5, 1 ; a k:T . k:a k:c \"x\"@EN, \"y\\n\", true .")
                .unwrap();
        assert_eq!(
            write(graph.iter(), &[]),
            "@prefix knhk: <urn:knhk:ns#> .\n\nknhk:a knhk:c true, \"x\"@en, \"y\\n\" .\n\n\
             knhk:b a knhk:T ;\n    knhk:c 1, 2.5 .\n"
        );
    }

    #[test]
    fn blank_nodes_get_the_same_names_each_time() {
        let text = "<urn:a> <urn:b> [ <urn:c> [] ] , _:z . _:z <urn:c> _:b0 .";
        let graph = parse(text).unwrap();
        assert_eq!(graph, parse(text).unwrap());
        let digest = hex::encode(Sha256::digest(text.as_bytes()));
        let names: BTreeSet<String> = graph
            .iter()
            .flat_map(|t| [Some(t.subject), t.object.as_iri().cloned()])
            .flatten()
            .filter_map(|iri| iri.as_str().strip_prefix(&format!("urn:knhk:sk:{digest}:")).map(str::to_owned))
            .collect();
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["b0", "b1", "b2", "b3"]);
        assert_ne!(parse(&format!("{text} ")).unwrap(), graph);
    }

    #[test]
    fn deep_nesting_is_read_or_refused_without_harm() {
        for (open, close) in [("[ <urn:p> ", " ]"), ("( ", " )")] {
            let deep = format!("<urn:a> <urn:p> {}1{} .", open.repeat(20_000), close.repeat(20_000));
            assert!(parse(&deep).is_ok_and(|graph| graph.len() > 20_000));
            assert!(parse(&deep[..deep.len() - 30]).is_err());
        }
        assert_eq!(parse(&"#".repeat(DOCUMENT_BYTES_MAX + 1)).unwrap_err().code(), "KNHK-E1312");
    }

    #[test]
    fn an_error_says_where() {
        let error = parse("<urn:a> <urn:b> <urn:c> .\n<urn:a> <urn:b> ;; \"x .").unwrap_err();
        assert!(matches!(error, OntologyError::Turtle { line: 2, .. }), "{error:?}");
        assert!(parse("<a> <urn:b> <urn:c> .").is_err(), "relative IRIs have no base");
        let long = format!("<urn:{}> <urn:b> <urn:c> .", "a".repeat(3000));
        assert!(matches!(parse(&long), Err(OntologyError::BadIri { .. })));
    }
}
