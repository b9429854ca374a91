//! What changed between two versions, in KGCL (Knowledge Graph Change Language, INCATools): as lines of its controlled
//! language, and as JSON in the shape of its LinkML schema.
//!
//! KGCL knows nodes, edges, labels, definitions and obsolescence. What a key's values must be, event types and settings
//! have no change type there: they are `knhk:ConstraintChange`, in lines that begin with `# knhk:`, a comment to other
//! readers (`docs/formats/export.md`).

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::delta::Effect;
use crate::iri::Iri;
use crate::schema::{Cardinality, Class, Facets, Property, Range, Schema};
use crate::semantic_diff::{SemanticChange, diff, property_differences};
use crate::vocab;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// KGCL's name for this type of change, or `knhk:ConstraintChange`.
    pub kind: &'static str,
    /// Its slots, in order of their names, without `id` and `type`.
    fields: Map<String, Value>,
    /// It in the controlled language.
    lines: Vec<String>,
}

/// Every change between two versions of one sector, in order: creations, then changes, then what is obsolete, then
/// deletions, each by term.
pub fn changes(old: &Schema, new: &Schema) -> Vec<Change> {
    let mut found = Found::default();
    for class in new.classes.values() {
        match old.classes.get(&class.iri) {
            None => {
                found.class_created(class);
                class.properties.values().for_each(|property| found.property_created(class, property));
            }
            Some(before) => {
                for (key, property) in &class.properties {
                    if before.properties.get(key).is_none_or(|other| other.iri != property.iri) {
                        found.property_created(class, property);
                    }
                }
            }
        }
    }
    for change in diff(old, new) {
        found.changed(&change, old, new);
    }
    let left: BTreeSet<&Iri> =
        new.classes.values().flat_map(|c| c.properties.values()).map(|p| &p.iri).collect();
    for class in old.classes.values() {
        for property in class.properties.values().filter(|property| !left.contains(&property.iri)) {
            found.deleted(&property.iri);
        }
        if !new.classes.contains_key(&class.iri) {
            found.deleted(&class.iri);
        }
    }
    let mut all = found.created;
    all.extend(found.changed);
    all.extend(found.obsoleted);
    all.extend(found.deleted);
    all
}

/// The changes in the controlled language, a line each, with a head that says what they lead from and to.
pub fn lines(changes: &[Change], head: &str) -> String {
    let mut text = String::new();
    for line in head.lines() {
        text.extend(["# ", line, "\n"]);
    }
    for line in changes.iter().flat_map(|change| &change.lines) {
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// The changes as a JSON list; `id`s count from 1.
pub fn json(changes: &[Change]) -> Value {
    let number = |(index, change): (usize, &Change)| {
        let mut map = change.fields.clone();
        map.insert("id".to_owned(), json!(format!("CHANGE:{:06}", index + 1)));
        map.insert("type".to_owned(), json!(change.kind));
        Value::Object(map)
    };
    Value::Array(changes.iter().enumerate().map(number).collect())
}

#[derive(Default)]
struct Found {
    created: Vec<Change>,
    changed: Vec<Change>,
    obsoleted: Vec<Change>,
    deleted: Vec<Change>,
}

/// A text in the controlled language, which has no way to write a quotation mark or a line break.
fn quoted(text: &str) -> Option<String> {
    (!text.contains(['\'', '\n', '\r'])).then(|| format!("'{text}'"))
}

/// A line, or where it cannot be written, a comment with the same texts as JSON strings.
fn line(kind: &str, about: &Iri, texts: &[&str], write: impl Fn(&[String]) -> String) -> String {
    let all: Option<Vec<String>> = texts.iter().map(|text| quoted(text)).collect();
    all.map_or_else(|| format!("# knhk:{kind} <{about}> {}", json!(texts)), |all| write(&all))
}

fn change(kind: &'static str, fields: Value, lines: Vec<String>) -> Change {
    let fields = match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    Change { kind, fields, lines }
}

impl Found {
    fn edge(&mut self, kind: &'static str, subject: &Iri, predicate: &str, object: &Iri) {
        let fields = json!({ "subject": subject, "predicate": predicate, "object": object });
        self.created.push(change(
            kind,
            fields,
            vec![format!("create edge <{subject}> {predicate} <{object}>")],
        ));
    }

    fn class_created(&mut self, class: &Class) {
        let iri = &class.iri;
        let fields = json!({ "about_node": iri, "name": class.label });
        let is_class = format!("create edge <{iri}> rdf:type <{}>", *vocab::OWL_CLASS);
        let lines = match quoted(&class.label) {
            Some(label) => vec![format!("create node <{iri}> {label}"), is_class],
            None => vec![
                format!("create <{iri}>"),
                format!("# knhk:NodeRename <{iri}> {}", json!([&class.label])),
            ],
        };
        self.created.push(change("ClassCreation", fields, lines));
        self.edge("PlaceUnder", iri, "rdfs:subClassOf", &class.subclass_of);
        self.defined(iri, &class.comment);
        for event_type in &class.event_types {
            self.constraint((iri, None), "event type", (None, Some(event_type)), Effect::Weakening);
        }
        if class.hot {
            self.constraint((iri, None), "hot", (Some("false"), Some("true")), Effect::Neutral);
        }
    }

    fn property_created(&mut self, class: &Class, property: &Property) {
        let iri = &property.iri;
        let fields = json!({ "about_node": iri, "name": property.label });
        let text = line("NodeCreation", iri, &[&property.label], |texts| {
            format!("create node <{iri}> {}", texts[0])
        });
        self.created.push(change("NodeCreation", fields, vec![text]));
        self.edge("EdgeCreation", iri, "rdf:type", &vocab::RDF_PROPERTY);
        self.edge("EdgeCreation", iri, "rdfs:domain", &class.iri);
        if let [only] = property.ranges.iter().collect::<Vec<_>>().as_slice() {
            let range = match only {
                Range::Datatype(datatype) => datatype.iri(),
                Range::Class(class) => class,
            };
            self.edge("EdgeCreation", iri, "rdfs:range", range);
        }
        self.defined(iri, &property.comment);
        self.constraint((iri, Some(&property.key)), "key", (None, Some(&property.key)), Effect::Neutral);
        let nothing_asked = Property {
            ranges: BTreeSet::new(),
            cardinality: Cardinality::ZeroOrMore,
            facets: Facets::default(),
            deprecated: false,
            replaced_by: None,
            ..property.clone()
        };
        for difference in property_differences(class.iri.as_str(), &nothing_asked, property) {
            let texts = (difference.old.as_deref(), difference.new.as_deref());
            match difference.aspect {
                "deprecated" | "replaced by" => {}
                // Nothing is asked of a key that was not there.
                "range" | "cardinality" => {
                    self.constraint(
                        (iri, Some(&property.key)),
                        difference.aspect,
                        (None, texts.1),
                        difference.effect,
                    );
                }
                aspect => self.constraint((iri, Some(&property.key)), aspect, texts, difference.effect),
            }
        }
        if property.deprecated {
            self.obsoleted(property);
        }
    }

    fn defined(&mut self, iri: &Iri, comment: &str) {
        if !comment.is_empty() {
            let kind = "NewTextDefinition";
            let text = line(kind, iri, &[comment], |texts| format!("add definition {} to <{iri}>", texts[0]));
            self.created.push(change(kind, json!({ "about_node": iri, "new_value": comment }), vec![text]));
        }
    }

    fn obsoleted(&mut self, property: &Property) {
        let iri = &property.iri;
        self.obsoleted.push(match &property.replaced_by {
            Some(by) => change(
                "NodeObsoletionWithDirectReplacement",
                json!({ "about_node": iri, "has_direct_replacement": by }),
                vec![format!("obsolete <{iri}> with replacement <{by}>")],
            ),
            None => change("NodeObsoletion", json!({ "about_node": iri }), vec![format!("obsolete <{iri}>")]),
        });
    }

    fn deleted(&mut self, iri: &Iri) {
        self.deleted.push(change(
            "NodeDeletion",
            json!({ "about_node": iri }),
            vec![format!("delete <{iri}>")],
        ));
    }

    fn constraint(
        &mut self,
        (about, key): (&Iri, Option<&str>),
        aspect: &str,
        (old, new): (Option<&str>, Option<&str>),
        effect: Effect,
    ) {
        let mut fields = json!({ "about_node": about, "aspect": aspect, "effect": effect });
        for (name, value) in [("key", key), ("old_value", old), ("new_value", new)] {
            if let Some(value) = value {
                fields[name] = json!(value);
            }
        }
        let text = format!(
            "# knhk:ConstraintChange <{about}> {} from {} to {}",
            json!(aspect),
            json!(old),
            json!(new)
        );
        self.changed.push(change("knhk:ConstraintChange", fields, vec![text]));
    }

    /// A difference of something that is in both versions.
    fn changed(&mut self, difference: &SemanticChange, old: &Schema, new: &Schema) {
        let subject = Iri::derived(difference.subject.clone());
        let class = |schema: &Schema| schema.classes.get(&subject).cloned();
        let (before, after) = (class(old), class(new));
        let key = difference.key.as_deref();
        let property = |class: &Option<Class>| class.as_ref()?.properties.get(key?).cloned();
        let (was, is) = (property(&before), property(&after));
        let texts = (difference.old.as_deref(), difference.new.as_deref());
        let about = match (&was, &is, &after) {
            (_, Some(property), _) => property.iri.clone(),
            (_, None, Some(class)) if key.is_none() => class.iri.clone(),
            _ => subject.clone(),
        };
        match difference.aspect {
            // Creations and deletions are told as such.
            "class" | "property" | "iri" => {}
            _ if key.is_some()
                && after.is_some()
                && before.is_some()
                && was.as_ref().map(|p| &p.iri) != is.as_ref().map(|p| &p.iri) => {}
            "label" => {
                let (a, b) = (texts.0.unwrap_or_default(), texts.1.unwrap_or_default());
                let text = line("NodeRename", &about, &[a, b], |t| {
                    format!("rename <{about}> from {} to {}", t[0], t[1])
                });
                let fields = json!({ "about_node": about, "old_value": a, "new_value": b });
                self.changed.push(change("NodeRename", fields, vec![text]));
            }
            "comment" => self.redefined(&about, texts.0.unwrap_or_default(), texts.1.unwrap_or_default()),
            "parent" => {
                let (a, b) = (texts.0.unwrap_or_default(), texts.1.unwrap_or_default());
                let edge = json!({ "subject": about, "predicate": "rdfs:subClassOf", "object": a });
                let fields = json!({ "about_edge": edge, "old_value": a, "new_value": b });
                let text = format!("move <{about}> rdfs:subClassOf <{a}> from <{a}> to <{b}>");
                self.changed.push(change("NodeMove", fields, vec![text]));
            }
            "deprecated" => match &is {
                Some(property) if property.deprecated => self.obsoleted(property),
                _ => {
                    let text = vec![format!("unobsolete <{about}>")];
                    self.obsoleted.push(change("NodeUnobsoletion", json!({ "about_node": about }), text));
                }
            },
            // Told with the obsoletion, if both come together.
            "replaced by"
                if was.as_ref().is_some_and(|p| !p.deprecated)
                    && is.as_ref().is_some_and(|p| p.deprecated) => {}
            aspect => self.constraint((&about, key), aspect, texts, difference.effect),
        }
    }

    fn redefined(&mut self, about: &Iri, old: &str, new: &str) {
        let (kind, fields, text) = match (old, new) {
            ("", new) => (
                "NewTextDefinition",
                json!({ "about_node": about, "new_value": new }),
                line("NewTextDefinition", about, &[new], |t| format!("add definition {} to <{about}>", t[0])),
            ),
            (old, "") => (
                "RemoveTextDefinition",
                json!({ "about_node": about, "old_value": old }),
                format!("remove definition for <{about}>"),
            ),
            (old, new) => (
                "NodeTextDefinitionChange",
                json!({ "about_node": about, "old_value": old, "new_value": new }),
                line("NodeTextDefinitionChange", about, &[old, new], |t| {
                    format!("change definition of <{about}> from {} to {}", t[0], t[1])
                }),
            ),
        };
        self.changed.push(change(kind, fields, vec![text]));
    }
}
