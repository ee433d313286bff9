//! The journal in the runtime folder: a line for each change of a unit or of a part of the checkpoint; the last
//! one counts, and one that was cut short does not. Nothing of another boot counts.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::File,
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    protocol::{Checkpoint, CheckpointPart, UnitId},
    units::Record,
};
use crate::{
    event::Tick,
    platform::{self, Dir, ProcId, StackId, StackPaths},
};

/// The journal is rewritten once this many bytes have been added, or twice what it began with.
const SLACK: usize = 1 << 20;

/// A line of the journal.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Line {
    Boot(String),
    /// When it was begun: the latest of several counts.
    Begun(Tick),
    Unit(Box<Record>),
    /// It runs, and nothing else of its record has changed.
    Started(UnitId, ProcId),
    Forgotten(UnitId),
    CheckpointPart(CheckpointPart, String),
    /// What comes after the text of a part of the checkpoint so far.
    CheckpointPartAppended(CheckpointPart, String),
    /// What could not be ended when the stack was to be: all of it.
    Left(Vec<ProcId>),
    /// The keeper has taken over from another one: it is not the parent of everything.
    Adopted,
}

/// The journal as it is written.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    /// None if it could not be opened, or not be written to: then there is no take-over, and
    /// nothing else is lost.
    file: Option<File>,
    /// Its length when it was last rewritten, and what has been added since.
    first: usize,
    added: usize,
    unwritten: Vec<u8>,
    /// That it could not be written has been said.
    complained: bool,
}

impl Journal {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, file: None, first: 0, added: 0, unwritten: Vec::new(), complained: false }
    }

    /// From now on it is there, once it is rewritten.
    pub(super) fn move_to(&mut self, path: PathBuf) {
        *self = Self::new(path);
    }

    pub(super) fn add(&mut self, line: &Line) {
        add(&mut self.unwritten, line);
    }

    /// Writes what was added. Not if the journal is to be rewritten.
    pub(super) fn write(&mut self) {
        let Some(file) = &mut self.file else { return };
        self.added += self.unwritten.len();
        if file.write_all(&self.unwritten).is_err() {
            self.file = None;
        }
        self.unwritten.clear();
    }

    /// Whether it has grown too long, or could not be written last time and has news.
    pub(super) fn wants_to_be_new(&self) -> bool {
        let broken = self.file.is_none() && !self.unwritten.is_empty();
        broken || self.added > SLACK.max(self.first * 2)
    }

    /// Puts these lines in place of all, in one step. An error is returned the first time.
    pub(super) fn replace(&mut self, lines: impl Iterator<Item = Line>) -> io::Result<()> {
        self.unwritten.clear();
        self.file = None;
        let mut bytes = Vec::new();
        lines.for_each(|line| add(&mut bytes, &line));
        match self.put(&bytes) {
            Ok(file) => {
                self.file = Some(file);
                (self.first, self.added, self.complained) = (bytes.len(), 0, false);
                Ok(())
            }
            Err(error) if !std::mem::replace(&mut self.complained, true) => Err(error),
            Err(_said) => Ok(()),
        }
    }

    fn put(&self, bytes: &[u8]) -> io::Result<File> {
        let (folder, name) = folder_and_name(&self.path)?;
        folder.put(name, bytes)
    }
}

/// The runtime folder, and the name of a journal in it.
fn folder_and_name(journal: &Path) -> io::Result<(Dir, &OsStr)> {
    let folder = journal.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let name = journal.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    Ok((Dir::open_own(folder)?, name))
}

fn add(bytes: &mut Vec<u8>, line: &Line) {
    // Lines are plain data with names as keys; such a thing cannot fail to be written.
    let _ = super::framing::add_line(bytes, line);
}

/// What a journal tells.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The last record of each unit.
    pub(super) records: BTreeMap<UnitId, Record>,
    /// The last text of each part of the checkpoint.
    pub(super) checkpoint: Checkpoint,
    /// What could not be ended.
    pub(super) left: Vec<ProcId>,
    /// Whether its keeper had taken over from another one.
    pub(super) adopted: bool,
}

impl Told {
    /// Whether it tells of nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.checkpoint.is_empty() && self.left.is_empty()
    }
}

/// The journal that was begun last, of all that keepers of the stack have left in this boot.
pub(super) fn newest(places: &StackPaths) -> Option<PathBuf> {
    latest(places.all_units())
}

fn latest(journals: Vec<PathBuf>) -> Option<PathBuf> {
    let begun = |path: PathBuf| Some((begin(&path)?, path));
    journals.into_iter().filter_map(begun).max().map(|(_, path)| path)
}

/// When a journal was begun; `None` if it is of another boot.
fn begin(journal: &Path) -> Option<Tick> {
    let (folder, name) = folder_and_name(journal).ok()?;
    let mut lines = BufReader::new(folder.open_read(name).ok()?).lines();
    let mut next = || serde_json::from_str(&lines.next()?.ok()?).ok();
    match (next()?, next()) {
        (Line::Boot(boot), begun) if boot == platform::boot_id() => match begun {
            Some(Line::Begun(at)) => Some(at),
            Some(_) | None => Some(Tick::default()),
        },
        _ => None,
    }
}

/// Reads the newest journal of a stack.
///
/// # Errors
///
/// `NotFound` if there is none; those of reading it.
pub(super) fn read_newest(places: &StackPaths) -> io::Result<Told> {
    read(&newest(places).ok_or(io::ErrorKind::NotFound)?)
}

/// The same of another stack, by its identity alone.
///
/// # Errors
///
/// As [`read_newest`].
pub(super) fn read_newest_of(stack: StackId) -> io::Result<Told> {
    read(&latest(StackPaths::all_units_of(stack)).ok_or(io::ErrorKind::NotFound)?)
}

/// What a supervisor gave the keeper of a stack to keep, as that has written it down.
pub fn kept(places: &StackPaths, part: CheckpointPart) -> Option<String> {
    read_newest(places).ok()?.checkpoint.remove(&part)
}

/// Reads a journal; nothing if it is of another boot.
pub(super) fn read(journal: &Path) -> io::Result<Told> {
    let mut told = Told::default();
    let mut this_boot = false;
    let (folder, name) = folder_and_name(journal)?;
    for line in folder.read(name)?.split(|byte| *byte == b'\n') {
        match serde_json::from_slice(line) {
            Ok(Line::Begun(_)) => {}
            Ok(Line::Boot(boot)) => this_boot = boot == platform::boot_id(),
            Ok(Line::Unit(record)) => {
                told.records.insert(record.origin.unit.clone(), *record);
            }
            Ok(Line::Started(unit, main)) => {
                if let Some(record) = told.records.get_mut(&unit) {
                    record.main = Some(main);
                    record.known = vec![main];
                }
            }
            Ok(Line::Forgotten(unit)) => drop(told.records.remove(&unit)),
            Ok(Line::CheckpointPart(part, text)) => drop(told.checkpoint.insert(part, text)),
            Ok(Line::CheckpointPartAppended(part, text)) => {
                told.checkpoint.entry(part).or_default().push_str(&text);
            }
            Ok(Line::Left(left)) => told.left = left,
            Ok(Line::Adopted) => told.adopted = true,
            Err(_cut_short) => {}
        }
    }
    Ok(if this_boot { told } else { Told::default() })
}
