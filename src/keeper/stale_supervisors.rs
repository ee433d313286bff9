//! Supervisors that have outlived their keeper, and whose stack another keeper holds by now.
//!
//! A supervisor whose keeper dies hands what it knows to the next keeper. One that was stopped or
//! frozen meanwhile would do that once it continues, and bring up what has been stopped since. The
//! keeper that holds the stack's lock is the only one, so every supervisor of another one is obsolete.

use crate::{
    model::Signal,
    platform::{self, Process, StackId, Table},
};

/// Kills them, but for the one that has started this keeper and hands over to it.
pub(super) fn end_stale_supervisors(stack: StackId, table: &Table) {
    let parent = platform::parent();
    let stale = platform::supervisors(table, stack).into_iter().filter(|id| id.pid != parent);
    for process in stale.filter_map(Process::open) {
        let _ended_meanwhile = process.signal(Signal::KILL);
    }
}
