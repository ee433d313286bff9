//! Stopping another process between two of its system calls (ptrace(2)).

use std::{process::Command, ptr};

use super::Process;

/// The first thread of a process, in our hand. Only the thread that has taken it may use this.
#[derive(Debug)]
pub(crate) struct Traced(libc::pid_t);

impl Traced {
    /// Whether this system allows it at all: a child of ours is traced.
    pub(crate) fn is_allowed() -> bool {
        let mut child = Command::new("sleep").arg("600").spawn().expect("sleep starts");
        match Process::get(child.id()).and_then(|process| Self::seize(&process)) {
            Some(traced) => traced.kill(),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
        }
        true
    }

    /// Takes hold of a process; it stands still, or is about to. `None` if it has ended.
    pub(crate) fn seize(process: &Process) -> Option<Self> {
        let pid = libc::pid_t::try_from(process.pid).ok()?;
        let options = libc::PTRACE_O_TRACESYSGOOD;
        // SAFETY: system calls on a number.
        let held = unsafe {
            libc::ptrace(libc::PTRACE_SEIZE, pid, 0, options) == 0
                && libc::ptrace(libc::PTRACE_INTERRUPT, pid, 0, 0) == 0
        };
        held.then_some(Self(pid))
    }

    /// Lets it go on from one edge of a system call (its beginning, its end) to the next, and
    /// kills it at this one. Returns how many it has seen; fewer if it ended before.
    pub(crate) fn kill_at(self, edge: u64) -> u64 {
        let mut seen = 0;
        while let Some(stop) = self.wait() {
            match stop {
                Stop::Edge if seen == edge => {
                    self.kill();
                    return seen;
                }
                Stop::Edge => {
                    seen += 1;
                    self.go_on(0);
                }
                Stop::Signal(signal) => self.go_on(signal),
            }
        }
        seen
    }

    /// The next stop; `None` if it has ended.
    fn wait(&self) -> Option<Stop> {
        let mut status = 0;
        // SAFETY: `status` is a valid place.
        let pid = unsafe { libc::waitpid(self.0, &raw mut status, libc::__WALL) };
        if pid != self.0 || !libc::WIFSTOPPED(status) {
            return None;
        }
        let signal = libc::WSTOPSIG(status);
        Some(if signal == libc::SIGTRAP | 0x80 {
            Stop::Edge
        } else if status >> 16 == libc::PTRACE_EVENT_STOP {
            Stop::Signal(0)
        } else {
            Stop::Signal(signal)
        })
    }

    fn go_on(&self, signal: libc::c_int) {
        // SAFETY: a system call on numbers; it may have been killed meanwhile.
        unsafe {
            libc::ptrace(libc::PTRACE_SYSCALL, self.0, ptr::null_mut::<libc::c_void>(), signal)
        };
    }

    /// Lets go of it.
    pub(crate) fn release(self) {
        let _stopped = self.wait();
        // SAFETY: a system call on numbers.
        let released = unsafe { libc::ptrace(libc::PTRACE_DETACH, self.0, 0, 0) };
        assert_eq!(released, 0, "it is let go of");
    }

    /// Ends all of its threads where they are, and waits until that is done.
    fn kill(self) {
        // SAFETY: a stopped process that we hold; its number cannot be another's.
        unsafe {
            libc::kill(self.0, libc::SIGKILL);
            let mut status = 0;
            while libc::waitpid(self.0, &raw mut status, libc::__WALL) == self.0
                && libc::WIFSTOPPED(status)
            {}
        }
    }
}

/// Why it stands still.
#[derive(Debug)]
enum Stop {
    /// It is about to begin or has just ended a system call.
    Edge,
    /// A signal is to be delivered; none if 0.
    Signal(libc::c_int),
}
