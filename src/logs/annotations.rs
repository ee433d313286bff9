//! Marks: what happened to services and tasks between their lines, from the stack's ledger.
//!
//! The ledger is read from its end, as far back as is asked for.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Seek, SeekFrom},
    path::PathBuf,
    time::Duration,
};

use jiff::Timestamp;

use super::{Follower, Log, Since};
use crate::{
    event::{Event, Record, ledger_line},
    platform::Subfolder,
};

/// The ledger, and the one that was set aside when it had grown too long.
pub const LEDGER: &str = "ledger";
/// See [`LEDGER`].
pub const OLD_LEDGER: &str = "ledger.1";

/// So many bytes of the ledger are read at once.
const CHUNK: u64 = 256 << 10;
/// The start of a service is looked for so long before its first line.
const BEFORE: Duration = Duration::from_secs(2);

/// The marks of a stack.
#[derive(Debug, Clone)]
pub struct Marks {
    state: Subfolder,
    /// Of these services and tasks; none: of all.
    names: Vec<String>,
}

impl Marks {
    /// Those of the stack whose state is in that folder.
    pub fn new(state: &Subfolder, names: &[String]) -> Self {
        Self { state: state.clone(), names: names.to_vec() }
    }

    /// Those since a moment; without one all.
    pub fn since(&self, since: Option<Timestamp>) -> Vec<Record> {
        let since = since.unwrap_or(Timestamp::MIN);
        let mut records = read_back(&self.state, LEDGER, since);
        if records.first().is_none_or(|first| first.at >= since) {
            let mut older = read_back(&self.state, OLD_LEDGER, since);
            older.append(&mut records);
            records = older;
        }
        records.retain(|record| record.at >= since && self.is_mark(record));
        records
    }

    /// Where in its log, and when, each service and task was started last.
    pub fn last_starts(&self) -> BTreeMap<String, Since> {
        let started = |mark: Record| match mark.event {
            Event::Spawned { log: place, .. } | Event::Running { log: place, .. } => {
                Some((mark.name?, Since { at: mark.at, place }))
            }
            _ => None,
        };
        self.since(None).into_iter().filter_map(started).collect()
    }

    /// Whether a record is shown between the lines.
    fn is_mark(&self, record: &Record) -> bool {
        let Some(name) = &record.name else { return false };
        let owner = name.split('.').next().unwrap_or(name);
        let is_wanted = |wanted: &String| wanted == name || wanted == owner;
        if !self.names.is_empty() && !self.names.iter().any(is_wanted) {
            return false;
        }
        matches!(
            record.event,
            Event::Spawned { .. }
                | Event::Running { .. }
                | Event::Ready { .. }
                | Event::Stopping
                | Event::Exited { .. }
                | Event::Failed { .. }
        )
    }
}

/// A little before that moment: when the mark of the start may stand that a line followed.
pub(super) fn about(at: Timestamp) -> Timestamp {
    at.checked_sub(BEFORE).unwrap_or(at)
}

/// The records of a ledger since a moment, and perhaps some before.
fn read_back(state: &Subfolder, ledger: &str, since: Timestamp) -> Vec<Record> {
    let Ok(mut file) = state.open_read(ledger) else { return Vec::new() };
    let mut start = file.metadata().map_or(0, |file| file.len());
    let mut bytes: Vec<u8> = Vec::new();
    let mut parts: Vec<Vec<Record>> = Vec::new();
    while start > 0 {
        let length = start.min(CHUNK);
        start -= length;
        let mut chunk = Vec::new();
        let read = file.seek(SeekFrom::Start(start));
        if read.and_then(|_| file.by_ref().take(length).read_to_end(&mut chunk)).is_err() {
            break;
        }
        chunk.append(&mut bytes);
        // The first line may have begun before.
        let whole = match start {
            0 => 0,
            _ => memchr::memchr(b'\n', &chunk).map_or(chunk.len(), |end| end + 1),
        };
        let records = parse(&chunk[whole..]);
        chunk.truncate(whole);
        bytes = chunk;
        let enough = records.first().is_some_and(|first| first.at < since);
        parts.push(records);
        if enough {
            break;
        }
    }
    parts.into_iter().rev().flatten().collect()
}

fn parse(bytes: &[u8]) -> Vec<Record> {
    bytes.split(|byte| *byte == b'\n').filter_map(ledger_line::decode).collect()
}

/// Marks as they come.
#[derive(Debug)]
pub(super) struct MarkFollower {
    marks: Marks,
    follower: Follower,
    partial: Vec<u8>,
    /// What is being started, but does not run yet as far as it was told.
    starting: BTreeSet<String>,
}

impl MarkFollower {
    /// From now on.
    pub(super) fn new(marks: Marks) -> Self {
        let (name, file) = (LEDGER.to_owned(), PathBuf::from(LEDGER));
        let log = Log { name, folder: marks.state.clone(), file };
        let follower = Follower::from_end(&log);
        Self { marks, follower, partial: Vec::new(), starting: BTreeSet::new() }
    }

    /// Those that have come since the last time.
    pub(super) fn take(&mut self) -> Vec<Record> {
        self.partial.extend(self.follower.bytes());
        let whole = memchr::memrchr(b'\n', &self.partial).map_or(0, |end| end + 1);
        let lines: Vec<u8> = self.partial.drain(..whole).collect();
        let mut records = parse(&lines);
        records.iter().for_each(|record| self.note(record));
        records.retain(|record| self.marks.is_mark(record));
        records
    }

    /// Whether that service is being started: what it writes may be there before its mark.
    pub(super) fn is_starting(&self, name: &str) -> bool {
        self.starting.contains(name)
    }

    fn note(&mut self, record: &Record) {
        let Some(name) = &record.name else { return };
        match record.event {
            Event::Starting => drop(self.starting.insert(name.clone())),
            Event::Spawned { .. }
            | Event::Running { .. }
            | Event::Exited { .. }
            | Event::Failed { .. }
            | Event::Stopped => drop(self.starting.remove(name)),
            _ => {}
        }
    }
}
