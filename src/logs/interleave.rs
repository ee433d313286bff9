//! The lines of one log and the marks of its service, in the order in which they happened.
//!
//! A line's time is known to a few milliseconds only, but where in its log a start began is known
//! to the byte: that decides. Everything else goes by time, and never past a start.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::{Item, Line};
use crate::event::{Event, Place, Record};

/// Puts the lines of a log and the marks of its service in order.
#[derive(Debug, Default)]
pub(super) struct Interleaver {
    lines: VecDeque<Line>,
    marks: VecDeque<Record>,
    /// Where, and when at the latest, the next start began.
    anchor: Option<(Place, Timestamp)>,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// The line.
    Line,
    /// So many bytes of the line: its end was written after a new start.
    Part(usize),
    /// The first mark.
    Mark,
}

impl Interleaver {
    /// Adds a line that was written after all the others.
    pub(super) fn add_line(&mut self, line: Line) {
        self.lines.push_back(line);
    }

    /// Adds a mark of what happened after all the others.
    pub(super) fn add_mark(&mut self, mark: Record) {
        if self.anchor.is_none() {
            self.anchor = anchor(&mark);
        }
        self.marks.push_back(mark);
    }

    /// The first line.
    pub(super) fn first_line(&self) -> Option<&Line> {
        self.lines.front()
    }

    /// The first mark.
    pub(super) fn first_mark(&self) -> Option<&Record> {
        self.marks.front()
    }

    /// What comes next, as long as there are lines: one that is added later may have been written
    /// before the first mark.
    pub(super) fn next(&mut self) -> Option<Item> {
        let line = self.lines.front()?;
        match self.turn(line) {
            Turn::Mark => return self.take_mark(Some(line.at)),
            Turn::Part(length) => {
                let rest = self.lines[0].cut(length);
                self.lines.insert(1, rest);
            }
            Turn::Line => {}
        }
        self.lines.pop_front().map(Item::Line)
    }

    /// The first mark, where no line comes before it any more.
    pub(super) fn next_mark(&mut self) -> Option<Item> {
        self.take_mark(None)
    }

    /// Takes out the first mark, with a time that is not later than what it is shown `before`.
    fn take_mark(&mut self, before: Option<Timestamp>) -> Option<Item> {
        let mut mark = self.marks.pop_front()?;
        mark.at = before.map_or(mark.at, |before| mark.at.min(before));
        self.anchor = self.marks.iter().find_map(anchor);
        Some(Item::Mark(Box::new(mark)))
    }

    /// Whether the line or the first mark comes next.
    fn turn(&self, line: &Line) -> Turn {
        let Some(mark) = self.marks.front() else { return Turn::Line };
        if let Some((place, at)) = self.anchor {
            // What came after a start was reported came after the start, wherever it is:
            // files may have been removed and shortened.
            if line.place >= place || line.at > at {
                return Turn::Mark;
            }
            let before = place.offset.saturating_sub(line.place.offset);
            if let Ok(before) = usize::try_from(before)
                && line.place.file == place.file
                && before < line.text.len()
            {
                return Turn::Part(before);
            }
        }
        if anchor(mark).is_some() || line.at <= mark.at { Turn::Line } else { Turn::Mark }
    }
}

fn anchor(mark: &Record) -> Option<(Place, Timestamp)> {
    match mark.event {
        Event::Spawned { log, .. } | Event::Running { log, .. } => {
            log.map(|place| (place, mark.at))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    fn line(second: i64, file: u64, offset: u64, text: &'static str) -> Line {
        let place = Place { file, offset };
        let text = bytes::Bytes::from_static(text.as_bytes());
        let (begins, ends, apart) = (true, true, false);
        Line { name: "a".into(), at: at(second), text, place, begins, ends, apart }
    }

    fn marks(marks: Vec<(i64, Event)>) -> Interleaver {
        let mut all = Interleaver::default();
        for (second, event) in marks {
            all.add_mark(Record {
                seq: 0,
                at: at(second),
                tick: crate::event::Tick::default(),
                event,
                name: Some("a".to_owned()),
                generation: Some(1),
                cause: crate::event::Cause::Supervisor,
            });
        }
        all
    }

    fn started(file: u64, offset: u64) -> Event {
        Event::Spawned { pid: 1, log: Some(Place { file, offset }) }
    }

    #[test]
    fn a_start_stands_where_its_output_begins() {
        let mut marks = marks(vec![(10, Event::Stopping), (20, started(2, 100))]);
        assert_eq!(marks.turn(&line(9, 1, 500, "x")), Turn::Line);
        assert_eq!(marks.turn(&line(11, 1, 501, "x")), Turn::Mark);
        assert_eq!(marks.turn(&line(5, 2, 100, "x")), Turn::Mark, "what came before, comes before");
        marks.next_mark().expect("the stop");
        assert_eq!(marks.turn(&line(20, 2, 99, "x")), Turn::Line);
        assert_eq!(marks.turn(&line(15, 2, 98, "last words")), Turn::Part(2));
        assert_eq!(marks.turn(&line(15, 2, 100, "x")), Turn::Mark);
        assert_eq!(marks.take_mark(Some(at(15))).expect("the start").at(), at(15));
        assert_eq!(marks.turn(&line(15, 2, 100, "x")), Turn::Line);
    }

    #[test]
    fn a_place_that_is_not_there_any_more_is_none() {
        let marks = marks(vec![(20, started(9, 5000))]);
        assert_eq!(marks.turn(&line(19, 1, 0, "x")), Turn::Line);
        assert_eq!(marks.turn(&line(21, 1, 10, "x")), Turn::Mark);
    }
}
