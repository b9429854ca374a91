//! Processor time: of this thread and this process by the system's clocks, of other threads by `/proc`.

use std::collections::BTreeMap;
use std::fs;

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds for which this thread has run (`CLOCK_THREAD_CPUTIME_ID`).
pub(crate) fn of_this_thread() -> u64 {
    nanoseconds(ClockId::ThreadCPUTime)
}

/// Nanoseconds for which the threads of this process have run, those that ended included
/// (`CLOCK_PROCESS_CPUTIME_ID`).
pub(crate) fn of_this_process() -> u64 {
    nanoseconds(ClockId::ProcessCPUTime)
}

/// Nanoseconds for which each thread that is there now has run, added up by name (`/proc/self/task/*/schedstat`). Empty
/// where the system does not say.
pub(crate) fn by_thread() -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for task in fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let read = |file| fs::read_to_string(task.path().join(file)).unwrap_or_default();
        let (name, ran) = (read("comm"), read("schedstat"));
        if let Some(ns) = ran.split_whitespace().next().and_then(|ns| ns.parse::<u64>().ok()) {
            *found.entry(name.trim_end().to_owned()).or_default() += ns;
        }
    }
    found
}

fn nanoseconds(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    // A clock that counts from the start of a thread or process is not negative.
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}
