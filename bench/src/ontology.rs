//! The ontology plane: reading what is current, making another version current, going back, and what changes of the
//! graph cost, beside a copy of an `oxrdf` graph and of a sorted list. The bounds that hold fail the run when missed.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use knhk_change::doctrine::DoctrineSet;
use knhk_change::guards::GuardSet;
use knhk_kernel::world::{SectorWorld, SnapshotPromoter};
use knhk_ontology::rendering::{sector_triples, vocabulary_triples};
use knhk_ontology::schema::{Cardinality, Class, Datatype, Facets, Property, Range, Schema, Settings};
use knhk_ontology::{
    Graph, History, Iri, Literal, Sigma, Snapshot, Triple, TripleDelta, Version, core_graph, turtle, vocab,
};
use knhk_projection::admission::Admission;

use crate::{Result, median, quick, rounds};

/// Triples of the graphs.
const SIZES: [usize; 2] = [10_000, 100_000];
/// Triples that a change adds, and as many that it removes.
const CHANGES: [usize; 4] = [10, 100, 1_000, 5_000];
/// Versions of one history.
const VERSIONS: usize = 5_000;
/// Loads of one sample.
const LOADS: u32 = 1_000_000;
/// A cached read takes at most this many times a plain atomic load.
const READ_MAX: f64 = 1.5;
/// A promotion, in µs.
const PROMOTE_MAX_US: f64 = 10.0;
/// A rollback, in µs.
const ROLLBACK_MAX_US: f64 = 1_000.0;
/// A change of 10,000 triples, in µs.
const LARGE_CHANGE_MAX_US: f64 = 10_000.0;
/// The last versions of a history take at most this many times as long as the first.
const SLOWER_MAX: f64 = 2.0;

/// An ontology of at least `triples` triples, always the same: classes of seven keys.
fn schema(triples: usize) -> Result<Schema> {
    let iri = |local: String| Iri::new(format!("urn:e:bench#{local}"));
    let mut schema = Schema {
        sector: "bench".into(),
        namespace: "urn:e:bench#".into(),
        settings: Settings::default(),
        event_types: Default::default(),
        classes: Default::default(),
    };
    // 10 triples a class and 12 a key.
    for c in 0..triples.div_ceil(94) {
        let class = iri(format!("C{c}"))?;
        let event_types = BTreeSet::from([format!("event.{c}")]);
        schema.event_types.insert(format!("event.{c}"), class.clone());
        let mut properties = std::collections::BTreeMap::new();
        for p in 0..7 {
            let property = Property {
                iri: iri(format!("C{c}.k{p}"))?,
                key: format!("k{p}"),
                label: format!("key {p} of {c}"),
                comment: format!("What key {p} of class {c} says."),
                ranges: BTreeSet::from([Range::Datatype(Datatype::ALL[p])]),
                cardinality: Cardinality::ZeroOrOne,
                facets: Facets::default(),
                deprecated: false,
                replaced_by: None,
            };
            properties.insert(property.key.clone(), property);
        }
        let class = Class {
            iri: class,
            label: format!("class {c}"),
            comment: format!("The class {c}."),
            subclass_of: vocab::KNHK_EVENT.clone(),
            event_types,
            hot: false,
            properties,
        };
        schema.classes.insert(class.iri.clone(), class);
    }
    Ok(schema)
}

/// `n` notes about the classes, told apart by `mark`.
fn notes(mark: usize, n: usize) -> Result<BTreeSet<Triple>> {
    let note = Iri::new("urn:e:bench#note")?;
    (0..n)
        .map(|k| {
            let subject = Iri::new(format!("urn:e:bench#I{}", k * 7919 % 4_000))?;
            Ok(Triple::new(&subject, &note, Literal::string(format!("note {mark} {k}"))))
        })
        .collect()
}

fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let begin = Instant::now();
    let done = work();
    (begin.elapsed().as_secs_f64() * 1e6, done)
}

/// As often as said, in µs altogether.
fn repeated<T>(times: u32, mut work: impl FnMut() -> T) -> f64 {
    timed(|| {
        for _ in 0..times {
            black_box(work());
        }
    })
    .0
}

/// Resident bytes of this program.
fn resident() -> Result<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm.split(' ').nth(1).ok_or("no resident pages")?.parse()?;
    Ok(pages * 4_096)
}

struct Bounds(bool);

impl Bounds {
    fn hold(&mut self, what: &str, found: f64, most: f64) {
        let verdict = if found <= most { "" } else { "  MISSED" };
        println!("  {what:<44} {found:>12.3}   at most {most}{verdict}");
        self.0 &= found <= most;
    }
}

pub(crate) fn run() -> Result<()> {
    println!("ontology: medians of {} interleaved rounds, µs unless said", rounds());
    let mut bounds = Bounds(true);
    for size in SIZES {
        at(size, &mut bounds)?;
    }
    history(&mut bounds)?;
    if bounds.0 { Ok(()) } else { Err("a bound that is asked for was not met".into()) }
}

fn at(size: usize, bounds: &mut Bounds) -> Result<()> {
    let schema = schema(size)?;
    let triples: Vec<Triple> =
        sector_triples(&schema, "A bench.").into_iter().chain(vocabulary_triples(&schema)).collect();
    let text = turtle::write(triples.iter().cloned(), &[]);
    let before = resident()?;
    let (parse_us, parsed) = timed(|| turtle::parse(&text));
    let parsed = parsed?;
    let (root_us, _) = timed(|| parsed.root());
    let bytes = resident()?.saturating_sub(before) / parsed.len() as u64;
    println!(
        "\n{} triples, {} KiB of Turtle, {} classes",
        parsed.len(),
        text.len() / 1_024,
        schema.classes.len()
    );
    println!("  read and index once {parse_us:.0}, first root {root_us:.0}, {bytes} resident bytes a triple");
    let sigma = Sigma::new(core_graph()?.clone(), parsed);
    changes(&sigma, &triples, size, bounds)?;
    promotions(sigma, bounds)
}

/// Changes of as many triples added as removed.
fn changes(sigma: &Sigma, triples: &[Triple], size: usize, bounds: &mut Bounds) -> Result<()> {
    println!("  a change of         apply + root    invert    digest      diff   oxrdf copy   sorted copy");
    let line = |triple: &Triple| -> Result<oxrdf::Triple> {
        let text = triple.to_nquads_line();
        Ok(oxttl::NTriplesParser::new().for_slice(text.as_bytes()).next().ok_or("no triple")??)
    };
    let peer: oxrdf::Graph = triples.iter().map(line).collect::<Result<Vec<_>>>()?.into_iter().collect();
    let mut sorted = triples.to_vec();
    sorted.sort_unstable();
    for n in CHANGES {
        let removed = triples.iter().step_by((triples.len() / n).max(1)).take(n).cloned().collect();
        let delta = TripleDelta { added: notes(n, n)?, removed };
        let (plus, minus): (Vec<_>, Vec<_>) = (
            delta.added.iter().map(line).collect::<Result<_>>()?,
            delta.removed.iter().map(line).collect::<Result<_>>()?,
        );
        let mut took = vec![Vec::new(); 6];
        for _ in 0..rounds() {
            let (us, after) = timed(|| sigma.apply(&delta).map(|after| (after.content_id(), after)));
            let after = after?.1;
            took[0].push(us);
            took[1].push(timed(|| black_box(delta.inverse())).0);
            took[2].push(timed(|| black_box(delta.digest())).0);
            let (us, found) = timed(|| TripleDelta::between(&sigma.sector, &after.sector));
            if found != delta {
                return Err("the difference is not the change".into());
            }
            took[3].push(us);
            took[4].push(
                timed(|| {
                    let mut copy = peer.clone();
                    for triple in &minus {
                        copy.remove(triple);
                    }
                    for triple in &plus {
                        copy.insert(triple);
                    }
                    black_box(copy.len())
                })
                .0,
            );
            took[5].push(
                timed(|| {
                    let mut copy = sorted.clone();
                    copy.retain(|triple| !delta.removed.contains(triple));
                    copy.extend(delta.added.iter().cloned());
                    copy.sort_unstable();
                    black_box(copy.len())
                })
                .0,
            );
        }
        let m: Vec<f64> = took.into_iter().map(median).collect();
        println!(
            "  {n:>6} + {n:<6} {:>16.1} {:>9.1} {:>9.1} {:>9.1} {:>12.1} {:>13.1}",
            m[0], m[1], m[2], m[3], m[4], m[5]
        );
        if n == 5_000 && size == 100_000 {
            bounds.hold("a change of 10,000", m[0], LARGE_CHANGE_MAX_US);
        }
    }
    Ok(())
}

fn world(snapshot: Snapshot, like: &SectorWorld) -> Arc<SectorWorld> {
    Arc::new(SectorWorld::new(Arc::new(snapshot), Arc::clone(&like.doctrine), Arc::clone(&like.guards)))
}

/// Reading what is current, making another version current, and going back.
fn promotions(sigma: Sigma, bounds: &mut Bounds) -> Result<()> {
    let genesis = Snapshot::genesis(sigma, Version::FIRST, [7; 32], 1)?;
    let first = Arc::new(SectorWorld::new(
        Arc::new(genesis.clone()),
        Arc::new(DoctrineSet::new(Vec::new())?),
        Arc::new(GuardSet::new(Vec::new())?),
    ));
    let promoter = SnapshotPromoter::default();
    promoter.promote("bench", None, &first)?;
    let plain = AtomicUsize::new(1);
    let mut history = History::begin(genesis)?;
    let names = [
        "cached read, ns",
        "atomic load, ns",
        "load_full, ns",
        "promotion in memory",
        "schema read",
        "admission",
        "rollback",
    ];
    let mut took = vec![Vec::new(); names.len()];
    for round in 0..rounds() * 3 {
        let mut reader = promoter.reader();
        let ns = |us: f64| us * 1e3 / f64::from(LOADS);
        took[0].push(ns(repeated(LOADS, || reader.load().epoch)));
        took[1].push(ns(repeated(LOADS, || plain.load(Ordering::Acquire))));
        took[2].push(ns(repeated(LOADS, || promoter.current())));
        let back = history.head().clone();
        let delta = TripleDelta { added: notes(round, 10)?, removed: BTreeSet::new() };
        let next = back.child(&delta, back.version, 0)?;
        took[4].push(timed(|| black_box(next.sigma.schema())).0);
        took[5].push(timed(|| black_box(Admission::new(&next.schema))).0);
        // What the kernel does in memory with a version that was checked: into the history, and before the readers.
        let (us, done) = timed(|| -> Result<_> {
            let mut longer = history.clone();
            longer.insert(next.clone())?;
            let ready = world(next, &first);
            promoter.promote("bench", Some(back.id), &ready)?;
            Ok((longer, ready))
        });
        let (longer, ready) = done?;
        history = longer;
        took[3].push(us);
        let (us, done) = timed(|| -> Result<Snapshot> {
            let head = history.head();
            let known = history.known(&back.id)?;
            let delta = TripleDelta::between(&head.sigma.sector, &known.sigma().sector);
            let child = head.child_known(&delta, &known, head.version, 0)?;
            history.insert(child.clone())?;
            Ok(child)
        });
        let child = done?;
        took[6].push(us);
        promoter.promote("bench", Some(ready.snapshot.id), &world(child, &first))?;
    }
    let m: Vec<f64> = took.into_iter().map(median).collect();
    for (name, median) in names.iter().zip(&m) {
        println!("  {name:<44} {median:>12.3}");
    }
    bounds.hold("cached read / atomic load", m[0] / m[1], READ_MAX);
    bounds.hold("promotion in memory", m[3], PROMOTE_MAX_US);
    bounds.hold("rollback to one of the latest versions", m[6], ROLLBACK_MAX_US);
    Ok(())
}

/// A history of many versions of one graph, of 10 triples each.
fn history(bounds: &mut Bounds) -> Result<()> {
    let triples = if quick() { SIZES[0] } else { SIZES[1] };
    let schema = schema(triples)?;
    let graph: Graph =
        sector_triples(&schema, "A bench.").into_iter().chain(vocabulary_triples(&schema)).collect();
    let genesis = Snapshot::genesis(Sigma::new(core_graph()?.clone(), graph), Version::FIRST, [7; 32], 1)?;
    let first = genesis.id;
    let mut history = History::begin(genesis)?;
    let (mut took, before) = (Vec::with_capacity(VERSIONS), resident()?);
    for version in 0..VERSIONS {
        let head = history.head().clone();
        let delta = TripleDelta { added: notes(version, 10)?, removed: BTreeSet::new() };
        let (us, done) = timed(|| history.insert(head.child(&delta, head.version, 0)?));
        done?;
        took.push(us);
    }
    let bytes = resident()?.saturating_sub(before) / VERSIONS as u64;
    let (early, late) = (median(took[..100].to_vec()), median(took[VERSIONS - 100..].to_vec()));
    println!(
        "\n{VERSIONS} versions of {triples} triples, 10 added by each: {bytes} resident bytes a version"
    );
    println!("  the first 100 {early:.1}, the last 100 {late:.1}");
    bounds.hold("last / first", late / early, SLOWER_MAX);
    let (us, found) = timed(|| history.is_ancestor(&first, &history.head().id));
    println!("  is the first an ancestor of the last: {found}, {us:.2}");
    Ok(())
}
