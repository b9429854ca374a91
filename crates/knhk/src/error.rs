//! What can go wrong at the command line, and how it is told: code, cause, mend.

use std::ops::Range;
use std::path::{Path, PathBuf};

use knhk_kernel::KernelError;
use knhk_kernel::replay::Disagreement;
use knhk_observation::error::ObservationError;

use crate::refusal::Refusal;
use crate::table::counted;

/// An error of a command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// A file or directory could not be read or written.
    #[error("{}: {source}; check that it exists and that you may {doing} it", path.display())]
    File {
        /// What was being done: `read` or `write`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// No input held an event.
    #[error(
        "no event was found in {inputs}; give NDJSON, a JSON array or CloudEvents, plain or gzipped (in a directory, files that \
         end in .ndjson, .jsonl or .json, also with .gz)"
    )]
    NoEvents {
        /// Where was looked.
        inputs: String,
    },
    /// Events came, and none could be used.
    #[error(
        "{}. The first: {first}. An event is a JSON object, one a line or in an \
         array: a CloudEvent (`specversion`, `id`, `source`, `type`), or a plain object that names its type under \
         `event_type` or `type`; docs/formats/events.md has every form", unusable(*count)
    )]
    NoUsableEvent {
        /// How many.
        count: u64,
        /// Why the first was refused.
        first: Refusal,
    },
    /// No such pack.
    #[error(
        "`{name}` is neither a shipped pack ({shipped}) nor a directory with a sector.toml; make one with `knhk sector init`"
    )]
    UnknownPack {
        /// As given.
        name: String,
        /// The shipped ones.
        shipped: String,
    },
    /// A directory in the way of a new pack.
    #[error("{} exists; choose another directory with --dir, or move it away", path.display())]
    Exists {
        /// The directory.
        path: PathBuf,
    },
    /// Not a data directory.
    #[error(
        "{} is no data directory: {}; check the path, or make one with `knhk observe --sector NAME --data DIR FILES`",
        path.display(), found_at(path)
    )]
    NoLog {
        /// The directory.
        path: PathBuf,
    },
    /// Something else in the place of a data directory.
    #[error("{} is a file, so no data directory can be made there; give a directory with --data", path.display())]
    NotADirectory {
        /// The file.
        path: PathBuf,
    },
    /// The key of a log is not there.
    #[error(
        "the private key {} is not there; the log in {} was begun with one, so name its file with --signing-key or \
         KNHK_SIGNING_KEY_FILE",
        path.display(), dir.display()
    )]
    NoKey {
        /// Where it was looked for.
        path: PathBuf,
        /// The data directory.
        dir: PathBuf,
    },
    /// An input that could not be read to its end.
    #[error("{input}: {source}")]
    Events {
        /// Its name.
        input: String,
        /// What failed, and the mend.
        source: ObservationError,
    },
    /// A name that no sector may have.
    #[error(
        "`{name}` is no name for a sector: it begins with a lower-case letter and has at most 32 of a-z, 0-9 and `-`; choose \
         such a name, e.g. `web-shop`"
    )]
    SectorName {
        /// As given.
        name: String,
    },
    /// A private key file that does not hold a key.
    #[error(
        "{}: {source}; give the private key file of this log, which `knhk observe` named when it made the data directory \
         (default: beside it, with the ending .key)", path.display()
    )]
    SigningKeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Box<knhk_evidence::Error>,
    },
    /// A file that says something which does not verify or cannot be read.
    #[error("{}: {source}; {mend}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Box<knhk_evidence::Error>,
        /// How to mend it.
        mend: &'static str,
    },
    /// An observation that the log does not keep.
    #[error(
        "the log holds no observation {sequence}: {}; name an event by its id instead, or give another number",
        numbered(kept)
    )]
    NoObservation {
        /// As given.
        sequence: u64,
        /// Those that it keeps.
        kept: Range<u64>,
    },
    /// No event has this id.
    #[error(
        "the log holds no event with the id `{id}`{}{}; check the id and the data directory, or name an observation by its \
         number with --sequence N", of_source(of.as_ref(), elsewhere), dropped(*begins_at)
    )]
    NoEvent {
        /// As given.
        id: String,
        /// The source asked for.
        of: Option<String>,
        /// Other sources that have an event with this id.
        elsewhere: Vec<String>,
        /// The first entry that is kept.
        begins_at: u64,
    },
    /// Several sectors, and none was chosen.
    #[error("this data directory holds several sectors ({names}); choose one with --sector")]
    ChooseSector {
        /// Their names.
        names: String,
    },
    /// A shortened id that fits none or several.
    #[error("{why}; `{listed_by}` lists them")]
    Id {
        /// What is wrong with it.
        why: String,
        /// The command that lists the ids.
        listed_by: &'static str,
    },
    /// A sector that the data directory does not hold.
    #[error(
        "this data directory holds no sector `{name}` (it holds: {here}); check the name and --data, or bring the sector in \
         with `knhk observe --sector`"
    )]
    UnknownSector {
        /// As given.
        name: String,
        /// The ones that are there.
        here: String,
    },
    /// No sector at all.
    #[error(
        "this data directory holds no sector yet; bring one in with `knhk observe --sector NAME --data DIR FILES`"
    )]
    NoSector,
    /// The private key would lie inside the data directory.
    #[error("{} lies inside the data directory; keep the private key elsewhere (--signing-key)", path.display())]
    KeyInside {
        /// The key file.
        path: PathBuf,
    },
    /// No such error code.
    #[error("no page for `{code}`; `knhk explain` lists every code")]
    UnknownCode {
        /// As given.
        code: String,
    },
    /// Replay came to another result than the log.
    #[error("replay disagrees with the log at entry {entry} (segment {segment}, offset {offset}): {what}")]
    Replay {
        /// Entry index.
        entry: u64,
        /// Segment file.
        segment: String,
        /// Byte offset in it.
        offset: u64,
        /// What differs.
        what: String,
    },
    /// A proof does not hold.
    #[error("the proof does not hold: {why}")]
    Proof {
        /// Why.
        why: String,
    },
    /// The random source of the system failed.
    #[error("the system gave no random bytes for a new key: {why}; try again")]
    Random {
        /// Why.
        why: String,
    },
    /// What is to be proven is not in the log.
    #[error(
        "the log holds no event with the id `{what}`, and no receipt whose id is `{what}` or starts with it (at least 8 \
         digits){}; `knhk receipts list` names the receipts, and --sequence N takes an observation by its number",
        dropped(*begins_at)
    )]
    NothingToProve {
        /// As given.
        what: String,
        /// The first entry that is kept.
        begins_at: u64,
    },
    /// What is to be proven may be several things.
    #[error(
        "`{what}` may be any of {count}: {candidates}. Choose with --source SOURCE, --sequence N, or a receipt's whole id"
    )]
    AmbiguousSubject {
        /// As given.
        what: String,
        /// How many.
        count: usize,
        /// The first of them.
        candidates: String,
    },
    /// A kept checkpoint from before the entries that are kept.
    #[error(
        "{}: this checkpoint of {size} entries is older than what is kept: entries before {begins_at} were dropped, and it covers \
         none that is here; verify the archive with it, or give a checkpoint of at least {begins_at} \
         entries", path.display()
    )]
    OlderThanKept {
        /// The checkpoint's file.
        path: PathBuf,
        /// Entries that it covers.
        size: u64,
        /// The first entry that is kept.
        begins_at: u64,
    },
    /// Neither a key nor a file with one.
    #[error(
        "`{given}` is neither a verifier key (NAME+HASH+BASE64, one line) nor a file that can be read ({why}); give the verifier \
         key that `knhk observe` told, or the file key.pub of the log"
    )]
    NotAKey {
        /// As given.
        given: String,
        /// Why the file cannot be read.
        why: String,
    },
    /// Decisions on events that were erased.
    #[error(
        "the decisions from entry {entry} on cannot be derived again: {erased} of the payloads there were erased; `knhk replay --from-seal` begins behind it, and `knhk log verify` still checks every hash and signature"
    )]
    ErasedInReplay {
        /// Entry of the block.
        entry: u64,
        /// How many of its payloads.
        erased: u64,
    },
    /// There is no sealed state to begin at.
    #[error(
        "{} has no sealed state to replay from (its log is kept from entry {begins_at} on); seal one with `knhk log seal`, or replay a copy that begins at entry 0", dir.display()
    )]
    NoSeal {
        /// The directory.
        dir: PathBuf,
        /// Its first entry.
        begins_at: u64,
    },
    /// Too little disk for a benchmark.
    #[error("{} has {free} free and the benchmark needs {need}; free some, or choose another disk with --data", path.display())]
    NoRoom {
        /// Where.
        path: PathBuf,
        /// What it needs.
        need: String,
        /// What there is.
        free: String,
    },
    /// A benchmark found what must not be.
    #[error("the benchmark failed: {why}")]
    Benchmark {
        /// What.
        why: String,
    },
    /// A file name that does not say what syntax the file is in.
    #[error(
        "{} does not end as an RDF file does; give it the ending of its syntax: .ttl (Turtle), .nt (N-Triples), .nq (N-Quads), \
         .rdf or .owl (RDF/XML) or .jsonld, each also with .gz",
        path.display()
    )]
    UnknownSyntax {
        /// The file.
        path: PathBuf,
    },
    /// An RDF file that cannot be used.
    #[error("{}: {source}", path.display())]
    InDocument {
        /// The file.
        path: PathBuf,
        /// What is wrong, and the mend.
        source: Box<knhk_ontology::OntologyError>,
    },
    /// Shapes were asked for, and there are none.
    #[error(
        "no shape in {files} has a target, so nothing would be validated; give files with shapes under --shapes"
    )]
    NoShapes {
        /// Where was looked.
        files: String,
    },
    /// A name that fits no term or several.
    #[error("{why}; `knhk ontology show --data DIR` lists the terms")]
    Term {
        /// What is wrong with it.
        why: String,
    },
    /// An option that the chosen format does not know.
    #[error("--{option} says nothing for --as {form}; leave it out")]
    OptionOfFormat {
        /// The option.
        option: &'static str,
        /// The format.
        form: &'static str,
    },
    /// A file holds no change that can be proposed.
    #[error("{} cannot be proposed: {why}", path.display())]
    Change {
        /// The file.
        path: PathBuf,
        /// Why not, and what to do.
        why: String,
    },
    /// Output could not be written.
    #[error("standard output: {0}; check the pipe or the disk behind it")]
    Output(std::io::Error),
    /// From the kernel.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// From the store.
    #[error("{}", with_mend(.0))]
    Storage(#[from] knhk_storage::Error),
    /// From proposals.
    #[error(transparent)]
    Proposal(#[from] knhk_change::ChangeError),
    /// From the evidence.
    #[error(transparent)]
    Evidence(#[from] knhk_evidence::Error),
    /// From the ontology.
    #[error(transparent)]
    Ontology(#[from] knhk_ontology::OntologyError),
}

impl CliError {
    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "KNHK-E1801",
            Self::NoEvents { .. } => "KNHK-E1802",
            Self::NoUsableEvent { .. } => "KNHK-E1822",
            Self::UnknownPack { .. } => "KNHK-E1803",
            Self::Exists { .. } => "KNHK-E1804",
            Self::NoLog { .. } => "KNHK-E1805",
            Self::NotADirectory { .. } => "KNHK-E1823",
            Self::NoKey { .. } => "KNHK-E1824",
            Self::InFile { source, .. } | Self::SigningKeyFile { source, .. } => source.code(),
            Self::Events { source, .. } => source.code(),
            // The ontology's own code for it.
            Self::SectorName { .. } => "KNHK-E1318",
            Self::ChooseSector { .. } => "KNHK-E1806",
            Self::Id { .. } => "KNHK-E1807",
            // The kernel's own code for it.
            Self::UnknownSector { .. } | Self::NoSector => "KNHK-E1704",
            Self::KeyInside { .. } => "KNHK-E1808",
            Self::UnknownCode { .. } => "KNHK-E1809",
            Self::Replay { .. } => "KNHK-E1810",
            Self::Proof { .. } => "KNHK-E1811",
            Self::Random { .. } => "KNHK-E1812",
            Self::Output(_) => "KNHK-E1813",
            Self::NoSeal { .. } => "KNHK-E1830",
            Self::OlderThanKept { .. } => "KNHK-E1831",
            Self::ErasedInReplay { .. } => "KNHK-E1832",
            Self::NotAKey { .. } => "KNHK-E1825",
            Self::NothingToProve { .. } | Self::NoEvent { .. } | Self::NoObservation { .. } => "KNHK-E1820",
            Self::AmbiguousSubject { .. } => "KNHK-E1821",
            Self::NoRoom { .. } => "KNHK-E1840",
            Self::Benchmark { .. } => "KNHK-E1841",
            Self::UnknownSyntax { .. } => "KNHK-E1860",
            Self::InDocument { source, .. } => source.code(),
            Self::NoShapes { .. } => "KNHK-E1861",
            Self::Term { .. } => "KNHK-E1862",
            Self::OptionOfFormat { .. } => "KNHK-E1863",
            Self::Change { .. } => "KNHK-E1842",
            Self::Kernel(e) => e.code(),
            Self::Storage(e) => e.code(),
            Self::Evidence(e) => e.code(),
            Self::Proposal(e) => e.code(),
            Self::Ontology(e) => e.code(),
        }
    }

    /// The process's exit code: 3 something did not verify, 5 input or output, 6 anything else.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Replay { .. }
            | Self::ErasedInReplay { .. }
            | Self::Kernel(KernelError::SealedObject { .. })
            | Self::Proof { .. }
            | Self::Evidence(_)
            | Self::InFile { .. }
            | Self::Storage(knhk_storage::Error::Evidence(_)) => 3,
            Self::File { .. }
            | Self::NoEvents { .. }
            | Self::NoUsableEvent { .. }
            | Self::NoLog { .. }
            | Self::NotADirectory { .. }
            | Self::NoKey { .. }
            | Self::NotAKey { .. }
            | Self::SigningKeyFile { .. }
            | Self::Events { .. }
            | Self::NoRoom { .. }
            | Self::UnknownSyntax { .. }
            | Self::InDocument { .. }
            | Self::NoShapes { .. }
            | Self::Output(_)
            | Self::Storage(_) => 5,
            _ => 6,
        }
    }

    /// A failed read of `path`.
    pub(crate) fn reading(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { doing: "read", path, source }
    }

    /// A failed write of `path`.
    pub(crate) fn writing(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { doing: "write", path, source }
    }
}

/// That no event could be used, of one or of many.
fn unusable(count: u64) -> String {
    match count {
        1 => "the one event could not be used".to_owned(),
        many => format!("none of the {} could be used", counted(many, "event")),
    }
}

/// What the store says, with a mend where the system refused.
fn with_mend(error: &knhk_storage::Error) -> String {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    match error {
        knhk_storage::Error::Io { cause, .. } => match cause.kind() {
            PermissionDenied | ReadOnlyFilesystem => format!(
                "{error}; make the data directory and what is in it writable for this user, or work on a copy (`knhk log verify`, \
                 `knhk receipts list` and `knhk replay` read only)"
            ),
            _ => format!("{error}; check the path and the disk behind it, and run again"),
        },
        _ => error.to_string(),
    }
}

/// The observations that a log keeps, in words.
fn numbered(kept: &Range<u64>) -> String {
    match (kept.start, kept.end) {
        (0, 0) => "it has none".to_owned(),
        (start, end) if start >= end => format!("it keeps none, those before number {start} were dropped"),
        (0, 1) => "it has one, number 0".to_owned(),
        (0, end) => format!("it has those numbered 0 to {}", end - 1),
        (start, end) => {
            format!("it keeps those numbered {start} to {}, the ones before were dropped", end - 1)
        }
    }
}

/// Which source was asked for, and which others have such an event.
fn of_source(source: Option<&String>, elsewhere: &[String]) -> String {
    let Some(source) = source else { return String::new() };
    if elsewhere.is_empty() {
        return format!(" of source `{source}`");
    }
    format!(" of source `{source}`; there is one of `{}`", elsewhere.join("`, `"))
}

/// That something may have been before what is kept.
fn dropped(begins_at: u64) -> String {
    if begins_at == 0 {
        return String::new();
    }
    format!(
        " (entries before {begins_at} were dropped from this directory; what was there is in the archive, if one was made)"
    )
}

/// What stands where a data directory was expected.
fn found_at(path: &Path) -> &'static str {
    if path.is_dir() {
        "it is a directory without a log"
    } else if path.exists() {
        "it is a file"
    } else {
        "there is nothing"
    }
}

/// A disagreement in words.
pub(crate) fn describe(disagreement: &Disagreement) -> String {
    match disagreement {
        Disagreement::Different { logged, derived } if logged.operation != derived.operation => {
            format!("the log has {}, the inputs lead to {}", logged.operation, derived.operation)
        }
        Disagreement::Different { logged, derived } => {
            let mut differing = Vec::new();
            let fields: [(&str, bool); 8] = [
                ("outcome", logged.outcome != derived.outcome),
                ("sequence", logged.sequence != derived.sequence),
                ("parent", logged.parent != derived.parent),
                ("time", logged.time_ms != derived.time_ms),
                ("body", logged.evidence_digest != derived.evidence_digest),
                ("ontology", logged.ontology_digest != derived.ontology_digest),
                ("doctrine", logged.doctrine_digest != derived.doctrine_digest),
                ("guards", logged.guards_digest != derived.guards_digest),
            ];
            differing.extend(fields.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name));
            format!("{} {} differs in: {}", logged.operation, logged.sequence, differing.join(", "))
        }
        Disagreement::Unfounded { logged } => {
            format!("no input leads to {} {}", logged.operation, logged.sequence)
        }
        Disagreement::Missing { derived } => {
            format!(
                "the inputs lead to {} {}, which the log does not have",
                derived.operation, derived.sequence
            )
        }
        Disagreement::Undecidable { why } => format!("the input cannot be decided on: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_may_not_be_written_is_told_with_a_mend() {
        let cause = std::io::ErrorKind::PermissionDenied.into();
        let error = knhk_storage::Error::Io { action: "lock", path: "data/lock".into(), cause };
        let told = CliError::from(error);
        assert_eq!((told.code(), told.exit_code()), ("KNHK-E1201", 5));
        let text = told.to_string();
        assert!(text.contains("data/lock") && text.contains("writable for this user"), "{text}");
    }
}
