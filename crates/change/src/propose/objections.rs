//! Which keys of a class a guard or rule objects to, so that they do not take their harmless neighbours along.
//!
//! What is in force is read here only to part a change: every part is checked in seven stages all the same.

use std::collections::{BTreeMap, BTreeSet};

use knhk_observation::pattern::Pattern;
use knhk_ontology::Iri;
use knhk_ontology::delta::Delta;

use super::draft::schema_after;
use super::positions::Positions;
use super::{PROPOSER, Situation};
use crate::doctrine::Facts;
use crate::finding::Severity;
use crate::guards::Ground;
use crate::meaning::Meaning;

/// The patterns of a class in parts: those to whose keys nothing objects first, then for every set of guards and rules
/// those to whose keys just these object.
pub(super) fn parted<'p>(
    situation: &Situation<'_>,
    positions: &Positions<'_>,
    class: &Iri,
    patterns: &[&'p Pattern],
    delta: &Delta,
) -> Vec<Vec<&'p Pattern>> {
    let units = Units::of(positions, patterns);
    if units.count() < 2 {
        return Vec::new();
    }
    let after = schema_after(situation.schema, delta);
    let meaning = Meaning::of_class(situation.schema, &after, class);
    let ground =
        Ground { meaning: &meaning, before: situation.schema, after: &after, graph: situation.graph };
    let mut objecting: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (place, guards) in situation.guards.harmed_keys(&ground) {
        objecting.entry(units.unit(&place.key)).or_default().extend(guards.into_iter().map(str::to_owned));
    }
    for (unit, keys) in units.keys() {
        let of_unit = |key: &str| keys.contains(key);
        let properties = meaning.properties.iter().filter(|(place, _)| of_unit(&place.key));
        let part = Meaning {
            properties: properties.map(|(place, change)| (place.clone(), change.clone())).collect(),
            heirs: meaning.heirs.clone(),
            ..Meaning::default()
        };
        // Ticks are the event type's, not a key's.
        let facts = Facts {
            meaning: &part,
            approvals: &[],
            proposer: PROPOSER,
            ticks: Some(0),
            after: None,
            now_ms: situation.time_ms,
        };
        let findings = situation.doctrine.rules().flat_map(|rule| rule.evaluate(&facts));
        let rules =
            findings.filter(|finding| finding.severity == Severity::Error).map(|finding| finding.rule);
        objecting.entry(unit).or_default().extend(rules);
    }
    let mut parts: BTreeMap<&BTreeSet<String>, Vec<&Pattern>> = BTreeMap::new();
    let nothing = BTreeSet::new();
    for pattern in patterns {
        let unit = positions.get(&pattern.event_type, &pattern.path).map(|p| units.unit(&p.key));
        let objections = unit.and_then(|unit| objecting.get(unit)).unwrap_or(&nothing);
        parts.entry(objections).or_default().push(pattern);
    }
    parts.into_values().collect()
}

/// Keys that change together: a rename changes two, and two changes of one key build on each other.
struct Units<'p>(BTreeMap<&'p str, &'p str>);

impl<'p> Units<'p> {
    fn of(positions: &'p Positions<'_>, patterns: &[&'p Pattern]) -> Self {
        let mut units = Self(BTreeMap::new());
        for pattern in patterns {
            let Some(position) = positions.get(&pattern.event_type, &pattern.path) else { continue };
            units.0.entry(&position.key).or_insert(&position.key);
            if let Some(old) = &pattern.renamed_from {
                units.0.entry(old).or_insert(old);
                let (one, other) = (units.first(&position.key), units.first(old));
                let (first, last) = if one < other { (one, other) } else { (other, one) };
                units.0.insert(last, first);
            }
        }
        units
    }

    /// The first key of the unit that a key belongs to.
    fn first(&self, key: &'p str) -> &'p str {
        let mut at = key;
        while let Some(next) = self.0.get(at).filter(|next| **next != at) {
            at = next;
        }
        at
    }

    fn unit(&self, key: &str) -> &'p str {
        self.0.get_key_value(key).map_or("", |(key, _)| self.first(key))
    }

    fn keys(&self) -> BTreeMap<&'p str, BTreeSet<&'p str>> {
        let mut keys: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for key in self.0.keys() {
            keys.entry(self.first(key)).or_default().insert(key);
        }
        keys
    }

    fn count(&self) -> usize {
        self.keys().len()
    }
}
