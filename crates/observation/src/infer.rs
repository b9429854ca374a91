//! From what was observed to the smallest ontology that describes it: classes, properties, ranges, cardinalities.
//!
//! One mechanism serves three callers: a first pack from samples, a new event type, and a new field. The rules are in
//! `docs/detection.md`, section "Inference".

use std::collections::{BTreeMap, BTreeSet};

use knhk_ontology::delta::AddedProperty;
use knhk_ontology::schema::{Cardinality, Class, Datatype, Facets, Property, Range, Schema};
use knhk_ontology::{Iri, OntologyError};

use knhk_ontology::vocab;
use knhk_projection::json::JsonType;
use knhk_projection::path;

use sha2::{Digest, Sha256};

use crate::class_names::{ClassNames, class_name};
use crate::field::FieldNode;
use crate::profile::{EventTypeProfile, Format};

/// Distinct payloads needed before "every event has it" or "every string is a date-time" is claimed: with 35 of 35 the
/// lower end of the 95 % Wilson interval passes 0.90.
pub const UNIVERSAL_CLAIM_DISTINCT_MIN: u64 = 35;

/// Longest encoded key in a property's IRI, in bytes; longer ones are cut and end in a digest of the key.
const ENCODED_KEY_BYTES_MAX: usize = 256;

/// Longest path or event type quoted in a comment, in characters.
const QUOTED_CHARS_MAX: usize = 240;

/// What the values at one position, or at several positions taken together, look like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// Scalar datatypes seen, `null` aside.
    scalars: BTreeSet<Datatype>,
    /// Whether an array was seen.
    many: bool,
    /// Objects seen (elements of arrays included), in occurrences.
    objects: u64,
    /// Distinct payloads that hold such an object, capped by the profile.
    object_payloads: u64,
    /// Occurrences of a value other than `null` and `[]`.
    present: u64,
    keys: BTreeMap<String, Form>,
}

impl Form {
    /// The form of one position.
    pub fn of(node: &FieldNode) -> Self {
        Self::within(node, 0)
    }

    /// `minimum_events` leaves out keys seen in fewer events: too little evidence to declare them.
    fn within(node: &FieldNode, minimum_events: u64) -> Self {
        let mut form = Self::default();
        form.read(node, minimum_events);
        form.present = node.stats().filled().occurrences;
        form
    }

    fn read(&mut self, node: &FieldNode, minimum_events: u64) {
        let stats = node.stats();
        let seen = |json_type| stats.of_type(json_type).occurrences > 0;
        if seen(JsonType::Boolean) {
            self.scalars.insert(Datatype::Boolean);
        }
        if seen(JsonType::Decimal) {
            self.scalars.insert(Datatype::Decimal);
        } else if seen(JsonType::Integer) {
            self.scalars.insert(Datatype::Integer);
        }
        if seen(JsonType::String) {
            let date_times = stats.present().distinct() >= UNIVERSAL_CLAIM_DISTINCT_MIN
                && stats.all_strings_are(Format::DateTime);
            self.scalars.insert(if date_times { Datatype::DateTime } else { Datatype::String });
        }
        if seen(JsonType::Object) {
            self.objects += stats.of_type(JsonType::Object).occurrences;
            self.object_payloads = self.object_payloads.max(stats.present().distinct());
            for (key, child) in node.children() {
                if child.stats().present().events() >= minimum_events {
                    self.keys.entry(key.to_owned()).or_default().merge(&Self::within(child, minimum_events));
                }
            }
        }
        if seen(JsonType::Array) {
            self.many = true;
            if let Some(elements) = node.elements() {
                if elements.stats().of_type(JsonType::Array).occurrences > 0 {
                    self.scalars.insert(Datatype::Json);
                } else {
                    self.read(elements, minimum_events);
                }
            }
        }
    }

    /// Adds what another position of the same property showed.
    pub fn merge(&mut self, other: &Self) {
        self.scalars.extend(&other.scalars);
        if self.scalars.contains(&Datatype::Decimal) {
            self.scalars.remove(&Datatype::Integer);
        }
        if self.scalars.contains(&Datatype::String) {
            self.scalars.remove(&Datatype::DateTime);
        }
        self.many |= other.many;
        self.objects += other.objects;
        self.object_payloads = self.object_payloads.max(other.object_payloads);
        self.present += other.present;
        for (key, form) in &other.keys {
            self.keys.entry(key.clone()).or_default().merge(form);
        }
    }

    fn cardinality(&self, parents: u64, parent_payloads: u64) -> Cardinality {
        let always =
            parents > 0 && self.present == parents && parent_payloads >= UNIVERSAL_CLAIM_DISTINCT_MIN;
        Cardinality::of(always, self.many)
    }
}

/// One path that an inference declares: what a report lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The event type.
    pub event_type: String,
    /// Dotted path below the event's data; empty for the event type's class itself.
    pub path: String,
    /// The class or property that describes it.
    pub iri: Iri,
    /// What its values may be; empty for a class, and where no value was seen.
    pub ranges: BTreeSet<Range>,
    /// How many values; `None` for a class.
    pub cardinality: Option<Cardinality>,
    /// Events that have it.
    pub n: u64,
    /// Distinct payloads among them, capped by the profile.
    pub distinct: u64,
}

/// Collects what has to be added to `schema`.
#[derive(Debug)]
pub struct Inference<'a> {
    schema: &'a Schema,
    minimum_events: u64,
    names: ClassNames,
    by_structure: BTreeMap<Structure, Iri>,
    classes: BTreeMap<Iri, Class>,
    order: Vec<Iri>,
    attached: Vec<AddedProperty>,
    declared: Vec<Declared>,
}

/// Key → (ranges, cardinality): what makes two objects structurally equal.
type Structure = BTreeMap<String, (BTreeSet<Range>, Cardinality)>;

/// What an [`Inference`] adds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inferred {
    /// New classes with their properties, in the order they were made (parts before the classes that use them).
    pub classes: Vec<Class>,
    /// New properties of classes that exist already.
    pub attached: Vec<AddedProperty>,
    /// Every path described, in order of event type and path.
    pub declared: Vec<Declared>,
}

impl<'a> Inference<'a> {
    /// Starts from `schema`. Paths seen in fewer than `minimum_events` events are left out. `reserved` holds class names
    /// that other changes of the same round have minted.
    pub fn new(schema: &'a Schema, minimum_events: u64, reserved: &ClassNames) -> Self {
        let mut names = reserved.clone();
        let mut by_structure = BTreeMap::new();
        for class in schema.classes.values() {
            names.reserve(class.iri.local_name());
            // A class with facets says more than structure; reuse would claim more than was seen.
            let plain = class.event_types.is_empty()
                && class.properties.values().all(|p| p.facets == Facets::default());
            if plain && !class.properties.is_empty() {
                by_structure.entry(structure_of(class)).or_insert_with(|| class.iri.clone());
            }
        }
        Self {
            schema,
            minimum_events,
            names,
            by_structure,
            classes: BTreeMap::new(),
            order: Vec::new(),
            attached: Vec::new(),
            declared: Vec::new(),
        }
    }

    /// Describes an event type that the schema does not know.
    pub fn event_type(&mut self, event_type: &str, profile: &EventTypeProfile) -> Result<(), OntologyError> {
        let root = profile.root();
        let form = Form::within(root, self.minimum_events);
        let name =
            format!("{}Event", class_name(event_type.rsplit(['.', '/', ':']).next().unwrap_or(event_type)));
        let iri = self.mint_class(&name, "", &class_name(event_type))?;
        let properties = self.properties(&iri, &form, event_type, "")?;
        let class = Class {
            label: iri.local_name().to_owned(),
            comment: format!("Data of the event type {}.", quote(event_type)),
            subclass_of: vocab::KNHK_EVENT.clone(),
            event_types: BTreeSet::from([event_type.to_owned()]),
            hot: false,
            properties,
            iri: iri.clone(),
        };
        self.add_class(class);
        self.declared.push(Declared {
            event_type: event_type.to_owned(),
            path: String::new(),
            iri: iri.clone(),
            ranges: BTreeSet::new(),
            cardinality: None,
            n: profile.events().events(),
            distinct: root.stats().present().distinct(),
        });
        self.declare_keys(&iri, event_type, "", root);
        Ok(())
    }

    /// Describes a new key of an existing class, observed at one or more positions.
    pub fn field(
        &mut self,
        domain: &Iri,
        key: &str,
        positions: &[(&str, &str, &FieldNode)],
    ) -> Result<(), OntologyError> {
        let mut form = Form::default();
        for (_, _, node) in positions {
            form.merge(&Form::within(node, self.minimum_events));
        }
        let Some((event_type, path, _)) = positions.first() else { return Ok(()) };
        let property = self.property(domain, key, &form, 0, 0, event_type, path)?;
        for (event_type, path, node) in positions {
            self.declare(&property, event_type, path, node);
        }
        self.attached.push(AddedProperty { domain: domain.clone(), property });
        Ok(())
    }

    /// The ranges that describe the values of an existing property at `positions`, minting classes for objects.
    pub fn ranges(
        &mut self,
        domain: &Iri,
        key: &str,
        positions: &[(&str, &str, &FieldNode)],
    ) -> Result<(BTreeSet<Range>, bool), OntologyError> {
        let mut form = Form::default();
        for (_, _, node) in positions {
            form.merge(&Form::within(node, self.minimum_events));
        }
        let Some((event_type, path, _)) = positions.first() else { return Ok((BTreeSet::new(), false)) };
        let ranges = self.ranges_of(domain, key, &form, event_type, path)?;
        for (event_type, path, node) in positions {
            self.declare_parts(&ranges, event_type, path, node);
        }
        Ok((ranges, form.many))
    }

    /// What was inferred, and the class names now in use.
    pub fn finish(mut self) -> (Inferred, ClassNames) {
        let classes = self.order.iter().filter_map(|iri| self.classes.remove(iri)).collect();
        self.declared.sort_by(|a, b| (&a.event_type, &a.path).cmp(&(&b.event_type, &b.path)));
        self.declared.dedup_by(|a, b| a.event_type == b.event_type && a.path == b.path);
        (Inferred { classes, attached: self.attached, declared: self.declared }, self.names)
    }

    fn properties(
        &mut self,
        domain: &Iri,
        form: &Form,
        event_type: &str,
        path: &str,
    ) -> Result<BTreeMap<String, Property>, OntologyError> {
        let mut properties = BTreeMap::new();
        for (key, child) in &form.keys {
            let path = join(path, key);
            let property =
                self.property(domain, key, child, form.objects, form.object_payloads, event_type, &path)?;
            properties.insert(key.clone(), property);
        }
        Ok(properties)
    }

    #[allow(clippy::too_many_arguments)]
    fn property(
        &mut self,
        domain: &Iri,
        key: &str,
        form: &Form,
        parents: u64,
        parent_payloads: u64,
        event_type: &str,
        path: &str,
    ) -> Result<Property, OntologyError> {
        let ranges = self.ranges_of(domain, key, form, event_type, path)?;
        Ok(Property {
            iri: property_iri(domain, key)?,
            key: key.to_owned(),
            label: label(key),
            comment: format!("First seen at {} of {}.", quote(path), quote(event_type)),
            ranges,
            cardinality: form.cardinality(parents, parent_payloads),
            facets: Facets::default(),
            deprecated: false,
            replaced_by: None,
        })
    }

    fn ranges_of(
        &mut self,
        domain: &Iri,
        key: &str,
        form: &Form,
        event_type: &str,
        path: &str,
    ) -> Result<BTreeSet<Range>, OntologyError> {
        let mut ranges: BTreeSet<Range> = form.scalars.iter().copied().map(Range::Datatype).collect();
        if form.objects > 0 {
            ranges.insert(Range::Class(self.part(domain, key, form, event_type, path)?));
        }
        Ok(ranges)
    }

    /// The class of the objects at a position: an equal one if there is one, a new one otherwise.
    fn part(
        &mut self,
        domain: &Iri,
        key: &str,
        form: &Form,
        event_type: &str,
        path: &str,
    ) -> Result<Iri, OntologyError> {
        // The class's own IRI is part of its properties' IRIs, so structure is compared before anything is minted.
        let inner = if form.many { format!("{path}[]") } else { path.to_owned() };
        let name = class_name(key);
        let mut structure = Structure::new();
        let mut ranges_by_key = BTreeMap::new();
        let placeholder = Iri::new(format!("{}{name}", self.schema.namespace))?;
        for (key, child) in &form.keys {
            let ranges = self.ranges_of(&placeholder, key, child, event_type, &join(&inner, key))?;
            let cardinality = child.cardinality(form.objects, form.object_payloads);
            structure.insert(key.clone(), (ranges.clone(), cardinality));
            ranges_by_key.insert(key.clone(), ranges);
        }
        if !structure.is_empty()
            && let Some(equal) = self.by_structure.get(&structure)
        {
            return Ok(equal.clone());
        }
        let iri = self.mint_class(&name, domain.local_name().trim_end_matches("Event"), &name)?;
        let mut properties = BTreeMap::new();
        for (key, ranges) in ranges_by_key {
            let property = Property {
                iri: property_iri(&iri, &key)?,
                key: key.clone(),
                label: label(&key),
                comment: format!("First seen at {} of {}.", quote(&join(&inner, &key)), quote(event_type)),
                ranges,
                cardinality: structure.get(&key).map_or(Cardinality::ZeroOrOne, |(_, c)| *c),
                facets: Facets::default(),
                deprecated: false,
                replaced_by: None,
            };
            properties.insert(key, property);
        }
        if !structure.is_empty() {
            self.by_structure.insert(structure, iri.clone());
        }
        self.add_class(Class {
            label: iri.local_name().to_owned(),
            comment: format!("An object first seen at {} of {}.", quote(&inner), quote(event_type)),
            subclass_of: vocab::KNHK_PART.clone(),
            event_types: BTreeSet::new(),
            hot: false,
            properties,
            iri: iri.clone(),
        });
        Ok(iri)
    }

    fn add_class(&mut self, class: Class) {
        self.order.push(class.iri.clone());
        self.classes.insert(class.iri.clone(), class);
    }

    fn mint_class(&mut self, name: &str, owner: &str, fallback: &str) -> Result<Iri, OntologyError> {
        let candidates = [name.to_owned(), format!("{owner}{name}"), fallback.to_owned()];
        let chosen = self.names.take(candidates, name);
        Iri::new(format!("{}{chosen}", self.schema.namespace))
    }

    fn class(&self, iri: &Iri) -> Option<&Class> {
        self.classes.get(iri).or_else(|| self.schema.classes.get(iri))
    }

    fn declare(&mut self, property: &Property, event_type: &str, path: &str, node: &FieldNode) {
        self.declared.push(Declared {
            event_type: event_type.to_owned(),
            path: path.to_owned(),
            iri: property.iri.clone(),
            ranges: property.ranges.clone(),
            cardinality: Some(property.cardinality),
            n: node.stats().present().events(),
            distinct: node.stats().present().distinct(),
        });
        self.declare_parts(&property.ranges, event_type, path, node);
    }

    fn declare_parts(&mut self, ranges: &BTreeSet<Range>, event_type: &str, path: &str, node: &FieldNode) {
        for range in ranges {
            if let Range::Class(class) = range {
                if has_objects(node) {
                    self.declare_keys(class, event_type, path, node);
                }
                if let Some(elements) = node.elements()
                    && has_objects(elements)
                {
                    self.declare_keys(class, event_type, &format!("{path}[]"), elements);
                }
            }
        }
    }

    fn declare_keys(&mut self, class: &Iri, event_type: &str, path: &str, node: &FieldNode) {
        let Some(class) = self.class(class).cloned() else { return };
        for (key, child) in node.children() {
            if child.stats().present().events() >= self.minimum_events
                && let Some(property) = class.properties.get(key)
            {
                self.declare(property, event_type, &join(path, key), child);
            }
        }
    }
}

fn has_objects(node: &FieldNode) -> bool {
    node.stats().of_type(JsonType::Object).occurrences > 0
}

fn structure_of(class: &Class) -> Structure {
    class.properties.iter().map(|(key, p)| (key.clone(), (p.ranges.clone(), p.cardinality))).collect()
}

/// A key for people: cut where it is long, named where it is nothing.
fn label(key: &str) -> String {
    if key.trim().is_empty() { "(blank)".to_owned() } else { quote(key) }
}

fn quote(text: &str) -> String {
    if text.chars().count() <= QUOTED_CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(QUOTED_CHARS_MAX).chain(['…']).collect()
}

/// The IRI that a property of `domain` with this key gets.
pub fn property_iri(domain: &Iri, key: &str) -> Result<Iri, OntologyError> {
    let encoded = encode(key);
    if encoded.len() <= ENCODED_KEY_BYTES_MAX {
        return Iri::new(format!("{domain}.{encoded}"));
    }
    // The digest keeps long keys with a common beginning apart; `%` escapes are ASCII, so any cut is one of characters.
    let digest = hex::encode(&Sha256::digest(key)[..8]);
    let start =
        encoded[..ENCODED_KEY_BYTES_MAX].trim_end_matches(|c: char| c == '%' || c.is_ascii_hexdigit());
    Iri::new(format!("{domain}.{start}~{digest}"))
}

/// `parent.key`, escaped as paths are.
fn join(parent: &str, key: &str) -> String {
    let mut joined = parent.to_owned();
    path::push_key(&mut joined, key);
    joined
}

/// Percent-encodes what is not an unreserved character of RFC 3986 §2.3, so that any JSON key makes an IRI.
fn encode(key: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(key.len());
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
