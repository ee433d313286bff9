//! One keeper a stack: a lock on the stack's folder itself (flock(2)).

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::fs::{FlockOperation, Mode, OFlags};

/// The lock on a folder, held until it is dropped or the process ends, whichever way.
#[derive(Debug)]
pub struct FolderLock {
    folder: OwnedFd,
}

impl FolderLock {
    /// The lock that a descriptor holds which was inherited.
    pub fn resume(folder: OwnedFd) -> Self {
        Self { folder }
    }
}

impl AsFd for FolderLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }
}

/// Takes the lock of an open folder; `None` if it is taken. Nothing is left behind to remove,
/// and a read-only folder can be locked too, and one that was removed.
pub(super) fn lock_open_folder(folder: impl AsFd) -> io::Result<Option<FolderLock>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::openat(folder, c".", flags, Mode::empty())?;
    match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(FolderLock { folder })),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
