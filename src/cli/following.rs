//! Logs as they grow, printed as they come.

use std::{io::IsTerminal, path::PathBuf, time::Duration};

use jiff::Timestamp;

use super::{caller, context::write_out, error::Error};
use crate::{
    logs::{self, Follower, Item, Log, MarkFollower, Marks, Place, Select},
    reporters::logs::LogPrinter,
};

/// The shortest and the longest pause between two looks.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(100));
/// How often to look for logs that were not there before.
const RESCAN: Duration = Duration::from_secs(1);

/// Several logs that are followed together.
#[derive(Debug)]
pub(super) struct Following {
    folder: PathBuf,
    /// The services and tasks whose logs are wanted; none: all.
    owners: Vec<String>,
    select: Select,
    followers: Vec<Follower>,
    marks: Option<MarkFollower>,
    printer: LogPrinter,
    scanned: Timestamp,
    pause: Duration,
    /// A person watches, who is not to be shown more than can be read.
    watched: bool,
}

impl Following {
    /// From the present end of each log on; logs that appear later from their start.
    pub(super) fn new(
        folder: PathBuf,
        owners: Vec<String>,
        select: Select,
        marks: Option<Marks>,
        printer: LogPrinter,
    ) -> Result<Self, Error> {
        let followers = wanted(&folder, &owners)?.iter().map(Follower::from_last_line).collect();
        let marks = marks.map(MarkFollower::new);
        let (scanned, pause) = (caller::now(), PAUSES.0);
        let watched = std::io::stdout().is_terminal();
        Ok(Self { folder, owners, select, followers, marks, printer, scanned, pause, watched })
    }

    /// Where it began in a log: what is before that is the past.
    pub(super) fn begin(&self, log: &Log) -> Option<Place> {
        let follower = self.followers.iter().find(|follower| follower.log() == log);
        // One that was not there then is followed from its start.
        Some(follower.map_or(Place::default(), Follower::place))
    }

    /// Prints what has come since the last time; whether that was anything.
    pub(super) fn print_new(&mut self) -> Result<bool, Error> {
        let now = caller::now();
        if crate::reporters::words::between(self.scanned, now) >= RESCAN {
            self.rescan(now)?;
        }
        let mut items = Vec::new();
        for follower in &mut self.followers {
            if self.watched {
                follower.hurry();
            }
            let lines = follower.lines(now).into_iter();
            let lines = lines.filter(|line| self.select.holds(line)).map(Item::Line);
            items.extend(follower.spared(now).map(Item::Spared));
            items.extend(lines);
        }
        let marks = self.marks.as_mut().map(MarkFollower::take).unwrap_or_default();
        items.extend(marks.into_iter().map(|mark| Item::Mark(Box::new(mark))));
        items.sort_by_key(Item::at);
        let mut bytes = Vec::new();
        items.iter().for_each(|item| print(&mut self.printer, &mut bytes, item));
        if bytes.is_empty() {
            return Ok(false);
        }
        write_out(&bytes)?;
        Ok(true)
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
            if !self.followers.iter().any(|follower| *follower.log() == log) {
                self.followers.push(Follower::from_start(&log));
            }
        }
        Ok(())
    }
}

/// Adds an item to what is to be written.
pub(super) fn print(printer: &mut LogPrinter, out: &mut Vec<u8>, item: &Item) {
    match item {
        Item::Line(line) => printer.line(out, &line.name, line.at, &line.text),
        Item::Mark(mark) => printer.mark(out, mark),
        Item::Spared(spared) => {
            printer.spared(out, &spared.name, spared.at, (spared.lines, spared.files));
        }
    }
}

/// The logs of these services and tasks; without names all.
pub(super) fn wanted(folder: &std::path::Path, owners: &[String]) -> Result<Vec<Log>, Error> {
    let all = logs::all(folder).map_err(|error| Error::Io { path: folder.to_owned(), error })?;
    let is_wanted = |log: &Log| {
        let copy = owners.contains(&log.name);
        owners.is_empty() || copy || owners.iter().any(|owner| owner == log.owner())
    };
    Ok(all.into_iter().filter(is_wanted).collect())
}
