//! What the system grants: open files, watches, processes, room on the disk.

use std::path::Path;

use rustix::process::{Resource, getrlimit};

use super::Finding;
use crate::{model::Stack, platform, reporters::wording};

const TOPIC: &str = "limits";
/// The fewest open files that a stack of some size wants.
const OPEN_FILES: u64 = 1024;
/// The fewest folders that a stack with `watch` wants to be told about.
const WATCHES: u64 = 65_536;
/// The fewest processes that are to be left.
const PROCESSES: u64 = 200;
/// The least room on the disk, in bytes.
const ROOM: u64 = 200 << 20;

/// Everything that the system limits.
pub(in crate::cli) fn limits(stack: Option<&Stack>, folder: &Path) -> Vec<Finding> {
    let watches =
        stack.is_some_and(|stack| stack.services.iter().any(|service| !service.watch.is_empty()));
    let findings = [Some(open_files()), inotify(watches), processes(), room(folder)];
    findings.into_iter().flatten().collect()
}

fn open_files() -> Finding {
    match getrlimit(Resource::Nofile).maximum {
        Some(maximum) if maximum < OPEN_FILES => Finding::bad(
            TOPIC,
            format!("only {maximum} files may be open"),
            format!("ulimit -Hn {OPEN_FILES} (for good: nofile in /etc/security/limits.conf)"),
        ),
        Some(maximum) => Finding::good(TOPIC, format!("{maximum} files may be open")),
        None => Finding::good(TOPIC, "any number of files may be open"),
    }
}

/// inotify(7): how many folders may be watched.
fn inotify(wanted: bool) -> Option<Finding> {
    let watches = platform::folder_watches_limit()?;
    let said = format!("{watches} folders may be watched");
    Some(match wanted && watches < WATCHES {
        true => Finding::warning(TOPIC, said, "sudo sysctl fs.inotify.max_user_watches=524288"),
        false => Finding::good(TOPIC, said),
    })
}

/// How many processes this user may still start.
fn processes() -> Option<Finding> {
    let limit = getrlimit(Resource::Nproc).current?;
    let left = limit.saturating_sub(platform::count_own_processes()?);
    let said = format!("{left} more processes may be started");
    Some(match left < PROCESSES {
        true => Finding::warning(
            TOPIC,
            said,
            "ulimit -u (for good: nproc in /etc/security/limits.conf)",
        ),
        false => Finding::good(TOPIC, said),
    })
}

/// Room for logs and state.
fn room(folder: &Path) -> Option<Finding> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let said = format!("{} are free for logs and state", wording::bytes(free));
    Some(match free < ROOM {
        true => Finding::warning(
            "disk",
            said,
            "free some space: services keep running, but their logs are not written",
        ),
        false => Finding::good("disk", said),
    })
}
