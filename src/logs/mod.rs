//! Reading what the services wrote: tail, search, merge by time, follow.
//!
//! A log is a file of raw bytes, `NAME.log`, with older ones beside it ([`files`]). When its bytes
//! arrived is in an index beside each file ([`timestamps`]), so that the file itself stays as the
//! service wrote it. What happened to the service in between is in the stack's ledger ([`Marks`])
//! and nowhere else; that also tells where in the log a start began, to the byte. An index is
//! bounded and may be lost; what happened may not. No supervisor is needed to read any of this, and
//! no writer is ever held up.

mod annotations;
pub mod files;
mod find;
mod follow;
mod gzip;
mod index;
mod interleave;
mod live;
mod matches;
mod merge;
mod reader;
mod segment;
mod select;
mod source;
mod tail;
#[cfg(test)]
mod tests;
pub mod timestamps;

use std::{io, path::PathBuf, sync::Arc};

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;

pub use crate::event::Place;
use crate::{event::Record, platform::Subfolder};

pub use annotations::{LEDGER, Marks, OLD_LEDGER};
pub use find::Finder;
pub use follow::{Follower, Spared};
pub use gzip::pack;
pub use live::LiveLogs;
use merge::merge;
pub use reader::Lines;
pub use select::{Select, Since, select};

/// A line longer than this comes in pieces, so that nothing is ever read into memory whole. A
/// search looks at each piece, so that a match across the edge of two is not found, and shows the
/// whole line when one of them matches.
const LONGEST_LINE: usize = 1 << 20;

/// A line of a log, without its newline; or a piece of a long one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Whose: the name of the log.
    pub name: Arc<str>,
    /// When it arrived, as well as that is known.
    pub at: Timestamp,
    /// Its bytes.
    pub text: Bytes,
    /// Where in its log it begins.
    pub place: Place,
    /// Whether it is the beginning of a line; what continues one follows it at once.
    pub begins: bool,
    /// Whether a newline ended it.
    pub ends: bool,
    /// Whether others before it were left out, and those that are shown stand in groups.
    pub apart: bool,
}

impl Line {
    /// Cuts off what comes after so many bytes, which was the beginning of another line.
    pub fn cut(&mut self, at: usize) -> Self {
        let mut rest = self.clone();
        rest.text = self.text.split_off(at);
        rest.place.offset += at as u64;
        (self.ends, rest.begins, rest.apart) = (false, true, false);
        rest
    }
}

/// What there is to be shown.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// What a service wrote.
    Line(Line),
    /// What happened to it.
    Mark(Box<Record>),
    /// What is not shown.
    Spared(Spared),
}

impl Item {
    /// With its bytes in `held`, so that it keeps none of the file's blocks, of which it is a small
    /// part only.
    #[must_use]
    pub fn apart(mut self, held: &mut BytesMut) -> Self {
        if let Self::Line(line) = &mut self {
            held.extend_from_slice(&line.text);
            line.text = held.split().freeze();
        }
        self
    }

    /// When it came.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Line(line) => line.at,
            Self::Mark(mark) => mark.at,
            Self::Spared(spared) => spared.at,
        }
    }
}

/// One service's, task's or hook's log: a file and its predecessors.
#[derive(Debug, Clone)]
pub struct Log {
    /// `api`, `api.err`, `api.before-start`.
    pub name: String,
    /// The folder of the logs.
    pub folder: Subfolder,
    /// The name of the file in it that is written to now; it may not be there yet.
    pub file: PathBuf,
}

impl Log {
    /// The log of that name.
    pub fn new(folder: &Subfolder, name: &str) -> Self {
        let file = format!("{name}.log").into();
        Self { name: name.to_owned(), folder: folder.clone(), file }
    }

    /// Where its file is.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join(&self.file)
    }

    /// The service or task that it belongs to: what is before the first point.
    pub fn owner(&self) -> &str {
        owner(&self.name)
    }

    /// Where its next byte will be.
    pub fn end(&self) -> Place {
        files::end(&self.folder, &self.file)
    }

    /// The numbers of its rotated files, the oldest first.
    fn numbers(&self) -> Vec<u64> {
        files::numbers(&self.folder, &self.file)
    }
}

fn owner(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// The logs of these services and tasks, or under these names; without `owners` all.
///
/// # Errors
/// The folder cannot be read.
pub fn of(folder: &Subfolder, owners: &[String]) -> io::Result<Vec<Log>> {
    let mut logs = all(folder)?;
    let is_wanted = |log: &Log| owners.iter().any(|own| *own == log.name || own == log.owner());
    logs.retain(|log| owners.is_empty() || is_wanted(log));
    Ok(logs)
}

/// All logs in a folder, by name; none if there is no such folder.
///
/// # Errors
/// The folder cannot be read.
pub fn all(folder: &Subfolder) -> io::Result<Vec<Log>> {
    let files = match folder.names() {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for file in files {
        names.extend(file.to_str().and_then(|file| file.strip_suffix(".log")).map(str::to_owned));
    }
    names.sort();
    Ok(names.iter().map(|name| Log::new(folder, name)).collect())
}
