//! The detectors: from the profile of a window to the patterns in it. The rules are in `docs/detection.md`.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use knhk_ontology::schema::Schema;
use sha2::{Digest, Sha256};

use crate::baseline::Baseline;
use crate::pattern::{Action, Evidence, Pattern, PatternKind};
use crate::profile::{FieldStats, Profile};
use crate::seen::Seen;
use crate::{drift, rates};

/// The patterns of a window, the most certain first, then by event type, path, kind and detail.
///
/// `profile` must have been made [against a schema](Profile::against); without one there is nothing to disagree with.
pub fn detect(profile: &Profile, baseline: &Baseline) -> Vec<Pattern> {
    let Some(schema) = profile.schema() else { return Vec::new() };
    let mut findings = Findings { schema, patterns: Vec::new() };
    drift::detect(profile, &mut findings);
    rates::detect(profile, baseline, &mut findings);
    let mut patterns = findings.patterns;
    patterns.sort_by(|a, b| {
        let key = |p: &Pattern| (Reverse(p.confidence_ppm), p.event_type.clone(), p.path.clone(), p.kind);
        key(a).cmp(&key(b)).then_with(|| a.detail.cmp(&b.detail))
    });
    patterns
}

/// The fingerprint of a pattern: the first 16 hex digits of the SHA-256 of sector, kind, event type, path and detail,
/// each written as its length in bytes, `:`, its text and `,` (netstrings), so that no two lists share a text.
pub fn fingerprint(sector: &str, kind: PatternKind, event_type: &str, path: &str, detail: &str) -> String {
    let mut digest = Sha256::new();
    for part in [sector, kind.as_str(), event_type, path, detail] {
        digest.update(format!("{}:{part},", part.len()));
    }
    hex::encode(&digest.finalize()[..8])
}

/// What the detectors found so far.
pub(crate) struct Findings<'s> {
    pub(crate) schema: &'s Schema,
    patterns: Vec<Pattern>,
}

/// Where a pattern is, and what exactly.
#[derive(Clone, Copy)]
pub(crate) struct Finding<'f> {
    pub(crate) kind: PatternKind,
    pub(crate) event_type: &'f str,
    pub(crate) path: &'f str,
    pub(crate) detail: &'f str,
    pub(crate) confidence_ppm: u32,
}

impl Findings<'_> {
    /// Whether `n` events with this confidence are enough to propose a change.
    pub(crate) fn suffices(&self, n: u64, confidence_ppm: u32) -> bool {
        let settings = &self.schema.settings;
        n >= u64::from(settings.minimum_evidence) && confidence_ppm >= settings.minimum_confidence_ppm
    }

    /// Says of the pattern added last which key it took the place of.
    pub(crate) fn renamed_from(&mut self, key: &str) {
        if let Some(pattern) = self.patterns.last_mut() {
            pattern.renamed_from = Some(key.to_owned());
        }
    }

    /// Adds a pattern; `action` is what to do when the evidence suffices, else it is to be observed.
    pub(crate) fn add(
        &mut self,
        finding: Finding<'_>,
        (seen, n, of): (&Seen, u64, u64),
        stats: Option<&FieldStats>,
        action: Action,
    ) {
        let Finding { kind, event_type, path, detail, confidence_ppm } = finding;
        let detail: String = detail.chars().take(DETAIL_CHARACTERS_MAX).collect();
        let types: BTreeMap<String, u64> = stats
            .into_iter()
            .flat_map(FieldStats::types)
            .map(|(json_type, tally)| (json_type.as_str().to_owned(), tally.events))
            .collect();
        let action = match action {
            Action::ProposeChange | Action::Investigate if !self.suffices(n, confidence_ppm) => {
                Action::Observe
            }
            action => action,
        };
        self.patterns.push(Pattern {
            id: fingerprint(&self.schema.sector, kind, event_type, path, &detail),
            kind,
            event_type: event_type.to_owned(),
            path: path.to_owned(),
            detail,
            renamed_from: None,
            confidence_ppm,
            evidence: Evidence {
                n,
                of,
                distinct: seen.distinct().min(n),
                examples: seen.examples().iter().map(hex::encode).collect(),
                first_ms: seen.first_ms(),
                last_ms: seen.last_ms(),
                types,
            },
            action,
        });
    }
}

/// Longest detail of a pattern, in characters.
pub const DETAIL_CHARACTERS_MAX: usize = 256;
