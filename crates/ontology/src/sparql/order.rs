//! The order of `ORDER BY`, `MIN` and `MAX`: that of SPARQL 1.1 §15.1 made total, so that sorting never depends on the
//! order in which rows were found.

use std::cmp::Ordering;

use crate::decimal::Decimal;
use crate::triple::{Literal, Term};
use crate::vocab;

/// Where a term stands, greater for later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    descending: bool,
    place: Place,
}

#[derive(Clone, Debug)]
struct Place {
    rank: u8,
    /// Within numbers their value, within instants the seconds of the time line.
    value: f64,
    exact: Option<Decimal>,
    term: Option<Term>,
}

impl Key {
    pub(crate) fn new(term: Option<Term>, descending: bool) -> Self {
        Self { descending, place: Place::of(term) }
    }

    /// What the key is counted as when it is kept.
    pub(crate) const BYTES: usize = size_of::<Self>();

    pub(crate) fn into_term(self) -> Option<Term> {
        self.place.term
    }
}

impl Place {
    fn of(term: Option<Term>) -> Self {
        let (rank, value) = match &term {
            None => (0, 0.0),
            Some(Term::Iri(iri)) if iri.as_str().starts_with(vocab::SKOLEM_PREFIX) => (1, 0.0),
            Some(Term::Iri(_)) => (2, 0.0),
            Some(Term::Literal(literal)) => of_literal(literal),
        };
        let exact = match &term {
            Some(Term::Literal(literal)) if rank == 4 => literal.value().parse().ok(),
            _ => None,
        };
        Self { rank, value, exact, term }
    }
}

fn of_literal(literal: &Literal) -> (u8, f64) {
    const XSD: &str = "http://www.w3.org/2001/XMLSchema#";
    let text = literal.value();
    match literal.datatype().as_str().strip_prefix(XSD) {
        Some("boolean") => (3, f64::from(u8::from(matches!(text, "true" | "1")))),
        Some("dateTime" | "date") => seconds(text).map_or((9, 0.0), |seconds| (5, seconds)),
        Some("string") => (6, 0.0),
        Some(
            "integer" | "decimal" | "double" | "float" | "byte" | "short" | "int" | "long" | "unsignedByte"
            | "unsignedShort" | "unsignedInt" | "unsignedLong" | "nonNegativeInteger" | "nonPositiveInteger"
            | "positiveInteger" | "negativeInteger",
        ) => match text.parse::<f64>() {
            // -0 and 0 are one number.
            Ok(value) if !value.is_nan() => (4, value + 0.0),
            _ => (9, 0.0),
        },
        _ => (if literal.language().is_some() { 7 } else { 9 }, 0.0),
    }
}

/// Seconds since 1970 of an `xsd:dateTime` or `xsd:date`, in UTC where no zone is stated.
fn seconds(text: &str) -> Option<f64> {
    let (date, rest) = text.split_at_checked(10)?;
    let mut parts = date.split('-').map(str::parse::<i32>);
    let (year, month, day) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    let (time, zone) = match rest.strip_prefix('T') {
        Some(rest) => rest.split_at(rest.find(['Z', '+', '-']).unwrap_or(rest.len())),
        None => ("00:00:00", rest),
    };
    let mut clock = time.split(':').map(str::parse::<f64>);
    let (hours, minutes, seconds) = (clock.next()?.ok()?, clock.next()?.ok()?, clock.next()?.ok()?);
    let offset = match zone.split_at_checked(1) {
        Some((sign @ ("+" | "-"), zone)) => {
            let (hours, minutes) = zone.split_once(':')?;
            let minutes = hours.parse::<f64>().ok()? * 60.0 + minutes.parse::<f64>().ok()?;
            if sign == "-" { -minutes } else { minutes }
        }
        _ => 0.0,
    };
    // Days of the proleptic Gregorian calendar, counted in years that begin in March.
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 719_469;
    Some(((f64::from(days) * 24.0 + hours) * 60.0 + minutes - offset) * 60.0 + seconds)
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.descending { other.place.cmp(&self.place) } else { self.place.cmp(&other.place) }
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank
            .cmp(&other.rank)
            .then_with(|| self.value.total_cmp(&other.value))
            .then_with(|| self.exact.cmp(&other.exact))
            .then_with(|| self.term.cmp(&other.term))
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Place {}
