//! Starting a process: clone(2) with CLONE_VM and CLONE_VFORK, as posix_spawn(3) does it, so that
//! the cost does not grow with the memory of the caller; and with what posix_spawn lacks: a
//! user, limits, a pidfd from the first moment, and an exact account of what failed.

use std::{
    ffi::{CStr, CString, c_char, c_int, c_uint, c_void},
    io,
    os::fd::AsRawFd,
    ptr,
};

use super::process::Process;
use crate::platform::{Launch, RunAs, SpawnError, Spawned, Stage, children, limits, signals};

/// Enough for a handful of system calls.
const STACK: usize = 64 * 1024;

/// close_range(2) on a copy of the table that has no more than what stays open.
const UNSHARE: c_uint = libc::CLOSE_RANGE_UNSHARE;

/// Descriptors are first moved above all targets, so that none is overwritten before its turn.
const HIGH: c_int = 10;

/// What the child works with, and the place for its account. It shares our memory until it
/// executes its program; until then we stand still.
struct Child<'a> {
    launch: &'a Launch<'a>,
    argv: Vec<*const c_char>,
    envp: Vec<*const c_char>,
    /// Source and target.
    fds: Vec<(c_int, c_int)>,
    /// Room for their copies.
    moved: Vec<c_int>,
    /// Its table of descriptors is ours, until it takes those up to this one for its own.
    unshare_after: Option<c_uint>,
    failed: Option<(Stage, c_int)>,
}

/// Starts a process in a session of its own, with default signals.
///
/// # Errors
///
/// The stage that failed, and why. No process is left then.
pub fn spawn(launch: &Launch<'_>) -> Result<Spawned, SpawnError> {
    match spawn_with(launch, Descriptors::Few) {
        // A kernel before 5.9, or a filter of system calls that does not know close_range(2).
        Err(SpawnError { stage: Stage::Descriptors, .. }) => spawn_with(launch, Descriptors::All),
        spawned => spawned,
    }
}

/// What a child has of our descriptors before it executes its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Descriptors {
    /// A copy of the table up to the last that it needs: the cost does not grow with how many we
    /// have open.
    Few,
    /// A copy of the whole table.
    All,
}

fn spawn_with(launch: &Launch<'_>, descriptors: Descriptors) -> Result<Spawned, SpawnError> {
    let needed = launch.fds.iter().map(|(ours, _)| ours).chain(&launch.cgroup).chain(&launch.held);
    let last = needed.map(AsRawFd::as_raw_fd).max().unwrap_or(0);
    let mut child = Child {
        launch,
        argv: pointers(launch.argv),
        envp: pointers(launch.env),
        fds: launch.fds.iter().map(|(ours, theirs)| (ours.as_raw_fd(), *theirs)).collect(),
        moved: vec![0; launch.fds.len()],
        unshare_after: (descriptors == Descriptors::Few).then_some(last.cast_unsigned()),
        failed: None,
    };
    let mut pidfd: c_int = -1;
    let fork_failed = |error| SpawnError { stage: Stage::Fork, error };
    let pid = clone_and_wait(&mut child, &mut pidfd).map_err(fork_failed)?;
    // SAFETY: clone has just made it for us.
    let process = unsafe { Process::from_child(pid, pidfd) };
    match child.failed {
        None => Ok(Spawned { process }),
        Some((stage, errno)) => {
            // It has exited, or is just about to.
            while matches!(children::reap(pid), Ok(None)) {
                std::thread::yield_now();
            }
            Err(SpawnError { stage, error: io::Error::from_raw_os_error(errno) })
        }
    }
}

fn pointers(texts: &[CString]) -> Vec<*const c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
}

fn clone_and_wait(child: &mut Child<'_>, pidfd: &mut c_int) -> io::Result<u32> {
    let mut stack = Vec::<u128>::with_capacity(STACK / size_of::<u128>());
    let shared = if child.unshare_after.is_some() { libc::CLONE_FILES } else { 0 };
    let flags = shared | libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: the stack outlives the child's use of it, since CLONE_VFORK stops this thread
    // until the child executes or exits; `child` likewise. With all signals blocked no handler
    // runs in the child. The stack grows down from its end.
    let pid = unsafe {
        let top = stack.as_mut_ptr().add(stack.capacity()).cast::<c_void>();
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        let argument = ptr::from_mut(child).cast();
        let pid = libc::clone(run, top, flags, argument, ptr::from_mut(pidfd));
        let error = io::Error::last_os_error();
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut());
        if pid < 0 {
            return Err(error);
        }
        pid
    };
    Ok(pid.cast_unsigned())
}

/// The child's whole life before its program. It neither allocates nor locks nor unwinds, and
/// calls the system directly where the C library would involve our other threads.
extern "C" fn run(argument: *mut c_void) -> c_int {
    // SAFETY: `argument` is the `Child` of `clone_and_wait`, whose thread stands still.
    unsafe {
        let child = &mut *argument.cast::<Child<'_>>();
        let stage = prepare_and_execute(child);
        child.failed = Some((stage, *libc::__errno_location()));
        libc::_exit(127)
    }
}

/// Returns only if something fails: what.
///
/// # Safety
///
/// Only in the child.
unsafe fn prepare_and_execute(child: &mut Child<'_>) -> Stage {
    // SAFETY: system calls on memory that `child` keeps alive.
    unsafe {
        if let Some(last) = child.unshare_after
            && libc::syscall(libc::SYS_close_range, last + 1, c_uint::MAX, UNSHARE) < 0
        {
            return Stage::Descriptors;
        }
        if libc::setsid() < 0 {
            return Stage::Session;
        }
        if !move_descriptors(child) {
            return Stage::Descriptors;
        }
        if child.launch.terminal && libc::ioctl(0, libc::TIOCSCTTY, 0) < 0 {
            return Stage::Session;
        }
        let open_files = || child.launch.open_files.map_or(Ok(()), limits::set_open_files);
        if let Err(error) = limits::restore_limits().and_then(|()| open_files()) {
            // The system calls of this library leave no account there.
            *libc::__errno_location() = error.raw_os_error().unwrap_or(libc::EINVAL);
            return Stage::Limits;
        }
        if let Some(tag) = child.launch.tag {
            tag.put();
        }
        if let Some(cgroup) = child.launch.cgroup
            && libc::write(cgroup.as_raw_fd(), c"0".as_ptr().cast(), 1) < 0
        {
            return Stage::Cgroup;
        }
        if let Some(person) = child.launch.user
            && !become_user(person)
        {
            return Stage::User;
        }
        if let Some(dir) = child.launch.dir
            && libc::chdir(dir.as_ptr()) < 0
        {
            return Stage::Directory;
        }
        signals::reset_all();
        let program: &CStr = child.launch.program;
        libc::execve(program.as_ptr(), child.argv.as_ptr(), child.envp.as_ptr());
        Stage::Execute
    }
}

/// # Safety
///
/// Only in the child.
unsafe fn move_descriptors(child: &mut Child<'_>) -> bool {
    // SAFETY: system calls on plain numbers.
    unsafe {
        for (index, &(ours, _)) in child.fds.iter().enumerate() {
            let high = libc::fcntl(ours, libc::F_DUPFD_CLOEXEC, HIGH);
            if high < 0 {
                return false;
            }
            child.moved[index] = high;
        }
        let mut pairs = child.moved.iter().zip(&child.fds);
        pairs.all(|(&high, &(_, theirs))| libc::dup2(high, theirs) >= 0)
    }
}

/// Groups first, the user last. The C library would do it to all threads of all who share this
/// memory.
///
/// # Safety
///
/// Only in the child.
unsafe fn become_user(person: &RunAs) -> bool {
    let RunAs { uid, gid, groups, .. } = person;
    let (uid, gid) = (*uid, *gid);
    // SAFETY: system calls; the groups are the parent's, which stands still.
    unsafe {
        if libc::geteuid() == uid && libc::getegid() == gid {
            return true;
        }
        libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) == 0
            && libc::syscall(libc::SYS_setresgid, gid, gid, gid) == 0
            && libc::syscall(libc::SYS_setresuid, uid, uid, uid) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Exit;

    fn start(program: &CStr, dir: Option<&CStr>) -> Result<Spawned, SpawnError> {
        let argv = [c"test".to_owned(), c"-c".to_owned(), c"exit 3".to_owned()];
        spawn(&Launch {
            program,
            argv: &argv,
            env: &[],
            dir,
            fds: &[],
            held: None,
            open_files: None,
            terminal: false,
            cgroup: None,
            user: None,
            tag: None,
        })
    }

    #[test]
    fn the_stage_that_failed_is_named() {
        let error = start(c"/no/such/program", None).unwrap_err();
        assert_eq!(error.stage, Stage::Execute);
        assert_eq!(error.error.kind(), io::ErrorKind::NotFound);
        let error = start(c"/bin/sh", Some(c"/no/such/dir")).unwrap_err();
        assert_eq!(error.stage, Stage::Directory);
    }

    #[test]
    fn a_child_runs_and_ends() {
        let spawned = start(c"/bin/sh", None).unwrap();
        let pid = spawned.process.id().pid;
        let exit = loop {
            if let Some(exit) = children::reap(pid).unwrap() {
                break exit;
            }
            std::thread::yield_now();
        };
        assert_eq!(exit, Exit::Code(3));
    }
}
