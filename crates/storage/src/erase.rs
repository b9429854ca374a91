//! Erasure of payloads: the text of an event goes, every hash still verifies. See `docs/formats/block.md`.

use std::collections::BTreeSet;

use knhk_evidence::block::{Block, Payloads};
use knhk_evidence::frame::{FRAME_HEADER_LEN, FrameHeader, FrameKind};

use crate::directory::Durability;
use crate::error::{Error, Result};
use crate::log::Log;
use crate::segment::Segment;

impl Log {
    /// Erases the payloads of observations, by sequence; gives how many of them had one that is now gone.
    ///
    /// Each segment concerned is rewritten whole and renamed into place, so a crash leaves the old or the new. Log who
    /// asked for it, and why, as an input first. Observations that are not committed keep their payloads, copies and
    /// backups are the caller's, and the storage device may keep old blocks for a while.
    ///
    /// # Errors
    /// [`crate::Error::NoSpace`]: a rewritten segment needs as much space again; those that were not yet rewritten are as
    /// they were, and calling again goes on. Any other failed write stops the log, as in [`Log::commit`].
    pub fn erase(&mut self, sequences: &BTreeSet<u64>) -> Result<u64> {
        self.check_poison()?;
        match self.erase_in_segments(sequences) {
            Err(error @ Error::NoSpace { .. }) => Err(error),
            done => self.poison_on_error(done),
        }
    }

    fn erase_in_segments(&mut self, sequences: &BTreeSet<u64>) -> Result<u64> {
        let mut erased = 0;
        for number in self.directory.segments()? {
            let mut bytes = self.directory.read_segment(number)?;
            let writing = self.segment.as_ref().filter(|segment| segment.number() == number);
            let left = writing.is_some_and(Segment::is_left);
            let used = writing.map_or(bytes.len() as u64, Segment::used);
            bytes.truncate(usize::try_from(used).unwrap_or(usize::MAX));
            let here = erase_in(&mut bytes, sequences)?;
            if here == 0 {
                continue;
            }
            erased += here;
            let path = self.directory.segment(number);
            // Not made in log/, where a crash would leave a file that is not a segment.
            let temporary = self.directory.root().join("erase.tmp");
            self.directory.replace_by_way_of(&temporary, &path, &bytes, Durability::Synced)?;
            if writing.is_some() {
                let mut segment = Segment::reopen(&self.directory, number, used)?;
                if left {
                    segment.leave();
                }
                self.segment = Some(segment);
            }
        }
        // Also for an earlier call that failed between its rename and its sync.
        self.directory.sync_dir(&self.directory.log())?;
        Ok(erased)
    }
}

/// Erases payloads in a segment's bytes; gives how many.
fn erase_in(bytes: &mut [u8], sequences: &BTreeSet<u64>) -> Result<u64> {
    let (mut at, mut erased, mut block) = (0, 0, None);
    while let Some((header, rest)) = bytes[at..].split_first_chunk_mut::<FRAME_HEADER_LEN>() {
        let frame = FrameHeader::from_bytes(header)?;
        let cut = knhk_evidence::Error::Frame { why: "its body is cut short" };
        let body = rest.get_mut(..frame.len as usize).ok_or(cut)?;
        frame.check_body(body)?;
        if frame.kind == FrameKind::Block {
            block = Some(Block::from_bytes(body)?);
        } else if let (FrameKind::Payloads, Some(block)) = (frame.kind, &block) {
            let mut payloads = Payloads::from_bytes(block, body.to_vec())?;
            let before = payloads.erased();
            for (index, record) in block.records().iter().enumerate() {
                if sequences.contains(&record.sequence) && record.payload_len > 0 {
                    payloads.erase(index);
                }
            }
            if payloads.erased() > before {
                erased += payloads.erased() - before;
                body.copy_from_slice(payloads.as_bytes());
                *header = frame.with_body(body)?.to_bytes();
            }
        }
        at += FRAME_HEADER_LEN + frame.len as usize;
    }
    Ok(erased)
}
