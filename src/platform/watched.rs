//! A process that is not our child, whose end is waited for.

use std::{io, os::fd::OwnedFd, time::Duration};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Entry, ProcId, Process};
use crate::event::Tick;

/// The pause between two looks at a process that no descriptor tells of.
const NEXT_LOOK: Duration = Duration::from_millis(20);

/// A process whose end is waited for; one that has ended already is waited for no longer.
#[derive(Debug)]
pub struct Watched(Option<Process>);

impl Watched {
    /// The process that has this number now.
    pub fn open(pid: u32) -> Self {
        Self(ProcId::of(pid).and_then(Process::open))
    }

    /// One that is not known, or has ended: not waited for.
    pub fn none() -> Self {
        Self(None)
    }

    /// A descriptor that is readable once it has ended (pidfd_open(2)); `None` if it has already,
    /// or where there are none.
    ///
    /// # Errors
    ///
    /// Those of dup(2).
    pub fn descriptor(&self) -> io::Result<Option<OwnedFd>> {
        let ended = self.0.as_ref().and_then(Process::ended);
        ended.map(|descriptor| descriptor.try_clone_to_owned()).transpose()
    }

    /// Waits for its end; `false` if it has not come after `timeout`.
    ///
    /// # Errors
    ///
    /// Those of poll(2).
    pub fn wait(&self, timeout: Duration) -> io::Result<bool> {
        let Some(process) = &self.0 else { return Ok(true) };
        let deadline = super::now() + timeout;
        let Some(ended) = process.ended() else { return Ok(look_until_gone(process, deadline)) };
        loop {
            let left = deadline.since(super::now());
            let left = Timespec::try_from(left).map_err(io::Error::other)?;
            match poll(&mut [PollFd::new(&ended, PollFlags::IN)], Some(&left)) {
                Ok(ready) => return Ok(ready > 0),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Looks whether a process has ended, again and again: nothing tells of its end.
fn look_until_gone(process: &Process, deadline: Tick) -> bool {
    let lives =
        || Entry::read(process.id().pid).is_some_and(|it| it.id == process.id() && !it.is_dead());
    while lives() {
        let left = deadline.since(super::now());
        if left.is_zero() {
            return false;
        }
        std::thread::sleep(left.min(NEXT_LOOK));
    }
    true
}
