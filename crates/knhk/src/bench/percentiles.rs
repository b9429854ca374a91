//! How long things took: a histogram of nanoseconds, exact to less than one percent, and its percentiles.

use serde::Serialize;

/// Buckets of one power of two.
const STEPS: u64 = 128;

/// Counts of durations. Values below 256 ns have a bucket each; above, 128 buckets for each power of two.
#[derive(Debug, Clone, Default)]
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    samples: u64,
    max: u64,
}

impl Histogram {
    /// An empty histogram whose memory is there already.
    pub(crate) fn new() -> Self {
        Self { buckets: vec![0; bucket(u64::MAX) + 1], samples: 0, max: 0 }
    }

    /// Counts one duration.
    #[inline]
    pub(crate) fn add(&mut self, ns: u64) {
        if let Some(count) = self.buckets.get_mut(bucket(ns)) {
            *count += 1;
        }
        self.samples += 1;
        self.max = self.max.max(ns);
    }

    /// Adds another's counts.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.samples += other.samples;
        self.max = self.max.max(other.max);
    }

    /// The percentiles; a bucket counts as its upper end.
    pub(crate) fn percentiles(&self) -> Percentiles {
        let at = |per_mille: u64| {
            let rank = (self.samples * per_mille).div_ceil(1_000).max(1);
            let mut seen = 0;
            let found = self.buckets.iter().position(|count| {
                seen += count;
                seen >= rank
            });
            found.map_or(0, upper_end).min(self.max)
        };
        Percentiles {
            samples: self.samples,
            p50_ns: at(500),
            p90_ns: at(900),
            p99_ns: at(990),
            p999_ns: at(999),
            max_ns: self.max,
        }
    }
}

/// Percentiles of a histogram, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Percentiles {
    /// How many durations there were.
    pub(crate) samples: u64,
    pub(crate) p50_ns: u64,
    pub(crate) p90_ns: u64,
    pub(crate) p99_ns: u64,
    pub(crate) p999_ns: u64,
    pub(crate) max_ns: u64,
}

#[inline]
fn bucket(ns: u64) -> usize {
    let shift = (u64::BITS - ns.leading_zeros()).saturating_sub(8);
    // At most 57 · 128 + 255.
    usize::try_from(u64::from(shift) * STEPS + (ns >> shift)).unwrap_or(usize::MAX)
}

fn upper_end(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket / STEPS).saturating_sub(1);
    ((bucket - shift * STEPS + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_values_to_one_percent() {
        let mut histogram = Histogram::new();
        let mut values: Vec<u64> = (0..10_000_u64).map(|n| n * n * 17 % 1_000_003).collect();
        for value in &values {
            histogram.add(*value);
        }
        values.sort_unstable();
        let found = histogram.percentiles();
        for (rank, value) in [(5_000, found.p50_ns), (9_900, found.p99_ns), (9_990, found.p999_ns)] {
            let exact = values[rank - 1];
            assert!(value >= exact && value - exact <= exact / 100, "{value} for {exact}");
        }
        assert_eq!(found.max_ns, values[9_999]);
        let mut two = Histogram::new();
        two.merge(&histogram);
        two.add(u64::MAX);
        assert_eq!((two.percentiles().samples, two.percentiles().max_ns), (10_001, u64::MAX));
        assert_eq!(Histogram::new().percentiles().p50_ns, 0);
    }
}
