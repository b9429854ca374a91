//! Producers that count their own observations: retries are idempotent, losses are visible. See
//! `docs/formats/producers.md`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::record::{Numbered, Record};

/// Body of `producer_opened` and `producer_closed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProducerAt {
    /// Interned source.
    pub source: u32,
    /// Which of its counts.
    pub epoch: u64,
    /// Opened: the number that comes next. Closed: one more than the last number the producer was given a ticket for.
    pub next: u64,
}

/// Where a producer's count stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// The present epoch.
    pub epoch: u64,
    /// The number that continues it.
    pub next: u64,
    /// Whether the epoch was opened and not closed: its end is not known yet.
    pub open: bool,
}

/// What never reached the log, as far as the counts tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lost {
    /// Epochs that the next one followed without their having been closed: their last numbers may be missing.
    pub abandoned: u64,
    /// Numbers that are missing for certain.
    pub numbers: u64,
}

/// The counts of a log's producers, by source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Producers {
    counts: BTreeMap<u32, Count>,
    lost: Lost,
}

/// How a block moves the counts: computed in full before any of it takes effect.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    counts: BTreeMap<u32, Count>,
    lost: u64,
}

impl Producers {
    /// The counts as a sealed state has them.
    pub(crate) fn restored(counts: BTreeMap<u32, Count>, lost: Lost) -> Self {
        Self { counts, lost }
    }

    /// A source's count, if it ever had one.
    pub fn count(&self, source: u32) -> Option<Count> {
        self.counts.get(&source).copied()
    }

    /// Every source that has a count.
    pub fn iter(&self) -> impl Iterator<Item = (u32, Count)> {
        self.counts.iter().map(|(source, count)| (*source, *count))
    }

    /// What is missing.
    pub fn lost(&self) -> Lost {
        self.lost
    }

    /// Where the next epoch of a source begins.
    pub fn next_epoch(&self, source: u32) -> ProducerAt {
        let epoch = self.count(source).map_or(0, |count| count.epoch.saturating_add(1));
        ProducerAt { source, epoch, next: 0 }
    }

    pub(crate) fn open(&mut self, at: ProducerAt) -> Result<()> {
        let before = self.count(at.source);
        match before {
            Some(count) if at.epoch < count.epoch => {
                return wrong(at.source, "epoch", at.epoch, &format!("{} or a later one", count.epoch));
            }
            Some(count) if at.epoch == count.epoch && at.next != count.next => {
                return wrong(at.source, "next number", at.next, &count.next.to_string());
            }
            Some(count) if at.epoch == count.epoch => {}
            _ if at.next != 0 => return wrong(at.source, "next number", at.next, "0 in a new epoch"),
            Some(count) if count.open => self.lost.abandoned = self.lost.abandoned.saturating_add(1),
            _ => {}
        }
        self.counts.insert(at.source, Count { epoch: at.epoch, next: at.next, open: true });
        Ok(())
    }

    pub(crate) fn close(&mut self, at: ProducerAt) -> Result<()> {
        let count = open_count(self.count(at.source), at.source, at.epoch)?;
        if at.next < count.next {
            return wrong(at.source, "number it closes at", at.next, &format!("at least {}", count.next));
        }
        self.lost.numbers = self.lost.numbers.saturating_add(at.next - count.next);
        self.counts.insert(at.source, Count { next: at.next, open: false, ..count });
        Ok(())
    }

    /// Checks the numbered records of a block.
    pub(crate) fn follow(&self, records: &[Record]) -> Result<Progress> {
        let mut progress = Progress::default();
        // A producer's records come in runs, so its count is looked up once a run.
        let mut run: Option<(u32, Count)> = None;
        for record in records {
            let Some(Numbered { epoch, number }) = record.numbered() else { continue };
            let source = record.source;
            let mut count = match run {
                Some((of, count)) if of == source => count,
                _ => {
                    if let Some((of, count)) = run {
                        progress.counts.insert(of, count);
                    }
                    progress
                        .counts
                        .get(&source)
                        .copied()
                        .map_or_else(|| open_count(self.count(source), source, epoch), Ok)?
                }
            };
            if epoch != count.epoch {
                return wrong(source, "epoch", epoch, &count.epoch.to_string());
            }
            let next = number.checked_add(1);
            let (true, Some(next)) = (number >= count.next, next) else {
                return wrong(source, "number", number, &format!("at least {}", count.next));
            };
            progress.lost = progress.lost.saturating_add(number - count.next);
            count.next = next;
            run = Some((source, count));
        }
        progress.counts.extend(run);
        Ok(progress)
    }

    pub(crate) fn advance(&mut self, progress: Progress) {
        self.counts.extend(progress.counts);
        self.lost.numbers = self.lost.numbers.saturating_add(progress.lost);
    }
}

fn open_count(count: Option<Count>, source: u32, epoch: u64) -> Result<Count> {
    match count {
        Some(count) if count.open && count.epoch == epoch => Ok(count),
        Some(count) => {
            let state = if count.open { "open" } else { "closed" };
            wrong(source, "epoch", epoch, &format!("an open one; {} is {state}", count.epoch))
        }
        None => wrong(source, "epoch", epoch, "none: it was never opened"),
    }
}

fn wrong<T>(source: u32, what: &'static str, actual: u64, expected: &str) -> Result<T> {
    Err(Error::Producer { source_id: source, what, actual, expected: expected.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(source: u32, epoch: u64, next: u64) -> ProducerAt {
        ProducerAt { source, epoch, next }
    }

    fn records(places: &[(u32, u64, u64)]) -> Vec<Record> {
        let numbered = |&(source, epoch, number): &(u32, u64, u64)| {
            let mut record = Record { source, ..Record::default() };
            record.set_numbered(Numbered { epoch, number });
            record
        };
        places.iter().map(numbered).collect()
    }

    fn add(producers: &mut Producers, places: &[(u32, u64, u64)]) -> Result<()> {
        let progress = producers.follow(&records(places))?;
        producers.advance(progress);
        Ok(())
    }

    #[test]
    fn a_count_goes_on_and_gaps_are_counted() {
        let mut producers = Producers::default();
        assert!(add(&mut producers, &[(1, 0, 0)]).is_err(), "never opened");
        producers.open(producers.next_epoch(1)).unwrap();
        producers.open(at(2, 7, 0)).unwrap();
        add(&mut producers, &[(1, 0, 0), (2, 7, 0), (1, 0, 1), (1, 0, 2), (2, 7, 4)]).unwrap();
        assert_eq!(producers.count(1), Some(Count { epoch: 0, next: 3, open: true }));
        assert_eq!(producers.count(2), Some(Count { epoch: 7, next: 5, open: true }));
        assert_eq!(producers.lost(), Lost { abandoned: 0, numbers: 3 });
    }

    #[test]
    fn a_repeat_or_another_epoch_is_refused_and_changes_nothing() {
        let mut producers = Producers::default();
        producers.open(at(1, 0, 0)).unwrap();
        add(&mut producers, &[(1, 0, 0), (1, 0, 1)]).unwrap();
        let before = producers.clone();
        for places in
            [[(1, 0, 2), (1, 0, 2)], [(1, 0, 1), (1, 0, 2)], [(1, 0, 2), (1, 1, 0)], [(1, 0, 2), (3, 0, 0)]]
        {
            assert!(matches!(add(&mut producers, &places), Err(Error::Producer { .. })), "{places:?}");
        }
        assert!(add(&mut producers, &[(1, 0, u64::MAX)]).is_err());
        assert_eq!(producers, before);
    }

    #[test]
    fn an_epoch_that_was_not_closed_is_abandoned_by_the_next() {
        let mut producers = Producers::default();
        producers.open(at(1, 0, 0)).unwrap();
        add(&mut producers, &[(1, 0, 0)]).unwrap();
        // Going on where the log stands abandons nothing.
        producers.open(at(1, 0, 1)).unwrap();
        assert_eq!(producers.lost().abandoned, 0);
        assert!(producers.open(at(1, 0, 2)).is_err());
        assert!(producers.open(at(1, 3, 2)).is_err());
        producers.open(at(1, 3, 0)).unwrap();
        assert_eq!(producers.lost().abandoned, 1);
        assert!(producers.open(at(1, 2, 0)).is_err());
    }

    #[test]
    fn closing_beyond_the_last_number_shows_the_lost_tail() {
        let mut producers = Producers::default();
        producers.open(at(1, 0, 0)).unwrap();
        add(&mut producers, &[(1, 0, 0), (1, 0, 1)]).unwrap();
        assert!(producers.close(at(1, 0, 1)).is_err());
        assert!(producers.close(at(1, 1, 2)).is_err());
        producers.close(at(1, 0, 5)).unwrap();
        assert_eq!(producers.lost(), Lost { abandoned: 0, numbers: 3 });
        assert!(producers.close(at(1, 0, 5)).is_err(), "closed already");
        assert!(add(&mut producers, &[(1, 0, 5)]).is_err(), "closed");
        producers.open(at(1, 1, 0)).unwrap();
        assert_eq!(producers.lost().abandoned, 0);
    }
}
