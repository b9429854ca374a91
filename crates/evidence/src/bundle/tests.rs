use super::*;
use crate::block::BlockPosition;
use crate::block::tests::records;
use crate::entry::KeyChange;
use crate::input::Input;
use crate::key::SigningKey;
use crate::receipt::tests::draft;

const PAYLOADS: [&str; 5] = ["{\"a\":1}", "", "{\"b\":2}", "{\"c\":3}", "{\"d\":4}"];

fn first_key() -> SigningKey {
    SigningKey::generate([1; 32], b"")
}

fn second_key() -> SigningKey {
    first_key().successor([2; 32]).unwrap()
}

/// A log of two keys: 0 key, 1–3 names, 4–5 receipts, 6 an input, 7 another key, 8 a block of five, 9 a receipt.
struct Log {
    entries: Vec<Entry>,
    checkpoint: String,
}

fn log() -> Log {
    let (one, two) = (first_key(), second_key());
    let receipt = |key: &SigningKey, sequence: u64, parent: Option<&Entry>| {
        let body = crate::canonical::to_bytes(&sequence).unwrap();
        let parent = parent.map(|entry| match entry {
            Entry::Receipt { signed, .. } => signed.id(),
            _ => unreachable!(),
        });
        Entry::Receipt { signed: draft(key, sequence, parent, &body).sign(key).unwrap(), body }
    };
    let name = |table, text: &str| {
        let body = Interned { table, id: 0, text: text.into() };
        Entry::Input(Input::new(InputKind::Interned, None, 5, &body).unwrap())
    };
    let start = BlockPosition { sector: 0, number: 0, previous: Hash::ZERO, first_sequence: 40 };
    let block = Block::seal(start, records(&PAYLOADS)).unwrap();
    let payloads = Payloads::seal(&block, &PAYLOADS).unwrap();
    let first = receipt(&one, 0, None);
    let second = receipt(&one, 1, Some(&first));
    let third = receipt(&two, 2, Some(&second));
    let entries = vec![
        Entry::KeyChange(KeyChange::first(&one, 1).unwrap()),
        name(Table::Sector, "finance"),
        name(Table::EventType, "order.created"),
        name(Table::Source, "shop"),
        first,
        second,
        Entry::Input(Input::new(InputKind::CycleDue, None, 6, &"now").unwrap()),
        Entry::KeyChange(KeyChange::rotate(&one, two.verifying_key(), 7).unwrap()),
        Entry::Block { block, payloads: Some(payloads) },
        third,
    ];
    let root = merkle::root(entries.iter().map(|entry| entry.leaf_hash().unwrap()));
    let origin = one.verifying_key().name().to_owned();
    let checkpoint = Checkpoint { origin, size: entries.len() as u64, root }.sign(&two).unwrap();
    Log { entries, checkpoint }
}

impl Log {
    /// A bundle of these entries, of block 8 the records at `indexes`.
    fn bundle(&self, entries: &[u64], indexes: &[u32], with_payloads: bool) -> Bundle {
        let items = entries.iter().map(|index| {
            let item = match &self.entries[usize::try_from(*index).unwrap()] {
                Entry::Block { block, payloads } => {
                    let payloads = payloads.as_ref().filter(|_| with_payloads);
                    Item::Observations(Observations::new(block, payloads, indexes).unwrap())
                }
                entry => Item::Entry(entry.clone()),
            };
            (*index, item)
        });
        let items: Vec<_> = items.collect();
        let leaves = self.entries.iter().map(|entry| entry.leaf_hash().unwrap());
        let hashes = multiproof(leaves, entries, self.entries.len() as u64).unwrap();
        Bundle { checkpoint: self.checkpoint.clone(), items, hashes }
    }
}

const EVERYTHING: [u64; 9] = [0, 1, 2, 3, 4, 5, 7, 8, 9];

fn check(bytes: &[u8]) -> Result<Shown> {
    Bundle::from_bytes(bytes)?.verify(first_key().verifying_key())
}

#[test]
fn a_bundle_is_verified_by_its_bytes_alone() {
    let log = log();
    for with_payloads in [false, true] {
        let bundle = log.bundle(&EVERYTHING, &[1, 2, 4], with_payloads);
        let bytes = bundle.to_bytes().unwrap();
        assert_eq!(Bundle::from_bytes(&bytes).unwrap(), bundle);
        assert_eq!(Bundle::from_bytes(&bytes).unwrap().to_bytes().unwrap(), bytes);
        let shown = check(&bytes).unwrap();
        assert_eq!((shown.receipts, shown.observations, shown.checkpoint.size), (3, 3, 10));
        assert_eq!(shown.payloads, if with_payloads { 2 } else { 0 });
        assert!(shown.chains["finance"].is_complete());
        assert_eq!(shown.names.text(Table::Source, 0), Some("shop"));
        // A later key is as good: it signed over everything before it.
        Bundle::from_bytes(&bytes).unwrap().verify(second_key().verifying_key()).unwrap();
    }
}

#[test]
fn a_part_of_the_log_verifies_too() {
    let log = log();
    let shown = check(&log.bundle(&[0, 5, 7], &[], false).to_bytes().unwrap()).unwrap();
    assert_eq!((shown.receipts, shown.observations), (1, 0));
    assert!(!shown.chains["finance"].is_complete());
    let shown = check(&log.bundle(&[0, 4, 7, 9], &[], false).to_bytes().unwrap()).unwrap();
    assert!(!shown.chains["finance"].is_complete(), "the second receipt is missing");
    check(&log.bundle(&[0, 7], &[], false).to_bytes().unwrap()).unwrap();
}

#[test]
fn every_changed_missing_or_added_byte_is_refused() {
    let bytes = log().bundle(&EVERYTHING, &[1, 2, 4], true).to_bytes().unwrap();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        for mask in [1 << (at % 8), 1] {
            changed[at] = bytes[at] ^ mask;
            assert!(check(&changed).is_err(), "byte {at} mask {mask}");
        }
        changed.remove(at);
        assert!(check(&changed).is_err(), "byte {at} missing");
        assert!(check(&bytes[..at]).is_err(), "cut at {at}");
    }
    assert!(check(&[&bytes[..], &[0]].concat()).is_err());
}

#[test]
fn sizes_are_checked_before_anything_is_kept() {
    assert!(matches!(Bundle::from_bytes(&vec![0; MAX_BUNDLE_LEN + 1]), Err(Error::Limit { .. })));
    // Counts that the rest of the file cannot hold.
    let bundle = log().bundle(&[0, 7], &[], false);
    let bytes = bundle.to_bytes().unwrap();
    let note_end = 15 + 4 + log().checkpoint.len();
    for at in [15, note_end, note_end + 4 + 9, bytes.len() - 4 - 32 * bundle.hashes.len()] {
        let mut changed = bytes.clone();
        changed[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(Bundle::from_bytes(&changed).is_err(), "byte {at}");
    }
}

#[test]
fn a_bundle_without_what_it_rests_on_is_refused() {
    let log = log();
    let refused =
        |entries: &[u64]| check(&log.bundle(entries, &[0], false).to_bytes().unwrap()).unwrap_err().code();
    // Without the first key, or the handover to the key that signed receipt and checkpoint.
    assert_eq!(refused(&[4, 7]), "KNHK-E1118");
    assert_eq!(refused(&[7]), "KNHK-E1118");
    assert_eq!(refused(&[0, 9]), "KNHK-E1114");
    assert_eq!(refused(&[0, 4]), "KNHK-E1113");
    // Without the text of a number in a record.
    assert_eq!(refused(&[0, 1, 3, 7, 8]), "KNHK-E1110");
    // An input that no verifier understands.
    assert_eq!(refused(&[0, 6, 7]), "KNHK-E1105");
    let stranger = SigningKey::generate([3; 32], b"");
    let bundle = log.bundle(&EVERYTHING, &[0], false);
    assert!(matches!(bundle.verify(stranger.verifying_key()), Err(Error::Untrusted { .. })));
}

#[test]
fn items_out_of_order_or_twice_are_refused() {
    let bundle = log().bundle(&EVERYTHING, &[0, 3], true);
    let mut turned = bundle.clone();
    turned.items.swap(1, 2);
    assert!(turned.verify(first_key().verifying_key()).is_err());
    let mut twice = bundle.clone();
    let last = twice.items[8].clone();
    twice.items.push(last);
    assert!(twice.verify(first_key().verifying_key()).is_err());
    let mut records = bundle.clone();
    let Item::Observations(shown) = &mut records.items[7].1 else { unreachable!() };
    shown.records.swap(0, 1);
    assert!(records.verify(first_key().verifying_key()).is_err());
    let mut whole = bundle;
    whole.items[7].1 = Item::Entry(log().entries[8].clone());
    assert!(whole.to_bytes().is_err() && whole.verify(first_key().verifying_key()).is_err());
}

#[test]
fn a_payload_is_its_records_and_an_empty_or_erased_one_is_not_there() {
    let mut log = log();
    let Entry::Block { block, payloads: Some(payloads) } = &mut log.entries[8] else { unreachable!() };
    payloads.erase(2);
    let shown = Observations::new(block, Some(payloads), &[0, 1, 2]).unwrap();
    let there: Vec<_> = shown.records.iter().map(|shown| shown.payload.is_some()).collect();
    assert_eq!(there, [true, false, false]);
    assert!(Observations::new(block, None, &[5]).is_err());
    let good = log.bundle(&EVERYTHING, &[0, 1], true);
    let with = |payload: Option<&[u8]>, at: usize| {
        let mut bundle = good.clone();
        let Item::Observations(shown) = &mut bundle.items[7].1 else { unreachable!() };
        shown.records[at].payload = payload.map(<[u8]>::to_vec);
        bundle
    };
    let key = first_key();
    assert!(with(Some(b"{\"a\":2}"), 0).verify(key.verifying_key()).is_err());
    assert!(with(Some(b"{}"), 0).verify(key.verifying_key()).is_err());
    with(None, 0).verify(key.verifying_key()).unwrap();
    // "An empty payload follows" would be a second spelling of "none follows".
    assert!(check(&with(Some(b""), 1).to_bytes().unwrap()).is_err());
}
