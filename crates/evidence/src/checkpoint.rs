//! C2SP tlog-checkpoint: size and root of the log, signed. See `docs/formats/checkpoint.md` and
//! <https://c2sp.org/tlog-checkpoint>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::key::{SigningKey, VerifyingKey};
use crate::note::{self, Note};

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log: name of its keys.
    pub origin: String,
    /// Entries of the log.
    pub size: u64,
    /// RFC 6962 root over them.
    pub root: Hash,
}

impl Checkpoint {
    /// Signs the checkpoint with a key of its log.
    ///
    /// # Errors
    /// Refuses a key under another name than the origin.
    pub fn sign(&self, key: &SigningKey) -> Result<String> {
        self.expect_origin(key.verifying_key())?;
        Ok(note::sign(&self.to_string(), key))
    }

    /// Reads a signed checkpoint and verifies it with a key of its log.
    pub fn open(note: &str, key: &VerifyingKey) -> Result<Self> {
        let unverified = UnverifiedCheckpoint::parse(note)?;
        unverified.verify(key)
    }

    fn expect_origin(&self, key: &VerifyingKey) -> Result<()> {
        if self.origin != key.name() {
            return Err(Error::Key {
                what: "checkpoint",
                actual: self.origin.clone(),
                expected: key.name().to_owned(),
            });
        }
        Ok(())
    }
}

impl std::fmt::Display for Checkpoint {
    /// The three lines that are signed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, BASE64.encode(self.root.as_bytes()))
    }
}

/// A checkpoint whose signature is still to be checked: which key is in force depends on the size it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnverifiedCheckpoint {
    claimed: Checkpoint,
    note: Note,
}

impl UnverifiedCheckpoint {
    /// Reads a checkpoint strictly: exactly three lines, without extension lines.
    pub fn parse(note: &str) -> Result<Self> {
        let wrong = |why: &str| Error::Shape { what: "checkpoint", why: why.into() };
        let note = Note::parse(note)?;
        let body = note.text().strip_suffix('\n').unwrap_or_default();
        let lines: Vec<&str> = body.split('\n').take(4).collect();
        let [origin, size, root] = lines[..] else {
            return Err(wrong("it is not the three lines origin, size and root"));
        };
        let claimed = Checkpoint {
            origin: origin.to_owned(),
            size: decimal(size).ok_or_else(|| wrong("its size is not a decimal number"))?,
            root: base64_hash(root).ok_or_else(|| wrong("its root is not base64 of 32 bytes"))?,
        };
        if origin.is_empty() {
            return Err(wrong("its origin is empty"));
        }
        Ok(Self { claimed, note })
    }

    /// What it claims, unproven.
    pub fn claimed(&self) -> &Checkpoint {
        &self.claimed
    }

    /// Verifies it with a key of its log.
    pub fn verify(&self, key: &VerifyingKey) -> Result<Checkpoint> {
        self.claimed.expect_origin(key)?;
        self.note.verify(key)?;
        Ok(self.claimed.clone())
    }
}

/// A decimal number without sign and leading zeroes.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let number = text.parse().ok()?;
    (format!("{number}") == text).then_some(number)
}

/// A hash in canonical base64.
pub(crate) fn base64_hash(text: &str) -> Option<Hash> {
    Hash::from_slice(&BASE64.decode(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::generate([1; 32], b"")
    }

    fn checkpoint(key: &SigningKey) -> Checkpoint {
        Checkpoint { origin: key.verifying_key().name().into(), size: 12, root: Hash::of(b"root") }
    }

    #[test]
    fn a_signed_checkpoint_is_read_back() {
        let key = key();
        let note = checkpoint(&key).sign(&key).unwrap();
        assert_eq!(Checkpoint::open(&note, key.verifying_key()).unwrap(), checkpoint(&key));
        assert_eq!(note.lines().nth(1), Some("12"));
    }

    #[test]
    fn every_changed_byte_is_refused() {
        let key = key();
        let note = checkpoint(&key).sign(&key).unwrap();
        for at in 0..note.len() {
            let mut bytes = note.clone().into_bytes();
            bytes[at] ^= 1;
            if let Ok(text) = String::from_utf8(bytes) {
                assert!(Checkpoint::open(&text, key.verifying_key()).is_err(), "byte {at}");
            }
        }
    }

    #[test]
    fn the_origin_is_the_name_of_the_key() {
        let (key, other) = (key(), SigningKey::generate([2; 32], b""));
        assert!(checkpoint(&key).sign(&other).is_err());
        let foreign = note::sign(&checkpoint(&key).to_string(), &other);
        assert!(matches!(Checkpoint::open(&foreign, other.verifying_key()), Err(Error::Key { .. })));
        assert!(Checkpoint::open(&foreign, key.verifying_key()).is_err());
    }

    #[test]
    fn a_checkpoint_is_exactly_three_lines() {
        let key = key();
        let root = BASE64.encode(Hash::ZERO.as_bytes());
        let name = key.verifying_key().name();
        assert!(UnverifiedCheckpoint::parse(&note::sign(&format!("{name}\n1\n{root}\n"), &key)).is_ok());
        for text in [
            format!("{name}\n1\n"),
            format!("{name}\n01\n{root}\n"),
            format!("{name}\n+1\n{root}\n"),
            format!("{name}\n-1\n{root}\n"),
            format!("{name}\n1\n{root}\nextension\n"),
            format!("{name}\n1\n{root}=\n"),
            format!("{name}\n1\n{}\n", root.trim_end_matches('=')),
            format!("{name}\n1\n{}B=\n", &root[..42]),
            format!("\n1\n{root}\n"),
            format!("{name}\n18446744073709551616\n{root}\n"),
        ] {
            assert!(UnverifiedCheckpoint::parse(&note::sign(&text, &key)).is_err(), "{text}");
        }
    }
}
