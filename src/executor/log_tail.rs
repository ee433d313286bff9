//! The last lines of a log, as evidence in records.

use std::{
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use crate::{
    event::Place,
    logs::{Log, files::numbered},
    reason::LastLine,
};

/// How many lines are enough to see what went wrong, …
const LINES: usize = 12;
/// … and how many are looked at for the one that says it: what follows an error of Node.js fills
/// more than a screen's worth.
const MOST: usize = 24;
/// How far back they are looked for, in bytes.
const BYTES: u64 = 16 << 10;
/// How long a line may be among other things, in characters.
const SHORT: usize = 120;

/// The last lines that were written to `log` after `start`, from the one on that says what went
/// wrong; none if it cannot be read.
pub(super) fn last_lines(log: &Log, start: Place) -> Vec<String> {
    let present = log.end().file;
    let read = |number: u64| {
        let offset = if number == start.file { start.offset } else { 0 };
        let file = if number == present { &log.file } else { &numbered(&log.file, number) };
        read_end(log, file, offset).map(|bytes| lines(&bytes)).unwrap_or_default()
    };
    let mut last = read(present);
    if last.len() < MOST && start.file < present {
        // It has just been rotated.
        let mut older = read(present - 1);
        older.append(&mut last);
        last = older.split_off(older.len().saturating_sub(MOST));
    }
    let enough = last.len().saturating_sub(LINES);
    last.split_off(telling(&last).map_or(enough, |at| at.min(enough)))
}

/// The line that stands for these: the last one that speaks of an error, else the last.
pub(super) fn last_line(lines: &[String]) -> Option<LastLine> {
    let last = lines.len().checked_sub(1)?;
    let error = telling(lines);
    Some(LastLine { text: short(&lines[error.unwrap_or(last)]), is_error: error.is_some() })
}

/// The last line that speaks of an error, in the ways of many languages; of a panic of Rust the
/// line that says why, which follows it.
fn telling(lines: &[String]) -> Option<usize> {
    let at = lines.iter().rposition(|line| tells(&console::strip_ansi_codes(line)))?;
    let goes_on = lines[at].contains(" panicked at ") && lines[at].ends_with(':');
    Some(if goes_on && at + 1 < lines.len() { at + 1 } else { at })
}

fn tells(line: &str) -> bool {
    let line = line.trim_start();
    let class = line.split([':', ' ']).next().unwrap_or_default();
    // `TypeError: …`, `Error [ERR_X]: …`, `sqlalchemy.exc.OperationalError: …`.
    let is_class = ["Error", "Exception"].iter().any(|end| class.ends_with(end));
    let begins = ["Caused by: ", "Exception in ", "error: ", "error[", "fatal: ", "panic: "];
    let mut words = line.split(|letter: char| !letter.is_ascii_alphabetic());
    (is_class && line.contains(':'))
        || begins.iter().any(|begin| line.starts_with(begin))
        || line.contains(" panicked at ")
        || words.any(|word| ["FATAL", "ERROR", "CRITICAL", "PANIC"].contains(&word))
}

/// A line for a place where it stands among other things: no control characters, and cut.
pub(super) fn short(line: &str) -> String {
    let line = console::strip_ansi_codes(line);
    let mut plain = line.trim().chars().filter(|letter| !letter.is_control());
    let mut short: String = plain.by_ref().take(SHORT).collect();
    if plain.next().is_some() {
        short.push('…');
    }
    short
}

fn read_end(log: &Log, file: &Path, offset: u64) -> std::io::Result<Vec<u8>> {
    let mut file = log.folder.open_read(file)?;
    let length = file.metadata()?.len();
    // A log that got shorter was rotated: what is there now is all new.
    let offset = if length < offset { 0 } else { offset };
    let start = length.saturating_sub(BYTES).max(offset);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(BYTES).read_to_end(&mut bytes)?;
    if start > offset {
        // The first line was cut.
        let end = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
        bytes.drain(..end);
    }
    Ok(bytes)
}

fn lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(MOST)..].iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        let line = last_line(&lines(text.as_bytes())).expect("a line");
        assert!(line.is_error, "{line:?}");
        line.text
    }

    #[test]
    fn what_says_why_is_found_in_what_many_languages_print() {
        let node = "node:internal/modules/cjs/loader:1143\n  throw err;\n  ^\n\nError: Cannot find \
                    module 'express'\nRequire stack:\n- /shop/server.js\n    at Module._load \
                    (node:internal/modules/cjs/loader:985:27)\n  code: 'MODULE_NOT_FOUND'\n}\n\n\
                    Node.js v20.11.0\n";
        assert_eq!(error(node), "Error: Cannot find module 'express'");
        let python = "Traceback (most recent call last):\n  File \"a.py\", line 1\nOSError: [Errno \
                      98] Address already in use\n";
        assert_eq!(error(python), "OSError: [Errno 98] Address already in use");
        let rust = "thread 'main' panicked at src/main.rs:2:5:\nno database\nnote: run with \
                    `RUST_BACKTRACE=1` environment variable to display a backtrace\n";
        assert_eq!(error(rust), "no database");
        let go = "panic: no database\n\ngoroutine 1 [running]:\nmain.main()\nexit status 2\n";
        assert_eq!(error(go), "panic: no database");
        let postgres = "2026-01-01 12:00:00 UTC [7] FATAL:  lock file exists\n2026-01-01 12:00:00 \
                        UTC [7] HINT:  Is another postmaster running?\n";
        assert_eq!(error(postgres), "2026-01-01 12:00:00 UTC [7] FATAL:  lock file exists");
        let colour = "\u{1b}[31mTypeError: x\u{1b}[0m\nbye\n";
        assert_eq!(error(colour), "TypeError: x");
        for text in ["listening\nbye\n", "ErrorHandler is ready\nbye\n"] {
            let bye = LastLine { text: "bye".into(), is_error: false };
            assert_eq!(last_line(&lines(text.as_bytes())), Some(bye));
        }
    }

    #[test]
    fn the_line_that_says_why_is_shown_though_many_follow() {
        let text = |after: usize| format!("a\nb\nError: no\n{}", "    at x\n".repeat(after));
        let folder = tempfile::tempdir().unwrap();
        let log = Log::new(&crate::platform::Subfolder::at(folder.path()).unwrap(), "a");
        for (after, first) in [(3, "a"), (14, "Error: no"), (40, "    at x")] {
            std::fs::write(log.path(), text(after)).unwrap();
            let shown = last_lines(&log, Place { file: 1, offset: 0 });
            assert_eq!(shown.first().map(String::as_str), Some(first), "{after}");
            assert!(shown.len() <= MOST);
        }
    }
}
