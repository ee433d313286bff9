//! What a keeper that takes over has to know: a journal in the runtime folder, a line for each
//! change of a unit or of the note; the last one counts, and one that was cut short does not.
//!
//! It is a hint. Whether a process still is the one that was recorded is for its identity to
//! tell, and nothing of another boot counts.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs::File,
    io::{self, Write},
    os::fd::RawFd,
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
    platform::{self, Entry, Fifo, ProcId, Process, Pty},
};

/// The journal is written anew once it has so many lines more than it would need.
const SLACK: usize = 2000;

/// A line of the journal.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Boot(String),
    Unit(Box<Record>),
    Forgotten(UnitId),
    Note(String),
}

/// A unit as it is recorded.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
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
    fn of(unit: &Unit) -> Self {
        Self {
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
        // After an upgrade they still are our children; after a take-over nobody is.
        let own = Some(std::process::id());
        let child = process.is_some() && Entry::read(self.main.pid).map(|e| e.parent) == own;
        let ended = self.exit.is_some() || process.is_none();
        let mut unit = Unit {
            id: self.unit,
            main: self.main,
            process: process.filter(|_| !ended),
            child,
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
        }
        unit
    }
}

/// The journal as it is written.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    /// None if it could not be opened, or not be written to: then there is no take-over, and
    /// nothing else is lost.
    file: Option<File>,
    lines: usize,
    unwritten: Vec<u8>,
}

impl Journal {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, file: None, lines: 0, unwritten: Vec::new() }
    }

    fn add(&mut self, line: &Line) {
        self.unwritten.extend(super::handle::line(line));
        self.lines += 1;
    }

    fn write(&mut self) {
        let lines = std::mem::take(&mut self.unwritten);
        if let (false, Some(file)) = (lines.is_empty(), &mut self.file)
            && file.write_all(&lines).is_err()
        {
            self.file = None;
        }
    }

    /// Puts these lines in place of all, in one step.
    fn replace(&mut self, lines: impl Iterator<Item = Line>) {
        self.unwritten.clear();
        self.lines = 0;
        lines.for_each(|line| self.add(&line));
        let new = self.path.with_extension("new");
        self.file = File::create(&new).ok();
        self.write();
        if std::fs::rename(new, &self.path).is_err() {
            self.file = None;
        }
    }
}

impl Keeper {
    /// Brings the journal up to date.
    pub(super) fn record(&mut self) {
        for unit in self.units.values_mut().filter(|unit| unit.changed) {
            unit.changed = false;
            self.journal.add(&Line::Unit(Box::new(Record::of(unit))));
        }
        if self.journal.lines > self.units.len() * 2 + SLACK {
            self.rewrite_journal();
        }
        self.journal.write();
    }

    pub(super) fn forget(&mut self, id: UnitId) {
        if self.units.get(&id).is_some_and(|unit| unit.gone) {
            self.units.remove(&id);
            self.journal.add(&Line::Forgotten(id));
        }
    }

    /// Keeps the supervisor's note, for a keeper that takes over too.
    pub(super) fn keep_note(&mut self, note: String) {
        self.note.clone_from(&note);
        self.journal.add(&Line::Note(note));
    }

    fn rewrite_journal(&mut self) {
        let first = [Line::Boot(platform::boot_id()), Line::Note(self.note.clone())];
        let units = self.units.values().map(|unit| Line::Unit(Box::new(Record::of(unit))));
        self.journal.replace(first.into_iter().chain(units));
    }

    /// Takes over what a keeper that is dead has left.
    pub(super) fn take_over(&mut self) {
        let now = platform::now();
        let mut used = HashSet::new();
        let (records, note) = read(&self.places.units()).unwrap_or_default();
        self.note = note;
        for unit in records.into_values().map(|record| record.into_unit(now)) {
            for output in &unit.outputs {
                used.insert(output.path.clone());
                self.reopen(&unit, output);
            }
            self.adopted |= !unit.gone && !unit.child;
            self.hold(unit);
        }
        self.logs.wake();
        // Zombies of strangers may wait from before.
        self.orphans = Some(now);
        self.rewrite_journal();
        remove_unused(&self.places.runtime, &used);
    }

    /// Goes on with the log of an output. What its pipe holds has been waiting there.
    fn reopen(&mut self, unit: &Unit, output: &OutputPipe) {
        if let Some(number) = output.terminal {
            return self.reopen_terminal(unit, output, number);
        }
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

    /// Goes on with a terminal that the program before has left open. With a keeper that is dead
    /// the terminal is gone, too.
    fn reopen_terminal(&mut self, unit: &Unit, output: &OutputPipe, number: RawFd) {
        let Ok(Pty { master, .. }) = Pty::inherit(number, output.id) else { return };
        let Ok(pipe) = master.try_clone() else { return };
        self.open_outputs.insert(output.key);
        self.open_terminal(output.key, master, &output.path);
        self.logs.open(Output {
            key: output.key,
            pipe,
            path: output.log.clone(),
            policy: unit.log_policy.clone(),
        });
    }
}

/// The last record of each unit, and the last note; nothing if they are of another boot.
fn read(journal: &Path) -> io::Result<(BTreeMap<UnitId, Record>, String)> {
    let (mut records, mut note) = (BTreeMap::new(), String::new());
    let mut this_boot = false;
    for line in std::fs::read_to_string(journal)?.lines() {
        match serde_json::from_str(line) {
            Ok(Line::Boot(boot)) => this_boot = boot == platform::boot_id(),
            Ok(Line::Unit(record)) => drop(records.insert(record.unit.clone(), *record)),
            Ok(Line::Forgotten(unit)) => drop(records.remove(&unit)),
            Ok(Line::Note(last)) => note = last,
            Err(_cut_short) => {}
        }
    }
    Ok(if this_boot { (records, note) } else { Default::default() })
}

/// Removes pipes that are nobody's any more.
fn remove_unused(folder: &Path, used: &HashSet<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == "pipe") && !used.contains(&path) {
            let _gone_already = std::fs::remove_file(path);
        }
    }
}
