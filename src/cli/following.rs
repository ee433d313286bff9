//! Logs as they grow, printed as they come.

use std::{path::PathBuf, time::Duration};

use jiff::Timestamp;

use super::{caller, context::write_out, error::Error};
use crate::{
    logs::{self, Follower, Log, Select},
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
    printer: LogPrinter,
    scanned: Timestamp,
    pause: Duration,
}

impl Following {
    /// From the present end of each log on; logs that appear later from their start.
    pub(super) fn new(
        folder: PathBuf,
        owners: Vec<String>,
        select: Select,
        printer: LogPrinter,
    ) -> Result<Self, Error> {
        let followers = wanted(&folder, &owners)?.iter().map(Follower::from_end).collect();
        let scanned = caller::now();
        Ok(Self { folder, owners, select, followers, printer, scanned, pause: PAUSES.0 })
    }

    /// Prints what has come since the last time; whether that was anything.
    pub(super) fn print_new(&mut self) -> Result<bool, Error> {
        let now = caller::now();
        if crate::reporters::words::between(self.scanned, now) >= RESCAN {
            self.rescan(now)?;
        }
        let mut lines: Vec<logs::Line> =
            self.followers.iter_mut().flat_map(|follower| follower.lines(now)).collect();
        lines.sort_by_key(|line| line.at);
        lines.retain(|line| self.select.holds(line));
        let printer = &mut self.printer;
        let bytes: Vec<u8> =
            lines.iter().flat_map(|line| printer.line(&line.name, line.at, &line.text)).collect();
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

/// The logs of these services and tasks; without names all.
pub(super) fn wanted(folder: &std::path::Path, owners: &[String]) -> Result<Vec<Log>, Error> {
    let all = logs::all(folder).map_err(|error| Error::Io { path: folder.to_owned(), error })?;
    let is_wanted = |log: &Log| {
        let copy = owners.contains(&log.name);
        owners.is_empty() || copy || owners.iter().any(|owner| owner == log.owner())
    };
    Ok(all.into_iter().filter(is_wanted).collect())
}
