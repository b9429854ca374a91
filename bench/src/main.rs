//! Peers beside us, in turns: round after round each candidate once, so that whatever else the machine does meets all of
//! them alike. Medians count.

// The same clock, processor time and percentiles as `knhk bench`.
#[allow(dead_code, reason = "the command uses more of it")]
#[path = "../../crates/knhk/src/bench/clock.rs"]
mod clock;
#[allow(dead_code, reason = "the command uses more of it")]
#[path = "../../crates/knhk/src/bench/cpu.rs"]
mod cpu;
#[allow(dead_code, reason = "the command uses more of it")]
#[path = "../../crates/knhk/src/bench/machine.rs"]
mod machine;
#[allow(dead_code, reason = "the command uses more of it")]
#[path = "../../crates/knhk/src/bench/percentiles.rs"]
mod percentiles;

mod append;
mod durable;
mod line_peer;
mod ontology;
mod postgres;
mod processes;
mod rocksdb;
mod shacl;
mod shacl_family;
mod stages;

/// What every program here gives back when something fails.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Rounds of every comparison; with `--quick`, 3.
fn rounds() -> usize {
    if quick() { 3 } else { 5 }
}

/// Whether less is enough.
fn quick() -> bool {
    std::env::args().any(|argument| argument == "--quick")
}

/// The middle one.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A record like those of `knhk bench`.
fn record(number: u64) -> knhk_evidence::record::Record {
    let mut record = knhk_evidence::record::Record {
        event_time_ms: 1_700_000_000_000,
        ingest_time_ms: 1_700_000_000_000,
        payload_sha256: knhk_evidence::record::NO_PAYLOAD,
        ..Default::default()
    };
    record.data_digest[..8].copy_from_slice(&number.to_le_bytes());
    record
}

fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("append") => append::run(),
        Some("durable") => durable::run(),
        Some("ontology") => ontology::run(),
        Some("shacl") => shacl::run(),
        Some("stages") => stages::run(),
        _ => Err("say append, durable, ontology, shacl or stages, and --quick if less is enough".into()),
    }
}
