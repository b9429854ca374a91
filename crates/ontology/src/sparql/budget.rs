//! What a query may use up: counted work, held memory and rows, never time.

use std::cell::Cell;

use crate::error::OntologyError;

/// Most steps of one query. A step is a triple read, a row made or compared, an operator applied; operators on long
/// texts count as several.
pub const QUERY_STEPS_MAX: u64 = 1_000_000_000;
/// Steps of one query when nothing else is asked for.
pub const QUERY_STEPS: u64 = 20_000_000;
/// Most rows, or triples, of one answer.
pub const QUERY_ROWS_MAX: u64 = 1_000_000;
/// Rows of one answer when nothing else is asked for.
pub const QUERY_ROWS: u64 = 10_000;
/// Most bytes that a query holds at one time: rows set aside, sets of nodes, texts made.
pub const QUERY_HELD_BYTES_MAX: u64 = 128 << 20;

/// What may be used up, and what is left of it. One budget can serve several queries, which then share it.
pub struct Budget<'s> {
    steps_max: u64,
    rows_max: u64,
    steps: Cell<u64>,
    held: Cell<u64>,
    stop: Option<&'s dyn Fn() -> bool>,
    asked: Cell<u64>,
}

/// How many steps pass between two looks at the stop signal.
const STEPS_BETWEEN_LOOKS: u64 = 512;

impl Default for Budget<'_> {
    fn default() -> Self {
        Self::new(QUERY_STEPS, QUERY_ROWS)
    }
}

impl<'s> Budget<'s> {
    /// A budget of so many steps and rows, at most [`QUERY_STEPS_MAX`] and [`QUERY_ROWS_MAX`].
    pub fn new(steps: u64, rows: u64) -> Self {
        Self {
            steps_max: steps.min(QUERY_STEPS_MAX),
            rows_max: rows.min(QUERY_ROWS_MAX),
            steps: Cell::new(0),
            held: Cell::new(0),
            stop: None,
            asked: Cell::new(0),
        }
    }

    /// The same, ended early when `stop` says so. It is asked every few hundred steps; a caller with a clock sets it.
    #[must_use]
    pub fn with_stop(mut self, stop: &'s dyn Fn() -> bool) -> Self {
        self.stop = Some(stop);
        self
    }

    /// Steps taken so far.
    pub fn steps_taken(&self) -> u64 {
        self.steps.get()
    }

    pub(crate) fn step(&self, count: u64) -> Result<(), OntologyError> {
        let taken = self.steps.get().saturating_add(count);
        self.steps.set(taken);
        if taken > self.steps_max {
            return Err(OntologyError::QueryTooCostly { what: "steps", max: self.steps_max });
        }
        if let Some(stop) = self.stop
            && taken - self.asked.get() >= STEPS_BETWEEN_LOOKS
        {
            self.asked.set(taken);
            if stop() {
                return Err(OntologyError::QueryStopped);
            }
        }
        Ok(())
    }

    pub(crate) fn row(&self, rows: usize) -> Result<(), OntologyError> {
        if u64::try_from(rows).unwrap_or(u64::MAX) > self.rows_max {
            return Err(OntologyError::QueryTooCostly { what: "rows", max: self.rows_max });
        }
        Ok(())
    }

    /// Memory taken for as long as the value lives.
    pub(crate) fn hold(&self) -> Held<'_, 's> {
        Held { budget: self, bytes: 0 }
    }
}

pub(crate) struct Held<'b, 's> {
    budget: &'b Budget<'s>,
    bytes: u64,
}

impl Held<'_, '_> {
    pub(crate) fn more(&mut self, bytes: usize) -> Result<(), OntologyError> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let held = self.budget.held.get().saturating_add(bytes);
        if held > QUERY_HELD_BYTES_MAX {
            return Err(OntologyError::QueryTooCostly { what: "bytes held", max: QUERY_HELD_BYTES_MAX });
        }
        self.budget.held.set(held);
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Held<'_, '_> {
    fn drop(&mut self) {
        self.budget.held.set(self.budget.held.get() - self.bytes);
    }
}
