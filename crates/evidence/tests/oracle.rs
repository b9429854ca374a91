//! The tree and its paths agree with an independent implementation of RFC 6962.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use knhk_evidence::block::{Block, BlockPosition};
use knhk_evidence::checkpoint::Checkpoint;
use knhk_evidence::consistency::{consistency_path, verify_consistency};
use knhk_evidence::entry::EntryKind;
use knhk_evidence::merkle::{Frontier, inclusion_path, leaf_hash, verify_inclusion};
use knhk_evidence::proof::{InBlock, Proof, Subject};
use knhk_evidence::record::Record;
use knhk_evidence::{Hash, SigningKey};
use sha2::Sha256;

#[test]
fn roots_and_paths_of_every_size_up_to_300_agree_with_ct_merkle() {
    let mut theirs = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    let mut ours = Frontier::new();
    let mut leaves = Vec::new();
    for size in 1..=300_u64 {
        let data = format!("leaf {size}").into_bytes();
        leaves.push(leaf_hash(&[&data]));
        ours.push(leaf_hash(&[&data]));
        theirs.push(data);
        assert_eq!(ours.root().as_bytes()[..], theirs.root().as_bytes()[..], "size {size}");
        // Every index of the small trees, a spread of the large.
        for index in (0..size).step_by(if size <= 70 { 1 } else { 13 }).chain([size - 1]) {
            let path = inclusion_path(leaves.iter().copied(), index, size).unwrap();
            let at = usize::try_from(index).unwrap();
            let expected: Vec<Hash> = theirs
                .prove_inclusion(at)
                .as_bytes()
                .chunks(32)
                .map(|hash| Hash::from_slice(hash).unwrap())
                .collect();
            assert_eq!(path, expected, "size {size} index {index}");
            verify_inclusion(leaves[at], index, size, &path, &ours.root()).unwrap();
        }
    }
}

#[test]
fn consistency_paths_between_all_sizes_up_to_70_and_a_spread_up_to_700_agree_with_ct_merkle() {
    let mut theirs = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    let (mut leaves, mut roots) = (Vec::new(), Vec::new());
    let mut ours = Frontier::new();
    for new in 1..=700_u64 {
        let data = format!("leaf {new}").into_bytes();
        leaves.push(leaf_hash(&[&data]));
        ours.push(leaf_hash(&[&data]));
        roots.push((ours.root(), theirs_after(&mut theirs, data)));
        if new > 70 && new % 47 != 0 {
            continue;
        }
        for old in (1..=new).step_by(if new <= 70 { 1 } else { 11 }) {
            let at = |size: u64| usize::try_from(size - 1).unwrap();
            let path = consistency_path(leaves.iter().copied(), old, new).unwrap();
            let (a, b) = (roots[at(old)].0, roots[at(new)].0);
            verify_consistency(old, &a, new, &b, &path).unwrap();
            let proof = theirs.prove_consistency(usize::try_from(new - old).unwrap());
            let expected: Vec<Hash> =
                proof.as_bytes().chunks(32).map(|hash| Hash::from_slice(hash).unwrap()).collect();
            assert_eq!(path, expected, "{old} of {new}");
            // Theirs accepts ours, read back from bytes.
            let bytes: Vec<u8> = path.iter().flat_map(|hash| hash.as_bytes().to_vec()).collect();
            let read = ConsistencyProof::try_from_bytes(bytes).unwrap();
            roots[at(new)].1.verify_consistency(&roots[at(old)].1, &read).unwrap();
        }
    }
}

fn theirs_after(tree: &mut MemoryBackedTree<Sha256, Vec<u8>>, data: Vec<u8>) -> RootHash<Sha256> {
    tree.push(data);
    tree.root()
}

/// Both steps of an observation's proof: record → block header, header → log.
#[test]
fn both_steps_of_an_observation_proof_agree_with_ct_merkle() {
    let key = SigningKey::generate([1; 32], b"");
    for (blocks, at, records, index) in
        [(1_usize, 0_usize, 1, 0), (7, 3, 5, 4), (9, 8, 64, 17), (20, 0, 4096, 4095)]
    {
        let records: Vec<_> = (0..records)
            .map(|i: i64| {
                let mut record = Record { event_time_ms: i, ..Record::default() };
                record.set_payload(format!("event {i}").as_bytes()).unwrap();
                record
            })
            .collect();
        let position = BlockPosition { sector: 0, number: 0, previous: Hash::ZERO, first_sequence: 0 };
        let block = Block::seal(position, records).unwrap();
        let mut inner = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        block.records().iter().for_each(|record| inner.push(record.to_bytes().to_vec()));
        let mut outer = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        for i in 0..blocks {
            let leaf =
                if i == at { block.header().to_bytes().to_vec() } else { vec![u8::try_from(i).unwrap(); 3] };
            outer.push(EntryKind::Block.leaf_data(&leaf));
        }
        assert_eq!(inner.root().as_bytes()[..], block.header().records_root.as_bytes()[..]);
        let hashes = outer.items().iter().map(|data| leaf_hash(&[data]));
        let checkpoint = Checkpoint {
            origin: key.verifying_key().name().into(),
            size: outer.len(),
            root: Hash::from_slice(outer.root().as_bytes()).unwrap(),
        };
        let proof = Proof {
            index: at as u64,
            path: inclusion_path(hashes, at as u64, outer.len()).unwrap(),
            subject: Subject::Observation(Box::new(InBlock::new(&block, index).unwrap())),
            checkpoint: checkpoint.sign(&key).unwrap(),
        };
        let proof: Proof = proof.to_string().parse().unwrap();
        proof.verify(key.verifying_key()).unwrap();
        let Subject::Observation(in_block) = &proof.subject else { unreachable!() };
        let theirs = |path: &[Hash]| {
            InclusionProof::<Sha256>::try_from_bytes(
                path.iter().flat_map(|h| h.as_bytes().to_vec()).collect(),
            )
            .unwrap()
        };
        let record = in_block.record.to_vec();
        inner.root().verify_inclusion(&record, u64::from(index), &theirs(&in_block.path)).unwrap();
        let leaf = EntryKind::Block.leaf_data(&in_block.header.to_bytes());
        outer.root().verify_inclusion(&leaf, proof.index, &theirs(&proof.path)).unwrap();
        assert!(outer.root().verify_inclusion(&record, proof.index, &theirs(&proof.path)).is_err());
    }
}
