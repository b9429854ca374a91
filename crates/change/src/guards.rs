//! Guards: terms that a change must leave as they are. Format: `docs/formats/guards.md`.

use std::collections::{BTreeMap, BTreeSet};

use knhk_evidence::Hash;
use knhk_ontology::delta::{Effect, PropertyRef};
use knhk_ontology::schema::Schema;
use knhk_ontology::{Graph, Iri};
use knhk_projection::ticks::{CHATMAN_CONSTANT, ticks};
use serde::{Deserialize, Serialize};

use crate::doctrine::DoctrineSet;
use crate::error::{ChangeError, Result};
use crate::finding::{Code, Finding};
use crate::meaning::{ClassChange, Meaning, PropertyChange, PropertyMeaning, ancestors, describe};
use crate::proposal::digest;
use crate::toml_file;

mod reach;

use reach::Reach;

/// Most guards in one file.
pub const GUARDS_MAX: usize = 1_000;
/// Most terms that one guard protects.
pub const PROTECTED_MAX: usize = 10_000;

pub(crate) const FILE: &str = "guards.toml";
const PAGE: &str = "guards.md";

/// What a guard is for. It decides what harms the terms that it protects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardType {
    /// Terms that approvals rest on.
    ApprovalChain,
    /// Terms that keep people or machines safe: they may not be weakened either.
    SafetyInterlock,
    /// Terms that say where data may be.
    DataResidency,
    /// Terms on a path with a bounded cost: the bound holds whatever the tier.
    PerformanceBound,
    /// Terms that a law or contract asks for: they may not be weakened either.
    ComplianceRule,
}

impl GuardType {
    fn forbids_weakening(self) -> bool {
        matches!(self, Self::SafetyInterlock | Self::ComplianceRule)
    }
}

/// How grave a relaxation would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Criticality {
    /// Quorum 1, no minimum review.
    Low,
    /// Quorum 1, one hour.
    Medium,
    /// Quorum 2, twelve hours.
    High,
    /// Quorum 3, twenty-four hours.
    Critical,
}

impl Criticality {
    /// Different people who must agree to a relaxation.
    pub fn quorum(self) -> u32 {
        match self {
            Self::Critical => 3,
            Self::High => 2,
            Self::Medium | Self::Low => 1,
        }
    }

    /// Shortest time between a request for a relaxation and its approval, in ms.
    pub fn minimum_review_ms(self) -> u64 {
        const HOUR_MS: u64 = 3_600_000;
        match self {
            Self::Critical => 24 * HOUR_MS,
            Self::High => 12 * HOUR_MS,
            Self::Medium => HOUR_MS,
            Self::Low => 0,
        }
    }
}

/// The path that the guarded classes are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Before the append, at most [`Guard::max_run_len`] ticks.
    Hot,
    /// After the append, below 100 ms.
    Warm,
    /// Unbounded.
    Cold,
}

/// One guard. There is no switch that turns it off: only an approved relaxation suspends it, for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// Unique in its file, e.g. `LOG-G-001`.
    pub id: String,
    /// A short name.
    pub name: String,
    /// What it protects and why, for people.
    pub description: String,
    /// What it is for.
    #[serde(rename = "type")]
    pub guard_type: GuardType,
    /// How grave a relaxation would be.
    pub criticality: Criticality,
    /// Protected classes.
    #[serde(default)]
    pub classes: BTreeSet<Iri>,
    /// Protected properties, predicates and individuals.
    #[serde(default)]
    pub properties: BTreeSet<Iri>,
    /// Most ticks that an event type of a protected class may need; 1 to 8.
    #[serde(default = "longest_run")]
    pub max_run_len: u32,
    /// The path of the protected classes.
    pub tier: Tier,
    /// Whether approvers may suspend it for a while.
    #[serde(default)]
    pub relaxable: bool,
    /// Whether it can never be relaxed.
    #[serde(default)]
    pub immutable: bool,
    /// Doctrine rules that it serves, by id.
    #[serde(default)]
    pub rules: BTreeSet<String>,
}

fn longest_run() -> u32 {
    CHATMAN_CONSTANT
}

/// What guards are judged on.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// What the change does.
    pub meaning: &'a Meaning,
    /// The ontology before.
    pub before: &'a Schema,
    /// The ontology after.
    pub after: &'a Schema,
    /// The sector's triples before, in which protected predicates and individuals are looked up.
    pub graph: &'a Graph,
}

/// Where each property IRI stands before the change: the classes and keys that mean it.
type Places<'a> = BTreeMap<&'a Iri, BTreeSet<PropertyRef>>;

fn places(schema: &Schema) -> Places<'_> {
    let mut places = Places::new();
    for class in schema.classes.values() {
        for (key, property) in &class.properties {
            let place = PropertyRef { domain: class.iri.clone(), key: key.clone() };
            places.entry(&property.iri).or_default().insert(place);
        }
    }
    places
}

impl Guard {
    fn check(&self) -> Result<()> {
        let refuse = |what: &str| Err(ChangeError::Guard { guard: self.id.clone(), what: what.to_owned() });
        if self.id.is_empty() || self.id.len() > 64 {
            return refuse("an id has 1 to 64 bytes");
        }
        if self.classes.is_empty() && self.properties.is_empty() {
            return refuse("it protects nothing; name classes or properties");
        }
        if self.classes.len() + self.properties.len() > PROTECTED_MAX {
            return refuse("it protects more than 10,000 terms; split it");
        }
        if self.max_run_len == 0 || self.max_run_len > CHATMAN_CONSTANT {
            return refuse("max_run_len is 1 to 8");
        }
        if self.immutable && self.relaxable {
            return refuse("it is immutable and relaxable at once; choose one");
        }
        Ok(())
    }

    fn protects(&self, iri: &Iri) -> bool {
        self.properties.contains(iri)
    }

    fn harm(&self, code: Code, path: &Iri, message: &str) -> Finding {
        Finding::error(code, path.as_str(), format!("`{}`: {message}", self.name))
            .rule(&self.id)
            .fix("mend the sender; a guard that is wrong is mended in guards.toml of the pack, which is read when a data directory is begun")
    }

    /// What it finds, given where every property stands before the change.
    fn evaluate(&self, ground: &Ground<'_>, places: &Places<'_>) -> Vec<Finding> {
        let mut findings = self.protects_something(ground, places);
        self.classes_harmed(ground, places, &mut findings);
        let reach = Reach::of(self, ground.before, places);
        for (place, change) in &ground.meaning.properties {
            self.property_harmed(ground, places, &reach, (place, change), &mut findings);
        }
        self.values_harmed(ground, &mut findings);
        self.cost(ground, &mut findings);
        findings
    }

    /// A misspelt IRI would protect nothing without a word.
    fn protects_something(&self, ground: &Ground<'_>, places: &Places<'_>) -> Vec<Finding> {
        let used = |iri: &Iri| {
            ground.graph.matching(Some(iri), None, None).next().is_some()
                || ground.graph.matching(None, Some(iri), None).next().is_some()
        };
        let classes =
            self.classes.iter().filter(|iri| !ground.before.classes.contains_key(*iri) && !used(iri));
        let properties = self.properties.iter().filter(|iri| !places.contains_key(*iri) && !used(iri));
        classes
            .chain(properties)
            .map(|iri| {
                let message = format!("`{}` protects a term that does not exist", self.name);
                Finding::warning(Code::ProtectsNothing, iri.as_str(), message)
                    .rule(&self.id)
                    .fix("correct the IRI in guards.toml")
            })
            .collect()
    }

    fn classes_harmed(&self, ground: &Ground<'_>, places: &Places<'_>, findings: &mut Vec<Finding>) {
        for (iri, changes) in &ground.meaning.classes {
            let below = |class: &Iri| ground.meaning.concerned(iri).any(|heir| heir == class);
            // A class above a protected one gives it its place and keys.
            let above = !self.classes.contains(iri) && self.classes.iter().any(below);
            if above {
                for change in changes {
                    let message = match change {
                        ClassChange::Removed => "a class above the class is removed",
                        ClassChange::Reparented => "a class above the class gets another superclass",
                        _ => continue,
                    };
                    findings.push(self.harm(Code::ProtectedRedefined, iri, message));
                }
            }
            // A protected property is asked for by the event types of its class.
            let stood = |iri: &&Iri| places.get(*iri).into_iter().flatten().any(|place| below(&place.domain));
            if !self.classes.contains(iri)
                && changes.contains(&ClassChange::EventTypesRemoved)
                && let Some(property) = self.properties.iter().find(stood)
            {
                findings.push(
                    self.harm(
                        Code::ProtectedRedefined,
                        iri,
                        "the class no longer describes some event types",
                    )
                    .change(Some(property.to_string()), None),
                );
            }
            if !self.classes.contains(iri) {
                continue;
            }
            for change in changes {
                findings.push(match change {
                    ClassChange::Added | ClassChange::HotOn => continue,
                    ClassChange::Removed => self.harm(Code::ProtectedRemoved, iri, "the class is removed"),
                    ClassChange::Reparented => {
                        self.harm(Code::ProtectedRedefined, iri, "the class gets another superclass")
                    }
                    ClassChange::EventTypesAdded | ClassChange::EventTypesRemoved => {
                        self.harm(Code::ProtectedRedefined, iri, "the class describes other event types")
                    }
                    ClassChange::Described => self.harm(
                        Code::ProtectedRedefined,
                        iri,
                        "the label or comment that defines the class changes",
                    ),
                    ClassChange::HotOff => self.harm(Code::TierLowered, iri, "the class leaves the hot path"),
                });
            }
        }
    }

    fn property_harmed(
        &self,
        ground: &Ground<'_>,
        places: &Places<'_>,
        reach: &Reach<'_>,
        (place, change): (&PropertyRef, &PropertyMeaning),
        findings: &mut Vec<Finding>,
    ) {
        let (old, new) = (change.old.as_ref(), change.new.as_ref());
        let mut push = |code, iri: &Iri, message: &str| {
            let at = format!("{message} ({} of {})", place.key, place.domain.local_name());
            findings.push(self.harm(code, iri, &at).change(old.map(describe), new.map(describe)));
        };
        // A protected property that turns up where it was not.
        if let Some(new) = new
            && self.protects(&new.iri)
            && old.is_none_or(|old| old.iri != new.iri)
            && let Some(stood) = places.get(&new.iri)
        {
            if stood.iter().any(|stood| stood.domain == place.domain) {
                push(Code::ProtectedRedefined, &new.iri, "the property gets another key");
            } else {
                push(Code::ProtectedRedomained, &new.iri, "the property is put on another class");
            }
        }
        // A key that hides an inherited one which is protected, by itself or with its class.
        if let Some(hidden) = &change.hides {
            let owner = ancestors(ground.after, &place.domain).into_iter();
            let owner = owner.filter(|class| class.properties.contains_key(&place.key));
            if self.protects(hidden) || owner.map(|class| &class.iri).any(|iri| self.classes.contains(iri)) {
                push(Code::ProtectedRedefined, hidden, "a subclass redefines the property");
            }
        }
        // A protected class is protected with all its keys, those that it inherits too.
        let class_protected = ground.meaning.concerned(&place.domain).any(|iri| self.classes.contains(iri));
        let Some(old) = old else {
            // A new key of a protected class may only ask for nothing.
            if class_protected
                && change.effect == Effect::Strengthening
                && let Some(new) = new
            {
                push(Code::ProtectedNarrowed, &new.iri, "a required property is added to the class");
            }
            return;
        };
        if !class_protected && !self.protects(&old.iri) {
            if let Some(message) = reach.weakened_by(ground.meaning, place, change) {
                push(Code::ProtectedWeakened, &old.iri, message);
            }
            return;
        }
        for change in &change.changes {
            let (code, message) = match change {
                PropertyChange::Added => continue,
                PropertyChange::Removed => (Code::ProtectedRemoved, "the property is removed"),
                PropertyChange::Replaced => (Code::ProtectedRedefined, "the key means another property"),
                PropertyChange::Deprecated | PropertyChange::Restored => {
                    (Code::ProtectedRedefined, "the property is deprecated, restored or replaced")
                }
                PropertyChange::Described => {
                    (Code::ProtectedRedefined, "the key, label or comment that defines the property changes")
                }
                PropertyChange::RangeNarrowed | PropertyChange::RangeWidened => {
                    (Code::ProtectedRangeChanged, "the range changes")
                }
                PropertyChange::MadeRequired
                | PropertyChange::MadeSingle
                | PropertyChange::ValuesNarrowed
                | PropertyChange::BoundsNarrowed => (Code::ProtectedNarrowed, "the property is narrowed"),
                PropertyChange::MadeOptional
                | PropertyChange::MadeMany
                | PropertyChange::ValuesWidened
                | PropertyChange::BoundsWidened => {
                    if !self.guard_type.forbids_weakening() {
                        continue;
                    }
                    (Code::ProtectedWeakened, "the property is weakened")
                }
            };
            push(code, &old.iri, message);
        }
    }

    fn values_harmed(&self, ground: &Ground<'_>, findings: &mut Vec<Finding>) {
        for value in &ground.meaning.values {
            let of_class = self.classes.contains(&value.subject);
            let shape = value.subject.as_str().strip_suffix("-shape");
            let of_shape = shape.is_some_and(|stem| {
                self.classes.iter().chain(&self.properties).any(|iri| iri.as_str() == stem)
            });
            if !of_class && !of_shape && !self.protects(&value.subject) && !self.protects(&value.predicate) {
                continue;
            }
            if of_shape {
                findings.push(
                    self.harm(
                        Code::ProtectedRedefined,
                        &value.subject,
                        "the shape of the term says something else",
                    )
                    .change(value.old.clone(), value.new.clone()),
                );
                continue;
            }
            let taken_away = value.old.is_some() && value.new.is_none();
            if taken_away || (self.guard_type.forbids_weakening() && value.old.is_some()) {
                let message = if taken_away { "the value is taken away" } else { "the value changes" };
                findings.push(
                    self.harm(Code::ProtectedValue, &value.subject, message)
                        .change(value.old.clone(), value.new.clone()),
                );
            }
        }
    }

    /// The bound holds for event types of protected classes on the hot path, and of every protected class under a guard
    /// of type `performance_bound`.
    fn cost(&self, ground: &Ground<'_>, findings: &mut Vec<Finding>) {
        if self.tier != Tier::Hot && self.guard_type != GuardType::PerformanceBound {
            return;
        }
        for class in self.classes.iter().filter_map(|iri| ground.after.classes.get(iri)) {
            for event_type in &class.event_types {
                let after = ticks(ground.after, event_type).map(|ticks| ticks.0);
                if after.is_some_and(|after| after <= self.max_run_len) {
                    continue;
                }
                let before = ticks(ground.before, event_type).map(|ticks| ticks.0);
                let message = match after {
                    Some(after) => format!(
                        "`{}`: {event_type} needs {after} ticks, above {}",
                        self.name, self.max_run_len
                    ),
                    None => format!("`{}`: the ticks of {event_type} could not be counted", self.name),
                };
                // What was so before is not this change's doing; it is told all the same.
                let caused = after.is_none() || before != after;
                let finding = if caused {
                    Finding::error(Code::RunLength, event_type, message)
                } else {
                    Finding::warning(Code::RunLength, event_type, message)
                };
                findings.push(
                    finding
                        .rule(&self.id)
                        .change(before.map(|t| t.to_string()), after.map(|t| t.to_string()))
                        .fix("declare fewer constrained properties, or move them to a part"),
                );
            }
        }
    }
}

/// The guards of one pack, by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardSet {
    guards: BTreeMap<String, Guard>,
    digest: Hash,
}

impl Default for GuardSet {
    fn default() -> Self {
        // 0xa0 is the empty map of canonical CBOR.
        Self { guards: BTreeMap::new(), digest: Hash::of(&[0xa0]) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GuardFile {
    #[serde(default)]
    guard: Vec<Guard>,
}

impl GuardSet {
    /// Reads `guards.toml`.
    ///
    /// # Errors
    /// [`ChangeError::File`] with line and column for what the format does not have (such as a switch `enforced`),
    /// [`ChangeError::Guard`] and [`ChangeError::DuplicateId`] for guards that could not be evaluated.
    pub fn from_toml(bytes: &[u8]) -> Result<Self> {
        let file: GuardFile = toml_file::parse(FILE, PAGE, bytes)?;
        Self::new(file.guard)
    }

    /// Takes guards in any order.
    ///
    /// # Errors
    /// As [`GuardSet::from_toml`].
    pub fn new(guards: Vec<Guard>) -> Result<Self> {
        if guards.len() > GUARDS_MAX {
            return Err(ChangeError::Limit {
                what: "the number of guards",
                actual: guards.len(),
                limit: GUARDS_MAX,
            });
        }
        let mut set = Self::default();
        for guard in guards {
            guard.check()?;
            let id = guard.id.clone();
            if set.guards.insert(id.clone(), guard).is_some() {
                return Err(ChangeError::DuplicateId { file: FILE, id });
            }
        }
        set.digest = digest("guards", &set.guards)?;
        Ok(set)
    }

    /// The entries of both, as core's and a sector's are in force together.
    ///
    /// # Errors
    /// [`ChangeError::DuplicateId`] when an id occurs in both: a sector cannot replace what core says.
    pub fn and(&self, other: &Self) -> Result<Self> {
        Self::new(self.guards.values().chain(other.guards.values()).cloned().collect())
    }

    /// The guards in order of their ids.
    pub fn guards(&self) -> impl Iterator<Item = &Guard> {
        self.guards.values()
    }

    /// The guard with this id.
    pub fn get(&self, id: &str) -> Option<&Guard> {
        self.guards.get(id)
    }

    /// SHA-256 of the canonical CBOR of the map id → guard: the same for every order of guards in the file.
    pub fn digest(&self) -> Hash {
        self.digest
    }

    /// The changed keys that guards find harmed, each with the ids of those guards.
    pub(crate) fn harmed_keys<'g>(
        &'g self,
        ground: &Ground<'g>,
    ) -> BTreeMap<&'g PropertyRef, BTreeSet<&'g str>> {
        let places = places(ground.before);
        let mut harmed: BTreeMap<&PropertyRef, BTreeSet<&str>> = BTreeMap::new();
        for guard in self.guards() {
            let reach = Reach::of(guard, ground.before, &places);
            for (place, change) in &ground.meaning.properties {
                let mut findings = Vec::new();
                guard.property_harmed(ground, &places, &reach, (place, change), &mut findings);
                if !findings.is_empty() {
                    harmed.entry(place).or_default().insert(&guard.id);
                }
            }
        }
        harmed
    }

    /// What every guard finds, in order of their ids.
    pub fn evaluate(&self, ground: &Ground<'_>) -> Vec<Finding> {
        let places = places(ground.before);
        self.guards().flat_map(|guard| guard.evaluate(ground, &places)).collect()
    }
}

/// Checks that every guard that a rule names exists, and every rule that a guard names.
///
/// # Errors
/// [`ChangeError::UnknownReference`] for the first that does not.
pub fn check_references(doctrine: &DoctrineSet, guards: &GuardSet) -> Result<()> {
    let missing = |from: String, to: String| Err(ChangeError::UnknownReference { from, to });
    for rule in doctrine.rules() {
        if let Some(name) = rule.guards.iter().find(|name| guards.get(name).is_none()) {
            return missing(format!("doctrine rule `{}`", rule.id), format!("guard `{name}`"));
        }
    }
    for guard in guards.guards() {
        if let Some(name) = guard.rules.iter().find(|name| doctrine.get(name).is_none()) {
            return missing(format!("guard `{}`", guard.id), format!("doctrine rule `{name}`"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod roads;
#[cfg(test)]
mod tests;
