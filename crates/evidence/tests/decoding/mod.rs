//! One check per decoder: it does not panic, and what it takes it writes back the same. Property tests here and the fuzz
//! targets in `fuzz/` run the same checks.
#![allow(dead_code, reason = "a fuzz target uses one of them")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a check fails by panicking")]

use std::sync::LazyLock;

use knhk_evidence::block::{Block, BlockHeader, HEADER_LEN};
use knhk_evidence::bundle::Bundle;
use knhk_evidence::checkpoint::UnverifiedCheckpoint;
use knhk_evidence::consistency_proof::ConsistencyProof;
use knhk_evidence::entry::{Assembler, KeyChange};
use knhk_evidence::frame::{Chain, FRAME_HEADER_LEN, FrameHeader, find_tail};
use knhk_evidence::input::Input;
use knhk_evidence::note::Note;
use knhk_evidence::proof::Proof;
use knhk_evidence::receipt::{Draft, Signed};
use knhk_evidence::record::{RECORD_LEN, Record};
use knhk_evidence::verify::{Depth, Trust, Verifier, segment_name};
use knhk_evidence::{SigningKey, VerifyingKey, canonical};

/// A check, and the name under which a fuzz target runs it.
pub(crate) type Check = (&'static str, fn(&[u8]));

/// Every check.
pub(crate) const CHECKS: [Check; 10] = [
    ("block", block),
    ("bundle", bundle),
    ("canonical", canonical_cbor),
    ("checkpoint", checkpoint),
    ("consistency", consistency),
    ("frame", frame),
    ("note", note),
    ("proof", proof),
    ("receipt", receipt),
    ("record", record),
];

/// The key of the golden vectors, so that a seed also gets past the signatures.
static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate([0x42; 32], b"golden"));

fn key() -> &'static VerifyingKey {
    KEY.verifying_key()
}

pub(crate) fn record(bytes: &[u8]) {
    if let Ok(bytes) = <&[u8; RECORD_LEN]>::try_from(bytes)
        && let Ok(record) = Record::from_bytes(bytes)
    {
        assert_eq!(record.to_bytes(), *bytes);
    }
}

pub(crate) fn block(bytes: &[u8]) {
    if let Some(header) = bytes.first_chunk::<HEADER_LEN>()
        && let Ok(read) = BlockHeader::from_bytes(header)
    {
        assert_eq!(read.to_bytes(), *header);
    }
    if let Ok(block) = Block::from_bytes(bytes) {
        assert_eq!(block.as_bytes(), bytes);
    }
}

/// Frames, what stands in them, and a segment of them.
pub(crate) fn frame(bytes: &[u8]) {
    if let Some(header) = bytes.first_chunk::<FRAME_HEADER_LEN>()
        && let Ok(read) = FrameHeader::from_bytes(header)
    {
        assert_eq!(read.to_bytes(), *header);
    }
    let (mut chain, mut again) = (Chain::default(), Chain::default());
    let (mut assembler, mut at, mut out) = (Assembler::default(), 0, Vec::new());
    while let Ok((kind, body, len)) = chain.read(&bytes[at..]) {
        again.append(kind, &[body], &mut out).unwrap();
        at += len;
        assert_eq!(out, bytes[..at]);
        let _ = assembler.push(kind, body);
    }
    drop(find_tail("s", Chain::default(), bytes));
    for depth in [Depth::Roots, Depth::Everything] {
        let _ = Verifier::new(Trust::SelfAttested, depth).segment(&segment_name(0), bytes);
    }
}

pub(crate) fn canonical_cbor(bytes: &[u8]) {
    if let Ok(value) = canonical::from_bytes::<ciborium::Value>(bytes) {
        assert!(canonical::check(bytes).is_ok());
        assert_eq!(canonical::to_bytes(&value).unwrap(), bytes);
    } else {
        assert!(canonical::check(bytes).is_err());
    }
    if let Ok(change) = canonical::from_bytes_exact::<KeyChange>(bytes) {
        let _ = change.verify(None);
        let _ = change.verify(Some(key()));
    }
    let _ = Input::from_parts(bytes, vec![0xf6]);
}

pub(crate) fn receipt(bytes: &[u8]) {
    if let Ok(draft) = Draft::from_bytes(bytes) {
        assert_eq!(draft.to_bytes().unwrap(), bytes);
        let signed = Signed::from_parts(bytes, [7; 64]).unwrap();
        assert_eq!(signed.bytes(), bytes);
        assert!(signed.verify(key()).is_err());
    }
}

pub(crate) fn note(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(note) = Note::parse(text) {
        assert!(text.starts_with(note.text()) && note.text().ends_with('\n'));
        let _ = note.verify(key());
    }
    if let Ok(key) = text.parse::<VerifyingKey>() {
        assert_eq!(key.to_string(), text);
    }
    let _ = text.parse::<SigningKey>();
}

pub(crate) fn checkpoint(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(checkpoint) = UnverifiedCheckpoint::parse(text) {
        assert!(text.starts_with(&checkpoint.claimed().to_string()));
        let _ = checkpoint.verify(key());
    }
}

pub(crate) fn proof(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(proof) = text.parse::<Proof>() {
        assert_eq!(proof.to_string(), text);
        let _ = proof.verify(key());
    }
}

pub(crate) fn consistency(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(proof) = text.parse::<ConsistencyProof>() {
        assert_eq!(proof.to_string(), text);
        let _ = proof.verify(std::slice::from_ref(key()));
    }
}

pub(crate) fn bundle(bytes: &[u8]) {
    if let Ok(bundle) = Bundle::from_bytes(bytes) {
        assert_eq!(bundle.to_bytes().unwrap(), bytes);
        let _ = bundle.verify(key());
    }
}
