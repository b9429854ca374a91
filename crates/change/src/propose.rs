//! The rule proposer: each pattern to the smallest ΔΣ that makes the stream conform. Deterministic; always there.
//!
//! Every proposal is a weakening or an addition: rules never tighten an ontology. The rules are tabled in
//! `docs/detection.md`, section "From pattern to change".

use std::collections::{BTreeMap, BTreeSet};

use knhk_evidence::{Hash, canonical};
use knhk_observation::class_names::ClassNames;
use knhk_observation::field::FieldNode;
use knhk_observation::infer::{Declared, Inference, property_iri};
use knhk_observation::pattern::{Action, Pattern, PatternKind};
use knhk_observation::profile::Profile;
use knhk_ontology::decimal::Decimal;
use knhk_ontology::delta::{AddedProperty, ChangedProperty, Delta, PropertyRef, SetValue, TypedLiteral};
use knhk_ontology::schema::{Cardinality, Class, Datatype, Property, Range, Schema};
use knhk_ontology::snapshot::SnapshotId;
use knhk_ontology::{Iri, vocab};
use knhk_projection::json::JsonType;
use knhk_projection::{path, ticks};

use crate::error::ChangeError;
use crate::proposal::{Change, Claims, Op, Proposal, ProposalContent};

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
    /// Time of the cycle, Unix ms.
    pub time_ms: i64,
}

/// What a round of planning came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The proposals, in order of class, then event type.
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
    let mut reserved = ClassNames::default();
    let mut plan = Plan::default();
    for (cause, patterns) in causes {
        match answer(situation, &positions, &cause, &patterns, &reserved) {
            Ok((proposal, names)) => {
                reserved = names;
                plan.proposals.extend(proposal);
            }
            Err(error) => plan.unplanned.push(format!("{}: {} {error}", cause.name(), error.code())),
        }
    }
    plan
}

/// The proposal for one cause, and the class names in use after it.
fn answer(
    situation: &Situation<'_>,
    positions: &Positions<'_>,
    cause: &Cause,
    patterns: &[&Pattern],
    reserved: &ClassNames,
) -> Result<(Option<Proposal>, ClassNames), ChangeError> {
    let minimum = u64::from(situation.schema.settings.minimum_evidence);
    let inference = Inference::new(situation.schema, minimum, reserved);
    let mut draft = Draft {
        situation,
        positions,
        inference,
        edits: BTreeMap::new(),
        renamed: BTreeSet::new(),
        changes: Vec::new(),
        delta: Delta::default(),
    };
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

/// Where a key of a known class was, or should have been, observed.
struct Position<'a> {
    domain: &'a Class,
    key: String,
    node: Option<&'a FieldNode>,
}

/// (event type, path) → position, for every path whose parent object has a class.
struct Positions<'a>(BTreeMap<(String, String), Position<'a>>);

impl<'a> Positions<'a> {
    fn of(schema: &'a Schema, profile: &'a Profile) -> Self {
        let mut positions = Self(BTreeMap::new());
        for (event_type, observed) in profile.event_types() {
            if let Some(class) = schema.class_of_event(event_type) {
                positions.object(schema, class, event_type, "", observed.root());
            }
        }
        positions
    }

    fn object(
        &mut self,
        schema: &'a Schema,
        class: &'a Class,
        event_type: &str,
        path: &str,
        node: &'a FieldNode,
    ) {
        let keys = schema.keys_of(class);
        // The class that declares a key: the class itself, or the ancestor it inherits the key from.
        let owner =
            |key: &str| schema.lineage(class).find(|c| c.properties.contains_key(key)).unwrap_or(class);
        for (key, child) in node.children() {
            let path = join(path, key);
            for range in keys.get(key).into_iter().flat_map(|property| &property.ranges) {
                let Range::Class(part) = range else { continue };
                let Some(part) = schema.classes.get(part) else { continue };
                if has_objects(child) {
                    self.object(schema, part, event_type, &path, child);
                }
                if let Some(elements) = child.elements().filter(|e| has_objects(e)) {
                    self.object(schema, part, event_type, &format!("{path}[]"), elements);
                }
            }
            let position = Position { domain: owner(key), key: key.to_owned(), node: Some(child) };
            self.0.entry((event_type.to_owned(), path)).or_insert(position);
        }
        for key in keys.keys() {
            let position = Position { domain: owner(key), key: (*key).to_owned(), node: None };
            self.0.entry((event_type.to_owned(), join(path, key))).or_insert(position);
        }
    }

    /// The position at a path. What is found at the elements of an array concerns the property that holds the array.
    fn get(&self, event_type: &str, path: &str) -> Option<&Position<'a>> {
        self.0.get(&(event_type.to_owned(), property_path(path).to_owned()))
    }

    /// Whether this key of this class was seen anywhere.
    fn is_seen(&self, domain: &Iri, key: &str) -> bool {
        self.0.values().any(|p| p.domain.iri == *domain && p.key == key && p.node.is_some())
    }

    /// Whether an array was seen at any position of this key of this class.
    fn hold_arrays(&self, domain: &Iri, key: &str) -> bool {
        let concerns = |p: &&Position<'_>| p.domain.iri == *domain && p.key == key;
        self.0
            .values()
            .filter(concerns)
            .filter_map(|p| p.node)
            .any(|n| n.stats().of_type(JsonType::Array).events > 0)
    }

    fn cause(&self, pattern: &Pattern) -> Option<Cause> {
        match pattern.kind {
            PatternKind::UnknownEventType => Some(Cause::EventType(pattern.event_type.clone())),
            PatternKind::FrequencyAnomaly => Some(Cause::Rate(pattern.event_type.clone())),
            _ => self.get(&pattern.event_type, &pattern.path).map(|p| Cause::Class(p.domain.iri.clone())),
        }
    }
}

fn has_objects(node: &FieldNode) -> bool {
    node.stats().of_type(JsonType::Object).occurrences > 0
}

fn join(parent: &str, key: &str) -> String {
    let mut joined = parent.to_owned();
    path::push_key(&mut joined, key);
    joined
}

/// The path of another key in the same object.
fn sibling(path: &str, key: &str) -> String {
    let mut steps = path::steps(path);
    steps.pop();
    let mut parent = String::new();
    for step in steps {
        match step {
            path::Step::Key(key) => path::push_key(&mut parent, &key),
            path::Step::Elements => path::push_elements(&mut parent),
        }
    }
    join(&parent, key)
}

/// `items[]` → `items`: the path of the property, without its elements.
fn property_path(path: &str) -> &str {
    path.trim_end_matches("[]")
}

/// One proposal in the making.
struct Draft<'a> {
    situation: &'a Situation<'a>,
    positions: &'a Positions<'a>,
    inference: Inference<'a>,
    /// New states of existing properties, by (domain, key).
    edits: BTreeMap<PropertyRef, Property>,
    /// (event type, path) of the keys that took another one's place.
    renamed: BTreeSet<(String, String)>,
    changes: Vec<Change>,
    delta: Delta,
}

impl<'a> Draft<'a> {
    fn event_type(&mut self, event_type: &str) -> Result<(), ChangeError> {
        if let Some((_, observed)) =
            self.situation.profile.event_types().find(|(name, _)| *name == event_type)
        {
            self.inference.event_type(event_type, observed)?;
        }
        Ok(())
    }

    fn rate(&mut self, event_type: &str, patterns: &[&Pattern]) {
        let schema = self.situation.schema;
        let Some(class) = schema.event_types.get(event_type) else { return };
        let Some(pattern) = patterns.first() else { return };
        let declared = schema.settings.expected_rates.get(event_type).copied();
        // Events in the busiest minute of the window: the rate that the declaration has to admit.
        let Some(observed) =
            self.situation.profile.event_type(event_type).map(|t| busiest_minute(t.seconds()))
        else {
            return;
        };
        let literal =
            |value: u64| TypedLiteral { value: value.to_string(), datatype: vocab::XSD_INTEGER.clone() };
        self.delta.set_values.push(SetValue {
            subject: class.clone(),
            predicate: vocab::KNHK_EXPECTED_RATE.clone(),
            old: declared.map(literal),
            new: literal(observed),
        });
        let mut change = change(Op::SetValue, pattern, class);
        change.old = declared.map(|v| v.to_string());
        change.new = Some(observed.to_string());
        self.changes.push(change);
    }

    fn class(&mut self, domain: &Iri, patterns: &[&Pattern]) -> Result<(), ChangeError> {
        let mut by_key: BTreeMap<&str, Vec<&Pattern>> = BTreeMap::new();
        for pattern in patterns {
            if let Some(position) = self.positions.get(&pattern.event_type, &pattern.path) {
                by_key.entry(&position.key).or_default().push(pattern);
            }
        }
        for (key, patterns) in &by_key {
            for pattern in patterns {
                self.edit(domain, key, pattern)?;
            }
            let added: Vec<&Pattern> = patterns
                .iter()
                .copied()
                .filter(|p| matches!(p.kind, PatternKind::UndeclaredField | PatternKind::ProbableRename))
                .collect();
            if !added.is_empty() {
                let positions = self.nodes(&added);
                self.inference.field(domain, key, &positions)?;
            }
        }
        Ok(())
    }

    /// The observed nodes of `patterns`' paths, with event type and path.
    fn nodes<'p>(&self, patterns: &[&'p Pattern]) -> Vec<(&'p str, &'p str, &'a FieldNode)> {
        patterns
            .iter()
            .filter_map(|p| {
                let node = self.positions.get(&p.event_type, &p.path)?.node?;
                Some((p.event_type.as_str(), property_path(&p.path), node))
            })
            .collect()
    }

    /// Applies one pattern to the property it concerns.
    fn edit(&mut self, domain: &Iri, key: &str, pattern: &Pattern) -> Result<(), ChangeError> {
        let Some(class) = self.situation.schema.classes.get(domain) else { return Ok(()) };
        if pattern.kind == PatternKind::ProbableRename {
            return self.rename(class, key, pattern);
        }
        let Some(base) = class.properties.get(key) else { return Ok(()) };
        let target = PropertyRef { domain: domain.clone(), key: key.to_owned() };
        let mut next = self.edits.get(&target).unwrap_or(base).clone();
        let node = self.positions.get(&pattern.event_type, &pattern.path).and_then(|p| p.node);
        let op = match pattern.kind {
            PatternKind::TypeChanged => {
                let positions = self.nodes(&[pattern]);
                let (ranges, many) = self.inference.ranges(domain, key, &positions)?;
                // While no value was known, an empty array agreed anywhere; with a type it needs "many".
                let many = many || (base.ranges.is_empty() && self.positions.hold_arrays(domain, key));
                next.ranges = widest(next.ranges.union(&ranges).cloned().collect());
                next.cardinality =
                    Cardinality::of(next.cardinality.is_required(), next.cardinality.is_many() || many);
                Op::ChangeRange
            }
            PatternKind::CardinalityChanged => {
                let empty = node.is_some_and(|n| n.stats().empty_arrays().events > 0);
                let arrays = node.is_some_and(|n| n.stats().of_type(JsonType::Array).events > 0);
                let many = next.cardinality.is_many() || arrays;
                next.cardinality = Cardinality::of(next.cardinality.is_required() && !empty, many);
                Op::ChangeCardinality
            }
            PatternKind::MissingRequired | PatternKind::VanishedField => {
                next.cardinality = Cardinality::of(false, next.cardinality.is_many());
                Op::ChangeCardinality
            }
            PatternKind::NewEnumValue => {
                if let Some(values) = &mut next.facets.values {
                    values.insert(pattern.detail.clone());
                }
                Op::AddEnumValue
            }
            PatternKind::OutOfRange => {
                widen(&mut next, node);
                Op::ModifyShape
            }
            _ => return Ok(()),
        };
        let mut entry = change(op, pattern, &next.iri);
        (entry.old, entry.new) = match op {
            Op::ChangeRange => (Some(ranges_text(&base.ranges)), Some(ranges_text(&next.ranges))),
            Op::ChangeCardinality => {
                (Some(base.cardinality.as_str().to_owned()), Some(next.cardinality.as_str().to_owned()))
            }
            Op::AddEnumValue => (None, Some(pattern.detail.clone())),
            _ => (Some(bounds_text(base)), Some(bounds_text(&next))),
        };
        entry.datatype = Some(ranges_text(&next.ranges));
        entry.cardinality = Some(next.cardinality.as_str().to_owned());
        self.push(entry);
        self.edits.insert(target, next);
        Ok(())
    }

    /// A rename is an addition (made by the caller), an alias and a deprecation of the old property, which becomes optional.
    /// Where other places still have the old key it is only made optional: it is not gone.
    fn rename(&mut self, class: &Class, new_key: &str, pattern: &Pattern) -> Result<(), ChangeError> {
        let Some(old_key) = &pattern.renamed_from else { return Ok(()) };
        let Some(old) = class.properties.get(old_key) else { return Ok(()) };
        let gone = !self.positions.is_seen(&class.iri, old_key);
        let target = PropertyRef { domain: class.iri.clone(), key: old_key.clone() };
        let mut next = self.edits.get(&target).unwrap_or(old).clone();
        next.cardinality = Cardinality::of(false, next.cardinality.is_many());
        let mut entry = if gone {
            next.deprecated = true;
            next.replaced_by = Some(property_iri(&class.iri, new_key)?);
            self.renamed.insert((pattern.event_type.clone(), pattern.path.clone()));
            change(Op::DeprecateProperty, pattern, &next.iri)
        } else {
            change(Op::ChangeCardinality, pattern, &next.iri)
        };
        entry.path = sibling(&pattern.path, old_key);
        entry.old = Some(old.cardinality.as_str().to_owned());
        entry.new = Some(next.cardinality.as_str().to_owned());
        entry.cardinality.clone_from(&entry.new);
        entry.datatype = Some(ranges_text(&next.ranges));
        self.push(entry);
        self.edits.insert(target, next);
        Ok(())
    }

    /// One entry per (event type, path): a later change of the same property at the same place completes the first.
    fn push(&mut self, entry: Change) {
        let same = |c: &&mut Change| c.event_type == entry.event_type && c.path == entry.path;
        if let Some(first) = self.changes.iter_mut().find(same) {
            first.datatype.clone_from(&entry.datatype);
            first.cardinality.clone_from(&entry.cardinality);
            if first.op == entry.op
                && first.new != entry.new
                && let (Some(old), Some(new)) = (&mut first.new, &entry.new)
            {
                *old = format!("{old}, {new}");
            }
        } else {
            self.changes.push(entry);
        }
    }

    fn finish(
        self,
        cause: &Cause,
        patterns: &[&Pattern],
    ) -> Result<(Option<Proposal>, ClassNames), ChangeError> {
        let Self { situation, inference, edits, renamed, changes, mut delta, .. } = self;
        let (inferred, names) = inference.finish();
        for mut class in inferred.classes {
            for (_, property) in std::mem::take(&mut class.properties) {
                delta.added_properties.push(AddedProperty { domain: class.iri.clone(), property });
            }
            delta.added_classes.push(class);
        }
        delta.added_properties.extend(inferred.attached);
        delta.changed_properties =
            edits.into_iter().map(|(target, property)| ChangedProperty { target, property }).collect();
        if delta.is_empty() {
            return Ok((None, names));
        }
        let mut changes = changes;
        for declared in &inferred.declared {
            let of = patterns
                .iter()
                .find(|p| p.event_type == declared.event_type)
                .map_or(declared.n, |p| p.evidence.of);
            if changes.iter().all(|c| c.event_type != declared.event_type || c.path != declared.path) {
                let renamed = renamed.contains(&(declared.event_type.clone(), declared.path.clone()));
                changes.push(declared_change(declared, of, renamed));
            }
        }
        changes.sort_by(|a, b| (&a.event_type, &a.path).cmp(&(&b.event_type, &b.path)));
        let after = schema_after(situation.schema, &delta);
        let touched: BTreeSet<&str> = changes.iter().map(|c| c.event_type.as_str()).collect();
        let estimated_ticks =
            touched.iter().filter_map(|t| ticks::ticks(&after, t)).map(|t| t.0).max().unwrap_or(0);
        let evidence: Vec<_> = patterns.iter().map(|p| (&p.id, &p.evidence)).collect();
        let confidence_ppm = patterns.iter().map(|p| p.confidence_ppm).min().unwrap_or(0);
        let evidence = canonical::to_bytes(&evidence)
            .map_err(|e| ChangeError::Encoding { what: "a proposal's evidence", why: e.to_string() })?;
        let proposal = Proposal::new(ProposalContent {
            sector: situation.sector.to_owned(),
            base: situation.base,
            patterns: patterns.iter().map(|p| p.id.clone()).collect(),
            changes,
            delta,
            reasoning: reasoning(cause, patterns),
            confidence_ppm,
            estimated_ticks,
            rollback: format!("knhk rollback --to {}", situation.base),
            proposer: PROPOSER.to_owned(),
            claims: Claims::default(),
            evidence_digest: Hash::of(&evidence),
            time_ms: situation.time_ms,
        })?;
        Ok((Some(proposal), names))
    }
}

fn reasoning(cause: &Cause, patterns: &[&Pattern]) -> String {
    let n: u64 = patterns.iter().map(|p| p.evidence.n).max().unwrap_or(0);
    let paths: BTreeSet<&str> = patterns.iter().map(|p| p.path.as_str()).collect();
    let what = match cause {
        Cause::EventType(event_type) => {
            return format!("{n} events of the type {event_type}, which no class describes");
        }
        Cause::Rate(event_type) => return format!("the rate of {event_type} is no longer the declared one"),
        Cause::Class(domain) => domain.local_name(),
    };
    format!("{} pattern(s) at {} path(s) of {what}, in up to {n} events", patterns.len(), paths.len())
}

fn change(op: Op, pattern: &Pattern, iri: &Iri) -> Change {
    Change {
        op,
        event_type: pattern.event_type.clone(),
        path: property_path(&pattern.path).to_owned(),
        iri: iri.clone(),
        datatype: None,
        cardinality: None,
        old: None,
        new: None,
        n: pattern.evidence.n,
        of: pattern.evidence.of,
        distinct: pattern.evidence.distinct,
    }
}

fn declared_change(declared: &Declared, of: u64, renamed: bool) -> Change {
    let op = match (&declared.cardinality, renamed) {
        (None, _) => Op::AddClass,
        (Some(_), true) => Op::RenameProperty,
        (Some(_), false) => Op::AddProperty,
    };
    Change {
        op,
        event_type: declared.event_type.clone(),
        path: declared.path.clone(),
        iri: declared.iri.clone(),
        datatype: declared.cardinality.map(|_| ranges_text(&declared.ranges)),
        cardinality: declared.cardinality.map(|c| c.as_str().to_owned()),
        old: None,
        new: None,
        n: declared.n,
        of,
        distinct: declared.distinct,
    }
}

/// Most events in any 60 seconds.
fn busiest_minute(seconds: &BTreeMap<i64, u64>) -> u64 {
    seconds
        .keys()
        .map(|start| seconds.range(*start..start.saturating_add(60)).map(|(_, n)| n).sum())
        .max()
        .unwrap_or(0)
}

/// A datatype by prefix and name, as ontologies write it.
fn curie(datatype: Datatype) -> &'static str {
    match datatype {
        Datatype::String => "xsd:string",
        Datatype::Boolean => "xsd:boolean",
        Datatype::Integer => "xsd:integer",
        Datatype::Decimal => "xsd:decimal",
        Datatype::DateTime => "xsd:dateTime",
        Datatype::Date => "xsd:date",
        Datatype::AnyUri => "xsd:anyURI",
        Datatype::Json => "rdf:JSON",
    }
}

/// Ranges for people: `xsd:string | xsd:integer`, a class by its IRI, `unknown` when no value was seen.
fn ranges_text(ranges: &BTreeSet<Range>) -> String {
    if ranges.is_empty() {
        return "unknown".to_owned();
    }
    let names: Vec<String> = ranges
        .iter()
        .map(|range| match range {
            Range::Datatype(datatype) => curie(*datatype).to_owned(),
            Range::Class(class) => class.to_string(),
        })
        .collect();
    names.join(" | ")
}

fn bounds_text(property: &Property) -> String {
    let side = |d: Option<Decimal>| d.map_or_else(|| "…".to_owned(), |d| d.to_string());
    format!("{}..{}", side(property.facets.min), side(property.facets.max))
}

/// A range that another one covers adds nothing: every integer is a decimal, every date-time is a string.
fn widest(mut ranges: BTreeSet<Range>) -> BTreeSet<Range> {
    if ranges.contains(&Range::Datatype(Datatype::Decimal)) {
        ranges.remove(&Range::Datatype(Datatype::Integer));
    }
    if ranges.contains(&Range::Datatype(Datatype::String)) {
        for covered in [Datatype::DateTime, Datatype::Date, Datatype::AnyUri] {
            ranges.remove(&Range::Datatype(covered));
        }
    }
    ranges
}

/// Moves the bounds out to what was observed, and no further.
fn widen(property: &mut Property, node: Option<&FieldNode>) {
    // The values of an array stand at its elements.
    let places = [node, node.and_then(FieldNode::elements)];
    for stats in places.into_iter().flatten().map(FieldNode::stats) {
        let facets = &mut property.facets;
        if let Some((least, most)) = stats.numbers() {
            facets.min = facets.min.map(|bound| bound.min(least));
            facets.max = facets.max.map(|bound| bound.max(most));
        }
        if let Some((shortest, longest)) = stats.lengths() {
            let length = |length: u64| u32::try_from(length).unwrap_or(u32::MAX);
            facets.min_length = facets.min_length.map(|bound| bound.min(length(shortest)));
            facets.max_length = facets.max_length.map(|bound| bound.max(length(longest)));
        }
    }
}

/// The schema as it would be, for the claim of ticks; stage 5 computes the real one.
fn schema_after(schema: &Schema, delta: &Delta) -> Schema {
    let mut after = schema.clone();
    for class in &delta.added_classes {
        for event_type in &class.event_types {
            after.event_types.insert(event_type.clone(), class.iri.clone());
        }
        after.classes.insert(class.iri.clone(), class.clone());
    }
    let added = delta.added_properties.iter().map(|a| (&a.domain, &a.property));
    let changed = delta.changed_properties.iter().map(|c| (&c.target.domain, &c.property));
    for (domain, property) in added.chain(changed) {
        if let Some(class) = after.classes.get_mut(domain) {
            class.properties.insert(property.key.clone(), property.clone());
        }
    }
    after
}
