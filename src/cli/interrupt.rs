//! Ctrl-C, counted: what it means is up to the command that runs.
//!
//! A command has several stages (it starts, it follows, it stops), and a press may come in
//! between: so each press is *taken*, by one stage and once, and none is lost.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::platform;

static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// From now on Ctrl-C and SIGTERM are counted and end nothing by themselves. A read that waits
/// returns at once.
pub(super) fn watch() {
    platform::count_interrupts();
}

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
    platform::interrupts()
}
