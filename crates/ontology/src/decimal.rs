//! Exact decimal numbers for bounds and thresholds: no float ever enters hashed bytes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::OntologyError;

/// Digits kept after the decimal point, as `xsd:decimal` processors must support at least.
pub const DECIMAL_SCALE: u32 = 18;
const UNIT: i128 = 1_000_000_000_000_000_000;

/// A decimal number with up to 20 digits before and 18 after the point, compared exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal(i128);

impl Decimal {
    /// The number times 10¹⁸: the exact value as an integer.
    pub fn scaled(&self) -> i128 {
        self.0
    }

    /// So many millionths, e.g. parts per million as a share.
    pub fn from_millionths(parts: i64) -> Self {
        Self(i128::from(parts) * (UNIT / 1_000_000))
    }

    /// The number in millionths; `None` when it is not a whole number of them.
    pub fn to_millionths(self) -> Option<i128> {
        (self.0 % (UNIT / 1_000_000) == 0).then_some(self.0 / (UNIT / 1_000_000))
    }

    /// The decimal nearest to a finite float; `None` when it is not finite or too large.
    pub fn from_f64(value: f64) -> Option<Self> {
        // The shortest text that reads back as the same float: what the producer most likely wrote.
        if value.is_finite() { format!("{value}").parse().ok() } else { None }
    }

    /// The decimal nearest below, as a float, for arithmetic that is not hashed.
    #[allow(clippy::cast_precision_loss)]
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / UNIT as f64
    }
}

impl From<i64> for Decimal {
    fn from(value: i64) -> Self {
        Self(i128::from(value) * UNIT)
    }
}

impl FromStr for Decimal {
    type Err = OntologyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || OntologyError::BadDecimal { text: text.chars().take(60).collect() };
        let (negative, digits) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty())
            || whole.len() > 20
            || !all_digits(whole)
            || !all_digits(fraction)
            || fraction.trim_end_matches('0').len() > DECIMAL_SCALE as usize
        {
            return Err(bad());
        }
        let fraction = fraction.trim_end_matches('0');
        let parse = |s: &str| if s.is_empty() { Ok(0) } else { s.parse::<i128>().map_err(|_| bad()) };
        let places = u32::try_from(fraction.len()).map_err(|_| bad())?;
        let value = parse(whole)?
            .checked_mul(UNIT)
            .and_then(|v| v.checked_add(parse(fraction).ok()? * 10_i128.pow(DECIMAL_SCALE - places)))
            .ok_or_else(bad)?;
        Ok(Self(if negative { -value } else { value }))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.unsigned_abs();
        let unit = UNIT.unsigned_abs();
        if self.0 < 0 {
            f.write_str("-")?;
        }
        write!(f, "{}", magnitude / unit)?;
        let fraction = format!("{:018}", magnitude % unit);
        let fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() { Ok(()) } else { write!(f, ".{fraction}") }
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_value_agree() {
        for (text, canonical) in
            [("1", "1"), ("-0.50", "-0.5"), ("+3.140", "3.14"), (".5", "0.5"), ("7.", "7"), ("-0", "0")]
        {
            assert_eq!(text.parse::<Decimal>().unwrap().to_string(), canonical);
        }
        for bad in ["", "-", "1e5", "NaN", "1.2.3", "0.0000000000000000001", "999999999999999999999"] {
            assert!(bad.parse::<Decimal>().is_err(), "{bad}");
        }
        assert!("2.5".parse::<Decimal>().unwrap() < "2.50001".parse().unwrap());
        assert_eq!(Decimal::from_f64(0.1).unwrap().to_string(), "0.1");
        assert_eq!(Decimal::from_f64(f64::NAN), None);
    }
}
