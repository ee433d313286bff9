//! The starts of a stack as the ledger tells them: who waited for whom, who took how long, and
//! which chain made the whole as long as it was.
//!
//! The chain needs no graph: the last record of a wait names what was still waited for, and of
//! those the one that came last is the link.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    event::{Cause, Event, Record},
    reason::FailedCheck,
};

/// One command that started something, and everything that it started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Start {
    /// The command line: `stackrun up`.
    pub command: String,
    /// When it began.
    pub began: Timestamp,
    /// Until the last of it was where it should be, in milliseconds.
    pub took_ms: u64,
    /// Whether something is still on the way.
    pub unfinished: bool,
    /// The chain that took longest, first to start first.
    pub critical: Vec<String>,
    /// What it started, in that order.
    pub rows: Vec<Row>,
    #[serde(skip)]
    key: (String, u32),
}

/// A service or task in a [`Start`]. Times are milliseconds since it began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// How it ended.
    pub end: End,
    /// What it did, without a gap.
    pub parts: Vec<Part>,
}

/// How a start of one ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// It is ready.
    Ready,
    /// The task is done.
    Done,
    /// The task did not have to run.
    Skipped,
    /// It failed.
    Failed,
    /// It was stopped meanwhile.
    Stopped,
    /// It is still on the way.
    Unfinished,
}

/// A stretch of time in which one thing was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// What.
    #[serde(flatten)]
    pub what: What,
    /// From when.
    pub from_ms: u64,
    /// Until when.
    pub to_ms: u64,
}

/// What a service or task does on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum What {
    /// Its earlier run is stopped.
    Stopping,
    /// Its needs do not hold yet.
    Waiting {
        /// Which.
        on: Vec<String>,
    },
    /// Its process is being started.
    Starting,
    /// Its process runs; its checks do not hold yet.
    Checking {
        /// The check that failed last.
        #[serde(rename = "detail", skip_serializing_if = "Option::is_none")]
        failed: Option<FailedCheck>,
        /// Whether all of them held in the end.
        held: bool,
    },
    /// Its process runs, nothing checks more, and it has to live for a while.
    Proving,
    /// It has ended by itself, and what it has left is cleared away.
    ClearingUp,
    /// The task runs.
    Running,
    /// It failed, and a pause goes before the next try.
    Pausing,
}

impl Part {
    /// How long it was, in milliseconds.
    pub fn took_ms(&self) -> u64 {
        self.to_ms.saturating_sub(self.from_ms)
    }
}

impl Row {
    /// From its start, its waits left out, to its end, in milliseconds.
    pub fn took_ms(&self) -> u64 {
        let own = |part: &&Part| !matches!(part.what, What::Waiting { .. });
        self.parts.iter().filter(own).map(Part::took_ms).sum()
    }

    /// When it was where it should be.
    pub fn to_ms(&self) -> u64 {
        self.parts.last().map_or(0, |part| part.to_ms)
    }

    /// What it waited for last.
    fn held_by(&self) -> &[String] {
        let waits = self.parts.iter().rev().find_map(|part| match &part.what {
            What::Waiting { on } => Some(on.as_slice()),
            _ => None,
        });
        waits.unwrap_or_default()
    }
}

impl Start {
    /// Every start in these records, the latest last. `now` ends what is still on the way.
    pub fn all(records: &[Record], now: Timestamp) -> Vec<Self> {
        let mut reader = Reader::default();
        records.iter().for_each(|record| reader.take(record));
        reader.end(now)
    }

    /// The row of a name.
    pub fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }

    /// Whether another start was of the same services and tasks.
    pub fn is_like(&self, other: &Self) -> bool {
        self.rows.len() == other.rows.len()
            && self.rows.iter().all(|row| other.row(&row.name).is_some())
    }

    fn settle(&mut self) {
        self.rows.retain(|row| !row.parts.is_empty());
        self.took_ms = self.rows.iter().map(Row::to_ms).max().unwrap_or(0);
        self.unfinished = self.rows.iter().any(|row| row.end == End::Unfinished);
        let mut chain = Vec::new();
        let last = |rows: Vec<&Row>| {
            let last = rows.into_iter().max_by_key(|row| row.to_ms());
            last.map(|row| row.name.clone())
        };
        let mut next = last(self.rows.iter().collect());
        while let Some(name) = next.filter(|name| !chain.contains(name)) {
            let held_by = self.row(&name).map(Row::held_by).unwrap_or_default();
            next = last(held_by.iter().filter_map(|name| self.row(name)).collect());
            chain.push(name);
        }
        chain.reverse();
        self.critical = chain;
    }
}

/// Folds records into starts.
#[derive(Debug, Default)]
struct Reader {
    starts: Vec<Start>,
    /// Stops by a command that may turn out to be a restart.
    stopping: BTreeMap<String, (String, u32, Timestamp)>,
    /// What each name of the current start does, and since when.
    open: BTreeMap<String, (What, Timestamp)>,
}

impl Reader {
    fn take(&mut self, record: &Record) {
        if matches!(record.event, Event::Down) {
            self.close_all(record.at, End::Stopped);
            self.stopping.clear();
            return;
        }
        let Some(name) = &record.name else {
            if let (Event::Applied { steps }, Cause::Command { command, pid }) =
                (&record.event, &record.cause)
                && !steps.is_empty()
            {
                self.begin(command, *pid, record.at);
            }
            return;
        };
        match &record.event {
            // It is no good, and is started again.
            Event::Stopping if record.cause.is_own_fault() => {
                self.goes_on(name, record.at, What::Stopping);
            }
            Event::Stopping => {
                self.close(name, record.at, End::Stopped);
                if let Cause::Command { command, pid } = &record.cause {
                    self.stopping.insert(name.clone(), (command.clone(), *pid, record.at));
                }
            }
            Event::Waiting { on } => {
                self.opens(name, record, What::Waiting { on: on.clone() });
            }
            Event::Starting => self.opens(name, record, What::Starting),
            Event::Running { .. } => self.goes_on(name, record.at, What::Running),
            Event::Spawned { .. } => {
                let checking = What::Checking { failed: None, held: false };
                self.goes_on(name, record.at, checking);
            }
            Event::Checked { failed } => {
                if let Some((What::Checking { failed: last, .. }, _)) = self.open.get_mut(name) {
                    *last = Some(failed.clone());
                }
            }
            Event::Exited { .. } => {
                if let Some((What::Checking { .. }, _)) = self.open.get(name) {
                    self.goes_on(name, record.at, What::ClearingUp);
                }
            }
            Event::Backoff { .. } => self.goes_on(name, record.at, What::Pausing),
            Event::Ready { checked, .. } => {
                match self.open.get_mut(name) {
                    Some((what @ What::Checking { .. }, _)) if !checked => *what = What::Proving,
                    Some((What::Checking { held, .. }, _)) => *held = true,
                    Some(_) | None => {}
                }
                self.close(name, record.at, End::Ready);
            }
            Event::Done { .. } => self.close(name, record.at, End::Done),
            Event::Failed { .. } => self.close(name, record.at, End::Failed),
            Event::Skipped => {
                if !self.open.contains_key(name) {
                    self.opens(name, record, What::Waiting { on: Vec::new() });
                }
                self.close(name, record.at, End::Skipped);
            }
            Event::Stopped => self.close(name, record.at, End::Stopped),
            Event::SupervisorStarted { .. }
            | Event::Applied { .. }
            | Event::Unhealthy { .. }
            | Event::Signalled { .. }
            | Event::Swept { .. }
            | Event::Stuck { .. }
            | Event::Step { .. }
            | Event::StepEnded { .. }
            | Event::Hook { .. }
            | Event::Notice { .. }
            | Event::Down => {}
        }
    }

    /// A new start, unless this command has begun one.
    fn begin(&mut self, command: &str, pid: u32, at: Timestamp) {
        let key = (command.to_owned(), pid);
        if self.starts.last().is_some_and(|start| start.key == key) {
            return;
        }
        // What an earlier command has not brought to an end is this one's from here on.
        self.close_all(at, End::Unfinished);
        self.starts.push(Start {
            command: command.to_owned(),
            began: at,
            took_ms: 0,
            unfinished: false,
            critical: Vec::new(),
            rows: Vec::new(),
            key,
        });
    }

    /// A wait or a start begins, maybe that of a whole command.
    fn opens(&mut self, name: &str, record: &Record, what: What) {
        let stopped = self.stopping.remove(name);
        if let Cause::Command { command, pid } = &record.cause {
            let of_this = |stop: &&(String, u32, Timestamp)| stop.0 == *command && stop.1 == *pid;
            let earlier = self.stopping.values().filter(of_this).map(|(_, _, at)| *at).min();
            let own = stopped.as_ref().filter(of_this).map(|(_, _, at)| *at);
            let began = [own, earlier, Some(record.at)].into_iter().flatten().min();
            self.begin(command, *pid, began.unwrap_or(record.at));
        } else if !self.open.contains_key(name) && !self.is_wanted(name, &record.cause) {
            return;
        }
        if let (Some((_, _, at)), Some(start)) = (stopped, self.starts.last())
            && at >= start.began
            && !self.open.contains_key(name)
        {
            self.open.insert(name.to_owned(), (What::Stopping, at));
        }
        if !self.open.contains_key(name) {
            let Some(start) = self.starts.last_mut() else { return };
            start.rows.retain(|row| row.name != name);
            start.rows.push(Row { name: name.to_owned(), end: End::Unfinished, parts: Vec::new() });
            self.open.insert(name.to_owned(), (what, record.at));
            return;
        }
        if let Some(start) = self.starts.last_mut()
            && start.row(name).is_none()
        {
            start.rows.push(Row { name: name.to_owned(), end: End::Unfinished, parts: Vec::new() });
        }
        self.goes_on(name, record.at, what);
    }

    /// Whether what starts by itself belongs to the start that is on the way.
    fn is_wanted(&self, name: &str, cause: &Cause) -> bool {
        let is_part =
            matches!(cause, Cause::Need { .. } | Cause::Follow { .. } | Cause::Edit { .. });
        let last = self.starts.last();
        is_part && last.is_some_and(|start| start.row(name).is_none()) && !self.open.is_empty()
    }

    fn goes_on(&mut self, name: &str, at: Timestamp, what: What) {
        let Some((before, since)) = self.open.get_mut(name) else { return };
        let ended = std::mem::replace(before, what);
        let from = std::mem::replace(since, at);
        self.add(name, ended, from, at);
    }

    fn add(&mut self, name: &str, what: What, from: Timestamp, to: Timestamp) {
        let Some(start) = self.starts.last_mut() else { return };
        let millis = |at: Timestamp| {
            u64::try_from(at.duration_since(start.began).as_millis()).unwrap_or_default()
        };
        let (from_ms, to_ms) = (millis(from), millis(to));
        let Some(row) = start.rows.iter_mut().find(|row| row.name == name) else { return };
        row.parts.push(Part { what, from_ms, to_ms });
    }

    fn close(&mut self, name: &str, at: Timestamp, end: End) {
        let Some((what, since)) = self.open.remove(name) else { return };
        self.add(name, what, since, at);
        let row = self
            .starts
            .last_mut()
            .and_then(|start| start.rows.iter_mut().find(|row| row.name == name));
        if let Some(row) = row {
            row.end = end;
        }
    }

    fn close_all(&mut self, at: Timestamp, end: End) {
        let names: Vec<String> = self.open.keys().cloned().collect();
        names.iter().for_each(|name| self.close(name, at, end));
    }

    fn end(mut self, now: Timestamp) -> Vec<Start> {
        self.close_all(now, End::Unfinished);
        self.starts.iter_mut().for_each(Start::settle);
        self.starts.retain(|start| !start.rows.is_empty());
        self.starts
    }
}

#[cfg(test)]
mod tests;
