//! Ending a process tree that is none of ours, because it holds what is needed.
//!
//! Nothing is signalled that is not proved: the root must be the very process that was named
//! (its number and its start time, looked at through an open pidfd), every other one must descend
//! from it or carry its mark, and all must be this user's own. What we ourselves descend from (a
//! shell, a session's manager) is never touched.

use std::{io, time::Duration};

use super::{
    Entry, KernelTag, ProcId, Process, Table, Tree, Watched, keepers, members, now, own_uid,
    relatives, user_name,
};
use crate::{event::Tick, model::Signal, platform::describe};

/// How long a tree may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);
/// How long it may take after SIGKILL.
const KILL_GRACE: Duration = Duration::from_secs(2);
/// The time from one look at the tree to the next.
const LOOK: Duration = Duration::from_millis(20);

const CONTINUE: Signal = Signal::from_number(libc::SIGCONT);

/// Ends the whole tree of a process, gently and then not; with a mark also whatever else carries
/// that. One that has ended already, or whose number is another's by now, is no error.
///
/// # Errors
///
/// It is not ours to end, or it survives.
pub fn end_tree(root: ProcId, mark: Option<&str>) -> io::Result<()> {
    let mut eviction = Eviction { seen: vec![root], mark, ancestors: ancestors() };
    if eviction.ancestors.contains(&root.pid) {
        return Err(io::Error::other("this command runs below it"));
    }
    for (signal, grace) in [(Signal::TERM, GRACE), (Signal::KILL, KILL_GRACE)] {
        if eviction.carry_out(signal, now() + grace)? {
            return Ok(());
        }
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "it survives SIGKILL"))
}

struct Eviction<'a> {
    /// Every process of the tree that was ever seen: an orphan no longer tells where it is from.
    seen: Vec<ProcId>,
    mark: Option<&'a str>,
    /// Ourselves, and what we come from.
    ancestors: Vec<u32>,
}

impl Eviction<'_> {
    /// Signals each process in the tree once, newcomers too, until none is left.
    fn carry_out(&mut self, signal: Signal, deadline: Tick) -> io::Result<bool> {
        let mut told: Vec<ProcId> = Vec::new();
        loop {
            let family = self.look()?;
            let Some(first) = family.first() else { return Ok(true) };
            for id in family.iter().filter(|id| !told.contains(id)) {
                if let Some(process) = Process::open(*id) {
                    process.signal(signal)?;
                    // A stopped process would not get it.
                    let _ended = process.signal(CONTINUE);
                }
            }
            told.clone_from(&family);
            if now() >= deadline {
                return Ok(false);
            }
            Watched::open(first.pid).wait(LOOK)?;
        }
    }

    /// Who of the tree lives. With another user's process in it, the tree is left alone.
    fn look(&mut self) -> io::Result<Vec<ProcId>> {
        let table = Table::read()?;
        let is_there = |id: &ProcId| table.get(id.pid).is_some_and(|entry| entry.id == *id);
        self.seen.retain(is_there);
        let family = match self.mark {
            Some(mark) => {
                let none = ProcId { pid: 0, start: 0 };
                let mark = mark.as_bytes();
                let tag = Some(KernelTag::of_mark(mark));
                let tree = Tree { main: none, known: &self.seen, pipes: &[], mark, tag };
                let keepers = keepers(&table).into_iter().map(|keeper| keeper.pid);
                let outsiders: Vec<u32> = self.ancestors.iter().copied().chain(keepers).collect();
                members(&table, &[tree], &outsiders).pop().unwrap_or_default()
            }
            None => self.seen.iter().flat_map(|id| relatives(&table, id.pid)).collect(),
        };
        let own = user_name(own_uid());
        let mut living: Vec<ProcId> = Vec::new();
        for entry in family.iter().filter(|entry| !self.ancestors.contains(&entry.id.pid)) {
            if describe(entry.id.pid).is_some_and(|process| process.user != own) {
                return Err(io::Error::new(
                    io::ErrorKind::PermissionDenied,
                    format!("pid {} of its tree is another user's", entry.id.pid),
                ));
            }
            if !living.contains(&entry.id) {
                living.push(entry.id);
            }
        }
        for id in &living {
            if !self.seen.contains(id) {
                self.seen.push(*id);
            }
        }
        Ok(living)
    }
}

/// This process, its parent, and so on.
fn ancestors() -> Vec<u32> {
    let mut all = vec![std::process::id()];
    while let Some(parent) = all.last().and_then(|&pid| Entry::read(pid)).map(|entry| entry.parent)
        && parent > 0
        && !all.contains(&parent)
    {
        all.push(parent);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_come_from_is_left_alone() {
        let parent = ancestors()[1];
        let error = end_tree(ProcId::of(parent).unwrap(), None).unwrap_err();
        assert!(error.to_string().contains("runs below it"), "{error}");
    }

    #[test]
    fn another_process_of_the_same_number_is_left_alone() {
        let sleeper = sleeper();
        let id = ProcId::of(sleeper.0.id()).unwrap();
        assert!(end_tree(ProcId { start: id.start + 1, ..id }, None).is_ok());
        assert_eq!(ProcId::of(id.pid), Some(id));
    }

    #[test]
    fn a_tree_ends_as_a_whole() {
        let mut sleeper = sleeper();
        let id = ProcId::of(sleeper.0.id()).unwrap();
        let child = loop {
            let table = Table::read().unwrap();
            let child = table.entries().iter().find(|entry| entry.parent == id.pid);
            if let Some(child) = child {
                break child.id;
            }
        };
        end_tree(id, None).unwrap();
        sleeper.0.wait().unwrap();
        assert!(Process::open(child).is_none_or(|_| Entry::read(child.pid).unwrap().is_dead()));
    }

    /// A shell that ignores SIGTERM, with a child.
    fn sleeper() -> Killed {
        #[expect(clippy::disallowed_methods, reason = "a process to be ended")]
        let mut command = std::process::Command::new("sh");
        Killed(command.args(["-c", "trap '' TERM; sleep 60 & wait; wait"]).spawn().unwrap())
    }

    struct Killed(std::process::Child);

    impl Drop for Killed {
        fn drop(&mut self) {
            let _ended = self.0.kill();
            let _reaped = self.0.wait();
        }
    }
}
