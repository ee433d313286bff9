//! What the fuzz targets try of this layer.

use jiff::{Timestamp, tz::TimeZone};

use super::{http, journal::Journal, ledger::Ledger, schedule};
use crate::{
    event::{Cause, Event, Record},
    model::Cron,
    platform::Subfolder,
};

/// The records of the ledger in a folder as a supervisor finds them, and as the next one does
/// after this one has added a record.
pub fn ledger(folder: &Subfolder) -> (Vec<Record>, Vec<Record>) {
    let mut ledger = Ledger::open(folder);
    let before = records(&ledger);
    ledger.append(Some("api"), Some(1), Event::Starting, Cause::Exit);
    ledger.flush();
    (before, records(&Ledger::open(folder)))
}

fn records(ledger: &Ledger) -> Vec<Record> {
    ledger.since(0).map(|json| serde_json::from_str(&json).expect("a record")).collect()
}

/// Reads the journal of a task's steps, a file in that folder.
pub fn steps(folder: &Subfolder, task: &str) {
    let journal = Journal::read(folder, task);
    for line in &journal.lines {
        for on_failure in [false, true] {
            journal.end(line.generation, on_failure);
        }
    }
}

/// Takes the address of a check apart.
pub fn url(text: &str) {
    let _bad_or_not = http::parse_url(text, false);
}

/// The next times of a schedule, each after the one before.
pub fn next_times(cron: &Cron) {
    let mut now = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
    for _ in 0..10 {
        let Some(next) = schedule::after(cron, &now) else { return };
        assert!(next > now.timestamp(), "it lies ahead");
        now = next.to_zoned(TimeZone::UTC);
    }
}
