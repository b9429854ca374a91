//! Reading a log: its committed entries in order, one group in memory at a time, also while it is being written.

use std::collections::VecDeque;

use knhk_evidence::checkpoint::UnverifiedCheckpoint;
use knhk_evidence::entry::{Assembler, Entry, Item};
use knhk_evidence::frame::{Chain, FRAME_HEADER_LEN, FrameHeader};
use knhk_evidence::sealed::SealedState;
use knhk_evidence::verify::segment_name;

use crate::ahead::Ahead;
use crate::directory::Directory;
use crate::error::{Error, Result};
use crate::medium::How;

/// An entry and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Index in the log.
    pub index: u64,
    /// Number of its segment.
    pub segment: u32,
    /// Byte offset of its first frame.
    pub offset: u64,
    /// The entry, with payloads and bodies.
    pub entry: Entry,
}

/// The committed entries of a log, from the first that is kept.
///
/// Frames are checked against their checksums and their order, entries against their own formats; for the tree, the
/// chains and the signatures open the log or verify it. What follows the last commit is not read, so a log that is
/// being written can be read, and followed: after `None` the iterator goes on when more was committed. A log that ends
/// before the checkpoint that was published when reading began gives an error; after an error the iterator ends.
pub fn entries(directory: impl Into<Directory>) -> Result<Entries> {
    let directory = directory.into();
    // Read first, so that whatever it covers is there to be read.
    let published = match directory.read_checkpoint()? {
        Some(note) => UnverifiedCheckpoint::parse(&note)?.claimed().size,
        None => 0,
    };
    let first = directory.segments()?.start;
    Ok(Entries {
        directory,
        published,
        place: Place { segment: first, offset: 0, chain: (first == 0).then(Chain::default) },
        next_index: 0,
        file: None,
        assembler: Assembler::default(),
        ready: VecDeque::new(),
        failed: false,
    })
}

/// Iterator of [`entries`].
#[derive(Debug)]
pub struct Entries {
    directory: Directory,
    /// Entries that must be there.
    published: u64,
    /// Where the next group begins.
    place: Place,
    next_index: u64,
    file: Option<Ahead>,
    assembler: Assembler,
    ready: VecDeque<Located>,
    failed: bool,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    segment: u32,
    offset: u64,
    /// In the middle of a log known from the first frame on.
    chain: Option<Chain>,
}

/// What reading a group came to.
enum Step {
    Group,
    /// The file has nothing behind the last group.
    EndOfFile,
    /// The group is not whole.
    Broken(knhk_evidence::Error),
}

impl Iterator for Entries {
    type Item = Result<Located>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty() && !self.failed {
            match self.advance() {
                Ok(_) => {}
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            }
        }
        self.ready.pop_front().map(Ok)
    }
}

impl Entries {
    /// The number of the segment that is being read: all before it have been read whole.
    pub fn segment(&self) -> u32 {
        self.place.segment
    }

    /// Takes back an entry that was read and is done with: a block's memory is used for one to come. New memory costs as
    /// much as a third of reading a block.
    pub fn recycle(&mut self, located: Located) {
        if let Entry::Block { block, .. } = located.entry {
            self.assembler.recycle(block);
        }
    }

    /// Reads the next group, if there is one.
    fn advance(&mut self) -> Result<bool> {
        loop {
            let first_try = self.group()?;
            if matches!(first_try, Step::Group) {
                return Ok(true);
            }
            let next = self.place.segment + 1;
            if !self.directory.medium().exists(&self.directory.segment(next)) {
                return self.end(first_try);
            }
            // There is a next segment, so nothing is added to this one any more; but something may have been since.
            match self.group()? {
                Step::Group => return Ok(true),
                Step::EndOfFile => {
                    if let Some(chain) = &mut self.place.chain {
                        chain.next_segment();
                    }
                    (self.place.segment, self.place.offset, self.file) = (next, 0, None);
                }
                Step::Broken(error) => return Err(error.into()),
            }
        }
    }

    /// The log has no further group, for now: what there is of one was never acknowledged. Unless a checkpoint says so.
    fn end(&self, step: Step) -> Result<bool> {
        if self.next_index >= self.published {
            return Ok(false);
        }
        let error = match step {
            Step::Broken(error) => error,
            _ => self.here(
                self.place.offset,
                knhk_evidence::Error::RolledBack { actual: self.next_index, expected: self.published },
            ),
        };
        Err(error.into())
    }

    fn here(&self, offset: u64, error: knhk_evidence::Error) -> knhk_evidence::Error {
        let frame = self.place.chain.map_or(0, |chain| chain.number());
        error.at(&segment_name(self.place.segment), offset, frame)
    }

    fn group(&mut self) -> Result<Step> {
        let path = self.directory.segment(self.place.segment);
        let mut file = match self.file.take() {
            Some(file) => file,
            None => Ahead::new(self.directory.open(&path, How::Read)?),
        };
        file.seek(self.place.offset);
        let step = self.group_of(&mut file).map_err(Error::io("read", &path))?;
        // What was read ahead may have changed, and erasing puts another file in the place of this one.
        self.file = matches!(step, Step::Group).then_some(file);
        Ok(step)
    }

    fn group_of(&mut self, file: &mut Ahead) -> std::io::Result<Step> {
        let Place { segment, mut offset, mut chain } = self.place;
        self.assembler.restart();
        let mut start = offset;
        let mut group = Vec::new();
        let mut index = self.next_index;
        loop {
            let frame = match read_frame(file, &mut chain, &mut self.assembler)? {
                Ok(Some(frame)) => frame,
                Ok(None) if offset == self.place.offset => return Ok(Step::EndOfFile),
                Ok(None) => {
                    let error = knhk_evidence::Error::Uncommitted { bytes: offset - self.place.offset };
                    return Ok(Step::Broken(self.here(self.place.offset, error)));
                }
                Err(error) => return Ok(Step::Broken(self.here(offset, error))),
            };
            offset += frame.len;
            match frame.item {
                None => continue,
                Some(Item::Entry(entry)) => {
                    if group.is_empty() && index == 0 && segment > 0 {
                        match sealed_size(&entry) {
                            Ok(size) => index = size,
                            Err(error) => return Ok(Step::Broken(self.here(start, error))),
                        }
                    }
                    group.push(Located { index, segment, offset: start, entry });
                    index += 1;
                }
                Some(Item::Commit(_)) => {
                    self.place = Place { segment, offset, chain };
                    self.next_index = index;
                    self.ready.extend(group);
                    return Ok(Step::Group);
                }
                Some(Item::Checkpoint(_)) => {}
            }
            start = offset;
        }
    }
}

/// One frame, and the item that it completes.
struct Frame {
    len: u64,
    item: Option<Item>,
}

/// Reads the next frame; `None` at the end of the file.
fn read_frame(
    file: &mut Ahead,
    chain: &mut Option<Chain>,
    assembler: &mut Assembler,
) -> std::io::Result<knhk_evidence::Result<Option<Frame>>> {
    let cut = knhk_evidence::Error::Frame { why: "it is cut short" };
    let bytes = file.peek(FRAME_HEADER_LEN)?;
    if bytes.is_empty() {
        return Ok(Ok(None));
    }
    let header = match bytes.first_chunk().ok_or(cut.clone()).and_then(FrameHeader::from_bytes) {
        Ok(header) => header,
        Err(error) => return Ok(Err(error)),
    };
    let len = FRAME_HEADER_LEN + header.len as usize;
    let bytes = file.peek(len)?;
    let Some(body) = bytes.get(FRAME_HEADER_LEN..).filter(|body| body.len() == header.len as usize) else {
        return Ok(Err(cut));
    };
    let item = header
        .check_body(body)
        .and_then(|()| chain.get_or_insert(Chain::at(&header)).advance(&header))
        .and_then(|()| assembler.push(header.kind, body));
    file.skip(len);
    Ok(item.map(|item| Some(Frame { len: len as u64, item })))
}

/// Entries before the one that seals the log's state.
fn sealed_size(entry: &Entry) -> knhk_evidence::Result<u64> {
    match entry {
        Entry::Input(input) => Ok(SealedState::of(input)?.size),
        _ => Err(knhk_evidence::Error::Sealed {
            why: "the first segment that is kept does not begin with one",
        }),
    }
}
