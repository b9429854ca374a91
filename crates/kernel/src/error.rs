//! What can go wrong in this crate.

use knhk_change::ChangeError;
use knhk_ontology::OntologyError;

use crate::inputs::BUILD;

/// An error of the kernel.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// The log holds a kind of input that this version does not decide on.
    #[error(
        "this version does not decide on inputs of the kind `{kind}`; use the version that wrote the log"
    )]
    UnknownInput {
        /// The kind.
        kind: &'static str,
    },
    /// The log was written under other rules.
    #[error(
        "the log was decided by {build} under semantics version {found}, this is {BUILD} with {ours}; use the version that wrote it"
    )]
    OtherSemantics {
        /// The build that wrote the log.
        build: String,
        /// In the log.
        found: u32,
        /// Ours.
        ours: u32,
    },
    /// An input or decision in the log has another form than this build's.
    #[error(
        "a {what} in the log is not as this build writes it ({why}); it was written by {build}, this is {BUILD}: open the log with the build that wrote it, or begin a new data directory"
    )]
    OtherBuild {
        /// Which kind of input, or the operation of the decision.
        what: String,
        /// The reader's words.
        why: String,
        /// The build that the last `kernel_started` before it names.
        build: String,
    },
    /// An input that needs decisions came before `kernel_started`.
    #[error("no `kernel_started` input came first; the log's beginning is missing")]
    NotStarted,
    /// No such sector in this data directory.
    #[error("there is no sector `{sector}` here; `knhk sector list` names those there are")]
    UnknownSector {
        /// The name asked for.
        sector: String,
    },
    /// The sector has a snapshot already.
    #[error(
        "the sector `{sector}` exists; its ontology lives in the data directory now, change it by proposals"
    )]
    SectorExists {
        /// The sector.
        sector: String,
    },
    /// Too many sectors.
    #[error("a data directory holds at most {limit} sectors; use another directory")]
    TooManySectors {
        /// The limit.
        limit: usize,
    },
    /// The pack names another sector than the input.
    #[error("the pack is called `{pack}`, but was admitted as `{sector}`; use the pack's own name")]
    PackName {
        /// As admitted.
        sector: String,
        /// As the pack says.
        pack: String,
    },
    /// Two sectors would mint the same terms.
    #[error(
        "the namespace {namespace} meets that of sector `{sector}`; give the pack a namespace of its own"
    )]
    NamespaceTaken {
        /// The new pack's.
        namespace: String,
        /// Who has it.
        sector: String,
    },
    /// A receipt does not continue its sector's chain.
    #[error(
        "receipt {sequence} does not continue its sector's chain, which expects {expected}; the log is damaged"
    )]
    BrokenChain {
        /// The receipt's sequence.
        sequence: u64,
        /// The chain's.
        expected: u64,
    },
    /// The current snapshot is not the one a promotion expected.
    #[error(
        "sector `{sector}` is at {found}, not at {expected}; check the change again against what is current"
    )]
    StalePromotion {
        /// The sector.
        sector: String,
        /// Expected.
        expected: String,
        /// Current.
        found: String,
    },
    /// A logged promotion leads to another snapshot than it says.
    #[error(
        "the logged change leads to snapshot {made}, but the log says {said}; the log is damaged or from another version"
    )]
    OtherSnapshot {
        /// As logged.
        said: String,
        /// As made.
        made: String,
    },
    /// No such snapshot in this sector.
    #[error("sector `{sector}` has no snapshot `{snapshot}`; `knhk ontology log` lists them")]
    UnknownSnapshot {
        /// The sector.
        sector: String,
        /// The id asked for.
        snapshot: String,
    },
    /// The rollback would change nothing.
    #[error("the content of {snapshot} is current already; there is nothing to roll back")]
    NothingToRollBack {
        /// The ancestor.
        snapshot: String,
    },
    /// A rollback without a target, at the first content.
    #[error(
        "sector `{sector}` has its first content; there is nothing further back, name a snapshot with --to (`knhk ontology log` lists them)"
    )]
    NothingFurtherBack {
        /// The sector.
        sector: String,
    },
    /// No such held proposal.
    #[error("no held proposal `{proposal}`; `knhk proposals list` names those that wait")]
    UnknownProposal {
        /// The id asked for.
        proposal: String,
    },
    /// A logged event cannot be read back.
    #[error("the event of observation {sequence} cannot be read back: {why}; replay needs its payload")]
    UnreadablePayload {
        /// The observation.
        sequence: u64,
        /// Why.
        why: String,
    },
    /// From the evidence.
    #[error(transparent)]
    Evidence(#[from] knhk_evidence::Error),
    /// From the ontology.
    #[error(transparent)]
    Ontology(#[from] OntologyError),
    /// From the change plane.
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl KernelError {
    /// The stable code; `knhk explain CODE` prints its page.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownInput { .. } => "KNHK-E1701",
            Self::OtherSemantics { .. } => "KNHK-E1702",
            Self::OtherBuild { .. } => "KNHK-E1717",
            Self::NotStarted => "KNHK-E1703",
            Self::UnknownSector { .. } => "KNHK-E1704",
            Self::SectorExists { .. } => "KNHK-E1705",
            Self::TooManySectors { .. } => "KNHK-E1706",
            Self::PackName { .. } => "KNHK-E1707",
            Self::NamespaceTaken { .. } => "KNHK-E1715",
            Self::BrokenChain { .. } => "KNHK-E1708",
            Self::StalePromotion { .. } => "KNHK-E1709",
            Self::OtherSnapshot { .. } => "KNHK-E1710",
            Self::UnknownSnapshot { .. } => "KNHK-E1711",
            Self::NothingToRollBack { .. } => "KNHK-E1712",
            Self::NothingFurtherBack { .. } => "KNHK-E1716",
            Self::UnknownProposal { .. } => "KNHK-E1713",
            Self::UnreadablePayload { .. } => "KNHK-E1714",
            Self::Evidence(e) => e.code(),
            Self::Ontology(e) => e.code(),
            Self::Change(e) => e.code(),
        }
    }
}
