//! Retention: the oldest segments go, or move to an archive; what stays verifies, proves and goes on. See
//! `docs/formats/log.md`.

use std::ops::Range;
use std::path::Path;

use knhk_evidence::frame::{MAX_SEGMENT_LEN, same_but_for_payloads};
use knhk_evidence::input::{Input, InputKind};
use knhk_evidence::sealed::Retained;

use crate::audit;
use crate::directory::{Directory, Durability};
use crate::error::{Error, Result};
use crate::log::Log;
use crate::spare;

impl Log {
    /// The segments that are there; the last is being written.
    pub fn segments(&self) -> Result<Range<u32>> {
        self.directory.segments()
    }

    /// The first segment that has an entry of `time_ms` or later, as far as sealed states tell; the last at the latest.
    pub fn first_segment_since(&self, time_ms: i64) -> Result<u32> {
        let segments = self.directory.segments()?;
        for number in segments.clone().skip(1) {
            // The state at the start of a segment says the latest time of all before it.
            match audit::sealed_state(&self.directory, number)? {
                Some(sealed) if sealed.time_ms >= time_ms => return Ok(number - 1),
                _ => {}
            }
        }
        Ok(segments.end.saturating_sub(1))
    }

    /// Entries before the start of a segment.
    pub fn entries_before(&self, segment: u32) -> Result<u64> {
        Ok(audit::sealed_state(&self.directory, segment)?.map_or(0, |sealed| sealed.size))
    }

    /// Drops every segment before `segment`; gives the numbers of those that went. With `archive`, each is first copied
    /// there durably, under its own name.
    ///
    /// That they are dropped, and why, is committed to the log before the first one goes. Proofs and signatures of
    /// entries that stay are untouched. Nothing of what is dropped remains in this directory, or with
    /// [`crate::log::Options::recycle`] no longer than until its file is zeroed.
    ///
    /// # Errors
    /// Refuses a segment that is not there, the one being written excepted, one at which nothing can start, and an archive
    /// that holds another segment of the same name. The log is then as it was.
    pub fn retain_from(
        &mut self,
        segment: u32,
        archive: Option<&Path>,
        reason: &str,
        time_ms: i64,
    ) -> Result<Range<u32>> {
        let segments = self.directory.segments()?;
        let refused = |why| Error::Layout { path: self.directory.segment(segment), why };
        if segment >= segments.end {
            return Err(refused("there is no such segment"));
        }
        let dropped = segments.start..segment.max(segments.start);
        if dropped.is_empty() {
            return Ok(dropped);
        }
        let mut from = 0;
        for number in dropped.start + 1..=segment {
            // After a crash in between, any of them may be the first that is left.
            let sealed = audit::sealed_state(&self.directory, number)?;
            let sealed =
                sealed.ok_or_else(|| refused("a segment up to it does not begin with a sealed state"))?;
            from = sealed.size;
        }
        if let Some(archive) = archive {
            for number in dropped.clone() {
                copy_to(&self.directory, number, archive)?;
            }
        }
        let statement = Retained { from, reason: reason.to_owned() };
        self.append_input(Input::new(InputKind::LogRetained, None, time_ms, &statement)?)?;
        self.commit()?;
        // A checkpoint of entries that are gone could not be compared with anything.
        self.publish_durably()?;
        for number in dropped.clone() {
            if self.options.recycle {
                spare::put_aside(&self.directory, number)?;
            } else {
                self.directory.remove(&self.directory.segment(number))?;
            }
            self.directory.sync_dir(&self.directory.log())?;
        }
        Ok(dropped)
    }
}

fn copy_to(directory: &Directory, number: u32, archive: &Path) -> Result<()> {
    directory.create(archive)?;
    let bytes = directory.read_segment(number)?;
    let path = archive.join(knhk_evidence::verify::segment_name(number));
    if directory.medium().exists(&path) {
        let there = directory.read_bounded(&path, MAX_SEGMENT_LEN)?;
        let why = "the archive holds another segment of this name: give each log an archive of its own";
        // An earlier try may have copied it; what was erased since is to be erased there too.
        if !same_but_for_payloads(&there, &bytes) {
            return Err(Error::Layout { path, why });
        }
    }
    directory.replace(&path, &bytes, Durability::Synced)
}
