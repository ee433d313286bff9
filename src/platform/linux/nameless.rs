//! Pipes and files that have no name.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    path::Path,
};

use rustix::fs::{MemfdFlags, Mode, OFlags, memfd_create};

/// A pipe without a name: its reader, which does not block, and an end open both ways. Each is a
/// file description of its own, as if it had been opened by a name.
///
/// # Errors
///
/// Those of pipe(2) and open(2).
pub(in crate::platform) fn nameless_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, _writer) = io::pipe()?;
    let end = format!("/proc/self/fd/{}", reader.as_raw_fd());
    let open = |flags| rustix::fs::open(&end, flags | OFlags::CLOEXEC, Mode::empty());
    let both = open(OFlags::RDWR)?;
    Ok((open(OFlags::RDONLY | OFlags::NONBLOCK)?, both))
}

/// An empty file without a name (memfd_create(2)).
///
/// # Errors
///
/// Those of memfd_create(2).
pub(in crate::platform) fn nameless_file(_at: &Path) -> io::Result<OwnedFd> {
    Ok(memfd_create("stackrun input", MemfdFlags::CLOEXEC)?)
}
