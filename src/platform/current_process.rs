//! This process itself.

use std::{
    ffi::{CStr, CString, c_char},
    io,
    os::{
        fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
        unix::ffi::OsStringExt,
    },
    path::PathBuf,
};

use rustix::fs::{Mode, OFlags};

use super::{KernelTag, keep_descriptors_from, limits::restore_limits};

/// The mark of a process that belongs to a unit, in its environment.
pub const MARK: &str = "STACKRUN_ID";

/// What tells of a keeper, in its environment, which stack it holds; see [`super::keepers`].
pub const HOLDS: &str = "STACKRUN_KEEPER";

/// `/dev/null`, open both ways.
///
/// # Errors
///
/// Those of open(2).
pub fn null() -> io::Result<OwnedFd> {
    Ok(rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?)
}

/// Our parent as of now: another one once the process that started us has died.
pub fn parent() -> u32 {
    std::os::unix::process::parent_id()
}

/// The file of the program that runs, for another process to execute.
///
/// # Errors
///
/// Those of finding it; `NotFound` if it was deleted.
pub fn own_program_file() -> io::Result<PathBuf> {
    let file = std::env::current_exe()?;
    if file.exists() { Ok(file) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// Takes over a descriptor that the process which started us has left open for us. Once for each.
///
/// # Errors
///
/// EBADF if it has not.
pub fn inherited(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: it is only looked at until it is known to be open.
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::CLOEXEC)?;
    // SAFETY: it is open, and by the caller's promise no one else's.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Our environment, as it is handed on to our own programs: without the mark of the service we
/// may have been started from.
pub fn environment() -> Vec<CString> {
    let variables = std::env::vars_os().filter(|(name, _)| name != MARK);
    let texts = variables.map(|(name, value)| {
        let mut text = name.into_vec();
        text.push(b'=');
        text.extend(value.into_vec());
        CString::new(text)
    });
    texts.flatten().collect()
}

/// Goes on as another program, which has the same process id, children, and those descriptors
/// that are not close-on-exec (execve(2)). Returns only if that fails.
pub fn execute(program: &CStr, argv: &[CString], env: &[CString]) -> io::Error {
    let pointers = |texts: &[CString]| -> Vec<*const c_char> {
        texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (argv, env) = (pointers(argv), pointers(env));
    // SAFETY: both lists end with a null pointer, and live until the call returns.
    unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

/// A copy of a descriptor that the next program of this process keeps.
///
/// # Errors
///
/// Those of fcntl(2).
pub fn inheritable(descriptor: impl AsFd) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(descriptor, 3).and_then(|copy| {
        rustix::io::fcntl_setfd(&copy, rustix::io::FdFlags::empty())?;
        Ok(copy)
    })?)
}

/// Has a command run apart from us: in a session of its own, with the limits that our caller gave
/// us, without the tag of the service that we may have been started from, and without any
/// descriptor of ours but the first three, so that no pipe of our caller is kept open by it.
pub fn detach(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt;
    let apart = || {
        KernelTag::remove();
        rustix::process::setsid()?;
        restore_limits()?;
        keep_descriptors_from(3)
    };
    // SAFETY: system calls alone, which neither allocate nor lock.
    unsafe { command.pre_exec(apart) };
}

/// Has a command inherit these descriptors, under the numbers that they have here.
pub fn hand_down(command: &mut std::process::Command, descriptors: &[BorrowedFd<'_>]) {
    use std::os::{fd::AsRawFd, unix::process::CommandExt};
    let numbers: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let keep = move || {
        for &number in &numbers {
            // SAFETY: a system call; the parent has it open as long as it waits for the start.
            if unsafe { libc::fcntl(number, libc::F_SETFD, 0) } < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    };
    // SAFETY: system calls alone, on memory that the closure has brought along.
    unsafe { command.pre_exec(keep) };
}
