//! Old logs: `NAME.log.1` is the youngest of them. Each has its index beside it.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::index::index_path;
use crate::{model::LogPolicy, platform::wall_nanos};

/// The log that was rotated `age` times.
pub fn rotated(log: &Path, age: u32) -> PathBuf {
    let mut name = OsString::from(log);
    name.push(format!(".{age}"));
    name.into()
}

/// Makes place for a new log: each old one moves on, the oldest go.
///
/// # Errors
///
/// Those of rename(2) for the log itself; an old one that cannot be moved is let go.
pub(super) fn rotate(log: &Path, policy: &LogPolicy) -> io::Result<()> {
    remove(&rotated(log, policy.keep.max(1)));
    for age in (1..policy.keep).rev() {
        let _is_not_there = rename(&rotated(log, age), &rotated(log, age + 1));
    }
    if policy.keep == 0 {
        remove(log);
        return Ok(());
    }
    rename(log, &rotated(log, 1))?;
    for age in 2..=policy.keep {
        let old = rotated(log, age);
        if is_older(&old, policy.max_age) {
            remove(&old);
        }
    }
    Ok(())
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)?;
    // Without an index the log has no times, and is still a log.
    let _has_none = std::fs::rename(index_path(from), index_path(to));
    Ok(())
}

fn remove(log: &Path) {
    let _is_not_there = std::fs::remove_file(log);
    let _is_not_there = std::fs::remove_file(index_path(log));
}

fn is_older(log: &Path, age: Duration) -> bool {
    let written = std::fs::metadata(log).and_then(|file| file.modified());
    let since_1970 = written.ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let now = Duration::from_nanos(wall_nanos());
    since_1970.is_some_and(|written| now.saturating_sub(written) > age)
}
