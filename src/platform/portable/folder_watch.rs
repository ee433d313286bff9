//! Being told that something in a folder is gone: not here.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

/// Never made.
#[derive(Debug)]
pub struct FolderWatch {
    descriptor: OwnedFd,
}

impl FolderWatch {
    /// Watches a folder.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn new(_folder: &Path) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Takes note of what was told.
    pub fn clear(&self) {}
}

impl AsFd for FolderWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// Never made.
#[derive(Debug)]
pub struct MountWatch {
    descriptor: OwnedFd,
}

impl MountWatch {
    /// Watches what is mounted.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn new() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl AsFd for MountWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
