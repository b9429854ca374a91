//! Hours of the day, days of the week and fixed offsets from UTC, as doctrine rules write them. No time zone data.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const MINUTES_A_DAY: i64 = 24 * 60;
const MS_A_MINUTE: i64 = 60_000;

/// A time of day, `HH:MM` from `00:00` to `23:59`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Clock(u16);

impl Clock {
    /// Minutes since midnight.
    pub fn minutes(self) -> u16 {
        self.0
    }
}

fn hours_and_minutes(text: &str) -> Option<u16> {
    let bytes = text.as_bytes();
    let digits = [*bytes.first()?, *bytes.get(1)?, *bytes.get(3)?, *bytes.get(4)?];
    if bytes.len() != 5 || bytes[2] != b':' || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let [h1, h2, m1, m2] = digits.map(|digit| u16::from(digit - b'0'));
    let (hours, minutes) = (h1 * 10 + h2, m1 * 10 + m2);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

impl FromStr for Clock {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        hours_and_minutes(text)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not a time of day; write HH:MM, 00:00 to 23:59"))
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// A fixed offset from UTC, `Z` or `+HH:MM` or `-HH:MM`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offset(i16);

impl FromStr for Offset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || format!("`{text}` is not an offset from UTC; write Z, +HH:MM or -HH:MM");
        if text == "Z" {
            return Ok(Self(0));
        }
        let sign = match text.as_bytes().first() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Err(refuse()),
        };
        let minutes = hours_and_minutes(&text[1..]).ok_or_else(refuse)?;
        i16::try_from(minutes).map(|minutes| Self(sign * minutes)).map_err(|_| refuse())
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.0.unsigned_abs();
        match self.0 {
            0 => f.write_str("Z"),
            _ => write!(f, "{}{:02}:{:02}", if self.0 < 0 { '-' } else { '+' }, minutes / 60, minutes % 60),
        }
    }
}

macro_rules! serde_by_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

serde_by_text!(Clock);
serde_by_text!(Offset);

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // The names say it.
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Day {
    const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];

    /// The day before it.
    #[must_use]
    pub fn before(self) -> Self {
        Self::ALL[(self as usize + 6) % 7]
    }
}

/// The day and the minute of the day that a local clock shows at a moment in Unix ms.
pub(crate) fn local_minute(now_ms: i64, offset: Offset) -> (Day, u16) {
    let minutes = now_ms.div_euclid(MS_A_MINUTE) + i64::from(offset.0);
    // 1 January 1970 was a Thursday.
    let weekday = (minutes.div_euclid(MINUTES_A_DAY) + 3).rem_euclid(7);
    let minute = minutes.rem_euclid(MINUTES_A_DAY);
    (Day::ALL[usize::try_from(weekday).unwrap_or(0)], u16::try_from(minute).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_outside_the_form_are_refused() {
        for bad in ["24:00", "12:60", "1:00", "01:000", "ab:cd", "", "é0:00", "+1:00"] {
            assert!(bad.parse::<Clock>().is_err(), "{bad}");
        }
        for bad in ["", "01:00", "+24:00", "z", "é", "UTC", "+é:00"] {
            assert!(bad.parse::<Offset>().is_err(), "{bad}");
        }
        for good in ["Z", "+01:00", "-09:30"] {
            assert_eq!(good.parse::<Offset>().unwrap().to_string(), good);
        }
        assert_eq!("07:05".parse::<Clock>().unwrap().to_string(), "07:05");
    }

    #[test]
    fn the_epoch_was_a_thursday_at_midnight() {
        assert_eq!(local_minute(0, Offset(0)), (Day::Thursday, 0));
        assert_eq!(local_minute(-1, Offset(0)), (Day::Wednesday, 1439));
        assert_eq!(local_minute(0, "-00:30".parse().unwrap()), (Day::Wednesday, 1410));
        assert_eq!(Day::Monday.before(), Day::Sunday);
    }

    proptest! {
        #[test]
        fn every_moment_has_a_day_as_jiff_says(ms in -4_000_000_000_000_i64..4_000_000_000_000) {
            let (day, minute) = local_minute(ms, Offset(0));
            let zoned = jiff::Timestamp::from_millisecond(ms).unwrap().to_zoned(jiff::tz::TimeZone::UTC);
            prop_assert_eq!(day as i8, zoned.weekday().to_monday_zero_offset());
            prop_assert_eq!(i32::from(minute), i32::from(zoned.hour()) * 60 + i32::from(zoned.minute()));
        }
    }
}
