//! Questions, asked at a terminal.

use std::io::{IsTerminal, Write};

use super::error::Error;

/// Asks; anything but yes is no.
///
/// # Errors
/// There is no terminal.
pub(super) fn yes(question: &str) -> Result<bool, Error> {
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return Err(Error::Unconfirmed(question.to_owned()));
    }
    let mut terminal = console::Term::stderr();
    let answer = write!(terminal, "{question} [y/N] ").and_then(|()| terminal.read_line());
    let answer = answer.map_err(|error| Error::Io { path: "terminal".into(), error })?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "Yes"))
}
