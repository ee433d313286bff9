//! Ctrl-C and SIGTERM, counted.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::signals::{Restarting, set_disposition};

static COUNT: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_signal: libc::c_int) {
    COUNT.fetch_add(1, Ordering::Relaxed);
}

/// From now on Ctrl-C and SIGTERM are counted and end nothing by themselves. A read that waits
/// returns at once.
pub fn count_interrupts() {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        let handler = count as *const () as libc::sighandler_t;
        let _cannot_fail = set_disposition(signal, handler, Restarting::No);
    }
}

/// How many there were.
pub fn interrupts() -> usize {
    COUNT.load(Ordering::Relaxed)
}
