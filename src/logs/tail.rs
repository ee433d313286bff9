//! Finding the start of a line from behind, without reading the rest.

use std::io;

use memchr::memrchr_iter;

use super::source::Source;

const CHUNK: u64 = 64 << 10;

/// Where the last lines begin.
pub(super) enum Found {
    /// Here.
    At(u64),
    /// The file has only this many.
    Only(usize),
}

/// Where the last `count` lines before `end` begin. A line that has no end is one.
pub(super) fn last_lines(source: &mut Source, end: u64, count: usize) -> io::Result<Found> {
    if count == 0 {
        return Ok(Found::At(end));
    }
    let (mut lines, mut from) = (0, end);
    let mut chunk = Vec::new();
    while from > 0 {
        let start = from.saturating_sub(CHUNK);
        chunk.clear();
        source.append(start, usize::try_from(from - start).unwrap_or(0), &mut chunk)?;
        for index in memrchr_iter(b'\n', &chunk) {
            let next = start + index as u64 + 1;
            // The newline at the very end closes the last line and begins none.
            if next < end {
                lines += 1;
                if lines == count {
                    return Ok(Found::At(next));
                }
            }
        }
        from = start;
    }
    // The first line of a file begins at no newline.
    Ok(match end > 0 {
        true if lines + 1 == count => Found::At(0),
        true => Found::Only(lines + 1),
        false => Found::Only(0),
    })
}

/// The start of the line that holds this offset.
pub(super) fn line_start(source: &mut Source, offset: u64) -> io::Result<u64> {
    let mut chunk = Vec::new();
    let mut from = offset;
    while from > 0 {
        let start = from.saturating_sub(CHUNK);
        chunk.clear();
        source.append(start, usize::try_from(from - start).unwrap_or(0), &mut chunk)?;
        if let Some(index) = memchr::memrchr(b'\n', &chunk) {
            return Ok(start + index as u64 + 1);
        }
        from = start;
    }
    Ok(0)
}
