//! Finding lines from behind, without reading the rest.

use std::{io, ops::Range};

use memchr::memrchr_iter;

use super::{LONGEST_LINE, find::Finder, source::Source};

const CHUNK: u64 = 64 << 10;
/// Lines are looked for in so much first: a few are all that is wanted, most often.
const LITTLE: u64 = 8 << 10;
/// The most that is searched at once.
const MOST: u64 = 256 << 10;

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
    let (mut lines, mut from, mut size) = (0, end, LITTLE);
    let mut chunk = Vec::new();
    while from > 0 {
        let start = from.saturating_sub(size);
        size = (size * 2).min(CHUNK);
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

/// Where the last lines of a part that match begin, the last one first; at most `count`. The part
/// begins where a line begins.
pub(super) fn last_matches(
    source: &mut Source,
    part: Range<u64>,
    finder: &Finder,
    count: usize,
) -> io::Result<Vec<u64>> {
    let mut found: Vec<u64> = Vec::new();
    let (mut end, mut size) = (part.end, CHUNK);
    let mut buffer = Vec::new();
    while part.start < end && found.len() < count {
        let start = end.saturating_sub(size).max(part.start);
        let length = usize::try_from(end - start).unwrap_or(0);
        buffer.resize(buffer.len().max(length), 0);
        let length = source.fill(start, &mut buffer[..length])?;
        let chunk = &buffer[..length];
        // What has begun before is searched with what is before, unless that is too long.
        let cut = match memchr::memchr(b'\n', chunk) {
            _ if start == part.start => 0,
            Some(newline) if newline + 1 < chunk.len() => newline + 1,
            _ if length >= LONGEST_LINE || length == 0 => 0,
            _ => {
                size *= 2;
                continue;
            }
        };
        let (mut here, mut from) = (Vec::new(), cut);
        while let Some(line) = finder.find(chunk, from) {
            here.push(start + line.start as u64);
            from = line.end + 1;
        }
        if let Some(first) = here.first_mut()
            && *first == start
        {
            *first = line_start(source, start)?;
        }
        found.extend(here.iter().rev());
        found.dedup();
        end = start + cut as u64;
        size = (size * 2).min(MOST);
    }
    found.truncate(count);
    Ok(found)
}
