//! Golden vectors: the formats, byte for byte. They are part of the formats' pages and must never change.
//!
//! `KNHK_BLESS=1 cargo test -p knhk-evidence --test vectors` writes a vector that is missing; it never changes one.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use knhk_evidence::block::{Block, BlockHeader, BlockPosition, Payloads};
use knhk_evidence::bundle::{Bundle, Item, Observations};
use knhk_evidence::checkpoint::Checkpoint;
use knhk_evidence::consistency::consistency_path;
use knhk_evidence::consistency_proof::ConsistencyProof;
use knhk_evidence::entry::{Entry, KeyChange};
use knhk_evidence::frame::{Chain, Commit, FrameKind};
use knhk_evidence::input::{Input, InputKind};
use knhk_evidence::intern::{Interned, Table};
use knhk_evidence::merkle;
use knhk_evidence::multiproof::multiproof;
use knhk_evidence::producers::ProducerAt;
use knhk_evidence::proof::{InBlock, Proof, Proven, Subject};
use knhk_evidence::receipt::{Draft, Operation, Outcome, ReceiptId, Signed};
use knhk_evidence::record::{FLAG_CLOCK_AHEAD, Numbered, RECORD_LEN, Record, dedupe_key};
use knhk_evidence::sealed::SealedState;
use knhk_evidence::state::LogState;
use knhk_evidence::tiles::{TileFile, Tiler};
use knhk_evidence::{Bytes, Hash, SigningKey, canonical};
use serde::{Deserialize, Serialize};

/// Compares values with the file `tests/vectors/NAME.json`.
fn golden(name: &str, values: &[(&str, String)]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/vectors/{name}.json"));
    let actual: BTreeMap<&str, &str> = values.iter().map(|(key, value)| (*key, value.as_str())).collect();
    if std::env::var_os("KNHK_BLESS").is_some() && !path.exists() {
        std::fs::write(&path, serde_json::to_string_pretty(&actual).unwrap() + "\n").unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let expected: BTreeMap<&str, String> = serde_json::from_str(&text).unwrap();
    assert!(actual.keys().eq(expected.keys()), "{name}: other fields than in {}", path.display());
    for (key, value) in &actual {
        assert_eq!(value, &expected[key], "{name}: {key}");
    }
}

fn key() -> SigningKey {
    SigningKey::generate([0x42; 32], b"golden")
}

const PAYLOADS: [&str; 3] = [r#"{"id":"1","amount":25000}"#, "", r#"{"id":"3"}"#];

fn records() -> Vec<Record> {
    let record = |(i, payload): (i64, &&str)| {
        let mut record = Record {
            flags: if i == 2 { FLAG_CLOCK_AHEAD } else { 0 },
            event_type: 1,
            source: 7,
            event_time_ms: 1_700_000_000_000 + i,
            ingest_time_ms: 1_700_000_000_050,
            dedupe_key: dedupe_key("https://shop.example", &format!("{}", i + 1)),
            data_digest: Hash::of(b"25000").prefix(),
            trace_id: [0x11; 16],
            ..Record::default()
        };
        record.set_payload(payload.as_bytes()).unwrap();
        record
    };
    (0..).zip(&PAYLOADS).map(record).collect()
}

fn block() -> Block {
    let previous = Hash::of(b"previous header");
    Block::seal(BlockPosition { sector: 2, number: 5, previous, first_sequence: 100 }, records()).unwrap()
}

fn receipt() -> (Signed, Vec<u8>) {
    let body = canonical::to_bytes(&BTreeMap::from([("events", 47), ("limit", 25_000)])).unwrap();
    let draft = Draft {
        operation: Operation::SnapshotPromoted,
        outcome: Outcome::Pending { next: "approval by finance".into() },
        sector: "finance".into(),
        sequence: 3,
        parent: Some(ReceiptId(Hash::of(b"parent"))),
        time_ms: 1_700_000_000_123,
        cycle: Some("cycle-9".into()),
        evidence_digest: Hash::of(&body),
        ontology_digest: Hash::of(b"ontology"),
        doctrine_digest: Hash::of(b"doctrine"),
        guards_digest: Hash::of(b"guards"),
        semantics_version: 1,
        key_id: key().verifying_key().id(),
    };
    (draft.sign(&key()).unwrap(), body)
}

#[test]
fn record() {
    let block = block();
    let bytes = block.records()[2].to_bytes();
    golden(
        "record",
        &[
            ("bytes", hex::encode(bytes)),
            ("leaf_hash", block.records()[2].leaf_hash().to_string()),
            ("payload", PAYLOADS[2].into()),
        ],
    );
    assert_eq!(bytes.len(), RECORD_LEN);
    assert_eq!(Record::from_bytes(&bytes).unwrap(), block.records()[2]);
}

#[test]
fn producer() {
    let place = Numbered { epoch: 3, number: 1_000_000 };
    let mut record = records()[0];
    record.set_numbered(place);
    let opened = ProducerAt { source: 7, epoch: 3, next: 0 };
    let closed = ProducerAt { next: 1_000_001, ..opened };
    let body = |at: &ProducerAt| hex::encode(canonical::to_bytes(at).unwrap());
    golden(
        "producer",
        &[
            ("dedupe_key", hex::encode(place.to_bytes())),
            ("record", hex::encode(record.to_bytes())),
            ("opened_body", body(&opened)),
            ("closed_body", body(&closed)),
        ],
    );
    assert_eq!(Record::from_bytes(&record.to_bytes()).unwrap().numbered(), Some(place));
}

#[test]
fn sealed_state() {
    let mut state = LogState::new();
    state.apply(&Entry::KeyChange(KeyChange::first(&key(), 1_700_000_000_000).unwrap())).unwrap();
    for (table, text) in [(Table::Sector, "finance"), (Table::EventType, "order"), (Table::Source, "shop")] {
        let interned = state.tables().propose(table, text);
        let input = Input::new(InputKind::Interned, None, 1_700_000_000_001, &interned).unwrap();
        state.apply(&Entry::Input(input)).unwrap();
    }
    let opened = ProducerAt { source: 0, epoch: 3, next: 0 };
    let input = Input::new(InputKind::ProducerOpened, None, 1_700_000_000_002, &opened).unwrap();
    state.apply(&Entry::Input(input)).unwrap();
    let sealed = state.seal().to_input().unwrap();
    golden(
        "sealed-state",
        &[
            ("entry", hex::encode(sealed.to_bytes().unwrap())),
            ("body", hex::encode(&sealed.body.0)),
            ("root", state.root().to_string()),
        ],
    );
    assert_eq!(LogState::from_sealed(&SealedState::of(&sealed).unwrap()).unwrap().root(), state.root());
}

#[test]
fn block_header() {
    let block = block();
    let header = block.header();
    golden(
        "block",
        &[
            ("header", hex::encode(header.to_bytes())),
            ("header_digest", header.digest().to_string()),
            ("records_root", header.records_root.to_string()),
            ("records", hex::encode(&block.as_bytes()[128..])),
            ("payloads", hex::encode(Payloads::seal(&block, &PAYLOADS).unwrap().as_bytes())),
            (
                "leaf_data",
                hex::encode(Entry::Block { block: block.clone(), payloads: None }.leaf_data().unwrap()),
            ),
        ],
    );
    assert_eq!(&BlockHeader::from_bytes(&header.to_bytes()).unwrap(), header);
}

#[test]
fn receipt_and_signature() {
    let (signed, body) = receipt();
    golden(
        "receipt",
        &[
            ("bytes", hex::encode(signed.bytes())),
            ("json", serde_json::to_string(signed.draft()).unwrap()),
            ("id", signed.id().to_string()),
            ("body", hex::encode(&body)),
            ("signature", hex::encode(signed.signature())),
            ("vkey", key().verifying_key().to_string()),
        ],
    );
    signed.verify(key().verifying_key()).unwrap();
    let json = serde_json::to_string(signed.draft()).unwrap();
    assert_eq!(&serde_json::from_str::<Draft>(&json).unwrap(), signed.draft());
}

#[test]
fn input() {
    let body = Interned { table: Table::EventType, id: 1, text: "order.created".into() };
    let input = Input::new(InputKind::Interned, None, 1_700_000_000_000, &body).unwrap();
    golden(
        "input",
        &[
            ("entry", hex::encode(input.to_bytes().unwrap())),
            ("body", hex::encode(&input.body.0)),
            ("digest", input.digest().unwrap().to_string()),
        ],
    );
}

#[test]
fn key_change() {
    let new = key().successor([0x43; 32]).unwrap();
    let change = KeyChange::rotate(&key(), new.verifying_key(), 1_700_000_000_000).unwrap();
    golden(
        "key-change",
        &[
            (
                "first",
                hex::encode(
                    canonical::to_bytes(&KeyChange::first(&key(), 1_700_000_000_000).unwrap()).unwrap(),
                ),
            ),
            ("rotation", hex::encode(canonical::to_bytes(&change).unwrap())),
            ("old", key().verifying_key().to_string()),
            ("new", new.verifying_key().to_string()),
        ],
    );
    change.verify(Some(key().verifying_key())).unwrap();
}

/// Three entries, of which the second is the golden block.
fn leaves() -> Vec<Vec<u8>> {
    let (signed, body) = receipt();
    vec![
        Entry::KeyChange(KeyChange::first(&key(), 1_700_000_000_000).unwrap()).leaf_data().unwrap(),
        Entry::Block { block: block(), payloads: None }.leaf_data().unwrap(),
        Entry::Receipt { signed, body }.leaf_data().unwrap(),
    ]
}

fn checkpoint_note() -> String {
    let root = merkle::root(leaves().iter().map(|leaf| merkle::leaf_hash(&[leaf])));
    Checkpoint { origin: key().verifying_key().name().into(), size: 3, root }.sign(&key()).unwrap()
}

#[test]
fn checkpoint() {
    let note = checkpoint_note();
    golden(
        "checkpoint",
        &[
            ("note", note.clone()),
            ("vkey", key().verifying_key().to_string()),
            ("private_key", key().to_text().to_string()),
            ("leaf_0", hex::encode(&leaves()[0])),
            ("leaf_1", hex::encode(&leaves()[1])),
            ("leaf_2", hex::encode(&leaves()[2])),
        ],
    );
    Checkpoint::open(&note, key().verifying_key()).unwrap();
}

#[test]
fn proof() {
    let hashes = || leaves().into_iter().map(|leaf| merkle::leaf_hash(&[&leaf]));
    let path = |index| merkle::inclusion_path(hashes(), index, 3).unwrap();
    let record = block().records()[2];
    let subject = Subject::Observation(Box::new(InBlock::new(&block(), 2).unwrap()));
    let observation = Proof { index: 1, path: path(1), subject, checkpoint: checkpoint_note() };
    let entry = Proof {
        index: 2,
        path: path(2),
        subject: Subject::Entry(leaves()[2].clone()),
        checkpoint: checkpoint_note(),
    };
    golden(
        "proof",
        &[
            ("observation", observation.to_string()),
            ("observation_record", hex::encode(record.to_bytes())),
            ("entry", entry.to_string()),
            ("entry_leaf_data", hex::encode(&leaves()[2])),
            ("vkey", key().verifying_key().to_string()),
        ],
    );
    let observation: Proof = observation.to_string().parse().unwrap();
    let (proven, _) = observation.verify(key().verifying_key()).unwrap();
    assert_eq!(proven, Proven::Observation(Box::new(record)));
    let entry: Proof = entry.to_string().parse().unwrap();
    let (proven, _) = entry.verify(key().verifying_key()).unwrap();
    assert_eq!(proven, Proven::Entry(leaves()[2].clone()));
}

#[test]
fn consistency() {
    let hashes: Vec<_> = leaves().into_iter().map(|leaf| merkle::leaf_hash(&[&leaf])).collect();
    let origin = key().verifying_key().name().to_owned();
    let root = merkle::root(hashes[..2].iter().copied());
    let old = Checkpoint { origin, size: 2, root }.sign(&key()).unwrap();
    let path = consistency_path(hashes, 2, 3).unwrap();
    let proof = ConsistencyProof { path, old, new: checkpoint_note() };
    golden("consistency", &[("proof", proof.to_string()), ("vkey", key().verifying_key().to_string())]);
    let read: ConsistencyProof = proof.to_string().parse().unwrap();
    let shown = read.verify(&[key().verifying_key().clone()]).unwrap();
    assert_eq!((shown.old.size, shown.new.size), (2, 3));
}

#[test]
fn bundle() {
    let name = |table, id, text: &str| {
        let body = Interned { table, id, text: text.into() };
        Entry::Input(Input::new(InputKind::Interned, None, 1_700_000_000_000, &body).unwrap())
    };
    let (signed, body) = receipt();
    let payloads = Payloads::seal(&block(), &PAYLOADS).unwrap();
    let entries = [
        Entry::KeyChange(KeyChange::first(&key(), 1_700_000_000_000).unwrap()),
        name(Table::EventType, 1, "order.created"),
        name(Table::Sector, 2, "finance"),
        name(Table::Source, 7, "https://shop.example"),
        Entry::Input(Input::new(InputKind::CycleDue, None, 1_700_000_000_000, &"not chosen").unwrap()),
        Entry::Block { block: block(), payloads: Some(payloads.clone()) },
        Entry::Receipt { signed, body },
    ];
    let hashes: Vec<_> = entries.iter().map(|entry| entry.leaf_hash().unwrap()).collect();
    let root = merkle::root(hashes.iter().copied());
    let origin = key().verifying_key().name().to_owned();
    let checkpoint = Checkpoint { origin, size: 7, root }.sign(&key()).unwrap();
    let chosen = [0, 1, 2, 3, 5, 6];
    let items = chosen.map(|index: u64| match &entries[usize::try_from(index).unwrap()] {
        Entry::Block { block, .. } => {
            let shown = Observations::new(block, Some(&payloads), &[0, 1]).unwrap();
            (index, Item::Observations(shown))
        }
        entry => (index, Item::Entry(entry.clone())),
    });
    let hashes = multiproof(hashes, &chosen, 7).unwrap();
    let bundle = Bundle { checkpoint: checkpoint.clone(), items: items.to_vec(), hashes };
    let bytes = bundle.to_bytes().unwrap();
    golden(
        "bundle",
        &[
            ("bundle", hex::encode(&bytes)),
            ("checkpoint", checkpoint),
            ("vkey", key().verifying_key().to_string()),
        ],
    );
    let read = Bundle::from_bytes(&bytes).unwrap();
    assert_eq!(read, bundle);
    let shown = read.verify(key().verifying_key()).unwrap();
    assert_eq!((shown.receipts, shown.observations, shown.payloads), (1, 2, 1));
}

/// The three leaves, repeated to 260: two tiles of level 0, one of level 1.
#[test]
fn tiles() {
    let mut files = Vec::new();
    let mut write = |file: TileFile| {
        files.push(file);
        Ok::<(), knhk_evidence::Error>(())
    };
    let (mut tiler, mut root) = (Tiler::new(), merkle::Frontier::new());
    for leaf in leaves().iter().cycle().take(260) {
        tiler.push(leaf, &mut write).unwrap();
        root.push(merkle::leaf_hash(&[leaf]));
    }
    tiler.finish(&mut write).unwrap();
    let digests: Vec<_> = files.iter().map(|file| (&*file.path, Hash::of(&file.bytes).to_string())).collect();
    let bytes = |path: &str| {
        let file = files.iter().find(|file| file.path == path).unwrap();
        hex::encode(&file.bytes)
    };
    let mut values = vec![
        ("bytes of tile/entries/001.p/4", bytes("tile/entries/001.p/4")),
        ("bytes of tile/0/001.p/4", bytes("tile/0/001.p/4")),
        ("bytes of tile/1/000.p/1", bytes("tile/1/000.p/1")),
        ("root", root.root().to_string()),
    ];
    values.extend(digests);
    golden("tiles", &values);
}

#[test]
fn frames() {
    let (mut chain, mut out) = (Chain::default(), Vec::new());
    let change = Entry::KeyChange(KeyChange::first(&key(), 1_700_000_000_000).unwrap());
    change.write_frames(|kind, body| chain.append(kind, body, &mut out)).unwrap();
    let root = merkle::root([change.leaf_hash().unwrap()]);
    let commit = Commit { entries: 1, tree_size: 1, root };
    let at = out.len();
    chain.append(FrameKind::Commit, &[&commit.to_bytes()], &mut out).unwrap();
    golden(
        "frames",
        &[
            ("segment", hex::encode(&out)),
            ("commit_frame", hex::encode(&out[at..])),
            ("root", root.to_string()),
        ],
    );
}

#[test]
fn canonical_cbor() {
    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Document {
        z: u64,
        aa: Option<i64>,
        b: Bytes,
        list: Vec<bool>,
        text: String,
        outcome: Outcome,
    }
    let document = Document {
        z: 1 << 32,
        aa: Some(-500),
        b: Bytes(vec![0, 255]),
        list: vec![true, false],
        text: "Σ ⊕ Δ".into(),
        outcome: Outcome::Rejected { reason: "r".into() },
    };
    let bytes = canonical::to_bytes(&document).unwrap();
    golden(
        "canonical-cbor",
        &[
            ("document", hex::encode(&bytes)),
            ("null", hex::encode(canonical::to_bytes(&None::<u8>).unwrap())),
            ("minus_one", hex::encode(canonical::to_bytes(&-1).unwrap())),
            ("u64_max", hex::encode(canonical::to_bytes(&u64::MAX).unwrap())),
            ("empty_map", hex::encode(canonical::to_bytes(&BTreeMap::<String, u8>::new()).unwrap())),
        ],
    );
    assert_eq!(canonical::from_bytes_exact::<Document>(&bytes).unwrap(), document);
}

#[test]
fn identifiers() {
    golden(
        "identifiers",
        &[
            ("dedupe_key", hex::encode(dedupe_key("https://shop.example", "1"))),
            ("origin", key().verifying_key().name().into()),
            ("key_id", format!("{:08x}", key().verifying_key().id())),
            ("receipt_id", receipt().0.id().to_string()),
            ("block_header_digest", block().header().digest().to_string()),
        ],
    );
}
