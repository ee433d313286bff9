//! Putting a log aside under a number of its own.

use std::{io, path::Path};

use crate::{
    logs::files::{self, index_path, numbered},
    platform::Dir,
};

/// The numbers of one log's rotated files.
#[derive(Debug)]
pub(super) struct Rotation {
    /// The oldest that may be there.
    first: u64,
    /// What the next one will get.
    next: u64,
}

impl Rotation {
    /// Goes on with the numbers that are there.
    pub(super) fn of(folder: &Dir, log: &Path) -> Self {
        let names = folder.names().unwrap_or_default();
        let numbers = files::all_numbers(names).remove(log.as_os_str()).unwrap_or_default();
        let next = numbers.last().map_or(1, |last| last + 1);
        Self { first: numbers.first().copied().unwrap_or(next), next }
    }

    /// Makes place for a new log; the oldest go, so that `keep` are left.
    ///
    /// # Errors
    ///
    /// Those of rename(2).
    pub(super) fn rotate(&mut self, folder: &Dir, log: &Path, keep: u32) -> io::Result<()> {
        let file = numbered(log, self.next);
        match folder.rename(log, &file) {
            // Another process has just put it aside.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            renamed => renamed?,
        }
        // Without an index the log has no times, and is still a log.
        let _has_none = folder.rename(index_path(log), index_path(&file));
        self.next += 1;
        while self.first + u64::from(keep) < self.next {
            files::remove(folder, log, self.first);
            self.first += 1;
        }
        Ok(())
    }
}
