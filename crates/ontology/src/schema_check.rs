//! What must hold inside a schema, whoever made it.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::OntologyError;
use crate::iri::Iri;
use crate::schema::{Class, Range, Schema};
use crate::vocab;

/// Most classes of one sector.
pub const CLASSES_MAX: usize = 10_000;
/// Most properties of one sector.
pub const PROPERTIES_MAX: usize = 50_000;
/// Longest IRI of a class or property, in bytes: shapes and list cells are named after them.
pub const TERM_IRI_BYTES_MAX: usize = 1_024;
/// Longest event type, in bytes: what an evidence log gives a number to.
pub const EVENT_TYPE_BYTES_MAX: usize = 1_024;
/// Longest JSON key, label or comment, in bytes.
pub const TEXT_BYTES_MAX: usize = 4_096;
/// Longest chain of subclasses.
pub const LINEAGE_MAX: usize = 64;

impl Schema {
    /// Refuses what no ontology may say: names outside the namespace, taken names and keys, circles, references to what
    /// is not there, event types on parts, bounds that exclude each other, and sizes beyond the limits.
    pub fn check(&self) -> Result<(), OntologyError> {
        self.check_namespace()?;
        if self.classes.len() > CLASSES_MAX {
            return Err(OntologyError::too_large(
                format!("sector `{}` in classes", self.sector),
                CLASSES_MAX,
            ));
        }
        let mut holders: BTreeMap<&Iri, &Iri> = BTreeMap::new();
        let mut event_types: BTreeMap<&str, &Iri> = BTreeMap::new();
        for (iri, class) in &self.classes {
            if *iri != class.iri {
                return Err(OntologyError::malformed(
                    iri,
                    format!("stands for another class, <{}>", class.iri),
                ));
            }
            self.check_name(iri)?;
            check_text(iri, [&class.label, &class.comment])?;
            let top = self.check_lineage(class)?;
            if !class.event_types.is_empty() && top != &*vocab::KNHK_EVENT {
                return Err(OntologyError::malformed(
                    iri,
                    "has an event type but is not below knhk:Event; move it there",
                ));
            }
            for event_type in &class.event_types {
                if event_type.is_empty() || event_type.len() > EVENT_TYPE_BYTES_MAX {
                    let what = format!("event type of `{iri}`, empty or in bytes");
                    return Err(OntologyError::too_large(what, EVENT_TYPE_BYTES_MAX));
                }
                if let Some(other) = event_types.insert(event_type, iri) {
                    return Err(OntologyError::Collision {
                        name: event_type.clone(),
                        holder: other.to_string(),
                    });
                }
            }
            for (key, property) in &class.properties {
                if *key != property.key {
                    return Err(OntologyError::malformed(
                        &property.iri,
                        format!("has the key `{}` and stands under `{key}`", property.key),
                    ));
                }
                self.check_name(&property.iri)?;
                check_text(&property.iri, [&property.label, &property.comment])?;
                // A key may be empty, as in JSON.
                check_length(&property.iri, key)?;
                if let Some(other) = holders.insert(&property.iri, iri) {
                    return Err(OntologyError::Collision {
                        name: property.iri.to_string(),
                        holder: other.to_string(),
                    });
                }
                let inherited = self.lineage(class).skip(1).find(|above| above.properties.contains_key(key));
                if let Some(above) = inherited {
                    return Err(OntologyError::Collision {
                        name: format!("{iri} {key}"),
                        holder: above.iri.to_string(),
                    });
                }
                for range in &property.ranges {
                    if let Range::Class(class) = range
                        && !self.classes.contains_key(class)
                    {
                        return Err(OntologyError::Dangling {
                            holder: property.iri.to_string(),
                            target: class.to_string(),
                        });
                    }
                }
                let facets = &property.facets;
                let empty = matches!((facets.min, facets.max), (Some(min), Some(max)) if min > max)
                    || matches!((facets.min_length, facets.max_length), (Some(min), Some(max)) if min > max)
                    || facets.values.as_ref().is_some_and(BTreeSet::is_empty);
                if empty {
                    return Err(OntologyError::malformed(
                        &property.iri,
                        "has bounds that no value meets; mend or remove them",
                    ));
                }
            }
        }
        if holders.len() > PROPERTIES_MAX {
            return Err(OntologyError::too_large(
                format!("sector `{}` in properties", self.sector),
                PROPERTIES_MAX,
            ));
        }
        if event_types.len() != self.event_types.len()
            || event_types.iter().any(|(event_type, class)| self.event_types.get(*event_type) != Some(*class))
        {
            return Err(OntologyError::malformed(
                "the schema",
                "has event types that its classes do not state",
            ));
        }
        for name in self.classes.keys().chain(holders.keys().copied()) {
            // `a-shape` is the name of a's shape as soon as there is an a.
            if let Some(base) = name.as_str().strip_suffix("-shape") {
                let base = Iri::derived(base.to_owned());
                if self.classes.contains_key(&base) || holders.contains_key(&base) {
                    return Err(OntologyError::Collision {
                        name: name.to_string(),
                        holder: "a shape".into(),
                    });
                }
            }
        }
        for class in self.classes.values() {
            for property in class.properties.values() {
                if holders.contains_key(&class.iri) {
                    return Err(OntologyError::Collision {
                        name: class.iri.to_string(),
                        holder: "a property".into(),
                    });
                }
                if let Some(successor) = &property.replaced_by
                    && !holders.contains_key(successor)
                {
                    return Err(OntologyError::Dangling {
                        holder: property.iri.to_string(),
                        target: successor.to_string(),
                    });
                }
            }
        }
        Ok(())
    }

    fn check_namespace(&self) -> Result<(), OntologyError> {
        if !is_sector_name(&self.sector) {
            return Err(OntologyError::BadText {
                text: self.sector.chars().take(60).collect(),
                expected: "a sector name: a lower-case letter, then at most 31 of a-z, 0-9 and -",
            });
        }
        Iri::new(self.namespace.as_str())?;
        let taken = vocab::PREFIXES.iter().any(|(_, taken)| self.namespace.starts_with(taken))
            || self.namespace.starts_with(vocab::SKOLEM_PREFIX)
            || self.namespace.starts_with(vocab::SECTOR_PREFIX);
        if taken || !self.namespace.ends_with(['#', '/']) {
            let problem = "is no namespace for a sector; choose one of your own that ends in # or /";
            return Err(OntologyError::malformed(&self.namespace, problem));
        }
        Ok(())
    }

    fn check_name(&self, iri: &Iri) -> Result<(), OntologyError> {
        if iri.as_str().len() > TERM_IRI_BYTES_MAX {
            return Err(OntologyError::too_large(
                format!("`{}` in bytes", iri.local_name()),
                TERM_IRI_BYTES_MAX,
            ));
        }
        match iri.as_str().strip_prefix(&self.namespace) {
            Some(local) if !local.is_empty() => Ok(()),
            _ => Err(OntologyError::OutsideNamespace {
                iri: iri.to_string(),
                namespace: self.namespace.clone(),
            }),
        }
    }

    /// The class of core above `class`.
    fn check_lineage<'s>(&'s self, class: &'s Class) -> Result<&'s Iri, OntologyError> {
        let mut above = &class.subclass_of;
        for _ in 0..LINEAGE_MAX {
            match self.classes.get(above) {
                Some(parent) => above = &parent.subclass_of,
                None if *above == *vocab::KNHK_EVENT || *above == *vocab::KNHK_PART => return Ok(above),
                None => {
                    return Err(OntologyError::Dangling {
                        holder: class.iri.to_string(),
                        target: above.to_string(),
                    });
                }
            }
        }
        // Too deep, or on or below a circle.
        let mut seen = BTreeSet::new();
        let circle = self.lineage(class).any(|class| !seen.insert(&class.iri));
        Err(if circle {
            OntologyError::SubclassCycle { class: class.iri.to_string() }
        } else {
            OntologyError::too_large(format!("lineage of `{}` in classes", class.iri), LINEAGE_MAX)
        })
    }
}

/// Whether the text names a sector: a lower-case letter, then at most 31 of `a-z`, `0-9` and `-`.
pub fn is_sector_name(text: &str) -> bool {
    text.len() <= 32
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn check_text<'t>(holder: &Iri, texts: impl IntoIterator<Item = &'t String>) -> Result<(), OntologyError> {
    for text in texts {
        if text.is_empty() {
            return Err(OntologyError::malformed(holder, "has an empty label or comment; fill it"));
        }
        check_length(holder, text)?;
    }
    Ok(())
}

fn check_length(holder: &Iri, text: &str) -> Result<(), OntologyError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(OntologyError::too_large(format!("text of `{holder}` in bytes"), TEXT_BYTES_MAX));
    }
    Ok(())
}
