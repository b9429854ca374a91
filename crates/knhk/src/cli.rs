//! The command line's grammar. Each command's work is in the module of its name.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use knhk_ontology::sparql::{QUERY_ROWS, QUERY_ROWS_MAX, QUERY_STEPS, QUERY_STEPS_MAX};

/// Observe events, find where they disagree with the ontology, propose the smallest change, check it in seven stages,
/// promote it, and leave receipts that anyone verifies.
#[derive(Debug, Parser)]
#[command(name = "knhk", version, propagate_version = true, max_term_width = 110)]
#[command(after_help = "Example: knhk observe --sector logistics --data DATA events.ndjson\n\n\
Exit codes: 0 done (also a rejection that was ordered) · 1 a change was rejected by a stage, or waits for a person; files do not conform, or differ; the answer to an ASK query is no · 2 \
some input went to the dead-letter file · 3 verification failed · 4 usage · 5 input or output · 6 any other error, or a \
failed cycle. `knhk explain CODE` explains an error.")]
pub(crate) struct Cli {
    /// What to print on standard output.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Tables for people.
    Text,
    /// One JSON document.
    Json,
    /// One JSON object a line, as results come.
    Ndjson,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the whole loop over event files: detect drift, propose, check, promote, leave receipts.
    #[command(after_help = "Example: knhk observe --sector logistics --data DATA events.ndjson")]
    Observe(Observe),
    /// Make, list and show sector packs.
    #[command(subcommand)]
    #[command(after_help = "Example: knhk sector init shop --from orders.ndjson")]
    Sector(Sector),
    /// Show a sector's ontology, its history, and what changed between two versions.
    #[command(subcommand)]
    #[command(after_help = "Example: knhk ontology diff --data DATA")]
    Ontology(Ontology),
    /// List, show, promote or reject proposals that wait for a person.
    #[command(subcommand)]
    #[command(after_help = "Example: knhk proposals list --data DATA")]
    Proposals(Proposals),
    /// Say what would become of a change: all seven stages, and the verdict. Nothing is written.
    #[command(after_help = "Example: knhk check change.json --data DATA")]
    Check(Check),
    /// Propose a change: it is logged, checked in seven stages and, where policy lets it, promoted.
    #[command(
        after_help = "Example: knhk propose change.json --data DATA --reason \"agreed with the carriers\""
    )]
    Propose(Propose),
    /// Make an earlier snapshot's content current again. History is kept.
    #[command(after_help = "Example: knhk rollback --data DATA --to 1.2.0 --reason \"too early\"")]
    Rollback(Rollback),
    /// List and show receipts, and prove that one observation or receipt is in the log.
    #[command(subcommand)]
    #[command(after_help = "Example: knhk receipts list --data DATA")]
    Receipts(Receipts),
    /// Verify, prove, export, seal, retain, erase from and salvage a log.
    #[command(subcommand)]
    #[command(after_help = "Example: knhk log verify DATA --key verifier.pub")]
    Log(LogCommand),
    /// Make and check audit bundles: receipts and observations in one file that verifies without the log.
    #[command(subcommand)]
    #[command(after_help = "Example: knhk audit bundle --data DATA --all-receipts --output for-the-auditor")]
    Audit(Audit),
    /// Decide again on every logged input and compare with the logged decisions.
    #[command(after_help = "Example: knhk replay DATA")]
    Replay(Replay),
    /// Measure what this machine does: appending, durability, sealing, verification.
    #[command(subcommand)]
    #[command(after_help = "Example: knhk bench append --producers 1,4")]
    Bench(Bench),
    /// Explain an error or finding code, e.g. KNHK-E1301.
    #[command(after_help = "Example: knhk explain KNHK-E1301")]
    Explain {
        /// The code. Without it, all codes are listed.
        code: Option<String>,
    },
    /// Print a script that completes commands and options in a shell.
    #[command(
        after_help = "Example: knhk completions bash > ~/.local/share/bash-completion/completions/knhk"
    )]
    Completions {
        /// Which shell.
        shell: Shell,
    },
}

/// Arguments of `knhk ontology query`.
#[derive(Clone, Debug, Args)]
#[group(id = "asked", args = ["text", "file"], required = true, multiple = false)]
pub(crate) struct Query {
    #[command(flatten)]
    pub data: DataDir,
    /// Which sector; may be left out when there is only one.
    #[arg(long)]
    pub sector: Option<String>,
    /// A version, a snapshot id, or the first digits of one. Default: the current snapshot.
    #[arg(long)]
    pub snapshot: Option<String>,
    /// The query; `-` reads it from standard input. knhk:, owl:, rdf:, rdfs:, sh:, xsd: and the sector's own prefix are known.
    #[arg(value_name = "QUERY")]
    pub text: Option<String>,
    /// A file that holds the query.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Steps after which the query is ended: triples read, rows made, operators applied.
    #[arg(long, value_name = "N", default_value_t = QUERY_STEPS,
          value_parser = clap::value_parser!(u64).range(1..=QUERY_STEPS_MAX))]
    pub max_steps: u64,
    /// Rows, or triples, that an answer may have. Beyond them there is no answer.
    #[arg(long, value_name = "N", default_value_t = QUERY_ROWS,
          value_parser = clap::value_parser!(u64).range(1..=QUERY_ROWS_MAX))]
    pub max_rows: u64,
    /// Seconds after which the query is ended.
    #[arg(long, value_name = "N", default_value_t = QUERY_SECONDS,
          value_parser = clap::value_parser!(u64).range(1..=QUERY_SECONDS_LONGEST))]
    pub seconds: u64,
}

/// The longest that a query may be given.
const QUERY_SECONDS_LONGEST: u64 = 600;
/// Seconds that a query may take when nothing else is asked for.
const QUERY_SECONDS: u64 = 10;

/// Which data directory.
#[derive(Clone, Debug, Args)]
pub(crate) struct DataDir {
    /// Data directory: the log, the checkpoint and the public key.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
}

/// Which private key signs.
#[derive(Clone, Debug, Args)]
pub(crate) struct KeyFile {
    /// Private key file. Default: `DIR.key`, beside the data directory and never in it.
    #[arg(long = "signing-key", value_name = "FILE", env = "KNHK_SIGNING_KEY_FILE")]
    pub signing_key: Option<PathBuf>,
}

/// How changes that passed are let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Promote {
    /// As the sector's policy says.
    Auto,
    /// Hold every change for a person.
    Hold,
}

/// `knhk observe`.
#[derive(Debug, Args)]
pub(crate) struct Observe {
    /// Sector: the name of a shipped pack, or a pack directory.
    #[arg(long, value_name = "NAME|DIR")]
    pub sector: String,
    /// Data directory; made if it is not there. Without it nothing is kept.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    #[command(flatten)]
    pub key: KeyFile,
    /// How changes that passed all stages are let through.
    #[arg(long, value_enum, default_value_t = Promote::Auto)]
    pub promote: Promote,
    /// Where refused events go. Default: `dead-letter.ndjson` in the data directory.
    #[arg(long, value_name = "FILE")]
    pub dead_letter: Option<PathBuf>,
    /// Event files or directories: NDJSON, JSON arrays, CloudEvents, each also gzipped; `-` is standard input.
    #[arg(required = true, value_name = "FILES")]
    pub files: Vec<PathBuf>,
}

/// `knhk sector`.
#[derive(Debug, Subcommand)]
pub(crate) enum Sector {
    /// Make a first pack from sample events.
    #[command(after_help = "Example: knhk sector init shop --from orders.ndjson --dir packs/shop")]
    Init {
        /// Name of the sector: lower-case letters, digits and `-`.
        name: String,
        /// Sample events: files or directories.
        #[arg(long, required = true, num_args = 1.., value_name = "FILES")]
        from: Vec<PathBuf>,
        /// Where to write the pack. Default: `./NAME`.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// List the shipped packs, and the sectors of a data directory.
    #[command(after_help = "Example: knhk sector list --data DATA")]
    List {
        /// Data directory.
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
    },
    /// Show one pack: event types, classes, settings, rules.
    #[command(after_help = "Example: knhk sector show logistics")]
    Show {
        /// The name of a shipped pack, or a pack directory.
        sector: String,
    },
}

/// A sector of a data directory.
#[derive(Debug, Args)]
pub(crate) struct OfSector {
    #[command(flatten)]
    pub data: DataDir,
    /// Which sector; may be left out when there is only one.
    #[arg(long)]
    pub sector: Option<String>,
}

/// `knhk ontology`.
#[derive(Debug, Subcommand)]
pub(crate) enum Ontology {
    /// Show what an ontology says: classes, keys, what their values must be.
    #[command(after_help = "Example: knhk ontology show --data DATA --term Shipment")]
    Show(OntologyShow),
    /// List a sector's snapshots, oldest first, or draw them.
    #[command(after_help = "Example: knhk ontology log --data DATA --as svg --output history.svg")]
    Log {
        #[command(flatten)]
        of: OfSector,
        /// Draw the snapshots with what made each, instead of a list.
        #[arg(long = "as", value_enum)]
        picture: Option<Picture>,
        /// Where to write the picture. Default: standard output.
        #[arg(short, long, value_name = "FILE", requires = "picture")]
        output: Option<PathBuf>,
    },
    /// Ask a sector's ontology, with the core that it builds on, a SPARQL query.
    #[command(
        after_help = "Example: knhk ontology query --data DATA 'SELECT ?c ?l { ?c rdfs:label ?l }'\n\nThe answer \
no to an ASK query has exit code 1."
    )]
    Query(Query),
    /// Show what changed between two snapshots, or two ontologies in files, by meaning.
    ///
    /// Of snapshots: classes, keys, constraints, words and settings, what each change does to data that was valid, and the
    /// version that all of them ask for. Of files: term by term, with what hangs on their blank nodes. How things are
    /// declared, the order of statements and the labels of blank nodes make no difference.
    #[command(after_help = "Example: knhk ontology diff --data DATA --from 1.0.0 --to 1.2.0\n\
Example: knhk ontology diff --files old.ttl new.ttl --exit-code")]
    Diff(OntologyDiff),
    /// Write an ontology, the change between two snapshots, or the history in a format that other tools read.
    #[command(after_help = "Example: knhk ontology export --data DATA --as jsonld --output logistics.jsonld")]
    Export(OntologyExport),
    /// Validate RDF files against SHACL shapes: exit code 0 when they conform, 1 when they do not.
    #[command(
        after_help = "Example: knhk ontology validate model.ttl --shapes shapes.ttl --with ontology.ttl"
    )]
    Validate(Validate),
}

/// `knhk ontology show`.
#[derive(Debug, Args)]
pub(crate) struct OntologyShow {
    #[command(flatten)]
    pub of: OfSector,
    /// A version, a snapshot id, or the first digits of one. Default: the current snapshot.
    #[arg(long)]
    pub snapshot: Option<String>,
    /// One class or key in detail, with its shape: an IRI, a name like `Order` or `Order.total`, a label, an event type.
    #[arg(long, value_name = "TERM")]
    pub term: Option<String>,
    /// Another form than an overview.
    #[arg(long = "as", value_enum, conflicts_with = "term")]
    pub form: Option<AsTurtle>,
}

/// The other form of what is mostly shown as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AsTurtle {
    /// RDF, as in files.
    Turtle,
}

/// How a history is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Picture {
    /// A picture for browsers and documents.
    Svg,
    /// For Graphviz.
    Dot,
    /// For Markdown that draws Mermaid.
    Mermaid,
}

/// `knhk ontology diff`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["data", "files"]))]
pub(crate) struct OntologyDiff {
    /// Data directory: the log, the checkpoint and the public key.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Two RDF files instead of a data directory: .ttl, .nt, .nq, .rdf, .owl or .jsonld, each also with .gz.
    #[arg(long, num_args = 2, value_names = ["OLD", "NEW"])]
    pub files: Option<Vec<PathBuf>>,
    /// Which sector; may be left out when there is only one.
    #[arg(long, conflicts_with = "files")]
    pub sector: Option<String>,
    /// Older snapshot: a version, or an id's first digits. Default: the parent of the newer one.
    #[arg(long, conflicts_with = "files")]
    pub from: Option<String>,
    /// Newer snapshot: a version, or an id's first digits. Default: the current one.
    #[arg(long, conflicts_with = "files")]
    pub to: Option<String>,
    /// End with exit code 1 when something differs.
    #[arg(long)]
    pub exit_code: bool,
}

/// `knhk ontology export`.
#[derive(Debug, Args)]
pub(crate) struct OntologyExport {
    #[command(flatten)]
    pub of: OfSector,
    /// In which format.
    #[arg(long = "as", value_enum)]
    pub form: ExportAs,
    /// Which part, in turtle, nquads and jsonld. Default: sector.
    #[arg(long, value_enum)]
    pub layer: Option<Layer>,
    /// In turtle, nquads and jsonld: a version, a snapshot id, or the first digits of one. Default: the current snapshot.
    #[arg(long)]
    pub snapshot: Option<String>,
    /// In kgcl: older snapshot. Default: the parent of the newer one.
    #[arg(long)]
    pub from: Option<String>,
    /// In kgcl: newer snapshot. Default: the current one.
    #[arg(long)]
    pub to: Option<String>,
    /// Where to write. Default: standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Format of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportAs {
    /// RDF for people.
    Turtle,
    /// Canonical N-Quads, the lines that ids are computed from.
    Nquads,
    /// JSON-LD 1.1 with its context.
    Jsonld,
    /// The change between two snapshots in the Knowledge Graph Change Language; as JSON with --format json.
    Kgcl,
    /// The sector's history in PROV-O, as Turtle.
    Prov,
}

/// Part of a composed ontology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Layer {
    /// What every sector shares.
    Core,
    /// What the sector says.
    Sector,
    /// Both.
    Composed,
}

/// `knhk ontology validate`.
#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// RDF files to validate: .ttl, .nt, .nq, .rdf, .owl or .jsonld, each also with .gz. Several are one graph.
    #[arg(required = true, value_name = "DATA")]
    pub data: Vec<PathBuf>,
    /// RDF files with the shapes. Default: the shapes in the data.
    #[arg(long, num_args = 1.., value_name = "SHAPES")]
    pub shapes: Vec<PathBuf>,
    /// RDF files that the data is looked up in (superclasses, values) and that are not validated themselves.
    #[arg(long, num_args = 1.., value_name = "FILES")]
    pub with: Vec<PathBuf>,
    /// Evaluate what can be, and list every term of SHACL that is not, with how many nodes carry it. Without this a term
    /// that is not evaluated is an error.
    #[arg(long)]
    pub allow_unsupported: bool,
    /// Another form than a table: a W3C validation report.
    #[arg(long = "as", value_enum)]
    pub form: Option<AsTurtle>,
}

/// `knhk proposals`.
#[derive(Debug, Subcommand)]
pub(crate) enum Proposals {
    /// List the proposals that wait for a person.
    #[command(after_help = "Example: knhk proposals list --data DATA")]
    List {
        #[command(flatten)]
        data: DataDir,
    },
    /// Show one proposal in full.
    #[command(after_help = "Example: knhk proposals show 3f2a91 --data DATA")]
    Show {
        #[command(flatten)]
        data: DataDir,
        /// Proposal id, or the first digits of one.
        id: String,
    },
    /// Check a held proposal again and promote it.
    #[command(after_help = "Example: knhk proposals promote 3f2a91 --data DATA")]
    Promote {
        #[command(flatten)]
        data: DataDir,
        #[command(flatten)]
        key: KeyFile,
        /// Proposal id, or the first digits of one.
        id: String,
    },
    /// Reject a held proposal.
    #[command(
        after_help = "Example: knhk proposals reject 3f2a91 --data DATA --reason \"a mistake of the producer\""
    )]
    Reject {
        #[command(flatten)]
        data: DataDir,
        #[command(flatten)]
        key: KeyFile,
        /// Proposal id, or the first digits of one.
        id: String,
        /// Why, for the record.
        #[arg(long)]
        reason: String,
    },
}

/// `knhk check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The change: ΔΣ as JSON (.json), or the sector's ontology as it shall be (.ttl), made from what
    /// `knhk ontology show --as turtle` prints.
    #[arg(value_name = "FILE")]
    pub change: PathBuf,
    #[command(flatten)]
    pub data: DataDir,
    /// Which sector; may be left out when there is only one.
    #[arg(long)]
    pub sector: Option<String>,
}

/// `knhk propose`.
#[derive(Debug, Args)]
pub(crate) struct Propose {
    /// The change: ΔΣ as JSON (.json), or the sector's ontology as it shall be (.ttl), made from what
    /// `knhk ontology show --as turtle` prints.
    #[arg(value_name = "FILE")]
    pub change: PathBuf,
    #[command(flatten)]
    pub data: DataDir,
    #[command(flatten)]
    pub key: KeyFile,
    /// Which sector; may be left out when there is only one.
    #[arg(long)]
    pub sector: Option<String>,
    /// Why, for the record.
    #[arg(long)]
    pub reason: String,
}

/// `knhk rollback`.
#[derive(Debug, Args)]
pub(crate) struct Rollback {
    #[command(flatten)]
    pub data: DataDir,
    #[command(flatten)]
    pub key: KeyFile,
    /// Which sector; may be left out when there is only one.
    #[arg(long)]
    pub sector: Option<String>,
    /// Snapshot to go back to: a version, or an id's first digits. Default: the one before the promotion that made the
    /// current content.
    #[arg(long)]
    pub to: Option<String>,
    /// Why, for the record.
    #[arg(long, default_value = "no reason given")]
    pub reason: String,
}

/// `knhk receipts`.
#[derive(Debug, Subcommand)]
pub(crate) enum Receipts {
    /// List receipts, oldest first.
    #[command(after_help = "Example: knhk receipts list --data DATA --sector logistics")]
    List {
        #[command(flatten)]
        data: DataDir,
        /// Only this sector's.
        #[arg(long)]
        sector: Option<String>,
    },
    /// Show one receipt with its body.
    #[command(after_help = "Example: knhk receipts show 0770de12 --data DATA")]
    Show {
        #[command(flatten)]
        data: DataDir,
        /// Receipt id, or the first digits of one.
        id: String,
    },
    /// Write a proof that an observation or a receipt is in the log: a file that verifies offline.
    #[command(
        after_help = "Example: knhk receipts prove order-7 --source //till --data DATA --output order-7.proof"
    )]
    Prove(Prove),
    /// Check a proof file against a public key, offline.
    #[command(
        after_help = "Example: knhk receipts check order-7.proof --key verifier.pub --event order-7.json"
    )]
    Check {
        /// The proof file.
        proof: PathBuf,
        /// Verifier key: a file, or its text.
        #[arg(long, value_name = "KEY")]
        key: String,
        /// The event as received, to check that the proof is about it.
        #[arg(long, value_name = "FILE")]
        event: Option<PathBuf>,
    },
}

/// `knhk receipts prove`.
#[derive(Debug, Args)]
pub(crate) struct Prove {
    #[command(flatten)]
    pub data: DataDir,
    /// An event's id, or a receipt's id or at least its first 8 digits. What fits more than one is refused.
    #[arg(value_name = "EVENT|RECEIPT", required_unless_present = "sequence")]
    pub what: Option<String>,
    /// Only events of this source, where several sources use the same id.
    #[arg(long, requires = "what")]
    pub source: Option<String>,
    /// An observation by its number in the log, from 0.
    #[arg(long, value_name = "N", conflicts_with = "what")]
    pub sequence: Option<u64>,
    /// Where to write the proof. Default: standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `knhk log`.
#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Check every byte of a log: frames, hashes, chains, signatures, checkpoints.
    ///
    /// `--roots` is many times faster: every byte is checked against the root under the newest signed checkpoint, but the
    /// signatures of single receipts and the rules between entries are not. `--since` checks only what came after a
    /// checkpoint that was kept, and that it is still a part of the log.
    #[command(
        after_help = "Example: knhk log verify DATA --key verifier.pub --since checkpoint-of-last-month"
    )]
    Verify {
        /// Data directory, or a directory of segments that `knhk log retain --archive` made.
        dir: PathBuf,
        /// Verifier key: a file, or its text. Without it the directory's own public key is used (self-attested).
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
        /// Check roots and the newest checkpoint only.
        #[arg(long)]
        roots: bool,
        /// A signed checkpoint that was kept elsewhere (a copy of `DIR/checkpoint`), and verified then.
        #[arg(long, value_name = "FILE")]
        since: Option<PathBuf>,
    },
    /// Write the proof that a checkpoint you kept is a prefix of the log as it is now: a file that verifies offline.
    ///
    /// Keep a copy of DIR/checkpoint away from DIR. Later this shows that nothing it covered was changed, dropped or
    /// moved, without the log itself: whoever has the file and the key checks it with `knhk log check-consistency`.
    #[command(
        after_help = "Example: knhk log consistency --data DATA --from checkpoint-of-last-month -o proof"
    )]
    Consistency {
        #[command(flatten)]
        data: DataDir,
        /// The signed checkpoint that was kept.
        #[arg(long, value_name = "CHECKPOINT_FILE")]
        from: PathBuf,
        /// Where to write the proof. Default: standard output.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Check a consistency proof against a public key, offline.
    #[command(
        after_help = "Example: knhk log check-consistency proof --key verifier.pub --from checkpoint-of-last-month"
    )]
    CheckConsistency {
        /// The proof file.
        proof: PathBuf,
        /// Verifier key: a file, or its text. Repeat it for a log whose key changed in between.
        #[arg(long, value_name = "KEY", required = true)]
        key: Vec<String>,
        /// The checkpoint you kept, to check that the proof is about it and not about another of the same key.
        #[arg(long, value_name = "CHECKPOINT_FILE")]
        from: Option<PathBuf>,
    },
    /// Write the log's tree as static files in the layout of C2SP tlog-tiles, which other tools read and any web server
    /// hands out. Events, bodies and records stay out. Exporting into the same directory again adds what is new.
    #[command(after_help = "Example: knhk log export --tiles /srv/www/log --data DATA")]
    Export {
        #[command(flatten)]
        data: DataDir,
        /// Directory for the tiles.
        #[arg(long, value_name = "OUT_DIR")]
        tiles: PathBuf,
    },
    /// Seal the state: from there on, opening, deciding and replaying need nothing that lies before.
    ///
    /// The state goes into `DIR/objects/`, its digest into the log, at the start of a new segment. Between two windows
    /// only: run a cycle first when events are waiting. When nothing came since the newest seal, nothing is done.
    #[command(after_help = "Example: knhk log seal --data DATA")]
    Seal {
        #[command(flatten)]
        data: DataDir,
        #[command(flatten)]
        key: KeyFile,
    },
    /// Seal the state, then drop the oldest segments, or move them to an archive.
    ///
    /// What stays verifies, proves and replays. That segments were dropped, and why, is in the log.
    #[command(
        after_help = "Example: knhk log retain --data DATA --older-than 400 --archive /mnt/archive --reason \"13 months\""
    )]
    Retain(Retain),
    /// Seal the state, then erase the payloads of observations: their text is gone, every hash and proof still verifies.
    ///
    /// Who asked for it, and why, goes into the log first. Copies, backups, archives and bundles are not reached. When one
    /// of the observations is not in the log, nothing is done.
    #[command(
        after_help = "Example: knhk log erase --data DATA --event order-4711 --reason \"request 12 of 3 May\""
    )]
    Erase(Erase),
    /// Cut a damaged log before the damage, when there is no copy to restore. Says what is given up, and keeps it aside.
    #[command(after_help = "Example: knhk log salvage --data DATA")]
    Salvage {
        #[command(flatten)]
        data: DataDir,
        #[command(flatten)]
        key: KeyFile,
    },
}

/// `knhk log retain`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("rule").required(true))]
pub(crate) struct Retain {
    #[command(flatten)]
    pub data: DataDir,
    #[command(flatten)]
    pub key: KeyFile,
    /// Keep this many segments, the one being written included.
    #[arg(long, value_name = "N", group = "rule", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep_segments: Option<u32>,
    /// Drop segments whose newest entry is older than this many days.
    #[arg(long, value_name = "DAYS", group = "rule", value_parser = clap::value_parser!(u32).range(1..))]
    pub older_than: Option<u32>,
    /// Copy each segment here, durably, before it is dropped.
    #[arg(long, value_name = "DIR")]
    pub archive: Option<PathBuf>,
    /// Why, for the record.
    #[arg(long)]
    pub reason: String,
}

/// `knhk log erase`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("whom").required(true).multiple(true))]
pub(crate) struct Erase {
    #[command(flatten)]
    pub data: DataDir,
    #[command(flatten)]
    pub key: KeyFile,
    /// The event with this id. Repeatable.
    #[arg(long, value_name = "ID", group = "whom")]
    pub event: Vec<String>,
    /// Only events of this source.
    #[arg(long, value_name = "SOURCE", requires = "event")]
    pub source: Option<String>,
    /// An observation, by its number in the log. Repeatable.
    #[arg(long, value_name = "N", group = "whom")]
    pub sequence: Vec<u64>,
    /// Who asked for it, and why, for the record.
    #[arg(long)]
    pub reason: String,
}

/// `knhk audit`.
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Write a bundle: chosen receipts with bodies and signatures, chosen observations, the log's keys, and the proof that
    /// all of it is in the log.
    #[command(
        after_help = "Example: knhk audit bundle --data DATA --event order-4711 --with-payloads --output for-the-auditor"
    )]
    Bundle(Bundle),
    /// Check a bundle against a public key, offline, and show what is in it.
    #[command(after_help = "Example: knhk audit check for-the-auditor --key verifier.pub")]
    Check {
        /// The bundle.
        bundle: PathBuf,
        /// Verifier key: a file, or its text.
        #[arg(long, value_name = "KEY")]
        key: String,
    },
}

/// `knhk audit bundle`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
pub(crate) struct Bundle {
    #[command(flatten)]
    pub data: DataDir,
    /// Where to write the bundle.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// A receipt, by id or the first digits of one. Repeatable.
    #[arg(long, value_name = "ID", group = "what")]
    pub receipt: Vec<String>,
    /// Every receipt that the newest checkpoint covers.
    #[arg(long, group = "what", conflicts_with = "receipt")]
    pub all_receipts: bool,
    /// Every observation of an event with this id, whatever its source. Repeatable.
    #[arg(long, value_name = "ID", group = "what")]
    pub event: Vec<String>,
    /// An observation, by its number in the log. Repeatable.
    #[arg(long, value_name = "N", group = "what")]
    pub sequence: Vec<u64>,
    /// Put the events themselves in the bundle, as received, beside the proof of each. Erased ones stay out.
    #[arg(long)]
    pub with_payloads: bool,
}

/// `knhk replay`.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// Data directory.
    pub dir: PathBuf,
    /// Start at the newest sealed state (`knhk log seal`) instead of the first entry that is kept.
    #[arg(long)]
    pub from_seal: bool,
}

/// `knhk bench`.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Append fixed records: back to back, and at a rate.
    #[command(after_help = "Example: knhk bench append --producers 1,4")]
    Append(Measurement),
    /// Make observations durable at a rate, while a follower reads everything again before it is recycled.
    ///
    /// Fails if what was appended, what became durable and what was read again is not the same.
    #[command(after_help = "Example: knhk bench durable --rate 1000000 --seconds 30 --data /mnt/nvme")]
    Durable(Measurement),
    /// Seal blocks: hash, frame and write them, step by step.
    #[command(after_help = "Example: knhk bench seal")]
    Seal(Measurement),
    /// Verify 100,000 receipts and the blocks of 1,000,000 observations, by roots and by every signature.
    #[command(after_help = "Example: knhk bench verify --data DATA")]
    Verify(Measurement),
}

/// How to measure.
#[derive(Debug, Args)]
pub(crate) struct Measurement {
    /// How long, in seconds; each run of several takes as long.
    #[arg(long, default_value_t = 5.0, value_name = "N")]
    pub seconds: f64,
    /// Producers that append at the same time, each on a thread of its own; several numbers make several runs of `append`.
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = producers)]
    pub producers: Vec<usize>,
    /// Observations per second in all; 0 is as fast as it goes.
    #[arg(long, value_name = "N")]
    pub rate: Option<f64>,
    /// A directory on the disk to measure; what is made in it is removed. `verify` also takes a data directory.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

fn producers(text: &str) -> Result<usize, String> {
    let most = knhk_storage::store::MAX_PRODUCERS;
    match text.parse() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        _ => Err(format!("give 1 to {most}")),
    }
}
