//! A log that begins at a sealed state is trusted under the keys that answer for that state, and no others.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
use knhk_evidence::SigningKey;
use knhk_evidence::entry::{Entry, KeyChange};
use knhk_evidence::frame::{Chain, Commit, FrameKind};
use knhk_evidence::input::{Input, InputKind};
use knhk_evidence::sealed::Retained;
use knhk_evidence::state::LogState;
use knhk_evidence::verify::{Depth, Trust, Verifier};

#[test]
fn a_sealed_state_does_not_vouch_for_the_keys_before_its_last() {
    let trusted = SigningKey::generate([1; 32], b"");
    let attacker = SigningKey::new(trusted.verifying_key().name(), [9; 32]).unwrap();
    let mut base = LogState::new();
    base.apply(&Entry::KeyChange(KeyChange::first(&attacker, 1).unwrap())).unwrap();
    let mut sealed = base.seal();
    sealed.keys = vec![trusted.verifying_key().to_string(), attacker.verifying_key().to_string()];
    sealed.counts.keys = 2;
    let mut state = LogState::from_sealed(&sealed).unwrap();
    let (mut chain, mut out) = (Chain::default(), Vec::new());
    chain.next_segment();
    let note = state.checkpoint().unwrap().sign(&attacker).unwrap();
    chain.append(FrameKind::Checkpoint, &[note.as_bytes()], &mut out).unwrap();
    let retained = Retained { from: 1, reason: "r".into() };
    for input in [sealed.to_input().unwrap(), Input::new(InputKind::LogRetained, None, 1, &retained).unwrap()]
    {
        let entry = Entry::Input(input);
        state.apply(&entry).unwrap();
        entry.write_frames(|kind, parts| chain.append(kind, parts, &mut out)).unwrap();
    }
    let commit = Commit { entries: 2, tree_size: state.size(), root: state.root() };
    chain.append(FrameKind::Commit, &[&commit.to_bytes()], &mut out).unwrap();
    let newest = state.checkpoint().unwrap().sign(&attacker).unwrap();
    for depth in [Depth::Roots, Depth::Everything] {
        let mut verifier = Verifier::kept_from(1, Trust::Key(trusted.verifying_key().clone()), depth);
        verifier.expect_checkpoint(&newest).unwrap();
        verifier.segment("00000001.seg", &out).unwrap();
        assert!(verifier.finish().is_err());
    }
}
