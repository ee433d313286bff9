//! Waiting for conditions; no scenario sleeps for a time that somebody guessed.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long anything may take on a slow and busy machine before a scenario gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Asks until there is an answer; panics, naming `what`, when there is none for too long.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The same for a condition.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    wait_for(what, || holds().then_some(()));
}
