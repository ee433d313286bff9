//! The lines of one log, from a place on, over all of its files.

use std::{
    cmp::Ordering,
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    Line, Log, Place,
    files::numbered,
    find::Finder,
    index::Index,
    segment::Open,
    tail::{self, Found},
};
use crate::platform::Subfolder;

/// The lines of one log. A file that cannot be read counts as empty: it may just have become too
/// old to be kept.
pub struct Lines {
    name: Arc<str>,
    folder: Subfolder,
    log: PathBuf,
    /// The numbers of the rotated files, the oldest first; after them comes the present one.
    rotated: Vec<u64>,
    /// How many of them have been opened, or left out.
    passed: usize,
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
    /// The last piece had no newline: the next one continues its line.
    inside: bool,
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
            folder: log.folder.clone(),
            log: log.file.clone(),
            rotated: log.numbers(),
            passed: 0,
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
        self.end = self.end.min(end);
        self
    }

    /// Without the lines that arrived after a moment.
    #[must_use]
    pub fn until(mut self, time: Timestamp) -> Self {
        let present = self.rotated.last().map_or(1, |last| last + 1);
        let newest_first = [present].into_iter().chain(self.rotated.iter().rev().copied());
        for number in newest_first {
            let path = if number == present { self.log.clone() } else { self.path(number) };
            match Index::of(&self.folder, &path).after(time) {
                Some(offset) => self.end = self.end.min(Place { file: number, offset }),
                None => break,
            }
            // Something came in time, and so did all that is older.
            if self.end.offset > 0 {
                break;
            }
        }
        self
    }

    /// The last lines, at most `count`.
    #[must_use]
    pub fn last(mut self, count: usize) -> Self {
        let floor = self.begin();
        self.go_to_end();
        self.back(count, floor);
        self
    }

    /// Where the last lines that match are, at most `count`, in order.
    pub(super) fn last_matches(&mut self, finder: &Finder, count: usize) -> Vec<Place> {
        let floor = self.begin();
        self.go_to_end();
        let mut found = Vec::new();
        while let Some(open) = &mut self.open {
            let file = self.number;
            let part = floor.offset_in(file)..open.offset();
            // A file that cannot be read counts as empty.
            let here = tail::last_matches(&mut open.source, part, finder, count - found.len());
            let place = |offset| Place { file, offset };
            found.extend(here.unwrap_or_default().into_iter().map(place));
            if found.len() == count || file <= floor.file || !self.previous() {
                break;
            }
        }
        found.reverse();
        found
    }

    /// From that place on; `None` if the log has been removed or shortened since.
    #[must_use]
    pub fn from(mut self, place: Place) -> Option<Self> {
        if self.rotated.last().map_or(1, |last| last + 1) < place.file {
            return None;
        }
        self.pass(self.rotated.partition_point(|number| *number < place.file));
        if self.current().is_some() && self.number == place.file {
            let open = self.current()?;
            open.go_to(place.offset);
            return (place.offset <= open.source.length()).then_some(self);
        }
        Some(self)
    }

    /// The lines that arrived since a moment.
    #[must_use]
    pub fn since(mut self, time: Timestamp) -> Self {
        let is_old = |number: &&u64| Index::of(&self.folder, &self.path(**number)).last() < time;
        self.pass(self.rotated.iter().take_while(is_old).count());
        if let Some(open) = self.current() {
            let start = match open.index.from(time) {
                Some(offset) => tail::line_start(&mut open.source, offset).unwrap_or(offset),
                None => open.end(),
            };
            open.go_to(start.min(open.end()));
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
        self.ahead = None;
        loop {
            // Whole lines that are in memory need not be looked for. The last line may continue: it
            // is looked at once it is whole, or nothing comes.
            if self.open.as_ref().is_none_or(|open| open.whole().is_empty()) {
                self.line_ahead()?;
                self.ahead = None;
            }
            let open = self.open.as_mut()?;
            let lines = if open.whole().is_empty() { open.ahead() } else { open.whole() };
            let (length, ends) = (lines.len(), lines.ends_with(b"\n"));
            if let Some(line) = finder.find(lines, 0) {
                self.ahead = Some(length.min(line.end + 1) - line.start);
                open.skip(line.start);
                self.inside &= line.start == 0;
                return Some(self.place());
            }
            open.skip(length);
            self.inside = !ends;
        }
    }

    /// Goes back by at most so many lines, over files too, not before that place.
    pub(super) fn back(&mut self, count: usize, floor: Place) {
        let mut missing = count;
        while missing > 0
            && let Some(open) = &mut self.open
        {
            let here = open.offset();
            let bottom = (floor.file == self.number).then_some(floor.offset);
            if open.back(missing, bottom) {
                self.ahead = None;
                self.inside &= open.offset() == here;
                return;
            }
            let found = tail::last_lines(&mut open.source, here, missing);
            let (start, lines) = match found {
                Ok(Found::At(start)) => (start, missing),
                Ok(Found::Only(lines)) => (0, lines),
                Err(_) => (here, 0),
            };
            open.go_to(start.max(floor.offset_in(self.number)));
            self.ahead = None;
            self.inside &= open.offset() == here;
            missing -= lines;
            if missing == 0 || self.number <= floor.file || !self.previous() {
                return;
            }
        }
    }

    /// Continues from that place.
    pub(super) fn go_to(&mut self, place: Place) {
        if self.open.is_none() || self.number != place.file {
            self.pass(self.rotated.partition_point(|number| *number < place.file));
            self.current();
        }
        self.ahead = None;
        self.inside = false;
        if self.number == place.file
            && let Some(open) = &mut self.open
        {
            open.go_to(place.offset);
        }
    }

    /// Where the next line is.
    pub(super) fn place(&self) -> Place {
        let offset = self.open.as_ref().map_or(0, Open::offset);
        Place { file: self.number, offset }
    }

    /// Where the first line is; behind everything if there is none.
    pub fn begin(&mut self) -> Place {
        match self.current() {
            Some(_) => self.place(),
            None => Place { file: self.number, offset: u64::MAX },
        }
    }

    /// Whether this is the end of a file.
    pub(super) fn is_at_edge(&self) -> bool {
        self.open.as_ref().is_none_or(|open| open.offset() == open.end())
    }

    /// Whether a line has begun before.
    pub(super) fn is_inside(&self) -> bool {
        self.inside
    }

    fn skip_line(&mut self) {
        let _line = self.next();
    }

    /// Goes to the end of the last file.
    fn go_to_end(&mut self) {
        self.pass(self.rotated.len());
        self.current();
        // What was the present file when the others were listed may have been rotated since.
        while !self.present {
            self.open = None;
            self.current();
        }
        match &mut self.open {
            Some(open) => open.go_to(open.end()),
            None => drop(self.previous()),
        }
        (self.ahead, self.inside) = (None, false);
    }

    /// Goes to the end of the file before this one; whether there is one.
    fn previous(&mut self) -> bool {
        let before = self.rotated.partition_point(|number| *number < self.number);
        let found = (0..before).rev().find_map(|index| {
            let number = self.rotated[index];
            Some((index, self.open_file(&self.path(number), number)?))
        });
        let Some((index, mut open)) = found else { return false };
        open.go_to(open.end());
        self.pass(index);
        (self.number, self.passed) = (self.rotated[index], index + 1);
        self.open = Some(open);
        (self.ahead, self.inside) = (None, false);
        true
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

    /// Leaves out so many rotated files, and closes the one that is open.
    fn pass(&mut self, count: usize) {
        self.passed = count;
        self.number = count.checked_sub(1).map_or(0, |last| self.rotated[last]);
        (self.open, self.present, self.ahead) = (None, false, None);
    }

    /// The file that is being read, else the next one.
    fn current(&mut self) -> Option<&mut Open> {
        while self.open.is_none() {
            self.open = match self.rotated.get(self.passed) {
                Some(&number) => {
                    self.passed += 1;
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
        if !self.present {
            self.rotated.push(self.number);
            self.passed = self.rotated.len();
        }
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
        let opened: io::Result<Open> = Open::new(&self.folder, path, end);
        opened.ok()
    }
}

impl Iterator for Lines {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        let at = self.peek_time()?;
        let length = self.ahead.take()?;
        let place = self.place();
        let mut text = self.open.as_mut()?.take(length);
        let ends = text.ends_with(b"\n");
        text.truncate(length - usize::from(ends));
        let begins = !std::mem::replace(&mut self.inside, !ends);
        let name = Arc::clone(&self.name);
        Some(Line { name, at, text, place, begins, ends, apart: false })
    }
}
