//! A process, for people.

use std::path::PathBuf;

use super::{Entry, ProcId, table::uids};
use crate::{
    event::Tick,
    platform::{may_signal, own_uid, user_name},
};

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

/// As whom a process runs; `None` if it is gone. The owner of its folder in `/proc` is another one
/// where it is setuid.
pub fn user_of(pid: u32) -> Option<u32> {
    uids(pid).map(|[_, effective]| effective)
}

/// Describes a process; `None` if it is gone.
pub fn describe(pid: u32) -> Option<Description> {
    let id = ProcId::of(pid)?;
    Some(Description {
        id,
        command: command_line(pid)?,
        dir: std::fs::read_link(format!("/proc/{pid}/cwd")).ok(),
        user: user_name(user_of(pid)?),
        started: id.started(),
    })
}

/// A path that leads to the working folder of a process as long as that lives, also if the folder
/// was removed (proc_pid_cwd(5)).
pub(in crate::platform) fn working_folder(pid: u32) -> Option<PathBuf> {
    let path = PathBuf::from(format!("/proc/{pid}/cwd"));
    path.is_dir().then_some(path)
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

/// Why a process does not end: `4242 dd of=/mnt/x (state D)`, `… (state t, traced by 17 gdb)`,
/// `… (state S, user root: user u1 may not end it)`.
pub fn predicament(entry: &Entry) -> String {
    let pid = entry.id.pid;
    let command = command_line(pid).unwrap_or_else(|| entry.name.clone());
    let tracer = tracer(pid).map(|tracer| {
        let command = command_line(tracer).unwrap_or_default();
        format!(", traced by {tracer} {command}")
    });
    let refusal = user_of(pid).filter(|_| !may_signal(pid)).map(|user| {
        let (user, own) = (user_name(user), user_name(own_uid()));
        format!(", user {user}: user {own} may not end it")
    });
    let (tracer, refusal) = (tracer.unwrap_or_default(), refusal.unwrap_or_default());
    format!("{pid} {command} (state {}{tracer}{refusal})", entry.state)
}

/// Who traces a process (ptrace(2)).
pub(super) fn tracer(pid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("TracerPid:"))?;
    line.trim().parse().ok().filter(|&tracer| tracer != 0)
}
