//! Waiting for children, one at a time and without blocking (waitid(2)).
//!
//! A main process is left a zombie until its whole tree is gone: as long as it is there, its
//! process id, and with it the number of its group and session, is not used for another.

use std::io;

use super::os::OWN_CHILDREN;
use crate::model::{Exit, Signal};

/// What there is to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peek {
    /// This child has ended and is still to be reaped. The same one is named until it is.
    Ended(u32),
    /// There are children; none has ended.
    Running,
    /// The kernel says that there is no child at all (ECHILD).
    NoChild,
}

/// Looks for any ended child of the calling thread, and leaves it.
///
/// # Errors
///
/// Those of waitid(2), ECHILD excepted.
pub fn peek_any() -> io::Result<Peek> {
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | OWN_CHILDREN;
    match wait(libc::P_ALL, 0, flags) {
        Ok(Some((pid, _))) => Ok(Peek::Ended(pid)),
        Ok(None) => Ok(Peek::Running),
        Err(error) if error.raw_os_error() == Some(libc::ECHILD) => Ok(Peek::NoChild),
        Err(error) => Err(error),
    }
}

/// How this child ended, if it has; it stays a zombie.
///
/// # Errors
///
/// Those of waitid(2): ECHILD if it is no child.
pub fn peek(pid: u32) -> io::Result<Option<Exit>> {
    let ended = wait(libc::P_PID, pid, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT)?;
    Ok(ended.map(|(_, exit)| exit))
}

/// Reaps this child, if it has ended.
///
/// # Errors
///
/// Those of waitid(2): ECHILD if it is no child.
pub fn reap(pid: u32) -> io::Result<Option<Exit>> {
    let ended = wait(libc::P_PID, pid, libc::WEXITED | libc::WNOHANG)?;
    Ok(ended.map(|(_, exit)| exit))
}

/// How a child that has been reaped ended.
pub fn exit_of(status: std::process::ExitStatus) -> Exit {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(Signal::from_number(signal)),
        (None, None) => Exit::UNKNOWN,
    }
}

/// Waits until this child has ended, and reaps it.
pub fn wait_for(pid: u32) {
    let _no_child = wait(libc::P_PID, pid, libc::WEXITED);
}

fn wait(kind: libc::idtype_t, pid: u32, flags: libc::c_int) -> io::Result<Option<(u32, Exit)>> {
    // SAFETY: all zeroes is a valid `siginfo_t`.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: `info` is a valid place to write to.
        if unsafe { libc::waitid(kind, pid, &raw mut info, flags) } == 0 {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    // SAFETY: after waitid these are set, or still zero with WNOHANG.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    if pid == 0 {
        return Ok(None);
    }
    let exit = match info.si_code {
        libc::CLD_EXITED => Exit::Code(status),
        _ => Exit::Signal(Signal::from_number(status)),
    };
    Ok(Some((pid.cast_unsigned(), exit)))
}
