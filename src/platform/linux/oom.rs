//! Whom the kernel has killed because memory ran out.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read},
    os::unix::fs::OpenOptionsExt,
    time::Duration,
};

use crate::{event::Tick, platform::Victim};

/// The longest record of the kernel's log, in bytes (`CONSOLE_EXT_LOG_MAX`).
const RECORD: usize = 8192;

/// How many processes the kernel has ended since boot because memory ran out (`oom_kill` in
/// proc_vmstat(5)); 0 where it does not say.
pub fn oom_kills() -> u64 {
    let text = std::fs::read_to_string("/proc/vmstat").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
    line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

/// The processes that the kernel's log says it killed because memory ran out, those of this and
/// of the last hours. `None`: the log may not be read by this user.
pub fn oom_victims() -> Option<Vec<Victim>> {
    let mut log =
        OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg").ok()?;
    // The log has the time without that of the machine's sleep.
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let awake = Duration::new(now.tv_sec.cast_unsigned(), now.tv_nsec as u32);
    let asleep = crate::platform::now().0.saturating_sub(awake);
    let records = std::iter::from_fn(|| next_record(&mut log));
    let victims = records.filter_map(|record| victim(&record));
    Some(victims.map(|victim| Victim { at: victim.at + asleep, ..victim }).collect())
}

/// Whether the kernel's log says that it killed this process because memory ran out. `None`: the
/// log may not be read by this user.
pub fn oom_killed(pid: u32) -> Option<bool> {
    Some(oom_victims()?.iter().any(|victim| victim.pid == pid))
}

/// The next record; `None` after the last.
fn next_record(log: &mut File) -> Option<String> {
    let mut record = [0; RECORD];
    loop {
        match log.read(&mut record) {
            Ok(length) => return Some(String::from_utf8_lossy(&record[..length]).into_owned()),
            // It was overwritten while we read: the next one is there.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

/// `3,1181,7420,-;Memory cgroup out of memory: Killed process 812 (hog) total-vm:…`: the third
/// number is the time, in microseconds.
fn victim(record: &str) -> Option<Victim> {
    let (head, text) = record.split_once(';')?;
    let (_, rest) = text.split_once("Killed process ")?;
    let (pid, rest) = rest.split_once(" (")?;
    let (name, _) = rest.split_once(") ").or_else(|| rest.split_once("),"))?;
    let at = head.split(',').nth(2)?.parse().ok()?;
    let at = Tick(Duration::from_micros(at));
    Some(Victim { pid: pid.parse().ok()?, name: name.to_owned(), at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_tells_of_its_process() {
        let record = "3,1181,7420,-;Out of memory: Killed process 812 (hog (1)) total-vm:9kB\n";
        let at = Tick(Duration::from_micros(7420));
        assert_eq!(victim(record), Some(Victim { pid: 812, name: "hog (1)".into(), at }));
        let other = "6,339,5140900,-;NET: Registered PF_INET6 (10) protocol family";
        assert_eq!(victim(other), None);
    }

    #[test]
    fn this_process_was_not_killed() {
        let own = std::process::id();
        assert!(!oom_victims().unwrap_or_default().iter().any(|victim| victim.pid == own));
    }
}
