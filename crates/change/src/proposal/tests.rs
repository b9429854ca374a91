use super::*;
use crate::fixture::*;

#[test]
fn the_id_is_the_digest_of_everything_a_proposal_says() {
    let bench = Bench::new(&schema());
    let content = bench.content(addition("Stroke", "x"));
    let id = Proposal::new(content.clone()).unwrap().id();
    assert_eq!(Proposal::new(content.clone()).unwrap().id(), id);
    assert_eq!(id.to_string().len(), 64);
    let edits: [fn(&mut ProposalContent); 13] = [
        |c| c.sector.push('x'),
        |c| c.base.0[0] ^= 1,
        |c| c.patterns.clear(),
        |c| {
            c.changes.push(Change {
                op: Op::AddProperty,
                event_type: String::new(),
                path: String::new(),
                iri: iri("x"),
                datatype: None,
                cardinality: None,
                old: None,
                new: None,
                n: 1,
                of: 1,
                distinct: 1,
            });
        },
        |c| c.delta.added_properties[0].property.comment.push('x'),
        |c| c.reasoning.push('x'),
        |c| c.confidence_ppm += 1,
        |c| c.estimated_ticks += 1,
        |c| c.rollback.push('x'),
        |c| c.proposer.push('x'),
        |c| c.claims.invariants.push("Q3".to_owned()),
        |c| c.evidence_digest.0[0] ^= 1,
        |c| c.time_ms += 1,
    ];
    for (n, edit) in edits.into_iter().enumerate() {
        let mut other = content.clone();
        edit(&mut other);
        assert_ne!(Proposal::new(other).unwrap().id(), id, "edit {n}");
    }
}

#[test]
fn a_proposal_survives_canonical_bytes_and_an_edited_one_is_refused() {
    let bench = Bench::new(&schema());
    let proposal = Proposal::new(bench.content(addition("Stroke", "x"))).unwrap();
    let bytes = canonical::to_bytes(&proposal).unwrap();
    assert_eq!(canonical::from_bytes::<Proposal>(&bytes).unwrap(), proposal);
    let at = bytes.windows(7).position(|window| window == b"because").unwrap();
    let mut edited = bytes;
    edited[at] = b'B';
    let error = canonical::from_bytes::<Proposal>(&edited).unwrap_err();
    assert!(error.to_string().contains("content was changed"), "{error}");
}

#[test]
fn a_list_beyond_its_limit_is_refused() {
    let bench = Bench::new(&schema());
    let mut content = bench.content(addition("Stroke", "x"));
    content.patterns = vec![String::new(); PROPOSAL_ENTRIES_MAX + 1];
    assert_eq!(Proposal::new(content).unwrap_err().code(), "KNHK-E1607");
}

#[test]
fn names_of_operations_are_those_of_the_report() {
    for op in [
        Op::AddClass,
        Op::AddProperty,
        Op::RemoveClass,
        Op::RemoveProperty,
        Op::ChangeRange,
        Op::ChangeCardinality,
        Op::AddEnumValue,
        Op::DeprecateProperty,
        Op::RenameProperty,
        Op::ModifyShape,
        Op::SetValue,
    ] {
        let bytes = canonical::to_bytes(&op).unwrap();
        assert_eq!(canonical::from_bytes::<String>(&bytes).unwrap(), op.as_str());
    }
}
