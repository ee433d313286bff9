//! The first process of a namespace of processes (pid_namespaces(7)), as of a container.
//!
//! Every orphan in there becomes its child, whichever process started it, and is its to reap; and of
//! what is sent to it, it gets only what it handles. It has no time for anything else: the work is
//! done by a child.

use std::mem::MaybeUninit;

use libc::{c_int, pid_t, sigset_t};

/// What the keyboard sends to all of a terminal's foreground, the child included.
const BY_KEYBOARD: [c_int; 6] =
    [libc::SIGINT, libc::SIGQUIT, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU, libc::SIGWINCH];

/// Where the kernel itself sends a signal (sigaction(2)).
#[cfg(target_os = "linux")]
const BY_KERNEL: c_int = libc::SI_KERNEL;
#[cfg(not(target_os = "linux"))]
const BY_KERNEL: c_int = 0x10001;

/// If this is the first process, continues in a child, reaps whatever there is to be reaped, passes
/// signals on, and ends as the child does. Returns at once in any other process, and in the child.
/// To be called before there are other threads.
pub fn leave_first_process() {
    if std::process::id() != 1 {
        return;
    }
    let (mut all, mut before) = (MaybeUninit::<sigset_t>::uninit(), MaybeUninit::uninit());
    // SAFETY: both are filled before they are read. There is one thread, so that the child may do
    // what it likes. What is blocked is not lost, as it would be without a handler: it waits.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        libc::sigprocmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        match libc::fork() {
            // Better without than not at all.
            -1 | 0 => {
                libc::sigprocmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut());
            }
            child => watch_over(child, all.assume_init_ref()),
        }
    }
}

fn watch_over(child: pid_t, all: &sigset_t) -> ! {
    loop {
        let (signal, sent_by) = next_signal(all);
        match signal {
            libc::SIGCHLD => {
                if let Some(status) = reap_all(child) {
                    std::process::exit(status);
                }
            }
            ..=0 => {}
            signal if sent_by == BY_KERNEL && BY_KEYBOARD.contains(&signal) => {}
            signal => {
                // SAFETY: a plain system call; the child is not reaped yet.
                unsafe { libc::kill(child, signal) };
            }
        }
    }
}

/// Waits for a signal: which, and where it is from.
#[cfg(target_os = "linux")]
fn next_signal(all: &sigset_t) -> (c_int, c_int) {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: a valid place to write to, which is a valid value from the beginning.
    unsafe {
        let signal = libc::sigwaitinfo(all, info.as_mut_ptr());
        (signal, info.assume_init().si_code)
    }
}

/// Waits for a signal: which; where it is from is not told.
#[cfg(not(target_os = "linux"))]
fn next_signal(all: &sigset_t) -> (c_int, c_int) {
    let mut signal = 0;
    // SAFETY: a valid place to write to.
    unsafe { libc::sigwait(all, &raw mut signal) };
    (signal, 0)
}

/// Reaps everybody who has ended; the exit status of this child, if it is among them.
fn reap_all(child: pid_t) -> Option<c_int> {
    let mut of_child = None;
    loop {
        let mut status = 0;
        // SAFETY: a valid place to write to.
        match unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) } {
            -1 | 0 => return of_child,
            pid if pid == child => {
                of_child = Some(match libc::WIFEXITED(status) {
                    true => libc::WEXITSTATUS(status),
                    false => 128 + libc::WTERMSIG(status),
                });
            }
            _ => {}
        }
    }
}
