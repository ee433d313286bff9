//! Processes for people, and what they use.

use std::{path::PathBuf, time::Duration};

use super::{Entry, ProcId, output};
use crate::{
    event::Tick,
    platform::{TreeStats, Victim, may_signal, own_uid, user_name},
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

/// Whose a process is; `None` if it is gone.
pub fn user_of(pid: u32) -> Option<u32> {
    output("ps", &["-o", "uid=", "-p", &pid.to_string()]).ok()?.trim().parse().ok()
}

/// Describes a process; `None` if it is gone.
pub fn describe(pid: u32) -> Option<Description> {
    let id = ProcId::of(pid)?;
    let user = output("ps", &["-o", "user=", "-p", &pid.to_string()]).ok()?.trim().to_owned();
    let files = output("lsof", &["-a", "-d", "cwd", "-Fn", "-p", &pid.to_string()]);
    let files = files.unwrap_or_default();
    let dir = files.lines().find_map(|line| line.strip_prefix('n')).map(PathBuf::from);
    Some(Description { id, command: command_line(pid)?, dir, user, started: id.started() })
}

/// Its arguments with blanks between.
pub fn command_line(pid: u32) -> Option<String> {
    let line = output("ps", &["-o", "command=", "-p", &pid.to_string()]).ok()?;
    let line = line.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// Why a process does not end: `4242 dd of=/mnt/x (state D)`, `… (state S, user root: user u1 may
/// not end it)`.
pub fn predicament(entry: &Entry) -> String {
    let pid = entry.id.pid;
    let command = command_line(pid).unwrap_or_else(|| entry.name.clone());
    let user = describe(pid).map(|process| process.user).filter(|_| !may_signal(pid));
    let own = user_name(own_uid());
    let refusal = user.map(|user| format!(", user {user}: user {own} may not end it"));
    format!("{pid} {command} (state {}{})", entry.state, refusal.unwrap_or_default())
}

/// What these processes use together; shared memory is counted once for each.
pub fn stats(pids: &[u32]) -> TreeStats {
    let mut total = TreeStats::default();
    let list: Vec<String> = pids.iter().map(u32::to_string).collect();
    let lines = output("ps", &["-o", "rss=,time=", "-p", &list.join(",")]).unwrap_or_default();
    for line in lines.lines() {
        let mut words = line.split_ascii_whitespace();
        let kibibytes: u64 = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
        total.processes += 1;
        total.memory_bytes += kibibytes * 1024;
        total.cpu += words.next().and_then(cpu_time).unwrap_or_default();
    }
    total
}

/// `1:02:03.45`, `02:03`.
fn cpu_time(text: &str) -> Option<Duration> {
    let part = |seconds: Option<f64>, part: &str| Some(seconds? * 60.0 + part.parse::<f64>().ok()?);
    text.split(':')
        .fold(Some(0.0), part)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}

/// How many processes the system has ended because memory ran out: not told here.
pub fn oom_kills() -> u64 {
    0
}

/// Whether the system has ended this process because memory ran out: not told here.
pub fn oom_killed(_: u32) -> Option<bool> {
    None
}

/// The processes that the system has ended because memory ran out: not told here.
pub fn oom_victims() -> Option<Vec<Victim>> {
    None
}

/// Who holds the lock of a folder is not told here.
pub fn lock_holder(_folder: impl std::os::fd::AsFd) -> Option<u32> {
    None
}

/// Whether a process holds the lock of the folder of a stack: as far as is told here, it has that
/// open.
pub(in crate::platform) fn holds_lock(pid: u32, stack: crate::platform::StackId) -> bool {
    let is_it = |path: &PathBuf| crate::platform::StackId::at(path).is_ok_and(|it| it == stack);
    super::open_files(pid).any(|path| is_it(&path))
}

/// Nor who else does.
pub fn lock_holders(_folder: impl std::os::fd::AsFd) -> Vec<u32> {
    Vec::new()
}

/// Why a process stands still; `None` if it does not, or is gone.
pub fn standstill(pid: u32) -> Option<crate::platform::Standstill> {
    (Entry::read(pid)?.state == 'T').then_some(crate::platform::Standstill::Stopped)
}

/// There is but one network.
pub fn shares_network(_pid: u32) -> bool {
    true
}

/// A path that leads to the working folder of a process even if the folder was removed: there is
/// none here.
pub(in crate::platform) fn working_folder(_pid: u32) -> Option<PathBuf> {
    None
}
