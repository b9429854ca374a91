//! No decoder panics on any bytes, and what a decoder takes it writes back the same.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use knhk_evidence::block::{Block, BlockHeader, HEADER_LEN};
use knhk_evidence::checkpoint::UnverifiedCheckpoint;
use knhk_evidence::entry::{Assembler, KeyChange};
use knhk_evidence::frame::{Chain, FRAME_HEADER_LEN, FrameHeader, FrameKind, find_tail};
use knhk_evidence::input::Input;
use knhk_evidence::note::Note;
use knhk_evidence::proof::Proof;
use knhk_evidence::receipt::{Draft, Signed};
use knhk_evidence::verify::{Depth, Trust, Verifier, segment_name};
use knhk_evidence::{Hash, SigningKey, VerifyingKey, canonical};
use proptest::prelude::*;

const KINDS: [FrameKind; 7] = [
    FrameKind::Block,
    FrameKind::Receipt,
    FrameKind::Input,
    FrameKind::KeyChange,
    FrameKind::Payloads,
    FrameKind::Checkpoint,
    FrameKind::Commit,
];

/// Bytes that look a little like ours.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        Just(b"KNHB\x01\x00".to_vec()),
        Just(b"\xF5KNF\x01".to_vec()),
        Just(vec![0; 32]),
        Just(canonical::to_bytes(&"sector").unwrap()),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[ -~\n]{0,20}",
        Just("c2sp.org/tlog-proof@v1\n".to_owned()),
        Just("index 0\n".to_owned()),
        Just("extra AQ==\n".to_owned()),
        Just("\n\u{2014} name AAAAAAAA\n".to_owned()),
        Just("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n".to_owned()),
        Just("PRIVATE+KEY+".to_owned()),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in bytes(), kind in 0_usize..7) {
        if let Ok(block) = Block::from_bytes(&bytes) {
            prop_assert_eq!(block.as_bytes(), &bytes[..]);
        }
        if let Some(header) = bytes.first_chunk::<HEADER_LEN>() && let Ok(read) = BlockHeader::from_bytes(header) {
            prop_assert_eq!(&read.to_bytes(), header);
        }
        if let Some(header) = bytes.first_chunk::<FRAME_HEADER_LEN>() && let Ok(read) = FrameHeader::from_bytes(header) {
            prop_assert_eq!(&read.to_bytes(), header);
        }
        if let Ok(draft) = Draft::from_bytes(&bytes) {
            prop_assert_eq!(draft.to_bytes().unwrap(), bytes.clone());
        }
        let _ = Signed::from_parts(&bytes, [0; 64]);
        let _ = Input::from_parts(&bytes, vec![0xf6]);
        let _ = canonical::from_bytes_exact::<KeyChange>(&bytes);
        let _ = Assembler::default().push(KINDS[kind], &bytes);
        let _ = Chain::default().read(&bytes);
        drop(find_tail("s", Chain::default(), &bytes));
        // The same bytes in a sound frame: past the checksums, into the entries.
        let mut framed = Vec::new();
        Chain::default().append(KINDS[kind], &[&bytes], &mut framed).unwrap();
        prop_assert!(Verifier::new(Trust::SelfAttested, Depth::Everything).segment(&segment_name(0), &framed).is_err());
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in text()) {
        if let Ok(proof) = text.parse::<Proof>() {
            prop_assert_eq!(proof.to_string(), text.clone());
        }
        if let Ok(key) = text.parse::<VerifyingKey>() {
            prop_assert_eq!(key.to_string(), text.clone());
        }
        let _ = text.parse::<SigningKey>();
        let _ = text.parse::<Hash>();
        let _ = Note::parse(&text);
        let _ = UnverifiedCheckpoint::parse(&text);
    }
}
