//! The table of processes, as `ps` shows it.

use std::{
    collections::{HashMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    io,
};

use super::{KernelTag, ProcId, output};
use crate::platform::{FileId, MARK, own_uid};

/// All processes at about one moment.
#[derive(Debug, Default)]
pub struct Table {
    entries: Vec<Entry>,
    by_pid: HashMap<u32, usize>,
}

/// How much of a process's environment can be seen, and what there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// It carries this mark: `STACKRUN_ID=…`.
    Marked(Vec<u8>),
    /// It carries none.
    Unmarked,
    /// This user may not see it.
    Hidden,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which.
    pub id: ProcId,
    /// Its parent.
    pub parent: u32,
    /// Its process group.
    pub group: u32,
    /// Its session, where it is told; its process group otherwise.
    pub session: u32,
    /// Its state: `R`, `S`, `D`, `T`, `Z`….
    pub state: char,
    /// Its program's name.
    pub name: String,
}

/// What `ps` is asked for; the start takes five words, the name is last.
const FORMAT: &str = "pid=,ppid=,pgid=,state=,lstart=,comm=";

impl Table {
    /// Looks at every process.
    ///
    /// # Errors
    ///
    /// Those of running `ps`.
    pub fn read() -> io::Result<Self> {
        let mut table = Self::default();
        for entry in output("ps", &["-A", "-o", FORMAT])?.lines().filter_map(Entry::parse) {
            table.by_pid.insert(entry.id.pid, table.entries.len());
            table.entries.push(entry);
        }
        Ok(table)
    }

    /// Every process.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether the system hides other users' processes from this user.
    pub fn hides_others(&self) -> bool {
        self.get(1).is_none()
    }

    /// The process of that number.
    pub fn get(&self, pid: u32) -> Option<&Entry> {
        self.by_pid.get(&pid).map(|&index| &self.entries[index])
    }
}

impl Entry {
    /// Looks at one process.
    pub fn read(pid: u32) -> Option<Self> {
        let lines = output("ps", &["-o", FORMAT, "-p", &pid.to_string()]).ok()?;
        Self::parse(lines.lines().next()?)
    }

    fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let number = |index: usize| words.get(index)?.parse().ok();
        let (pid, group) = (number(0)?, number(2)?);
        // Only whether it is the same one matters, so that the text need not be understood.
        let mut start = DefaultHasher::new();
        words.get(4..9)?.hash(&mut start);
        Some(Self {
            id: ProcId { pid, start: start.finish() },
            parent: number(1)?,
            group,
            session: group,
            state: words.get(3)?.chars().next()?,
            name: words.get(9..)?.join(" "),
        })
    }

    /// Whether it has ended and waits to be reaped.
    pub fn is_dead(&self) -> bool {
        self.state == 'Z'
    }

    /// Whether it is about to end: not told here.
    pub fn is_ending(&self) -> bool {
        false
    }

    /// The number that descendants inherit: not to be had here.
    pub fn tag(&self) -> Option<KernelTag> {
        None
    }

    /// Its first three descriptors: not told here.
    pub fn pipes(&self) -> Vec<FileId> {
        Vec::new()
    }

    /// The mark in its environment.
    pub fn mark(&self) -> Option<Vec<u8>> {
        self.variable(MARK).map(String::into_bytes)
    }

    /// The same; what this user may not see is shown without its environment.
    pub fn sight(&self) -> Sight {
        match self.mark() {
            Some(mark) => Sight::Marked(mark),
            None if matches!(self.real_uid(), Some(uid) if uid == own_uid()) => Sight::Unmarked,
            None => Sight::Hidden,
        }
    }

    /// A variable of its environment, as `NAME=value`.
    pub fn variable(&self, name: &str) -> Option<String> {
        let words =
            output("ps", &["eww", "-o", "command=", "-p", &self.id.pid.to_string()]).ok()?;
        let is_it = |word: &&str| word.strip_prefix(name).is_some_and(|rest| rest.starts_with('='));
        words.split_ascii_whitespace().find(is_it).map(str::to_owned)
    }

    /// The user who started it.
    fn real_uid(&self) -> Option<u32> {
        output("ps", &["-o", "ruid=", "-p", &self.id.pid.to_string()]).ok()?.trim().parse().ok()
    }
}

/// A pipe that has lost its name cannot be opened again here.
pub fn held_pipe(_pid: u32, _pipe: FileId) -> Option<std::os::fd::OwnedFd> {
    None
}

/// The named pipes that a process has as stdout and stderr: not told here.
pub fn named_outputs(_pid: u32) -> Vec<(FileId, std::path::PathBuf)> {
    Vec::new()
}
