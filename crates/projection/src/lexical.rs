//! Lexical spaces of the datatypes that a JSON string may carry.

/// Whether `text` is a dateTime: RFC 3339 with `T`, seconds and a zone, within what XSD also accepts (no leap second,
/// zone within ±14:00).
pub fn is_date_time(text: &str) -> bool {
    date_time_ms(text).is_some()
}

/// The instant of a dateTime in Unix milliseconds, fractions beyond them cut; `None` when [`is_date_time`] is false.
pub fn date_time_ms(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() < 20 || bytes[10] != b'T' || bytes[13] != b':' || bytes[16] != b':' {
        return None;
    }
    let days = days_of_date(&bytes[..10])?;
    let (hour, minute, second) =
        (two_digits(&bytes[11..13])?, two_digits(&bytes[14..16])?, two_digits(&bytes[17..19])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut rest = &bytes[19..];
    let mut millis = 0;
    if let [b'.', fraction @ ..] = rest {
        let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        for position in 0..3 {
            millis = millis * 10 + fraction[..digits].get(position).map_or(0, |b| i64::from(b - b'0'));
        }
        rest = &fraction[digits..];
    }
    let offset_minutes = match rest {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), zone @ ..] if zone.len() == 5 && zone[2] == b':' => {
            let (hours, minutes) = (two_digits(&zone[..2])?, two_digits(&zone[3..])?);
            if minutes > 59 || hours * 60 + minutes > 14 * 60 {
                return None;
            }
            if *sign == b'-' { -(hours * 60 + minutes) } else { hours * 60 + minutes }
        }
        _ => return None,
    };
    Some((((days * 24 + hour) * 60 + minute - offset_minutes) * 60 + second) * 1_000 + millis)
}

/// Whether `text` is a calendar date `YYYY-MM-DD`.
pub fn is_date(text: &str) -> bool {
    text.len() == 10 && days_of_date(text.as_bytes()).is_some()
}

fn two_digits(bytes: &[u8]) -> Option<i64> {
    match bytes {
        [a @ b'0'..=b'9', b @ b'0'..=b'9'] => Some(i64::from(a - b'0') * 10 + i64::from(b - b'0')),
        _ => None,
    }
}

/// Days from 1970-01-01 to a proleptic Gregorian date of ten bytes.
fn days_of_date(bytes: &[u8]) -> Option<i64> {
    if bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let year = two_digits(&bytes[..2])? * 100 + two_digits(&bytes[2..4])?;
    let (month, day) = (two_digits(&bytes[5..7])?, two_digits(&bytes[8..10])?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if day < 1 || day > last {
        return None;
    }
    // Years start in March, so that the leap day is the last of its year.
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468)
}

/// Whether `text` is an absolute IRI as far as characters go (RFC 3987): a scheme, `:`, something after it, only
/// characters an IRI may hold, and well-formed percent escapes.
pub fn is_absolute_iri(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Some(colon) = bytes
        .iter()
        .take(64)
        .position(|b| *b == b':')
        .filter(|colon| *colon > 0 && bytes[0].is_ascii_alphabetic() && colon + 1 < bytes.len())
    else {
        return false;
    };
    bytes[..colon].iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
        && bytes[colon + 1..].iter().enumerate().all(|(at, b)| match b {
            0..=0x20 | b'<' | b'>' | b'"' | b'{' | b'}' | b'|' | b'\\' | b'^' | b'`' | 0x7f => false,
            b'%' => {
                let digits = bytes.get(colon + 2 + at..colon + 4 + at);
                digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            }
            _ => true,
        })
}

/// Whether `text` is a UUID in its usual form (RFC 9562 §4): 36 characters, either case.
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

/// Whether `text` is a number written as a string: digits with at most one sign and one point.
pub fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    all_digits(whole) && all_digits(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_those_of_the_calendar() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2026-01-05T08:00:00.100Z", Some(1_767_600_000_100)),
            ("2022-08-08T13:51:34.7167146Z", Some(1_659_966_694_716)),
            ("2000-02-29T23:59:59+02:00", Some(951_861_599_000)),
            ("1969-12-31T23:59:59.5-00:30", Some(1_799_500)),
            ("2100-02-29T00:00:00Z", None),
            ("2026-01-05T08:00:00", None),
            ("2026-01-05 08:00:00Z", None),
            ("2026-01-05T24:00:00Z", None),
            ("2026-01-05T08:00:60Z", None),
            ("2026-01-05T08:00:00.Z", None),
            ("2026-01-05T08:00:00+14:01", None),
            ("2026-01-05T08:00:00+1400", None),
            ("2026-13-05T08:00:00Z", None),
            ("2026-04-31T08:00:00Z", None),
            ("2026-0é-05T08:00:00Z", None),
        ] {
            assert_eq!(date_time_ms(text), ms, "{text}");
        }
        assert!(
            is_date("2024-02-29") && !is_date("2023-02-29") && !is_date("2023-2-29") && !is_date("20é3-02-2")
        );
    }

    #[test]
    fn strings_are_told_apart_by_form() {
        for good in ["https://example.com/a?b#c", "urn:x:1", "mailto:a@b", "http://é.example/%41"] {
            assert!(is_absolute_iri(good), "{good}");
        }
        for bad in
            ["", "a", ":x", "a:", "1a:b", "http://x/{id}", "http://x/%4", "http://x/%zz", "a b:c", "Note: hi"]
        {
            assert!(!is_absolute_iri(bad), "{bad}");
        }
        assert!(
            is_uuid("123e4567-e89b-12d3-a456-426614174000")
                && !is_uuid("123e4567-e89b-12d3-a456-42661417400g")
        );
        assert!(
            is_decimal("-1.50")
                && is_decimal("7")
                && !is_decimal("1.")
                && !is_decimal("1e5")
                && !is_decimal("")
        );
    }
}
