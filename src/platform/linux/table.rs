//! The table of processes, as `/proc` shows it (proc(5)).

use std::{collections::HashMap, io, os::fd::OwnedFd, path::PathBuf};

use rustix::fs::{FileType, Mode, OFlags};

use super::{KernelTag, ProcId};
use crate::platform::{FileId, MARK};

/// More than a line of proc_pid_stat(5) takes: 52 fields, of which the name has up to 64 bytes and
/// the others up to 20 digits.
const STAT: usize = 2048;

/// All processes at about one moment.
#[derive(Debug, Default)]
pub struct Table {
    entries: Vec<Entry>,
    by_pid: HashMap<u32, usize>,
    hides_others: bool,
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
    /// Its session.
    pub session: u32,
    /// Its state: `R`, `S`, `D`, `T`, `Z`….
    pub state: char,
    /// The beginning of its program's name.
    pub name: String,
    threads: u32,
    flags: u32,
}

impl Table {
    /// Looks at every process.
    ///
    /// # Errors
    ///
    /// Those of reading `/proc`; a process that ends meanwhile is left out.
    pub fn read() -> io::Result<Self> {
        let mut table = Self::default();
        for entry in std::fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            if let Some(entry) = Entry::read(pid) {
                table.by_pid.insert(pid, table.entries.len());
                table.entries.push(entry);
            }
        }
        // Everybody is to see this one.
        table.hides_others = table.get(1).is_none();
        Ok(table)
    }

    /// Every process.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether the system hides other users' processes from this user (`hidepid` of proc(5)).
    pub fn hides_others(&self) -> bool {
        self.hides_others
    }

    /// The process of that number.
    pub fn get(&self, pid: u32) -> Option<&Entry> {
        self.by_pid.get(&pid).map(|&index| &self.entries[index])
    }
}

impl Entry {
    /// Looks at one process.
    pub fn read(pid: u32) -> Option<Self> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = rustix::fs::open(format!("/proc/{pid}/stat"), flags, Mode::empty()).ok()?;
        // One line, given whole to a buffer that has room for it.
        let mut buffer = [0; STAT];
        let length = rustix::io::read(&file, &mut buffer).ok()?;
        Self::parse(pid, &buffer[..length])
    }

    /// Reads proc_pid_stat(5). The name may hold anything, blanks and brackets included: it ends
    /// at the last closing bracket.
    fn parse(pid: u32, stat: &[u8]) -> Option<Self> {
        let open = stat.iter().position(|&byte| byte == b'(')?;
        let close = stat.iter().rposition(|&byte| byte == b')')?;
        let name = String::from_utf8_lossy(stat.get(open + 1..close)?).into_owned();
        let rest = std::str::from_utf8(stat.get(close + 1..)?).ok()?;
        // The first of these is field 3 of the manual.
        let mut fields = rest.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let parent = fields.next()?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        let session = fields.next()?.parse().ok()?;
        let flags = fields.nth(2)?.parse().ok()?;
        let threads = fields.nth(10)?.parse().ok()?;
        let start = fields.nth(1)?.parse().ok()?;
        Some(Self {
            id: ProcId { pid, start },
            parent,
            group,
            session,
            state,
            name,
            threads,
            flags,
        })
    }

    /// Whether it has ended and waits to be reaped. A process whose first thread alone has ended
    /// looks like a zombie too, but has threads.
    pub fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x') && self.threads <= 1
    }

    /// Whether it is about to end: it may have lost its descriptors and its environment already.
    pub fn is_ending(&self) -> bool {
        const PF_EXITING: u32 = 0x4;
        self.flags & PF_EXITING != 0
    }

    /// The number that the kernel has handed on to it.
    pub fn tag(&self) -> Option<KernelTag> {
        KernelTag::of(self.id.pid)
    }

    /// What its stdin, stdout and stderr are; what may not be looked at is left out.
    pub fn pipes(&self) -> Vec<FileId> {
        let pid = self.id.pid;
        let stat = |number: u8| rustix::fs::stat(format!("/proc/{pid}/fd/{number}")).ok();
        (0..3).filter_map(stat).map(|stat| FileId::from(&stat)).collect()
    }

    /// The `STACKRUN_ID=…` of the environment it was started with.
    pub fn mark(&self) -> Option<Vec<u8>> {
        match self.sight() {
            Sight::Marked(mark) => Some(mark),
            Sight::Unmarked | Sight::Hidden => None,
        }
    }

    /// The same, and whether this user may look (proc_pid_environ(5)).
    pub fn sight(&self) -> Sight {
        const PF_KTHREAD: u32 = 0x0020_0000;
        if self.flags & PF_KTHREAD != 0 {
            return Sight::Unmarked;
        }
        match std::fs::read(format!("/proc/{}/environ", self.id.pid)) {
            Ok(environment) => {
                find(&environment, MARK).map_or(Sight::Unmarked, |text| Sight::Marked(text.into()))
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Sight::Hidden,
            Err(_has_ended) => Sight::Unmarked,
        }
    }

    /// A variable of the environment it was started with, as `NAME=value`.
    pub fn variable(&self, name: &str) -> Option<String> {
        let environment = std::fs::read(format!("/proc/{}/environ", self.id.pid)).ok()?;
        String::from_utf8(find(&environment, name)?.to_vec()).ok()
    }
}

fn find<'e>(environment: &'e [u8], name: &str) -> Option<&'e [u8]> {
    environment.split(|&byte| byte == 0).find(|variable| {
        variable.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'='))
    })
}

/// The real and the effective user of a process.
pub(super) fn uids(pid: u32) -> Option<[u32; 2]> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    let mut uids = line.split_ascii_whitespace().map_while(|uid| uid.parse().ok());
    Some([uids.next()?, uids.next()?])
}

/// The named pipes that a process has as stdout and stderr, each with its name, or the one that it
/// had.
pub fn named_outputs(pid: u32) -> Vec<(FileId, PathBuf)> {
    let output = |number: u8| {
        let path = format!("/proc/{pid}/fd/{number}");
        let stat = rustix::fs::stat(&path).ok()?;
        let is_pipe = FileType::from_raw_mode(stat.st_mode) == FileType::Fifo;
        let name = std::fs::read_link(&path).ok().filter(|name| is_pipe && name.is_absolute())?;
        let name = name.to_str()?;
        let name = name.strip_suffix(" (deleted)").unwrap_or(name);
        Some((FileId::from(&stat), name.into()))
    };
    [1, 2].into_iter().filter_map(output).collect()
}

/// Opens the reading end of a pipe that has lost its name, where a process has it as stdin, stdout
/// or stderr.
pub fn held_pipe(pid: u32, pipe: FileId) -> Option<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let open = |number: u8| {
        let opened = rustix::fs::open(format!("/proc/{pid}/fd/{number}"), flags, Mode::empty());
        opened.ok().filter(|end| rustix::fs::fstat(end).is_ok_and(|s| FileId::from(&s) == pipe))
    };
    (0..3).find_map(open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_brackets_and_blanks() {
        let stat = b"7 (a) R (b) S 1 2 3 0 -1 4 0 0 0 0 0 0 0 0 20 0 5 0 99 1 2";
        let entry = Entry::parse(7, stat).unwrap();
        assert_eq!(entry.name, "a) R (b");
        assert_eq!((entry.state, entry.parent, entry.group, entry.session), ('S', 1, 2, 3));
        assert_eq!((entry.threads, entry.id.start), (5, 99));
    }

    #[test]
    fn the_table_holds_this_process() {
        let table = Table::read().unwrap();
        let own = table.get(std::process::id()).unwrap();
        assert_eq!(Some(own.id), ProcId::of(std::process::id()));
        assert!(!own.is_dead());
    }
}
