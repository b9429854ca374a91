//! Doctrine: the rules of a firm or regulator that a change must keep. Format: `docs/formats/doctrine.md`.

use std::collections::{BTreeMap, BTreeSet};

use knhk_evidence::Hash;
use knhk_ontology::shacl::Shapes;
use knhk_ontology::{Iri, Sigma, turtle};
use serde::{Deserialize, Deserializer, Serialize};

use crate::calendar::{Clock, Day, Offset, local_minute};
use crate::error::{ChangeError, Result};
use crate::finding::{Code, Finding, Severity};
use crate::meaning::Meaning;
use crate::proposal::digest;
use crate::toml_file;

mod schema;

/// Most rules in one file.
pub const RULES_MAX: usize = 1_000;

pub(crate) const FILE: &str = "doctrine.toml";
const PAGE: &str = "doctrine.md";

/// What a violation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Enforcement {
    /// It is told.
    Advisory,
    /// It is told as a warning.
    Warning,
    /// It blocks the change.
    Mandatory,
}

impl Enforcement {
    fn severity(self) -> Severity {
        match self {
            Self::Advisory => Severity::Info,
            Self::Warning => Severity::Warning,
            Self::Mandatory => Severity::Error,
        }
    }
}

/// Something a change uses up, counted from what the change means and never from what its proposer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Classes, properties and values it touches.
    Changes,
    /// Classes it adds.
    AddedClasses,
    /// Classes it removes.
    RemovedClasses,
    /// Properties it adds.
    AddedProperties,
    /// Properties it removes.
    RemovedProperties,
    /// Properties it changes.
    ChangedProperties,
    /// Values it sets or takes away.
    ChangedValues,
    /// Ticks of the costliest event type it touches, after it.
    Ticks,
}

/// The closed registry of named predicates. Each is decided on the meaning of the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Predicate {
    /// No class, property or value in scope is removed.
    NoRemoval,
    /// A property in scope is removed only after it was deprecated in an earlier snapshot.
    RemovalAfterDeprecation,
    /// Nothing in scope is changed so that data valid before may become invalid.
    NoStrengthening,
    /// Nothing in scope is changed so that data invalid before becomes valid.
    NoWeakening,
    /// No new property in scope is required.
    AdditionsOptional,
    /// The value of `property` is never set higher, and never taken away.
    ValueNeverRaised,
    /// The value of `property` is never set lower, and never taken away.
    ValueNeverLowered,
}

impl Predicate {
    /// The name by which a rule calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoRemoval => "no_removal",
            Self::RemovalAfterDeprecation => "removal_after_deprecation",
            Self::NoStrengthening => "no_strengthening",
            Self::NoWeakening => "no_weakening",
            Self::AdditionsOptional => "additions_optional",
            Self::ValueNeverRaised => "value_never_raised",
            Self::ValueNeverLowered => "value_never_lowered",
        }
    }

    fn takes_property(self) -> bool {
        matches!(self, Self::ValueNeverRaised | Self::ValueNeverLowered)
    }
}

/// What a rule asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Constraint {
    /// Enough different people approve.
    ApprovalChain {
        /// Different people, at least 1. The proposer does not count.
        required_signers: u32,
        /// Roles of which each must be held by at least one of them.
        #[serde(default)]
        roles: BTreeSet<String>,
        /// Sectors from each of which at least one of them must come.
        #[serde(default)]
        sectors: BTreeSet<String>,
    },
    /// No one person approves in two roles of one set.
    SegregationOfDuties {
        /// Sets of at least two roles.
        incompatible: BTreeSet<BTreeSet<String>>,
    },
    /// A change uses at most so much.
    ResourceLimit {
        /// Of what.
        resource: Resource,
        /// The most allowed.
        max: u64,
    },
    /// A change comes at certain hours only.
    TimeWindow {
        /// First minute inside.
        start: Clock,
        /// First minute outside. Before `start`: the window crosses midnight and belongs to the day it starts on.
        end: Clock,
        /// Days on which it starts; empty: every day.
        #[serde(default)]
        days: BTreeSet<Day>,
        /// Offset of the local clock from UTC.
        #[serde(default)]
        utc_offset: Offset,
    },
    /// A named predicate holds.
    Custom {
        /// Which.
        predicate: Predicate,
        /// The predicate or individual whose value is meant, for the `value_…` predicates.
        #[serde(default)]
        property: Option<Iri>,
    },
    /// SHACL shapes that the change as RDF satisfies, together with the ontology after it
    /// (`docs/formats/change-graph.md`).
    Schema {
        /// The shapes, in Turtle.
        shapes: String,
    },
}

/// A term, or every term whose IRI starts with the text before a final `*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TermPattern(String);

impl TermPattern {
    /// Whether `iri` is meant.
    pub fn matches(&self, iri: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(prefix) => iri.starts_with(prefix),
            None => self.0 == iri,
        }
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text before a final `*`, if there is one.
    pub fn prefix(&self) -> Option<&str> {
        self.0.strip_suffix('*')
    }

    /// Without the star it is an IRI, so that a misspelt pattern is not silently a pattern that matches nothing.
    fn is_well_formed(&self) -> bool {
        let text = self.0.strip_suffix('*').unwrap_or(&self.0);
        !text.contains('*') && Iri::new(text).is_ok()
    }
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Unique in its file, e.g. `LOG-001`.
    pub id: String,
    /// A short name.
    pub name: String,
    /// What it asks for and why, for people.
    pub description: String,
    /// What a violation does.
    pub enforcement: Enforcement,
    /// Where it comes from, e.g. `SOX`.
    pub source: String,
    /// First moment it holds, Unix ms (in the file also RFC 3339); `None`: always held.
    #[serde(default, deserialize_with = "moment")]
    pub effective_from: Option<i64>,
    /// First moment it no longer holds, Unix ms (in the file also RFC 3339); `None`: no end.
    #[serde(default, deserialize_with = "moment")]
    pub effective_until: Option<i64>,
    /// The rule's own version, from 1.
    pub version: u32,
    /// The terms it is about; empty: every change.
    #[serde(default)]
    pub applies_to: BTreeSet<TermPattern>,
    /// Guards that enforce it too, by id.
    #[serde(default)]
    pub guards: BTreeSet<String>,
    /// What it asks for.
    pub constraint: Constraint,
}

fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Moment {
        Milliseconds(i64),
        Text(String),
        Toml(toml::value::Datetime),
    }
    let text = match Option::<Moment>::deserialize(deserializer)? {
        None => return Ok(None),
        Some(Moment::Milliseconds(ms)) => return Ok(Some(ms)),
        Some(Moment::Text(text)) => text,
        Some(Moment::Toml(datetime)) => datetime.to_string(),
    };
    let timestamp: jiff::Timestamp = text.parse().map_err(|_| {
        serde::de::Error::custom(format!(
            "`{text}` is not a moment; write 2026-01-31T00:00:00Z or Unix milliseconds"
        ))
    })?;
    Ok(Some(timestamp.as_millisecond()))
}

/// Someone's agreement to a change. Whoever makes one has verified the signature behind it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Approval {
    /// Who: one name for one registered person.
    pub person: String,
    /// The role they act in.
    pub role: String,
    /// The sector they come from.
    pub sector: String,
}

/// What rules are judged on.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// What the change does.
    pub meaning: &'a Meaning,
    /// Who agreed.
    pub approvals: &'a [Approval],
    /// Who proposed.
    pub proposer: &'a str,
    /// Ticks of the costliest event type touched, after the change; `None` when they could not be counted.
    pub ticks: Option<u32>,
    /// The ontology after the change; `None` while a change is only planned: then shapes say nothing yet.
    pub after: Option<&'a Sigma>,
    /// Now, Unix ms.
    pub now_ms: i64,
}

impl Rule {
    /// Whether it holds at `now_ms`.
    pub fn is_effective(&self, now_ms: i64) -> bool {
        self.effective_from.is_none_or(|from| from <= now_ms)
            && self.effective_until.is_none_or(|until| now_ms < until)
    }

    /// Whether it is about a term that the change touches.
    pub fn concerns(&self, meaning: &Meaning) -> bool {
        self.applies_to.is_empty() || meaning.terms().any(|term| self.in_scope(term))
    }

    fn in_scope(&self, iri: &Iri) -> bool {
        self.applies_to.is_empty() || self.applies_to.iter().any(|pattern| pattern.matches(iri.as_str()))
    }

    fn check(&self) -> Result<()> {
        let refuse = |what: &str| Err(ChangeError::Rule { rule: self.id.clone(), what: what.to_owned() });
        if self.id.is_empty() || self.id.len() > 64 {
            return refuse("an id has 1 to 64 bytes");
        }
        if self.version == 0 {
            return refuse("versions are counted from 1");
        }
        if let (Some(from), Some(until)) = (self.effective_from, self.effective_until)
            && from >= until
        {
            return refuse("it ends before it begins; set effective_until after effective_from");
        }
        if let Some(pattern) = self.applies_to.iter().find(|pattern| !pattern.is_well_formed()) {
            return refuse(&format!(
                "`{}` in applies_to is not an absolute IRI, with or without a final `*`",
                pattern.0
            ));
        }
        match &self.constraint {
            Constraint::ApprovalChain { required_signers: 0, .. } => refuse("required_signers is at least 1"),
            Constraint::SegregationOfDuties { incompatible }
                if incompatible.is_empty() || incompatible.iter().any(|roles| roles.len() < 2) =>
            {
                refuse("incompatible holds at least one set of at least two roles")
            }
            Constraint::TimeWindow { start, end, .. } if start == end => {
                refuse("the window is empty; set end to another time than start")
            }
            Constraint::Custom { predicate, property }
                if predicate.takes_property() != property.is_some() =>
            {
                refuse(if predicate.takes_property() {
                    "the predicate needs `property`, the IRI whose value is meant"
                } else {
                    "the predicate takes no `property`; say with applies_to which terms are meant"
                })
            }
            Constraint::Schema { shapes } => {
                let admitted = turtle::parse(shapes).and_then(|graph| Shapes::compile(&graph).map(|_| graph));
                let refuse = |why: String| ChangeError::SchemaConstraint { rule: self.id.clone(), why };
                match admitted {
                    Err(error) => Err(refuse(format!("{} {error}", error.code()))),
                    // A shape without a target never finds anything.
                    Ok(graph) if !schema::has_target(&graph) => {
                        Err(refuse("no shape has a target, such as sh:targetClass".to_owned()))
                    }
                    Ok(_) => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// Judges one change. A rule that is not effective, or not about any term touched, finds nothing.
    pub fn evaluate(&self, facts: &Facts<'_>) -> Vec<Finding> {
        if !self.is_effective(facts.now_ms) || !self.concerns(facts.meaning) {
            return Vec::new();
        }
        match &self.constraint {
            Constraint::ApprovalChain { required_signers, roles, sectors } => {
                self.approvals(facts, *required_signers, roles, sectors)
            }
            Constraint::SegregationOfDuties { incompatible } => self.segregation(facts, incompatible),
            Constraint::ResourceLimit { resource, max } => self.resource(facts, *resource, *max),
            Constraint::TimeWindow { start, end, days, utc_offset } => {
                let (day, minute) = local_minute(facts.now_ms, *utc_offset);
                let on = |day: Day| days.is_empty() || days.contains(&day);
                let (start, end) = (start.minutes(), end.minutes());
                let inside = if start < end {
                    on(day) && (start..end).contains(&minute)
                } else {
                    (on(day) && minute >= start) || (on(day.before()) && minute < end)
                };
                if inside {
                    return Vec::new();
                }
                let message = format!("`{}` allows changes only within its hours", self.name);
                vec![
                    self.violation(Code::OutsideTimeWindow, "", message)
                        .fix("propose again within the hours"),
                ]
            }
            Constraint::Custom { predicate, property } => {
                self.predicate(facts, *predicate, property.as_ref())
            }
            Constraint::Schema { shapes } => schema::evaluate(self, shapes, facts),
        }
    }

    fn violation(&self, code: Code, path: &str, message: String) -> Finding {
        Finding::with_severity(self.enforcement.severity(), code, path, message).rule(&self.id)
    }

    fn approvals(
        &self,
        facts: &Facts<'_>,
        required: u32,
        roles: &BTreeSet<String>,
        sectors: &BTreeSet<String>,
    ) -> Vec<Finding> {
        let counted: Vec<_> = facts.approvals.iter().filter(|a| a.person != facts.proposer).collect();
        let people: BTreeSet<_> = counted.iter().map(|a| a.person.as_str()).collect();
        let mut missing = Vec::new();
        if people.len() < usize::try_from(required).unwrap_or(usize::MAX) {
            missing.push(format!("{} of {required} people have approved", people.len()));
        }
        for role in roles.iter().filter(|role| !counted.iter().any(|a| a.role == **role)) {
            missing.push(format!("nobody in the role {role} has approved"));
        }
        for sector in sectors.iter().filter(|sector| !counted.iter().any(|a| a.sector == **sector)) {
            missing.push(format!("nobody from {sector} has approved"));
        }
        if missing.is_empty() {
            return Vec::new();
        }
        let message = format!("`{}`: {}", self.name, missing.join("; "));
        vec![
            self.violation(Code::ApprovalsMissing, "", message)
                .fix("have the people it names approve the proposal"),
        ]
    }

    fn segregation(&self, facts: &Facts<'_>, incompatible: &BTreeSet<BTreeSet<String>>) -> Vec<Finding> {
        let mut roles_of: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for approval in facts.approvals {
            roles_of.entry(&approval.person).or_default().insert(&approval.role);
        }
        let mut findings = Vec::new();
        for (person, roles) in roles_of {
            for set in incompatible {
                let held: Vec<_> = set.iter().filter(|role| roles.contains(role.as_str())).cloned().collect();
                if held.len() > 1 {
                    let message = format!("`{}`: {person} approved as {}", self.name, held.join(" and as "));
                    findings.push(
                        self.violation(Code::DutiesNotSegregated, "", message)
                            .fix("have different people approve in these roles"),
                    );
                }
            }
        }
        findings
    }

    fn resource(&self, facts: &Facts<'_>, resource: Resource, max: u64) -> Vec<Finding> {
        let used = match resource {
            Resource::Ticks => facts.ticks.map(u64::from),
            _ => Some(facts.meaning.amount(resource)),
        };
        let message = match used {
            Some(used) if used <= max => return Vec::new(),
            Some(used) => format!("`{}` allows {max} of {resource:?}, the change uses {used}", self.name),
            None => format!("`{}` limits {resource:?}, which could not be counted", self.name),
        };
        vec![
            self.violation(Code::ResourceLimit, "", message)
                .change(Some(max.to_string()), used.map(|used| used.to_string()))
                .fix("observe fewer of the events at a time; a limit that is wrong is mended in doctrine.toml of the pack, which is read when a data directory is begun"),
        ]
    }

    fn predicate(&self, facts: &Facts<'_>, predicate: Predicate, property: Option<&Iri>) -> Vec<Finding> {
        let broken = facts.meaning.breaking(predicate, property, &|iri| self.in_scope(iri));
        broken
            .into_iter()
            .map(|breach| {
                let message = format!("`{}` ({}): {}", self.name, predicate.as_str(), breach.what);
                self.violation(Code::Predicate, breach.term.as_str(), message)
                    .change(breach.old, breach.new)
                    .fix("leave this part out of the change")
            })
            .collect()
    }
}

/// The rules of one pack, by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoctrineSet {
    rules: BTreeMap<String, Rule>,
    digest: Hash,
}

impl Default for DoctrineSet {
    fn default() -> Self {
        // 0xa0 is the empty map of canonical CBOR.
        Self { rules: BTreeMap::new(), digest: Hash::of(&[0xa0]) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DoctrineFile {
    #[serde(default)]
    rule: Vec<Rule>,
}

impl DoctrineSet {
    /// Reads `doctrine.toml`.
    ///
    /// # Errors
    /// [`ChangeError::File`] with line and column for what the format does not have; [`ChangeError::Rule`],
    /// [`ChangeError::SchemaConstraint`] and [`ChangeError::DuplicateId`] for rules that could not be evaluated.
    pub fn from_toml(bytes: &[u8]) -> Result<Self> {
        let file: DoctrineFile = toml_file::parse(FILE, PAGE, bytes)?;
        Self::new(file.rule)
    }

    /// Takes rules in any order.
    ///
    /// # Errors
    /// As [`DoctrineSet::from_toml`].
    pub fn new(rules: Vec<Rule>) -> Result<Self> {
        if rules.len() > RULES_MAX {
            let what = "the number of doctrine rules";
            return Err(ChangeError::Limit { what, actual: rules.len(), limit: RULES_MAX });
        }
        let mut set = Self::default();
        for rule in rules {
            rule.check()?;
            let id = rule.id.clone();
            if set.rules.insert(id.clone(), rule).is_some() {
                return Err(ChangeError::DuplicateId { file: FILE, id });
            }
        }
        set.digest = digest("doctrine", &set.rules)?;
        Ok(set)
    }

    /// The entries of both, as core's and a sector's are in force together.
    ///
    /// # Errors
    /// [`ChangeError::DuplicateId`] when an id occurs in both: a sector cannot replace what core says.
    pub fn and(&self, other: &Self) -> Result<Self> {
        Self::new(self.rules.values().chain(other.rules.values()).cloned().collect())
    }

    /// The rules in order of their ids.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.values()
    }

    /// The rule with this id.
    pub fn get(&self, id: &str) -> Option<&Rule> {
        self.rules.get(id)
    }

    /// SHA-256 of the canonical CBOR of the map id → rule: the same for every order of rules in the file.
    pub fn digest(&self) -> Hash {
        self.digest
    }

    /// Whether any rule holds at `now_ms`.
    pub fn any_effective(&self, now_ms: i64) -> bool {
        self.rules().any(|rule| rule.is_effective(now_ms))
    }

    /// What every effective rule finds, in order of their ids.
    pub fn evaluate(&self, facts: &Facts<'_>) -> Vec<Finding> {
        self.rules().flat_map(|rule| rule.evaluate(facts)).collect()
    }
}

#[cfg(test)]
mod tests;
