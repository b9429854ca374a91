//! `knhk bench`: what this machine does, measured by the program itself. How: `docs/benchmarks.md`.

mod append;
mod clock;
mod cpu;
mod durable;
mod machine;
mod percentiles;
mod place;
mod producing;
mod seal;
mod show;
mod verify;

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use self::clock::{Clock, ClockCost};
use self::machine::Machine;
use crate::cli::{Bench, Format};
use crate::error::CliError;
use crate::{exit, json};

/// A measurement: a report in words and in JSON, and what it found against itself.
trait Measured: Serialize {
    /// For people.
    fn write(&self, out: &mut dyn Write) -> io::Result<()>;

    /// What must hold and did not.
    fn failure(&self) -> Option<String> {
        None
    }
}

#[derive(Serialize)]
struct Report<'a, T> {
    benchmark: &'static str,
    machine: Machine,
    clock: ClockCost,
    memory: Memory,
    #[serde(flatten)]
    measured: &'a T,
}

#[derive(Serialize)]
struct Memory {
    resident: u64,
    peak_resident: u64,
    disk_written: u64,
}

/// Runs one benchmark.
pub(crate) fn run(command: &Bench, format: Format, out: &mut dyn Write) -> Result<u8, CliError> {
    match command {
        Bench::Append(args) => measure("append", format, out, |clock| append::run(args, clock)),
        Bench::Durable(args) => measure("durable", format, out, |clock| durable::run(args, clock)),
        Bench::Seal(args) => measure("seal", format, out, |clock| seal::run(args, clock)),
        Bench::Verify(args) => measure("verify", format, out, |clock| verify::run(args, clock)),
    }
}

fn measure<T: Measured>(
    benchmark: &'static str,
    format: Format,
    out: &mut dyn Write,
    work: impl FnOnce(&Clock) -> Result<T, CliError>,
) -> Result<u8, CliError> {
    let (machine, clock) = (Machine::here(), Clock::new());
    let (cost, written) = (clock.cost(), machine::written());
    let measured = &work(&clock)?;
    let memory = Memory {
        resident: machine::resident(),
        peak_resident: machine::peak_resident(),
        disk_written: machine::written() - written,
    };
    let report = Report { benchmark, machine, clock: cost, memory, measured };
    if format == Format::Text {
        write(&report, out).map_err(CliError::Output)?;
    } else {
        json(out, &report)?;
    }
    match measured.failure() {
        Some(why) => {
            out.flush().map_err(CliError::Output)?;
            Err(CliError::Benchmark { why })
        }
        None => Ok(exit::DONE),
    }
}

fn write<T: Measured>(report: &Report<'_, T>, out: &mut dyn Write) -> io::Result<()> {
    let Machine { cpu, cores, kernel, build, load, cpu_pressure } = &report.machine;
    let pressure = cpu_pressure.as_deref().unwrap_or("?");
    let cost = &report.clock;
    writeln!(out, "{}", report.benchmark)?;
    writeln!(out, "  machine   {cpu}, {cores} cores; Linux {kernel}; {build}")?;
    writeln!(out, "  before    load {load}; something waited for a processor {pressure} % of the time")?;
    writeln!(
        out,
        "  clock     {:.1} ns a read; an empty measurement {} ns at p50, {} ns at p99; nothing is subtracted",
        cost.read_ns, cost.empty_pair.p50_ns, cost.empty_pair.p99_ns
    )?;
    report.measured.write(out)?;
    writeln!(
        out,
        "  memory    {} resident, {} at most; {} written to disk",
        show::mebibytes(report.memory.resident),
        show::mebibytes(report.memory.peak_resident),
        show::mebibytes(report.memory.disk_written)
    )
}

/// Tells the user something that is no result.
fn note(text: &str) {
    // Nothing is left to do when standard error is closed.
    let _ = writeln!(io::stderr(), "{text}");
}

fn seconds(args: &crate::cli::Measurement) -> Duration {
    Duration::from_secs_f64(args.seconds.clamp(0.1, 86_400.0))
}
