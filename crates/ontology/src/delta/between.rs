//! The typed change that leads from one ontology to another.

use std::collections::{BTreeMap, BTreeSet};

use crate::delta::{AddedProperty, ChangedProperty, Delta, PropertyRef};
use crate::schema::{Class, Schema};

impl Delta {
    /// What leads from `old` to `new`, as far as a typed change can say it: classes and properties that come, go or
    /// change. Words of classes that stay, their parents and event types, and settings are not part of it; whoever needs
    /// to know compares the result.
    pub fn between(old: &Schema, new: &Schema) -> Self {
        let mut delta = Self::default();
        let iris: BTreeSet<_> = old.classes.keys().chain(new.classes.keys()).collect();
        for iri in iris {
            match (old.classes.get(iri), new.classes.get(iri)) {
                (Some(_), None) => delta.removed_classes.push(iri.clone()),
                (before, Some(after)) => {
                    if before.is_none() {
                        delta.added_classes.push(Class { properties: BTreeMap::new(), ..after.clone() });
                    }
                    delta.properties_between(before, after);
                }
                (None, None) => {}
            }
        }
        delta
    }

    fn properties_between(&mut self, before: Option<&Class>, after: &Class) {
        let of = |key: &String| before.and_then(|class| class.properties.get(key));
        for (key, property) in &after.properties {
            let target = PropertyRef { domain: after.iri.clone(), key: key.clone() };
            match of(key) {
                None => self
                    .added_properties
                    .push(AddedProperty { domain: after.iri.clone(), property: property.clone() }),
                Some(old) if old != property => {
                    self.changed_properties.push(ChangedProperty { target, property: property.clone() });
                }
                Some(_) => {}
            }
        }
        let gone = before.into_iter().flat_map(|class| class.properties.keys());
        for key in gone.filter(|key| !after.properties.contains_key(*key)) {
            self.removed_properties.push(PropertyRef { domain: after.iri.clone(), key: key.clone() });
        }
    }
}
