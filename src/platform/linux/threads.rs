//! Threads as the kernel knows them.

/// For waitid(2): children of the calling thread alone, so that the thread which starts the
/// supervisor keeps it out of the count. Orphans come to the first thread of a process.
pub(in crate::platform) const OWN_CHILDREN: libc::c_int = libc::__WNOTHREAD;

/// The number of a thread (gettid(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadId(libc::pid_t);

/// Which thread this is.
pub fn own_thread() -> ThreadId {
    // SAFETY: a plain system call.
    ThreadId(unsafe { libc::gettid() })
}

/// Waits until a thread of this process that has been joined is gone for the kernel, too. Only
/// then are its children those of the first thread: to wait for the children of one thread alone
/// would miss them before. It takes microseconds: what is left of an exit after the kernel has
/// let the joiner go (`clear_child_tid` in set_tid_address(2)).
pub fn await_thread_gone(ThreadId(thread): ThreadId) {
    // SAFETY: plain system calls; signal 0 only asks.
    let is_there = || unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, 0) == 0 };
    while is_there() {
        std::thread::yield_now();
    }
}
