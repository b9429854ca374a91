//! Deterministic CBOR (RFC 8949 §4.2.1): one byte string per value. See `docs/formats/canonical-cbor.md`.
//!
//! The encoder writes only the canonical form; the decoder refuses every other form, so equal bytes and equal values
//! are the same thing and a digest names a value.

use ciborium::Value;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result, within};

/// Nesting of arrays and maps, the outermost counted as 1.
pub const MAX_DEPTH: usize = 64;
/// Bytes of one canonical document: 16 MiB.
pub const MAX_DOCUMENT_LEN: usize = 16 << 20;

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;

/// Encodes a value.
///
/// # Errors
/// Refuses floats, tags, integers beyond 64 bits, map keys that are not text, repeated keys, nesting above
/// [`MAX_DEPTH`] and documents above [`MAX_DOCUMENT_LEN`].
pub fn to_bytes<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    let value = Value::serialized(value)
        .map_err(|e| Error::Shape { what: "serialisable value", why: e.to_string() })?;
    let mut out = Vec::new();
    encode(&value, 0, &mut out)?;
    within("canonical document", out.len(), MAX_DOCUMENT_LEN)?;
    Ok(out)
}

/// Decodes a value from canonical bytes.
///
/// # Errors
/// Refuses every byte string that [`to_bytes`] would not have written, and values that are not a `T`.
pub fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    parse(bytes)?.deserialized().map_err(|e| Error::Shape { what: "canonical document", why: e.to_string() })
}

/// Decodes a `T` and refuses bytes that are canonical CBOR but not what encoding that `T` gives (an unknown field, an
/// absent field written as null). Use it wherever the digest of a `T` matters.
pub fn from_bytes_exact<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let value: T = from_bytes(bytes)?;
    if to_bytes(&value)? != bytes {
        return Err(Error::NotCanonical {
            offset: 0,
            why: "the fields are not exactly those of this structure",
        });
    }
    Ok(value)
}

/// Checks that bytes are one canonical document, whatever it says.
pub fn check(bytes: &[u8]) -> Result<()> {
    parse(bytes).map(drop)
}

/// The byte string or text that a document, a map, has under `key`; nothing else of it is decoded.
///
/// # Errors
/// Refuses what is not a canonical map, as far as it had to be read, and a map without such a string.
pub(crate) fn string<'a>(bytes: &'a [u8], key: &str) -> Result<&'a [u8]> {
    let mut decoder = Decoder { bytes, at: 0 };
    let (MAP, pairs) = decoder.head()? else { return Err(decoder.refuse("the document is not a map")) };
    for _ in 0..pairs {
        let (TEXT, len) = decoder.head()? else { return Err(decoder.refuse("a map key is not text")) };
        let found = decoder.take(len)? == key.as_bytes();
        if found {
            let (BYTES | TEXT, len) = decoder.head()? else {
                return Err(decoder.refuse("the field is not a string"));
            };
            return decoder.take(len);
        }
        decoder.skip()?;
    }
    Err(decoder.refuse("the field is missing"))
}

fn parse(bytes: &[u8]) -> Result<Value> {
    within("canonical document", bytes.len(), MAX_DOCUMENT_LEN)?;
    let mut decoder = Decoder { bytes, at: 0 };
    let value = decoder.value(0)?;
    if decoder.at != bytes.len() {
        return Err(decoder.refuse("bytes follow the document"));
    }
    Ok(value)
}

fn encode(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<()> {
    match value {
        Value::Null => out.push(0xf6),
        Value::Bool(false) => out.push(0xf4),
        Value::Bool(true) => out.push(0xf5),
        Value::Integer(integer) => {
            let number = i128::from(*integer);
            let (major, magnitude) = if number < 0 { (NEGATIVE, -1 - number) } else { (UNSIGNED, number) };
            let magnitude = u64::try_from(magnitude)
                .map_err(|_| Error::Unencodable { what: "an integer beyond 64 bits" })?;
            head(major, magnitude, out);
        }
        Value::Bytes(bytes) => {
            head(BYTES, bytes.len() as u64, out);
            out.extend_from_slice(bytes);
        }
        Value::Text(text) => encode_text(text, out),
        Value::Array(items) => {
            within("nesting depth", depth + 1, MAX_DEPTH)?;
            head(ARRAY, items.len() as u64, out);
            for item in items {
                encode(item, depth + 1, out)?;
            }
        }
        Value::Map(pairs) => {
            within("nesting depth", depth + 1, MAX_DEPTH)?;
            let mut sorted = Vec::with_capacity(pairs.len());
            for (key, value) in pairs {
                let Value::Text(text) = key else {
                    return Err(Error::Unencodable { what: "a map key that is not text" });
                };
                let mut encoded = Vec::with_capacity(text.len() + 9);
                encode_text(text, &mut encoded);
                sorted.push((encoded, value));
            }
            sorted.sort_by(|a, b| a.0.cmp(&b.0));
            if sorted.windows(2).any(|pair| pair[0].0 == pair[1].0) {
                return Err(Error::Unencodable { what: "a map with a repeated key" });
            }
            head(MAP, pairs.len() as u64, out);
            for (key, value) in sorted {
                out.extend_from_slice(&key);
                encode(value, depth + 1, out)?;
            }
        }
        Value::Float(_) => return Err(Error::Float),
        Value::Tag(..) => return Err(Error::Unencodable { what: "a tag or an integer beyond 64 bits" }),
        _ => return Err(Error::Unencodable { what: "an unknown kind of value" }),
    }
    Ok(())
}

fn encode_text(text: &str, out: &mut Vec<u8>) {
    head(TEXT, text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

fn head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    let bytes = argument.to_be_bytes();
    match argument {
        0..=23 => out.push(major | bytes[7]),
        24..=0xff => out.extend_from_slice(&[major | 0x18, bytes[7]]),
        0x100..=0xffff => {
            out.push(major | 0x19);
            out.extend_from_slice(&bytes[6..]);
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major | 0x1a);
            out.extend_from_slice(&bytes[4..]);
        }
        _ => {
            out.push(major | 0x1b);
            out.extend_from_slice(&bytes);
        }
    }
}

struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Decoder<'a> {
    fn refuse(&self, why: &'static str) -> Error {
        Error::NotCanonical { offset: self.at, why }
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let len = usize::try_from(len).ok().filter(|len| *len <= rest.len());
        let len = len.ok_or_else(|| self.refuse("the document ends early"))?;
        self.at += len;
        Ok(&rest[..len])
    }

    /// Reads a head in its shortest form and gives (major type, argument).
    fn head(&mut self) -> Result<(u8, u64)> {
        let first = self.take(1)?[0];
        let (major, short) = (first >> 5, first & 0x1f);
        if major > MAP {
            return Ok((major, u64::from(short)));
        }
        let (width, least) = match short {
            0..=23 => return Ok((major, u64::from(short))),
            24 => (1, 24),
            25 => (2, 0x100),
            26 => (4, 0x1_0000),
            27 => (8, 0x1_0000_0000),
            _ => return Err(self.refuse("indefinite or reserved length")),
        };
        let argument = self.take(width)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        if argument < least {
            return Err(self.refuse("a number is not in its shortest form"));
        }
        Ok((major, argument))
    }

    /// A number of items, refused before anything is allocated if the rest of the document cannot hold them.
    fn count(&self, argument: u64, bytes_each: usize) -> Result<usize> {
        let room = (self.bytes.len() - self.at) / bytes_each;
        usize::try_from(argument)
            .ok()
            .filter(|count| *count <= room)
            .ok_or_else(|| self.refuse("the document ends early"))
    }

    /// Passes over one value. What it holds is counted, not nested, so no depth can exhaust the stack.
    fn skip(&mut self) -> Result<()> {
        let mut left: u64 = 1;
        while left > 0 {
            left -= 1;
            let (major, argument) = self.head()?;
            match major {
                BYTES | TEXT => {
                    self.take(argument)?;
                }
                ARRAY => left += self.count(argument, 1)? as u64,
                MAP => left += 2 * self.count(argument, 2)? as u64,
                _ => {}
            }
        }
        Ok(())
    }

    fn text(&mut self, len: u64) -> Result<String> {
        let bytes = self.take(len)?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| self.refuse("text is not UTF-8"))
    }

    fn value(&mut self, depth: usize) -> Result<Value> {
        let (major, argument) = self.head()?;
        Ok(match major {
            UNSIGNED => Value::Integer(argument.into()),
            NEGATIVE => {
                let number = -1 - i128::from(argument);
                Value::Integer(number.try_into().map_err(|_| self.refuse("an integer beyond 64 bits"))?)
            }
            BYTES => Value::Bytes(self.take(argument)?.to_vec()),
            TEXT => Value::Text(self.text(argument)?),
            ARRAY => {
                within("nesting depth", depth + 1, MAX_DEPTH)?;
                let mut items = Vec::with_capacity(self.count(argument, 1)?);
                for _ in 0..argument {
                    items.push(self.value(depth + 1)?);
                }
                Value::Array(items)
            }
            MAP => {
                within("nesting depth", depth + 1, MAX_DEPTH)?;
                let mut pairs = Vec::with_capacity(self.count(argument, 2)?);
                let mut last: &[u8] = &[];
                for _ in 0..argument {
                    let start = self.at;
                    let (TEXT, len) = self.head()? else {
                        return Err(self.refuse("a map key is not text"));
                    };
                    let key = self.text(len)?;
                    let encoded = &self.bytes[start..self.at];
                    if encoded <= last {
                        return Err(self.refuse("map keys are repeated or not in order"));
                    }
                    last = encoded;
                    pairs.push((Value::Text(key), self.value(depth + 1)?));
                }
                Value::Map(pairs)
            }
            7 => match argument {
                20 => Value::Bool(false),
                21 => Value::Bool(true),
                22 => Value::Null,
                25..=27 => return Err(self.refuse("a float")),
                _ => return Err(self.refuse("a simple value other than false, true and null")),
            },
            _ => return Err(self.refuse("a tag")),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(|n| Value::Integer(n.into())),
            any::<u64>().prop_map(|n| Value::Integer(n.into())),
            (0_u64..300).prop_map(|n| Value::Integer(n.into())),
            proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
            "[a-zé]{0,30}".prop_map(Value::Text),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                proptest::collection::btree_map("[a-z]{0,26}", inner, 0..6).prop_map(
                    |map: BTreeMap<_, _>| {
                        Value::Map(map.into_iter().map(|(k, v)| (Value::Text(k), v)).collect())
                    }
                ),
            ]
        })
    }

    #[test]
    fn a_string_is_found_without_decoding_the_rest() {
        #[derive(Serialize)]
        struct Sample {
            a: (Option<bool>, BTreeMap<&'static str, Vec<Vec<u8>>>),
            text: &'static str,
            wanted: crate::hash::Bytes,
        }
        let nested = BTreeMap::from([("a", vec![vec![1_u8], vec![]]), ("b", vec![])]);
        let bytes = to_bytes(&(&nested, 1)).unwrap();
        assert!(string(&bytes, "x").is_err());
        let sample = Sample { a: (None, nested), text: "x", wanted: crate::hash::Bytes(vec![7; 40]) };
        let bytes = to_bytes(&sample).unwrap();
        assert_eq!(string(&bytes, "wanted").unwrap(), &[7; 40]);
        assert_eq!(string(&bytes, "text").unwrap(), b"x");
        assert!(string(&bytes, "a").is_err());
        assert!(string(&bytes, "none").is_err());
        for len in 0..bytes.len() {
            assert!(string(&bytes[..len], "wanted").is_err(), "{len}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_the_same_value(value in any_value()) {
            let bytes = to_bytes(&value).unwrap();
            let back: Value = from_bytes(&bytes).unwrap();
            prop_assert_eq!(&to_bytes(&back).unwrap(), &bytes);
            prop_assert!(check(&bytes).is_ok());
        }

        #[test]
        fn a_changed_document_is_refused_or_is_another_canonical_document(
            value in any_value(), at in any::<prop::sample::Index>(), mask in 1_u8..,
        ) {
            let mut bytes = to_bytes(&value).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= mask;
            if let Ok(other) = from_bytes::<Value>(&bytes) {
                prop_assert_eq!(to_bytes(&other).unwrap(), bytes);
            }
        }

        #[test]
        fn any_bytes_are_refused_or_canonical(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(value) = from_bytes::<Value>(&bytes) {
                prop_assert_eq!(to_bytes(&value).unwrap(), bytes);
            }
        }
    }

    fn refusal(hex_text: &str) -> &'static str {
        match check(&hex::decode(hex_text).unwrap()) {
            Err(Error::NotCanonical { why, .. }) => why,
            other => panic!("{hex_text}: {other:?}"),
        }
    }

    #[test]
    fn every_second_spelling_is_refused() {
        assert_eq!(refusal("1817"), "a number is not in its shortest form");
        assert_eq!(refusal("1900ff"), "a number is not in its shortest form");
        assert_eq!(refusal("1a0000ffff"), "a number is not in its shortest form");
        assert_eq!(refusal("1b00000000ffffffff"), "a number is not in its shortest form");
        assert_eq!(refusal("9f01ff"), "indefinite or reserved length");
        assert_eq!(refusal("5f4101ff"), "indefinite or reserved length");
        assert_eq!(refusal("1c"), "indefinite or reserved length");
        assert_eq!(refusal("f97e00"), "a float");
        assert_eq!(refusal("fb3ff0000000000000"), "a float");
        assert_eq!(refusal("f7"), "a simple value other than false, true and null");
        assert_eq!(refusal("f820"), "a simple value other than false, true and null");
        assert_eq!(refusal("c100"), "a tag");
        assert_eq!(refusal("a10102"), "a map key is not text");
        assert_eq!(refusal("a2616201616102"), "map keys are repeated or not in order");
        assert_eq!(refusal("a2616101616102"), "map keys are repeated or not in order");
        assert_eq!(refusal("0000"), "bytes follow the document");
        assert_eq!(refusal("61ff"), "text is not UTF-8");
        assert_eq!(refusal(""), "the document ends early");
        assert_eq!(refusal("9bffffffffffffffff"), "the document ends early");
        assert_eq!(refusal("5bffffffffffffffff"), "the document ends early");
    }

    #[test]
    fn keys_are_sorted_by_their_encoded_bytes() {
        // "z" sorts before "aa": the length is part of the encoded key.
        let map = BTreeMap::from([("aa", 1), ("z", 2)]);
        assert_eq!(to_bytes(&map).unwrap(), hex::decode("a2617a0262616101").unwrap());
    }

    #[test]
    fn what_has_no_canonical_form_is_refused() {
        assert_eq!(to_bytes(&1.5_f64), Err(Error::Float));
        assert_eq!(to_bytes(&[1.0_f32]), Err(Error::Float));
        assert!(matches!(to_bytes(&BTreeMap::from([(1, 2)])), Err(Error::Unencodable { .. })));
        assert!(matches!(to_bytes(&u128::MAX), Err(Error::Unencodable { .. })));
        let twice =
            Value::Map(vec![(Value::Text("a".into()), Value::Null), (Value::Text("a".into()), Value::Null)]);
        assert!(matches!(to_bytes(&twice), Err(Error::Unencodable { .. })));
    }

    #[test]
    fn nesting_is_bounded_both_ways() {
        let nested =
            |levels: usize| (1..levels).fold(Value::Array(vec![]), |inner, _| Value::Array(vec![inner]));
        let deepest = to_bytes(&nested(MAX_DEPTH)).unwrap();
        assert!(check(&deepest).is_ok());
        assert!(matches!(to_bytes(&nested(MAX_DEPTH + 1)), Err(Error::Limit { .. })));
        let mut deeper = vec![0x81; MAX_DEPTH];
        deeper.push(0x80);
        assert!(matches!(check(&deeper), Err(Error::Limit { .. })));
        assert!(matches!(check(&vec![0x81; 1 << 20]), Err(Error::Limit { .. })));
    }

    #[test]
    fn integers_reach_both_ends_of_sixty_four_bits() {
        for number in [i128::from(u64::MAX), 0, -1, i128::from(i64::MIN), -1 - i128::from(u64::MAX)] {
            let value = Value::Integer(number.try_into().unwrap());
            assert_eq!(from_bytes::<Value>(&to_bytes(&value).unwrap()).unwrap(), value);
        }
    }

    #[test]
    fn exact_decoding_refuses_fields_the_structure_does_not_have() {
        #[derive(Serialize, Deserialize)]
        struct Point {
            x: u8,
            y: Option<u8>,
        }
        let exact = to_bytes(&Point { x: 1, y: None }).unwrap();
        assert_eq!(from_bytes_exact::<Point>(&exact).unwrap().x, 1);
        let more = to_bytes(&BTreeMap::from([("x", 1), ("y", 2), ("z", 3)])).unwrap();
        assert!(from_bytes::<Point>(&more).is_ok() && from_bytes_exact::<Point>(&more).is_err());
        let less = to_bytes(&BTreeMap::from([("x", 1)])).unwrap();
        assert!(
            from_bytes::<Point>(&less).is_ok_and(|p| p.y.is_none())
                && from_bytes_exact::<Point>(&less).is_err()
        );
    }
}
