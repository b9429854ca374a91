//! `knhk audit`: one file that an auditor takes away and checks without the log.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use knhk_evidence::bundle::{Bundle, Item, MAX_BUNDLE_LEN, Observation, Shown};
use knhk_evidence::entry::Entry;
use knhk_evidence::intern::{Table as Names, Tables};
use knhk_evidence::receipt::{Draft, Signed};
use knhk_evidence::record::dedupe_key;
use knhk_kernel::decision::Body;
use knhk_storage::bundle::{Choice, Receipts};
use knhk_storage::{bundle, read};
use serde::Serialize;

use crate::cli::{self, Format};
use crate::error::CliError;
use crate::table::{Table, counted, instant, thousands};
use crate::verify::read_key;
use crate::{bounded, choice, exit, json, kept};

/// Writes a bundle.
pub(crate) fn make(args: &cli::Bundle, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    let dir = &args.data.data;
    if !dir.join("log").is_dir() {
        return Err(CliError::NoLog { path: dir.clone() });
    }
    let receipts =
        if args.all_receipts { Receipts::All } else { Receipts::At(find_receipts(dir, &args.receipt)?) };
    let mut observations = find_observations(dir, &args.event)?;
    observations.extend(&args.sequence);
    let (bundle, shown) =
        match bundle::bundle(dir, &Choice { receipts, observations, payloads: args.with_payloads }) {
            Err(knhk_storage::Error::NotCovered { what: "observation", number: sequence, .. }) => {
                return Err(CliError::NoObservation {
                    sequence,
                    kept: kept::observations(dir, |_| false)?.kept,
                });
            }
            made => made?,
        };
    let bytes = bundle.to_bytes()?;
    bounded::put(Some(&args.output), &bytes, out)?;
    if format == Format::Text {
        summary(&shown, &counted(bytes.len() as u64, "byte"), out).map_err(CliError::Output)?;
    } else {
        json(out, &Summary::of(&shown, bytes.len()))?;
    }
    Ok(exit::DONE)
}

/// The entries of the receipts that these ids, or beginnings of ids, name.
fn find_receipts(dir: &Path, wanted: &[String]) -> Result<BTreeSet<u64>, CliError> {
    if wanted.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut entries = BTreeMap::new();
    for located in read::entries(dir)? {
        let located = located?;
        if let Entry::Receipt { signed, .. } = &located.entry {
            entries.insert(signed.id(), located.index);
        }
    }
    let mut found = BTreeSet::new();
    for text in wanted {
        let kind = choice::Kind { what: "receipt", listed_by: "knhk receipts list" };
        let id = choice::id(kind, text, entries.keys().map(|id| (*id, String::new())))?;
        found.extend(entries.get(&id));
    }
    Ok(found)
}

/// The sequences of the observations that these event ids name, under whatever source.
fn find_observations(dir: &Path, wanted: &[String]) -> Result<BTreeSet<u64>, CliError> {
    let mut sequences = BTreeSet::new();
    // How often each was found.
    let mut ids: BTreeMap<&str, usize> = wanted.iter().map(|id| (id.as_str(), 0)).collect();
    if ids.is_empty() {
        return Ok(sequences);
    }
    let mut names = Tables::default();
    let mut keys: BTreeMap<[u8; 16], &str> = BTreeMap::new();
    for located in read::entries(dir)? {
        match located?.entry {
            Entry::Input(input) => {
                let known = names.len(Names::Source) as usize;
                names.follow(&input)?;
                for source in names.texts(Names::Source).skip(known) {
                    keys.extend(ids.keys().map(|id| (dedupe_key(source, id), *id)));
                }
            }
            Entry::Block { block, .. } => {
                for record in block.records() {
                    if let Some(id) = keys.get(&record.dedupe_key) {
                        sequences.insert(record.sequence);
                        *ids.entry(id).or_default() += 1;
                    }
                }
            }
            _ => {}
        }
    }
    if let Some((id, _)) = ids.iter().find(|(_, count)| **count == 0) {
        let begins_at = kept::start(dir)?.map_or(0, |state| state.size);
        return Err(CliError::NoEvent { id: (*id).to_owned(), of: None, elsewhere: Vec::new(), begins_at });
    }
    Ok(sequences)
}

#[derive(Serialize)]
struct Summary {
    verified: bool,
    bytes: usize,
    origin: String,
    tree_size: u64,
    root: String,
    keys: Vec<String>,
    receipts: u64,
    observations: u64,
    events: u64,
    sectors: Vec<Sector>,
}

#[derive(Serialize)]
struct Sector {
    name: String,
    receipts: u64,
    first: u64,
    last: u64,
    complete_from_the_first: bool,
}

impl Summary {
    fn of(shown: &Shown, bytes: usize) -> Self {
        Self {
            verified: true,
            bytes,
            origin: shown.checkpoint.origin.clone(),
            tree_size: shown.checkpoint.size,
            root: shown.checkpoint.root.to_string(),
            keys: shown.keys.iter().map(ToString::to_string).collect(),
            receipts: shown.receipts,
            observations: shown.observations,
            events: shown.payloads,
            sectors: shown
                .chains
                .iter()
                .map(|(sector, chain)| Sector {
                    name: sector.clone(),
                    receipts: chain.count,
                    first: chain.first,
                    last: chain.last,
                    complete_from_the_first: chain.is_complete(),
                })
                .collect(),
        }
    }
}

fn summary(shown: &Shown, bytes: &str, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(
        out,
        "bundle of {bytes}\n  receipts {}, observations {}, with the event itself {}\n  under a checkpoint of {} of {}, root {}",
        thousands(shown.receipts),
        thousands(shown.observations),
        thousands(shown.payloads),
        counted(shown.checkpoint.size, "entry"),
        shown.checkpoint.origin,
        shown.checkpoint.root
    )?;
    for (sector, chain) in &shown.chains {
        let (first, last) = (chain.first, chain.last);
        match (chain.is_complete(), chain.count) {
            (true, _) => writeln!(out, "  {sector}: receipts from the first, 0, to {last}, without a gap")?,
            (false, 1) => writeln!(out, "  {sector}: receipt {last}")?,
            (false, count) => writeln!(out, "  {sector}: {count} of the receipts {first} to {last}")?,
        }
    }
    Ok(())
}

/// A receipt, as JSON.
#[derive(Serialize)]
struct ReceiptRow<'a> {
    id: String,
    entry: u64,
    receipt: &'a Draft,
    signature: String,
    body: Shape,
}

/// A body in the form of this version's decisions, or, of another version, as it is.
#[derive(Serialize)]
#[serde(untagged)]
enum Shape {
    Decision(Box<Body>),
    Bytes(String),
}

/// An observation, as JSON.
#[derive(Serialize)]
struct ObservationRow<'a> {
    sequence: u64,
    entry: u64,
    event_type: &'a str,
    sector: &'a str,
    source: &'a str,
    event_time_ms: i64,
    ingest_time_ms: i64,
    payload_sha256: String,
    event: Option<String>,
}

#[derive(Serialize)]
struct Contents<'a> {
    #[serde(flatten)]
    summary: Summary,
    receipt_list: Vec<ReceiptRow<'a>>,
    observation_list: Vec<ObservationRow<'a>>,
}

/// Checks a bundle with a public key and nothing else, and shows what is in it.
pub(crate) fn check(path: &Path, key: &str, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    let key = read_key(key)?;
    let bytes = bounded::bytes(path, MAX_BUNDLE_LEN)?;
    let in_file =
        |mend| move |source| CliError::InFile { path: path.to_owned(), source: Box::new(source), mend };
    let bundle = Bundle::from_bytes(&bytes).map_err(in_file("give a file that `knhk audit bundle` wrote"))?;
    let mend = "check it with the verifier key of the log that it is from, or get the bundle again";
    let shown = bundle.verify(&key).map_err(in_file(mend))?;
    if format != Format::Text {
        json(out, &contents(&bundle, &shown, bytes.len()))?;
        return Ok(exit::DONE);
    }
    write!(out, "verified: ")
        .and_then(|()| {
            summary(&shown, &format!("{}, every one accounted for", counted(bytes.len() as u64, "byte")), out)
        })
        .map_err(CliError::Output)?;
    let mut receipts = Table::new(&["entry>", "sector", "no.>", "time", "operation", "outcome", "receipt"]);
    let mut observations = Table::new(&["no.>", "time", "event type", "source", "SHA-256", "event"]);
    for (entry, item) in &bundle.items {
        match item {
            Item::Entry(Entry::Receipt { signed, .. }) => {
                let draft = signed.draft();
                receipts.row([
                    entry.to_string(),
                    draft.sector.clone(),
                    draft.sequence.to_string(),
                    instant(draft.time_ms),
                    draft.operation.to_string(),
                    draft.outcome.to_string(),
                    signed.id().to_string().chars().take(12).collect(),
                ]);
            }
            Item::Entry(_) => {}
            Item::Observations(block) => {
                for observation in &block.records {
                    let row = observation_row(*entry, observation, &shown);
                    observations.row([
                        row.sequence.to_string(),
                        instant(row.event_time_ms),
                        row.event_type.to_owned(),
                        row.source.to_owned(),
                        row.payload_sha256.chars().take(16).collect(),
                        if row.event.is_some() { "in it" } else { "" }.to_owned(),
                    ]);
                }
            }
        }
    }
    for (count, table) in [(shown.receipts, &receipts), (shown.observations, &observations)] {
        if count > 0 {
            writeln!(out).and_then(|()| table.write(out)).map_err(CliError::Output)?;
        }
    }
    Ok(exit::DONE)
}

fn contents<'a>(bundle: &'a Bundle, shown: &'a Shown, bytes: usize) -> Contents<'a> {
    let (mut receipt_list, mut observation_list) = (Vec::new(), Vec::new());
    for (entry, item) in &bundle.items {
        match item {
            Item::Entry(Entry::Receipt { signed, body }) => {
                receipt_list.push(receipt_row(*entry, signed, body));
            }
            Item::Entry(_) => {}
            Item::Observations(block) => {
                observation_list
                    .extend(block.records.iter().map(|shown_one| observation_row(*entry, shown_one, shown)));
            }
        }
    }
    Contents { summary: Summary::of(shown, bytes), receipt_list, observation_list }
}

fn receipt_row<'a>(entry: u64, signed: &'a Signed, body: &[u8]) -> ReceiptRow<'a> {
    ReceiptRow {
        id: signed.id().to_string(),
        entry,
        receipt: signed.draft(),
        signature: hex::encode(signed.signature()),
        body: Body::from_bytes(body)
            .map_or_else(|_| Shape::Bytes(hex::encode(body)), |body| Shape::Decision(Box::new(body))),
    }
}

fn observation_row<'a>(entry: u64, observation: &Observation, shown: &'a Shown) -> ObservationRow<'a> {
    let record = &observation.record;
    let name = |table, id| shown.names.text(table, id).unwrap_or_default();
    ObservationRow {
        sequence: record.sequence,
        entry,
        event_type: name(Names::EventType, u32::from(record.event_type)),
        sector: name(Names::Sector, u32::from(record.sector)),
        source: name(Names::Source, record.source),
        event_time_ms: record.event_time_ms,
        ingest_time_ms: record.ingest_time_ms,
        payload_sha256: record.payload_sha256.to_string(),
        event: observation.payload.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned()),
    }
}
