//! A validation report as RDF (SHACL §3.6), in Turtle.
//!
//! Blank nodes of the data keep their skolem IRIs, `urn:knhk:sk:<sha256 of the file>:b<n>`: a blank node of the report could
//! not be found in the data again.

use std::fmt::Write as _;

use knhk_ontology::shacl::{Severity, Violation};

const HEAD: &str =
    "@prefix sh: <http://www.w3.org/ns/shacl#> .\n@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .\n\n";

/// Writes the report; results are in the order given.
pub(super) fn write(results: &[Violation]) -> String {
    let mut text = HEAD.to_owned();
    // Writing to a String does not fail, here and below.
    let _ = write!(text, "[] a sh:ValidationReport ;\n    sh:conforms {}", results.is_empty());
    for result in results {
        let severity = match result.severity {
            Severity::Violation => "Violation",
            Severity::Warning => "Warning",
            Severity::Info => "Info",
        };
        let _ = write!(
            text,
            " ;\n    sh:result [\n        a sh:ValidationResult ;\n        sh:focusNode {} ;\n        sh:resultSeverity sh:{severity}",
            result.focus
        );
        if let Some(path) = &result.path {
            let _ = write!(text, " ;\n        sh:resultPath {}", Path::of(path));
        }
        if let Some(value) = &result.value {
            let _ = write!(text, " ;\n        sh:value {value}");
        }
        let _ = write!(
            text,
            " ;\n        sh:sourceConstraintComponent <{}> ;\n        sh:sourceShape <{}>",
            result.component, result.shape
        );
        if !result.message.is_empty() {
            let _ = write!(
                text,
                " ;\n        sh:resultMessage {}",
                knhk_ontology::Literal::string(result.message.as_str())
            );
        }
        text.push_str("\n    ]");
    }
    text.push_str(" .\n");
    text
}

/// Reads a path in SPARQL's notation, as reports show it, and writes it as SHACL does.
struct Path<'t> {
    rest: &'t str,
}

impl<'t> Path<'t> {
    fn of(text: &'t str) -> String {
        Path { rest: text }.alternatives()
    }

    fn alternatives(&mut self) -> String {
        let mut all = vec![self.sequence()];
        while self.take('|') {
            all.push(self.sequence());
        }
        match all.as_slice() {
            [only] => only.clone(),
            all => format!("[ sh:alternativePath ( {} ) ]", all.join(" ")),
        }
    }

    fn sequence(&mut self) -> String {
        let mut all = vec![self.element()];
        while self.take('/') {
            all.push(self.element());
        }
        match all.as_slice() {
            [only] => only.clone(),
            all => format!("( {} )", all.join(" ")),
        }
    }

    fn element(&mut self) -> String {
        if self.take('^') {
            return format!("[ sh:inversePath {} ]", self.element());
        }
        let mut path = if self.take('(') {
            let inner = self.alternatives();
            self.take(')');
            inner
        } else {
            let end = self.rest.find('>').map_or(self.rest.len(), |at| at + 1);
            let (iri, rest) = self.rest.split_at(end);
            self.rest = rest;
            iri.to_owned()
        };
        loop {
            let times = [('*', "zeroOrMorePath"), ('+', "oneOrMorePath"), ('?', "zeroOrOnePath")];
            let Some((_, operator)) = times.into_iter().find(|(sign, _)| self.take(*sign)) else {
                return path;
            };
            path = format!("[ sh:{operator} {path} ]");
        }
    }

    fn take(&mut self, sign: char) -> bool {
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_written_as_shacl_writes_them() {
        for (text, expected) in [
            ("<urn:a>", "<urn:a>"),
            ("<urn:a>/^<urn:b>*", "( <urn:a> [ sh:inversePath [ sh:zeroOrMorePath <urn:b> ] ] )"),
            (
                "(<urn:a>|<urn:b>/<urn:c>)+",
                "[ sh:oneOrMorePath [ sh:alternativePath ( <urn:a> ( <urn:b> <urn:c> ) ) ] ]",
            ),
            ("^(<urn:a>?)", "[ sh:inversePath [ sh:zeroOrOnePath <urn:a> ] ]"),
        ] {
            assert_eq!(Path::of(text), expected);
        }
    }

    #[test]
    fn a_report_is_turtle_whatever_its_texts_hold() {
        let result = Violation {
            focus: "<urn:x>".to_owned(),
            path: Some("<urn:p>/<urn:q>".to_owned()),
            value: Some("\"a\\\"b\"@en".to_owned()),
            component: "http://www.w3.org/ns/shacl#MinCountConstraintComponent".to_owned(),
            shape: "urn:s".to_owned(),
            severity: Severity::Warning,
            message: "not \"this\"\n\\".to_owned(),
        };
        let text = write(&[result.clone(), result]);
        let graph = knhk_ontology::turtle::parse(&text).unwrap();
        assert_eq!(graph.len(), 2 + 2 * (9 + 4), "{text}");
        assert!(write(&[]).contains("sh:conforms true"));
    }
}
