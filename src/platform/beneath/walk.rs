//! Opening a path one component at a time, where the system has no call that does it at once.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Component, Path},
};

use rustix::{
    fs::{Mode, OFlags, openat},
    io::{Errno, Result},
};

/// Opens `path` below a folder, following no link and never leaving the folder.
pub(in crate::platform) fn open_by_components(
    folder: BorrowedFd<'_>,
    path: &Path,
    flags: OFlags,
    mode: Mode,
) -> Result<OwnedFd> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let through = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut held: Option<OwnedFd> = None;
    let mut components = path.components().filter(|one| *one != Component::CurDir).peekable();
    while let Some(component) = components.next() {
        let Component::Normal(name) = component else { return Err(Errno::XDEV) };
        let here = held.as_ref().map_or(folder, AsFd::as_fd);
        if components.peek().is_none() {
            return openat(here, name, flags, mode);
        }
        held = Some(openat(here, name, through, Mode::empty())?);
    }
    openat(folder, ".", flags, mode)
}
