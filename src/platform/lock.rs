//! One keeper a stack: a lock on the stack's folder itself (flock(2)).

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
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

/// Takes the lock of a folder; `None` if somebody has it. Nothing is left behind to remove, and
/// a read-only folder can be locked too.
///
/// # Errors
///
/// Those of open(2) and flock(2).
pub fn lock_folder(folder: &Path) -> io::Result<Option<FolderLock>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let descriptor = rustix::fs::open(folder, flags, Mode::empty())?;
    match rustix::fs::flock(&descriptor, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(FolderLock { folder: descriptor })),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Who holds the lock of a folder, where the system tells (`/proc/locks`, proc(5)).
pub fn lock_holder(folder: &Path) -> Option<u32> {
    let inode = rustix::fs::stat(folder).ok()?.st_ino.to_string();
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (kind, pid, file) = (fields.next()?, fields.nth(2)?, fields.next()?);
        let ours = kind == "FLOCK" && file.rsplit(':').next() == Some(&inode);
        ours.then(|| pid.parse().ok()).flatten()
    })
}
