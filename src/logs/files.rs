//! The files of a log, and their names.
//!
//! `NAME.log` is written to. Rotated away it becomes `NAME.log.N` with a number of its own, one
//! more than that of the one before, and keeps it for good: no other file is ever called so.
//! After a while it is compressed to `NAME.log.N.gz`. The index of `FILE` is `FILE.idx`, that of
//! `NAME.log.N.gz` still `NAME.log.N.idx`.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

use crate::{
    event::Place,
    platform::{Dir, Subfolder},
};

/// The log that was rotated away with that number.
pub fn numbered(log: &Path, number: u64) -> PathBuf {
    with(log, &format!(".{number}"))
}

/// The same file compressed.
pub fn compressed(file: &Path) -> PathBuf {
    with(file, ".gz")
}

/// The index of a file.
pub fn index_path(file: &Path) -> PathBuf {
    with(file, ".idx")
}

/// The numbers of a log's rotated files, compressed or not, rising: the oldest first.
pub fn numbers(folder: &Subfolder, log: &Path) -> Vec<u64> {
    all_numbers(folder.names().unwrap_or_default()).remove(log.as_os_str()).unwrap_or_default()
}

/// The same for all logs that have any, of the names in a folder; by the name of the log's file.
pub fn all_numbers(names: Vec<OsString>) -> BTreeMap<OsString, Vec<u64>> {
    let mut numbers: BTreeMap<OsString, Vec<u64>> = BTreeMap::new();
    for file in names {
        // Names of logs have no bytes that are no UTF-8: such a file is none of ours.
        if let Some((log, number)) = file.to_str().and_then(parts) {
            numbers.entry(log.into()).or_default().push(number);
        }
    }
    for numbers in numbers.values_mut() {
        numbers.sort_unstable();
        numbers.dedup();
    }
    numbers
}

/// `api.log` and 17, of `api.log.17` or `api.log.17.gz`.
fn parts(file: &str) -> Option<(&str, u64)> {
    let plain = file.strip_suffix(".gz").unwrap_or(file);
    let (log, number) = plain.rsplit_once('.')?;
    let is_log = log.ends_with(".log") && number.bytes().all(|byte| byte.is_ascii_digit());
    if is_log { Some((log, number.parse().ok()?)) } else { None }
}

/// Where the next byte of a log will be.
pub fn end(folder: &Subfolder, log: &Path) -> Place {
    end_after(folder, log, &numbers(folder, log))
}

/// The same, of a log whose rotated files have these numbers.
pub fn end_after(folder: &Subfolder, log: &Path, numbers: &[u64]) -> Place {
    let offset = folder.stat(log).map_or(0, |file| file.length);
    Place { file: next(numbers), offset }
}

fn next(numbers: &[u64]) -> u64 {
    numbers.last().map_or(1, |last| last + 1)
}

/// Removes a rotated file, in whatever form it is there.
pub fn remove(folder: &Dir, log: &Path, number: u64) {
    let file = numbered(log, number);
    // The plain one first: what compresses it then knows that it is not wanted any more.
    for file in [&file, &compressed(&file), &index_path(&file)] {
        let _is_not_there = folder.remove(file);
    }
}

/// Whether a file's name is that of a rotated log; the log's own name.
pub fn is_rotated(name: &str) -> bool {
    parts(name).is_some()
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_go_by_their_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let log = Path::new("api.log");
        for name in ["api.log", "api.log.9", "api.log.10.gz", "api.log.10", "api.log.11.gz"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        for name in ["api.log.x", "api.log.10.idx", "api.log.12.gz.new", "api.log.", "a.log.1"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(numbers(&Subfolder::at(folder.path()).unwrap(), log), [9, 10, 11]);
        assert!(is_rotated("api.log.9") && is_rotated("api.err.log.10.gz"));
        assert!(!is_rotated("api.log") && !is_rotated("api.log.9.idx"));
    }

    #[test]
    fn all_of_a_file_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["api.log.9.idx", "api.log.9.gz", "api.log.9"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        remove(&Dir::open(folder.path()).unwrap(), Path::new("api.log"), 9);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
