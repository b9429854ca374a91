//! What a log allows next. Who writes and who verifies apply entries to the same state, so there is one definition
//! of a valid log.

use std::collections::BTreeMap;

use crate::block::{Block, BlockPosition, Payloads};
use crate::checkpoint::Checkpoint;
use crate::entry::Entry;
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::input::InputKind;
use crate::intern::{Interned, Table, Tables};
use crate::key::VerifyingKey;
use crate::merkle::Frontier;
use crate::receipt::{ReceiptId, Signed};

/// How many things of each kind a log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Blocks.
    pub blocks: u64,
    /// Observations in them.
    pub observations: u64,
    /// Receipts.
    pub receipts: u64,
    /// Inputs.
    pub inputs: u64,
    /// Keys the log has had.
    pub keys: u64,
    /// Payloads that were erased.
    pub payloads_erased: u64,
    /// Bytes of all payloads, the erased included.
    pub payload_bytes: u64,
}

/// The state of a log after some entries: small, and enough to judge the next one.
#[derive(Debug, Clone, Default)]
pub struct LogState {
    tree: Frontier,
    tables: Tables,
    blocks: BTreeMap<u16, (u64, Hash)>,
    receipts: BTreeMap<String, (u64, ReceiptId)>,
    next_sequence: u64,
    keys: Vec<VerifyingKey>,
    counts: Counts,
}

impl LogState {
    /// The state of an empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Entries so far.
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// The root over them.
    pub fn root(&self) -> Hash {
        self.tree.root()
    }

    /// What the log holds.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The interning tables.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The key in force; `None` only in an empty log.
    pub fn key(&self) -> Option<&VerifyingKey> {
        self.keys.last()
    }

    /// Every key the log has had, the first first.
    pub fn keys(&self) -> &[VerifyingKey] {
        &self.keys
    }

    /// Sequence of the next observation.
    pub fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// Where the next block of a sector goes.
    pub fn next_block(&self, sector: u16) -> BlockPosition {
        let (number, previous) = self.blocks.get(&sector).copied().unwrap_or((0, Hash::ZERO));
        BlockPosition { sector, number, previous, first_sequence: self.next_sequence }
    }

    /// Sequence and parent of the next receipt of a sector.
    pub fn next_receipt(&self, sector: &str) -> (u64, Option<ReceiptId>) {
        self.receipts.get(sector).map_or((0, None), |(next, last)| (*next, Some(*last)))
    }

    /// Every sector that has a receipt, with the number of its receipts and the id of the last.
    pub fn receipt_chains(&self) -> impl Iterator<Item = (&str, u64, ReceiptId)> {
        self.receipts.iter().map(|(sector, (count, last))| (sector.as_str(), *count, *last))
    }

    /// The checkpoint of this state, to be signed.
    ///
    /// # Errors
    /// Fails for an empty log, which has no origin.
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        let key = self.in_force()?;
        Ok(Checkpoint { origin: key.name().to_owned(), size: self.size(), root: self.root() })
    }

    fn in_force(&self) -> Result<&VerifyingKey> {
        self.key().ok_or_else(|| Error::FrameOrder {
            what: "entry 0",
            actual: "another entry".into(),
            expected: "the key of the log".into(),
        })
    }

    /// Checks an entry against everything before it and takes it over; gives its index.
    ///
    /// # Errors
    /// Refuses an entry that does not continue the log. The state is then unchanged.
    pub fn apply(&mut self, entry: &Entry) -> Result<u64> {
        let leaf = entry.leaf_hash()?;
        match entry {
            Entry::KeyChange(change) => {
                let key = change.verify(self.key())?;
                self.keys.push(key);
                self.counts.keys += 1;
            }
            Entry::Input(input) => {
                self.in_force()?;
                if input.kind == InputKind::Interned {
                    self.tables.admit(&input.decode::<Interned>()?)?;
                }
                self.counts.inputs += 1;
            }
            Entry::Receipt { signed, body } => self.apply_receipt(signed, body)?,
            Entry::Block { block, payloads } => {
                self.apply_block(block)?;
                self.counts.payloads_erased += payloads.as_ref().map_or(0, Payloads::erased);
                self.counts.payload_bytes += block.header().payload_bytes;
            }
        }
        let index = self.tree.size();
        self.tree.push(leaf);
        Ok(index)
    }

    fn apply_receipt(&mut self, signed: &Signed, body: &[u8]) -> Result<()> {
        let draft = signed.draft();
        let wrong = |what, actual: String, expected: String| {
            Err(Error::ReceiptChain { sector: draft.sector.clone(), what, actual, expected })
        };
        let (sequence, parent) = self.next_receipt(&draft.sector);
        if draft.sequence != sequence {
            return wrong("sequence", draft.sequence.to_string(), sequence.to_string());
        }
        if draft.parent != parent {
            let show = |id: Option<ReceiptId>| id.map_or_else(|| "none".into(), |id| id.to_string());
            return wrong("parent", show(draft.parent), show(parent));
        }
        signed.check_body(body)?;
        signed.verify(self.in_force()?)?;
        self.receipts.insert(draft.sector.clone(), (sequence + 1, signed.id()));
        self.counts.receipts += 1;
        Ok(())
    }

    fn apply_block(&mut self, block: &Block) -> Result<()> {
        self.in_force()?;
        let header = block.header();
        let place = self.next_block(header.sector);
        let wrong =
            |what, actual: String, expected: String| Err(Error::BlockChain { what, actual, expected });
        if header.number != place.number {
            return wrong("number", header.number.to_string(), place.number.to_string());
        }
        if header.previous != place.previous {
            return wrong("previous header", header.previous.to_string(), place.previous.to_string());
        }
        if header.first_sequence != place.first_sequence {
            return wrong(
                "first sequence",
                header.first_sequence.to_string(),
                place.first_sequence.to_string(),
            );
        }
        let unknown = |table: Table, id: u32| {
            Err(Error::Interned {
                table: table.name(),
                id: u64::from(id),
                why: "no earlier entry gives it a text",
            })
        };
        if u32::from(header.sector) >= self.tables.len(Table::Sector) {
            return unknown(Table::Sector, u32::from(header.sector));
        }
        let (event_types, sources) = (self.tables.len(Table::EventType), self.tables.len(Table::Source));
        for record in block.records() {
            if u32::from(record.event_type) >= event_types {
                return unknown(Table::EventType, u32::from(record.event_type));
            }
            if record.source >= sources {
                return unknown(Table::Source, record.source);
            }
        }
        self.blocks.insert(header.sector, (header.number + 1, header.digest()));
        self.next_sequence += u64::from(header.count);
        self.counts.blocks += 1;
        self.counts.observations += u64::from(header.count);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::tests::records;
    use crate::entry::KeyChange;
    use crate::input::Input;
    use crate::key::SigningKey;
    use crate::receipt::tests::draft;

    fn key() -> SigningKey {
        SigningKey::generate([1; 32], b"")
    }

    fn intern(state: &mut LogState, table: Table, text: &str) {
        let body = state.tables().propose(table, text);
        let input = Input::new(InputKind::Interned, None, 0, &body).unwrap();
        state.apply(&Entry::Input(input)).unwrap();
    }

    fn started() -> LogState {
        let mut state = LogState::new();
        state.apply(&Entry::KeyChange(KeyChange::first(&key(), 0).unwrap())).unwrap();
        intern(&mut state, Table::Sector, "finance");
        intern(&mut state, Table::EventType, "order");
        intern(&mut state, Table::Source, "shop");
        state
    }

    fn block(state: &LogState) -> Block {
        Block::seal(state.next_block(0), records(&["", ""])).unwrap()
    }

    fn entry(block: Block) -> Entry {
        Entry::Block { block, payloads: None }
    }

    #[test]
    fn a_log_begins_with_its_key() {
        let mut state = LogState::new();
        let input = Entry::Input(Input::new(InputKind::CycleDue, None, 0, &()).unwrap());
        assert!(matches!(state.apply(&input), Err(Error::FrameOrder { .. })));
        assert!(state.checkpoint().is_err());
        state.apply(&Entry::KeyChange(KeyChange::first(&key(), 0).unwrap())).unwrap();
        assert_eq!(state.apply(&input).unwrap(), 1);
        assert_eq!(state.checkpoint().unwrap().origin, key().verifying_key().name());
        assert!(state.apply(&Entry::KeyChange(KeyChange::first(&key(), 0).unwrap())).is_err());
    }

    #[test]
    fn blocks_continue_their_sector_and_the_observation_numbers() {
        let mut state = started();
        let first = block(&state);
        state.apply(&entry(first.clone())).unwrap();
        assert_eq!(state.next_sequence(), 2);
        assert!(matches!(state.apply(&entry(first.clone())), Err(Error::BlockChain { what: "number", .. })));
        let place = state.next_block(0);
        assert_eq!((place.number, place.previous), (1, first.header().digest()));
        let orphan = BlockPosition { previous: Hash::ZERO, ..place };
        let orphan = Block::seal(orphan, records(&[""])).unwrap();
        assert!(matches!(
            state.apply(&entry(orphan)),
            Err(Error::BlockChain { what: "previous header", .. })
        ));
        let gap = Block::seal(BlockPosition { first_sequence: 3, ..place }, records(&[""])).unwrap();
        assert!(matches!(state.apply(&entry(gap)), Err(Error::BlockChain { what: "first sequence", .. })));
        let next = block(&state);
        state.apply(&entry(next)).unwrap();
        assert_eq!(state.counts().observations, 4);
    }

    #[test]
    fn numbers_without_a_text_are_refused() {
        let mut state = started();
        for change in
            [|r: &mut crate::record::Record| r.event_type = 1, |r: &mut crate::record::Record| r.source = 1]
        {
            let mut records = records(&[""]);
            change(&mut records[0]);
            let block = Block::seal(state.next_block(0), records).unwrap();
            assert!(matches!(state.apply(&entry(block)), Err(Error::Interned { .. })));
        }
        let block = Block::seal(state.next_block(1), records(&[""])).unwrap();
        assert!(matches!(state.apply(&entry(block)), Err(Error::Interned { table: "sector", .. })));
    }

    #[test]
    fn receipts_form_one_chain_per_sector() {
        let (mut state, key) = (started(), key());
        let body = vec![0xf6];
        let receipt = |sequence, parent| draft(&key, sequence, parent, &body).sign(&key).unwrap();
        let first = receipt(0, None);
        let add = |state: &mut LogState, signed: &Signed| {
            state.apply(&Entry::Receipt { signed: signed.clone(), body: body.clone() })
        };
        add(&mut state, &first).unwrap();
        assert!(matches!(add(&mut state, &first), Err(Error::ReceiptChain { what: "sequence", .. })));
        let fork = receipt(1, Some(ReceiptId(Hash::ZERO)));
        assert!(matches!(add(&mut state, &fork), Err(Error::ReceiptChain { what: "parent", .. })));
        let gap = receipt(2, Some(first.id()));
        assert!(matches!(add(&mut state, &gap), Err(Error::ReceiptChain { what: "sequence", .. })));
        let second = receipt(1, Some(first.id()));
        let size = state.size();
        let swapped = Entry::Receipt { signed: second.clone(), body: vec![0xf5] };
        assert!(matches!(state.apply(&swapped), Err(Error::Body { .. })));
        assert_eq!(state.size(), size);
        add(&mut state, &second).unwrap();
        assert_eq!(state.next_receipt("finance"), (2, Some(second.id())));
        assert_eq!(state.receipt_chains().next(), Some(("finance", 2, second.id())));
        assert_eq!(state.next_receipt("other"), (0, None));
    }

    #[test]
    fn after_a_key_change_the_old_key_signs_nothing() {
        let (mut state, old) = (started(), key());
        let new = old.successor([2; 32]).unwrap();
        state.apply(&Entry::KeyChange(KeyChange::rotate(&old, new.verifying_key(), 1).unwrap())).unwrap();
        let body = vec![0xf6];
        let by = |key: &SigningKey| Entry::Receipt {
            signed: draft(key, 0, None, &body).sign(key).unwrap(),
            body: body.clone(),
        };
        assert!(matches!(state.apply(&by(&old)), Err(Error::Key { .. })));
        state.apply(&by(&new)).unwrap();
        assert_eq!(state.keys().len(), 2);
    }
}
