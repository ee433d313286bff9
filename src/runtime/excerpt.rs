//! The last lines of a log, as evidence in records.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use crate::{
    event::Place,
    logs::files::{self, numbered},
};

/// How many lines are enough to see what went wrong.
const LINES: usize = 12;
/// How far back they are looked for, in bytes.
const BYTES: u64 = 16 << 10;
/// How long a line may be among other things, in characters.
const SHORT: usize = 120;

/// The last lines that were written to `log` after `start`; none if it cannot be read.
pub(super) fn last_lines(log: &Path, start: Place) -> Vec<String> {
    let present = files::next_number(log);
    let read = |number: u64| {
        let offset = if number == start.file { start.offset } else { 0 };
        let file = if number == present { log } else { &numbered(log, number) };
        read_end(file, offset).map(|bytes| lines(&bytes)).unwrap_or_default()
    };
    let mut last = read(present);
    if last.len() < LINES && start.file < present {
        // It has just been rotated.
        let mut older = read(present - 1);
        older.append(&mut last);
        last = older.split_off(older.len().saturating_sub(LINES));
    }
    last
}

/// A line for a place where it stands among other things: no control characters, and cut.
pub(super) fn short(line: &str) -> String {
    let mut plain = line.trim().chars().filter(|letter| !letter.is_control());
    let mut short: String = plain.by_ref().take(SHORT).collect();
    if plain.next().is_some() {
        short.push('…');
    }
    short
}

fn read_end(log: &Path, offset: u64) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(log)?;
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
    lines[lines.len().saturating_sub(LINES)..].iter().map(ToString::to_string).collect()
}
