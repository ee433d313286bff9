//! Signals to this process, and from it.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    sync::atomic::{AtomicI32, Ordering},
};

use super::fifo::pipe;
use crate::model::Signal;

/// Where the handler writes to; -1 before there is a pipe.
static PIPE: AtomicI32 = AtomicI32::new(-1);

/// Signals as bytes in a pipe, one each, so that a loop over descriptors can wait for them.
///
/// A handler is reset by exec(2), an ignored signal is not: nothing here is inherited.
#[derive(Debug)]
pub struct SignalPipe {
    reader: OwnedFd,
}

extern "C" fn note(signal: libc::c_int) {
    // SAFETY: write(2) is async-signal-safe, and errno is put back; the pipe is never closed.
    unsafe {
        let errno = errno_place();
        let before = *errno;
        let byte = u8::try_from(signal).unwrap_or(0);
        libc::write(PIPE.load(Ordering::Relaxed), (&raw const byte).cast(), 1);
        *errno = before;
    }
}

/// Where the calling thread's errno is.
fn errno_place() -> *mut libc::c_int {
    #[cfg(target_os = "linux")]
    use libc::__errno_location as place;
    #[cfg(not(target_os = "linux"))]
    use libc::__error as place;
    // SAFETY: it may be called at any time, in a signal handler too.
    unsafe { place() }
}

impl SignalPipe {
    /// Catches these signals from now on. Once a process.
    ///
    /// # Errors
    ///
    /// Those of pipe(2) and sigaction(2).
    pub fn catch(signals: &[i32]) -> io::Result<Self> {
        let (reader, writer) = pipe()?;
        PIPE.store(writer.as_raw_fd(), Ordering::Relaxed);
        // The handler may run at any time until the process ends.
        std::mem::forget(writer);
        for &signal in signals {
            set_disposition(signal, note as *const () as libc::sighandler_t, Restarting::Yes)?;
        }
        Ok(Self { reader })
    }

    /// The signals since the last call.
    pub fn take(&self) -> Vec<i32> {
        let mut buffer = [0_u8; 256];
        match rustix::io::read(&self.reader, &mut buffer) {
            Ok(count) => buffer[..count].iter().map(|&byte| i32::from(byte)).collect(),
            Err(_) => Vec::new(),
        }
    }
}

impl AsFd for SignalPipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

/// Gives every signal its default disposition and unblocks all; SIGPIPE alone is ignored, as in
/// any program of ours. A shell's background job ignores SIGINT and SIGQUIT, and what is ignored is
/// inherited through exec(2).
pub fn reset_signals() {
    reset_all();
    let _cannot_fail = set_disposition(libc::SIGPIPE, libc::SIG_IGN, Restarting::Yes);
}

/// Signals that keep their default action in a process that survives all others: faults of its
/// own, what it is ended or stopped by on purpose, and what has no effect anyway.
const DEFAULT_ACTION: [i32; 16] = [
    libc::SIGQUIT,
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGABRT,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGKILL,
    libc::SIGSEGV,
    libc::SIGSYS,
    libc::SIGPIPE,
    libc::SIGTERM,
    libc::SIGCHLD,
    libc::SIGCONT,
    libc::SIGSTOP,
    libc::SIGURG,
    libc::SIGWINCH,
];

extern "C" fn ignore(_: libc::c_int) {}

/// Has this process survive every signal that would end or stop it without meaning anything to
/// it: those of a limit (a write then fails with EFBIG, setrlimit(2)), of a terminal, of timers,
/// and those that are free to use. They are caught rather than ignored, so that whatever is
/// executed from here on, by whichever library, gets their default action.
pub fn survive_signals() {
    for signal in (1..=last_signal()).filter(|signal| !DEFAULT_ACTION.contains(signal)) {
        let _some_belong_to_the_c_library =
            set_disposition(signal, ignore as *const () as libc::sighandler_t, Restarting::Yes);
    }
}

/// The greatest number of a signal, those of real time included (signal(7)).
fn last_signal() -> i32 {
    #[cfg(target_os = "linux")]
    return libc::SIGRTMAX();
    #[cfg(not(target_os = "linux"))]
    return 31;
}

/// Gives every signal its default disposition and unblocks all: for a program about to be
/// executed. It neither allocates nor locks.
pub(super) fn reset_all() {
    for signal in 1..=last_signal() {
        let _fixed_ones_refuse = set_disposition(signal, libc::SIG_DFL, Restarting::Yes);
    }
    // SAFETY: an empty set is made before it is used.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Whether a system call that a handler interrupts continues afterwards (SA_RESTART), or fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Restarting {
    Yes,
    No,
}

/// Sets what a signal does; a handler may do only what signal-safety(7) allows.
pub(super) fn set_disposition(
    signal: i32,
    handler: libc::sighandler_t,
    restarting: Restarting,
) -> io::Result<()> {
    // SAFETY: a zeroed sigaction is valid; every handler in this crate is async-signal-safe.
    let result = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = if restarting == Restarting::Yes { libc::SA_RESTART } else { 0 };
        libc::sigaction(signal, &raw const action, std::ptr::null_mut())
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sends a signal to a process group: only while its leader is an unreaped child of ours.
///
/// # Errors
///
/// Those of kill(2): ESRCH if it is empty.
pub fn kill_group(leader: u32, signal: Signal) -> io::Result<()> {
    kill(-i64::from(leader), signal)
}

/// Sends a signal to a process: only to an unreaped child of ours.
///
/// # Errors
///
/// Those of kill(2).
pub fn kill_process(child: u32, signal: Signal) -> io::Result<()> {
    kill(i64::from(child), signal)
}

/// Whether this user may send a signal to a process; a number that is not in use may be.
pub(super) fn may_signal(pid: u32) -> bool {
    let Ok(pid) = libc::pid_t::try_from(pid) else { return false };
    // SAFETY: a plain system call; signal 0 only asks.
    let asked = unsafe { libc::kill(pid, 0) };
    asked == 0 || io::Error::last_os_error().raw_os_error() != Some(libc::EPERM)
}

fn kill(target: i64, signal: Signal) -> io::Result<()> {
    let target = libc::pid_t::try_from(target).map_err(io::Error::other)?;
    // 0, 1 and -1 would mean ourselves, init and everybody.
    if target.abs() <= 1 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: plain system call.
    if unsafe { libc::kill(target, signal.number()) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
