//! Several logs as they grow, with the marks of their services.

use std::{io, time::Duration};

use jiff::Timestamp;

use super::{
    Follower, Item, Line, Log, Place, Select, annotations::MarkFollower, annotations::Marks,
    interleave::Interleaver, matches::Sieve, merge, of,
};
use crate::platform::Subfolder;

/// How often to look for logs that were not there before.
const RESCAN: Duration = Duration::from_secs(1);
/// Lines of a start that has not been recorded yet are held back so long.
const UNRECORDED: Duration = Duration::from_millis(500);
/// Marks are held back so long while lines before them have not been read yet.
const UNREAD: Duration = Duration::from_secs(1);

/// Several logs that are followed together.
#[derive(Debug)]
pub struct LiveLogs {
    folder: Subfolder,
    /// The services and tasks whose logs are followed; none: all.
    owners: Vec<String>,
    select: Select,
    logs: Vec<LiveLog>,
    marks: Option<MarkFollower>,
    scanned: Timestamp,
}

/// A log as it grows, and the marks of its service.
#[derive(Debug)]
struct LiveLog {
    follower: Follower,
    sieve: Sieve,
    /// What waits for the mark of a start, or for the lines before it.
    waiting: Interleaver,
    held_since: Option<Timestamp>,
}

impl LiveLogs {
    /// From the present end of each log on; logs that appear later from their start.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn new(
        folder: Subfolder,
        owners: Vec<String>,
        select: Select,
        marks: Option<Marks>,
        now: Timestamp,
    ) -> io::Result<Self> {
        let logs = of(&folder, &owners)?;
        let logs = logs.iter().map(|log| LiveLog::new(Follower::from_last_line(log))).collect();
        let marks = marks.map(MarkFollower::new);
        Ok(Self { folder, owners, select, logs, marks, scanned: now })
    }

    /// Where it began in a log: what is before that is the past.
    pub fn begin(&self, log: &Log) -> Place {
        let known = self.logs.iter().find(|known| known.name() == log.name);
        // One that was not there then is followed from its start.
        known.map_or(Place::default(), |known| known.follower.place())
    }

    /// What has come since the last time, by time. One that is `in_a_hurry` is spared what it
    /// could not read in time.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn take(
        &mut self,
        now: Timestamp,
        in_a_hurry: bool,
    ) -> io::Result<impl Iterator<Item = Item> + use<>> {
        if since(self.scanned, now) >= RESCAN {
            self.rescan(now)?;
        }
        let mut items: Vec<Vec<Item>> = Vec::new();
        for log in &mut self.logs {
            if in_a_hurry {
                log.follower.hurry();
            }
            for line in log.follower.lines(now) {
                log.add(line, &self.select);
            }
            items.push(log.follower.spared(now).map(Item::Spared).into_iter().collect());
        }
        // After the lines: a process that has written one was recorded before as starting.
        for mark in self.marks.as_mut().map(MarkFollower::take).unwrap_or_default() {
            let name = mark.name.as_deref().unwrap_or_default();
            match self.logs.iter_mut().find(|log| log.name() == name) {
                Some(log) => log.waiting.add_mark(mark),
                None => items.push(vec![Item::Mark(Box::new(mark))]),
            }
        }
        for (log, items) in self.logs.iter_mut().zip(&mut items) {
            let is_starting = self.marks.as_ref().is_some_and(|all| all.is_starting(log.name()));
            log.take(is_starting, now, items);
        }
        Ok(merge(items.into_iter().map(Vec::into_iter).collect(), Item::at))
    }

    fn rescan(&mut self, now: Timestamp) -> io::Result<()> {
        self.scanned = now;
        for log in of(&self.folder, &self.owners)? {
            if !self.logs.iter().any(|known| known.name() == log.name) {
                self.logs.push(LiveLog::new(Follower::from_start(&log)));
            }
        }
        Ok(())
    }
}

impl LiveLog {
    fn new(follower: Follower) -> Self {
        let (sieve, waiting) = (Sieve::default(), Interleaver::default());
        Self { follower, sieve, waiting, held_since: None }
    }

    fn name(&self) -> &str {
        &self.follower.log().name
    }

    fn add(&mut self, line: Line, select: &Select) {
        self.sieve.pass(line, select).into_iter().for_each(|line| self.waiting.add_line(line));
    }

    /// Adds what is to be shown now, in order.
    fn take(&mut self, is_starting: bool, now: Timestamp, items: &mut Vec<Item>) {
        if is_starting && self.waiting.first_line().is_some() {
            let held = *self.held_since.get_or_insert(now);
            if since(held, now) < UNRECORDED {
                return;
            }
        }
        self.held_since = None;
        items.extend(std::iter::from_fn(|| self.waiting.next()));
        let is_read = self.follower.is_at_end();
        while self.waiting.first_mark().is_some_and(|it| is_read || since(it.at, now) > UNREAD) {
            items.extend(self.waiting.next_mark());
        }
    }
}

/// How long ago it was; nothing for what lies ahead.
fn since(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}
