//! SHA-256 digests and byte strings, with one encoding each for machines and for people.

use std::fmt;
use std::str::FromStr;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// A SHA-256 digest (FIPS 180-4).
///
/// In canonical CBOR it is a byte string of 32 bytes; in human-readable formats (JSON, TOML) and in text it is 64
/// lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Thirty-two zero bytes: "there is no predecessor" in a block header, "none in force" in a receipt.
    pub const ZERO: Self = Self([0; 32]);

    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of the concatenation of `parts`.
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut sha = Sha256::new();
        for part in parts {
            sha.update(part);
        }
        Self(sha.finalize().into())
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 16 bytes, for fields that name rather than prove.
    pub fn prefix(&self) -> [u8; 16] {
        let mut out = [0; 16];
        out.copy_from_slice(&self.0[..16]);
        out
    }

    /// Reads a digest from exactly 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self> {
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| Error::Shape { what: "hash", why: format!("it has {} bytes, not 32", bytes.len()) })
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl FromStr for Hash {
    type Err = Error;

    /// Reads 64 lower-case hexadecimal digits; upper case is refused, so that a digest has one spelling.
    fn from_str(text: &str) -> Result<Self> {
        Self::from_slice(&decode_hex(text)?)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serialize_bytes(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Self::from_slice(&deserialize_bytes(deserializer)?).map_err(D::Error::custom)
    }
}

/// A byte string: CBOR bytes in canonical form, lower-case hexadecimal in human-readable formats.
///
/// Use it for fields of hashed structures; a plain `Vec<u8>` would become a CBOR array of integers.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes(pub Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({})", hex::encode(&self.0))
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serialize_bytes(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserialize_bytes(deserializer).map(Self)
    }
}

fn decode_hex(text: &str) -> Result<Vec<u8>> {
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(Error::Shape { what: "hexadecimal text", why: "it has upper-case digits".into() });
    }
    hex::decode(text).map_err(|e| Error::Shape { what: "hexadecimal text", why: e.to_string() })
}

fn serialize_bytes<S: Serializer>(bytes: &[u8], serializer: S) -> std::result::Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        serializer.serialize_str(&hex::encode(bytes))
    } else {
        serializer.serialize_bytes(bytes)
    }
}

fn deserialize_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Vec<u8>, D::Error> {
    if deserializer.is_human_readable() {
        decode_hex(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    } else {
        deserializer.deserialize_bytes(ByteString)
    }
}

struct ByteString;

impl<'de> Visitor<'de> for ByteString {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a byte string")
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> std::result::Result<Self::Value, E> {
        Ok(bytes.to_vec())
    }

    fn visit_byte_buf<E: serde::de::Error>(self, bytes: Vec<u8>) -> std::result::Result<Self::Value, E> {
        Ok(bytes)
    }

    // Without this, an array of integers would be a second spelling of the same digest.
    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> std::result::Result<Self::Value, A::Error> {
        Err(A::Error::custom("an array is not a byte string"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_sha_256() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Hash::of(b"abc").to_string(), expected);
        assert_eq!(Hash::of_parts(&[b"a", b"", b"bc"]).to_string(), expected);
        assert_eq!(expected.parse::<Hash>().unwrap(), Hash::of(b"abc"));
    }

    #[test]
    fn a_digest_has_one_spelling() {
        let text = Hash::of(b"abc").to_string();
        assert!(text.to_uppercase().parse::<Hash>().is_err());
        assert!(text[..62].parse::<Hash>().is_err());
        assert!(format!("{}zz", &text[..62]).parse::<Hash>().is_err());
    }

    #[test]
    fn people_read_hexadecimal_and_machines_read_bytes() {
        let hash = Hash::of(b"abc");
        let json = serde_json::to_string(&hash).unwrap();
        assert_eq!(json, format!("\"{hash}\""));
        assert_eq!(serde_json::from_str::<Hash>(&json).unwrap(), hash);

        let cbor = crate::canonical::to_bytes(&hash).unwrap();
        assert_eq!(cbor[..2], [0x58, 32]);
        assert_eq!(crate::canonical::from_bytes::<Hash>(&cbor).unwrap(), hash);
    }

    #[test]
    fn an_array_of_integers_is_not_a_byte_string() {
        let array = crate::canonical::to_bytes(&[1_u8, 2, 3]).unwrap();
        assert!(crate::canonical::from_bytes::<Bytes>(&array).is_err());
        let bytes = Bytes(vec![1, 2, 3]);
        let cbor = crate::canonical::to_bytes(&bytes).unwrap();
        assert_eq!(cbor, [0x43, 1, 2, 3]);
        assert_eq!(crate::canonical::from_bytes::<Bytes>(&cbor).unwrap(), bytes);
    }
}
