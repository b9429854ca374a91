//! One event's way through the profile: what each field counts, and where it breaks the ontology.

use knhk_projection::admission::{self, Admission, ClassId, FacetBreach, PropertyShape};
use knhk_projection::json::{Json, JsonType};

use crate::field::{FieldNode, Place, VALUE_BYTES_MAX};
use crate::profile::{KEY_BYTES_MAX, Split};
use crate::seen::{DISTINCT_MAX, EventMeta};

/// One event on its way through the tree of its type.
pub(crate) struct Walk<'w> {
    pub(crate) admission: &'w Admission,
    pub(crate) meta: &'w EventMeta,
    pub(crate) ordinal: u64,
    /// Whether the event disagrees somewhere: an event that conforms needs no judging field by field.
    pub(crate) judge: bool,
    /// Whether a field has shown why.
    pub(crate) breached: bool,
    /// Fields that may be added, and that were.
    pub(crate) room: Split,
    pub(crate) added: Split,
    /// Values at fields for which there was no room.
    pub(crate) overflow: u64,
}

impl Walk<'_> {
    pub(crate) fn root(&mut self, node: &mut FieldNode, data: &Json<'_>) {
        node.stats.present.add(self.ordinal, self.meta);
        node.stats.add_type(data.json_type(), self.ordinal);
        match data {
            Json::Object(members) => self.object(node, members),
            Json::Null => self.missing(node, 0),
            other => {
                self.value_below(node, other);
                if self.judge {
                    self.type_breach(node, other.json_type());
                }
            }
        }
    }

    fn value(&mut self, node: &mut FieldNode, value: &Json<'_>) {
        node.stats.present.add(self.ordinal, self.meta);
        node.stats.add_type(value.json_type(), self.ordinal);
        if self.judge && node.place.judged {
            self.judge(node, value);
        }
        self.value_below(node, value);
    }

    fn value_below(&mut self, node: &mut FieldNode, value: &Json<'_>) {
        match value {
            Json::Object(members) => self.object(node, members),
            Json::Array(elements) => self.array(node, elements),
            Json::Null => return,
            scalar => node.stats.add_scalar(scalar, self.ordinal),
        }
        let filled = match value {
            Json::Array(elements) => elements.iter().any(|element| *element != Json::Null),
            _ => true,
        };
        if filled {
            node.stats.filled.add(self.ordinal);
        } else {
            node.stats.empty_arrays.add(self.ordinal);
        }
    }

    fn object(&mut self, node: &mut FieldNode, members: &[(std::borrow::Cow<'_, str>, Json<'_>)]) {
        node.start_over();
        let object = node.stats.of_type(JsonType::Object).occurrences;
        for (key, value) in members {
            let position = if let Some(position) = node.position(key) {
                position
            } else {
                let place = place_of_child(self.admission, &node.place, key);
                let too_long = key.len() > KEY_BYTES_MAX && !place.is_declared();
                if too_long || !self.takes_room(&place) {
                    self.overflow += 1;
                    continue;
                }
                node.add_child(key, place)
            };
            if let Some(child) = node.child_at(position) {
                let filled = child.stats.filled.occurrences;
                self.value(child, value);
                if child.stats.filled.occurrences > filled {
                    child.filled_in = object;
                } else if matches!(value, Json::Array(_)) {
                    child.emptied_in = object;
                }
                self.breached |= self.judge && child.is_undeclared();
            }
        }
        if self.judge {
            self.missing(node, object);
        }
    }

    /// Takes the room for one more field, if there is any: what the ontology declares has room of its own.
    fn takes_room(&mut self, place: &Place) -> bool {
        let declared = place.is_declared();
        let (room, added) = (*self.room.of(declared), self.added.of(declared));
        let fits = *added < room;
        *added += usize::from(fits);
        fits
    }

    fn array(&mut self, node: &mut FieldNode, elements: &[Json<'_>]) {
        if elements.is_empty() {
            return;
        }
        if node.elements.is_none() {
            let place = node.place.clone();
            if !self.takes_room(&place) {
                self.overflow += elements.len() as u64;
                return;
            }
            node.elements = Some(Box::new(FieldNode::at(place)));
        }
        let Some(inner) = node.elements.as_deref_mut() else { return };
        for element in elements {
            if let Json::Array(nested) = element {
                // One value, not looked into.
                inner.stats.present.add(self.ordinal, self.meta);
                inner.stats.add_type(JsonType::Array, self.ordinal);
                if !nested.is_empty() {
                    inner.stats.filled.add(self.ordinal);
                }
                let opaque = properties(self.admission, &inner.place).any(PropertyShape::is_opaque);
                if self.judge && !inner.place.properties.is_empty() && !opaque {
                    self.type_breach(inner, JsonType::Array);
                }
            } else {
                self.value(inner, element);
            }
        }
    }

    /// Records how a value at a declared field breaks its property. With several properties (the parent may have
    /// several classes) it breaks a rule when it breaks that rule of each.
    fn judge(&mut self, node: &mut FieldNode, value: &Json<'_>) {
        if node.place.properties.is_empty() {
            return;
        }
        match value {
            Json::Null => {}
            Json::Array(elements) => {
                let refused =
                    properties(self.admission, &node.place).all(|property| !property.admits_array(elements));
                if refused {
                    let breaches = node.breaches.get_or_insert_default();
                    breaches.cardinality.add(self.ordinal, self.meta);
                    self.breached = true;
                }
            }
            other => {
                let object = matches!(other, Json::Object(_));
                let admitted = properties(self.admission, &node.place)
                    .any(|p| p.admits_literal(other) || (object && !p.classes().is_empty()));
                if !admitted {
                    self.type_breach(node, other.json_type());
                }
                self.judge_facets(node, other);
            }
        }
    }

    fn judge_facets(&mut self, node: &mut FieldNode, value: &Json<'_>) {
        let mut first = None;
        for shape in properties(self.admission, &node.place) {
            let Some(breach) = shape.facets().and_then(|facets| admission::breach(facets, value)) else {
                return;
            };
            first.get_or_insert(breach);
        }
        let Some(breach) = first else { return };
        self.breached = true;
        let breaches = node.breaches.get_or_insert_default();
        if breach != FacetBreach::Values {
            breaches.bounds.entry(breach).or_default().add(self.ordinal, self.meta);
            return;
        }
        let text = value.lexical().unwrap_or_default();
        if let Some(seen) = breaches.values.get_mut(text) {
            seen.add(self.ordinal, self.meta);
        } else if text.len() <= VALUE_BYTES_MAX && breaches.values.len() < DISTINCT_MAX {
            breaches.values.entry(text.into()).or_default().add(self.ordinal, self.meta);
        } else {
            breaches.other_values.add(self.ordinal, self.meta);
        }
    }

    fn type_breach(&mut self, node: &mut FieldNode, found: JsonType) {
        self.breached = true;
        let breaches = node.breaches.get_or_insert_default();
        breaches.types.add(self.ordinal, self.meta);
        breaches.found.entry(found.as_str()).or_default().add(self.ordinal);
    }

    /// Records the required keys that the object just walked does not fill.
    fn missing(&mut self, node: &mut FieldNode, object: u64) {
        let Some((first, others)) = node.place.classes.split_first() else { return };
        let admission = self.admission;
        let Some(class) = admission.class(*first) else { return };
        let (mut missing, mut emptied) = (Vec::new(), Vec::new());
        for property in class.properties().iter().filter(|property| property.cardinality().is_required()) {
            let key = property.key();
            let by_all = others.iter().all(|other| {
                let property = admission.class(*other).and_then(|class| class.property(key));
                property.is_some_and(|property| property.cardinality().is_required())
            });
            let child = node.child(key).filter(|_| object > 0);
            if !by_all || child.is_some_and(|child| child.filled_in == object) {
                continue;
            }
            let is_many = property.cardinality().is_many();
            if is_many && child.is_some_and(|child| child.emptied_in == object) {
                emptied.push(key);
            } else {
                missing.push(key);
            }
        }
        if !self.judge || (missing.is_empty() && emptied.is_empty()) {
            return;
        }
        self.breached = true;
        for key in emptied {
            if let Some(child) = node.position(key).and_then(|position| node.child_at(position)) {
                child.breaches.get_or_insert_default().cardinality.add(self.ordinal, self.meta);
            }
        }
        if missing.is_empty() {
            return;
        }
        let breaches = node.breaches.get_or_insert_default();
        for key in missing {
            if let Some(seen) = breaches.missing.get_mut(key) {
                seen.add(self.ordinal, self.meta);
            } else {
                breaches.missing.entry(key.into()).or_default().add(self.ordinal, self.meta);
            }
        }
    }
}

/// The properties that a field may be.
pub(crate) fn properties<'a>(
    admission: &'a Admission,
    place: &'a Place,
) -> impl Iterator<Item = &'a PropertyShape> {
    place
        .properties
        .iter()
        .filter_map(|(class, position)| admission.class(*class)?.properties().get(*position))
}

/// Where a member stands: the properties that its key means in the classes of its object. Below an undeclared field,
/// or one that is not looked into, nothing is judged.
fn place_of_child(admission: &Admission, parent: &Place, key: &str) -> Place {
    let opaque = properties(admission, parent).any(PropertyShape::is_opaque);
    if !parent.judged || opaque || parent.classes.is_empty() {
        return Place::default();
    }
    let found: Vec<(ClassId, usize)> = parent
        .classes
        .iter()
        .filter_map(|class| Some((*class, admission.class(*class)?.position(key)?)))
        .collect();
    let mut place = Place { judged: true, properties: found, classes: Vec::new() };
    let mut classes: Vec<ClassId> =
        properties(admission, &place).flat_map(PropertyShape::classes).copied().collect();
    classes.sort_unstable();
    classes.dedup();
    place.classes = classes;
    place
}
