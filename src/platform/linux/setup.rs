//! What the keeper arranges for itself before it starts anything.

use std::{ffi::CStr, io, os::fd::RawFd};

use rustix::process::{Resource, getrlimit};

/// Orphans among our descendants become our children (prctl(2), PR_SET_CHILD_SUBREAPER).
///
/// # Errors
///
/// Those of prctl(2).
pub fn become_subreaper() -> io::Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    Ok(())
}

/// The children of the calling thread, zombies included (proc_pid_children(5)). Orphans come to
/// the first thread of a process.
pub fn children() -> Vec<u32> {
    let list = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// Programs that we start from now on get no descriptor from this one on, whichever library opened them
/// (close_range(2)).
///
/// # Errors
///
/// Those of close_range(2).
pub fn keep_descriptors_from(first: RawFd) -> io::Result<()> {
    let flags = libc::CLOSE_RANGE_CLOEXEC;
    // SAFETY: a plain system call that closes nothing of ours.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, flags) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Makes room for so many descriptors at once, as far as the limit allows.
///
/// The kernel doubles the table when it is full, and if other threads share it, the one that opened the
/// descriptor too many waits for all of them (`expand_fdtable` calls `synchronize_rcu`): 10 ms and
/// more each time. To be called before there are other threads.
pub fn make_room_for_descriptors(count: RawFd) {
    let Ok(null) = crate::platform::null() else { return };
    let limit = getrlimit(Resource::Nofile).current.and_then(|limit| RawFd::try_from(limit).ok());
    let last = limit.map_or(count, |limit| limit.min(count)) - 1;
    // The table grows for the highest number and never shrinks.
    let _room = rustix::io::fcntl_dupfd_cloexec(&null, last);
}

/// What `ps` and `top` call this process, to be said by its first thread: without it what was
/// executed as `/proc/self/exe` is called `exe` (prctl(2), PR_SET_NAME).
pub fn name_process(name: &CStr) {
    // SAFETY: it reads the text up to its zero, and no more than 16 bytes.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}

/// Gives memory that is free back to the system, as far as the C library knows how to
/// (malloc_trim(3)): what was freed among what is still used stays with the process otherwise.
pub fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it may be called at any time, from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// From now on the calling thread, and no other, runs when no other wants to
/// (setpriority(2) as Linux has it).
pub fn lower_own_priority() {
    let _as_it_was = rustix::process::setpriority_process(None, 19);
}

#[cfg(test)]
mod tests {
    use super::make_room_for_descriptors;

    #[test]
    fn there_is_room_for_as_many_descriptors_as_were_asked_for() {
        make_room_for_descriptors(500);
        let status = std::fs::read_to_string("/proc/self/status").expect("our own status");
        let room = status.lines().find_map(|line| line.strip_prefix("FDSize:")).expect("FDSize");
        assert!(room.trim().parse::<u32>().expect("a number") >= 500, "{room}");
    }
}
