//! A data directory in use: the log, the kernel over it, and the key that signs.
//!
//! Every input is logged before it is decided on, and its decisions are logged in the same group: after a crash a
//! directory holds both or neither.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use knhk_evidence::block::{Block, Payloads};
use knhk_evidence::entry::Entry;
use knhk_evidence::input::{Input, InputKind};
use knhk_evidence::intern::Table;
use knhk_evidence::record::Record;
use knhk_kernel::decision::Decision;
use knhk_kernel::inputs::{BUILD, KernelStarted, SEMANTICS_VERSION};
use knhk_kernel::sealed::StateSealed;
use knhk_kernel::{Kernel, KernelError, Probe};
use knhk_storage::objects::Objects;
use knhk_storage::{Log, Recovery, key_file};
use serde::Serialize;

use crate::error::CliError;
use crate::notice;
use crate::restore::{Restore, Restored, lost_state, restore_telling};
use crate::signing;

/// A data directory open for writing.
#[derive(Debug)]
pub(crate) struct Session {
    log: Log,
    kernel: Kernel,
    /// Why the state was made from the log's beginning although one was sealed.
    lost: Option<KernelError>,
}

/// What opening found.
#[derive(Debug)]
pub(crate) enum Opened {
    /// The directory and its key were made.
    Created {
        /// Where the private key is.
        key: PathBuf,
    },
    /// It was there.
    Reopened(Box<Recovery>),
}

/// Now, in Unix milliseconds.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Where the private key of a data directory is unless the user says otherwise: beside it, never in it.
pub(crate) fn key_path(dir: &Path, chosen: Option<&Path>) -> Result<PathBuf, CliError> {
    let path = chosen.map_or_else(|| dir.with_added_extension("key"), Path::to_owned);
    if resolved(&path)?.starts_with(resolved(dir)?) {
        return Err(CliError::KeyInside { path });
    }
    Ok(path)
}

/// Where a path leads, links and `..` followed. What does not exist yet cannot be a link, so there names are enough.
fn resolved(path: &Path) -> Result<PathBuf, CliError> {
    let absolute = std::path::absolute(path).map_err(CliError::reading(path))?;
    for existing in absolute.ancestors() {
        let Ok(mut real) = existing.canonicalize() else { continue };
        for part in absolute.strip_prefix(existing).unwrap_or(Path::new("")).components() {
            match part {
                Component::ParentDir => {
                    real.pop();
                }
                part => real.push(part),
            }
        }
        return Ok(real);
    }
    Ok(absolute)
}

impl Session {
    /// Opens a data directory, or makes it.
    pub(crate) fn open_or_create(dir: &Path, key: &Path) -> Result<(Self, Opened), CliError> {
        if dir.join("log").is_dir() {
            let (session, recovery) = Self::reopen(dir, key)?;
            return Ok((session, Opened::Reopened(Box::new(recovery))));
        }
        let signing = if key.is_file() {
            signing::load(key)?
        } else {
            let mut random = zeroize::Zeroizing::new([0; 48]);
            getrandom::fill(random.as_mut()).map_err(|e| CliError::Random { why: e.to_string() })?;
            let mut seed = zeroize::Zeroizing::new([0; 32]);
            seed.copy_from_slice(&random[..32]);
            let made = key_file::generate(*seed, &random[32..]);
            if let Some(parent) = key.parent() {
                fs::create_dir_all(parent).map_err(CliError::writing(parent))?;
            }
            key_file::save(key, &made)?;
            made
        };
        let log = Log::create(dir, &signing, now_ms())?;
        let mut session = Self { log, kernel: Kernel::new(), lost: None };
        session.start()?;
        Ok((session, Opened::Created { key: key.to_owned() }))
    }

    /// Opens a data directory that is there: verifies every byte, repairs a torn tail, folds the logged decisions.
    pub(crate) fn open(dir: &Path, key: &Path) -> Result<(Self, Recovery), CliError> {
        let (session, recovery) = Self::reopen(dir, key)?;
        if let Some(lost) = &session.lost {
            notice::tell(&lost_state(lost));
        }
        Ok((session, recovery))
    }

    /// Why a sealed state could not be used, if one could not.
    pub(crate) fn lost(&self) -> Option<&KernelError> {
        self.lost.as_ref()
    }

    fn reopen(dir: &Path, key: &Path) -> Result<(Self, Recovery), CliError> {
        if !dir.join("log").is_dir() {
            return Err(CliError::NoLog { path: dir.to_owned() });
        }
        let signing = signing::load(key)?;
        let (log, recovery) = Log::open(dir, &signing)?;
        let Restored { kernel, lost } = restore_telling(dir, Restore::ForDeciding)?;
        let mut session = Self { log, kernel, lost };
        session.start()?;
        Ok((session, recovery))
    }

    fn start(&mut self) -> Result<(), CliError> {
        let started = KernelStarted {
            semantics_version: SEMANTICS_VERSION,
            build: BUILD.to_owned(),
            key_id: self.log.key().verifying_key().id(),
        };
        self.input(InputKind::KernelStarted, None, &started, &mut ())?;
        Ok(())
    }

    /// The kernel's state.
    pub(crate) fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// The log.
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// The time to stamp an input with: now, but never before an earlier input.
    pub(crate) fn time_ms(&self) -> i64 {
        now_ms().max(self.kernel.time_ms())
    }

    /// Logs an input, decides on it and logs the decisions. Nothing is durable before [`Session::commit`].
    pub(crate) fn input<T: Serialize>(
        &mut self,
        kind: InputKind,
        sector: Option<&str>,
        body: &T,
        probe: &mut dyn Probe,
    ) -> Result<Vec<Decision>, CliError> {
        let input = Input::new(kind, sector, self.time_ms(), body)?;
        self.log.append_input(input.clone())?;
        let decisions = self.kernel.step(&input, probe)?;
        self.record(&decisions)?;
        Ok(decisions)
    }

    /// Number of `text` in `table`; logs it when it is new.
    pub(crate) fn intern(&mut self, table: Table, text: &str) -> Result<u32, CliError> {
        if let Some(id) = self.kernel.names().id(table, text) {
            return Ok(id);
        }
        let body = self.kernel.names().propose(table, text);
        self.input(InputKind::Interned, None, &body, &mut ())?;
        Ok(body.id)
    }

    /// Seals records and their payloads into a block, logs it, and takes it in.
    pub(crate) fn block(
        &mut self,
        sector: u16,
        records: Vec<Record>,
        payloads: &[Vec<u8>],
    ) -> Result<(), CliError> {
        let block = Block::seal(self.log.state().next_block(sector), records)?;
        let payloads = Payloads::seal(&block, payloads)?;
        let entry = Entry::Block { block, payloads: Some(payloads) };
        self.log.append(&entry)?;
        let Entry::Block { block, payloads: Some(payloads) } = &entry else { return Ok(()) };
        let decisions = self.kernel.step_block(block, payloads)?;
        self.record(&decisions)
    }

    /// Makes everything so far durable. Until this returns, nothing may be reported as done.
    pub(crate) fn commit(&mut self) -> Result<(), CliError> {
        self.log.commit()?;
        Ok(())
    }

    /// Seals the kernel's state at the start of a new segment, durably. From there on the log needs nothing before it.
    pub(crate) fn seal(&mut self, dir: &Path) -> Result<StateSealed, CliError> {
        self.commit()?;
        let sealed = self.kernel.seal()?;
        let objects = Objects::open(dir)?;
        for bytes in sealed.objects.values() {
            objects.put(bytes)?;
        }
        self.log.roll();
        let body = StateSealed { digest: sealed.digest };
        self.input(InputKind::StateSealed, None, &body, &mut ())?;
        self.commit()?;
        Ok(body)
    }

    /// Drops the segments before `segment`: see [`Log::retain_from`].
    pub(crate) fn retain_from(
        &mut self,
        segment: u32,
        archive: Option<&Path>,
        reason: &str,
    ) -> Result<Range<u32>, CliError> {
        Ok(self.log.retain_from(segment, archive, reason, self.time_ms())?)
    }

    /// Erases payloads by the sequence of their observations: see [`Log::erase`].
    pub(crate) fn erase(&mut self, sequences: &BTreeSet<u64>) -> Result<u64, CliError> {
        Ok(self.log.erase(sequences)?)
    }

    fn record(&mut self, decisions: &[Decision]) -> Result<(), CliError> {
        for decision in decisions {
            let signed = decision.draft.clone().sign(self.log.key())?;
            self.log.append_receipt(signed, decision.body.clone())?;
        }
        Ok(())
    }
}
