//! The lines of one log, from a place on.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::PathBuf,
};

use super::{LONGEST_LINE, Line, Log, index::Index, tail};

/// A place in a log: how many of its oldest files to leave out, and an offset in the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    pub(super) file: usize,
    pub(super) offset: u64,
}

/// The lines of one log, over all of its files. A file that cannot be read counts as empty: it
/// may just have been rotated away.
#[derive(Debug)]
pub struct Lines {
    name: String,
    files: VecDeque<PathBuf>,
    open: Option<Open>,
    /// Where to begin in the next file.
    offset: u64,
}

#[derive(Debug)]
struct Open {
    bytes: BufReader<File>,
    index: Index,
    offset: u64,
}

impl Lines {
    /// All lines.
    pub fn all(log: &Log) -> Self {
        Self::from(log, log.files(), Place::default())
    }

    /// The last lines, at most `count`.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn last(log: &Log, count: usize) -> io::Result<Self> {
        let files = log.files();
        let place = tail::last_lines(&files, count)?;
        Ok(Self::from(log, files, place))
    }

    /// The lines that arrived since a moment, and perhaps some before.
    pub fn since(log: &Log, time: jiff::Timestamp) -> Self {
        let files = log.files();
        let old = files.iter().take_while(|file| Index::of(file).last() < time).count();
        let offset =
            files.get(old).and_then(|file| tail::line_start(file, Index::of(file).from(time)?));
        Self::from(log, files, Place { file: old, offset: offset.unwrap_or(0) })
    }

    pub(super) fn from(log: &Log, files: Vec<PathBuf>, place: Place) -> Self {
        let files = files.into_iter().skip(place.file).collect();
        Self { name: log.name.clone(), files, open: None, offset: place.offset }
    }

    fn open_next(&mut self) -> Option<()> {
        loop {
            let path = self.files.pop_front()?;
            let offset = std::mem::take(&mut self.offset);
            let Ok(mut file) = File::open(&path) else { continue };
            if file.seek(SeekFrom::Start(offset)).is_ok() {
                let index = Index::of(&path);
                self.open = Some(Open { bytes: BufReader::new(file), index, offset });
                return Some(());
            }
        }
    }
}

impl Iterator for Lines {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        loop {
            if self.open.is_none() {
                self.open_next()?;
            }
            let open = self.open.as_mut()?;
            let mut text = Vec::new();
            let read = open.bytes.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut text);
            let at = open.index.at(open.offset);
            match read {
                Ok(0) | Err(_) => self.open = None,
                Ok(length) => {
                    open.offset += length as u64;
                    if text.last() == Some(&b'\n') {
                        text.pop();
                    }
                    return Some(Line { name: self.name.clone(), at, text });
                }
            }
        }
    }
}
