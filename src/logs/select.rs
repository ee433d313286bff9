//! Which lines to show.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use super::{
    Item, Line, Lines, Log,
    find::Finder,
    marks::{self, Marks},
    merge,
    reader::Place,
};

/// What was asked for.
#[derive(Debug, Clone, Default)]
pub struct Select {
    /// The last ones alone.
    pub last: Option<usize>,
    /// From this moment on.
    pub since: Option<Timestamp>,
    /// From these on, for each service and task; instead of `since`.
    pub starts: BTreeMap<String, Timestamp>,
    /// Up to this moment.
    pub until: Option<Timestamp>,
    /// Those that match.
    pub grep: Option<Finder>,
    /// And as many lines of the same log before and after each.
    pub context: usize,
}

impl Select {
    /// Whether a line is one of those asked for, but for `last` and `context`.
    pub fn holds(&self, line: &Line) -> bool {
        self.in_time(line.owner(), line.at)
            && self.grep.as_ref().is_none_or(|grep| grep.is_match(&line.text))
    }

    /// Whether a moment in the life of that service or task is.
    pub fn in_time(&self, owner: &str, at: Timestamp) -> bool {
        self.since_of(owner).is_none_or(|since| at >= since)
            && self.until.is_none_or(|until| at <= until)
    }

    fn since_of(&self, owner: &str) -> Option<Timestamp> {
        self.starts.get(owner).copied().or(self.since)
    }

    /// The lines of one log that were asked for.
    fn lines_of<'a>(
        &'a self,
        log: &Log,
        end: Option<Place>,
    ) -> Box<dyn Iterator<Item = Line> + 'a> {
        let lines = Lines::all(log);
        let lines = match end {
            Some(end) => lines.up_to(end),
            None => lines,
        };
        let since = self.since_of(log.owner());
        let lines = match (self.last, since, &self.grep, self.until) {
            // Nothing but their number decides: from the end.
            (Some(count), None, None, None) => lines.last(count),
            (_, Some(since), _, _) => lines.since(since),
            (_, None, _, _) => lines,
        };
        let until = self.until;
        let in_time = move |line: &Line| until.is_none_or(|until| line.at <= until);
        match &self.grep {
            Some(finder) => Box::new(Found::new(lines, finder, self.context).take_while(in_time)),
            None => Box::new(lines.take_while(in_time)),
        }
    }
}

/// The lines that were asked for, of all these logs, by time, and between them the marks of
/// these services and tasks. What comes after the `ends` is left out.
pub fn select<'a>(
    logs: &[Log],
    ends: impl Fn(&Log) -> Option<Place>,
    marks: Option<&Marks>,
    select: &'a Select,
) -> Box<dyn Iterator<Item = Item> + 'a> {
    let chosen = logs.iter().map(|log| select.lines_of(log, ends(log))).collect();
    let mut lines: Box<dyn Iterator<Item = Line>> = match select.last {
        None => Box::new(merge(chosen, |line: &Line| line.at)),
        Some(count) => Box::new(last(merge(chosen, |line: &Line| line.at), count).into_iter()),
    };
    let Some(marks) = marks else { return Box::new(lines.map(Item::Line)) };
    let first = lines.next();
    let from = first.as_ref().map(|line| marks::about(line.at));
    let marks = match (&first, select.last) {
        (None, Some(_)) => Vec::new(),
        _ => marks.since(select.since.max(from)),
    };
    let marks = marks
        .into_iter()
        .filter(|mark| select.in_time(mark.name.as_deref().unwrap_or_default(), mark.at))
        .map(|mark| Item::Mark(Box::new(mark)));
    let lines = first.into_iter().chain(lines).map(Item::Line);
    let both: Vec<Box<dyn Iterator<Item = Item> + 'a>> = vec![Box::new(marks), Box::new(lines)];
    Box::new(merge(both, Item::at))
}

fn last(lines: impl Iterator<Item = Line>, count: usize) -> VecDeque<Line> {
    let mut last = VecDeque::new();
    for line in lines {
        last.push_back(line);
        if last.len() > count {
            last.pop_front();
        }
    }
    last
}

/// The lines of one log that match, each with those around it.
struct Found<'a> {
    lines: Lines,
    finder: &'a Finder,
    context: usize,
    /// The line that matches and is to be shown next, perhaps after others.
    found: Option<Place>,
    /// How many lines are to be shown after the last one that matched.
    after: usize,
    /// Before here everything has been shown, or left out.
    floor: Place,
}

impl<'a> Found<'a> {
    fn new(lines: Lines, finder: &'a Finder, context: usize) -> Self {
        let floor = lines.place();
        Self { lines, finder, context, found: None, after: 0, floor }
    }

    fn show(&mut self) -> Option<Line> {
        let line = self.lines.next();
        self.floor = self.lines.place();
        line
    }
}

impl Iterator for Found<'_> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        if self.found.is_none() && self.after > 0 {
            let line = self.show()?;
            let matches = self.finder.is_match(&line.text);
            self.after = if matches { self.context } else { self.after - 1 };
            return Some(line);
        }
        let found = match self.found {
            Some(found) => found,
            None => {
                let found = self.lines.skip_to(self.finder)?;
                self.lines.back(self.context, self.floor);
                found
            }
        };
        let here = self.lines.place() >= found;
        self.found = if here { None } else { Some(found) };
        self.after = if here { self.context } else { 0 };
        self.show()
    }
}
