//! The newest sealed state of a log, found at the start of a segment without reading the rest, and whether its objects
//! are there.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use knhk_evidence::entry::{Assembler, Entry, Item};
use knhk_evidence::frame::{Chain, FRAME_HEADER_LEN, FrameHeader};
use knhk_evidence::input::InputKind;
use knhk_kernel::KernelError;
use knhk_kernel::sealed::StateSealed;

use crate::error::CliError;
use crate::restore::unseal;

/// What there is of the newest sealed state.
#[derive(Debug)]
pub(crate) enum SealedStateIs {
    /// No state was sealed.
    None,
    /// Every object of it is there.
    Ok,
    /// It cannot be read back.
    Lost(KernelError),
}

impl SealedStateIs {
    /// As JSON has it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Ok => "ok",
            Self::Lost(_) => "lost",
        }
    }
}

/// Looks at the newest sealed state of the log in `dir`, which was verified.
pub(crate) fn newest(dir: &Path) -> Result<SealedStateIs, CliError> {
    let log = dir.join("log");
    let mut segments = Vec::new();
    for entry in std::fs::read_dir(&log).map_err(CliError::reading(&log))? {
        segments.push(entry.map_err(CliError::reading(&log))?.path());
    }
    segments.sort();
    // A state is sealed at the start of a segment: `docs/formats/sealed-kernel.md`.
    for path in segments.iter().rev() {
        if let Some(StateSealed { digest }) = at_start(path)? {
            return Ok(unseal(dir, digest).map_or_else(SealedStateIs::Lost, |_| SealedStateIs::Ok));
        }
    }
    Ok(SealedStateIs::None)
}

/// The state sealed in the first group of a segment. A group that was never committed says nothing.
fn at_start(path: &Path) -> Result<Option<StateSealed>, CliError> {
    let mut file = BufReader::new(File::open(path).map_err(CliError::reading(path))?);
    let (mut chain, mut assembler, mut sealed) = (None::<Chain>, Assembler::default(), None);
    loop {
        let mut frame = vec![0; FRAME_HEADER_LEN];
        if file.read_exact(&mut frame).is_err() {
            return Ok(None);
        }
        let Some(header) = frame.first_chunk().and_then(|bytes| FrameHeader::from_bytes(bytes).ok()) else {
            return Ok(None);
        };
        let len = u64::from(header.len);
        if (&mut file).take(len).read_to_end(&mut frame).map_err(CliError::reading(path))? as u64 != len {
            return Ok(None);
        }
        let read = chain.get_or_insert(Chain::at(&header)).read(&frame);
        match read.and_then(|(kind, body, _)| assembler.push(kind, body)) {
            Ok(Some(Item::Commit(_))) => return Ok(sealed),
            Ok(Some(Item::Entry(Entry::Input(input)))) if input.kind == InputKind::StateSealed => {
                sealed = Some(input.decode()?);
            }
            Ok(Some(Item::Entry(Entry::Block { .. } | Entry::Receipt { .. }))) if sealed.is_none() => {
                // What is decided comes after a seal, never before it in its group.
                return Ok(None);
            }
            Ok(_) => {}
            Err(_) => return Ok(None),
        }
    }
}
