//! Who holds the lock of a folder: a diagnosis, for when a keeper does not answer.
//!
//! `/proc/locks` (proc_locks(5)) names the process that has taken a lock. It costs the kernel some
//! ten milliseconds, names no process of another namespace, and may name a process that
//! has ended: who inherits the descriptor holds the lock, too. It also knows a file by the number
//! of its device in a form that btrfs and overlayfs do not show elsewhere. So what it says is
//! compared by inode, and looked up: `/proc/PID/fdinfo` shows the locks of each descriptor.

use std::{
    os::fd::AsFd,
    path::{Path, PathBuf},
};

use super::{ProcId, Table, open_files};
use crate::platform::{FileId, StackId};

/// The process that holds the lock of an open folder, as far as it can be seen from here.
pub fn lock_holder(folder: impl AsFd) -> Option<u32> {
    let stat = rustix::fs::fstat(folder).ok()?;
    let (folder, inode) = (FileId::from(&stat), stat.st_ino);
    let text = std::fs::read_to_string("/proc/locks").ok()?;
    let taken: Vec<(u32, String)> = text.lines().filter_map(|line| taker(line, inode)).collect();
    let device = (rustix::fs::major(stat.st_dev), rustix::fs::minor(stat.st_dev));
    let device = format!("{:02x}:{:02x}", device.0, device.1);
    let named = taken.iter().find(|(pid, on)| match holds(*pid, folder) {
        Some(holds) => holds,
        // It cannot be looked at: another user's.
        None => ProcId::of(*pid).is_some() && *on == device,
    });
    if let Some((pid, _)) = named {
        return Some(*pid);
    }
    // The process that took it has exited, and another one has its descriptor. If no process has
    // taken it, none holds it.
    taken.first()?;
    let table = Table::read().ok()?;
    let mut pids = table.entries().iter().map(|entry| entry.id.pid);
    pids.find(|pid| holds(*pid, folder) == Some(true))
}

/// Every process that holds the lock of an open folder, as far as it can be seen from here: it is
/// free when all of them have closed it.
pub fn lock_holders(folder: impl AsFd) -> Vec<u32> {
    let Ok(stat) = rustix::fs::fstat(folder) else { return Vec::new() };
    let folder = FileId::from(&stat);
    let Ok(table) = Table::read() else { return Vec::new() };
    let pids = table.entries().iter().map(|entry| entry.id.pid);
    pids.filter(|pid| holds(*pid, folder) == Some(true)).collect()
}

/// Whether a process holds the lock of the folder of a stack.
pub(in crate::platform) fn holds_lock(pid: u32, stack: StackId) -> bool {
    let is_it = |path: &PathBuf| StackId::at(path).is_ok_and(|found| found == stack);
    open_files(pid).filter(is_it).any(|path| has_lock(pid, &path))
}

/// Who has taken the lock that a line of `/proc/locks` or fdinfo tells of, and the device, if it
/// is one of flock(2) on this inode: `1: FLOCK  ADVISORY  WRITE 812 fd:01:1048 0 EOF`. Those who
/// wait for one have an arrow before its kind.
fn taker(line: &str, inode: u64) -> Option<(u32, String)> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (kind, pid, file) = (fields.next()?, fields.nth(2)?, fields.next()?);
    let (device, number) = file.rsplit_once(':')?;
    let is_it = kind == "FLOCK" && number.parse() == Ok(inode);
    is_it.then(|| Some((pid.parse().ok()?, device.to_owned()))).flatten()
}

/// Whether a process holds the lock of a folder; `None` if it may not be looked at.
fn holds(pid: u32, folder: FileId) -> Option<bool> {
    // An empty answer is one that was refused: every process that may be looked at has some.
    let mut files = open_files(pid).peekable();
    files.peek()?;
    let is_it =
        |path: &PathBuf| rustix::fs::stat(path).is_ok_and(|stat| FileId::from(&stat) == folder);
    Some(files.filter(is_it).any(|path| has_lock(pid, &path)))
}

/// Whether a descriptor of a process, which is what this is the way to, holds a lock of flock(2).
fn has_lock(pid: u32, path: &Path) -> bool {
    let number = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let info = std::fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}"));
    let is_lock = |line: &str| line.starts_with("lock:\t") && line.contains("FLOCK");
    info.is_ok_and(|info| info.lines().any(is_lock))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_the_table_are_told_apart() {
        let held = "1: FLOCK  ADVISORY  WRITE 812 fd:01:1048 0 EOF";
        assert_eq!(taker(held, 1048), Some((812, "fd:01".to_owned())));
        assert_eq!(taker(held, 104), None);
        assert_eq!(taker("1: -> FLOCK  ADVISORY  WRITE 812 fd:01:1048 0 EOF", 1048), None);
        assert_eq!(taker("2: POSIX  ADVISORY  WRITE 812 fd:01:1048 0 EOF", 1048), None);
    }

    #[test]
    fn the_holder_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let places = crate::platform::StackPaths::of(dir.path()).unwrap();
        assert_eq!(lock_holder(&places), None);
        let lock = places.lock().unwrap();
        assert_eq!(lock_holder(&places), Some(std::process::id()));
        drop(lock);
        assert_eq!(lock_holder(&places), None);
    }
}
