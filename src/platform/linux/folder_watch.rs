//! Being told that something in a folder, or the folder itself, is gone (inotify(7)), or that what
//! is mounted has changed: of a mount that is taken away whole inotify(7) says nothing.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::fs::{
    Mode, OFlags,
    inotify::{CreateFlags, WatchFlags, add_watch, init},
};

/// Readable once something has gone.
#[derive(Debug)]
pub struct FolderWatch {
    descriptor: OwnedFd,
}

impl FolderWatch {
    /// Watches a folder.
    ///
    /// # Errors
    ///
    /// Those of inotify_init1(2) and inotify_add_watch(2).
    pub fn new(folder: &Path) -> io::Result<Self> {
        let descriptor = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let gone = WatchFlags::DELETE | WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF;
        add_watch(&descriptor, folder, gone | WatchFlags::ONLYDIR)?;
        Ok(Self { descriptor })
    }

    /// Takes note of what was told.
    pub fn clear(&self) {
        let mut events = [0; 4096];
        while rustix::io::read(&self.descriptor, &mut events).is_ok_and(|count| count > 0) {}
    }
}

impl AsFd for FolderWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// Urgent, in the sense of poll(2), once something was mounted or unmounted since the last time
/// that a process waited for it (proc_pid_mounts(5)).
#[derive(Debug)]
pub struct MountWatch {
    table: OwnedFd,
}

impl MountWatch {
    /// Watches what is mounted in this process's namespace.
    ///
    /// # Errors
    ///
    /// Those of open(2).
    pub fn new() -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let table = rustix::fs::open("/proc/self/mountinfo", flags, Mode::empty())?;
        Ok(Self { table })
    }
}

impl AsFd for MountWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.table.as_fd()
    }
}
