//! The disagreements of one event with its class, listed for people.

use crate::admission::{Admission, ClassId, Members, Memory, PropertyShape};
use crate::facet::{FacetBreach, breach};
use crate::json::{Json, JsonType};
use crate::path;

/// Most violations listed for one event; more are counted only as "there are more".
pub const VIOLATIONS_MAX: usize = 32;

/// How a value disagrees with its shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ViolationKind {
    /// A key that the class does not declare.
    Undeclared,
    /// A value of none of the declared types.
    Type,
    /// A required key that is absent, `null`, or an array without values.
    MissingRequired,
    /// A number or length outside the declared bounds.
    OutOfRange,
    /// A value outside the declared enumeration.
    Enum,
    /// An array where one value is declared.
    Cardinality,
}

/// One disagreement of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where: a path as in [`crate::path`]; empty for the data itself.
    pub path: String,
    /// How.
    pub kind: ViolationKind,
    /// The last key of the path; empty for the data itself.
    pub key: String,
    /// What the ontology asks for.
    pub expected: String,
    /// What the event holds.
    pub found: String,
}

/// The judgement of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It agrees with its class in everything.
    Conforms,
    /// No class describes its event type.
    UnknownEventType,
    /// It disagrees.
    Violates {
        /// The first [`VIOLATIONS_MAX`] disagreements, in the order of the text; missing keys at the end of their object.
        violations: Vec<Violation>,
        /// Whether there are more.
        more: bool,
    },
}

impl Verdict {
    /// Whether the event agrees with its class.
    pub fn conforms(&self) -> bool {
        *self == Self::Conforms
    }
}

impl Admission {
    /// Judges the event and lists its disagreements.
    pub fn check(&self, event_type: &str, data: &Json<'_>) -> Verdict {
        let Some(class) = self.class_of_event(event_type) else { return Verdict::UnknownEventType };
        let mut report = Report { admission: self, path: String::new(), violations: Vec::new(), more: false };
        match data {
            Json::Object(members) => report.object(class, members),
            Json::Null => report.object(class, &[]),
            other => report.add(ViolationKind::Type, "", "object".to_owned(), type_of(other).to_owned()),
        }
        if report.violations.is_empty() {
            Verdict::Conforms
        } else {
            Verdict::Violates { violations: report.violations, more: report.more }
        }
    }

    /// Of several classes none of which admits the object, the one whose keys fit best: the report speaks of that one.
    fn nearest(&self, classes: &[ClassId], members: &Members<'_>) -> Option<ClassId> {
        let misfit = |id: &ClassId| {
            let Some(class) = self.class(*id) else { return usize::MAX };
            let undeclared = members.iter().filter(|(key, _)| class.property(key).is_none()).count();
            let missing = class
                .properties()
                .iter()
                .filter(|p| p.cardinality().is_required() && !members.iter().any(|(key, _)| *key == p.key()))
                .count();
            undeclared + missing
        };
        classes.iter().copied().min_by_key(misfit)
    }
}

fn type_of(value: &Json<'_>) -> &'static str {
    JsonType::as_str(value.json_type())
}

fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

struct Report<'s> {
    admission: &'s Admission,
    path: String,
    violations: Vec<Violation>,
    more: bool,
}

impl Report<'_> {
    fn add(&mut self, kind: ViolationKind, key: &str, expected: String, found: String) {
        if self.violations.len() == VIOLATIONS_MAX {
            self.more = true;
            return;
        }
        let path = self.path.clone();
        self.violations.push(Violation { path, kind, key: key.to_owned(), expected, found });
    }

    /// Runs `inner` with a step appended to the path: into a member, or with `None` into an array's elements.
    fn below(&mut self, key: Option<&str>, inner: impl FnOnce(&mut Self)) {
        let before = path::enter(&mut self.path, key);
        inner(self);
        path::leave(&mut self.path, before);
    }

    fn object(&mut self, class: ClassId, members: &Members<'_>) {
        let admission = self.admission;
        let Some(class) = admission.class(class) else { return };
        let mut filled = vec![false; class.properties().len()];
        for (key, value) in members {
            match class.position(key) {
                None => self.below(Some(key), |report| {
                    report.add(
                        ViolationKind::Undeclared,
                        key,
                        "no such key".to_owned(),
                        type_of(value).to_owned(),
                    );
                }),
                Some(position) => {
                    filled[position] = match value {
                        Json::Null => false,
                        Json::Array(elements) => elements.iter().any(|element| *element != Json::Null),
                        _ => true,
                    };
                    self.below(Some(key), |report| report.property(&class.properties()[position], value));
                }
            }
        }
        for (property, filled) in class.properties().iter().zip(filled) {
            if property.cardinality().is_required() && !filled {
                let expected = format!("cardinality {}", property.cardinality().as_str());
                self.below(Some(property.key()), |report| {
                    report.add(
                        ViolationKind::MissingRequired,
                        property.key(),
                        expected,
                        "no value".to_owned(),
                    );
                });
            }
        }
    }

    fn property(&mut self, property: &PropertyShape, value: &Json<'_>) {
        match value {
            Json::Null => {}
            Json::Array(elements) => {
                if !property.admits_array(elements) {
                    let expected = format!("cardinality {}", property.cardinality().as_str());
                    let found = format!("array of {}", elements.len());
                    self.add(ViolationKind::Cardinality, property.key(), expected, found);
                }
                self.below(None, |report| {
                    for element in elements.iter().filter(|element| **element != Json::Null) {
                        report.value(property, element);
                    }
                });
            }
            other => self.value(property, other),
        }
    }

    fn value(&mut self, property: &PropertyShape, value: &Json<'_>) {
        if let Some(facets) = property.facets()
            && let Some(facet) = breach(facets, value)
        {
            let kind =
                if facet == FacetBreach::Values { ViolationKind::Enum } else { ViolationKind::OutOfRange };
            let found = shortened(value.lexical().unwrap_or_default());
            self.add(kind, property.key(), facet.describe(facets), found);
        }
        if property.admits_literal(value) {
            return;
        }
        match value {
            Json::Object(members) if !property.classes().is_empty() => {
                let admission = self.admission;
                let class = match property.classes() {
                    [class] => Some(*class),
                    classes => {
                        let mut memory = Memory::default();
                        if classes.iter().any(|class| admission.object_conforms(*class, members, &mut memory))
                        {
                            return;
                        }
                        admission.nearest(classes, members)
                    }
                };
                if let Some(class) = class {
                    self.object(class, members);
                }
            }
            other => {
                self.add(ViolationKind::Type, property.key(), property.expected(), type_of(other).to_owned());
            }
        }
    }
}
