//! C2SP signed-note: text with signature lines. See `docs/formats/checkpoint.md` and <https://c2sp.org/signed-note>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::error::{Error, Result, within};
use crate::key::{Signature, SigningKey, VerifyingKey};

/// Bytes of a note with its signatures.
pub const MAX_NOTE_LEN: usize = 64 << 10;
/// Signature lines of a note; C2SP asks that at least 16 be accepted.
pub const MAX_NOTE_SIGNATURES: usize = 16;

const LINE_START: &str = "\u{2014} ";

/// A note as it was read. Its text is proven only by [`Note::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<(String, u32, Vec<u8>)>,
}

/// Signs a text, which must end in a newline, and gives the whole note.
pub fn sign(text: &str, key: &SigningKey) -> String {
    let public = key.verifying_key();
    let signature = [&public.id().to_be_bytes()[..], &key.sign(text.as_bytes())].concat();
    format!("{text}\n{LINE_START}{} {}\n", public.name(), BASE64.encode(signature))
}

impl Note {
    /// Reads a note strictly.
    pub fn parse(note: &str) -> Result<Self> {
        let wrong = |why: &str| Error::Shape { what: "signed note", why: why.into() };
        within("signed note", note.len(), MAX_NOTE_LEN)?;
        if note.bytes().any(|b| b < 0x20 && b != b'\n') {
            return Err(wrong("it has control characters"));
        }
        let split = note.rfind("\n\n").ok_or_else(|| wrong("it has no empty line before its signatures"))?;
        let (text, lines) = (&note[..=split], &note[split + 2..]);
        let lines = lines.strip_suffix('\n').ok_or_else(|| wrong("its last line has no newline"))?;
        let mut signatures = Vec::new();
        for line in lines.split('\n') {
            within("number of signatures", signatures.len() + 1, MAX_NOTE_SIGNATURES)?;
            let parts = line.strip_prefix(LINE_START).and_then(|rest| rest.split_once(' '));
            let (name, encoded) = parts.ok_or_else(|| wrong("a signature line is not \"— NAME BASE64\""))?;
            let bytes = BASE64.decode(encoded).map_err(|_| wrong("a signature is not base64"))?;
            let Some((id, signature)) = bytes.split_first_chunk::<4>() else {
                return Err(wrong("a signature has no key id"));
            };
            if name.is_empty() || signature.is_empty() || name.chars().any(|c| c.is_whitespace() || c == '+')
            {
                return Err(wrong("a signature line is incomplete"));
            }
            signatures.push((name.to_owned(), u32::from_be_bytes(*id), signature.to_vec()));
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// The text, its last newline included.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Verifies the signature by `key`; signatures by other keys are ignored, as C2SP asks.
    ///
    /// # Errors
    /// Refuses a note without a signature by `key` and one in which any signature under its name and id is wrong.
    pub fn verify(&self, key: &VerifyingKey) -> Result<()> {
        let mut found = false;
        for (name, id, signature) in &self.signatures {
            if (name.as_str(), *id) == (key.name(), key.id()) {
                let signature = Signature::try_from(signature.as_slice())
                    .map_err(|_| Error::Signature { what: "note", key: key.label() })?;
                key.verify("note", self.text.as_bytes(), &signature)?;
                found = true;
            }
        }
        if found { Ok(()) } else { Err(Error::Signature { what: "note", key: key.label() }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_go_documentation_verifies() {
        // From the documentation of golang.org/x/mod/sumdb/note.
        let key: VerifyingKey =
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().unwrap();
        let note = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n\n\
                    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        let parsed = Note::parse(note).unwrap();
        parsed.verify(&key).unwrap();
        assert!(parsed.text().ends_with("problem is.\n"));
    }

    #[test]
    fn every_changed_byte_is_refused() {
        let key = SigningKey::generate([1; 32], b"");
        let note = sign("origin\n\ntext\n", &key);
        Note::parse(&note).unwrap().verify(key.verifying_key()).unwrap();
        for at in 0..note.len() {
            for mask in [1, 2, 0x20] {
                let mut bytes = note.clone().into_bytes();
                bytes[at] ^= mask;
                let verdict = String::from_utf8(bytes).map_err(|_| ()).and_then(|text| {
                    Note::parse(&text).and_then(|n| n.verify(key.verifying_key())).map_err(|_| ())
                });
                assert!(verdict.is_err(), "byte {at}");
            }
        }
    }

    #[test]
    fn a_witness_may_sign_too_but_the_log_must() {
        let (log, witness) = (SigningKey::generate([1; 32], b""), SigningKey::generate([2; 32], b""));
        let one = sign("text\n", &log);
        let line = sign("text\n", &witness).lines().last().unwrap().to_owned();
        let both = Note::parse(&format!("{one}{line}\n")).unwrap();
        both.verify(log.verifying_key()).unwrap();
        both.verify(witness.verifying_key()).unwrap();
        assert!(Note::parse(&one).unwrap().verify(witness.verifying_key()).is_err());
        // A second, wrong signature under the log's own name and id spoils the note.
        let forged = line.replace(witness.verifying_key().name(), log.verifying_key().name());
        let mut bytes = BASE64.decode(forged.rsplit(' ').next().unwrap()).unwrap();
        bytes[..4].copy_from_slice(&log.verifying_key().id().to_be_bytes());
        let forged = format!("{one}{LINE_START}{} {}\n", log.verifying_key().name(), BASE64.encode(bytes));
        assert!(Note::parse(&forged).unwrap().verify(log.verifying_key()).is_err());
    }

    #[test]
    fn malformed_notes_are_refused() {
        let good = sign("text\n", &SigningKey::generate([1; 32], b""));
        let line = good.lines().last().unwrap();
        for wrong in [
            String::new(),
            "text\n".into(),
            "text\n\n".into(),
            good.trim_end().into(),
            good.replace(LINE_START, "- "),
            good.replace("text", "te\txt"),
            format!("{good}\n"),
            "text\n\n— a AAAA\n".into(),
            "text\n\n—  AAAAAAAA\n".into(),
            "text\n\n— a b\n".into(),
            format!("{good}{}", format!("{line}\n").repeat(MAX_NOTE_SIGNATURES)),
            "x".repeat(MAX_NOTE_LEN + 1),
        ] {
            assert!(Note::parse(&wrong).is_err(), "{wrong:?}");
        }
    }
}
