//! The private key in a file of its own, outside every data directory.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use knhk_evidence::SigningKey;
use knhk_evidence::key::MAX_KEY_TEXT_LEN;
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// Makes a key from 32 random bytes and a random nonce, both from the caller: see [`SigningKey::generate`].
pub fn generate(seed: [u8; 32], nonce: &[u8]) -> SigningKey {
    SigningKey::generate(seed, nonce)
}

/// Writes a key to a new file that only its owner may read.
///
/// # Errors
/// Refuses a file that exists: a key is never overwritten.
pub fn save(path: &Path, key: &SigningKey) -> Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = match file {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(Error::KeyFile {
                path: path.to_owned(),
                why: "it exists; a key is never overwritten",
            });
        }
        other => other.map_err(Error::io("create", path))?,
    };
    let mut text = key.to_text();
    text.push('\n');
    file.write_all(text.as_bytes()).map_err(Error::io("write", path))?;
    file.sync_all().map_err(Error::io("sync", path))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    File::open(parent).and_then(|dir| dir.sync_all()).map_err(Error::io("sync", parent))
}

/// Reads a key.
///
/// # Errors
/// Refuses a file that the group or others may read, and one that is not exactly one key.
pub fn load(path: &Path) -> Result<SigningKey> {
    let wrong = |why| Error::KeyFile { path: path.to_owned(), why };
    let file = File::open(path).map_err(Error::io("open", path))?;
    let mode = file.metadata().map_err(Error::io("inspect", path))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(wrong("others may read it; run chmod 600 on it, and consider the key known"));
    }
    // Room for all of it at once: growing would leave copies of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_KEY_TEXT_LEN + 2));
    file.take(MAX_KEY_TEXT_LEN as u64 + 1).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    let text = std::str::from_utf8(&bytes).ok().and_then(|text| text.strip_suffix('\n'));
    Ok(text.ok_or_else(|| wrong("it is not one line of text"))?.parse()?)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    #[test]
    fn a_key_is_kept_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let key = generate([1; 32], b"nonce");
        save(&path, &key).unwrap();
        assert_eq!(load(&path).unwrap().verifying_key(), key.verifying_key());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(save(&path, &key), Err(Error::KeyFile { .. })));
        for mode in [0o640, 0o604, 0o660] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert!(matches!(load(&path), Err(Error::KeyFile { .. })), "{mode:o}");
        }
    }

    #[test]
    fn a_file_that_is_not_one_key_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let text = generate([1; 32], b"nonce").to_text();
        for wrong in [String::new(), text.to_string(), format!("{}\n\n", *text), "x\n".repeat(600)] {
            fs::write(&path, wrong).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            assert!(load(&path).is_err());
        }
        assert!(matches!(load(&dir.path().join("none")), Err(Error::Io { .. })));
    }
}
