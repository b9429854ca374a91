//! What a log allows next. Who writes and who verifies apply entries to the same state, so there is one definition
//! of a valid log.

use std::collections::BTreeMap;

use crate::block::{Block, BlockHeader, BlockPosition, Payloads};
use crate::checkpoint::Checkpoint;
use crate::entry::{Entry, EntryKind};
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::input::{Input, InputKind};
use crate::intern::{Interned, Table, Tables};
use crate::key::VerifyingKey;
use crate::merkle::Frontier;
use crate::producers::{Count, Lost, ProducerAt, Producers};
use crate::receipt::{ReceiptId, Signed};
use crate::sealed::{Retained, SealedCounts, SealedState};
use crate::unchecked::Unchecked;

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
    producers: Producers,
    next_sequence: u64,
    keys: Vec<VerifyingKey>,
    counts: Counts,
    time_ms: i64,
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

    /// The producers that count their own observations.
    pub fn producers(&self) -> &Producers {
        &self.producers
    }

    /// What the producers' counts say is missing.
    pub fn lost(&self) -> Lost {
        self.producers.lost()
    }

    /// Latest time of an entry, Unix milliseconds.
    pub fn time_ms(&self) -> i64 {
        self.time_ms
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

    /// The state as a sealed state says it.
    pub fn seal(&self) -> SealedState {
        let texts = |table| self.tables.texts(table).map(str::to_owned).collect();
        let Counts { blocks, observations, receipts, inputs, keys, payload_bytes, .. } = self.counts;
        SealedState {
            size: self.tree.size(),
            peaks: self.tree.peaks().to_vec(),
            event_types: texts(Table::EventType),
            sectors: texts(Table::Sector),
            sources: texts(Table::Source),
            blocks: self.blocks.iter().map(|(sector, (next, last))| (*sector, *next, *last)).collect(),
            receipts: self
                .receipts
                .iter()
                .map(|(name, (next, last))| (name.clone(), *next, last.0))
                .collect(),
            producers: self.producers.iter().map(|(source, c)| (source, c.epoch, c.next, c.open)).collect(),
            lost: self.producers.lost(),
            next_sequence: self.next_sequence,
            keys: self.keys.iter().map(ToString::to_string).collect(),
            time_ms: self.time_ms,
            counts: SealedCounts { blocks, observations, receipts, inputs, keys, payload_bytes },
        }
    }

    /// The state that a sealed state says, without what led to it. Whether to believe it is the caller's question:
    /// compare [`LogState::root`] with a signed checkpoint.
    ///
    /// # Errors
    /// Refuses a sealed state that no log can be in.
    pub fn from_sealed(sealed: &SealedState) -> Result<Self> {
        let tables = Tables::of(&sealed.event_types, &sealed.sectors, &sealed.sources)?;
        let keys = sealed.keys.iter().map(|key| key.parse()).collect::<Result<Vec<_>>>()?;
        if keys.is_empty() {
            return Err(Error::Sealed { why: "it has no key" });
        }
        let SealedCounts { blocks, observations, receipts, inputs, keys: key_count, payload_bytes } =
            sealed.counts;
        let counts = sealed
            .producers
            .iter()
            .map(|&(source, epoch, next, open)| (source, Count { epoch, next, open }))
            .collect();
        let state = Self {
            tree: Frontier::from_peaks(sealed.size, sealed.peaks.clone())?,
            tables,
            blocks: sealed.blocks.iter().map(|(sector, next, last)| (*sector, (*next, *last))).collect(),
            receipts: sealed
                .receipts
                .iter()
                .map(|(sector, next, last)| (sector.clone(), (*next, ReceiptId(*last))))
                .collect(),
            producers: Producers::restored(counts, sealed.lost),
            next_sequence: sealed.next_sequence,
            keys,
            counts: Counts {
                blocks,
                observations,
                receipts,
                inputs,
                keys: key_count,
                payloads_erased: 0,
                payload_bytes,
            },
            time_ms: sealed.time_ms,
        };
        // Repeated or unordered members would make two states of one.
        if state.seal() != *sealed {
            return Err(Error::Sealed { why: "its members are repeated or out of order" });
        }
        Ok(state)
    }

    /// Checks an entry against everything before it and takes it over; gives its index.
    ///
    /// # Errors
    /// Refuses an entry that does not continue the log. The state is then unchanged.
    pub fn apply(&mut self, entry: &Entry) -> Result<u64> {
        self.apply_with(entry, &mut |unchecked| unchecked.check())
    }

    /// Like [`LogState::apply`], but a receipt's signature goes to `signature`, which may check it later and elsewhere.
    pub fn apply_with(
        &mut self,
        entry: &Entry,
        signature: &mut dyn FnMut(Unchecked) -> Result<()>,
    ) -> Result<u64> {
        let leaf = entry.leaf_hash()?;
        let time_ms = match entry {
            Entry::KeyChange(change) => {
                let key = change.verify(self.key())?;
                self.keys.push(key);
                self.counts.keys += 1;
                change.time_ms
            }
            Entry::Input(input) => {
                self.in_force()?;
                self.apply_input(input)?;
                self.counts.inputs += 1;
                input.time_ms
            }
            Entry::Receipt { signed, body } => {
                self.apply_receipt(signed, body, signature)?;
                signed.draft().time_ms
            }
            Entry::Block { block, payloads } => {
                self.apply_block(block)?;
                self.counts.payloads_erased += payloads.as_ref().map_or(0, Payloads::erased);
                self.counts.payload_bytes += block.header().payload_bytes;
                block.records().iter().map(|record| record.ingest_time_ms).max().unwrap_or(self.time_ms)
            }
        };
        self.time_ms = self.time_ms.max(time_ms);
        let index = self.tree.size();
        self.tree.push(leaf);
        Ok(index)
    }

    /// Takes over an entry by its leaf alone: it is under the root, and nothing else of it is checked or remembered. A
    /// state that has covered entries goes on covering; it can no longer judge.
    pub(crate) fn cover(&mut self, kind: EntryKind, leaf: Hash) {
        match kind {
            EntryKind::Receipt => self.counts.receipts += 1,
            EntryKind::Input => self.counts.inputs += 1,
            EntryKind::Block | EntryKind::KeyChange => {}
        }
        self.tree.push(leaf);
    }

    /// Like [`LogState::cover`], for a block, `erased` of whose payloads are.
    pub(crate) fn cover_block(&mut self, header: &BlockHeader, erased: u64) {
        self.counts.blocks += 1;
        self.counts.observations += u64::from(header.count);
        self.counts.payload_bytes += header.payload_bytes;
        self.counts.payloads_erased += erased;
        self.next_sequence += u64::from(header.count);
        self.tree.push(EntryKind::Block.leaf_hash(&header.to_bytes()));
    }

    /// Inputs that move the log's own state; the others are the kernel's.
    fn apply_input(&mut self, input: &Input) -> Result<()> {
        let counted = |state: &Self, at: ProducerAt| {
            if at.source >= state.tables.len(Table::Source) {
                return unknown(Table::Source, at.source);
            }
            Ok(at)
        };
        match input.kind {
            InputKind::Interned => self.tables.admit(&input.decode::<Interned>()?),
            InputKind::ProducerOpened => self.producers.open(counted(self, input.decode()?)?),
            InputKind::ProducerClosed => self.producers.close(counted(self, input.decode()?)?),
            InputKind::LogRetained if input.decode::<Retained>()?.from > self.size() => {
                Err(Error::Sealed { why: "it keeps from an entry that is not there yet" })
            }
            InputKind::LogSealed if *input != self.seal().to_input()? => {
                Err(Error::Sealed { why: "it is not the state of the log at this place" })
            }
            _ => Ok(()),
        }
    }

    fn apply_receipt(
        &mut self,
        signed: &Signed,
        body: &[u8],
        signature: &mut dyn FnMut(Unchecked) -> Result<()>,
    ) -> Result<()> {
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
        let key = self.in_force()?;
        signed.expect_key(key)?;
        signature(Unchecked::receipt(signed, key))?;
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
        let progress = self.producers.follow(block.records())?;
        self.producers.advance(progress);
        self.blocks.insert(header.sector, (header.number + 1, header.digest()));
        self.next_sequence += u64::from(header.count);
        self.counts.blocks += 1;
        self.counts.observations += u64::from(header.count);
        Ok(())
    }
}

fn unknown<T>(table: Table, id: u32) -> Result<T> {
    Err(Error::Interned { table: table.name(), id: u64::from(id), why: "no earlier entry gives it a text" })
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
    fn a_sealed_state_goes_on_like_the_state_it_was_made_from() {
        let mut state = started();
        let opened = ProducerAt { source: 0, epoch: 4, next: 0 };
        state.apply(&Entry::Input(Input::new(InputKind::ProducerOpened, None, 9, &opened).unwrap())).unwrap();
        state.apply(&entry(block(&state))).unwrap();
        let body = vec![0xf6];
        let signed = draft(&key(), 0, None, &body).sign(&key()).unwrap();
        state.apply(&Entry::Receipt { signed, body }).unwrap();
        let seal = state.seal().to_input().unwrap();
        let mut restored = LogState::from_sealed(&SealedState::of(&seal).unwrap()).unwrap();
        assert_eq!(restored.root(), state.root());
        let next = entry(Block::seal(state.next_block(0), records(&[""])).unwrap());
        for state in [&mut state, &mut restored] {
            state.apply(&Entry::Input(seal.clone())).unwrap();
            state.apply(&next).unwrap();
        }
        assert_eq!(restored.seal(), state.seal());
        assert_eq!(restored.counts(), state.counts());
        // It is the state of its place alone.
        assert!(matches!(state.apply(&Entry::Input(seal)), Err(Error::Sealed { .. })));
    }

    #[test]
    fn a_sealed_state_that_no_log_can_be_in_is_refused() {
        let good = started().seal();
        LogState::from_sealed(&good).unwrap();
        let changes: [fn(&mut SealedState); 6] = [
            |s| s.peaks.push(Hash::ZERO),
            |s| s.keys.clear(),
            |s| s.keys = vec!["key".into()],
            |s| s.sectors.push("finance".into()),
            |s| s.blocks = vec![(1, 1, Hash::ZERO), (0, 1, Hash::ZERO)],
            |s| s.producers = vec![(0, 0, 0, true), (0, 0, 1, true)],
        ];
        for change in changes {
            let mut bad = good.clone();
            change(&mut bad);
            assert!(LogState::from_sealed(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn numbered_records_continue_their_producers_count() {
        let mut state = started();
        let numbered = |state: &LogState, number| {
            let mut records = records(&[""]);
            records[0].set_numbered(crate::record::Numbered { epoch: 0, number });
            entry(Block::seal(state.next_block(0), records).unwrap())
        };
        assert!(matches!(state.apply(&numbered(&state, 0)), Err(Error::Producer { .. })));
        let input = |kind, source, next| {
            Entry::Input(Input::new(kind, None, 1, &ProducerAt { source, epoch: 0, next }).unwrap())
        };
        assert!(matches!(state.apply(&input(InputKind::ProducerOpened, 1, 0)), Err(Error::Interned { .. })));
        state.apply(&input(InputKind::ProducerOpened, 0, 0)).unwrap();
        state.apply(&numbered(&state, 0)).unwrap();
        let root = state.root();
        assert!(matches!(state.apply(&numbered(&state, 0)), Err(Error::Producer { .. })));
        assert_eq!(state.root(), root);
        state.apply(&numbered(&state, 3)).unwrap();
        state.apply(&input(InputKind::ProducerClosed, 0, 5)).unwrap();
        assert_eq!(state.lost(), Lost { abandoned: 0, numbers: 3 });
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
