//! The clock that durations are measured with, and what it costs. Nothing is ever subtracted for it.

use std::hint::black_box;

use serde::Serialize;

use super::percentiles::{Histogram, Percentiles};

/// Reads for one figure of the clock's cost.
const READS: u64 = 200_000;

/// The processor's time stamp counter where it is steady, else the system's clock.
#[derive(Debug, Clone)]
pub(crate) struct Clock(quanta::Clock);

/// What measuring costs.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct ClockCost {
    /// One read, on average.
    pub(crate) read_ns: f64,
    /// Two reads with nothing between them: what every measured duration contains.
    pub(crate) empty_pair: Percentiles,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self(quanta::Clock::new())
    }

    /// Now, in ticks of its own.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        self.0.raw()
    }

    /// Nanoseconds since an earlier now.
    #[inline]
    pub(crate) fn since(&self, start: u64) -> u64 {
        self.0.delta_as_nanos(start, self.0.raw())
    }

    /// Nanoseconds between two nows.
    #[inline]
    pub(crate) fn between(&self, start: u64, end: u64) -> u64 {
        self.0.delta_as_nanos(start, end)
    }

    /// Measures its cost on this machine, now.
    pub(crate) fn cost(&self) -> ClockCost {
        let start = self.now();
        for _ in 0..READS {
            black_box(self.now());
        }
        #[expect(clippy::cast_precision_loss, reason = "durations of milliseconds")]
        let read_ns = self.since(start) as f64 / READS as f64;
        let mut pairs = Histogram::new();
        for _ in 0..READS {
            let start = self.now();
            pairs.add(self.between(start, self.now()));
        }
        ClockCost { read_ns, empty_pair: pairs.percentiles() }
    }
}
