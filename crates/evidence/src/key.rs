//! Ed25519 keys in the text forms of C2SP signed-note. See `docs/formats/checkpoint.md`.
//!
//! A key is a name and an Ed25519 key. All keys of one log share its name, which is the log's origin.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::Signer as _;
use zeroize::Zeroizing;

use crate::error::{Error, Result, within};
use crate::hash::Hash;

/// Bytes of a key name.
pub const MAX_KEY_NAME_LEN: usize = 128;
/// Bytes of a key in text form.
pub const MAX_KEY_TEXT_LEN: usize = 512;

/// Signature type "Ed25519" of C2SP signed-note.
const ED25519: u8 = 0x01;
const PRIVATE_PREFIX: &str = "PRIVATE+KEY+";

/// An Ed25519 signature (RFC 8032).
pub type Signature = [u8; 64];

/// The public half: verifies. Its text form is the C2SP *vkey* `NAME+ID+BASE64`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    name: String,
    id: u32,
    key: ed25519_dalek::VerifyingKey,
}

impl VerifyingKey {
    fn new(name: &str, key: ed25519_dalek::VerifyingKey) -> Result<Self> {
        check_name(name)?;
        let digest = Hash::of_parts(&[name.as_bytes(), b"\n", &[ED25519], key.as_bytes()]);
        let [a, b, c, d, ..] = digest.0;
        Ok(Self { name: name.to_owned(), id: u32::from_be_bytes([a, b, c, d]), key })
    }

    /// The name: origin of the log the key signs.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The C2SP key id: first four bytes, big-endian, of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key).
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Name and id, as errors show a key.
    pub fn label(&self) -> String {
        format!("{}+{:08x}", self.name, self.id)
    }

    /// Verifies a signature strictly (RFC 8032, small-order keys and non-canonical points refused).
    ///
    /// `what` names the signed thing in the error.
    pub fn verify(&self, what: &'static str, message: &[u8], signature: &Signature) -> Result<()> {
        self.key
            .verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature))
            .map_err(|_| Error::Signature { what, key: self.label() })
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.label(), encode_key(self.key.as_bytes()).as_str())
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({self})")
    }
}

impl FromStr for VerifyingKey {
    type Err = Error;

    /// Reads a vkey; the id must be the one its name and key give.
    fn from_str(text: &str) -> Result<Self> {
        let (name, id, key) = split_key(text)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(&key)
            .map_err(|_| malformed("the point is not on the curve"))?;
        let key = Self::new(name, key)?;
        if id != format!("{:08x}", key.id) {
            return Err(malformed("the id is not that of its name and key"));
        }
        Ok(key)
    }
}

/// The private half: signs. Zeroed when dropped; never shown by `Debug`.
#[derive(Clone)]
pub struct SigningKey {
    key: ed25519_dalek::SigningKey,
    public: VerifyingKey,
}

impl SigningKey {
    /// A key from 32 random bytes, under a name of one's own choosing.
    ///
    /// # Errors
    /// Refuses an empty name, white space, control characters, `+`, and names above [`MAX_KEY_NAME_LEN`].
    pub fn new(name: &str, seed: [u8; 32]) -> Result<Self> {
        let key = ed25519_dalek::SigningKey::from_bytes(&Zeroizing::new(seed));
        Ok(Self { public: VerifyingKey::new(name, key.verifying_key())?, key })
    }

    /// The first key of a new log. Its name is `knhk/` and the first 16 hexadecimal digits of
    /// SHA-256(public key ‖ nonce), so two logs do not share an origin even if a seed is used twice.
    pub fn generate(seed: [u8; 32], nonce: &[u8]) -> Self {
        let key = ed25519_dalek::SigningKey::from_bytes(&Zeroizing::new(seed));
        let public = key.verifying_key();
        let digest = Hash::of_parts(&[public.as_bytes(), nonce]);
        let name = format!("knhk/{}", hex::encode(&digest.0[..8]));
        let digest = Hash::of_parts(&[name.as_bytes(), b"\n", &[ED25519], public.as_bytes()]);
        let [a, b, c, d, ..] = digest.0;
        Self { public: VerifyingKey { name, id: u32::from_be_bytes([a, b, c, d]), key: public }, key }
    }

    /// A successor for key rotation: another key under the same name.
    pub fn successor(&self, seed: [u8; 32]) -> Result<Self> {
        Self::new(self.public.name(), seed)
    }

    /// The public half.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.public
    }

    /// Signs a message (RFC 8032, deterministic).
    pub fn sign(&self, message: &[u8]) -> Signature {
        self.key.sign(message).to_bytes()
    }

    /// The text form `PRIVATE+KEY+NAME+ID+BASE64`, zeroed when dropped.
    pub fn to_text(&self) -> Zeroizing<String> {
        let seed = Zeroizing::new(self.key.to_bytes());
        let key = encode_key(&seed);
        let mut text = Zeroizing::new(String::with_capacity(MAX_KEY_TEXT_LEN));
        for part in [PRIVATE_PREFIX, self.public.label().as_str(), "+", key.as_str()] {
            text.push_str(part);
        }
        text
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.label())
    }
}

impl FromStr for SigningKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let rest = text
            .strip_prefix(PRIVATE_PREFIX)
            .ok_or_else(|| malformed("it does not start with PRIVATE+KEY+"))?;
        let (name, id, seed) = split_key(rest)?;
        let key = Self::new(name, *seed)?;
        if id != format!("{:08x}", key.public.id) {
            return Err(malformed("the id is not that of its name and key"));
        }
        Ok(key)
    }
}

fn malformed(why: &str) -> Error {
    Error::Shape { what: "key", why: why.to_owned() }
}

fn check_name(name: &str) -> Result<()> {
    within("key name", name.len(), MAX_KEY_NAME_LEN)?;
    if name.is_empty() || name.chars().any(|c| c == '+' || c.is_whitespace() || c.is_control()) {
        return Err(malformed("a name must be non-empty, without white space, control characters and +"));
    }
    Ok(())
}

fn encode_key(key: &[u8; 32]) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; 33]);
    bytes[0] = ED25519;
    bytes[1..].copy_from_slice(key);
    Zeroizing::new(BASE64.encode(*bytes))
}

fn split_key(text: &str) -> Result<(&str, &str, Zeroizing<[u8; 32]>)> {
    within("key text", text.len(), MAX_KEY_TEXT_LEN)?;
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(malformed("it is not NAME+ID+BASE64"));
    };
    let bytes = Zeroizing::new(BASE64.decode(key).map_err(|_| malformed("the key is not base64"))?);
    match bytes.split_first() {
        Some((&ED25519, key)) => {
            let key: [u8; 32] = key.try_into().map_err(|_| malformed("the key is not 32 bytes"))?;
            Ok((name, id, Zeroizing::new(key)))
        }
        _ => Err(malformed("the algorithm is not Ed25519 (0x01)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_their_text_forms() {
        let key = SigningKey::generate([1; 32], b"nonce");
        assert!(key.verifying_key().name().starts_with("knhk/") && key.verifying_key().name().len() == 21);
        let text = key.to_text();
        let back: SigningKey = text.parse().unwrap();
        assert_eq!(back.verifying_key(), key.verifying_key());
        assert_eq!(back.sign(b"m"), key.sign(b"m"));
        let public: VerifyingKey = key.verifying_key().to_string().parse().unwrap();
        assert_eq!(&public, key.verifying_key());
        public.verify("message", b"m", &key.sign(b"m")).unwrap();
    }

    #[test]
    fn the_go_vkey_of_the_signed_note_documentation_is_read() {
        // From the documentation of golang.org/x/mod/sumdb/note.
        let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let key: VerifyingKey = text.parse().unwrap();
        assert_eq!((key.name(), key.id()), ("PeterNeumann", 0xc74f_20a3));
        assert_eq!(key.to_string(), text);
    }

    #[test]
    fn a_key_text_with_any_character_changed_is_refused() {
        let key = SigningKey::generate([1; 32], b"nonce");
        let text = key.verifying_key().to_string();
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let changed = String::from_utf8(bytes).unwrap();
            assert!(changed.parse::<VerifyingKey>().is_err(), "{changed}");
        }
        for wrong in ["", "a", "a+b", "a+00000000+!!", "a+00000000+AQ==", "a b+00000000+AQ=="] {
            assert!(wrong.parse::<VerifyingKey>().is_err());
        }
        assert!(text.parse::<SigningKey>().is_err());
        let private = key.to_text().replace("knhk/", "knhl/");
        assert!(private.parse::<SigningKey>().is_err());
    }

    #[test]
    fn a_signature_by_another_key_or_over_other_bytes_is_refused() {
        let (a, b) = (SigningKey::generate([1; 32], b""), SigningKey::generate([2; 32], b""));
        assert!(b.verifying_key().verify("message", b"m", &a.sign(b"m")).is_err());
        assert!(a.verifying_key().verify("message", b"n", &a.sign(b"m")).is_err());
        assert_ne!(a.verifying_key().name(), b.verifying_key().name());
        assert_eq!(a.successor([3; 32]).unwrap().verifying_key().name(), a.verifying_key().name());
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let key = SigningKey::generate([1; 32], b"");
        let secret = key.to_text().rsplit('+').next().unwrap().to_owned();
        assert!(!format!("{key:?}").contains(&secret));
    }

    #[test]
    fn names_follow_the_signed_note_rules() {
        for name in ["", "a b", "a+b", "a\n", "a\u{2003}b"] {
            assert!(SigningKey::new(name, [1; 32]).is_err(), "{name:?}");
        }
        assert!(SigningKey::new(&"n".repeat(MAX_KEY_NAME_LEN + 1), [1; 32]).is_err());
    }
}
