//! A JSON-LD 1.1 context for events: JSON key → IRI, scoped, since one key means different things in different objects.

use serde_json::{Map, Value, json};

use crate::error::OntologyError;
use crate::schema::{Class, Datatype, Property, Range, Schema};
use crate::vocab;

/// Most terms of one context, nested ones written out.
pub const CONTEXT_TERMS_MAX: usize = 100_000;
/// Deepest nesting of scoped contexts. Objects below keep the terms of the objects around them.
pub const CONTEXT_DEPTH_MAX: usize = 16;

/// The context of a schema as indented JSON with keys in order and a final line feed. Each class of events is a term
/// whose scoped context holds its keys; a key whose value is an object scopes the keys of that object.
///
/// # Errors
/// [`OntologyError::TooLarge`] beyond [`CONTEXT_TERMS_MAX`].
pub fn context(schema: &Schema) -> Result<String, OntologyError> {
    let mut writer = Writer { schema, terms: 0 };
    let mut top = Map::new();
    top.insert("@version".into(), json!(1.1));
    for class in schema.classes.values() {
        let is_event = schema.lineage(class).last().is_some_and(|top| top.subclass_of == *vocab::KNHK_EVENT);
        if is_event {
            let name = class.iri.as_str().strip_prefix(&schema.namespace).unwrap_or_default();
            let mut term = Map::new();
            term.insert("@id".into(), class.iri.as_str().into());
            term.insert("@context".into(), writer.keys(class, &mut Vec::new())?);
            top.insert(name.to_owned(), term.into());
        }
    }
    let text = serde_json::to_string_pretty(&json!({ "@context": top }));
    // Only maps with text keys are written here.
    text.map(|text| text + "\n").map_err(|error| OntologyError::malformed("the context", error.to_string()))
}

struct Writer<'s> {
    schema: &'s Schema,
    terms: usize,
}

impl<'s> Writer<'s> {
    fn keys(&mut self, class: &'s Class, above: &mut Vec<&'s Class>) -> Result<Value, OntologyError> {
        above.push(class);
        let mut keys = Map::new();
        for (key, property) in self.schema.keys_of(class) {
            // Neither keywords nor the empty string can be terms (JSON-LD 1.1 §4.2).
            if !key.is_empty() && !key.starts_with('@') {
                keys.insert(key.to_owned(), self.term(property, above)?);
            }
        }
        above.pop();
        Ok(keys.into())
    }

    fn term(&mut self, property: &'s Property, above: &mut Vec<&'s Class>) -> Result<Value, OntologyError> {
        self.terms += 1;
        if self.terms > CONTEXT_TERMS_MAX {
            let what = format!("context of sector `{}` in terms", self.schema.sector);
            return Err(OntologyError::too_large(what, CONTEXT_TERMS_MAX));
        }
        let mut term = Map::new();
        term.insert("@id".into(), property.iri.as_str().into());
        if property.cardinality.is_many() {
            term.insert("@container".into(), "@set".into());
        }
        let mut ranges = property.ranges.iter();
        match (ranges.next(), ranges.next()) {
            (Some(Range::Datatype(Datatype::Json)), None) => {
                term.insert("@type".into(), "@json".into());
            }
            (Some(Range::Datatype(datatype)), None) => {
                term.insert("@type".into(), datatype.iri().as_str().into());
            }
            _ => {}
        }
        let mut classes = property.ranges.iter().filter_map(|range| match range {
            Range::Class(class) => self.schema.classes.get(class),
            Range::Datatype(_) => None,
        });
        if let (Some(class), None) = (classes.next(), classes.next())
            && above.len() < CONTEXT_DEPTH_MAX
            && !above.iter().any(|seen| seen.iri == class.iri)
        {
            term.insert("@context".into(), self.keys(class, above)?);
        }
        Ok(term.into())
    }
}
