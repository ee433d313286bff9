//! What the twins have in common: plain data that goes in and comes out.

use std::{
    ffi::{CStr, CString},
    io,
    net::IpAddr,
    os::fd::{BorrowedFd, RawFd},
    path::PathBuf,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{KernelTag, Process, RunAs};
use crate::event::Tick;

/// A socket that listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// The TCP port.
    pub port: u16,
    /// The address it is bound to; `::` stands for both families unless it is v6 only.
    pub addr: IpAddr,
    /// The socket's inode: what `/proc/PID/fd` says as `socket:[inode]`.
    pub inode: u64,
    /// The user who opened it.
    pub uid: u32,
}

impl Listener {
    /// Whether nothing can listen on this address beside it (ip(7), ipv6(7)): it is the same, or
    /// one of the two is all addresses. Those of IPv6 stand for those of IPv4, too. Without a
    /// `host`, which may be any, it always is.
    pub fn is_in_the_way_of(&self, host: Option<IpAddr>) -> bool {
        let Some(host) = host.map(|host| host.to_canonical()) else { return true };
        let own = self.addr.to_canonical();
        let takes =
            |all: IpAddr, one: IpAddr| all.is_unspecified() && (all.is_ipv6() || one.is_ipv4());
        own == host || takes(own, host) || takes(host, own)
    }
}

/// What the processes of a tree use together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TreeStats {
    /// The sum of their anonymous memory plus the largest share of shared memory: a database's
    /// shared buffers are not counted once for each of its processes.
    pub memory_bytes: u64,
    /// Processor time so far, of children that have ended too.
    pub cpu: Duration,
    /// How many there are.
    pub processes: usize,
}

/// Why a process does nothing at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standstill {
    /// A signal has stopped it (SIGSTOP, signal(7)).
    Stopped,
    /// A debugger has stopped it (ptrace(2)).
    Traced {
        /// The debugger.
        by: u32,
    },
    /// Its cgroup was frozen.
    Frozen {
        /// The file of the group that tells, and by which it is thawed.
        file: PathBuf,
        /// What to write there.
        thawed: &'static str,
    },
}

/// What to start, decided to the last byte.
#[derive(Debug)]
pub struct Launch<'a> {
    /// The file to execute.
    pub program: &'a CStr,
    /// All arguments, `argv[0]` first.
    pub argv: &'a [CString],
    /// The whole environment, `NAME=value`.
    pub env: &'a [CString],
    /// The working directory; the caller's own without one.
    pub dir: Option<&'a CStr>,
    /// The only descriptors it gets: ours, and the number it has there.
    pub fds: &'a [(BorrowedFd<'a>, RawFd)],
    /// What it holds, without getting it, until it executes its program.
    pub held: Option<BorrowedFd<'a>>,
    /// How many files it may open, soft and hard, where that is not the caller's limit.
    pub open_files: Option<u64>,
    /// Whether descriptor 0 becomes the terminal of its session.
    pub terminal: bool,
    /// The `cgroup.procs` of the cgroup that it is to run in.
    pub cgroup: Option<BorrowedFd<'a>>,
    /// Whom to become.
    pub user: Option<&'a RunAs>,
    /// What it and its descendants are known by, whatever they give up.
    pub tag: Option<KernelTag>,
}

/// A process that was started, as the leader of a session of its own.
#[derive(Debug)]
pub struct Spawned {
    /// The process.
    pub process: Process,
}

/// What a cgroup holds a tree to.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct CgroupLimits {
    /// Processors' worth of time, such as 1.5.
    pub cpu: Option<f64>,
    /// Processes and threads together.
    pub processes: Option<u64>,
}

/// What a cgroup can limit or count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Controller {
    /// Time of processors.
    Cpu,
    /// Memory.
    Memory,
    /// Processes.
    Pids,
}

impl Controller {
    /// Its name in `cgroup.controllers`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Pids => "pids",
        }
    }
}

/// A process that the kernel killed because memory ran out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Victim {
    /// Its number.
    pub pid: u32,
    /// The name of its program, as far as the kernel keeps it.
    pub name: String,
    /// When.
    pub at: Tick,
}

/// How far a start got before it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Making the process.
    Fork,
    /// Its session.
    Session,
    /// Its descriptors.
    Descriptors,
    /// Its cgroup.
    Cgroup,
    /// Its limits.
    Limits,
    /// Becoming the user.
    User,
    /// Entering the directory.
    Directory,
    /// Executing the program.
    Execute,
}

/// A start that failed: where, and what the system said.
#[derive(Debug)]
pub struct SpawnError {
    /// How far it got.
    pub stage: Stage,
    /// The system's error.
    pub error: io::Error,
}

/// How much a transfer moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// This many bytes.
    Bytes(usize),
    /// Nothing is there now.
    Nothing,
    /// Nothing is there, and no process can write any more.
    End,
}

/// The place of a [`Process`] in messages: `4242`.
impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.id().pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_collide_are_in_the_way() {
        for (bound, wanted, is_in_the_way) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.2", "127.0.0.1", false),
            ("::1", "127.0.0.1", false),
            ("0.0.0.0", "127.0.0.1", true),
            ("0.0.0.0", "::1", false),
            ("::", "127.0.0.1", true),
            ("::", "::1", true),
            ("::ffff:127.0.0.1", "127.0.0.1", true),
            ("127.0.0.2", "0.0.0.0", true),
            ("127.0.0.2", "::", true),
            ("::1", "0.0.0.0", false),
        ] {
            let ip = |text: &str| text.parse::<IpAddr>().unwrap();
            let listener = Listener { port: 1, addr: ip(bound), inode: 1, uid: 0 };
            let told = listener.is_in_the_way_of(Some(ip(wanted)));
            assert_eq!(told, is_in_the_way, "{bound} for {wanted}");
            assert!(listener.is_in_the_way_of(None));
        }
    }
}

/// Who has sent a datagram, as the kernel says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender {
    /// The process; it may have ended since.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
}
