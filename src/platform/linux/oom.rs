//! Whom the kernel has killed because memory ran out.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read},
    os::unix::fs::OpenOptionsExt,
};

/// The longest record of the kernel's log, in bytes (`CONSOLE_EXT_LOG_MAX`).
const RECORD: usize = 8192;

/// How many processes the kernel has ended since boot because memory ran out (`oom_kill` in
/// proc_vmstat(5)); 0 where it does not say.
pub fn oom_kills() -> u64 {
    let text = std::fs::read_to_string("/proc/vmstat").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
    line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

/// Whether the kernel's log says that it killed this process because memory ran out. `None`: the
/// log may not be read by this user.
pub fn oom_killed(pid: u32) -> Option<bool> {
    let mut log =
        OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg").ok()?;
    Some(std::iter::from_fn(|| next_record(&mut log)).any(|record| tells_of(&record, pid)))
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

/// `3,1181,7420,-;Memory cgroup out of memory: Killed process 812 (hog) total-vm:…`.
fn tells_of(record: &str, pid: u32) -> bool {
    record.contains(&format!("Killed process {pid} ("))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_tells_of_its_process_alone() {
        let record = "3,1181,7420,-;Out of memory: Killed process 812 (hog) total-vm:9kB, UID:0\n";
        assert!(tells_of(record, 812));
        assert!(!tells_of(record, 81) && !tells_of(record, 12));
    }

    #[test]
    fn this_process_was_not_killed() {
        assert_ne!(oom_killed(std::process::id()), Some(true));
    }
}
