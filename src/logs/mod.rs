//! Reading what the services wrote: tail, merge by time, follow.
//!
//! A log is a file of raw bytes, `NAME.log`, with older ones beside it (`NAME.log.1` is younger
//! than `NAME.log.2`). When its bytes arrived stands in an [`index`] beside each file, so that the
//! file itself stays as the service wrote it. No supervisor is needed to read any of this.

mod follow;
mod index;
mod merge;
mod reader;
mod select;
mod tail;
#[cfg(test)]
mod tests;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

pub use follow::Follower;
pub use merge::merge;
pub use reader::Lines;
pub use select::{Select, select};

/// A line longer than this comes in pieces, so that nothing is ever read into memory whole.
const LONGEST_LINE: u64 = 1 << 20;

/// A line of a log, without its newline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Whose: the name of the log.
    pub name: String,
    /// When it arrived, as well as that is known.
    pub at: Timestamp,
    /// Its bytes.
    pub text: Vec<u8>,
}

/// One service's, task's or hook's log: a file and its predecessors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// `api`, `api.err`, `api.before-start`.
    pub name: String,
    /// The file that is written to now; it may not be there yet.
    pub path: PathBuf,
}

impl Log {
    /// The log of that name.
    pub fn new(folder: &Path, name: &str) -> Self {
        Self { name: name.to_owned(), path: folder.join(format!("{name}.log")) }
    }

    /// The service or task that it belongs to: what stands before the first point.
    pub fn owner(&self) -> &str {
        self.name.split('.').next().unwrap_or(&self.name)
    }

    /// Its files that are there, the oldest first.
    pub fn files(&self) -> Vec<PathBuf> {
        let older = (1..).map(|number| numbered(&self.path, number));
        let mut files: Vec<PathBuf> = older.take_while(|path| path.exists()).collect();
        files.reverse();
        files.extend(self.path.exists().then(|| self.path.clone()));
        files
    }
}

/// All logs in a folder, by name; none if there is no such folder.
///
/// # Errors
/// The folder cannot be read.
pub fn all(folder: &Path) -> io::Result<Vec<Log>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let file = entry?.file_name();
        names.extend(file.to_str().and_then(|file| file.strip_suffix(".log")).map(str::to_owned));
    }
    names.sort();
    Ok(names.iter().map(|name| Log::new(folder, name)).collect())
}

/// `NAME.log.3`.
fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut file = path.as_os_str().to_owned();
    file.push(format!(".{number}"));
    file.into()
}
