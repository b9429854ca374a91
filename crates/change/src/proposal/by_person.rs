//! A change that a person wants, as a proposal: checked like every other one.

use std::sync::Arc;

use knhk_evidence::Hash;
use knhk_ontology::delta::{AddedProperty, ChangedProperty, Delta, PropertyRef};
use knhk_ontology::schema::{Class, Property, Range};
use knhk_ontology::{Iri, Snapshot};

use super::{Change, Claims, Op, PROPOSAL_ENTRIES_MAX, Proposal, ProposalContent};
use crate::error::Result;
use crate::shadow::Shadow;
use crate::stages::performance::costliest_touched;

/// The proposer's name in what a person proposes.
pub const PERSON: &str = "person/1";

impl Proposal {
    /// What a person wants of `base`, with the person's reason. It rests on no pattern, so it claims no evidence.
    ///
    /// # Errors
    /// As [`Proposal::new`].
    pub fn by_person(base: &Arc<Snapshot>, delta: Delta, reason: &str, time_ms: i64) -> Result<Self> {
        let entries: usize = delta.list_lengths().iter().sum();
        // What is too much to be a proposal is not tried first.
        let (ticks, changes) = if entries > PROPOSAL_ENTRIES_MAX {
            (None, Vec::new())
        } else {
            let shadow = Shadow::new(Arc::clone(base), &delta).applied();
            let ticks = shadow.candidate().and_then(|candidate| costliest_touched(base, candidate));
            (ticks, described(&delta, base))
        };
        Self::new(ProposalContent {
            sector: base.sector.clone(),
            base: base.id,
            patterns: Vec::new(),
            changes,
            delta,
            reasoning: reason.to_owned(),
            confidence_ppm: 1_000_000,
            estimated_ticks: ticks.unwrap_or(0),
            rollback: format!("knhk rollback --to {}", base.version),
            proposer: PERSON.to_owned(),
            claims: Claims::default(),
            evidence_digest: Hash::of(&[]),
            time_ms,
        })
    }
}

/// The entries for the report.
fn described(delta: &Delta, base: &Snapshot) -> Vec<Change> {
    let entry = |op, iri: &Iri, path: &str| Change {
        op,
        event_type: String::new(),
        path: path.to_owned(),
        iri: iri.clone(),
        datatype: None,
        cardinality: None,
        old: None,
        new: None,
        n: 0,
        of: 0,
        distinct: 0,
    };
    let place = |domain: &Iri, key: &str| format!("{}.{key}", domain.local_name());
    let with = |mut change: Change, property: &Property| {
        change.datatype = Some(ranges(property));
        change.cardinality = Some(property.cardinality.as_str().to_owned());
        change
    };
    let class = |class: &Class| entry(Op::AddClass, &class.iri, class.iri.local_name());
    let added = |added: &AddedProperty| {
        let path = place(&added.domain, &added.property.key);
        with(entry(Op::AddProperty, &added.property.iri, &path), &added.property)
    };
    let removed = |target: &PropertyRef| {
        let iri = base.schema.property(&target.domain, &target.key).map_or(&target.domain, |p| &p.iri);
        entry(Op::RemoveProperty, iri, &place(&target.domain, &target.key))
    };
    let changed = |changed: &ChangedProperty| {
        let path = place(&changed.target.domain, &changed.target.key);
        let old = base.schema.property(&changed.target.domain, &changed.target.key);
        let op = match old {
            Some(old) if old.ranges != changed.property.ranges => Op::ChangeRange,
            Some(old) if old.cardinality != changed.property.cardinality => Op::ChangeCardinality,
            Some(old) if !old.deprecated && changed.property.deprecated => Op::DeprecateProperty,
            _ => Op::ModifyShape,
        };
        with(entry(op, &changed.property.iri, &path), &changed.property)
    };
    let mut all: Vec<Change> = delta.added_classes.iter().map(class).collect();
    all.extend(delta.removed_classes.iter().map(|iri| entry(Op::RemoveClass, iri, iri.local_name())));
    all.extend(delta.added_properties.iter().map(added));
    all.extend(delta.removed_properties.iter().map(removed));
    all.extend(delta.changed_properties.iter().map(changed));
    all.extend(delta.set_values.iter().map(|value| Change {
        old: value.old.as_ref().map(|old| old.value.clone()),
        new: Some(value.new.value.clone()),
        ..entry(Op::SetValue, &value.subject, value.predicate.local_name())
    }));
    all.truncate(PROPOSAL_ENTRIES_MAX);
    all
}

fn ranges(property: &Property) -> String {
    let names: Vec<&str> = property
        .ranges
        .iter()
        .map(|range| match range {
            Range::Datatype(datatype) => datatype.iri().local_name(),
            Range::Class(class) => class.local_name(),
        })
        .collect();
    names.join(" | ")
}
