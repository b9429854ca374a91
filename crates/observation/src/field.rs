//! What one field of one event type held in a window.

use std::collections::BTreeMap;

use knhk_ontology::decimal::Decimal;
use knhk_projection::admission::{ClassId, FacetBreach};
use knhk_projection::json::{Json, JsonType, Number};
use knhk_projection::lexical;

use crate::seen::{DISTINCT_MAX, Seen, Tally};

/// Longest scalar, in bytes, whose values are told apart; a field with a longer one has "many" values.
pub const VALUE_BYTES_MAX: usize = 64;

/// Forms of strings that are counted. A string may have several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// RFC 3339 with a zone.
    DateTime,
    /// `YYYY-MM-DD`.
    Date,
    /// A UUID.
    Uuid,
    /// An absolute IRI.
    Iri,
    /// A decimal number as a string.
    Decimal,
}

impl Format {
    /// Every form, in order.
    pub const ALL: [Self; 5] = [Self::DateTime, Self::Date, Self::Uuid, Self::Iri, Self::Decimal];

    fn matches(self, text: &str) -> bool {
        match self {
            Self::DateTime => lexical::is_date_time(text),
            Self::Date => lexical::is_date(text),
            Self::Uuid => lexical::is_uuid(text),
            Self::Iri => lexical::is_absolute_iri(text),
            Self::Decimal => lexical::is_decimal(text),
        }
    }
}

/// Counts and extents of the values at one field.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldStats {
    pub(crate) present: Seen,
    pub(crate) filled: Tally,
    pub(crate) empty_arrays: Tally,
    types: [Tally; 7],
    formats: [u64; 5],
    lengths: Option<(u64, u64)>,
    numbers: Option<(Decimal, Decimal)>,
    inexact: u64,
    values: BTreeMap<Box<str>, Tally>,
    many: bool,
}

impl FieldStats {
    /// Events and occurrences in which the field is there, `null` included.
    pub fn present(&self) -> &Seen {
        &self.present
    }

    /// Events and occurrences in which it holds at least one value: neither `null`, nor an array without values.
    /// It is filled in every object of its parent when `filled().occurrences` equals the parent's
    /// `of_type(JsonType::Object).occurrences`.
    pub fn filled(&self) -> Tally {
        self.filled
    }

    /// Occurrences that are arrays without values.
    pub fn empty_arrays(&self) -> Tally {
        self.empty_arrays
    }

    /// Events and occurrences with a value of this type.
    pub fn of_type(&self, json_type: JsonType) -> Tally {
        self.types[json_type as usize]
    }

    /// Types seen, with the events and occurrences of each.
    pub fn types(&self) -> impl Iterator<Item = (JsonType, Tally)> {
        JsonType::ALL.into_iter().zip(self.types).filter(|(_, tally)| tally.events > 0)
    }

    /// Strings of this form, counted by occurrence.
    pub fn of_format(&self, format: Format) -> u64 {
        self.formats[format as usize]
    }

    /// Whether there are strings and all are of this form.
    pub fn all_strings_are(&self, format: Format) -> bool {
        let strings = self.of_type(JsonType::String).occurrences;
        strings > 0 && self.of_format(format) == strings
    }

    /// Shortest and longest string, in Unicode scalar values.
    pub fn lengths(&self) -> Option<(u64, u64)> {
        self.lengths
    }

    /// Smallest and largest number among those that are exact decimals.
    pub fn numbers(&self) -> Option<(Decimal, Decimal)> {
        self.numbers
    }

    /// Numbers with more digits than a [`Decimal`] holds; [`FieldStats::numbers`] leaves them out.
    pub fn inexact_numbers(&self) -> u64 {
        self.inexact
    }

    /// Distinct booleans, numbers and strings by lexical form, while there are at most [`DISTINCT_MAX`] and none is
    /// longer than [`VALUE_BYTES_MAX`]; `None` when there are many.
    pub fn values(&self) -> Option<&BTreeMap<Box<str>, Tally>> {
        (!self.many).then_some(&self.values)
    }

    pub(crate) fn add_type(&mut self, json_type: JsonType, ordinal: u64) {
        self.types[json_type as usize].add(ordinal);
    }

    pub(crate) fn add_scalar(&mut self, value: &Json<'_>, ordinal: u64) {
        match value {
            Json::Number(number) => self.add_number(*number),
            Json::String(text) => self.add_string(text),
            _ => {}
        }
        if let Some(text) = value.lexical()
            && !self.many
        {
            self.add_value(text, ordinal);
        }
    }

    fn add_value(&mut self, text: &str, ordinal: u64) {
        if let Some(tally) = self.values.get_mut(text) {
            tally.add(ordinal);
        } else if text.len() > VALUE_BYTES_MAX || self.values.len() == DISTINCT_MAX {
            self.many = true;
            self.values.clear();
        } else {
            self.values.entry(text.into()).or_default().add(ordinal);
        }
    }

    fn add_number(&mut self, number: Number<'_>) {
        let Some(value) = number.decimal() else {
            self.inexact += 1;
            return;
        };
        self.numbers = Some(match self.numbers {
            Some((min, max)) => (min.min(value), max.max(value)),
            None => (value, value),
        });
    }

    fn add_string(&mut self, text: &str) {
        let length = text.chars().count() as u64;
        self.lengths = Some(match self.lengths {
            Some((min, max)) => (min.min(length), max.max(length)),
            None => (length, length),
        });
        for format in Format::ALL {
            self.formats[format as usize] += u64::from(format.matches(text));
        }
    }
}

/// One field of an event type: its values, and the fields below it.
#[derive(Clone, Debug, Default)]
pub struct FieldNode {
    pub(crate) stats: FieldStats,
    children: Vec<(Box<str>, Box<FieldNode>)>,
    index: BTreeMap<Box<str>, usize>,
    next: usize,
    pub(crate) elements: Option<Box<FieldNode>>,
    pub(crate) place: Place,
    pub(crate) breaches: Option<Box<Breaches>>,
    /// The parent's object, by ordinal, in which it was last filled.
    pub(crate) filled_in: u64,
    /// The parent's object, by ordinal, in which it was last an array without values.
    pub(crate) emptied_in: u64,
}

/// Where a field stands in the ontology.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    /// Whether fields and types are judged here at all.
    pub(crate) judged: bool,
    /// The properties it may be: class and position.
    pub(crate) properties: Vec<(ClassId, usize)>,
    /// The classes that an object here may have.
    pub(crate) classes: Vec<ClassId>,
}

impl Place {
    /// Whether the ontology has a property for it.
    pub(crate) fn is_declared(&self) -> bool {
        !self.properties.is_empty()
    }
}

/// Events that break the ontology at one field, by rule.
#[derive(Clone, Debug, Default)]
pub(crate) struct Breaches {
    /// A value of no declared type.
    pub(crate) types: Seen,
    /// Types of those values.
    pub(crate) found: BTreeMap<&'static str, Tally>,
    /// An array where one value is declared, or one without values where some are required.
    pub(crate) cardinality: Seen,
    /// A number or length out of bounds.
    pub(crate) bounds: BTreeMap<FacetBreach, Seen>,
    /// Values outside the enumeration, the first [`DISTINCT_MAX`] of them.
    pub(crate) values: BTreeMap<Box<str>, Seen>,
    /// Further values outside the enumeration.
    pub(crate) other_values: Seen,
    /// Required keys without value in an object here.
    pub(crate) missing: BTreeMap<Box<str>, Seen>,
}

impl FieldNode {
    pub(crate) fn at(place: Place) -> Self {
        Self { place, ..Self::default() }
    }

    /// What its values were.
    pub fn stats(&self) -> &FieldStats {
        &self.stats
    }

    /// Fields of the objects here, by key.
    pub fn children(&self) -> impl Iterator<Item = (&str, &Self)> {
        self.index.iter().filter_map(|(key, at)| Some((&**key, &*self.children.get(*at)?.1)))
    }

    /// The field with this key.
    pub fn child(&self, key: &str) -> Option<&Self> {
        self.index.get(key).and_then(|at| self.children.get(*at)).map(|(_, node)| &**node)
    }

    /// The elements of the arrays here. An array inside an array is counted as a value and not looked into.
    pub fn elements(&self) -> Option<&Self> {
        self.elements.as_deref()
    }

    /// The position of a child. Producers write keys in the same order again and again, so the one after the last
    /// is tried first.
    pub(crate) fn position(&mut self, key: &str) -> Option<usize> {
        let guess = self.next;
        let position = match self.children.get(guess) {
            Some((name, _)) if **name == *key => guess,
            _ => *self.index.get(key)?,
        };
        self.next = position + 1;
        Some(position)
    }

    pub(crate) fn start_over(&mut self) {
        self.next = 0;
    }

    pub(crate) fn child_at(&mut self, position: usize) -> Option<&mut Self> {
        self.children.get_mut(position).map(|(_, node)| &mut **node)
    }

    pub(crate) fn add_child(&mut self, key: &str, place: Place) -> usize {
        let position = self.children.len();
        self.children.push((key.into(), Box::new(Self::at(place))));
        self.index.insert(key.into(), position);
        self.next = position + 1;
        position
    }

    /// Whether no property of the ontology stands for it, where the ontology says something of its parent.
    pub(crate) fn is_undeclared(&self) -> bool {
        self.place.judged && !self.place.is_declared()
    }
}
