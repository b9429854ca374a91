//! One seed's life of a log: days of work, each ended by something that goes wrong, each followed by a recovery.

use std::path::Path;
use std::sync::Arc;

use knhk_evidence::SigningKey;
use knhk_storage::log::{Extent, Publish};
use knhk_storage::read::Entries;
use knhk_storage::{Directory, Error, Log, Options};

use crate::check;
use crate::disk::{Disk, Lie, Stop};
use crate::model::{Expected, Model};
use crate::producer::Producer;
use crate::rng::Rng;
use crate::survival::Survival;

/// Where the log lies on the simulated disk.
pub const ROOT: &str = "/data";

/// What is lived.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Decides everything.
    pub seed: u64,
    /// How often running stops.
    pub days: u64,
    /// Actions of a day at most.
    pub actions: u64,
    /// How the disk breaks its word.
    pub lie: Lie,
}

/// What happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Power cuts.
    pub power_cuts: u64,
    /// Kills of the process.
    pub kills: u64,
    /// Recoveries that were checked.
    pub recoveries: u64,
    /// Recoveries that cut off a torn tail.
    pub torn: u64,
    /// Recoveries that found a whole group that nobody had been told of.
    pub unacknowledged: u64,
    /// Operations of the disk.
    pub operations: u64,
    /// Acknowledged entries.
    pub entries: u64,
    /// Numbers of producers that were lost and told.
    pub lost: u64,
    /// Times the disk was full.
    pub full: u64,
    /// Failures injected.
    pub injected: u64,
    /// Times the log stopped after a failure.
    pub poisoned: u64,
    /// Bits flipped, each refused.
    pub flips: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.power_cuts += other.power_cuts;
        self.kills += other.kills;
        self.recoveries += other.recoveries;
        self.torn += other.torn;
        self.unacknowledged += other.unacknowledged;
        self.operations += other.operations;
        self.entries += other.entries;
        self.lost += other.lost;
        self.full += other.full;
        self.injected += other.injected;
        self.poisoned += other.poisoned;
        self.flips += other.flips;
    }
}

/// A log, its disk, and what it must hold.
pub(crate) struct Life {
    pub(crate) rng: Rng,
    pub(crate) disk: Disk,
    pub(crate) directory: Directory,
    pub(crate) model: Model,
    pub(crate) log: Option<Log>,
    pub(crate) follower: Option<(Entries, Option<u64>)>,
    /// Every key, the first one first; the last may not be in force yet.
    pub(crate) keys: Vec<SigningKey>,
    pub(crate) producers: Vec<Producer>,
    pub(crate) tally: Tally,
    /// The last things that were done, for whoever reads a failure.
    pub(crate) trace: Vec<String>,
}

/// Lives a life to its end.
///
/// # Panics
/// When a check fails; the message names the seed and the last actions.
pub fn live(settings: Settings) -> Tally {
    let mut life = Life::new(settings.seed, settings.lie);
    if let Err(why) = life.days(settings) {
        let from = life.trace.len().saturating_sub(90);
        panic!(
            "seed {}: {why}\nlast actions:\n  {}\nrun it again with KNHK_SEED={}",
            settings.seed,
            life.trace[from..].join("\n  "),
            settings.seed
        );
    }
    life.tally
}

impl Life {
    pub(crate) fn new(seed: u64, lie: Lie) -> Self {
        let mut rng = Rng::new(seed);
        let disk = Disk::new(rng.next_u64(), lie);
        let mut model = Model::default();
        let key = SigningKey::generate([1; 32], &seed.to_le_bytes());
        model.append(0, Expected::Key { old: None, new: key.verifying_key().to_string() });
        Self {
            rng,
            directory: Directory::on(Arc::new(disk.clone()), Path::new(ROOT)),
            disk,
            model,
            log: None,
            follower: None,
            keys: vec![key],
            producers: Producer::all(),
            tally: Tally::default(),
            trace: Vec::new(),
        }
    }

    fn days(&mut self, settings: Settings) -> Result<(), String> {
        for _ in 0..settings.days {
            self.plan();
            self.day(settings.actions)?;
            let stop = if self.rng.once_in(4) { Stop::Kill } else { self.power_cut() };
            self.stop(stop);
        }
        // The last recovery is of a machine that works.
        self.disk.plan(|plan| *plan = crate::disk::Plan::default());
        while self.log.is_none() {
            self.open()?;
        }
        self.flips()?;
        self.tally.operations = self.disk.operations();
        self.tally.entries = self.model.entries.len() as u64;
        self.tally.lost = self.model.lost().numbers;
        self.tally.injected = self.disk.injected();
        Ok(())
    }

    /// What is to go wrong this day.
    fn plan(&mut self) {
        let (operations, reads) = (self.disk.operations(), self.disk.reads());
        let stop_at = operations + 1 + self.rng.below(90);
        let stop = if self.rng.once_in(4) { Stop::Kill } else { self.power_cut() };
        let fails = self.rng.once_in(3).then(|| operations + 1 + self.rng.below(60));
        let fails_read = self.rng.once_in(6).then(|| reads + 1 + self.rng.below(60));
        self.note(|| format!("-- a day: {stop:?} at {stop_at}, EIO at {fails:?}, at read {fails_read:?}"));
        self.disk.plan(|plan| {
            plan.stop_at = Some((stop_at, Some(stop)));
            plan.fail_at.extend(fails);
            plan.fail_read_at.extend(fails_read);
        });
    }

    fn power_cut(&mut self) -> Stop {
        Stop::PowerCut(self.rng.pick(&Survival::ALL))
    }

    fn day(&mut self, actions: u64) -> Result<(), String> {
        for _ in 0..actions {
            let done = if self.log.is_some() { self.act() } else { self.open().map(|()| Ok(())) };
            if let Err(error) = done? {
                self.went_wrong(&error)?;
            }
            if let Some(note) = self.disk.peek(&Path::new(ROOT).join("checkpoint")) {
                self.model.see_checkpoint_file(&note);
            }
            if self.disk.has_stopped() {
                break;
            }
        }
        Ok(())
    }

    pub(crate) fn note(&mut self, what: impl FnOnce() -> String) {
        let what = what();
        self.trace.push(format!("{:>5} {what}", self.disk.operations()));
    }

    /// Running stops: now, or as it has stopped already.
    pub(crate) fn stop(&mut self, stop: Stop) {
        self.note(|| format!("-- stops: {stop:?} unless it was planned otherwise"));
        match stop {
            Stop::Kill => self.tally.kills += 1,
            Stop::PowerCut(_) => self.tally.power_cuts += 1,
        }
        (self.log, self.follower) = (None, None);
        self.disk.restart(stop);
    }

    /// An action failed: it may, if the machine stopped, the disk is full, or a failure was injected.
    fn went_wrong(&mut self, error: &Error) -> Result<(), String> {
        self.note(|| format!("failed: {error}"));
        if self.disk.has_stopped() {
            return Ok(());
        }
        if matches!(error, Error::NoSpace { .. }) {
            return self.is_full();
        }
        if self.log.is_none() {
            return Ok(());
        }
        if self.take_injected() {
            // Whatever it was, the log either goes on as if nothing had happened, or has stopped for good.
            let operations = self.disk.operations();
            return match self.commit() {
                Err(Error::Poisoned { .. }) => {
                    if self.disk.operations() != operations {
                        return Err("a log that had stopped touched the disk".into());
                    }
                    self.tally.poisoned += 1;
                    self.log = None;
                    self.follower = None;
                    Ok(())
                }
                Err(Error::NoSpace { .. }) => self.is_full(),
                // The next failure may have been due just then.
                Err(again) if self.disk.injected() > self.tally.injected => self.went_wrong(&again),
                Err(again) if !self.disk.has_stopped() => Err(format!("{error}; and then: {again}")),
                _ => Ok(()),
            };
        }
        Err(format!("for no reason: {error}"))
    }

    /// Whether a failure was injected since this was last asked.
    pub(crate) fn take_injected(&mut self) -> bool {
        let before = std::mem::replace(&mut self.tally.injected, self.disk.injected());
        self.tally.injected > before
    }

    /// The disk is full: nothing acknowledged is lost, it can be read, and writing goes on when there is space.
    fn is_full(&mut self) -> Result<(), String> {
        self.tally.full += 1;
        if self.log.is_some() {
            self.unless_failed(|life| check::content(&life.directory, &mut life.model))?;
            if self.rng.once_in(2) {
                match self.commit() {
                    Ok(()) | Err(Error::NoSpace { .. }) => {}
                    Err(error) => return self.went_wrong(&error),
                }
            }
        }
        self.disk.plan(|plan| plan.capacity = None);
        self.note(|| "there is space again".into());
        if self.log.is_some() {
            match self.commit() {
                Ok(()) => {}
                Err(Error::Poisoned { cause }) => {
                    return Err(format!("a full disk stopped the log: {cause}"));
                }
                Err(error) => return self.went_wrong(&error),
            }
        }
        Ok(())
    }

    /// Runs a check whose failure means nothing if the machine stopped or a read failed on purpose.
    pub(crate) fn unless_failed(
        &mut self,
        check: impl FnOnce(&mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        let done = check(self);
        if done.is_err() && (self.disk.has_stopped() || self.take_injected()) {
            return Ok(());
        }
        done
    }

    pub(crate) fn options(&mut self) -> Options {
        Options {
            roll_len: self.rng.pick(&[1, 3_000, 20_000, 1 << 20]),
            publish: self.rng.pick(&[Publish::EveryCommit, Publish::OnRequest]),
            verify: self.rng.pick(&[Extent::Whole, Extent::SinceLastSeal]),
            recycle: self.rng.pick(&[true, false]),
        }
    }

    /// Opens the log, or creates it, and checks what recovery found.
    pub(crate) fn open(&mut self) -> Result<(), String> {
        let options = self.options();
        self.note(|| format!("opens with {options:?}"));
        let before = self.last_segment();
        let in_force = self.model.key().map(str::to_owned);
        let place = self.keys.iter().position(|key| Some(key.verifying_key().to_string()) == in_force);
        let mut at = place.unwrap_or_default();
        let opened = loop {
            match Log::open_with(&self.directory, &self.keys[at], options) {
                // The group that changed the key became durable.
                Err(Error::WrongKey { .. }) if at + 1 < self.keys.len() => at += 1,
                other => break other,
            }
        };
        match opened {
            Ok((log, recovery)) => {
                self.keys.truncate(at + 1);
                self.log = Some(log);
                self.tally.recoveries += 1;
                let size = recovery.report.tree_size;
                self.tally.unacknowledged += u64::from(size > self.model.size);
                self.tally.torn += u64::from(recovery.truncated_bytes > 0);
                self.note(|| format!("opened: {size} entries, {} bytes torn", recovery.truncated_bytes));
                self.model.reopened(size)?;
                let note = self.log.as_ref().unwrap().checkpoint_note().to_owned();
                self.model.see_checkpoint_file(note.as_bytes());
                // What was cut off is what is gone.
                if let Some((path, bytes)) = before {
                    let written = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
                    let left = self.disk.peek(&path).map_or(0, |bytes| bytes.len());
                    let gone = written.saturating_sub(left) as u64;
                    if gone != recovery.truncated_bytes {
                        let said = recovery.truncated_bytes;
                        return Err(format!("{gone} bytes were cut off, {said} reported"));
                    }
                }
                if recovery.report.lost != self.model.lost() {
                    return Err(format!("lost {:?}, not {:?}", self.model.lost(), recovery.report.lost));
                }
                self.recovered()
            }
            Err(error) if self.disk.has_stopped() => {
                self.note(|| format!("stopped while opening: {error}"));
                Ok(())
            }
            Err(Error::NotALog { .. }) if self.model.size == 0 => self.create(options),
            Err(error) => {
                if self.take_injected() {
                    self.note(|| format!("opening failed: {error}"));
                    return Ok(());
                }
                if matches!(error, Error::NoSpace { .. }) {
                    return self.is_full();
                }
                Err(format!("does not open: {error}"))
            }
        }
    }

    fn create(&mut self, options: Options) -> Result<(), String> {
        self.note(|| "creates".into());
        self.model.try_commit(1);
        match Log::create_with(&self.directory, &self.keys[0], self.disk.now_ms(), options) {
            Ok(log) => {
                let checkpoint = log.state().checkpoint().unwrap();
                self.model.acknowledge(&checkpoint, log.checkpoint_note());
                self.log = Some(log);
                self.recovered()
            }
            Err(_) if self.disk.has_stopped() || self.take_injected() => Ok(()),
            Err(error) => Err(format!("cannot create: {error}")),
        }
    }

    /// Checks everything after a recovery.
    pub(crate) fn recovered(&mut self) -> Result<(), String> {
        self.unless_failed(|life| {
            check::content(&life.directory, &mut life.model)?;
            check::verified(&life.directory, &life.model, &life.keys)
        })
    }

    fn last_segment(&self) -> Option<(std::path::PathBuf, Vec<u8>)> {
        let log = Path::new(ROOT).join("log");
        let path = self.disk.files().into_iter().filter(|path| path.parent() == Some(&log)).max()?;
        let bytes = self.disk.peek(&path)?;
        Some((path, bytes))
    }

    /// Bits turn over in a log that is at rest: verification and opening refuse it, and opening changes nothing.
    fn flips(&mut self) -> Result<(), String> {
        if let Some(log) = self.log.take() {
            log.close().map_err(|error| format!("cannot close: {error}"))?;
        }
        // Whatever was still open is committed by closing.
        while self.log.is_none() {
            let size = self.model.tried_or_size();
            self.model.try_commit(size);
            self.open()?;
        }
        self.log.take().unwrap().close().map_err(|error| format!("cannot close: {error}"))?;
        self.disk.settle();
        check::content(&self.directory, &mut self.model)?;
        check::verified(&self.directory, &self.model, &self.keys)?;
        let files: Vec<_> = self.disk.files().into_iter().filter(|path| is_evidence(path)).collect();
        for _ in 0..3 {
            let path = &files[self.rng.index(files.len())];
            let (len, bit) = (self.disk.peek(path).unwrap().len(), self.rng.index(8));
            let (at, bit) = (self.rng.index(len), u8::try_from(bit).unwrap());
            self.disk.flip(path, at, bit);
            let all =
                |life: &Self| life.disk.files().iter().map(|path| life.disk.peek(path)).collect::<Vec<_>>();
            let before = all(self);
            let flipped = format!("bit {bit} of byte {at} of {}", path.display());
            let refused = |error: Option<Error>, by: &str| match error {
                None => Err(format!("{flipped} is flipped, and {by} accepts it")),
                Some(error) => {
                    // Damage in a segment has a place, or the log ends too early and says so.
                    let placed = match &error {
                        Error::Evidence(error) => error.place().is_some(),
                        other => matches!(other, Error::NotALog { .. } | Error::Layout { .. }),
                    };
                    if placed || path.parent() != Some(&Path::new(ROOT).join("log")) {
                        return Ok(());
                    }
                    Err(format!("{flipped}: {by} names no place: {error}"))
                }
            };
            let key = self.keys.last().unwrap();
            refused(
                knhk_storage::audit::verify(&self.directory, Some(key.verifying_key()), &[]).err(),
                "verify",
            )?;
            if !path.ends_with("key.pub") {
                refused(Log::open(&self.directory, key).err(), "opening")?;
                if all(self) != before {
                    return Err(format!("{flipped}: opening refused it and changed files"));
                }
            }
            self.disk.flip(path, at, bit);
            self.tally.flips += 1;
        }
        Ok(())
    }
}

fn is_evidence(path: &Path) -> bool {
    path.parent() == Some(&Path::new(ROOT).join("log"))
        || path.ends_with("checkpoint")
        || path.ends_with("key.pub")
}
