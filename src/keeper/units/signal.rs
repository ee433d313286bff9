//! Sending signals to a unit.

use super::unit::Unit;
use crate::{
    model::Signal,
    platform::{self, Entry, Process},
};

const CONTINUE: Signal = Signal::from_number(libc::SIGCONT);

/// Whether a signal asks to exit: a stopped process has to be continued to get it.
fn asks_to_exit(signal: Signal) -> bool {
    matches!(signal.number(), libc::SIGTERM | libc::SIGINT | libc::SIGHUP | libc::SIGQUIT)
}

/// Sends a signal; after one that asks to exit also CONT.
fn deliver(process: &Process, signal: Signal) {
    // It may have exited just now, or be another user's: the next scan will tell.
    let _refused = process.signal(signal);
    if asks_to_exit(signal) {
        let _refused = process.signal(CONTINUE);
    }
}

impl Unit {
    /// Sends a signal to the whole tree or to the main process alone. What a main process that
    /// has exited has left is asked to `stop` in its place.
    pub(super) fn signal(&self, signal: Signal, tree: bool, stop: bool) {
        if tree || stop && self.end.is_some() {
            self.signal_tree(signal);
        } else if let (None, Some(process)) = (&self.end, self.process()) {
            deliver(process, signal);
        }
    }

    /// To everybody: the group at once, then each one who is not in it.
    fn signal_tree(&self, signal: Signal) {
        let (main, group) = (self.main(), self.child());
        if let Some(group) = group {
            let _empty = platform::kill_group(group, signal);
            if asks_to_exit(signal) {
                let _empty = platform::kill_group(group, CONTINUE);
            }
        } else if let Some(process) = self.process() {
            deliver(process, signal);
        }
        for &other in self.known().iter().filter(|&&id| id != main) {
            let in_group = group.is_some() && Entry::read(other.pid).map(|e| e.group) == group;
            if !in_group && let Some(process) = Process::open(other) {
                deliver(&process, signal);
            }
        }
    }
}
