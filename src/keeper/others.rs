//! Other stacks whose processes descend from this keeper.
//!
//! A service, a task or a hook may bring up another stack. Its keeper is then a child of ours, as
//! soon as the command that started it has ended; and what a keeper held that is killed comes to us
//! as an orphan. None of it is ours to end, whatever becomes of the unit that it was started from.
//!
//! What is another stack's is told by proof, not by what a process says of itself (else a service
//! could stay alive by saying so): it descends from a process that is a keeper ([`keepers`]); or it
//! has the mark of a stack that has a keeper, or whose record names that very mark.

use std::collections::HashSet;

use super::journal;
use crate::platform::{self, Entry, KeeperOf, Mark, StackId, StackPaths, Table, below, keepers};

/// The other stacks at one moment.
#[derive(Debug, Default)]
pub(super) struct Others {
    keepers: Vec<KeeperOf>,
    /// They and everything below them.
    pids: HashSet<u32>,
}

impl Others {
    pub(super) fn find(table: &Table) -> Self {
        let own = std::process::id();
        let mut keepers = keepers(table);
        keepers.retain(|keeper| keeper.pid != own);
        let pids = below(table, &keepers);
        Self { keepers, pids }
    }

    /// Whether a process is one of theirs; `own` is our stack.
    pub(super) fn have(&self, process: &Entry, own: &StackPaths) -> bool {
        self.pids.contains(&process.id.pid) || self.have_marked(process, own)
    }

    /// A process of a stack whose keeper was killed.
    fn have_marked(&self, process: &Entry, own: &StackPaths) -> bool {
        let Some(mark) = platform::mark_of(process).filter(|mark| !mark.is_of(own)) else {
            return false;
        };
        let Ok(stack) = mark.stack.parse() else { return false };
        self.keepers.iter().any(|keeper| keeper.stack == stack) || is_recorded(stack, &mark)
    }

    /// All that are below a keeper.
    pub(super) fn pids(&self) -> &HashSet<u32> {
        &self.pids
    }
}

/// Whether a child of ours is of another stack: asked of one process, it seldom takes a look at
/// all of them.
pub(super) fn is_of_another(process: &Entry, own: &StackPaths) -> bool {
    platform::is_keeper(process.id.pid)
        || platform::mark_of(process).is_some_and(|mark| !mark.is_of(own))
            && Table::read().is_ok_and(|table| Others::find(&table).have(process, own))
}

/// Whether the keeper of another stack has written down that it started something by this mark.
fn is_recorded(stack: StackId, mark: &Mark) -> bool {
    let told = journal::read_newest_of(stack).unwrap_or_default();
    told.records.values().any(|record| record.origin.mark == mark.text)
}

/// Whether a process is about to be the keeper of another stack, or is its supervisor, which will
/// start another one if its keeper was killed.
pub(super) fn may_become_one(process: &Entry, own: &StackPaths) -> bool {
    platform::claimed_stack(process).is_some_and(|stack| stack != own.id)
}
