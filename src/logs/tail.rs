//! Finding the place of the last lines from the end, without reading the rest.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use super::reader::Place;

const CHUNK: u64 = 64 << 10;

/// Where the last `count` lines begin.
pub(super) fn last_lines(files: &[PathBuf], count: usize) -> io::Result<Place> {
    let mut missing = count;
    for (number, path) in files.iter().enumerate().rev() {
        let Ok(mut file) = File::open(path) else { continue };
        match last_lines_of(&mut file, missing)? {
            Found::At(offset) => return Ok(Place { file: number, offset }),
            Found::Only(lines) => missing -= lines,
        }
    }
    Ok(Place::default())
}

enum Found {
    /// They begin here.
    At(u64),
    /// The file has fewer lines.
    Only(usize),
}

fn last_lines_of(file: &mut File, count: usize) -> io::Result<Found> {
    let length = file.metadata()?.len();
    if count == 0 {
        return Ok(Found::At(length));
    }
    let mut lines = 0;
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(CHUNK);
        let chunk = read_at(file, start, end - start)?;
        for (index, byte) in chunk.iter().enumerate().rev() {
            let next = start + index as u64 + 1;
            // The newline at the very end closes the last line and begins none.
            if *byte == b'\n' && next < length {
                lines += 1;
                if lines == count {
                    return Ok(Found::At(next));
                }
            }
        }
        end = start;
    }
    // The first line of a file begins at no newline.
    Ok(match length > 0 {
        true if lines + 1 == count => Found::At(0),
        true => Found::Only(lines + 1),
        false => Found::Only(0),
    })
}

/// The start of the line that holds this offset.
pub(super) fn line_start(path: &Path, offset: u64) -> Option<u64> {
    let mut file = File::open(path).ok()?;
    let mut end = offset;
    while end > 0 {
        let start = end.saturating_sub(CHUNK);
        let chunk = read_at(&mut file, start, end - start).ok()?;
        if let Some(index) = chunk.iter().rposition(|byte| *byte == b'\n') {
            return Some(start + index as u64 + 1);
        }
        end = start;
    }
    Some(0)
}

fn read_at(file: &mut File, start: u64, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(start))?;
    let mut chunk = Vec::new();
    file.take(length).read_to_end(&mut chunk)?;
    Ok(chunk)
}
