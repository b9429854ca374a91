//! Processor time of other processes, by `/proc/PID/stat`: in ticks of 10 ms, so for runs of a second and more.

use std::fs;

use crate::Result;

/// Linux counts these for programs in hundredths of a second, on every machine.
const TICK_NS: u64 = 10_000_000;

/// Nanoseconds for which the children that ended and were waited for have run.
pub(crate) fn of_children() -> Result<u64> {
    let stat = Stat::of("self").ok_or("/proc/self/stat cannot be read")?;
    Ok(stat.waited * TICK_NS)
}

/// Nanoseconds for which a process, its children and those of them that ended have run.
pub(crate) fn of_tree(pid: u32) -> Result<u64> {
    let mut sum = Stat::of(&pid.to_string()).map(|own| own.ran + own.waited).ok_or("the server is gone")?;
    for entry in fs::read_dir("/proc")?.flatten() {
        if let Some(child) = entry.file_name().to_str().and_then(Stat::of).filter(|stat| stat.parent == pid) {
            sum += child.ran + child.waited;
        }
    }
    Ok(sum * TICK_NS)
}

/// Of `/proc/PID/stat`: ticks of the process itself and of its children that were waited for.
struct Stat {
    parent: u32,
    ran: u64,
    waited: u64,
}

impl Stat {
    fn of(pid: &str) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may have anything in it; the state comes after it.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Self {
            parent: number(1)?.try_into().ok()?,
            ran: number(11)? + number(12)?,
            waited: number(13)? + number(14)?,
        })
    }
}
