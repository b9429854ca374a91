//! The seven stages on an ontology of about 11,000 triples, stage by stage, for changes of 1 to 1,000 triples.
//!
//! Bounds (ms): all stages 100; static 20, invariants 15, doctrine 10, guards 5, performance 5, rollback 5, compatibility
//! 30; the change applied 10; Q3 alone 1.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use knhk_change::doctrine::DoctrineSet;
use knhk_change::finding::Stage;
use knhk_change::guards::GuardSet;
use knhk_change::invariants;
use knhk_change::pipeline;
use knhk_change::proposal::{Claims, Proposal, ProposalContent};
use knhk_change::shadow::Shadow;
use knhk_change::stages::{Context, Measurement};
use knhk_change::window::{Arrival, Window};
use knhk_evidence::Hash;
use knhk_ontology::delta::{AddedProperty, Delta, SetValue, TypedLiteral};
use knhk_ontology::schema::{
    Cardinality, Class, Compatibility, Datatype, Facets, Property, Range, Schema, Settings,
};
use knhk_ontology::{History, Iri, Pack, Snapshot, Version, lower, vocab};

use crate::{Result, median, quick};

const NAMESPACE: &str = "urn:knhk:trade#";
const CLASSES: usize = 60;
const KEYS: usize = 14;
/// Distinct payloads in the window, over as many event types as there are classes of events.
const PAYLOADS: usize = 3_000;
const NOW_MS: i64 = 1_780_000_000_000;
/// The whole pipeline, in ms.
const BOUND_MS: f64 = 100.0;

fn iri(local: &str) -> Result<Iri> {
    Ok(Iri::new(format!("{NAMESPACE}{local}"))?)
}

fn property(class: &str, key: &str, n: usize) -> Result<Property> {
    let datatype = [Datatype::String, Datatype::Decimal, Datatype::Integer, Datatype::DateTime][n % 4];
    let mut facets = Facets::default();
    if n % 4 == 1 {
        facets.min = Some(0.into());
    }
    if n % 12 == 0 {
        facets.values = Some(["open", "closed", "late"].map(str::to_owned).into());
    }
    Ok(Property {
        iri: iri(&format!("{class}.{key}"))?,
        key: key.to_owned(),
        label: key.to_owned(),
        comment: format!("The {key} of the {class}."),
        ranges: BTreeSet::from([Range::Datatype(datatype)]),
        cardinality: if n % 3 == 0 { Cardinality::One } else { Cardinality::ZeroOrOne },
        facets,
        deprecated: false,
        replaced_by: None,
    })
}

fn event_type(class: usize) -> String {
    format!("com.example.trade.c{class}")
}

/// Every third class describes an event; the others are parts of the next one.
fn schema(compatibility: Compatibility) -> Result<Schema> {
    let mut schema = Schema {
        sector: "trade".to_owned(),
        namespace: NAMESPACE.to_owned(),
        settings: Settings { compatibility, ..Settings::default() },
        event_types: [].into(),
        classes: [].into(),
    };
    for c in 0..CLASSES {
        let name = format!("C{c}");
        let is_event = c % 3 == 0;
        let mut properties: std::collections::BTreeMap<String, Property> = [].into();
        for k in 0..KEYS {
            let key = format!("k{k}");
            properties.insert(key.clone(), property(&name, &key, k)?);
        }
        if c % 3 != 2 {
            let mut part = property(&name, "part", 1)?;
            part.ranges = BTreeSet::from([Range::Class(iri(&format!("C{}", c + 1))?)]);
            part.facets = Facets::default();
            properties.insert("part".to_owned(), part);
        }
        let class = Class {
            iri: iri(&name)?,
            label: name.clone(),
            comment: format!("A {name}."),
            subclass_of: if is_event { vocab::KNHK_EVENT.clone() } else { vocab::KNHK_PART.clone() },
            event_types: if is_event { [event_type(c)].into() } else { [].into() },
            hot: false,
            properties,
        };
        if is_event {
            schema.event_types.insert(event_type(c), class.iri.clone());
        }
        schema.classes.insert(class.iri.clone(), class);
    }
    Ok(schema)
}

fn window() -> Window {
    let mut window = Window::default();
    let events: Vec<usize> = (0..CLASSES).filter(|c| c % 3 == 0).collect();
    for n in 0..PAYLOADS {
        let class = events[n % events.len()];
        let values = |n: usize| {
            let keys = (0..KEYS).filter(|k| k % 3 == 0);
            let values = keys.map(|k| match k % 4 {
                _ if k % 12 == 0 => format!("\"k{k}\":\"open\""),
                0 => format!("\"k{k}\":\"v{n}\""),
                1 => format!("\"k{k}\":{n}.5"),
                2 => format!("\"k{k}\":{n}"),
                _ => format!("\"k{k}\":\"2026-01-02T03:04:05Z\""),
            });
            values.collect::<Vec<_>>().join(",")
        };
        let data = format!("{{{},\"part\":{{{}}}}}", values(n), values(n + 1));
        let digest = Hash::of(data.as_bytes());
        let event_type = event_type(class);
        window.push(&Arrival {
            event_type: &event_type,
            data: data.as_bytes(),
            data_digest: digest.prefix(),
            record_digest: digest,
            time_ms: NOW_MS,
        });
    }
    window
}

/// A change of about so many triples: a value, then optional keys spread over the classes.
fn change(triples: usize) -> Result<Delta> {
    let mut delta = Delta::default();
    if triples < 10 {
        let new = TypedLiteral { value: "7".to_owned(), datatype: vocab::XSD_INTEGER.clone() };
        delta.set_values =
            vec![SetValue { subject: iri("limits")?, predicate: iri("lowest")?, old: None, new }];
        return Ok(delta);
    }
    for n in 0..triples.div_ceil(13) {
        let class = format!("C{}", n % CLASSES);
        let mut property = property(&class, &format!("new{n}"), 3)?;
        property.cardinality = Cardinality::ZeroOrOne;
        delta.added_properties.push(AddedProperty { domain: iri(&class)?, property });
    }
    Ok(delta)
}

const RULES: &str = "[[rule]]\nid = \"T-1\"\nname = \"Nothing is removed\"\ndescription = \"\"\nenforcement = \"mandatory\"\n\
     source = \"\"\nversion = 1\nconstraint = { type = \"custom\", predicate = \"no_removal\" }\n";

fn guards() -> Result<GuardSet> {
    let mut text = String::new();
    for n in 0..20 {
        let class = n * 3;
        text.push_str(&format!(
            "[[guard]]\nid = \"G{n}\"\nname = \"g\"\ndescription = \"\"\ntype = \"compliance_rule\"\ncriticality = \"high\"\n\
             properties = [\"{NAMESPACE}C{class}.k0\", \"{NAMESPACE}C{class}.part\"]\ntier = \"warm\"\n"
        ));
    }
    Ok(GuardSet::from_toml(text.as_bytes())?)
}

struct Sector {
    base: Arc<Snapshot>,
    history: History,
}

/// A sector with as many promotions behind it as a transitive level compares with.
fn sector(compatibility: Compatibility) -> Result<Sector> {
    let pack = Pack::from_schema(&schema(compatibility)?, "Trade", "Trade items.", Version::FIRST)?;
    let genesis = Snapshot::genesis(pack.sigma()?, pack.version, pack.digest, 1_000)?;
    let mut history = History::begin(genesis.clone())?;
    let mut base = genesis;
    for n in 0..33_u64 {
        let class = format!("C{}", usize::try_from(n)? % CLASSES);
        let mut property = property(&class, &format!("past{n}"), 3)?;
        property.cardinality = Cardinality::ZeroOrOne;
        let delta = Delta {
            added_properties: vec![AddedProperty { domain: iri(&class)?, property }],
            ..Delta::default()
        };
        let triples = lower(&delta, &base.sigma, &base.schema)?;
        base = base.child(&triples, Version::FIRST, 2_000 + n)?;
        history.insert(base.clone())?;
    }
    Ok(Sector { base: Arc::new(base), history })
}

fn proposal(base: &Snapshot, delta: Delta) -> Result<Proposal> {
    Ok(Proposal::new(ProposalContent {
        sector: base.sector.clone(),
        base: base.id,
        patterns: Vec::new(),
        changes: Vec::new(),
        delta,
        reasoning: String::new(),
        confidence_ppm: 1_000_000,
        estimated_ticks: 1,
        rollback: String::new(),
        proposer: "rules/1".to_owned(),
        claims: Claims::default(),
        evidence_digest: Hash::ZERO,
        time_ms: NOW_MS,
    })?)
}

/// Prints medians by stage, in ms, and fails when the whole is above its bound.
pub fn run() -> Result<()> {
    let (rounds, mut missed) = (if quick() { 5 } else { 21 }, Vec::new());
    let (doctrine, guards, window) = (DoctrineSet::from_toml(RULES.as_bytes())?, guards()?, window());
    println!("medians of {rounds} runs, in ms");
    for level in [Compatibility::Backward, Compatibility::BackwardTransitive] {
        let sector = sector(level)?;
        let sigma = &sector.base.sigma;
        let keys: usize = sector.base.schema.classes.values().map(|class| class.properties.len()).sum();
        println!(
            "{}: {} triples, {keys} properties, {} snapshots, {PAYLOADS} payloads, {} guards",
            level.as_str(),
            sigma.iter().count(),
            sector.history.depth(),
            guards.guards().count()
        );
        for size in [1, 10, 100, 1_000] {
            let delta = change(size)?;
            let proposal = proposal(&sector.base, delta.clone())?;
            let context = Context {
                now_ms: NOW_MS,
                history: &sector.history,
                doctrine: &doctrine,
                guards: &guards,
                approvals: &[],
                window: &window,
                measurement: Some(Measurement {
                    admission_batch_mean_ns: 50,
                    admission_p99_ns: 1_000,
                    resident_bytes: 1 << 20,
                }),
            };
            let mut stages: [Vec<f64>; 7] = Default::default();
            let (mut whole, mut applied, mut q3, mut triples) = (Vec::new(), Vec::new(), Vec::new(), 0);
            for _ in 0..rounds {
                let started = Instant::now();
                let shadow = Shadow::new(Arc::clone(&sector.base), &delta).applied();
                applied.push(started.elapsed().as_secs_f64() * 1e3);
                let candidate = shadow.candidate().ok_or("the change cannot be applied")?;
                triples = candidate.triples().added.len() + candidate.triples().removed.len();
                let started = Instant::now();
                black_box(invariants::guard_preservation(candidate.schema()));
                q3.push(started.elapsed().as_secs_f64() * 1e3);
                let started = Instant::now();
                let mut last = started;
                let checked =
                    pipeline::check(&sector.base, proposal.clone(), &context, &mut |stage: Stage| {
                        stages[stage as usize].push(last.elapsed().as_secs_f64() * 1e3);
                        last = Instant::now();
                    });
                whole.push(started.elapsed().as_secs_f64() * 1e3);
                if let Some(failed) = checked.failed_stages().next() {
                    return Err(format!("{failed:?}").into());
                }
            }
            let whole = median(whole);
            print!(
                "  |Δ| {triples:>4}  all {whole:>6.2}  applied {:>5.2}  Q3 {:>5.3} ",
                median(applied),
                median(q3)
            );
            for (stage, times) in Stage::ALL.into_iter().zip(stages) {
                print!(" {stage} {:.2}", median(times));
            }
            println!();
            if whole > BOUND_MS {
                missed.push(format!("{} with |Δ| {triples}: {whole:.1} ms", level.as_str()));
            }
        }
    }
    if missed.is_empty() { Ok(()) } else { Err(format!("above {BOUND_MS} ms: {}", missed.join("; ")).into()) }
}
