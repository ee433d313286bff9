//! What a tree of processes uses (proc_pid_status(5), proc_pid_stat(5)).

use std::time::Duration;

use crate::platform::TreeStats;

/// What these processes use together; one that has ended counts for nothing.
pub fn stats(pids: &[u32]) -> TreeStats {
    let mut total = TreeStats::default();
    let mut largest_shared = 0;
    for &pid in pids {
        let Some(use_) = Usage::read(pid) else { continue };
        total.processes += 1;
        total.memory_bytes += use_.anonymous;
        total.cpu += use_.cpu;
        largest_shared = largest_shared.max(use_.shared);
    }
    total.memory_bytes += largest_shared;
    total
}

struct Usage {
    anonymous: u64,
    shared: u64,
    cpu: Duration,
}

impl Usage {
    fn read(pid: u32) -> Option<Self> {
        let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let bytes = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let kibibytes =
                line.and_then(|line| line.split_ascii_whitespace().next()?.parse().ok());
            kibibytes.unwrap_or(0_u64) * 1024
        };
        let cpu = cpu_time(&stat)?;
        Some(Self { anonymous: bytes("RssAnon:"), shared: bytes("RssShmem:"), cpu })
    }
}

/// Fields 14 to 17: its own time in user and kernel mode, and that of its reaped children.
fn cpu_time(stat: &[u8]) -> Option<Duration> {
    let close = stat.iter().rposition(|&byte| byte == b')')?;
    let rest = std::str::from_utf8(stat.get(close + 1..)?).ok()?;
    let times = rest.split_ascii_whitespace().skip(11).take(4);
    let ticks: u64 = times.filter_map(|time| time.parse::<u64>().ok()).sum();
    Some(Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second().max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory() {
        let own = stats(&[std::process::id()]);
        assert_eq!(own.processes, 1);
        assert!(own.memory_bytes > 100_000);
    }

    #[test]
    fn a_process_that_is_not_there_counts_for_nothing() {
        assert_eq!(stats(&[u32::MAX >> 1]), TreeStats::default());
    }
}
