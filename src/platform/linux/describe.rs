//! A process, for people.

use std::{os::unix::fs::MetadataExt, path::PathBuf};

use super::{Entry, ProcId};
use crate::{event::Tick, platform::user_name};

/// A process as a person would want it named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Which.
    pub id: ProcId,
    /// Its command line.
    pub command: String,
    /// Where it works, if we may know.
    pub dir: Option<PathBuf>,
    /// Whose it is.
    pub user: String,
    /// When it started, since boot.
    pub started: Tick,
}

/// Whose a process is; `None` if it is gone.
pub fn user_of(pid: u32) -> Option<u32> {
    Some(std::fs::metadata(format!("/proc/{pid}")).ok()?.uid())
}

/// Describes a process; `None` if it is gone.
pub fn describe(pid: u32) -> Option<Description> {
    let id = ProcId::of(pid)?;
    let uid = user_of(pid)?;
    Some(Description {
        id,
        command: command_line(pid)?,
        dir: std::fs::read_link(format!("/proc/{pid}/cwd")).ok(),
        user: user_name(uid),
        started: id.started(),
    })
}

/// Its arguments with blanks between; its name in brackets where it has none, as a kernel thread
/// or a zombie (proc_pid_cmdline(5)).
pub fn command_line(pid: u32) -> Option<String> {
    let raw = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let text = String::from_utf8_lossy(&raw);
    let words: Vec<&str> = text.split('\0').filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        return Entry::read(pid).map(|entry| format!("[{}]", entry.name));
    }
    Some(words.join(" "))
}

/// Why a process does not end: `4242 dd of=/mnt/x (state D)`, `… (state t, traced by 17 gdb)`.
pub fn predicament(entry: &Entry) -> String {
    let pid = entry.id.pid;
    let command = command_line(pid).unwrap_or_else(|| entry.name.clone());
    let tracer = tracer(pid).map(|tracer| {
        let command = command_line(tracer).unwrap_or_default();
        format!(", traced by {tracer} {command}")
    });
    format!("{pid} {command} (state {}{})", entry.state, tracer.unwrap_or_default())
}

/// Who traces a process (ptrace(2)).
pub(super) fn tracer(pid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("TracerPid:"))?;
    line.trim().parse().ok().filter(|&tracer| tracer != 0)
}
