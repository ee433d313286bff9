//! What a run of a task writes down as it goes, beside the supervisor: which step is on its way,
//! how each ended, and which files are being written aside.
//!
//! The first line is the supervisor's, the others are written by `stackrun step`. So nothing is
//! lost when the supervisor dies, and the end of a run is known although nobody saw it. Where the
//! file cannot be written the run goes on: only less is known of it.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    event::Tick,
    model::Exit,
    platform::{Dir, StackDir, Subfolder},
};

/// So much of a journal is read, in bytes: far more than any task has steps for.
const LONGEST: u64 = 4 << 20;

/// How the name of a file ends that is being written aside; it begins with a dot.
pub(super) const ASIDE: &str = "stackrun-part";

/// The first line: which run this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// When it began.
    pub(super) began: Tick,
    /// Its `{{now}}`.
    pub(super) stamp: String,
}

/// Another line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) generation: u64,
    pub(super) on_failure: bool,
    pub(super) entry: Entry,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Entry {
    /// A step began.
    Began {
        /// Which.
        step: String,
    },
    /// A file is being written that is to be renamed into place.
    Aside {
        /// Which.
        #[serde(with = "crate::model::path_text")]
        path: PathBuf,
    },
    /// A step ended.
    Ended {
        /// Which.
        step: String,
        /// How.
        exit: Exit,
        /// How long it took.
        after_ms: u64,
        /// Why it failed, in a few words.
        failed: Option<String>,
    },
    /// All steps are over, and this is the exit status.
    Over {
        /// Which.
        status: u8,
    },
}

/// A journal as it was read.
#[derive(Debug, Default)]
pub(super) struct Journal {
    pub(super) head: Option<Head>,
    pub(super) lines: Vec<Line>,
}

impl Journal {
    /// Reads that of a task; what cannot be understood (a torn last line) is left out.
    pub(super) fn read(folder: &Subfolder, task: &str) -> Self {
        let mut bytes = Vec::new();
        let file = folder.open_read(task);
        let read = file.and_then(|file| file.take(LONGEST).read_to_end(&mut bytes));
        if read.is_err() {
            return Self::default();
        }
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let head = lines.next().and_then(|line| serde_json::from_slice(line).ok());
        Self { head, lines: lines.filter_map(|line| serde_json::from_slice(line).ok()).collect() }
    }

    /// Begins a new one in the place of an old one.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn begin(folder: &Subfolder, task: &str, head: &Head) -> io::Result<()> {
        let line = serde_json::to_string(head)? + "\n";
        folder.make()?.put(task, line.as_bytes()).map(drop)
    }

    /// The lines of one generation, numbered from 0.
    pub(super) fn of(&self, generation: u64) -> impl Iterator<Item = (u32, &Line)> {
        (0..).zip(self.lines.iter().filter(move |line| line.generation == generation))
    }

    /// The exit status that a generation's steps, or its `on-failure`, came to.
    pub(super) fn end(&self, generation: u64, on_failure: bool) -> Option<Exit> {
        self.of(generation).find_map(|(_, line)| match line.entry {
            Entry::Over { status } if line.on_failure == on_failure => {
                Some(Exit::Code(i32::from(status)))
            }
            Entry::Over { .. }
            | Entry::Began { .. }
            | Entry::Aside { .. }
            | Entry::Ended { .. } => None,
        })
    }

    /// Deletes files that a killed run left half written; their names tell that they are that.
    pub(super) fn sweep(&self) {
        for line in &self.lines {
            if let Entry::Aside { path } = &line.entry
                && is_aside(path)
                && let (Some(folder), Some(name)) = (path.parent(), path.file_name())
            {
                // It is not there any more, most likely.
                let _ = Dir::open(folder).and_then(|folder| folder.remove(name));
            }
        }
    }
}

fn is_aside(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let inner = name.and_then(|name| name.strip_prefix('.')?.strip_suffix(ASIDE));
    inner.is_some_and(|inner| inner.ends_with('.'))
}

/// The end of a journal, to write to.
#[derive(Debug)]
pub(super) struct Writer {
    file: Option<File>,
    generation: u64,
    on_failure: bool,
}

impl Writer {
    /// Opens that of a task in the stack's folder.
    pub(super) fn open(stack: &Path, task: &Path, generation: u64, on_failure: bool) -> Self {
        let folder = StackDir::open(stack).and_then(|stack| stack.runs.make());
        let file = folder.and_then(|folder| folder.append(task)).ok();
        Self { file, generation, on_failure }
    }

    /// Writes nothing down.
    pub(super) fn none() -> Self {
        Self { file: None, generation: 0, on_failure: false }
    }

    /// Writes a line, in one go; if that fails, nothing more is written.
    pub(super) fn write(&mut self, entry: Entry) {
        let Self { generation, on_failure, .. } = *self;
        let line = Line { generation, on_failure, entry };
        if let Some(file) = &mut self.file
            && serde_json::to_string(&line)
                .map_err(io::Error::from)
                .and_then(|line| file.write_all((line + "\n").as_bytes()))
                .is_err()
        {
            self.file = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_is_left_out_and_only_our_own_names_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        let stack = StackDir::open(folder.path()).unwrap();
        let head = Head { began: Tick::default(), stamp: "20240501-101530".into() };
        Journal::begin(&stack.runs, "sync", &head).unwrap();
        let mut writer = Writer::open(folder.path(), Path::new("sync"), 3, false);
        let target = folder.path().join("backup.sql");
        let part =
            folder.path().join(crate::platform::unguessable_name("backup.sql".as_ref(), ASIDE));
        for path in [&target, &part] {
            std::fs::write(path, "half").unwrap();
            writer.write(Entry::Aside { path: path.clone() });
        }
        writer.write(Entry::Over { status: 4 });
        let journal = || stack.runs.make().unwrap().append("sync").unwrap();
        journal().write_all(b"{\"gene").unwrap();

        let journal = Journal::read(&stack.runs, "sync");
        assert_eq!(journal.head, Some(head));
        assert_eq!(journal.of(3).count(), 3);
        assert_eq!(journal.of(2).count(), 0);
        assert_eq!(journal.end(3, false), Some(Exit::Code(4)));
        assert_eq!(journal.end(3, true), None);
        journal.sweep();
        assert!(target.exists() && !part.exists());
    }
}
