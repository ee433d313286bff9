//! Standard output and standard error.

use std::io::{self, Write};

use super::{ambient, error::Error};
use crate::{
    language::{Finding, Look},
    printable,
    reporters::{
        Theme,
        terminal::{line, masked},
        theme::wrap,
    },
};

/// More problems than this are counted, not shown.
const PROBLEMS: usize = 20;

/// The width of a terminal; none if it is none.
pub(super) fn columns_of(terminal: &console::Term) -> Option<usize> {
    terminal.size_checked().map(|(_, columns)| columns.into())
}

/// Writes bytes to standard output as they are: a program's own output, which was asked for. Words
/// go through [`super::context::Context::print`].
pub(super) fn write_out(bytes: &[u8]) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Error::OutputClosed,
        _ => Error::Io { path: "standard output".into(), error },
    })
}

/// Writes a message of one line to standard error. A terminal's lines are broken between words, and
/// what follows is below the words of the first.
pub(super) fn message(text: &str) {
    // Before it is broken: half a secret is not found any more.
    let text = masked(text);
    let text = &*printable::line(&text);
    let columns = columns_of(&console::Term::stderr());
    let Some(columns) = columns.filter(|columns| console::measure_text_width(text) > *columns)
    else {
        return line(text);
    };
    let words = text.trim_start();
    let indent = text.len() - words.len();
    for (number, part) in wrap(words, columns.saturating_sub(indent + 2)).iter().enumerate() {
        let indent = if number == 0 { indent } else { indent + 2 };
        line(&format!("{}{part}", " ".repeat(indent)));
    }
}

/// Whether the locale's characters go beyond ASCII. One that is not set says nothing: containers
/// have none, and terminals are UTF-8.
pub(super) fn unicode_locale() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(ambient::variable);
    let locale = locale.map(|locale| locale.to_ascii_uppercase());
    locale.is_none_or(|locale| locale.contains("UTF-8") || locale.contains("UTF8"))
}

/// The problems of a stack file, drawn with their places.
pub(super) fn drawn(problems: &[Finding], theme: Theme) -> Vec<String> {
    let width = columns_of(&console::Term::stderr()).unwrap_or(100);
    let (color, unicode) = (theme.color, theme.unicode);
    let look = Look { width: width.clamp(24, 120), color, unicode };
    let mut texts: Vec<String> =
        problems.iter().take(PROBLEMS).map(|problem| look.draw(problem)).collect();
    if problems.len() > PROBLEMS {
        let more = problems.len() - PROBLEMS;
        texts.push(format!("and {more} more: `stackrun check --json` lists all\n"));
    }
    texts
}
