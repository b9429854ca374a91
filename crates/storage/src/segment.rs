//! The segment being written.

use crate::directory::Directory;
use crate::error::{Error, Result};
use crate::log::ROLL_LEN;
use crate::medium::{How, MediumFile};
use crate::spare;

/// A segment's file, how much of it is used, and how much room was made for it.
#[derive(Debug)]
pub(crate) struct Segment {
    directory: Directory,
    number: u32,
    file: Box<dyn MediumFile>,
    /// Bytes of frames.
    used: u64,
    /// Bytes of the file that were prepared as zeros; 0 for a file that grows as it is written.
    prepared: u64,
    left: bool,
}

impl Segment {
    /// Begins segment `number`: in a prepared file of zeros if one is ready, else in an empty one. Its name is durable
    /// only when the caller has synced the log's directory, which must be before anything is written to it.
    pub(crate) fn begin(directory: &Directory, number: u32) -> Result<Self> {
        let path = directory.segment(number);
        let ready = spare::ready(directory)?.into_iter().max_by_key(|spare| spare.len);
        let (file, prepared) = match ready {
            Some(ready) => {
                directory.rename(&ready.path, &path)?;
                (directory.open(&path, How::Write)?, ready.len)
            }
            None => (directory.open(&path, How::CreateNew)?, 0),
        };
        Ok(Self { directory: directory.clone(), number, file, used: 0, prepared, left: false })
    }

    /// Opens a segment whose frames end at `used`, or at its end if that is nearer.
    pub(crate) fn reopen(directory: &Directory, number: u32, used: u64) -> Result<Self> {
        let path = directory.segment(number);
        let file = directory.open(&path, How::Write)?;
        let len = file.len().map_err(Error::io("inspect", &path))?;
        Ok(Self { directory: directory.clone(), number, file, used: used.min(len), prepared: 0, left: false })
    }

    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Bytes of frames.
    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    /// Whether the next group belongs to the next segment.
    pub(crate) fn is_used_up(&self, roll_len: u64) -> bool {
        let most = if self.prepared > 0 { self.prepared / 4 * 3 } else { roll_len.min(ROLL_LEN) };
        self.left || self.used >= most
    }

    /// Whether [`Segment::leave`] was called.
    pub(crate) fn is_left(&self) -> bool {
        self.left
    }

    /// Makes the next group belong to the next segment.
    pub(crate) fn leave(&mut self) {
        self.left = true;
    }

    /// Appends a group and makes it durable.
    ///
    /// # Errors
    /// After [`Error::NoSpace`] the segment is as it was. After any other error its end is unknown.
    pub(crate) fn append(&mut self, group: &[u8]) -> Result<()> {
        let path = self.directory.segment(self.number);
        let written = self.file.write_at(group, self.used).map_err(Error::io("write", &path));
        if let Err(error @ Error::NoSpace { .. }) = written {
            self.file.set_len(self.used).map_err(Error::io("truncate", &path))?;
            self.prepared = 0;
            return Err(error);
        }
        written?;
        Directory::sync(&*self.file, &path)?;
        self.used += group.len() as u64;
        Ok(())
    }

    /// Makes what was read from the segment's last group durable: whoever wrote it may have been
    /// stopped before the sync, or after a sync that failed, and then the group is in memory alone. A sync by itself
    /// would not do, since after a failed one the operating system takes its pages for written.
    pub(crate) fn secure(&self, group: &[u8]) -> Result<()> {
        let path = self.directory.segment(self.number);
        self.file.write_at(group, self.used - group.len() as u64).map_err(Error::io("write", &path))?;
        Directory::sync(&*self.file, &path)
    }

    /// Cuts off what lies behind the frames, and makes that durable: also what was cut off before, by a writer that ran out
    /// of space.
    pub(crate) fn cut_off_room(&self) -> Result<()> {
        let path = self.directory.segment(self.number);
        if self.file.len().map_err(Error::io("inspect", &path))? != self.used {
            self.file.set_len(self.used).map_err(Error::io("truncate", &path))?;
        }
        Directory::sync(&*self.file, &path)
    }

    /// Removes a segment that was begun and never written, for good: were it there again after a power cut, the segment
    /// before it would not be the last one, and could have no torn tail.
    pub(crate) fn abandon(self) -> Result<()> {
        drop(self.file);
        self.directory.remove(&self.directory.segment(self.number))?;
        self.directory.sync_dir(&self.directory.log())
    }
}
