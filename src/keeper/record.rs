//! What a keeper that takes over has to know: a small file for each unit, in the runtime folder.
//!
//! They are hints. Whether a process still is the one that was recorded is for its identity to
//! tell, and nothing of another boot counts.

use std::{
    collections::{HashMap, HashSet},
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    keep::Keeper,
    logs::Output,
    protocol::UnitId,
    unit::{OutputPipe, Unit},
};
use crate::{
    event::Tick,
    model::{Exit, LogPolicy},
    platform::{self, Fifo, ProcId, Process},
};

/// The ending of a record's name.
const SUFFIX: &str = "unit";

/// A unit as it is recorded.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    boot: String,
    unit: UnitId,
    main: ProcId,
    started: Tick,
    log_offset: u64,
    log_policy: LogPolicy,
    outputs: Vec<OutputPipe>,
    mark: String,
    known: Vec<ProcId>,
    exit: Option<Exit>,
    told: bool,
    gone: bool,
}

impl Record {
    fn of(unit: &Unit, boot: &str) -> Self {
        Self {
            boot: boot.to_owned(),
            unit: unit.id.clone(),
            main: unit.main,
            started: unit.started,
            log_offset: unit.log_offset,
            log_policy: unit.log_policy.clone(),
            outputs: unit.outputs.clone(),
            mark: String::from_utf8_lossy(&unit.mark).into_owned(),
            known: unit.known.clone(),
            exit: unit.end.as_ref().map(|end| end.exit),
            told: unit.end.as_ref().is_some_and(|end| end.told),
            gone: unit.gone,
        }
    }

    fn into_unit(self, now: Tick) -> Unit {
        let process = Process::open(self.main);
        let ended = self.exit.is_some() || process.is_none();
        let mut unit = Unit {
            id: self.unit,
            main: self.main,
            process: process.filter(|_| !ended),
            child: false,
            started: self.started,
            log_offset: self.log_offset,
            log_policy: self.log_policy,
            outputs: self.outputs,
            mark: self.mark.into_bytes(),
            known: self.known,
            end: None,
            kill: None,
            killed: HashSet::new(),
            watched: HashMap::new(),
            look: None,
            remembered: 0,
            changed: true,
            gone: self.gone,
        };
        unit.look = unit.remember(now);
        if ended {
            unit.ended(self.exit.unwrap_or(Exit::UNKNOWN), now);
        }
        if let Some(end) = &mut unit.end {
            end.told = self.told;
            end.undrained.clear();
        }
        unit
    }
}

impl Keeper {
    /// Brings the records up to date.
    pub(super) fn record(&mut self) {
        for unit in self.units.values_mut().filter(|unit| unit.changed) {
            unit.changed = false;
            let record = Record::of(unit, &self.boot);
            let bytes = serde_json::to_vec(&record).unwrap_or_default();
            // Without room for it there is no take-over; nothing else is lost.
            let _no_room = replace(&self.places.fifo(&name(unit)), &bytes);
        }
    }

    pub(super) fn unrecord(&self, unit: &Unit) {
        let _no_room_for_it = std::fs::remove_file(self.places.fifo(&name(unit)));
    }

    /// Keeps the supervisor's note, for a keeper that takes over too.
    pub(super) fn keep_note(&mut self, note: String) {
        let _no_room = replace(&self.places.note(), note.as_bytes());
        self.note = note;
    }

    /// Takes over what a keeper that is dead has left.
    pub(super) fn take_over(&mut self) -> io::Result<()> {
        let now = platform::now();
        let mut used = HashSet::new();
        for (path, record) in read_all(&self.places.runtime, &self.boot)? {
            used.insert(path);
            let unit = record.into_unit(now);
            for output in &unit.outputs {
                used.insert(output.path.clone());
                self.reopen(&unit, output);
            }
            self.adopted |= !unit.gone;
            self.hold(unit);
        }
        if !used.is_empty() {
            self.note = std::fs::read_to_string(self.places.note()).unwrap_or_default();
        }
        remove_unused(&self.places.runtime, &used);
        Ok(())
    }

    /// Goes on with the log of an output. What its pipe holds has been waiting there.
    fn reopen(&mut self, unit: &Unit, output: &OutputPipe) {
        let Ok(fifo) = Fifo::open(output.path.clone()) else { return };
        if fifo.id == output.id {
            self.open_outputs.insert(output.key);
            self.logs.open(Output {
                key: output.key,
                pipe: fifo.reader,
                path: output.log.clone(),
                policy: unit.log_policy.clone(),
            });
        }
    }
}

fn name(unit: &Unit) -> String {
    let key = unit.outputs.first().map_or(0, |output| output.key);
    format!("{key:x}.{SUFFIX}")
}

/// Writes a file in one step: whoever reads sees the old or the new one.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    std::fs::write(&new, bytes)?;
    std::fs::rename(new, path)
}

fn read_all(folder: &Path, boot: &str) -> io::Result<Vec<(PathBuf, Record)>> {
    let mut records = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == SUFFIX) {
            let record: Option<Record> =
                std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
            records
                .extend(record.filter(|record| record.boot == boot).map(|record| (path, record)));
        }
    }
    Ok(records)
}

/// Removes pipes and records that are nobody's any more.
fn remove_unused(folder: &Path, used: &HashSet<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()).filter(|path| !used.contains(path)) {
        let extension = path.extension().unwrap_or_default();
        if extension == SUFFIX || extension == "pipe" || extension == "new" {
            let _gone_already = std::fs::remove_file(path);
        }
    }
}
