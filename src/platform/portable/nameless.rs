//! Pipes and files that have no name.

use std::{io, os::fd::OwnedFd, path::Path};

use rustix::fs::{Mode, OFlags};

/// A pipe cannot be opened again without a name.
///
/// # Errors
///
/// Always.
pub(in crate::platform) fn nameless_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Err(io::ErrorKind::Unsupported.into())
}

/// An empty file that has lost its name at once; `at` is free for that moment.
///
/// # Errors
///
/// Those of open(2) and unlink(2).
pub(in crate::platform) fn nameless_file(at: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = rustix::fs::open(at, flags, Mode::RUSR | Mode::WUSR)?;
    rustix::fs::unlink(at)?;
    Ok(file)
}
