//! The hard invariants Q0–Q5. Each is defined here and nowhere else; there is no switch that turns one off.

use knhk_ontology::History;
use knhk_ontology::schema::Schema;
use knhk_ontology::{Iri, OntologyError, Sigma, Term, Triple, TripleDelta, vocab};
use knhk_projection::ticks::{CHATMAN_CONSTANT, explain, ticks};

use crate::conflict::Layer;
use crate::finding::{Code, Finding};
use crate::proposal::ProposalContent;
use crate::replay::Replay;
use crate::stages::Measurement;

/// Largest share of the window's events that may disagree with what a change asserts, in parts per million: 1 %.
pub const VIOLATIONS_PPM_MAX: u64 = 10_000;
/// Mean time of one admission on the hot path must stay below this many ns.
pub const HOT_MEAN_NS_MAX: u64 = 100;
/// 99th percentile of one admission on the warm path must stay below this many ns: 100 ms.
pub const WARM_P99_NS_MAX: u64 = 100_000_000;
/// 99th percentile of one admission anywhere may not exceed this many ns: 500 ms.
pub const P99_NS_MAX: u64 = 500_000_000;
/// Resident memory of a sector may not exceed this many bytes: 1 GiB.
pub const RESIDENT_BYTES_MAX: u64 = 1 << 30;

/// One of the hard invariants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HardInvariant {
    /// A sector imports core and changes nothing outside itself.
    Q0,
    /// No retrocausation: a change rests on the past, and time goes forward.
    Q1,
    /// Type soundness: the events agree with what the ontology says of them.
    Q2,
    /// Guard preservation: a hot event type needs at most eight ticks.
    Q3,
    /// Service level: measured latencies.
    Q4,
    /// Performance bounds: measured resources.
    Q5,
}

impl HardInvariant {
    /// Its name: `Q0` … `Q5`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Q0 => "Q0",
            Self::Q1 => "Q1",
            Self::Q2 => "Q2",
            Self::Q3 => "Q3",
            Self::Q4 => "Q4",
            Self::Q5 => "Q5",
        }
    }

    fn broken(self, code: Code, path: impl Into<String>, message: impl Into<String>) -> Finding {
        Finding::error(code, path, message).rule(self.as_str())
    }
}

/// Q0: every triple added or removed has a subject of the sector's own; the sector imports core and nothing else; its
/// namespace stays.
pub fn within_sector(change: &TripleDelta, before: &Schema, after: &Sigma) -> Vec<Finding> {
    let q0 = HardInvariant::Q0;
    let sector = before.sector_iri();
    let own = |subject: &Iri| {
        let text = subject.as_str();
        *subject == sector || text.starts_with(&before.namespace) || text.starts_with(vocab::SKOLEM_PREFIX)
    };
    let outside = change.added.iter().chain(&change.removed).filter(|triple| !own(&triple.subject));
    let mut findings: Vec<Finding> = outside
        .map(|triple| {
            q0.broken(
                Code::OutsideSector,
                triple.subject.as_str(),
                format!("a statement about another's term: {triple}"),
            )
            .fix("describe only terms of the sector; make a subclass instead of redefining a core term")
        })
        .collect();
    let layer = Layer { name: &before.sector, namespace: &before.namespace, graph: &after.sector };
    findings.extend(imports_core(&layer));
    let namespace = after.sector.objects(&sector, &vocab::KNHK_NAMESPACE_TERM);
    let kept = matches!(namespace.as_slice(), [Term::Literal(text)] if text.value() == before.namespace);
    if !kept {
        findings.push(
            q0.broken(Code::OutsideSector, sector.as_str(), "the sector's namespace may not change")
                .fix("leave knhk:namespace as it is"),
        );
    }
    findings
}

/// Q0, of one sector: it imports core and nothing else. What sectors share belongs in core: so no circle of imports can
/// come about.
pub fn imports_core(layer: &Layer<'_>) -> Option<Finding> {
    let (sector, core) =
        (format!("{}{}", vocab::SECTOR_PREFIX, layer.name), format!("{}core", vocab::SECTOR_PREFIX));
    let imported: Vec<Triple> = layer.graph.matching(None, Some(&vocab::OWL_IMPORTS), None).collect();
    let is_core = |object: &Term| object.as_iri().is_some_and(|iri| iri.as_str() == core);
    if matches!(imported.as_slice(), [only] if only.subject.as_str() == sector && is_core(&only.object)) {
        return None;
    }
    let mut shown: Vec<String> = imported.iter().map(|triple| triple.object.to_string()).collect();
    shown.sort();
    let message = format!("sector `{}` must import core, and nothing else", layer.name);
    Some(
        HardInvariant::Q0
            .broken(Code::OutsideSector, sector, message)
            .change(Some(format!("<{core}>")), Some(shown.join(", ")))
            .fix("leave owl:imports as it is; what sectors share belongs in core"),
    )
}

/// Q1: the proposal's base is the head of the history or an ancestor of it, what is checked is the head itself, and
/// nothing comes from the future.
pub fn no_retrocausation(
    content: &ProposalContent,
    base: &knhk_ontology::Snapshot,
    history: &History,
    now_ms: i64,
) -> Vec<Finding> {
    let q1 = HardInvariant::Q1;
    let mut findings = Vec::new();
    let head = history.head();
    if !history.is_ancestor(&content.base, &head.id) {
        findings.push(
            q1.broken(
                Code::NotInHistory,
                "",
                "the snapshot that the proposal rests on is not in the history",
            )
            .change(Some(head.id.to_string()), Some(content.base.to_string()))
            .fix("propose again from the snapshot in force"),
        );
    }
    if base.id != head.id {
        findings.push(
            q1.broken(
                Code::NotInHistory,
                "",
                "the change was applied to a snapshot that is no longer in force",
            )
            .change(Some(head.id.to_string()), Some(base.id.to_string()))
            .fix("check the change again on the head"),
        );
    }
    if content.sector != head.sector {
        findings.push(
            q1.broken(Code::NotInHistory, "", "the proposal is for another sector")
                .change(Some(head.sector.clone()), Some(content.sector.clone()))
                .fix("check it in its own sector"),
        );
    }
    if content.time_ms > now_ms {
        findings.push(
            q1.broken(Code::TimeBackwards, "", "the proposal was made after the time at which it is checked")
                .change(Some(now_ms.to_string()), Some(content.time_ms.to_string()))
                .fix("set the clock of the proposer"),
        );
    }
    let parents = head.parents.iter().filter_map(|id| history.chain().find(|(other, _, _)| other == id));
    for (id, _, at_ms) in parents.filter(|(_, _, at_ms)| *at_ms >= head.promoted_at_ms) {
        findings.push(
            q1.broken(Code::TimeBackwards, "", format!("the head is not younger than its parent {id}"))
                .change(Some(at_ms.to_string()), Some(head.promoted_at_ms.to_string()))
                .fix("restore the history from its log"),
        );
    }
    findings
}

/// Q2: of the events that the change concerns, at most 1 % disagree with a term that it adds or changes, and no more
/// are rejected than before. Events rejected for something else are told, not held against the change.
pub fn type_soundness(replay: &Replay) -> Vec<Finding> {
    let q2 = HardInvariant::Q2;
    if replay.events == 0 {
        let message = "the window holds no event that the change concerns";
        return vec![Finding::warning(Code::EmptyWindow, "", message).rule("Q2").fix("observe events first")];
    }
    let mut findings = Vec::new();
    let of = replay.events;
    let above = |n: u64| u128::from(n) * 1_000_000 > u128::from(of) * u128::from(VIOLATIONS_PPM_MAX);
    if above(replay.unsound) {
        let message = format!("{} of {of} events disagree with what the change says of them", replay.unsound);
        findings.push(
            q2.broken(Code::Unsound, "", message)
                .change(Some(format!("at most {VIOLATIONS_PPM_MAX} ppm")), Some(replay.unsound.to_string()))
                .fix("widen the range or the cardinality to what the events carry"),
        );
    }
    if replay.rejected_after > replay.rejected_before {
        let message = format!(
            "{} of {of} events would be rejected, {} are now",
            replay.rejected_after, replay.rejected_before
        );
        findings.push(
            q2.broken(Code::MoreViolations, "", message)
                .change(Some(replay.rejected_before.to_string()), Some(replay.rejected_after.to_string()))
                .fix("leave out what rejects events that are accepted now"),
        );
    } else if above(replay.rejected_after) {
        let message = format!("{} of {of} events stay rejected for other reasons", replay.rejected_after);
        findings.push(
            Finding::warning(Code::RemainingViolations, "", message)
                .rule("Q2")
                .change(Some(replay.rejected_before.to_string()), Some(replay.rejected_after.to_string()))
                .fix("propose a change for what remains, or mend the producer"),
        );
    }
    findings
}

/// Q3: every event type on the hot path needs at most [`CHATMAN_CONSTANT`] ticks.
pub fn guard_preservation(after: &Schema) -> Vec<Finding> {
    let hot = after
        .event_types
        .iter()
        .filter(|(_, class)| after.classes.get(*class).is_some_and(|class| class.hot));
    hot.filter_map(|(event_type, _)| {
        let counted = ticks(after, event_type).map(|ticks| ticks.0);
        if counted.is_some_and(|ticks| ticks <= CHATMAN_CONSTANT) {
            return None;
        }
        let message = match counted {
            Some(ticks) => format!("{event_type} is hot and needs {ticks} ticks, above {CHATMAN_CONSTANT}"),
            None => format!("{event_type} is hot and its ticks cannot be counted"),
        };
        Some(
            HardInvariant::Q3
                .broken(Code::GuardLength, event_type, message)
                .change(Some(CHATMAN_CONSTANT.to_string()), counted.map(|ticks| ticks.to_string()))
                .fix(costliest(after, event_type)),
        )
    })
    .collect()
}

/// Names the class of an event type that costs most, for the mend.
pub(crate) fn costliest(schema: &Schema, event_type: &str) -> String {
    let costs = explain(schema, event_type).unwrap_or_default();
    match costs.iter().max_by_key(|cost| cost.ticks()) {
        Some(cost) => format!(
            "{} costs {} ticks (presence {}, types {}, bounds {}, lengths {}, values {}); constrain less there, or take the event type off the hot path",
            cost.class.local_name(),
            cost.ticks().0,
            cost.presence,
            cost.types,
            cost.bounds,
            cost.lengths,
            cost.values
        ),
        None => "take the event type off the hot path".to_owned(),
    }
}

/// Q6 and up: what the version before declares must hold in the version after. One that cannot be answered within its
/// bounds does not hold.
pub fn of_sector(before: &Sigma, after: &Sigma) -> Vec<Finding> {
    let unanswered = |path: &str, rule: &str, error: &OntologyError| {
        Finding::error(Code::SectorInvariant, path, format!("{}: {error}", error.code()))
            .rule(rule)
            .fix("ask for less in the invariant's query, or make the change smaller")
    };
    let invariants = match before.invariants() {
        Ok(invariants) => invariants,
        Err(error) => return vec![unanswered("", "sector invariants", &error)],
    };
    let broken = invariants.iter().filter_map(|invariant| match invariant.holds(after) {
        Ok(true) => None,
        Ok(false) => Some(
            Finding::error(
                Code::SectorInvariant,
                invariant.iri.as_str(),
                format!("{} would no longer hold: {}", invariant.name, invariant.statement),
            )
            .rule(&invariant.name)
            .fix("leave out what breaks it; the query stands at the invariant's knhk:ask"),
        ),
        Err(error) => Some(unanswered(invariant.iri.as_str(), &invariant.name, &error)),
    });
    broken.collect()
}

/// Q4: measured latencies. The mean is bounded where there is a hot path, the 99th percentile always.
pub fn latency(measurement: Option<&Measurement>, after: &Schema) -> Vec<Finding> {
    let q4 = HardInvariant::Q4;
    let Some(measured) = measurement else { return vec![not_measured(q4)] };
    let mut findings = Vec::new();
    let has_hot = after.classes.values().any(|class| class.hot && !class.event_types.is_empty());
    let mut bound = |name: &str, value: u64, limit: u64| {
        if value >= limit {
            findings.push(
                q4.broken(Code::Latency, name, format!("{name} is {value} ns, at or above {limit} ns"))
                    .change(Some(limit.to_string()), Some(value.to_string()))
                    .fix("make the admission of events cheaper, or measure again on an idle machine"),
            );
        }
    };
    if has_hot {
        bound("admission_batch_mean_ns", measured.admission_batch_mean_ns, HOT_MEAN_NS_MAX);
    }
    bound("admission_p99_ns", measured.admission_p99_ns, WARM_P99_NS_MAX);
    findings
}

/// Q5: measured resources.
pub fn resources(measurement: Option<&Measurement>) -> Vec<Finding> {
    let q5 = HardInvariant::Q5;
    let Some(measured) = measurement else { return vec![not_measured(q5)] };
    let bounds = [
        ("resident_bytes", measured.resident_bytes, RESIDENT_BYTES_MAX),
        ("admission_p99_ns", measured.admission_p99_ns, P99_NS_MAX),
    ];
    let above = bounds.into_iter().filter(|(_, value, limit)| value > limit);
    above
        .map(|(name, value, limit)| {
            q5.broken(Code::Resources, name, format!("{name} is {value}, above {limit}"))
                .change(Some(limit.to_string()), Some(value.to_string()))
                .fix("free memory or spread the load, and measure again")
        })
        .collect()
}

fn not_measured(invariant: HardInvariant) -> Finding {
    let message = format!("{} rests on a measurement, and there is none", invariant.as_str());
    Finding::warning(Code::NoMeasurement, "", message)
        .rule(invariant.as_str())
        .fix("measure before the cycle")
}

#[cfg(test)]
mod tests {
    use knhk_ontology::Literal;

    use super::*;
    use crate::fixture::{iri, schema, snapshot};

    fn changed(added: &[Triple], removed: &[Triple]) -> Vec<Code> {
        let base = snapshot(&schema());
        let change = TripleDelta {
            added: added.iter().cloned().collect(),
            removed: removed.iter().cloned().collect(),
        };
        let after = base.sigma.apply(&change).unwrap();
        within_sector(&change, &base.schema, &after).into_iter().map(|finding| finding.code).collect()
    }

    fn named(text: &str) -> Iri {
        Iri::new(text).unwrap()
    }

    #[test]
    fn q0_a_statement_about_a_term_of_core_or_of_another_sector_is_refused() {
        let says = |subject: Iri| Triple::new(&subject, &vocab::RDFS_COMMENT, Literal::string("mine"));
        assert_eq!(changed(&[says(iri("Stroke.x"))], &[]), []);
        assert_eq!(changed(&[says(named("urn:knhk:ns#Event"))], &[]), [Code::OutsideSector]);
        assert_eq!(changed(&[says(named("urn:knhk:finance#Account"))], &[]), [Code::OutsideSector]);
        assert_eq!(changed(&[says(named("urn:knhk:sector:finance"))], &[]), [Code::OutsideSector]);
        assert_eq!(changed(&[says(named("urn:knhk:sk:0:1"))], &[]), []);
    }

    #[test]
    fn q0_imports_and_namespace_stay() {
        let sector = named("urn:knhk:sector:plant");
        let import = |of: &str| Triple::new(&sector, &vocab::OWL_IMPORTS, named(of));
        assert_eq!(changed(&[], &[import("urn:knhk:sector:core")]), [Code::OutsideSector]);
        assert_eq!(changed(&[import("urn:knhk:sector:finance")], &[]), [Code::OutsideSector]);
        let namespace = |text: &str| Triple::new(&sector, &vocab::KNHK_NAMESPACE_TERM, Literal::string(text));
        assert_eq!(
            changed(&[namespace("urn:other#")], &[namespace("urn:knhk:plant#")]),
            [Code::OutsideSector]
        );
    }

    #[test]
    fn q2_counts_one_percent_as_the_last_that_holds() {
        let replay = |unsound, rejected_after| Replay {
            events: 1_000,
            rejected_before: 500,
            rejected_after,
            unsound,
            ..Replay::default()
        };
        let codes = |replay: &Replay| {
            type_soundness(replay).into_iter().map(|finding| finding.code).collect::<Vec<_>>()
        };
        assert_eq!(codes(&replay(10, 10)), []);
        assert_eq!(codes(&replay(11, 10)), [Code::Unsound]);
        assert_eq!(codes(&replay(0, 11)), [Code::RemainingViolations]);
        assert_eq!(codes(&replay(0, 500)), [Code::RemainingViolations]);
        assert_eq!(codes(&replay(0, 501)), [Code::MoreViolations]);
        assert_eq!(codes(&Replay::default()), [Code::EmptyWindow]);
    }
}
