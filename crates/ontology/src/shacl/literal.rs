//! What literals mean: whether a text is of its datatype, and the order of values (XSD 1.1 part 2, SPARQL 1.1 §17.3).

use std::cmp::Ordering;

use oxsdatatypes::{
    Boolean, Date, DateTime, DayTimeDuration, Double, Duration, Float, GDay, GMonth, GMonthDay, GYear,
    GYearMonth, Time, YearMonthDuration,
};

use crate::triple::Literal;

const XSD: &str = "http://www.w3.org/2001/XMLSchema#";

/// The datatype's name within XSD.
fn xsd(literal: &Literal) -> Option<&str> {
    literal.datatype().as_str().strip_prefix(XSD)
}

/// Whether the text is in the lexical space of the literal's datatype. Datatypes that are not of XSD have no rule here:
/// every text is one of theirs.
pub(super) fn is_well_formed(literal: &Literal) -> bool {
    let text = literal.value();
    let Some(name) = xsd(literal) else { return true };
    match name {
        "boolean" => text.parse::<Boolean>().is_ok(),
        "decimal" => Number::read(text).is_some(),
        "float" => is_floating(text) && text.parse::<Float>().is_ok(),
        "double" => is_floating(text) && text.parse::<Double>().is_ok(),
        "dateTime" => text.parse::<DateTime>().is_ok(),
        "dateTimeStamp" => text.parse::<DateTime>().is_ok_and(|t| t.timezone_offset().is_some()),
        "date" => text.parse::<Date>().is_ok(),
        "time" => text.parse::<Time>().is_ok(),
        "gYear" => text.parse::<GYear>().is_ok(),
        "gYearMonth" => text.parse::<GYearMonth>().is_ok(),
        "gMonth" => text.parse::<GMonth>().is_ok(),
        "gMonthDay" => text.parse::<GMonthDay>().is_ok(),
        "gDay" => text.parse::<GDay>().is_ok(),
        "duration" => text.parse::<Duration>().is_ok(),
        "dayTimeDuration" => text.parse::<DayTimeDuration>().is_ok(),
        "yearMonthDuration" => text.parse::<YearMonthDuration>().is_ok(),
        "hexBinary" => text.len().is_multiple_of(2) && text.bytes().all(|b| b.is_ascii_hexdigit()),
        "base64Binary" => is_base64(text),
        "language" => is_language(text),
        "anyURI" => !text.contains([' ', '<', '>', '"', '{', '}', '|', '\\', '^', '`']),
        name => match bounds(name) {
            Some((least, most)) => {
                let within = |n: &Number<'_>| {
                    least.is_none_or(|least| n.compare(&Number::of(least)) != Ordering::Less)
                        && most.is_none_or(|most| n.compare(&Number::of(most)) != Ordering::Greater)
                };
                !text.contains('.') && Number::read(text).is_some_and(|n| within(&n))
            }
            None => true,
        },
    }
}

/// Least and most of the integer types of XSD; `None` for names that are none.
fn bounds(name: &str) -> Option<(Option<&'static str>, Option<&'static str>)> {
    Some(match name {
        "integer" => (None, None),
        "nonNegativeInteger" => (Some("0"), None),
        "positiveInteger" => (Some("1"), None),
        "nonPositiveInteger" => (None, Some("0")),
        "negativeInteger" => (None, Some("-1")),
        "long" => (Some("-9223372036854775808"), Some("9223372036854775807")),
        "int" => (Some("-2147483648"), Some("2147483647")),
        "short" => (Some("-32768"), Some("32767")),
        "byte" => (Some("-128"), Some("127")),
        "unsignedLong" => (Some("0"), Some("18446744073709551615")),
        "unsignedInt" => (Some("0"), Some("4294967295")),
        "unsignedShort" => (Some("0"), Some("65535")),
        "unsignedByte" => (Some("0"), Some("255")),
        _ => return None,
    })
}

/// The library reads more names of infinity than XSD has.
fn is_floating(text: &str) -> bool {
    matches!(text, "INF" | "+INF" | "-INF" | "NaN")
        || !text.contains(|c: char| c.is_alphabetic() && !matches!(c, 'e' | 'E'))
}

fn is_base64(text: &str) -> bool {
    let digits: Vec<u8> = text.bytes().filter(|b| *b != b' ').collect();
    let body = digits.iter().rposition(|b| *b != b'=').map_or(0, |at| at + 1);
    digits.len().is_multiple_of(4)
        && digits.len() - body <= 2
        && digits[..body].iter().all(|b| b.is_ascii_alphanumeric() || *b == b'+' || *b == b'/')
}

fn is_language(text: &str) -> bool {
    let mut parts = text.split('-');
    let sized = |part: &str| (1..=8).contains(&part.len());
    parts.next().is_some_and(|first| sized(first) && first.bytes().all(|b| b.is_ascii_alphabetic()))
        && parts.all(|part| sized(part) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// The order of two values by SPARQL's operators; `None` when they cannot be compared.
pub(super) fn compare(a: &Literal, b: &Literal) -> Option<Ordering> {
    if a.language().is_some() || b.language().is_some() {
        return None;
    }
    let (kind_a, kind_b) = (xsd(a)?, xsd(b)?);
    let exact = |name: &str| name == "decimal" || bounds(name).is_some();
    let floating = |name: &str| name == "float" || name == "double";
    let (text_a, text_b) = (a.value(), b.value());
    if !is_well_formed(a) || !is_well_formed(b) {
        return None;
    }
    match (kind_a, kind_b) {
        _ if exact(kind_a) && exact(kind_b) => Some(Number::read(text_a)?.compare(&Number::read(text_b)?)),
        _ if (exact(kind_a) || floating(kind_a)) && (exact(kind_b) || floating(kind_b)) => {
            // As XPath promotes: to float when one is a float and none a double, else to double.
            if kind_a == "double" || kind_b == "double" {
                text_a.parse::<Double>().ok()?.partial_cmp(&text_b.parse::<Double>().ok()?)
            } else {
                text_a.parse::<Float>().ok()?.partial_cmp(&text_b.parse::<Float>().ok()?)
            }
        }
        ("string", "string") => Some(text_a.cmp(text_b)),
        ("boolean", "boolean") => {
            let truth = |text: &str| text.parse::<Boolean>().ok().map(bool::from);
            Some(truth(text_a)?.cmp(&truth(text_b)?))
        }
        ("dateTime" | "dateTimeStamp", "dateTime" | "dateTimeStamp") => order::<DateTime>(text_a, text_b),
        ("date", "date") => order::<Date>(text_a, text_b),
        ("time", "time") => order::<Time>(text_a, text_b),
        ("gYear", "gYear") => order::<GYear>(text_a, text_b),
        ("gYearMonth", "gYearMonth") => order::<GYearMonth>(text_a, text_b),
        ("gMonth", "gMonth") => order::<GMonth>(text_a, text_b),
        ("gMonthDay", "gMonthDay") => order::<GMonthDay>(text_a, text_b),
        ("gDay", "gDay") => order::<GDay>(text_a, text_b),
        (
            "duration" | "dayTimeDuration" | "yearMonthDuration",
            "duration" | "dayTimeDuration" | "yearMonthDuration",
        ) => order::<Duration>(text_a, text_b),
        _ => None,
    }
}

fn order<T: std::str::FromStr + PartialOrd>(a: &str, b: &str) -> Option<Ordering> {
    a.parse::<T>().ok()?.partial_cmp(&b.parse::<T>().ok()?)
}

/// A decimal number of any length: its sign, the digits before the point without leading zeros, and those after it
/// without trailing ones.
#[derive(Clone, Copy, Debug)]
struct Number<'t> {
    is_negative: bool,
    whole: &'t str,
    part: &'t str,
}

impl<'t> Number<'t> {
    fn read(text: &'t str) -> Option<Self> {
        let (is_negative, digits) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && part.is_empty()) || !all_digits(whole) || !all_digits(part) {
            return None;
        }
        let (whole, part) = (whole.trim_start_matches('0'), part.trim_end_matches('0'));
        let is_zero = whole.is_empty() && part.is_empty();
        Some(Self { is_negative: is_negative && !is_zero, whole, part })
    }

    /// One of the bounds above, which are well formed.
    fn of(text: &'t str) -> Self {
        Self::read(text).unwrap_or(Self { is_negative: false, whole: "", part: "" })
    }

    fn compare(&self, other: &Self) -> Ordering {
        let magnitude =
            |a: &Self, b: &Self| (a.whole.len(), a.whole, a.part).cmp(&(b.whole.len(), b.whole, b.part));
        match (self.is_negative, other.is_negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => magnitude(self, other),
            (true, true) => magnitude(other, self),
        }
    }
}

/// Whether a language tag is one of a range (SPARQL `langMatches`, RFC 4647 §3.3.1). Both in lower case.
pub(super) fn lang_matches(tag: &str, range: &str) -> bool {
    range == "*" || tag.strip_prefix(range).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iri::Iri;

    fn literal(text: &str, name: &str) -> Literal {
        Literal::typed(text, Iri::new(format!("{XSD}{name}")).unwrap())
    }

    #[test]
    fn a_text_is_of_its_datatype_or_not() {
        for (text, name, expected) in [
            ("1", "integer", true),
            ("-0", "nonNegativeInteger", true),
            ("-1", "nonNegativeInteger", false),
            ("1.0", "integer", false),
            ("99999999999999999999999999999999999999999999", "integer", true),
            ("128", "byte", false),
            ("-128", "byte", true),
            ("18446744073709551616", "unsignedLong", false),
            (".5", "decimal", true),
            ("5.", "decimal", true),
            (".", "decimal", false),
            ("1e3", "decimal", false),
            ("1e3", "double", true),
            ("INF", "float", true),
            ("infinity", "float", false),
            ("nan", "double", false),
            ("-1.5E-3", "double", true),
            ("TRUE", "boolean", false),
            ("0", "boolean", true),
            ("2024-02-30", "date", false),
            ("2024-02-29", "date", true),
            ("2024-02-29T00:00:00", "dateTimeStamp", false),
            ("abc", "hexBinary", false),
            ("abcd", "hexBinary", true),
            ("YQ==", "base64Binary", true),
            ("YQ=", "base64Binary", false),
            ("de-AT", "language", true),
            ("de_AT", "language", false),
            ("anything", "string", true),
        ] {
            assert_eq!(is_well_formed(&literal(text, name)), expected, "{text} as xsd:{name}");
        }
    }

    #[test]
    fn numbers_of_any_length_and_kind_have_an_order() {
        use Ordering::{Equal, Greater, Less};
        for (a, kind_a, b, kind_b, expected) in [
            ("10", "integer", "9", "integer", Some(Greater)),
            ("-10", "integer", "-9.5", "decimal", Some(Less)),
            ("1.50", "decimal", "01.5", "decimal", Some(Equal)),
            ("1.05", "decimal", "1.5", "decimal", Some(Less)),
            ("-0", "integer", "0.0", "decimal", Some(Equal)),
            ("100000000000000000000000000000000000000000001", "integer", "1", "byte", Some(Greater)),
            ("1", "integer", "1.5e0", "double", Some(Less)),
            ("a", "string", "b", "string", Some(Less)),
            ("1", "string", "1", "integer", None),
            ("x", "integer", "1", "integer", None),
            ("false", "boolean", "1", "boolean", Some(Less)),
            ("2024-01-01", "date", "2024-01-02", "date", Some(Less)),
            ("2024-01-01T00:00:00", "dateTime", "2024-01-01T00:00:00Z", "dateTime", None),
            ("NaN", "double", "1", "double", None),
            ("1e1", "decimal", "1", "double", None),
            ("300", "byte", "1", "double", None),
        ] {
            assert_eq!(compare(&literal(a, kind_a), &literal(b, kind_b)), expected, "{a} against {b}");
        }
    }
}
