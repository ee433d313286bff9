//! Which lines to show.

use std::collections::VecDeque;

use jiff::Timestamp;
use regex::bytes::Regex;

use super::{Line, Lines, Log, merge};

/// What was asked for.
#[derive(Debug, Clone, Default)]
pub struct Select {
    /// The last ones alone.
    pub last: Option<usize>,
    /// From this moment on.
    pub since: Option<Timestamp>,
    /// Up to this moment.
    pub until: Option<Timestamp>,
    /// Those that match.
    pub grep: Option<Regex>,
    /// And as many lines of the same log before and after each.
    pub context: usize,
}

impl Select {
    /// Whether a line is one of those asked for, but for `last` and `context`.
    pub fn holds(&self, line: &Line) -> bool {
        self.since.is_none_or(|since| line.at >= since)
            && self.until.is_none_or(|until| line.at <= until)
            && self.matches(line)
    }

    fn in_time(&self, line: &Line) -> bool {
        self.since.is_none_or(|since| line.at >= since)
    }

    fn matches(&self, line: &Line) -> bool {
        self.grep.as_ref().is_none_or(|grep| grep.is_match(&line.text))
    }
}

/// The lines that were asked for, of all these logs, by time.
///
/// # Errors
/// A log cannot be read.
pub fn select<'a>(
    logs: &[Log],
    select: &'a Select,
) -> std::io::Result<Box<dyn Iterator<Item = Line> + 'a>> {
    let mut chosen: Vec<Box<dyn Iterator<Item = Line> + 'a>> = Vec::new();
    for log in logs {
        let lines = match (select.last, select.since, &select.grep, select.until) {
            // Nothing but their number decides: from the end.
            (Some(count), None, None, None) => Lines::last(log, count)?,
            (_, Some(since), _, _) => Lines::since(log, since),
            (_, None, _, _) => Lines::all(log),
        };
        let until = select.until;
        let lines = lines
            .skip_while(|line| !select.in_time(line))
            .take_while(move |line| until.is_none_or(|until| line.at <= until));
        chosen.push(match select.grep {
            Some(_) => Box::new(Context::new(lines, select)),
            None => Box::new(lines),
        });
    }
    let merged = merge(chosen);
    Ok(match select.last {
        None => Box::new(merged),
        Some(count) => {
            let mut last = VecDeque::new();
            for line in merged {
                last.push_back(line);
                if last.len() > count {
                    last.pop_front();
                }
            }
            Box::new(last.into_iter())
        }
    })
}

/// The lines of one log that match, each with those around it.
struct Context<'a, I> {
    lines: I,
    select: &'a Select,
    before: VecDeque<Line>,
    ready: VecDeque<Line>,
    after: usize,
}

impl<'a, I> Context<'a, I> {
    fn new(lines: I, select: &'a Select) -> Self {
        Self { lines, select, before: VecDeque::new(), ready: VecDeque::new(), after: 0 }
    }
}

impl<I: Iterator<Item = Line>> Iterator for Context<'_, I> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Some(line);
            }
            let line = self.lines.next()?;
            if self.select.matches(&line) {
                self.ready.append(&mut self.before);
                self.ready.push_back(line);
                self.after = self.select.context;
            } else if self.after > 0 {
                self.after -= 1;
                self.ready.push_back(line);
            } else {
                self.before.push_back(line);
                if self.before.len() > self.select.context {
                    self.before.pop_front();
                }
            }
        }
    }
}
