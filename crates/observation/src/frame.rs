//! Cutting an input into the bytes of single events, in bounded memory. The rules are in `docs/formats/events.md`.

use std::io::{BufRead, Read};

use sha2::{Digest, Sha256};

use crate::error::ObservationError;

/// Largest event, in bytes.
pub const EVENT_BYTES_MAX: usize = 16 << 20;

/// Takes the bytes of events that are too large, as they pass.
pub type Oversize<'o> = &'o mut dyn FnMut(&[u8]) -> std::io::Result<()>;

/// How the input is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Not known yet.
    Start,
    /// One event a line.
    Lines,
    /// Objects one after the other.
    Values,
    /// Between arrays.
    Arrays,
    /// Inside an array, where an element may start.
    Elements,
    /// Inside an array, behind an element.
    Separator,
}

/// What was cut out; its bytes are in [`Framer::bytes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// A line, an object or an element: an event, if it is one.
    Event,
    /// Bytes that belong to no event.
    Stray,
    /// An event that is too large; its bytes went to the caller's sink.
    Oversize {
        /// SHA-256 of the bytes.
        sha256: [u8; 32],
        /// How many.
        length: u64,
    },
}

/// Cuts an input.
pub(crate) struct Framer<R> {
    input: R,
    mode: Mode,
    bytes: Vec<u8>,
    /// Whether `detect` has taken the first bytes of the first event.
    begun: bool,
    limit: usize,
    /// Bytes consumed.
    offset: u64,
    /// Line (from 1) and column (bytes from 1) of the next byte.
    line: u64,
    column: u64,
    /// Where the current cut starts: offset, line, column.
    pub(crate) start: (u64, u64, u64),
}

impl<R: BufRead> Framer<R> {
    pub(crate) fn new(input: R, limit: usize) -> Self {
        Self {
            input,
            mode: Mode::Start,
            bytes: Vec::new(),
            begun: false,
            limit,
            offset: 0,
            line: 1,
            column: 1,
            start: (0, 1, 1),
        }
    }

    /// The bytes of the last cut; empty after an oversize one.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The next cut, `None` at the end of the input.
    pub(crate) fn next(&mut self, sink: Oversize<'_>) -> Result<Option<Cut>, ObservationError> {
        // One event of unusual size must not hold its memory for the rest of the input.
        if self.bytes.capacity() > 1 << 20 {
            self.bytes = Vec::new();
        }
        if self.mode == Mode::Start {
            self.detect()?;
        }
        match self.mode {
            Mode::Lines => self.line(sink),
            _ => self.value(sink),
        }
    }

    fn fill(&mut self) -> Result<&[u8], ObservationError> {
        filled(&mut self.input, self.offset)
    }

    /// Marks bytes as consumed and moves the place behind them.
    fn advance(&mut self, count: usize, newlines: u64, after_last: usize) {
        self.input.consume(count);
        self.offset += count as u64;
        self.line += newlines;
        if newlines > 0 {
            self.column = 1;
        }
        self.column += after_last as u64;
    }

    fn peek(&mut self) -> Result<Option<u8>, ObservationError> {
        Ok(self.fill()?.first().copied())
    }

    fn skip(&mut self) -> Result<(), ObservationError> {
        match self.peek()? {
            Some(b'\n') => self.advance(1, 1, 0),
            Some(_) => self.advance(1, 0, 1),
            None => {}
        }
        Ok(())
    }

    /// Skips white space; the next byte behind it.
    fn space(&mut self) -> Result<Option<u8>, ObservationError> {
        loop {
            match self.peek()? {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.skip()?,
                other => return Ok(other),
            }
        }
    }

    fn detect(&mut self) -> Result<(), ObservationError> {
        for expected in [0xEF, 0xBB, 0xBF] {
            if self.peek()? != Some(expected) {
                break;
            }
            self.advance(1, 0, 0);
        }
        self.mode = match self.space()? {
            Some(b'[') => Mode::Arrays,
            Some(b'{') => {
                self.begin();
                self.begun = true;
                self.bytes.push(b'{');
                self.skip()?;
                loop {
                    match self.peek()? {
                        Some(byte @ (b' ' | b'\t' | b'\r')) if self.bytes.len() < self.limit => {
                            self.bytes.push(byte);
                            self.skip()?;
                        }
                        Some(b'\n') => break Mode::Values,
                        _ => break Mode::Lines,
                    }
                }
            }
            _ => Mode::Lines,
        };
        Ok(())
    }

    fn begin(&mut self) {
        self.bytes.clear();
        self.start = (self.offset, self.line, self.column);
    }

    fn line(&mut self, sink: Oversize<'_>) -> Result<Option<Cut>, ObservationError> {
        loop {
            if !std::mem::take(&mut self.begun) {
                self.begin();
            }
            let offset = self.offset;
            // Room for a line of the largest size with its `\r\n`.
            let room = (self.limit + 2).saturating_sub(self.bytes.len()) as u64;
            let count = (&mut self.input)
                .take(room)
                .read_until(b'\n', &mut self.bytes)
                .map_err(|source| ObservationError::Input { offset, source })?;
            self.offset += count as u64;
            if self.bytes.is_empty() {
                return Ok(None);
            }
            let whole = self.bytes.last() == Some(&b'\n');
            if whole {
                self.line += 1;
                self.column = 1;
            }
            let content = self.bytes.trim_ascii_end().len();
            if content > self.limit || (!whole && self.bytes.len() > self.limit) {
                return self.oversize_line(whole, sink).map(Some);
            }
            if content > 0 {
                self.bytes.truncate(content);
                return Ok(Some(Cut::Event));
            }
        }
    }

    fn oversize_line(&mut self, mut whole: bool, sink: Oversize<'_>) -> Result<Cut, ObservationError> {
        let mut digest = Passing::new(self.start.0);
        digest.pass(self.bytes.strip_suffix(b"\n").unwrap_or(&self.bytes), sink)?;
        self.bytes = Vec::new();
        while !whole {
            let buffer = self.fill()?;
            if buffer.is_empty() {
                break;
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            digest.pass(&buffer[..end.unwrap_or(buffer.len())], sink)?;
            let count = end.map_or(buffer.len(), |end| end + 1);
            whole = end.is_some();
            self.advance(count, u64::from(whole), 0);
        }
        Ok(digest.cut())
    }

    fn value(&mut self, sink: Oversize<'_>) -> Result<Option<Cut>, ObservationError> {
        loop {
            if std::mem::take(&mut self.begun) {
                return self.balanced(sink).map(Some);
            }
            let Some(byte) = self.space()? else {
                if matches!(self.mode, Mode::Elements | Mode::Separator) {
                    // An array without end: the missing bracket is a fault of its own.
                    self.mode = Mode::Arrays;
                    self.begin();
                    return Ok(Some(Cut::Stray));
                }
                return Ok(None);
            };
            match (self.mode, byte) {
                (Mode::Arrays, b'[') | (Mode::Separator, b',') => {
                    self.skip()?;
                    self.mode = Mode::Elements;
                }
                (Mode::Elements | Mode::Separator, b']') => {
                    self.skip()?;
                    self.mode = Mode::Arrays;
                }
                (Mode::Separator, b'{') => {
                    // A comma is missing: a fault of its own, and the element is read all the same.
                    self.mode = Mode::Elements;
                    self.begin();
                    return Ok(Some(Cut::Stray));
                }
                (Mode::Elements, b',' | b'}') | (Mode::Arrays | Mode::Separator, _) => {
                    return self.stray(sink).map(Some);
                }
                (Mode::Values, b'{') | (Mode::Elements, _) => {
                    self.begin();
                    return self.balanced(sink).map(Some);
                }
                _ => return self.stray(sink).map(Some),
            }
        }
    }

    /// Bytes that belong to no event: up to where the next one may start.
    fn stray(&mut self, sink: Oversize<'_>) -> Result<Cut, ObservationError> {
        self.begin();
        let stops: &[u8] = match self.mode {
            Mode::Values => b"{",
            Mode::Arrays => b"[",
            _ => b",]",
        };
        let mut passing = None;
        // A comma too many stands where an element should: take it, so that the next one is read.
        let mut first = self.mode == Mode::Elements;
        while let Some(byte) = self.peek()? {
            if stops.contains(&byte) && !first {
                break;
            }
            self.take(byte, &mut passing, sink)?;
            self.skip()?;
            if first {
                break;
            }
            first = false;
        }
        Ok(passing.map_or(Cut::Stray, Passing::cut))
    }

    /// Keeps one byte, or passes it on when the event is too large.
    fn take(
        &mut self,
        byte: u8,
        passing: &mut Option<Passing>,
        sink: Oversize<'_>,
    ) -> Result<(), ObservationError> {
        if let Some(passing) = passing {
            return passing.pass(&[byte], sink);
        }
        self.bytes.push(byte);
        if self.bytes.len() > self.limit {
            let mut begun = Passing::new(self.start.0);
            begun.pass(&self.bytes, sink)?;
            self.bytes = Vec::new();
            *passing = Some(begun);
        }
        Ok(())
    }

    /// One value up to its closing bracket; a scalar up to the next comma, bracket or white space.
    fn balanced(&mut self, sink: Oversize<'_>) -> Result<Cut, ObservationError> {
        let mut scan = Scan::default();
        for byte in &self.bytes {
            scan.step(*byte);
        }
        let mut passing: Option<Passing> = None;
        loop {
            let limit = self.limit;
            let offset = self.offset;
            let buffer =
                self.input.fill_buf().map_err(|source| ObservationError::Input { offset, source })?;
            if buffer.is_empty() {
                // The value has no end, and so has the array around it: one fault.
                self.mode = if self.mode == Mode::Elements { Mode::Arrays } else { self.mode };
                break;
            }
            let (mut taken, mut newlines, mut after_last) = (0, 0, 0);
            let mut done = false;
            for &byte in buffer {
                let end = scan.step(byte);
                if end == End::Before {
                    done = true;
                    break;
                }
                taken += 1;
                after_last += 1;
                if byte == b'\n' {
                    newlines += 1;
                    after_last = 0;
                }
                if end == End::After {
                    done = true;
                    break;
                }
            }
            if let Some(passing) = &mut passing {
                passing.pass(&buffer[..taken], sink)?;
            } else {
                self.bytes.extend_from_slice(&buffer[..taken]);
                if self.bytes.len() > limit {
                    let mut begun = Passing::new(self.start.0);
                    begun.pass(&self.bytes, sink)?;
                    self.bytes = Vec::new();
                    passing = Some(begun);
                }
            }
            self.advance(taken, newlines, after_last);
            if done {
                break;
            }
        }
        if self.mode == Mode::Elements {
            self.mode = Mode::Separator;
        }
        Ok(passing.map_or(Cut::Event, Passing::cut))
    }
}

/// The next bytes of the input, empty at its end.
fn filled<R: BufRead>(input: &mut R, offset: u64) -> Result<&[u8], ObservationError> {
    loop {
        match input.fill_buf() {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(source) => return Err(ObservationError::Input { offset, source }),
            // Asked again, since the borrow of this answer cannot leave the loop.
            Ok(_) => break,
        }
    }
    input.fill_buf().map_err(|source| ObservationError::Input { offset, source })
}

/// Bytes of an oversize event on their way to the sink.
struct Passing {
    offset: u64,
    digest: Sha256,
    length: u64,
}

impl Passing {
    fn new(offset: u64) -> Self {
        Self { offset, digest: Sha256::new(), length: 0 }
    }

    fn pass(&mut self, bytes: &[u8], sink: Oversize<'_>) -> Result<(), ObservationError> {
        self.digest.update(bytes);
        self.length += bytes.len() as u64;
        sink(bytes).map_err(|source| ObservationError::Oversize { offset: self.offset, source })
    }

    fn cut(self) -> Cut {
        Cut::Oversize { sha256: self.digest.finalize().into(), length: self.length }
    }
}

/// Where a value ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Not yet.
    No,
    /// With this byte.
    After,
    /// Before this byte.
    Before,
}

/// Counts brackets outside strings.
#[derive(Default)]
struct Scan {
    depth: u64,
    in_string: bool,
    escaped: bool,
}

impl Scan {
    fn step(&mut self, byte: u8) -> End {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => {
                    self.in_string = false;
                    if self.depth == 0 {
                        return End::After;
                    }
                }
                _ => {}
            }
            return End::No;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' if self.depth > 0 => {
                self.depth -= 1;
                if self.depth == 0 {
                    return End::After;
                }
            }
            b',' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n' if self.depth == 0 => return End::Before,
            _ => {}
        }
        End::No
    }
}
