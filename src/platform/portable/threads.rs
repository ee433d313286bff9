//! Threads, where all of a process wait for all of its children.

/// For waitid(2): all children of the process, whichever thread has started them.
pub(in crate::platform) const OWN_CHILDREN: libc::c_int = 0;

/// A thread: which does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadId;

/// Which thread this is.
pub fn own_thread() -> ThreadId {
    ThreadId
}

/// Children belong to the process: there is nothing to wait for.
pub fn await_thread_gone(_: ThreadId) {}
