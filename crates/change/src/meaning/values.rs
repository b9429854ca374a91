//! What happens to values: the triples that the comparison of schemas does not tell.

use std::collections::{BTreeMap, BTreeSet};

use knhk_ontology::schema::{Class, Schema, Settings};
use knhk_ontology::{Iri, Term, Triple, vocab};

use super::ValueChange;

pub(super) fn between<'t>(
    before: &Schema,
    after: &Schema,
    added: impl IntoIterator<Item = &'t Triple>,
    removed: impl IntoIterator<Item = &'t Triple>,
) -> Vec<ValueChange> {
    let text = |term: &Term| match term {
        Term::Iri(iri) => iri.as_str().to_owned(),
        Term::Literal(literal) => literal.value().to_owned(),
    };
    let known = Explained::by(before, after);
    let mut changes: BTreeMap<(Iri, Iri), [BTreeSet<String>; 2]> = BTreeMap::new();
    let sides = [removed.into_iter().collect::<Vec<_>>(), added.into_iter().collect()];
    for (side, triples) in sides.into_iter().enumerate() {
        for triple in triples.into_iter().filter(|triple| !known.explains(triple)) {
            let sides = changes.entry((triple.subject.clone(), triple.predicate.clone())).or_default();
            sides[side].insert(text(&triple.object));
        }
    }
    let join = |texts: BTreeSet<String>| {
        let texts: Vec<String> = texts.into_iter().collect();
        (!texts.is_empty()).then(|| texts.join(", "))
    };
    changes
        .into_iter()
        .map(|((subject, predicate), [old, new])| {
            let usual = || (subject == before.sector_iri()).then(|| usual(&before.settings, &predicate))?;
            let (old, new) = (join(old).or_else(usual), join(new));
            ValueChange { subject, predicate, old, new }
        })
        .collect()
}

/// What a threshold is where the ontology says nothing: the first value stated replaces it.
fn usual(settings: &Settings, predicate: &Iri) -> Option<String> {
    let share = |ppm: u32| format!("{}.{:06}", ppm / 1_000_000, ppm % 1_000_000);
    let stated: [(&Iri, String); 7] = [
        (&vocab::KNHK_MINIMUM_EVIDENCE, settings.minimum_evidence.to_string()),
        (&vocab::KNHK_FREQUENCY_LIMIT, settings.frequency_limit.to_string()),
        (&vocab::KNHK_ERROR_SHARE, share(settings.error_share_ppm)),
        (&vocab::KNHK_HEARTBEAT, settings.heartbeat_ms.to_string()),
        (&vocab::KNHK_MINIMUM_CONFIDENCE, share(settings.minimum_confidence_ppm)),
        (&vocab::KNHK_PROMOTION_POLICY, settings.promotion_policy.as_str().to_owned()),
        (&vocab::KNHK_COMPATIBILITY, settings.compatibility.as_str().to_owned()),
    ];
    stated.into_iter().find(|(known, _)| *known == predicate).map(|(_, text)| text)
}

/// The triples whose meaning the comparison of schemas has already told.
struct Explained<'s> {
    schemas: [&'s Schema; 2],
    properties: BTreeSet<&'s Iri>,
    /// Classes and properties that the comparison finds changed.
    changed: BTreeSet<&'s Iri>,
}

impl<'s> Explained<'s> {
    fn by(before: &'s Schema, after: &'s Schema) -> Self {
        let classes = || before.classes.values().chain(after.classes.values());
        let properties =
            classes().flat_map(|class| class.properties.values()).map(|property| &property.iri).collect();
        let mut changed = BTreeSet::new();
        for class in classes() {
            let (old, new) = (before.classes.get(&class.iri), after.classes.get(&class.iri));
            if old == new {
                continue;
            }
            // A class above or below another is stated open, a class alone closed: both change with their neighbours.
            changed.extend([&class.iri, &class.subclass_of]);
            for property in class.properties.values() {
                let own =
                    |class: Option<&'s Class>| class.and_then(|class| class.properties.get(&property.key));
                if own(old) != own(new) {
                    changed.insert(&property.iri);
                }
            }
        }
        Self { schemas: [before, after], properties, changed }
    }

    fn is_class(&self, iri: &Iri) -> bool {
        self.schemas.iter().any(|schema| schema.classes.contains_key(iri))
    }

    fn explains(&self, triple: &Triple) -> bool {
        let subject = triple.subject.as_str();
        if subject.starts_with(vocab::SKOLEM_PREFIX) {
            return true;
        }
        if let Some(stem) = subject.strip_suffix("-shape")
            && let Ok(stem) = Iri::new(stem)
            && (self.is_class(&stem) || self.properties.contains(&stem))
        {
            // A shape may say more to other readers than the comparison knows: what it does not tell is told here.
            return self.changed.contains(&stem);
        }
        let among = |predicates: &[&Iri]| predicates.contains(&&triple.predicate);
        let described: [&Iri; 4] =
            [&vocab::RDF_TYPE, &vocab::RDFS_LABEL, &vocab::RDFS_COMMENT, &vocab::KNHK_IN_SECTOR];
        let of_class: [&Iri; 3] = [&vocab::RDFS_SUB_CLASS_OF, &vocab::KNHK_EVENT_TYPE, &vocab::KNHK_HOT];
        let of_property: [&Iri; 5] = [
            &vocab::RDFS_DOMAIN,
            &vocab::RDFS_RANGE,
            &vocab::KNHK_CARDINALITY,
            &vocab::OWL_DEPRECATED,
            &vocab::KNHK_REPLACED_BY,
        ];
        let class = self.is_class(&triple.subject);
        let property = self.properties.contains(&triple.subject);
        ((class || property) && among(&described))
            || (class && among(&of_class))
            || (property && among(&of_property))
    }
}
