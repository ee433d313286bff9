//! A number on a process that its descendants inherit, whatever else they give up.
//!
//! Servers that put themselves into the background leave parent, session and output behind, and
//! many overwrite their arguments and environment to show a title. But the kernel hands resource
//! limits on through fork(2), execve(2), setsid(2) and setuid(2), and one of them has had no
//! meaning since Linux 2.4.25: RLIMIT_LOCKS (getrlimit(2)). Its soft value carries the number; the
//! hard one stays as it was. `ulimit -x` shows it.

use std::{mem::MaybeUninit, ptr};

use crate::model::fnv1a;

/// A number on a process that its descendants inherit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KernelTag(u64);

impl KernelTag {
    /// The one that stands for this mark: `STACKRUN_ID=…`.
    pub fn of_mark(mark: &[u8]) -> Self {
        // Far below RLIM_INFINITY, also for programs that take it for a signed number.
        Self(fnv1a(mark) >> 2)
    }

    /// The one of this process, a zombie's too; none where it has no such limit.
    pub fn of(pid: u32) -> Option<Self> {
        // Of another user's process the system call tells root alone.
        let limit = ask(pid).or_else(|| read(pid))?;
        (limit != libc::RLIM_INFINITY).then_some(Self(limit))
    }

    /// Puts it on this process and what it starts from now on. Without effect where a lower limit
    /// is in force. It neither allocates nor locks.
    pub fn put(self) {
        set(Some(self.0));
    }

    /// Takes it off this process, which then belongs to no unit.
    pub fn remove() {
        set(None);
    }
}

fn set(value: Option<u64>) {
    let mut limit = MaybeUninit::<libc::rlimit>::uninit();
    // SAFETY: a valid place to write to, which is read once it was written to.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_LOCKS, limit.as_mut_ptr()) == 0 {
            let mut limit = limit.assume_init();
            limit.rlim_cur = value.unwrap_or(limit.rlim_max);
            libc::setrlimit(libc::RLIMIT_LOCKS, &raw const limit);
        }
    }
}

fn ask(pid: u32) -> Option<u64> {
    let pid = libc::pid_t::try_from(pid).ok()?;
    let mut limit = MaybeUninit::<libc::rlimit>::uninit();
    // SAFETY: as above; the null pointer says that nothing is to be set.
    unsafe {
        let told = libc::prlimit(pid, libc::RLIMIT_LOCKS, ptr::null(), limit.as_mut_ptr());
        (told == 0).then(|| limit.assume_init().rlim_cur)
    }
}

/// proc_pid_limits(5).
fn read(pid: u32) -> Option<u64> {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max file locks"))?;
    match line.split_ascii_whitespace().next()? {
        "unlimited" => Some(libc::RLIM_INFINITY),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_inherited_read_both_ways_and_survives_the_end() {
        use std::os::unix::process::CommandExt;
        let tag = KernelTag::of_mark(b"STACKRUN_ID=a test");
        #[expect(clippy::disallowed_methods, reason = "a process to be looked at")]
        let mut command = std::process::Command::new("sh");
        // A generation further on, in another session and without an environment.
        command.args(["-c", "setsid env -i sh -c 'read line' & wait"]);
        command.stdin(std::process::Stdio::piped()).process_group(0);
        // SAFETY: two system calls.
        unsafe {
            command.pre_exec(move || {
                tag.put();
                Ok(())
            });
        }
        let mut child = command.spawn().unwrap();
        let pid = child.id();
        assert_eq!((KernelTag::of(pid), read(pid)), (Some(tag), ask(pid)));
        for descendant in crate::platform::descendants(pid) {
            assert_eq!(KernelTag::of(descendant.pid), Some(tag));
        }
        drop(child.stdin.take());
        while crate::platform::peek(pid).unwrap().is_none() {
            std::thread::yield_now();
        }
        assert_eq!(KernelTag::of(pid), Some(tag), "a zombie has it, too");
        child.wait().unwrap();
        assert_eq!(KernelTag::of(std::process::id()), None);
    }
}
