//! One process, held by a pidfd (pidfd_open(2)).

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    time::Duration,
};

use rustix::{
    process::{Pid, PidfdFlags, pidfd_open},
    time::{ClockId, clock_gettime},
};
use serde::{Deserialize, Serialize};

use super::table::Entry;
use crate::{
    event::Tick,
    model::{Exit, Signal},
    platform::is_keeper,
};

/// Which process: its number is used again after its end, number and start time together are
/// not, within one boot of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcId {
    /// Its number.
    pub pid: u32,
    /// When it started, in clock ticks since boot (proc_pid_stat(5), field 22).
    pub start: u64,
}

impl ProcId {
    /// The process that has this number now.
    pub fn of(pid: u32) -> Option<Self> {
        Entry::read(pid).map(|entry| entry.id)
    }

    /// When it started, by [`crate::platform::now`], as far as clock ticks tell. The kernel counts
    /// them from boot, with the time that the machine has slept since; that is left out.
    pub fn started(self) -> Tick {
        let per_second = rustix::param::clock_ticks_per_second().max(1);
        let started = Duration::from_millis(self.start.saturating_mul(1000) / per_second);
        Tick(started.saturating_sub(slept()))
    }
}

/// How long the machine has slept since boot (clock_gettime(2): CLOCK_BOOTTIME runs meanwhile,
/// CLOCK_MONOTONIC does not).
fn slept() -> Duration {
    let since_boot = |clock| Duration::try_from(clock_gettime(clock)).unwrap_or_default();
    since_boot(ClockId::Boottime).saturating_sub(since_boot(ClockId::Monotonic))
}

/// The children of a process, their children, and so on (proc_pid_children(5)): cheap, and only
/// as good as a list can be of those who come and go. A stack that one of them has brought up is
/// left out.
pub fn descendants(pid: u32) -> Vec<ProcId> {
    let mut found: Vec<ProcId> = Vec::new();
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop() {
        let threads = std::fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten();
        for thread in threads.flatten() {
            let list = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            let pids = list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok());
            for child in pids.filter_map(ProcId::of) {
                if !found.contains(&child) && !is_keeper(child.pid) {
                    found.push(child);
                    parents.push(child.pid);
                }
            }
        }
    }
    found
}

/// A process that cannot be mistaken for another one.
#[derive(Debug)]
pub struct Process {
    id: ProcId,
    descriptor: OwnedFd,
}

impl Process {
    /// Opens it; `None` if it is gone, or its number is another's by now. The identity is looked
    /// at after the descriptor is open: from then on it cannot change.
    pub fn open(id: ProcId) -> Option<Self> {
        let pid = Pid::from_raw(i32::try_from(id.pid).ok()?)?;
        let descriptor = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        (ProcId::of(id.pid) == Some(id)).then_some(Self { id, descriptor })
    }

    /// Takes over a pidfd that came with a child of ours.
    ///
    /// # Safety
    ///
    /// The descriptor must be open and owned by no one else.
    pub(super) unsafe fn from_child(pid: u32, descriptor: RawFd) -> Self {
        // SAFETY: the caller's promise.
        let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
        // An unreaped child is in the table, be it as a zombie.
        let id = ProcId::of(pid).unwrap_or(ProcId { pid, start: 0 });
        Self { id, descriptor }
    }

    /// Which it is.
    pub fn id(&self) -> ProcId {
        self.id
    }

    /// Readable once it has ended, where the system can tell by descriptor.
    pub fn ended(&self) -> Option<BorrowedFd<'_>> {
        Some(self.descriptor.as_fd())
    }

    /// Sends it a signal (pidfd_send_signal(2)).
    ///
    /// # Errors
    ///
    /// ESRCH if it has ended, EPERM if it may not be signalled.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        // SAFETY: a plain system call with an open descriptor and no pointer.
        let result = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.descriptor.as_raw_fd(),
                signal.number(),
                std::ptr::null::<libc::siginfo_t>(),
                0,
            )
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// How it ended, where the kernel tells others than its parent (PIDFD_GET_INFO, since Linux
    /// 6.15); `None` as long as it lives or where it is not told.
    pub fn exit_seen_by_others(&self) -> Option<Exit> {
        exit_info(self.descriptor.as_raw_fd())
    }
}

/// The beginning of `struct pidfd_info` (linux/pidfd.h); the kernel fills what it is asked for.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroupid: u64,
    ids: [u32; 11],
    exit_code: i32,
}

/// The exit status is wanted, and is there.
const PIDFD_INFO_EXIT: u64 = 1 << 3;
/// `_IOWR(0xFF, 11, struct pidfd_info)`: direction, size, type, number (ioctl(2)).
const PIDFD_GET_INFO: u64 = (3 << 30) | ((size_of::<PidfdInfo>() as u64) << 16) | (0xff << 8) | 11;

fn exit_info(descriptor: RawFd) -> Option<Exit> {
    let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
    // SAFETY: the request's number carries the size of `info`, which is a valid place.
    let result = unsafe { libc::ioctl(descriptor, PIDFD_GET_INFO as libc::Ioctl, &raw mut info) };
    if result != 0 || info.mask & PIDFD_INFO_EXIT == 0 {
        return None;
    }
    let status = info.exit_code;
    if libc::WIFSIGNALED(status) {
        Some(Exit::Signal(Signal::from_number(libc::WTERMSIG(status))))
    } else {
        Some(Exit::Code(libc::WEXITSTATUS(status)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_start_time_is_another_process() {
        let own = ProcId::of(std::process::id()).unwrap();
        assert!(Process::open(own).is_some());
        assert!(Process::open(ProcId { start: own.start + 1, ..own }).is_none());
    }
}
