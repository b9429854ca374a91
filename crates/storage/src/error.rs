//! The one error type of this crate. Every variant has a code with a page under `docs/errors/`.

use std::io;
use std::path::{Path, PathBuf};

/// The result of every fallible function here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with a data directory.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {action} {}: {cause}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// The device or the quota is full.
    #[error("no space left to {action} {}: free some and open the log again", path.display())]
    NoSpace {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
    },
    /// An earlier write failed, so what reached the disk is unknown.
    #[error(
        "the log stopped after a failed write ({cause}): open it again, which recovers to the last commit"
    )]
    Poisoned {
        /// The first failure.
        cause: String,
    },
    /// Another process writes this log.
    #[error("{} is open for writing elsewhere: stop the other process first", path.display())]
    Locked {
        /// The data directory.
        path: PathBuf,
    },
    /// A log is already there.
    #[error("{} already holds a log: open it, or choose an empty directory", path.display())]
    Exists {
        /// The data directory.
        path: PathBuf,
    },
    /// There is no log.
    #[error("{} holds no log: create one first, or check the path", path.display())]
    NotALog {
        /// The data directory.
        path: PathBuf,
    },
    /// The files of the log are not what a log has.
    #[error("{}: {why}", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The signing key is not the one in force.
    #[error("the log is signed by {expected}, not by {actual}: give the key in force")]
    WrongKey {
        /// The key that was given.
        actual: String,
        /// The key in force.
        expected: String,
    },
    /// Too much was appended without a commit.
    #[error("a group of {len} bytes waits for its commit: commit before appending more")]
    GroupFull {
        /// Bytes waiting.
        len: u64,
    },
    /// A private key file that others may read, or that is not one key.
    #[error("key file {}: {why}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is no such object.
    #[error("object {hash} is not in {}: restore it from a copy", path.display())]
    NoObject {
        /// Its SHA-256.
        hash: String,
        /// The object directory.
        path: PathBuf,
    },
    /// An object's bytes are not those of its name.
    #[error("object {} has other bytes than its name says: restore it from a copy", path.display())]
    DamagedObject {
        /// The file.
        path: PathBuf,
    },
    /// There is no such entry or observation under the checkpoint.
    #[error(
        "{what} {number} is not under the checkpoint of {size} entries: commit first, or check the number"
    )]
    NotCovered {
        /// "entry" or "observation".
        what: &'static str,
        /// Its number.
        number: u64,
        /// Entries under the checkpoint.
        size: u64,
    },
    /// Another appender counts for this source.
    #[error("an appender is already open for source {producer}: close it first, or use a source of its own")]
    ProducerOpen {
        /// The source.
        producer: String,
    },
    /// The log's content is wrong.
    #[error(transparent)]
    Evidence(#[from] knhk_evidence::Error),
}

impl Error {
    /// Every code of this crate, each with a page `docs/errors/CODE.md`.
    pub const CODES: &'static [&'static str] = &[
        "KNHK-E1201",
        "KNHK-E1202",
        "KNHK-E1203",
        "KNHK-E1204",
        "KNHK-E1205",
        "KNHK-E1206",
        "KNHK-E1207",
        "KNHK-E1208",
        "KNHK-E1209",
        "KNHK-E1210",
        "KNHK-E1211",
        "KNHK-E1212",
        "KNHK-E1213",
        "KNHK-E1230",
        "KNHK-E1231",
        "KNHK-E1232",
        "KNHK-E1233",
        "KNHK-E1234",
    ];

    /// The stable code: what `knhk explain` takes.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "KNHK-E1201",
            Self::NoSpace { .. } => "KNHK-E1202",
            Self::Poisoned { .. } => "KNHK-E1203",
            Self::Locked { .. } => "KNHK-E1204",
            Self::Exists { .. } => "KNHK-E1205",
            Self::NotALog { .. } => "KNHK-E1206",
            Self::Layout { .. } => "KNHK-E1207",
            Self::WrongKey { .. } => "KNHK-E1208",
            Self::GroupFull { .. } => "KNHK-E1209",
            Self::KeyFile { .. } => "KNHK-E1210",
            Self::NoObject { .. } => "KNHK-E1211",
            Self::DamagedObject { .. } => "KNHK-E1212",
            Self::NotCovered { .. } => "KNHK-E1213",
            Self::ProducerOpen { .. } => "KNHK-E1233",
            Self::Evidence(error) => error.code(),
        }
    }

    /// Makes an I/O error with its action and path; a full device has a code of its own.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| match cause.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::NoSpace { action, path: path.to_owned() }
            }
            _ => Self::Io { action, path: path.to_owned(), cause },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_page() {
        let pages = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors");
        for code in Error::CODES {
            let page = std::fs::read_to_string(format!("{pages}/{code}.md")).unwrap_or_default();
            assert!(page.starts_with(&format!("# {code}: ")), "{code} has no page");
            assert!(
                page.contains("\n## Cause\n") && page.contains("\n## Mend\n"),
                "{code}: a section is missing"
            );
        }
    }

    #[test]
    fn a_full_device_has_its_own_code() {
        let make = |kind: io::ErrorKind| Error::io("write", Path::new("f"))(kind.into()).code();
        assert_eq!(make(io::ErrorKind::StorageFull), "KNHK-E1202");
        assert_eq!(make(io::ErrorKind::QuotaExceeded), "KNHK-E1202");
        assert_eq!(make(io::ErrorKind::PermissionDenied), "KNHK-E1201");
    }
}
