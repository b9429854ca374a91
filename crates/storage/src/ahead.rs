//! A file read front to back through one buffer.

use std::io;

use crate::medium::MediumFile;

/// Bytes read at a time, at least.
const READ_LEN: usize = 1 << 18;

/// A file and what was read ahead of it.
#[derive(Debug)]
pub(crate) struct Ahead {
    file: Box<dyn MediumFile>,
    buffer: Vec<u8>,
    /// Offset in the file of the buffer's first byte.
    start: u64,
    /// Bytes of the buffer that were used up.
    used: usize,
}

impl Ahead {
    pub(crate) fn new(file: Box<dyn MediumFile>) -> Self {
        Self { file, buffer: Vec::new(), start: 0, used: 0 }
    }

    /// Goes on at `offset`.
    pub(crate) fn seek(&mut self, offset: u64) {
        if offset != self.start + self.used as u64 {
            self.buffer.clear();
            (self.start, self.used) = (offset, 0);
        }
    }

    /// The next `len` bytes, or as many as the file has.
    pub(crate) fn peek(&mut self, len: usize) -> io::Result<&[u8]> {
        if self.buffer.len() - self.used < len {
            let had = self.buffer.len() - self.used;
            // New memory comes zeroed; filling old memory would touch all of it.
            let mut buffer = vec![0; len.max(READ_LEN)];
            buffer[..had].copy_from_slice(&self.buffer[self.used..]);
            let start = self.start + self.used as u64;
            let got = self.file.read_at(&mut buffer[had..], start + had as u64)?;
            buffer.truncate(had + got);
            (self.buffer, self.start, self.used) = (buffer, start, 0);
        }
        let end = self.buffer.len().min(self.used + len);
        Ok(&self.buffer[self.used..end])
    }

    /// Passes over bytes that were peeked.
    pub(crate) fn skip(&mut self, len: usize) {
        self.used += len;
    }
}
