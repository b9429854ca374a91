//! How sure a detector is, in parts per million. The formulas are those of `docs/detection.md`.

use libm::{asin, erfc, exp, sqrt};

/// Parts per million.
pub(crate) const PPM: u32 = 1_000_000;

/// Confidence in a disagreement that each of `n` events shows: the lower end of the 95 % Wilson interval of n out of n,
/// n / (n + z²) with z = 1.96. In integers, so it is exact.
pub(crate) fn fact(n: u64) -> u32 {
    const Z_SQUARED_E4: u128 = 38_416;
    let scaled = u128::from(n) * 10_000;
    u32::try_from(scaled * u128::from(PPM) / (scaled + Z_SQUARED_E4)).unwrap_or(PPM)
}

/// Confidence that `count` events are more than a Poisson process of mean `mean` gives, the largest of `tests` windows
/// having been picked (Anscombe's square root, one-sided, Bonferroni).
pub(crate) fn excess(count: u64, mean: u64, tests: u64) -> u32 {
    significance(2.0 * (root(count) - root(mean)), tests)
}

/// Confidence that two Poisson rates differ: `count` events in `time`, `before` events in `time_before` (same unit).
pub(crate) fn rate_change(count: u64, time: u64, before: u64, time_before: u64, tests: u64) -> u32 {
    let ratio = float(time) / float(time_before.max(1));
    let expected = sqrt((float(before) + 0.375) * ratio);
    let z = 2.0 * (root(count) - expected) / sqrt(1.0 + ratio);
    significance(z.abs(), tests.saturating_mul(2))
}

/// Confidence that a share of `part` in `whole` exceeds `share_ppm`, the largest of `tests` windows having been picked
/// (arcsine square root, one-sided, Bonferroni).
pub(crate) fn share_excess(part: u64, whole: u64, share_ppm: u32, tests: u64) -> u32 {
    let angle = |share: f64| asin(sqrt(share.clamp(0.0, 1.0)));
    let observed = angle(float(part) / float(whole.max(1)));
    let allowed = angle(f64::from(share_ppm) / f64::from(PPM));
    significance(2.0 * sqrt(float(whole)) * (observed - allowed), tests)
}

/// Confidence that a Poisson process of `per_minute` events would have shown one in `silence_ms`.
pub(crate) fn silence(per_minute: u64, silence_ms: u64) -> u32 {
    ppm(1.0 - exp(-float(per_minute) * float(silence_ms) / 60_000.0))
}

fn significance(z: f64, tests: u64) -> u32 {
    let tail = erfc(z / core::f64::consts::SQRT_2) / 2.0;
    ppm(1.0 - tail * float(tests.max(1)))
}

fn root(count: u64) -> f64 {
    sqrt(float(count) + 0.375)
}

#[allow(clippy::cast_precision_loss)] // Counts beyond 2⁵³ do not occur, and an estimate may round.
fn float(count: u64) -> f64 {
    count as f64
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Clamped to 0..=1 first.
fn ppm(probability: f64) -> u32 {
    libm::floor(probability.clamp(0.0, 1.0) * f64::from(PPM)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_grow_with_evidence() {
        assert_eq!(fact(0), 0);
        assert_eq!(fact(1), 206_543);
        assert!((750_000..760_000).contains(&fact(12)) && fact(200) > 950_000 && fact(u64::MAX) <= PPM);
    }

    #[test]
    fn rates_are_judged_by_what_chance_gives() {
        assert!(excess(101, 100, 1) < 600_000, "one more than expected is no finding");
        assert!(excess(200, 100, 1) > 999_000);
        assert_eq!(excess(110, 100, 1_000_000), 0, "among a million windows, 110 is expected somewhere");
        assert!(rate_change(100, 60, 100, 60, 1) < 500_000);
        assert!(rate_change(300, 60, 100, 60, 1) > 999_000 && rate_change(30, 60, 100, 60, 1) > 999_000);
        assert!(share_excess(12, 100, 50_000, 1) > 950_000 && share_excess(5, 100, 50_000, 1) <= 500_000);
        assert!(silence(30, 10_000) > 990_000 && silence(1, 10_000) < 200_000);
    }
}
