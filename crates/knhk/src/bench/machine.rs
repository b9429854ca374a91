//! What the figures were measured on.

use std::fs;
use std::num::NonZero;
use std::thread;

use serde::Serialize;

/// A machine and a build.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    pub(crate) build: String,
    /// Processes that were running or waiting to run, on average over the last minute, before the measurement.
    pub(crate) load: String,
    /// Share of the last ten seconds in which something waited for a processor, in percent (`/proc/pressure/cpu`).
    pub(crate) cpu_pressure: Option<String>,
}

impl Machine {
    /// This machine, now.
    pub(crate) fn here() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let model = cpuinfo.lines().find(|line| line.starts_with("model name"));
        let model = model.and_then(|line| line.split_once(": ")).map(|(_, model)| model.to_owned());
        let pressure = read("/proc/pressure/cpu");
        Self {
            cpu: model.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: thread::available_parallelism().map_or(1, NonZero::get),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            build: format!(
                "knhk {}, {}",
                env!("CARGO_PKG_VERSION"),
                if cfg!(debug_assertions) { "debug: NOT a build to measure with" } else { "release" }
            ),
            load: read("/proc/loadavg").split_whitespace().next().unwrap_or("unknown").to_owned(),
            cpu_pressure: pressure
                .split("avg10=")
                .nth(1)
                .and_then(|rest| rest.split(' ').next())
                .map(str::to_owned),
        }
    }
}

/// A figure of `/proc/self/FILE`, which has a line `NAME: FIGURE`.
pub(crate) fn of_this_process(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/self/{file}")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The most memory this process ever had resident, in bytes.
pub(crate) fn peak_resident() -> u64 {
    of_this_process("status", "VmHWM").map_or(0, |kib| kib * 1_024)
}

/// The memory this process has resident now, in bytes.
pub(crate) fn resident() -> u64 {
    of_this_process("status", "VmRSS").map_or(0, |kib| kib * 1_024)
}

/// Bytes this process has caused to be written to a disk so far.
pub(crate) fn written() -> u64 {
    of_this_process("io", "write_bytes").unwrap_or(0)
}
