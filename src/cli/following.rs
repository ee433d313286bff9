//! Logs as they grow, printed as they come.

use std::{collections::VecDeque, io::IsTerminal, time::Duration};

use jiff::Timestamp;

use super::{ambient, context::write_out, error::Error};
use crate::{
    event::Record,
    logs::{
        self, Follower, Item, Line, Log, MarkFollower, MarkQueue, Marks, Place, Select, Sieve,
        Turn, merge,
    },
    platform::Subfolder,
    reporters::{
        logs::{LogPrinter, Piece},
        words::between,
    },
};

/// The shortest and the longest pause between two looks.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(100));
/// How often to look for logs that were not there before.
const RESCAN: Duration = Duration::from_secs(1);

/// Lines of a start that has not been written down yet are held back so long.
const UNWRITTEN: Duration = Duration::from_millis(500);
/// Marks are held back so long while lines before them have not been read yet.
const UNREAD: Duration = Duration::from_secs(1);

/// Several logs that are followed together.
#[derive(Debug)]
pub(super) struct Following {
    folder: Subfolder,
    /// The services and tasks whose logs are wanted; none: all.
    owners: Vec<String>,
    select: Select,
    strands: Vec<Strand>,
    marks: Option<MarkFollower>,
    printer: LogPrinter,
    scanned: Timestamp,
    pause: Duration,
    /// A person watches, who is not to be shown more than can be read.
    watched: bool,
}

/// A log as it grows, and the marks of its service.
#[derive(Debug)]
struct Strand {
    follower: Follower,
    sieve: Sieve,
    /// Lines that wait for the mark of the start that they followed.
    lines: VecDeque<Line>,
    held_since: Option<Timestamp>,
    marks: MarkQueue,
}

impl Following {
    /// From the present end of each log on; logs that appear later from their start.
    pub(super) fn new(
        folder: Subfolder,
        owners: Vec<String>,
        select: Select,
        marks: Option<Marks>,
        printer: LogPrinter,
    ) -> Result<Self, Error> {
        let followers = wanted(&folder, &owners)?;
        let strands =
            followers.iter().map(|log| Strand::new(Follower::from_last_line(log))).collect();
        let marks = marks.map(MarkFollower::new);
        let (scanned, pause) = (ambient::now(), PAUSES.0);
        let watched = std::io::stdout().is_terminal();
        Ok(Self { folder, owners, select, strands, marks, printer, scanned, pause, watched })
    }

    /// Where it began in a log: what is before that is the past.
    pub(super) fn begin(&self, log: &Log) -> Option<Place> {
        let strand = self.strands.iter().find(|strand| strand.follower.log().name == log.name);
        // One that was not there then is followed from its start.
        Some(strand.map_or(Place::default(), |strand| strand.follower.place()))
    }

    /// Goes on with what has printed the past.
    pub(super) fn go_on(&mut self, printer: LogPrinter) {
        self.printer = printer;
    }

    /// Prints what has come since the last time; whether that was anything.
    pub(super) fn print_new(&mut self) -> Result<bool, Error> {
        let now = ambient::now();
        if between(self.scanned, now) >= RESCAN {
            self.rescan(now)?;
        }
        let mut items: Vec<Vec<Item>> = Vec::new();
        for strand in &mut self.strands {
            if self.watched {
                strand.follower.hurry();
            }
            for line in strand.follower.lines(now) {
                strand.lines.extend(strand.sieve.pass(line, &self.select));
            }
            items.push(strand.follower.spared(now).map(Item::Spared).into_iter().collect());
        }
        // After the lines: whoever has written one was seen to start.
        for mark in self.marks.as_mut().map(MarkFollower::take).unwrap_or_default() {
            let name = mark.name.clone().unwrap_or_default();
            match self.strands.iter_mut().find(|strand| strand.follower.log().name == name) {
                Some(strand) => strand.marks.push(mark),
                None => items.push(vec![Item::Mark(Box::new(mark))]),
            }
        }
        for (strand, items) in self.strands.iter_mut().zip(&mut items) {
            let name = &strand.follower.log().name;
            let is_starting = self.marks.as_ref().is_some_and(|marks| marks.is_starting(name));
            strand.take(is_starting, now, items);
        }
        let items = items.into_iter().map(Vec::into_iter).collect();
        let mut bytes = Vec::new();
        merge(items, Item::at).for_each(|item| print(&mut self.printer, &mut bytes, &item));
        if bytes.is_empty() {
            return Ok(false);
        }
        write_out(&bytes)?;
        Ok(true)
    }

    /// Ends a line that is unfinished, since nothing more will be printed.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        let mut bytes = Vec::new();
        self.printer.finish(&mut bytes);
        write_out(&bytes)
    }

    /// How long to wait before the next look: longer the longer nothing has come.
    pub(super) fn pause(&mut self, came: bool) -> Duration {
        let longer = self.pause.mul_f64(1.5).min(PAUSES.1);
        self.pause = if came { PAUSES.0 } else { longer };
        self.pause
    }

    fn rescan(&mut self, now: Timestamp) -> Result<(), Error> {
        self.scanned = now;
        for log in wanted(&self.folder, &self.owners)? {
            if !self.strands.iter().any(|strand| strand.follower.log().name == log.name) {
                self.strands.push(Strand::new(Follower::from_start(&log)));
            }
        }
        Ok(())
    }
}

impl Strand {
    fn new(follower: Follower) -> Self {
        let (sieve, marks) = (Sieve::default(), MarkQueue::default());
        Self { follower, sieve, lines: VecDeque::new(), held_since: None, marks }
    }

    /// What is to be shown now, in order.
    fn take(&mut self, is_starting: bool, now: Timestamp, items: &mut Vec<Item>) {
        if is_starting && !self.lines.is_empty() {
            let since = *self.held_since.get_or_insert(now);
            if between(since, now) < UNWRITTEN {
                return;
            }
        }
        self.held_since = None;
        let mark = |mark: Option<Record>| mark.map(Box::new).map(Item::Mark);
        while let Some(line) = self.lines.front_mut() {
            match self.marks.turn(line) {
                Turn::Mark => {
                    let at = line.at;
                    items.extend(mark(self.marks.take(Some(at))));
                    continue;
                }
                Turn::Part(length) => {
                    let rest = line.cut(length);
                    self.lines.insert(1, rest);
                }
                Turn::Line => {}
            }
            items.extend(self.lines.pop_front().map(Item::Line));
        }
        let is_read = self.follower.is_at_end();
        while self.marks.first().is_some_and(|mark| is_read || between(mark.at, now) > UNREAD) {
            items.extend(mark(self.marks.take(None)));
        }
    }
}

/// Adds an item to what is to be written.
pub(super) fn print(printer: &mut LogPrinter, out: &mut Vec<u8>, item: &Item) {
    match item {
        Item::Line(Line { name, at, text, begins, ends, apart, .. }) => {
            if *apart {
                printer.gap(out);
            }
            printer.piece(out, &Piece { name, at: *at, text, begins: *begins, ends: *ends });
        }
        Item::Mark(mark) => printer.mark(out, mark),
        Item::Spared(spared) => {
            printer.spared(out, &spared.name, spared.at, (spared.lines, spared.files));
        }
    }
}

/// The logs of these services and tasks; without names all.
pub(super) fn wanted(folder: &Subfolder, owners: &[String]) -> Result<Vec<Log>, Error> {
    let all = logs::all(folder).map_err(|error| Error::Io { path: folder.path(), error })?;
    let is_wanted = |log: &Log| {
        let copy = owners.contains(&log.name);
        owners.is_empty() || copy || owners.iter().any(|owner| owner == log.owner())
    };
    Ok(all.into_iter().filter(is_wanted).collect())
}
