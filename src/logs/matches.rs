//! Lines that match, with those around them.

use std::collections::VecDeque;

use super::{Line, Lines, Place, Select, find::Finder};

/// The lines of one log that match, each with those around it. A line that comes in pieces is
/// shown whole if one of them matches.
pub(super) struct Matches<'a> {
    lines: Lines,
    finder: &'a Finder,
    context: usize,
    /// Where the matches are, if that is known.
    known: Option<VecDeque<Place>>,
    /// The line that matches and is to be shown next, perhaps after others.
    found: Option<Place>,
    around: Around,
    /// Before here everything has been shown, or left out.
    floor: Place,
    last: Shown,
    /// Something is left out before the line that is shown next.
    apart: bool,
}

/// How what was shown last ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// There was nothing.
    Nothing,
    /// With the line.
    Line,
    /// With the line, and its file.
    File,
}

/// Which lines are shown around those that match.
#[derive(Debug, Default)]
struct Around {
    /// How many lines are to be shown after the last one that matched.
    after: usize,
    /// The last line was shown, and another piece of it follows.
    is_inside: bool,
}

impl Around {
    /// Whether the next line is shown, whatever is in it.
    fn is_open(&self) -> bool {
        self.after > 0 || self.is_inside
    }

    /// Takes in the next line; whether it is shown, with `context` lines after it if it matches.
    fn shows(&mut self, line: &Line, is_match: bool, context: usize) -> bool {
        let is_rest = self.is_inside && !line.begins;
        let is_shown = is_match || is_rest || self.after > 0;
        if is_match {
            self.after = context;
        } else if !is_rest {
            self.after = self.after.saturating_sub(1);
        }
        self.is_inside = is_shown && !line.ends;
        is_shown
    }
}

impl<'a> Matches<'a> {
    /// All of these lines that match.
    pub(super) fn all(lines: Lines, finder: &'a Finder, context: usize) -> Self {
        let mut lines = lines;
        let floor = lines.begin();
        let (known, found, last) = (None, None, Shown::Nothing);
        let around = Around::default();
        Self { lines, finder, context, known, found, around, floor, last, apart: false }
    }

    /// The last ones that match, at most `count`.
    pub(super) fn last(lines: Lines, finder: &'a Finder, context: usize, count: usize) -> Self {
        let mut matches = Self::all(lines, finder, context);
        matches.known = Some(matches.lines.last_matches(finder, count).into());
        matches
    }

    /// Goes to the next line that matches.
    fn seek(&mut self) -> Option<Place> {
        let Some(known) = &mut self.known else { return self.lines.skip_to(self.finder) };
        while let Some(place) = known.pop_front() {
            if place >= self.floor {
                self.lines.go_to(place);
                return Some(place);
            }
        }
        None
    }

    /// Goes to the first of the lines that are shown with it.
    fn go_back(&mut self) {
        self.lines.back(self.context + usize::from(self.lines.is_inside()), self.floor);
        let (here, floor) = (self.lines.place(), self.floor);
        let is_next_file = (here.file, here.offset) == (floor.file + 1, 0);
        let follows = match self.last {
            Shown::Nothing => false,
            Shown::Line => here == floor,
            Shown::File => here == floor || is_next_file,
        };
        self.apart = self.context > 0 && !follows;
    }

    fn show(&mut self) -> Option<Line> {
        let mut line = self.lines.next()?;
        line.apart = std::mem::take(&mut self.apart);
        self.floor = self.lines.place();
        self.last = match line.ends && self.context > 0 && self.lines.is_at_edge() {
            true => Shown::File,
            false => Shown::Line,
        };
        Some(line)
    }
}

impl Iterator for Matches<'_> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        if self.found.is_none() && self.around.is_open() {
            let line = self.show()?;
            let is_match = self.context > 0 && self.finder.is_match(&line.text);
            self.around.shows(&line, is_match, self.context);
            return Some(line);
        }
        let found = match self.found.take() {
            Some(found) => found,
            None => {
                let found = self.seek()?;
                self.go_back();
                found
            }
        };
        let line = self.show()?;
        if line.place >= found {
            self.around.shows(&line, true, self.context);
        } else {
            self.found = Some(found);
        }
        Some(line)
    }
}

/// Which lines of a log that grows are shown.
#[derive(Debug, Default)]
pub(super) struct Sieve {
    /// The latest ones that were not.
    before: VecDeque<Line>,
    around: Around,
    /// All lines since the last one that was shown are at hand.
    follows: bool,
}

impl Sieve {
    /// What is shown now that this line has come: the line, or nothing, or it and some before.
    pub(super) fn pass(&mut self, line: Line, select: &Select) -> VecDeque<Line> {
        if !select.holds(&line) {
            return VecDeque::new();
        }
        let Some(finder) = &select.grep else { return VecDeque::from([line]) };
        let is_shown = self.around.shows(&line, finder.is_match(&line.text), select.context);
        self.before.push_back(line);
        if is_shown {
            let mut shown = std::mem::take(&mut self.before);
            let follows = std::mem::replace(&mut self.follows, true);
            shown[0].apart = select.context > 0 && !follows;
            return shown;
        }
        if self.before.len() > select.context {
            self.before.pop_front();
            self.follows = false;
        }
        VecDeque::new()
    }
}
