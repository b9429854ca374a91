//! Patterns for people: where events and ontology disagree, and on what evidence.

use std::io::{self, Write};

use knhk_observation::pattern::Action;

use crate::report::PatternReport;
use crate::table::{Table, short_id, shorten, span, thousands};

/// From how many distinct payloads on they are `many`: they are counted no further (`docs/limits.md`).
const DISTINCT_COUNTED: u64 = 64;

/// Writes a table of patterns: one row each, and below it what exactly, the JSON types, when, and an example.
pub(crate) fn write(patterns: &[PatternReport], out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(&["kind=", "event type<", "path<", "n of N>", "sure>", "do="]);
    for pattern in patterns {
        let evidence = &pattern.evidence;
        table.row([
            pattern.kind.to_owned(),
            last_segment(&pattern.event_type),
            place(&pattern.path),
            format!("{} of {}", thousands(evidence.n), thousands(evidence.of)),
            format!("{:.2}", pattern.confidence),
            action(pattern.action).to_owned(),
        ]);
        let types: Vec<String> =
            evidence.types.iter().map(|(name, n)| format!("{name} {}", thousands(*n))).collect();
        let distinct = match evidence.distinct {
            many if many >= DISTINCT_COUNTED => "many payloads".to_owned(),
            1 => "1 payload".to_owned(),
            few => format!("{few} payloads"),
        };
        let told = [
            shorten(&pattern.detail, 60),
            types.join(", "),
            distinct,
            span(evidence.first_ms, evidence.last_ms),
            evidence.examples.first().map(|digest| format!("e.g. {}", short_id(digest))).unwrap_or_default(),
        ];
        let told: Vec<String> = told.into_iter().filter(|part| !part.is_empty()).collect();
        table.note(&told.join(" · "));
    }
    table.write(out)
}

fn action(action: Action) -> &'static str {
    match action {
        Action::Observe => "observe",
        Action::ProposeChange => "propose",
        Action::EnforceInvariant => "enforce",
        Action::Alert => "alert",
        Action::Investigate => "investigate",
    }
}

/// A path as people read it: the empty one is the event as a whole.
pub(crate) fn place(path: &str) -> String {
    if path.is_empty() { "(the event)".to_owned() } else { path.to_owned() }
}

/// `com.example.logistics.shipment.created` → `shipment.created`.
pub(crate) fn last_segment(event_type: &str) -> String {
    let mut parts: Vec<&str> = event_type.rsplit('.').take(2).collect();
    parts.reverse();
    parts.join(".")
}
