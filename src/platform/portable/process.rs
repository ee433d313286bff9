//! One process, known by its number and start.

use std::{io, os::fd::BorrowedFd};

use serde::{Deserialize, Serialize};

use super::{Entry, Table};
use crate::{
    event::Tick,
    model::{Exit, Signal},
    platform::{relatives, signals},
};

/// Which process: number and start time together are not used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcId {
    /// Its number.
    pub pid: u32,
    /// What stands for the time of its start.
    pub start: u64,
}

impl ProcId {
    /// The process that has this number now.
    pub fn of(pid: u32) -> Option<Self> {
        Entry::read(pid).map(|entry| entry.id)
    }

    /// When it started: not told here.
    pub fn started(self) -> Tick {
        Tick::default()
    }
}

/// The children of a process, their children, and so on.
pub fn descendants(pid: u32) -> Vec<ProcId> {
    let Ok(table) = Table::read() else { return Vec::new() };
    let family = relatives(&table, pid);
    family.iter().map(|entry| entry.id).filter(|id| id.pid != pid).collect()
}

/// A process that is looked at again before each signal.
#[derive(Debug)]
pub struct Process {
    id: ProcId,
}

impl Process {
    /// Opens it; `None` if it is gone, or its number is another's by now.
    pub fn open(id: ProcId) -> Option<Self> {
        (ProcId::of(id.pid) == Some(id)).then_some(Self { id })
    }

    /// Which it is.
    pub fn id(&self) -> ProcId {
        self.id
    }

    /// No descriptor tells of its end here.
    pub fn ended(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Sends it a signal.
    ///
    /// # Errors
    ///
    /// ESRCH if it has ended, EPERM if it may not be signalled.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        if ProcId::of(self.id.pid) != Some(self.id) {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        signals::kill_process(self.id.pid, signal)
    }

    /// Only its parent is told.
    pub fn exit_seen_by_others(&self) -> Option<Exit> {
        None
    }
}

impl Process {
    /// A child of ours, which only we can reap.
    pub(super) fn of_child(id: ProcId) -> Self {
        Self { id }
    }
}
