//! Terms and triples without blank nodes, and their canonical text.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::OntologyError;
use crate::iri::Iri;
use crate::turtle;
use crate::vocab;

/// An RDF literal: lexical form, datatype, and a language when the datatype is `rdf:langString`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Literal {
    value: Arc<str>,
    datatype: Iri,
    language: Option<Arc<str>>,
}

impl Literal {
    /// A literal of `datatype` with lexical form `value`, which is not checked against the datatype.
    pub fn typed(value: impl Into<Arc<str>>, datatype: Iri) -> Self {
        Self { value: value.into(), datatype, language: None }
    }

    /// An `xsd:string`.
    pub fn string(value: impl Into<Arc<str>>) -> Self {
        Self::typed(value, vocab::XSD_STRING.clone())
    }

    /// An `rdf:langString`. The tag is kept in lower case (RDF 1.1 Concepts §3.3 allows it), so equal tags are equal text.
    pub(crate) fn tagged(value: impl Into<Arc<str>>, language: &str) -> Self {
        Self {
            value: value.into(),
            datatype: vocab::RDF_LANG_STRING.clone(),
            language: Some(language.to_ascii_lowercase().into()),
        }
    }

    /// The lexical form.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The datatype.
    pub fn datatype(&self) -> &Iri {
        &self.datatype
    }

    /// The language tag, in lower case.
    pub fn language(&self) -> Option<&str> {
        self.language.as_deref()
    }
}

/// What may stand in the object position.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Term {
    /// A literal. First, as `"` sorts before `<` in canonical text.
    Literal(Literal),
    /// An IRI.
    Iri(Iri),
}

impl Term {
    /// What sorts before every other term.
    pub(crate) fn least() -> Self {
        Self::Literal(Literal::typed("", Iri::derived(String::new())))
    }

    /// The IRI, if it is one.
    pub fn as_iri(&self) -> Option<&Iri> {
        match self {
            Self::Iri(iri) => Some(iri),
            Self::Literal(_) => None,
        }
    }

    /// The literal, if it is one.
    pub fn as_literal(&self) -> Option<&Literal> {
        match self {
            Self::Literal(literal) => Some(literal),
            Self::Iri(_) => None,
        }
    }
}

impl From<Iri> for Term {
    fn from(iri: Iri) -> Self {
        Self::Iri(iri)
    }
}

impl From<Literal> for Term {
    fn from(literal: Literal) -> Self {
        Self::Literal(literal)
    }
}

/// Canonical N-Quads form (RDFC-1.0 §5.1), which is also the form in reports.
impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Iri(iri) => write!(f, "<{iri}>"),
            Self::Literal(literal) => literal.fmt(f),
        }
    }
}

impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_quoted(&self.value, f)?;
        match &self.language {
            Some(language) => write!(f, "@{language}"),
            None if self.datatype == *vocab::XSD_STRING => Ok(()),
            None => write!(f, "^^<{}>", self.datatype),
        }
    }
}

impl fmt::Debug for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Writes a string literal with the escapes of canonical N-Quads and no others.
pub(crate) fn write_quoted(text: &str, f: &mut impl fmt::Write) -> fmt::Result {
    f.write_char('"')?;
    let mut plain = 0;
    for (at, c) in text.char_indices() {
        let escape = match c {
            '\u{8}' => "\\b",
            '\t' => "\\t",
            '\n' => "\\n",
            '\u{C}' => "\\f",
            '\r' => "\\r",
            '"' => "\\\"",
            '\\' => "\\\\",
            '\0'..='\u{1F}' | '\u{7F}' | '\u{FFFE}' | '\u{FFFF}' => "",
            _ => continue,
        };
        f.write_str(&text[plain..at])?;
        plain = at + c.len_utf8();
        if escape.is_empty() {
            write!(f, "\\u{:04X}", u32::from(c))?;
        } else {
            f.write_str(escape)?;
        }
    }
    f.write_str(&text[plain..])?;
    f.write_char('"')
}

/// One statement. Ordered by the text of subject, predicate, object.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Triple {
    /// Subject.
    pub subject: Iri,
    /// Predicate.
    pub predicate: Iri,
    /// Object.
    pub object: Term,
}

impl Triple {
    /// A triple of these three.
    pub fn new(subject: &Iri, predicate: &Iri, object: impl Into<Term>) -> Self {
        Self { subject: subject.clone(), predicate: predicate.clone(), object: object.into() }
    }

    /// The canonical N-Quads line in the default graph, with its line feed (RDFC-1.0 §5.1): what is hashed.
    pub fn to_nquads_line(&self) -> String {
        format!("{self}\n")
    }

    /// Reads one N-Triples line. Blank nodes are refused: there are none in Σ.
    pub fn from_nquads_line(line: &str) -> Result<Self, OntologyError> {
        turtle::parse_line(line)
    }
}

/// The canonical line without its line feed.
impl fmt::Display for Triple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}> <{}> {} .", self.subject, self.predicate, self.object)
    }
}

impl fmt::Debug for Triple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Triple {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Triple {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_nquads_line(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(object: impl Into<Term>) -> String {
        Triple::new(&Iri::new("urn:a").unwrap(), &Iri::new("urn:b").unwrap(), object).to_nquads_line()
    }

    #[test]
    fn the_canonical_line_escapes_what_rdfc_escapes_and_nothing_else() {
        assert_eq!(
            line(vocab::RDF_NIL.clone()),
            "<urn:a> <urn:b> <http://www.w3.org/1999/02/22-rdf-syntax-ns#nil> .\n"
        );
        assert_eq!(
            line(Literal::string("\u{0}\u{8}\t\n\u{b}\u{c}\r\"\\\u{7f}é\u{ffff}😀")),
            "<urn:a> <urn:b> \"\\u0000\\b\\t\\n\\u000B\\f\\r\\\"\\\\\\u007Fé\\uFFFF😀\" .\n"
        );
        assert_eq!(line(Literal::tagged("x", "EN-gb")), "<urn:a> <urn:b> \"x\"@en-gb .\n");
        assert_eq!(
            line(Literal::typed("1", vocab::XSD_INTEGER.clone())),
            "<urn:a> <urn:b> \"1\"^^<http://www.w3.org/2001/XMLSchema#integer> .\n"
        );
    }

    #[test]
    fn a_line_reads_back_as_its_triple() {
        for object in [
            Term::from(Literal::string("a \"b\"\n\u{1}")),
            Literal::tagged("x", "de").into(),
            Literal::typed("1.5", vocab::XSD_DECIMAL.clone()).into(),
            vocab::RDF_NIL.clone().into(),
        ] {
            let text = line(object.clone());
            assert_eq!(Triple::from_nquads_line(&text).unwrap().object, object);
        }
        for bad in [
            "",
            "<urn:a> <urn:b> _:c .",
            "<urn:a> <urn:b> <urn:c>",
            "<urn:a> <urn:b> <urn:c> .\n<urn:a> <urn:b> <urn:d> .",
        ] {
            assert!(Triple::from_nquads_line(bad).is_err(), "{bad}");
        }
    }
}
