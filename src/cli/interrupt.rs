//! Ctrl-C, counted: what it means is up to the command that runs.
//!
//! A command has several stages (it starts, it follows, it stops), and a press may come in
//! between: so each press is *taken*, by one stage and once, and none is lost.

use std::sync::atomic::{AtomicUsize, Ordering};

static PRESSED: AtomicUsize = AtomicUsize::new(0);
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// From now on Ctrl-C and SIGTERM are counted and end nothing by themselves. A read that waits
/// returns at once.
#[cfg(unix)]
pub(super) fn watch() {
    extern "C" fn count(_signal: libc::c_int) {
        PRESSED.fetch_add(1, Ordering::Relaxed);
    }
    // SAFETY: a zeroed sigaction is a valid one, and the handler does nothing but add to an
    // atomic number, which is allowed in a signal handler.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = count as *const () as libc::sighandler_t;
        libc::sigemptyset(&raw mut action.sa_mask);
        for signal in [libc::SIGINT, libc::SIGTERM] {
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
    }
}

/// Elsewhere Ctrl-C ends the program.
#[cfg(not(unix))]
pub(super) fn watch() {}

/// Whether Ctrl-C was pressed and not acted on yet; now the caller does.
pub(super) fn take() -> bool {
    let is_new = count() > TAKEN.load(Ordering::Relaxed);
    if is_new {
        TAKEN.fetch_add(1, Ordering::Relaxed);
    }
    is_new
}

/// How often Ctrl-C was pressed.
pub(super) fn count() -> usize {
    PRESSED.load(Ordering::Relaxed)
}
