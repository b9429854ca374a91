//! Figures for people.

use super::percentiles::Percentiles;
use crate::table::thousands;

/// `1536 MiB`.
pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", thousands(bytes.div_ceil(1 << 20)))
}

/// Nanoseconds in the unit that a person would use.
#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
pub(crate) fn duration(ns: u64) -> String {
    match ns {
        0..10_000 => format!("{ns} ns"),
        10_000..10_000_000 => format!("{:.1} µs", ns as f64 / 1e3),
        10_000_000..10_000_000_000 => format!("{:.1} ms", ns as f64 / 1e6),
        _ => format!("{:.1} s", ns as f64 / 1e9),
    }
}

/// The percentiles as the cells of a row.
pub(crate) fn percentiles(p: &Percentiles) -> [String; 5] {
    [p.p50_ns, p.p90_ns, p.p99_ns, p.p999_ns, p.max_ns].map(duration)
}

/// The names of those cells.
pub(crate) const PERCENTILES: [&str; 5] = ["p50>", "p90>", "p99>", "p99.9>", "max>"];

/// A ratio as a figure per unit, 0 for none.
#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
pub(crate) fn per(amount: u64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { amount as f64 / count as f64 }
}
