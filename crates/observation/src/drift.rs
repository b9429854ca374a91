//! Detectors of disagreement between fields and ontology: a walk over the profile's fields, each of which already
//! carries the events that break a rule there.

use knhk_ontology::schema::Cardinality;
use knhk_projection::Admission;
use knhk_projection::admission::PropertyShape;
use knhk_projection::path;

use crate::confidence;
use crate::detect::{Finding, Findings};
use crate::field::{Breaches, FieldNode};
use crate::pattern::{Action, PatternKind};
use crate::profile::{EventTypeProfile, FieldStats, Profile};
use crate::rename;
use crate::seen::Seen;
use crate::walk::properties;

pub(crate) fn detect(profile: &Profile, findings: &mut Findings<'_>) {
    for (event_type, events) in profile.event_types() {
        let of = events.events().events();
        let mut walk = Walk { admission: profile.admission(), event_type, of, path: String::new(), findings };
        if events.is_known() {
            walk.field(events.root());
            walk.unexplained(events);
        } else {
            let stats = events.root().stats();
            walk.add(PatternKind::UnknownEventType, "", events.events(), Some(stats), Action::ProposeChange);
        }
    }
}

struct Walk<'w, 's> {
    admission: &'w Admission,
    event_type: &'w str,
    of: u64,
    path: String,
    findings: &'w mut Findings<'s>,
}

impl Walk<'_, '_> {
    /// Adds a pattern at the current path, with the confidence of a fact.
    fn add(
        &mut self,
        kind: PatternKind,
        detail: &str,
        seen: &Seen,
        stats: Option<&FieldStats>,
        action: Action,
    ) {
        self.add_with(kind, detail, seen, stats, action, confidence::fact(seen.events()));
    }

    fn add_with(
        &mut self,
        kind: PatternKind,
        detail: &str,
        seen: &Seen,
        stats: Option<&FieldStats>,
        action: Action,
        confidence_ppm: u32,
    ) {
        let finding = Finding { kind, event_type: self.event_type, path: &self.path, detail, confidence_ppm };
        self.findings.add(finding, (seen, seen.events(), self.of), stats, action);
    }

    fn below(&mut self, key: Option<&str>, inner: impl FnOnce(&mut Self)) {
        let before = path::enter(&mut self.path, key);
        inner(self);
        path::leave(&mut self.path, before);
    }

    fn field(&mut self, node: &FieldNode) {
        if let Some(breaches) = node.breaches.as_deref() {
            self.breaches(node, breaches);
        }
        let renames = rename::renames(self.admission, node, self.findings);
        self.missing(node, &renames);
        for (key, child) in node.children() {
            self.below(Some(key), |walk| {
                if !child.is_undeclared() {
                    walk.field(child);
                } else if let Some(rename) = renames.iter().find(|rename| rename.to == key) {
                    let detail = format!("{}→{key}", rename.from);
                    let (seen, stats) = (child.stats().present(), Some(child.stats()));
                    let kind = PatternKind::ProbableRename;
                    walk.add_with(kind, &detail, seen, stats, Action::ProposeChange, rename.confidence_ppm);
                    walk.findings.renamed_from(&rename.from);
                } else {
                    let stats = child.stats();
                    let kind = PatternKind::UndeclaredField;
                    walk.add(kind, "", stats.present(), Some(stats), Action::ProposeChange);
                }
            });
        }
        if let Some(elements) = node.elements() {
            self.below(None, |walk| walk.field(elements));
        }
    }

    fn breaches(&mut self, node: &FieldNode, breaches: &Breaches) {
        let stats = Some(node.stats());
        let property = properties(self.admission, &node.place).next();
        if breaches.types.events() > 0 {
            let found: Vec<&str> = breaches.found.keys().copied().collect();
            // An event whose data is no object fits no class: no change of the ontology can describe it.
            let (expected, action) = match property {
                Some(property) => (property.expected(), Action::ProposeChange),
                None => ("object".to_owned(), Action::Investigate),
            };
            let detail = format!("{expected}→{}", found.join("|"));
            self.add(PatternKind::TypeChanged, &detail, &breaches.types, stats, action);
        }
        if let Some(property) = property.filter(|_| breaches.cardinality.events() > 0) {
            let (old, many) = (property.cardinality(), property.cardinality().is_many());
            // An array where one is declared asks for many; an empty one where some are required, for none.
            let new = Cardinality::of(old.is_required() && !many, true);
            let detail = format!("{}→{}", old.as_str(), new.as_str());
            let kind = PatternKind::CardinalityChanged;
            self.add(kind, &detail, &breaches.cardinality, stats, Action::ProposeChange);
        }
        for (bound, seen) in &breaches.bounds {
            let detail = property.and_then(PropertyShape::facets).map(|facets| bound.describe(facets));
            let detail = detail.unwrap_or_default();
            self.add(PatternKind::OutOfRange, &detail, seen, stats, Action::ProposeChange);
        }
        for (value, seen) in &breaches.values {
            self.add(PatternKind::NewEnumValue, value, seen, stats, Action::ProposeChange);
        }
        if breaches.other_values.events() > 0 {
            // Too many or too long to be an enumeration any more: a person decides.
            let kind = PatternKind::NewEnumValue;
            self.add(kind, "further values", &breaches.other_values, stats, Action::Investigate);
        }
    }

    fn missing(&mut self, node: &FieldNode, renames: &[rename::Rename]) {
        let Some(breaches) = node.breaches.as_deref() else { return };
        for (key, seen) in &breaches.missing {
            if renames.iter().any(|rename| rename.from == **key) {
                continue;
            }
            let minimum = u64::from(self.findings.schema.settings.minimum_evidence);
            let vanished = node.child(key).is_none() && seen.events() >= minimum;
            let stats = node.child(key).map(FieldNode::stats);
            self.below(Some(key), |walk| {
                if vanished {
                    walk.add(PatternKind::VanishedField, "", seen, stats, Action::Investigate);
                } else {
                    walk.add(PatternKind::MissingRequired, "", seen, stats, Action::ProposeChange);
                }
            });
        }
    }

    fn unexplained(&mut self, events: &EventTypeProfile) {
        if events.unexplained().events() > 0 {
            let detail = "an object fits each of several declared classes in part and none as a whole";
            self.add(PatternKind::TypeChanged, detail, events.unexplained(), None, Action::Investigate);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::baseline::Baseline;
    use crate::detect::detect;
    use crate::fixture::{order, patterns_of, profile_of, schema};
    use crate::pattern::{Action, Pattern, PatternKind as K};

    fn shown(patterns: &[Pattern]) -> Vec<(K, &str, &str, u64)> {
        patterns.iter().map(|p| (p.kind, p.path.as_str(), p.detail.as_str(), p.evidence.n)).collect()
    }

    #[test]
    fn events_that_conform_show_nothing() {
        assert_eq!(patterns_of(&order(",\"total\":5,\"note\":null,\"extra\":[{\"x\":1},[2]]"), 12), []);
    }

    #[test]
    fn each_disagreement_is_one_pattern_at_its_path() {
        let long = format!(",\"extra\":\"{}\"", "x".repeat(100));
        for (rest, expected) in [
            (",\"new\":{\"deep\":[{\"a\":1}]}", vec![(K::UndeclaredField, "new", "")]),
            (",\"new.key\":null", vec![(K::UndeclaredField, "new\\.key", "")]),
            (",\"count\":1.5", vec![(K::TypeChanged, "count", "integer→decimal")]),
            (",\"note\":\"x\"", vec![(K::TypeChanged, "note", "null→string")]),
            (",\"placedAt\":\"noon\"", vec![(K::TypeChanged, "placedAt", "date_time→string")]),
            (",\"either\":7", vec![(K::TypeChanged, "either", "object→integer")]),
            (",\"total\":1001", vec![(K::OutOfRange, "total", "at most 1000")]),
            (",\"total\":-1", vec![(K::OutOfRange, "total", "at least 0")]),
            (",\"count\":[1,2]", vec![(K::CardinalityChanged, "count", "0..1→0..*")]),
            (
                ",\"count\":[1.5]",
                vec![
                    (K::CardinalityChanged, "count", "0..1→0..*"),
                    (K::TypeChanged, "count[]", "integer→decimal"),
                ],
            ),
            (
                ",\"either\":{\"sku\":\"a\",\"tags\":[[1]]}",
                vec![(K::TypeChanged, "either.tags[]", "string→array")],
            ),
            (
                ",\"either\":{\"sku\":\"a\",\"size\":1}",
                vec![(
                    K::TypeChanged,
                    "",
                    "an object fits each of several declared classes in part and none as a whole",
                )],
            ),
            (&long, vec![]),
        ] {
            let patterns = patterns_of(&order(rest), 12);
            let expected: Vec<_> =
                expected.into_iter().map(|(k, path, detail)| (k, path, detail, 12)).collect();
            assert_eq!(shown(&patterns), expected, "{rest}");
            assert!(patterns.iter().all(|p| p.evidence.of == 52 && p.confidence_ppm > 750_000), "{rest}");
        }
    }

    #[test]
    fn required_keys_below_arrays_count_events_not_elements() {
        let drifted = "{\"status\":\"new\",\"items\":[{},{\"sku\":null},{\"sku\":\"a\"}]}";
        assert_eq!(shown(&patterns_of(drifted, 12)), [(K::MissingRequired, "items[].sku", "", 12)]);
        let drifted = "{\"status\":\"new\",\"items\":[]}";
        assert_eq!(shown(&patterns_of(drifted, 12)), [(K::CardinalityChanged, "items", "1..*→0..*", 12)]);
        assert_eq!(
            shown(&patterns_of("null", 12)),
            [(K::MissingRequired, "items", "", 12), (K::MissingRequired, "status", "", 12)]
        );
        assert_eq!(shown(&patterns_of("[]", 12)), [(K::TypeChanged, "", "object→array", 12)]);
    }

    #[test]
    fn new_values_of_an_enumeration_are_told_apart() {
        let drifted = "{\"status\":\"lost\",\"items\":[{\"sku\":\"a\"}]}";
        assert_eq!(shown(&patterns_of(drifted, 12)), [(K::NewEnumValue, "status", "lost", 12)]);
        let events: Vec<String> =
            (0..80).map(|n| format!("{{\"status\":\"s{n:02}\",\"items\":{{\"sku\":\"a\"}}}}")).collect();
        let profile = profile_of(schema(), events.iter().map(|e| ("order", e.as_str(), 0)));
        let patterns = detect(&profile, &Baseline::default());
        assert_eq!(patterns.len(), 65);
        assert!(shown(&patterns).contains(&(K::NewEnumValue, "status", "further values", 16)));
    }

    #[test]
    fn a_field_that_no_event_has_any_more_vanished() {
        let drifted = "{\"status\":\"new\"}";
        let events = |n| detect(&profile_of(schema(), vec![("order", drifted, 0); n]), &Baseline::default());
        assert_eq!(shown(&events(12)), [(K::VanishedField, "items", "", 12)]);
        assert_eq!(events(12)[0].action, Action::Investigate);
        assert_eq!(shown(&events(11)), [(K::MissingRequired, "items", "", 11)]);
    }

    #[test]
    fn a_field_that_vanished_beside_its_like_was_renamed() {
        let shown_for = |data: &str| {
            let patterns = detect(&profile_of(schema(), vec![("order", data, 0); 20]), &Baseline::default());
            patterns.into_iter().map(|p| (p.kind, p.path, p.detail)).collect::<Vec<_>>()
        };
        let found = |kind, path: &str, detail: &str| (kind, path.to_owned(), detail.to_owned());
        assert_eq!(
            shown_for("{\"status\":\"new\",\"item_list\":[{\"sku\":\"a\",\"tags\":[\"b\"]}]}"),
            [found(K::ProbableRename, "item_list", "items→item_list")],
            "objects with the same keys"
        );
        assert_eq!(
            shown_for("{\"phase\":\"sent\",\"items\":{\"sku\":\"a\"}}"),
            [found(K::ProbableRename, "phase", "status→phase")],
            "values of the same enumeration"
        );
        assert_eq!(
            shown_for("{\"status_\":5,\"items\":{\"sku\":\"a\"}}"),
            [found(K::VanishedField, "status", ""), found(K::UndeclaredField, "status_", "")],
            "another type"
        );
    }

    #[test]
    fn an_unknown_event_type_is_one_pattern() {
        let profile = profile_of(schema(), vec![("other", "{\"a\":{\"b\":1}}", 0); 12]);
        let patterns = detect(&profile, &Baseline::default());
        assert_eq!(shown(&patterns), [(K::UnknownEventType, "", "", 12)]);
        assert_eq!(patterns[0].action, Action::ProposeChange);
    }

    #[test]
    fn evidence_names_its_events_and_little_of_it_is_only_observed() {
        let patterns = patterns_of(&order(",\"new\":1"), 11);
        let evidence = &patterns[0].evidence;
        assert_eq!((evidence.n, evidence.of, evidence.distinct), (11, 51, 1));
        assert_eq!((evidence.first_ms, evidence.last_ms), (40_000, 50_000));
        let digest = hex::encode(crate::fixture::meta(&order(",\"new\":1"), 40_000).record_digest);
        assert_eq!((evidence.examples.len(), &evidence.examples[0]), (3, &digest));
        assert_eq!(evidence.types, [("integer".to_owned(), 11)].into());
        assert_eq!(patterns[0].action, Action::Observe);
        assert_eq!(patterns_of(&order(",\"new\":1"), 12)[0].action, Action::ProposeChange);
    }
}
