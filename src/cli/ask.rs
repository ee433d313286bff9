//! Questions, asked at a terminal.

use std::io::{IsTerminal, Write};

use super::error::Error;
use crate::reporters::theme::wrap;

/// Whether there is somebody to ask.
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
    let columns = terminal.size_checked().map_or(usize::MAX, |(_, columns)| columns.into());
    let lines = question.lines().flat_map(|line| match console::measure_text_width(line) {
        width if width > columns => wrap(line, columns),
        _ => vec![line.to_owned()],
    });
    let question = lines.collect::<Vec<_>>().join("\n");
    let answer = write!(terminal, "{question} ").and_then(|()| terminal.read_line());
    let answer = answer.map_err(|error| Error::Io { path: "terminal".into(), error })?;
    Ok(answer.trim().to_owned())
}
