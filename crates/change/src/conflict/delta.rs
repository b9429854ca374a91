//! What a typed change would bring into conflict, whether or not it can be applied.

use std::collections::{BTreeMap, BTreeSet};

use knhk_ontology::decimal::Decimal;
use knhk_ontology::delta::Delta;
use knhk_ontology::schema::{Class, Datatype, Property, Range, Schema};
use knhk_ontology::{Graph, Iri, vocab};
use knhk_projection::lexical::{is_absolute_iri, is_date, is_date_time, is_decimal};

use super::{CHANGE, CORE, Conflict, ConflictKind, ConflictReport, side, subclass_instead};
use crate::meaning::{ancestors, describe};

impl ConflictReport {
    /// The names that a change takes although they are taken, in the ontology or twice in the change; the terms of core
    /// that it would redefine; and the constraints that it states on one key and that no value can meet.
    pub fn of_change(core: &Graph, before: &Schema, delta: &Delta) -> Self {
        let mut found = Found {
            before,
            delta,
            gone_classes: delta.removed_classes.iter().collect(),
            gone_keys: delta
                .removed_properties
                .iter()
                .map(|place| (&place.domain, place.key.as_str()))
                .collect(),
            conflicts: Vec::new(),
        };
        found.terms(core);
        found.event_types();
        found.keys();
        let added = delta.added_properties.iter().map(|added| &added.property);
        let changed = delta.changed_properties.iter().map(|changed| &changed.property);
        for property in added.chain(changed) {
            found.constraints(property);
        }
        Self::of(found.conflicts)
    }
}

struct Found<'a> {
    before: &'a Schema,
    delta: &'a Delta,
    gone_classes: BTreeSet<&'a Iri>,
    gone_keys: BTreeSet<(&'a Iri, &'a str)>,
    conflicts: Vec<Conflict>,
}

impl<'a> Found<'a> {
    fn is_gone(&self, class: &Iri, key: &str) -> bool {
        self.gone_classes.contains(class) || self.gone_keys.contains(&(class, key))
    }

    fn collision(&mut self, term: impl Into<String>, stands: &str, comes: String, proposal: String) {
        let (layer, stands) = match stands.strip_prefix(CHANGE) {
            Some(rest) => (CHANGE, rest.trim_start()),
            None => (self.before.sector.as_str(), stands),
        };
        self.conflicts.push(Conflict {
            term: term.into(),
            kind: ConflictKind::NameCollision,
            stands: side(layer, stands),
            comes: side(CHANGE, comes),
            proposal,
        });
    }

    /// IRIs of classes and properties, among one another and with core.
    fn terms(&mut self, core: &Graph) {
        let (before, delta) = (self.before, self.delta);
        let mut taken: BTreeMap<&Iri, String> = BTreeMap::new();
        for class in before.classes.values() {
            if !self.gone_classes.contains(&class.iri) {
                taken.insert(&class.iri, format!("it is a class, \"{}\"", class.label));
            }
            for property in class.properties.values().filter(|p| !self.is_gone(&class.iri, &p.key)) {
                let stands = format!("it is the property `{}` of <{}>", property.key, class.iri);
                taken.insert(&property.iri, stands);
            }
        }
        let classes = delta.added_classes.iter().map(|class| (&class.iri, "a class".to_owned()));
        let properties = delta.added_properties.iter().map(|added| {
            let comes = format!("the property `{}` of <{}>", added.property.key, added.domain);
            (&added.property.iri, comes)
        });
        for (iri, comes) in classes.chain(properties) {
            let of_core = iri.as_str().starts_with(vocab::KNHK_NAMESPACE)
                || core.matching(Some(iri), None, None).next().is_some();
            if of_core && !iri.as_str().starts_with(&before.namespace) {
                let said = core.matching(Some(iri), None, None).min();
                self.conflicts.push(Conflict {
                    term: iri.to_string(),
                    kind: ConflictKind::Redefinition,
                    stands: side(
                        CORE,
                        said.map_or("nothing: the name is kept for it".to_owned(), |said| {
                            format!("`{said}`")
                        }),
                    ),
                    comes: side(CHANGE, format!("it is {comes}")),
                    proposal: subclass_instead(&before.namespace, iri),
                });
            }
            if let Some(stands) = taken.get(iri).cloned() {
                let proposal =
                    format!("change what is there, or name the new one <{}>", self.free(iri, &taken));
                self.collision(iri.as_str(), &stands, format!("it is {comes}"), proposal);
            }
            taken.insert(iri, format!("{CHANGE} it is {comes}"));
        }
    }

    /// The first name like this one that is free.
    fn free(&self, iri: &Iri, taken: &BTreeMap<&Iri, String>) -> String {
        let added = self.delta.added_classes.iter().map(|class| &class.iri);
        let added: Vec<&Iri> =
            added.chain(self.delta.added_properties.iter().map(|added| &added.property.iri)).collect();
        let names = (2_u32..).map(|n| format!("{iri}{n}"));
        let is_free = |name: &String| {
            let taken = taken.keys().chain(&added).any(|taken| taken.as_str() == name);
            !taken
        };
        names.into_iter().find(is_free).unwrap_or_default()
    }

    fn event_types(&mut self) {
        let (before, delta) = (self.before, self.delta);
        let mut taken: BTreeMap<&str, (&Iri, bool)> = BTreeMap::new();
        for (event_type, class) in &before.event_types {
            if !self.gone_classes.contains(class) {
                taken.insert(event_type, (class, false));
            }
        }
        for class in &delta.added_classes {
            for event_type in &class.event_types {
                if let Some((holder, by_change)) = taken.insert(event_type, (&class.iri, true)) {
                    let stands = format!("<{holder}> describes it");
                    let stands = if by_change { format!("{CHANGE} {stands}") } else { stands };
                    let proposal = format!("add the keys to <{holder}> instead of another class");
                    self.collision(
                        event_type.as_str(),
                        &stands,
                        format!("<{}> describes it", class.iri),
                        proposal,
                    );
                }
            }
        }
    }

    /// Keys of a class, those above it and those below it.
    fn keys(&mut self) {
        let (before, delta) = (self.before, self.delta);
        let mut holders: BTreeMap<&str, Vec<&'a Class>> = BTreeMap::new();
        if !delta.added_properties.is_empty() {
            for class in before.classes.values() {
                for key in class.properties.keys().filter(|key| !self.is_gone(&class.iri, key)) {
                    holders.entry(key).or_default().push(class);
                }
            }
        }
        let mut added: BTreeMap<(&Iri, &str), &Iri> = BTreeMap::new();
        for addition in &delta.added_properties {
            let (domain, key) = (&addition.domain, addition.property.key.as_str());
            let comes = format!("<{}> stands for the key `{key}` of <{domain}>", addition.property.iri);
            let related = |class: &&&'a Class| {
                let above = |one: &Iri, other: &Iri| ancestors(before, one).iter().any(|a| a.iri == *other);
                class.iri == *domain || above(domain, &class.iri) || above(&class.iri, domain)
            };
            let holder = holders.get(key).into_iter().flatten().find(related);
            let holder = holder.and_then(|class| Some((class, class.properties.get(key)?)));
            if let Some((class, property)) = holder {
                let stands = format!("<{}> stands for the key `{key}` of <{}>", property.iri, class.iri);
                let proposal =
                    format!("change the property `{key}` of <{}>, or choose another key", class.iri);
                self.collision(format!("{domain} {key}"), &stands, comes.clone(), proposal);
            }
            if let Some(other) = added.insert((domain, key), &addition.property.iri) {
                let stands = format!("{CHANGE} <{other}> stands for it");
                self.collision(
                    format!("{domain} {key}"),
                    &stands,
                    comes,
                    "leave one of the two out".to_owned(),
                );
            }
        }
    }

    /// Facets and ranges of one property.
    fn constraints(&mut self, property: &Property) {
        let facets = &property.facets;
        let mut state = |stands: String, comes: String, proposal: String| {
            self.conflicts.push(Conflict {
                term: property.iri.to_string(),
                kind: ConflictKind::Contradiction,
                stands: side(CHANGE, stands),
                comes: side(CHANGE, comes),
                proposal,
            });
        };
        if let (Some(min), Some(max)) = (facets.min, facets.max)
            && min > max
        {
            state(
                format!("`sh:maxInclusive {max}`"),
                format!("`sh:minInclusive {min}`"),
                format!("swap them: at least {max} and at most {min}"),
            );
        }
        if let (Some(min), Some(max)) = (facets.min_length, facets.max_length)
            && min > max
        {
            state(
                format!("`sh:maxLength {max}`"),
                format!("`sh:minLength {min}`"),
                format!("swap them: at least {max} and at most {min} characters"),
            );
        }
        let Some(values) = &facets.values else { return };
        let shown: Vec<&str> = values.iter().take(8).map(String::as_str).collect();
        let listed = format!("`sh:in ( {} )`", shown.join(" "));
        if values.is_empty() {
            let proposal = "list the values that are allowed, or leave the list out";
            state("a list of values".to_owned(), listed.clone(), proposal.to_owned());
            return;
        }
        let literal = property.ranges.iter().filter_map(|range| match range {
            Range::Datatype(datatype) => Some(*datatype),
            Range::Class(_) => None,
        });
        let datatypes: Vec<Datatype> = literal.collect();
        let only_literals = datatypes.len() == property.ranges.len() && !datatypes.is_empty();
        if only_literals && !values.iter().any(|value| datatypes.iter().any(|of| is_of(*of, value))) {
            let proposal = "list values of the range, or take the range that they have".to_owned();
            state(format!("the range {}", describe(property)), listed.clone(), proposal);
        }
        let numbers: Option<Vec<Decimal>> = values.iter().map(|value| value.parse().ok()).collect();
        let within =
            |n: &Decimal| facets.min.is_none_or(|min| min <= *n) && facets.max.is_none_or(|max| *n <= max);
        let numeric = datatypes.iter().all(|of| matches!(of, Datatype::Integer | Datatype::Decimal));
        if let Some(numbers) = numbers
            && only_literals
            && numeric
            && !numbers.iter().any(within)
        {
            let bound = [
                facets.min.map(|min| format!("`sh:minInclusive {min}`")),
                facets.max.map(|max| format!("`sh:maxInclusive {max}`")),
            ];
            let bounds: Vec<String> = bound.into_iter().flatten().collect();
            let proposal = "move the bounds out to the values listed, or list others".to_owned();
            state(bounds.join(" and "), listed, proposal);
        }
    }
}

fn is_of(datatype: Datatype, value: &str) -> bool {
    match datatype {
        Datatype::Boolean => matches!(value, "true" | "false" | "1" | "0"),
        Datatype::Integer => is_decimal(value) && !value.contains('.'),
        Datatype::Decimal => is_decimal(value),
        Datatype::DateTime => is_date_time(value),
        Datatype::Date => is_date(value),
        Datatype::AnyUri => is_absolute_iri(value),
        _ => true,
    }
}
