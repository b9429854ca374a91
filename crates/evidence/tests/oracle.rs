//! The tree and its paths agree with an independent implementation of RFC 6962.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use knhk_evidence::Hash;
use knhk_evidence::merkle::{Frontier, inclusion_path, leaf_hash, verify_inclusion};
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
