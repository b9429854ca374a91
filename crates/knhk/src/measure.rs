//! Measurements that the gates read: taken before a cycle, logged, then used.

use std::time::Instant;

use knhk_change::window::Window;
use knhk_evidence::input::InputKind;
use knhk_kernel::Kernel;
use knhk_kernel::inputs::Measured;
use knhk_projection::admission::Admission;
use knhk_projection::json::Json;

use crate::error::CliError;
use crate::session::Session;

/// Distinct payloads timed.
const PAYLOADS_MAX: usize = 512;
/// Payload bytes timed: 4 MiB.
const BYTES_MAX: usize = 4 << 20;
/// Verdicts timed together, so that reading the clock weighs little.
const BATCH: usize = 250;
/// Batches; the median of their means counts.
const BATCHES: usize = 9;

/// Measures and logs what the gates read of the step that comes next.
pub(crate) fn before(session: &mut Session, sector: &str) -> Result<(), CliError> {
    if let Some(measured) = now(session.kernel(), sector)? {
        session.input(InputKind::Measurement, Some(sector), &measured, &mut ())?;
    }
    Ok(())
}

/// Measures what the gates read, without logging it.
pub(crate) fn now(kernel: &Kernel, sector: &str) -> Result<Option<Measured>, CliError> {
    let state = kernel.sector(sector)?;
    let world = kernel.world().current();
    Ok(world.sectors.get(sector).and_then(|w| admission(w.admission(), state.window())))
}

/// Times verdicts of the admission program on the window's events. `None` when there is nothing to time, or no figure for
/// memory on this system.
fn admission(admission: &Admission, window: &Window) -> Option<Measured> {
    let mut events = Vec::new();
    let mut bytes = 0;
    'window: for event_type in window.event_types() {
        for (_, payload) in window.payloads(event_type) {
            // One large payload does not switch the measurement off.
            if events.len() >= PAYLOADS_MAX || (bytes + payload.data.len() > BYTES_MAX && !events.is_empty())
            {
                break 'window;
            }
            bytes += payload.data.len();
            let text = std::str::from_utf8(&payload.data).ok()?;
            events.push((event_type, Json::parse(text).ok()?));
        }
    }
    if events.is_empty() {
        return None;
    }
    // Verdicts are counted so that no compiler drops the work.
    let mut conform = 0_u64;
    let mut batches = Vec::with_capacity(BATCHES);
    let mut cursor = events.iter().cycle();
    for _ in 0..BATCHES {
        let start = Instant::now();
        for (event_type, data) in cursor.by_ref().take(BATCH) {
            conform += u64::from(admission.conforms(event_type, data));
        }
        batches.push(start.elapsed().as_nanos() / BATCH as u128);
    }
    std::hint::black_box(conform);
    batches.sort_unstable();
    let mut singles: Vec<_> = (0..BATCH)
        .filter_map(|_| {
            let (event_type, data) = cursor.next()?;
            let start = Instant::now();
            std::hint::black_box(admission.conforms(event_type, data));
            Some(start.elapsed().as_nanos())
        })
        .collect();
    singles.sort_unstable();
    let nanoseconds = |value: Option<&u128>| value.and_then(|v| u64::try_from(*v).ok());
    Some(Measured {
        admission_batch_mean_ns: nanoseconds(batches.get(BATCHES / 2))?,
        admission_p99_ns: nanoseconds(singles.get(singles.len() * 99 / 100))?,
        resident_bytes: resident_bytes()?,
    })
}

/// Resident memory of this process, from `/proc/self/status` (Linux).
pub(crate) fn resident_bytes() -> Option<u64> {
    status_bytes("VmRSS:")
}

/// The most memory this process had resident so far.
pub(crate) fn peak_resident_bytes() -> Option<u64> {
    status_bytes("VmHWM:")
}

fn status_bytes(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1_024)
}
