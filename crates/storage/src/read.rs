//! Reading a log: its committed entries in order, one frame in memory at a time.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::path::Path;

use knhk_evidence::entry::{Assembler, Entry, Item};
use knhk_evidence::frame::{Chain, FRAME_HEADER_LEN, FrameHeader};
use knhk_evidence::verify::segment_name;

use crate::directory::Directory;
use crate::error::{Error, Result};

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

/// The committed entries of a log, from the first.
///
/// Frames are checked against their checksums and their order, entries against their own formats; for the tree, the
/// chains and the signatures open the log or verify it. What follows the last commit is not read, so a log that is
/// being written can be read. After an error the iterator ends.
pub fn entries(dir: &Path) -> Result<Entries> {
    let directory = Directory::new(dir);
    let segments = directory.segments()?;
    Ok(Entries {
        directory,
        segments,
        file: None,
        offset: 0,
        chain: Chain::default(),
        assembler: Assembler::default(),
        start: 0,
        next_index: 0,
        group: Vec::new(),
        ready: VecDeque::new(),
        done: false,
    })
}

/// Iterator of [`entries`].
#[derive(Debug)]
pub struct Entries {
    directory: Directory,
    segments: u32,
    file: Option<BufReader<File>>,
    offset: u64,
    chain: Chain,
    assembler: Assembler,
    /// Offset of the first frame of the entry being put together.
    start: u64,
    next_index: u64,
    group: Vec<Located>,
    ready: VecDeque<Located>,
    done: bool,
}

impl Iterator for Entries {
    type Item = Result<Located>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                return Some(Ok(entry));
            }
            if self.done {
                return None;
            }
            match self.step() {
                Ok(more) => self.done = !more,
                Err(error) => {
                    self.done = true;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl Entries {
    /// Reads one frame; false at the end of the log.
    fn step(&mut self) -> Result<bool> {
        let path = self.directory.segment(self.chain.segment());
        let (segment, number, offset) = (self.chain.segment(), self.chain.number(), self.offset);
        let here =
            |error: knhk_evidence::Error| Error::from(error.at(&segment_name(segment), offset, number));
        if self.file.is_none() {
            let file = File::open(&path).map_err(Error::io("open", &path))?;
            self.file = Some(BufReader::with_capacity(1 << 16, file));
        }
        let Some(file) = &mut self.file else { return Ok(false) };
        let mut header = [0; FRAME_HEADER_LEN];
        let got = read_up_to(file, &mut header).map_err(Error::io("read", &path))?;
        if got < header.len() {
            return self.end_of_segment(got);
        }
        let header = FrameHeader::from_bytes(&header).map_err(here)?;
        let mut body = vec![0; header.len as usize];
        let got = read_up_to(file, &mut body).map_err(Error::io("read", &path))?;
        if got < body.len() {
            return self.end_of_segment(FRAME_HEADER_LEN + got);
        }
        header.check_body(&body).and_then(|()| self.chain.advance(&header)).map_err(here)?;
        let item = self.assembler.push(header.kind, &body).map_err(here)?;
        self.offset += (FRAME_HEADER_LEN + body.len()) as u64;
        match item {
            Some(Item::Entry(entry)) => {
                let index = self.next_index + self.group.len() as u64;
                self.group.push(Located { index, segment, offset: self.start, entry });
            }
            Some(Item::Commit(_)) => {
                self.next_index += self.group.len() as u64;
                self.ready.extend(self.group.drain(..));
            }
            Some(Item::Checkpoint(_)) => {}
            None => return Ok(true),
        }
        self.start = self.offset;
        Ok(true)
    }

    /// A segment ends behind a commit; only the last may be cut short, while it is being written.
    fn end_of_segment(&mut self, rest: usize) -> Result<bool> {
        if self.chain.segment() + 1 >= self.segments {
            return Ok(false);
        }
        if rest > 0 || !self.group.is_empty() {
            let error = knhk_evidence::Error::Uncommitted { bytes: rest as u64 };
            return Err(error
                .at(&segment_name(self.chain.segment()), self.offset, self.chain.number())
                .into());
        }
        self.file = None;
        self.chain.next_segment();
        (self.offset, self.start) = (0, 0);
        Ok(true)
    }
}

/// Fills `buffer` as far as the file goes.
fn read_up_to(file: &mut BufReader<File>, buffer: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match file.read(&mut buffer[got..]) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}
