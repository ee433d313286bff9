//! Looking at processes and ports from outside, in /proc, so that nothing depends on what the
//! program says about itself.

use std::{
    ffi::OsStr,
    fmt, fs,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// A process as it was when it was looked at.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) command: String,
    start: u64,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.pid, self.command)
    }
}

impl Process {
    /// The process with this pid, unless it has ended.
    pub(crate) fn get(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        if matches!(fields.next()?, "Z" | "X") {
            return None;
        }
        let start = fields.nth(18)?.parse().ok()?;
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let command = String::from_utf8_lossy(&line).replace('\0', " ").trim_end().to_owned();
        Some(Self { pid, command, start })
    }

    /// Every process of a user that has `cookie` in its environment or works below `folder`.
    pub(crate) fn of(cookie: &str, folder: &Path, user: u32) -> Vec<Self> {
        let entries = fs::read_dir("/proc").expect("/proc");
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid| *pid != std::process::id() && belongs(*pid, cookie, folder, user))
            .filter_map(Self::get)
            .collect()
    }

    /// Every process of that user which works in this very folder.
    pub(crate) fn of_user(uid: u32, folder: &Path) -> Vec<Self> {
        let entries = fs::read_dir("/proc").expect("/proc");
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let is_it = |pid: &u32| {
            let proc = PathBuf::from(format!("/proc/{pid}"));
            proc.metadata().is_ok_and(|data| data.uid() == uid)
                && fs::read_link(proc.join("cwd")).is_ok_and(|cwd| cwd == folder)
        };
        pids.filter(is_it).filter_map(Self::get).collect()
    }

    /// Whether it still lives.
    pub(crate) fn lives(&self) -> bool {
        Self::get(self.pid).is_some_and(|now| now.start == self.start)
    }

    /// Sends a signal to exactly this process: the pidfd pins it before its identity is checked.
    pub(crate) fn signal(&self, signal: Signal) {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else { return };
        let Ok(fd) = pidfd_open(pid, PidfdFlags::empty()) else { return };
        if self.lives() {
            let _ = pidfd_send_signal(fd, signal);
        }
    }

    /// What ends it without a chance to do anything about it.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Its parent.
    pub(crate) fn parent(&self) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        Self::get(stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?)
    }
}

/// The memory that is a process's own, in KiB.
pub(crate) fn anonymous_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process that lives");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("its memory");
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).expect("a number")
}

/// Whether the process with this pid lives.
pub(crate) fn alive(pid: u32) -> bool {
    Process::get(pid).is_some()
}

fn belongs(pid: u32, cookie: &str, folder: &Path, user: u32) -> bool {
    let proc = PathBuf::from(format!("/proc/{pid}"));
    // Other users' processes are none of the stack's.
    let theirs = proc.metadata().is_ok_and(|data| data.uid() == user);
    theirs
        && (has_cookie(&proc, cookie)
            || fs::read_link(proc.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder)))
}

fn has_cookie(proc: &Path, cookie: &str) -> bool {
    let environment = fs::read(proc.join("environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|pair| OsStr::from_bytes(pair) == cookie)
}

/// Whether anybody listens on this TCP port, on any address.
pub(crate) fn listening(port: u16) -> bool {
    const LISTEN: &str = "0A";
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().any(|table| {
        fs::read_to_string(table).unwrap_or_default().lines().skip(1).any(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let local = fields.next().and_then(|address| address.rsplit_once(':'));
            local.is_some_and(|(_, hex)| u16::from_str_radix(hex, 16) == Ok(port))
                && fields.nth(1) == Some(LISTEN)
        })
    })
}
