//! One proposal in the making: patterns become new states of properties, and what was inferred is added to them.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use knhk_evidence::{Hash, canonical};
use knhk_observation::class_names::ClassNames;
use knhk_observation::field::FieldNode;
use knhk_observation::infer::{Declared, Inference, property_iri};
use knhk_observation::pattern::{Pattern, PatternKind};
use knhk_ontology::delta::{AddedProperty, ChangedProperty, Delta, PropertyRef, SetValue, TypedLiteral};
use knhk_ontology::schema::{Cardinality, Class, Datatype, Property, Range, Schema};
use knhk_ontology::{Iri, vocab};
use knhk_projection::json::JsonType;
use knhk_projection::path;

use super::positions::{Positions, join};
use super::wording::{bounds_text, ranges_text, reasoning};
use super::{Cause, PROPOSER, Situation};
use crate::error::ChangeError;
use crate::meaning::Meaning;
use crate::proposal::{Change, Claims, Op, Proposal, ProposalContent};
use crate::stages::performance;

/// One proposal in the making.
pub(super) struct Draft<'a> {
    situation: &'a Situation<'a>,
    positions: &'a Positions<'a>,
    inference: Inference<'a>,
    /// New states of existing properties, by (domain, key).
    edits: BTreeMap<PropertyRef, Property>,
    /// (event type, path) of the keys that took another one's place.
    renamed: BTreeSet<(String, String)>,
    /// By (event type, path).
    changes: BTreeMap<(String, String), Change>,
    delta: Delta,
}

/// What a draft came to.
pub(super) struct Answer {
    /// `None` when there is nothing to change.
    pub(super) proposal: Option<Proposal>,
    /// The class names in use after it.
    pub(super) names: ClassNames,
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        situation: &'a Situation<'a>,
        positions: &'a Positions<'a>,
        reserved: &ClassNames,
    ) -> Self {
        let minimum = u64::from(situation.schema.settings.minimum_evidence);
        Self {
            situation,
            positions,
            inference: Inference::new(situation.schema, minimum, reserved),
            edits: BTreeMap::new(),
            renamed: BTreeSet::new(),
            changes: BTreeMap::new(),
            delta: Delta::default(),
        }
    }

    pub(super) fn event_type(&mut self, event_type: &str) -> Result<(), ChangeError> {
        if let Some((_, observed)) =
            self.situation.profile.event_types().find(|(name, _)| *name == event_type)
        {
            self.inference.event_type(event_type, observed)?;
        }
        Ok(())
    }

    pub(super) fn rate(&mut self, event_type: &str, patterns: &[&Pattern]) {
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
        self.push(change);
    }

    pub(super) fn class(&mut self, domain: &Iri, patterns: &[&Pattern]) -> Result<(), ChangeError> {
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
                Some((p.event_type.as_str(), path::property(&p.path), node))
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
        if let Some(position) = self.positions.get(&pattern.event_type, &pattern.path) {
            entry.path = join(&position.parent, old_key);
        }
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
        match self.changes.entry((entry.event_type.clone(), entry.path.clone())) {
            Entry::Vacant(place) => drop(place.insert(entry)),
            Entry::Occupied(mut first) => {
                let first = first.get_mut();
                first.datatype.clone_from(&entry.datatype);
                first.cardinality.clone_from(&entry.cardinality);
                if first.op == entry.op
                    && first.new != entry.new
                    && let (Some(old), Some(new)) = (&mut first.new, &entry.new)
                {
                    *old = format!("{old}, {new}");
                }
            }
        }
    }

    pub(super) fn finish(self, cause: &Cause, patterns: &[&Pattern]) -> Result<Answer, ChangeError> {
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
            return Ok(Answer { proposal: None, names });
        }
        let mut changes = changes;
        let of_type: BTreeMap<&str, u64> =
            patterns.iter().rev().map(|p| (p.event_type.as_str(), p.evidence.of)).collect();
        for declared in &inferred.declared {
            let place = (declared.event_type.clone(), declared.path.clone());
            let of = of_type.get(declared.event_type.as_str()).copied().unwrap_or(declared.n);
            let is_renamed = renamed.contains(&place);
            changes.entry(place).or_insert_with(|| declared_change(declared, of, is_renamed));
        }
        let changes: Vec<Change> = changes.into_values().collect();
        let after = schema_after(situation.schema, &delta);
        let meaning = Meaning::between(situation.schema, &after, [], []);
        let estimated_ticks = performance::costliest(&meaning, situation.schema, &after).unwrap_or_default();
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
        Ok(Answer { proposal: Some(proposal), names })
    }
}

fn change(op: Op, pattern: &Pattern, iri: &Iri) -> Change {
    Change {
        op,
        event_type: pattern.event_type.clone(),
        path: path::property(&pattern.path).to_owned(),
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
pub(super) fn schema_after(schema: &Schema, delta: &Delta) -> Schema {
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
