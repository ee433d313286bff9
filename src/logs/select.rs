//! Which lines to show.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use jiff::Timestamp;

use super::{
    Item, Line, Lines, Log, Place,
    annotations::{self, Marks},
    find::Finder,
    interleave::Interleaver,
    matches::Matches,
    merge, owner,
};

/// A start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since {
    /// When it was written down.
    pub at: Timestamp,
    /// Where in the log its output begins.
    pub place: Option<Place>,
}

/// What was asked for.
#[derive(Debug, Clone, Default)]
pub struct Select {
    /// The last ones alone.
    pub last: Option<usize>,
    /// From this moment on.
    pub since: Option<Timestamp>,
    /// From these on, for each service and task; instead of `since`.
    pub starts: BTreeMap<String, Since>,
    /// Up to this moment.
    pub until: Option<Timestamp>,
    /// Those that match.
    pub grep: Option<Finder>,
    /// And as many lines of the same log before and after each.
    pub context: usize,
}

impl Select {
    pub(super) fn holds(&self, line: &Line) -> bool {
        self.since.is_none_or(|since| line.at >= since)
            && self.until.is_none_or(|until| line.at <= until)
    }

    /// Whether a moment in the life of that service or task is.
    pub fn in_time(&self, name: &str, at: Timestamp) -> bool {
        self.since_of(name).is_none_or(|since| at >= since)
            && self.until.is_none_or(|until| at <= until)
    }

    fn since_of(&self, name: &str) -> Option<Timestamp> {
        let start = self.starts.get(name).or_else(|| self.starts.get(owner(name)));
        start.map(|start| start.at).or(self.since)
    }

    /// The lines of one log that were asked for.
    fn lines_of<'a>(
        &'a self,
        log: &Log,
        end: Option<Place>,
    ) -> Box<dyn Iterator<Item = Line> + 'a> {
        let all = || {
            let lines = end.into_iter().fold(Lines::all(log), Lines::up_to);
            self.until.into_iter().fold(lines, Lines::until)
        };
        let place = self.starts.get(&log.name).and_then(|start| start.place);
        let from_place = place.and_then(|place| all().from(place));
        let lines = match (from_place, self.since_of(&log.name)) {
            (Some(lines), _) => lines,
            (None, Some(since)) => all().since(since),
            (None, None) => all(),
        };
        let context = self.context;
        let lines: Box<dyn Iterator<Item = Line>> = match (&self.grep, self.last) {
            (None, None) => Box::new(lines),
            (None, Some(count)) => Box::new(lines.last(count)),
            (Some(finder), None) => Box::new(Matches::all(lines, finder, context)),
            (Some(finder), Some(count)) => Box::new(Matches::last(lines, finder, context, count)),
        };
        match self.until {
            Some(until) => Box::new(lines.take_while(move |line| line.at <= until)),
            None => lines,
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
    let mut chosen: Vec<Strand<'a>> =
        logs.iter().map(|log| Strand::new(&log.name, select.lines_of(log, ends(log)))).collect();
    // Of one log there are no more than that, unless others are shown with those that match.
    if let Some(count) = select.last
        && (chosen.len() > 1 || select.context > 0)
    {
        chosen = last(chosen, count);
    }
    if let Some(marks) = marks {
        let first = chosen.iter_mut().filter_map(|strand| strand.peek().map(|line| line.at)).min();
        let from = first.map(annotations::about);
        let marks = match (first, select.last) {
            (None, Some(_)) => Vec::new(),
            _ => marks.since(select.since.max(from)),
        };
        for mark in marks {
            let name = mark.name.clone().unwrap_or_default();
            if !select.in_time(&name, mark.at) {
                continue;
            }
            let known = chosen.iter().position(|strand| strand.name == name);
            let number = known.unwrap_or(chosen.len());
            if number == chosen.len() {
                chosen.push(Strand::new(&name, Box::new(std::iter::empty())));
            }
            chosen[number].ahead.add_mark(mark);
        }
    }
    Box::new(merge(chosen, Item::at))
}

/// The lines of one log, and the marks between them.
struct Strand<'a> {
    name: String,
    lines: Box<dyn Iterator<Item = Line> + 'a>,
    /// What was read ahead, and all marks.
    ahead: Interleaver,
}

impl<'a> Strand<'a> {
    fn new(name: &str, lines: Box<dyn Iterator<Item = Line> + 'a>) -> Self {
        Self { name: name.to_owned(), lines, ahead: Interleaver::default() }
    }

    /// The next line.
    fn peek(&mut self) -> Option<&Line> {
        if self.ahead.first_line().is_none() {
            self.ahead.add_line(self.lines.next()?);
        }
        self.ahead.first_line()
    }
}

impl Iterator for Strand<'_> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        if self.ahead.first_mark().is_some() {
            self.peek();
        }
        let ahead = self.ahead.next().or_else(|| self.ahead.next_mark());
        ahead.or_else(|| self.lines.next().map(Item::Line))
    }
}

/// The last lines of all these; a piece belongs to its line.
fn last(logs: Vec<Strand<'_>>, count: usize) -> Vec<Strand<'_>> {
    let names: Vec<String> = logs.iter().map(|log| log.name.clone()).collect();
    let logs = logs.into_iter().map(|log| log.lines).collect();
    let mut last: VecDeque<Line> = VecDeque::new();
    let mut held = 0;
    for mut line in merge(logs, |line: &Line| line.at) {
        // What is kept keeps no block of the file.
        line.text = Bytes::copy_from_slice(&line.text);
        held += usize::from(line.begins || last.is_empty());
        last.push_back(line);
        while held > count && last.pop_front().is_some() {
            let line_is_over = last.front().is_none_or(|next| next.begins);
            held -= usize::from(line_is_over);
        }
    }
    let of = |name: &String| -> Vec<Line> {
        last.iter().filter(|line| *line.name == **name).cloned().collect()
    };
    names.iter().map(|name| Strand::new(name, Box::new(of(name).into_iter()))).collect()
}
