//! The rule proposer: each pattern to the smallest ΔΣ that makes the stream conform. Deterministic; always there.
//!
//! Every proposal is a weakening or an addition: rules never tighten an ontology. The rules are tabled in
//! `docs/detection.md`, section "From pattern to change".

use std::collections::BTreeMap;

use knhk_observation::class_names::ClassNames;
use knhk_observation::pattern::{Action, Pattern};
use knhk_observation::profile::Profile;
use knhk_ontology::schema::Schema;
use knhk_ontology::snapshot::SnapshotId;
use knhk_ontology::{Graph, Iri};

use crate::doctrine::DoctrineSet;
use crate::error::ChangeError;
use crate::guards::GuardSet;
use crate::proposal::Proposal;

use draft::{Answer, Draft};
use positions::Positions;

mod draft;
mod objections;
mod positions;
mod wording;

/// Name and version of these rules, as receipts name the proposer.
pub const PROPOSER: &str = "rules/1";

/// What a round of planning starts from.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The sector.
    pub sector: &'a str,
    /// The snapshot the patterns were found against.
    pub base: SnapshotId,
    /// Its schema.
    pub schema: &'a Schema,
    /// The window's profile.
    pub profile: &'a Profile,
    /// The patterns, in report order.
    pub patterns: &'a [Pattern],
    /// Doctrine in force.
    pub doctrine: &'a DoctrineSet,
    /// Guards in force.
    pub guards: &'a GuardSet,
    /// The sector's triples, in which guarded predicates and individuals are looked up.
    pub graph: &'a Graph,
    /// Time of the cycle, Unix ms.
    pub time_ms: i64,
}

/// What a round of planning came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The proposals, in order of class, then event type; of one class, what nothing objects to first.
    pub proposals: Vec<Proposal>,
    /// Causes that no proposal could be made for, each with its reason: one of them does not take the others along.
    pub unplanned: Vec<String>,
}

/// A proposal for every cause among the patterns that recommend a change: a class that gained, lost or changed keys, or an
/// event type that is new.
pub fn propose(situation: &Situation<'_>) -> Plan {
    let positions = Positions::of(situation.schema, situation.profile);
    let mut causes: BTreeMap<Cause, Vec<&Pattern>> = BTreeMap::new();
    for pattern in situation.patterns.iter().filter(|p| p.action == Action::ProposeChange) {
        if let Some(cause) = positions.cause(pattern) {
            causes.entry(cause).or_default().push(pattern);
        }
    }
    let mut names = ClassNames::default();
    let mut plan = Plan::default();
    for (cause, patterns) in causes {
        if let Err(error) = plan.answer(situation, &positions, &cause, &patterns, &mut names) {
            plan.unplanned.push(format!("{}: {} {error}", cause.name(), error.code()));
        }
    }
    plan
}

impl Plan {
    /// One proposal for the cause; or several, where a guard or rule objects to some of its keys and not to the others.
    fn answer(
        &mut self,
        situation: &Situation<'_>,
        positions: &Positions<'_>,
        cause: &Cause,
        patterns: &[&Pattern],
        names: &mut ClassNames,
    ) -> Result<(), ChangeError> {
        let whole = answer(situation, positions, cause, patterns, names)?;
        let parts = match (cause, &whole.proposal) {
            (Cause::Class(class), Some(proposal)) => {
                objections::parted(situation, positions, class, patterns, &proposal.content().delta)
            }
            _ => Vec::new(),
        };
        if parts.len() < 2 {
            *names = whole.names;
            self.proposals.extend(whole.proposal);
            return Ok(());
        }
        for patterns in parts {
            let part = answer(situation, positions, cause, &patterns, names)?;
            *names = part.names;
            self.proposals.extend(part.proposal);
        }
        Ok(())
    }
}

/// The proposal for one cause.
fn answer(
    situation: &Situation<'_>,
    positions: &Positions<'_>,
    cause: &Cause,
    patterns: &[&Pattern],
    reserved: &ClassNames,
) -> Result<Answer, ChangeError> {
    let mut draft = Draft::new(situation, positions, reserved);
    match cause {
        Cause::EventType(event_type) => draft.event_type(event_type)?,
        Cause::Rate(event_type) => draft.rate(event_type, patterns),
        Cause::Class(domain) => draft.class(domain, patterns)?,
    }
    draft.finish(cause, patterns)
}

/// What one proposal answers to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    Class(Iri),
    EventType(String),
    Rate(String),
}

impl Cause {
    /// Its class or event type.
    fn name(&self) -> &str {
        match self {
            Self::Class(domain) => domain.local_name(),
            Self::EventType(event_type) | Self::Rate(event_type) => event_type,
        }
    }
}
