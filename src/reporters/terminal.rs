//! The way out to a terminal, and the terminal's own echo, which is kept out of the live lines.
//!
//! What is printed, be it to standard output or to standard error, passes [`printed`]: it is made of
//! what others wrote, too. Only a program's own output, shown to who asked for that, does not.

use std::{
    borrow::Cow,
    io::{IsTerminal, Write, stderr, stdin},
};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

use crate::{printable, secrets};

/// The text as it is printed: without secrets, and without any control character but a newline and
/// our own colours.
pub fn printed(text: &str) -> String {
    printable::finish(&masked(text)).into_owned()
}

/// The text without secrets: what is to be cut or broken into lines later.
pub fn masked(text: &str) -> Cow<'_, str> {
    let masker = secrets::masker();
    printable::map_words(text, |words| masker.text(words))
}

/// Writes a text and a newline to standard error. Whoever reads it may have gone (`stackrun up 2>&1
/// | head`): then nobody misses it, and what was asked for goes on.
pub fn line(text: &str) {
    let text = printed(text);
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
