//! The keepers of stacks, recognised among all processes.
//!
//! A stack may be brought up by a service or a task of another one, and its keeper then descends
//! from that one's. It is not part of that service, and must not be ended with it; nor must what
//! it holds. So a keeper has to be told from a process that merely looks like one, for a service
//! must not be able to stay alive by that. Its command line may be that of any program, and so may a lock on
//! a folder (flock(1)). A keeper has both at once:
//!
//! - in the environment that it was started with, [`HOLDS`] names the stack. No keeper hands the
//!   variable on to what it starts;
//! - it holds the lock of the folder that this stack is, as the kernel tells;
//! - it leads a session of its own, and has the name that this program gives itself.
//!
//! Nothing gets there by accident. Who goes so far on purpose could as well bring up a real stack.

use super::{Entry, HOLDS, ProcId, StackId, Table, command_line, os, own_uid, user_of};

/// What this program calls itself in a role of its own.
const NAME: &str = "stackrun";

/// How the command line of a supervisor begins.
const SUPERVISOR: &str = "stackrun supervisor ";

/// How the command line of a keeper begins.
const KEEPER: &str = "stackrun keeper ";

/// A keeper, and the stack that it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeeperOf {
    /// Its process.
    pub pid: u32,
    /// The stack.
    pub stack: StackId,
}

/// Every keeper among these processes, of whichever stack. It takes a look at those few that call
/// themselves so.
pub fn keepers(table: &Table) -> Vec<KeeperOf> {
    table.entries().iter().filter_map(proved).collect()
}

/// Whether this process is one.
pub fn is_keeper(pid: u32) -> bool {
    Entry::read(pid).is_some_and(|entry| proved(&entry).is_some())
}

/// Which stack a process says that it holds, whether or not it does: a keeper that is just being
/// started does not hold its lock yet. A supervisor says what its keeper does.
pub fn claimed_stack(process: &Entry) -> Option<StackId> {
    process.variable(HOLDS)?.strip_prefix(HOLDS)?.strip_prefix('=')?.parse().ok()
}

/// The supervisors of a stack that this user runs, whichever keeper each of them has or had. One
/// that was stopped or frozen outlives its keeper, and knows nothing of what happened since.
pub fn supervisors(table: &Table, stack: StackId) -> Vec<ProcId> {
    let is_one = |process: &&Entry| {
        process.name == NAME
            && !process.is_dead()
            && user_of(process.id.pid) == Some(own_uid())
            && command_line(process.id.pid).is_some_and(|line| line.starts_with(SUPERVISOR))
            && claimed_stack(process) == Some(stack)
    };
    table.entries().iter().filter(is_one).map(|process| process.id).collect()
}

/// The keepers of other users, as far as their looks tell: only they and root may see more. That is
/// enough to take what descends from them for theirs where a person is told what is not ruled out,
/// and for nothing else.
pub(super) fn keepers_of_others(table: &Table) -> Vec<u32> {
    let is_one = |process: &&Entry| {
        let pid = process.id.pid;
        process.name == NAME
            && process.session == pid
            && !process.is_dead()
            && user_of(pid) != Some(own_uid())
            && command_line(pid).is_some_and(|line| line.starts_with(KEEPER))
    };
    table.entries().iter().filter(is_one).map(|process| process.id.pid).collect()
}

fn proved(process: &Entry) -> Option<KeeperOf> {
    let pid = process.id.pid;
    if process.name != NAME || process.session != pid || process.is_dead() {
        return None;
    }
    let stack = claimed_stack(process)?;
    os::holds_lock(pid, stack).then_some(KeeperOf { pid, stack })
}

#[cfg(test)]
mod tests {
    use std::{
        io::Read,
        path::Path,
        process::{Child, Command, Stdio},
    };

    use tempfile::TempDir;

    use super::*;

    /// A process that leads a session of its own, with this in its environment.
    struct Pretender(Child);

    impl Pretender {
        /// It is called by the name of this program, and may lock a folder (flock(1)).
        #[expect(clippy::disallowed_methods, reason = "a process to be looked at")]
        fn start(folder: &Path, locks: bool, claim: &str) -> Self {
            use std::os::unix::process::CommandExt;
            let name = folder.join(NAME);
            let _there_already = std::os::unix::fs::symlink("/bin/bash", &name);
            let mut command = Command::new(name);
            let lock = if locks { "flock 9 && " } else { "" };
            let script = format!("exec 9<. && {lock}echo up && read");
            command.args(["-c", &script]).current_dir(folder).env(HOLDS, claim);
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
            // SAFETY: one system call.
            unsafe {
                command.pre_exec(|| {
                    rustix::process::setsid()?;
                    Ok(())
                });
            }
            let mut child = command.spawn().unwrap();
            let mut line = [0; 3];
            child.stdout.as_mut().unwrap().read_exact(&mut line).unwrap();
            Self(child)
        }

        fn is_keeper(&self) -> bool {
            let keepers = keepers(&Table::read().unwrap());
            let is_among = keepers.iter().any(|keeper| keeper.pid == self.0.id());
            assert_eq!(is_among, is_keeper(self.0.id()));
            is_among
        }
    }

    impl Drop for Pretender {
        fn drop(&mut self) {
            let _ended = self.0.kill();
            let _reaped = self.0.wait();
        }
    }

    #[test]
    fn a_keeper_says_what_it_holds_and_holds_it() {
        let (own, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let claim = StackId::at(own.path()).unwrap().to_string();
        let start = |folder: &TempDir, locks, claim| Pretender::start(folder.path(), locks, claim);
        assert!(start(&own, true, &claim).is_keeper());
        assert!(!start(&own, false, &claim).is_keeper(), "it holds nothing");
        assert!(!start(&own, true, "").is_keeper(), "it says nothing");
        assert!(!start(&other, true, &claim).is_keeper(), "it holds another folder");
    }
}
