//! Questions, asked at a terminal.

use std::io::{IsTerminal, Write};

use super::{error::Error, output::columns_of};
use crate::reporters::{
    terminal::{masked, printed},
    theme::fit,
};

/// Whether there is a user to ask.
pub(super) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks; anything but yes is no.
///
/// # Errors
/// There is no terminal.
pub(super) fn yes(question: &str) -> Result<bool, Error> {
    let answer = line(&format!("{question} [y/N]"))?;
    Ok(matches!(&*answer, "y" | "Y" | "yes" | "Yes"))
}

/// Asks, and takes what comes until the end of the line.
///
/// # Errors
/// There is no terminal.
pub(super) fn line(question: &str) -> Result<String, Error> {
    if !can_ask() {
        return Err(Error::Unconfirmed(question.to_owned()));
    }
    let mut terminal = console::Term::stderr();
    let columns = columns_of(&terminal);
    // Before it is broken into lines: half a secret is not found any more.
    let question = masked(question);
    let question = question.lines().flat_map(|line| fit(line, columns)).collect::<Vec<_>>();
    let question = printed(&question.join("\n"));
    let answer = write!(terminal, "{question} ").and_then(|()| terminal.read_line());
    let answer = answer.map_err(|error| Error::Io { path: "terminal".into(), error })?;
    Ok(answer.trim().to_owned())
}
