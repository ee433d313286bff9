//! The lines of one log, from a place on, over all of its files.

use std::{
    cmp::Ordering,
    collections::VecDeque,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use jiff::Timestamp;

use super::{
    LONGEST_LINE, Line, Log, Place,
    files::numbered,
    find::Finder,
    index::Index,
    source::Source,
    tail::{self, Found},
};

/// So many bytes are read at once.
const BLOCK: usize = 256 << 10;

/// The lines of one log. A file that cannot be read counts as empty: it may just have become too
/// old to be kept.
pub struct Lines {
    name: Arc<str>,
    log: PathBuf,
    /// The numbers of rotated files to read, the oldest first; then comes the present one.
    older: VecDeque<u64>,
    /// The number that was opened last; 0 if there was none.
    number: u64,
    present: bool,
    /// Where to end.
    end: Place,
    open: Option<Open>,
    /// No line's time is before that of the one before it.
    latest: Timestamp,
    /// The length of the next line, newline included, if it has been looked for.
    ahead: Option<usize>,
    /// The last piece had no newline: the next one goes on with its line.
    inside: bool,
}

/// An open file and the part of it in memory.
struct Open {
    source: Source,
    index: Index,
    /// Not read further.
    end: u64,
    block: Bytes,
    /// Where in the file the block begins, and where in the block the next line.
    start: u64,
    next: usize,
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Lines {
    /// All lines.
    pub fn all(log: &Log) -> Self {
        Self {
            name: log.name.as_str().into(),
            log: log.path.clone(),
            older: log.numbers().into(),
            number: 0,
            present: false,
            end: Place { file: u64::MAX, offset: u64::MAX },
            open: None,
            latest: Timestamp::MIN,
            ahead: None,
            inside: false,
        }
    }

    /// Not beyond this place.
    #[must_use]
    pub fn up_to(mut self, end: Place) -> Self {
        self.end = end;
        self
    }

    /// The last lines, at most `count`.
    #[must_use]
    pub fn last(mut self, count: usize) -> Self {
        let mut missing = count;
        let numbers: Vec<u64> = self.older.drain(..).collect();
        let present = numbers.last().map_or(1, |last| last + 1);
        for number in numbers.iter().copied().chain([present]).rev() {
            let path = if number == present { self.log.clone() } else { self.path(number) };
            let Some(mut file) = self.open_file(&path, number) else { continue };
            match tail::last_lines(&mut file.source, file.end, missing) {
                Ok(Found::At(offset)) => {
                    file.start = offset;
                    self.number = number;
                    self.present = number == present;
                    self.open = Some(file);
                    return self;
                }
                Ok(Found::Only(lines)) => missing -= lines,
                Err(_) => {}
            }
            if number != present {
                self.older.push_front(number);
            }
        }
        self
    }

    /// From that place on; `None` if the log has been removed or shortened since.
    #[must_use]
    pub fn from(mut self, place: Place) -> Option<Self> {
        if self.older.back().map_or(1, |last| last + 1) < place.file {
            return None;
        }
        let old = self.older.iter().take_while(|number| **number < place.file).count();
        self.number = self.older.drain(..old).next_back().unwrap_or(0);
        if self.current().is_some() && self.number == place.file {
            let open = self.current()?;
            open.start = place.offset;
            return (place.offset <= open.source.length()).then_some(self);
        }
        Some(self)
    }

    /// The lines that arrived since a moment.
    #[must_use]
    pub fn since(mut self, time: Timestamp) -> Self {
        let is_old = |number: &u64| Index::of(&self.path(*number)).last() < time;
        let old = self.older.iter().take_while(|number| is_old(number)).count();
        self.number = self.older.drain(..old).next_back().unwrap_or(0);
        if let Some(open) = self.current()
            && let Some(offset) = open.index.from(time)
            && let Ok(start) = tail::line_start(&mut open.source, offset)
        {
            open.start = start;
        }
        // The index tells when batches came: the first line may still be older.
        while self.peek_time().is_some_and(|at| at < time) {
            self.skip_line();
        }
        self
    }

    /// When the next line arrived.
    pub(super) fn peek_time(&mut self) -> Option<Timestamp> {
        self.line_ahead()?;
        let open = self.open.as_mut()?;
        // A piece has the time of its line.
        if self.inside {
            return Some(self.latest);
        }
        let at = open.index.at(open.offset()).max(self.latest);
        self.latest = at;
        Some(at)
    }

    /// Leaves out everything up to the next line that matches, and tells it apart by its place;
    /// `None` if there is none.
    pub(super) fn skip_to(&mut self, finder: &Finder) -> Option<Place> {
        loop {
            self.line_ahead()?;
            self.ahead = None;
            let open = self.open.as_mut()?;
            let lines = &open.block[open.next..];
            // The last line may go on: it is looked at once it is whole, or nothing comes.
            let whole = memchr::memrchr(b'\n', lines).map_or(lines.len(), |last| last + 1);
            match finder.find(&lines[..whole]) {
                Some(start) => {
                    open.next += start;
                    self.inside &= start == 0;
                    return Some(Place { file: self.number, offset: open.offset() });
                }
                None => {
                    self.inside = !lines[..whole].ends_with(b"\n");
                    open.next += whole;
                }
            }
        }
    }

    /// Goes back by at most so many lines, not before that place.
    pub(super) fn back(&mut self, count: usize, floor: Place) {
        let number = self.number;
        let Some(open) = &mut self.open else { return };
        if count == 0 {
            return;
        }
        self.ahead = None;
        let here = open.offset();
        let floor = if floor.file == number { floor.offset } else { 0 };
        let start = match tail::last_lines(&mut open.source, here, count) {
            Ok(Found::At(start)) => start,
            Ok(Found::Only(_)) => 0,
            Err(_) => here,
        };
        let start = start.max(floor);
        self.inside &= start == here;
        if start >= open.start {
            open.next = usize::try_from(start - open.start).unwrap_or(open.next);
        } else {
            (open.start, open.next) = (start, 0);
            open.block = Bytes::new();
        }
    }

    /// Where the next line is.
    pub(super) fn place(&self) -> Place {
        let offset = self.open.as_ref().map_or(0, Open::offset);
        Place { file: self.number, offset }
    }

    fn skip_line(&mut self) {
        let _line = self.next();
    }

    /// Sees to it that a line is in the block, and gives its length, newline included.
    fn line_ahead(&mut self) -> Option<usize> {
        while self.ahead.is_none() {
            self.ahead = self.current()?.line();
            if self.ahead.is_none() {
                self.open = None;
            }
        }
        self.ahead
    }

    /// The file that is being read, else the next one.
    fn current(&mut self) -> Option<&mut Open> {
        while self.open.is_none() {
            self.open = match self.older.pop_front() {
                Some(number) => {
                    self.number = number;
                    self.open_file(&self.path(number), number)
                }
                None if self.present => return None,
                None => {
                    self.number += 1;
                    self.open_present()
                }
            };
        }
        self.open.as_mut()
    }

    /// The present file, unless another one has taken its place since the others were listed.
    fn open_present(&mut self) -> Option<Open> {
        let present = self.open_file(&self.log, self.number);
        let rotated = self.open_file(&self.path(self.number), self.number);
        self.present = rotated.is_none();
        rotated.or(present)
    }

    fn path(&self, number: u64) -> PathBuf {
        numbered(&self.log, number)
    }

    fn open_file(&self, path: &Path, number: u64) -> Option<Open> {
        let end = match number.cmp(&self.end.file) {
            Ordering::Less => u64::MAX,
            Ordering::Equal => self.end.offset,
            Ordering::Greater => return None,
        };
        let source = Source::open(path).ok()?;
        let end = source.length().min(end);
        Some(Open { source, index: Index::of(path), end, block: Bytes::new(), start: 0, next: 0 })
    }
}

impl Open {
    fn offset(&self) -> u64 {
        self.start + self.next as u64
    }

    /// The length of the next line, newline included; `None` at the end.
    fn line(&mut self) -> Option<usize> {
        let mut seen = 0;
        loop {
            let ahead = &self.block[self.next..];
            if let Some(end) = memchr::memchr(b'\n', &ahead[seen..]) {
                return Some(seen + end + 1);
            }
            seen = ahead.len();
            if seen >= LONGEST_LINE {
                return Some(LONGEST_LINE);
            }
            if self.read() == 0 {
                return (seen > 0).then_some(seen);
            }
        }
    }

    /// Reads on; how much there was.
    fn read(&mut self) -> usize {
        // A new block while a line still holds the old one.
        let old = std::mem::take(&mut self.block);
        let mut block = if old.is_unique() { Vec::from(old) } else { old.to_vec() };
        block.drain(..self.next);
        self.start += self.next as u64;
        let from = self.start + block.len() as u64;
        let room = usize::try_from(self.end.saturating_sub(from)).unwrap_or(BLOCK).min(BLOCK);
        // What cannot be read is as good as the end.
        let count = self.source.append(from, room, &mut block).unwrap_or(0);
        (self.block, self.next) = (block.into(), 0);
        count
    }
}

impl Iterator for Lines {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        let at = self.peek_time()?;
        let length = self.ahead.take()?;
        let open = self.open.as_mut()?;
        let place = Place { file: self.number, offset: open.offset() };
        let mut text = open.block.slice(open.next..open.next + length);
        let ends = text.ends_with(b"\n");
        text.truncate(length - usize::from(ends));
        open.next += length;
        let begins = !std::mem::replace(&mut self.inside, !ends);
        Some(Line { name: Arc::clone(&self.name), at, text, place, begins, ends })
    }
}
