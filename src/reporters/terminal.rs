//! Standard error, and the terminal's own echo, which is kept out of the live lines.

use std::io::{IsTerminal, Write, stderr, stdin};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

/// Writes a line to standard error. Whoever reads it may have gone (`stackrun up 2>&1 | head`): then
/// nobody misses it, and what was asked for goes on.
pub fn line(text: &str) {
    let _nobody_reads_it = stderr().lock().write_all(format!("{text}\n").as_bytes());
}

/// While it lives the terminal does not write `^C` into the live lines when that is typed: they
/// would be drawn from a wrong place. Everything else stays as it is.
#[derive(Debug)]
pub struct NoEcho {
    before: Termios,
}

impl NoEcho {
    /// `None` where there is no terminal, or another job has it.
    pub fn new() -> Option<Self> {
        // From the background a change of the terminal would stop us (SIGTTOU).
        let in_front = || tcgetpgrp(stdin()).is_ok_and(|group| group == rustix::process::getpgrp());
        if !stdin().is_terminal() || !in_front() {
            return None;
        }
        let before = tcgetattr(stdin()).ok()?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHOCTL);
        tcsetattr(stdin(), OptionalActions::Now, &quiet).ok()?;
        Some(Self { before })
    }
}

impl Drop for NoEcho {
    fn drop(&mut self) {
        // A terminal that is gone needs no mending.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.before);
    }
}
