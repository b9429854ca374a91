//! How many of a window's events the ontology describes: as it was when they came, and as it is after the cycle.

use knhk_change::window::Window;
use knhk_projection::admission::Admission;
use knhk_projection::json::Json;

use crate::report::Conformance;

/// Judges the window's events again, under `admission`. Of `before`, the events whose payload gave way in the window are
/// counted as not examined.
pub(crate) fn again(before: Conformance, window: &Window, admission: &Admission) -> Conformance {
    let (mut conform, mut of) = (0, 0);
    for event_type in window.event_types() {
        for (_, payload) in window.payloads(event_type) {
            of += payload.events;
            // Equal payloads get equal verdicts.
            let data = std::str::from_utf8(&payload.data).ok().and_then(|text| Json::parse(text).ok());
            if data.is_some_and(|data| admission.conforms(event_type, &data)) {
                conform += payload.events;
            }
        }
    }
    Conformance { conform, of, not_examined: before.of.saturating_sub(of) }
}
