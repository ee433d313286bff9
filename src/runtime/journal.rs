//! What a run of a task writes down as it goes, beside the supervisor: which step is on its way,
//! how each ended, and which files are being written aside.
//!
//! The first line is the supervisor's, the others are written by `stackrun step`. So nothing is
//! lost when the supervisor dies, and the end of a run is known although nobody saw it. Where the
//! file cannot be written the run goes on: only less is known of it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{event::Tick, model::Exit};

/// So much of a journal is read, in bytes: far more than any task has steps for.
const LONGEST: u64 = 4 << 20;

/// How the name of a file ends that is being written aside; it begins with a dot.
const ASIDE: &str = ".stackrun-part";

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
    /// Reads one; what cannot be understood (a torn last line) is left out.
    pub(super) fn read(path: &Path) -> Self {
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(LONGEST).read_to_end(&mut bytes));
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
    pub(super) fn begin(path: &Path, head: &Head) -> io::Result<()> {
        fs::create_dir_all(path.parent().ok_or(io::ErrorKind::InvalidInput)?)?;
        fs::write(path, serde_json::to_string(head)? + "\n")
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
            {
                // It is not there any more, most likely.
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// Where a file is written before it is renamed to `path`.
pub(super) fn aside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let name = format!(".{}.{}{ASIDE}", name.to_string_lossy(), std::process::id());
    Ok(path.with_file_name(name))
}

fn is_aside(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy());
    name.is_some_and(|name| name.starts_with('.') && name.ends_with(ASIDE))
}

/// The end of a journal, to write to.
#[derive(Debug)]
pub(super) struct Writer {
    file: Option<File>,
    generation: u64,
    on_failure: bool,
}

impl Writer {
    pub(super) fn open(path: &Path, generation: u64, on_failure: bool) -> Self {
        let file = OpenOptions::new().append(true).open(path).ok();
        Self { file, generation, on_failure }
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
        let path = folder.path().join("runs/sync");
        let head = Head { began: Tick::default(), stamp: "20240501-101530".into() };
        Journal::begin(&path, &head).unwrap();
        let mut writer = Writer::open(&path, 3, false);
        let target = folder.path().join("backup.sql");
        let part = aside(&target).unwrap();
        for path in [&target, &part] {
            fs::write(path, "half").unwrap();
            writer.write(Entry::Aside { path: path.clone() });
        }
        writer.write(Entry::Over { status: 4 });
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"gene").unwrap();

        let journal = Journal::read(&path);
        assert_eq!(journal.head, Some(head));
        assert_eq!(journal.of(3).count(), 3);
        assert_eq!(journal.of(2).count(), 0);
        assert_eq!(journal.end(3, false), Some(Exit::Code(4)));
        assert_eq!(journal.end(3, true), None);
        journal.sweep();
        assert!(target.exists() && !part.exists());
    }
}
