//! What the keeper arranges for itself before it starts anything.

use std::{ffi::CStr, io, os::fd::RawFd};

use super::{Table, spawn};

/// There are no subreapers here: orphans go to the first process of the system.
///
/// # Errors
///
/// None.
pub fn become_subreaper() -> io::Result<()> {
    Ok(())
}

/// The children that the calling thread has started, zombies included.
pub fn children() -> Vec<u32> {
    let own = std::process::id();
    let table = Table::read().unwrap_or_default();
    let children = table.entries().iter().filter(|entry| entry.parent == own);
    let pids = children.map(|entry| entry.id.pid);
    pids.filter(|&pid| spawn::is_by_this_thread(pid)).collect()
}

/// Programs that we start from now on get no descriptor from this one on, whichever library opened them.
///
/// # Errors
///
/// None.
pub fn keep_descriptors_from(first: RawFd) -> io::Result<()> {
    for descriptor in first..256 {
        // SAFETY: a plain system call; it fails if there is no such descriptor.
        unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    Ok(())
}

/// There is nothing to wait for here.
pub fn make_room_for_descriptors(_count: RawFd) {}

/// It is called as its file is.
pub fn name_process(_name: &CStr) {}

/// A thread has no priority of its own here.
pub fn lower_own_priority() {}

/// The C library gives memory back by itself, or does not.
pub fn give_back_memory() {}
