//! Waiting for conditions; no scenario sleeps for a time that somebody guessed.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long anything may take on a slow and busy machine before a scenario gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Between two questions.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Asks until there is an answer; panics, naming `what`, when there is none for too long.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for: {what}");
        // Most questions start a program: who waits for long does not ask so often that what is
        // waited for has no processor left.
        thread::sleep((start.elapsed() / 20).clamp(Duration::from_millis(5), LONGEST_PAUSE));
    }
}

/// The same for a condition.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    wait_for(what, || holds().then_some(()));
}
