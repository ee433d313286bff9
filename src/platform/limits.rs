//! Resource limits: ours are as high as we may have them, those of what we start are the caller's.
//!
//! `ulimit` in a shell is meant for the programs that run there. A daemon that has the same limits
//! ends, or opens no more files, for what is none of its programs' fault.

use std::{
    fs::DirEntry,
    io,
    os::unix::{fs::MetadataExt, process::CommandExt},
    process::Command,
    sync::OnceLock,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::own_uid;

/// The limits that are raised. That of a file's size is not: it may well be meant for the logs.
const RAISED: [Resource; 5] =
    [Resource::Nofile, Resource::Cpu, Resource::As, Resource::Data, Resource::Nproc];

/// What they were before this process raised them.
static CALLERS: OnceLock<[Rlimit; RAISED.len()]> = OnceLock::new();

/// Raises our own limits; whatever is started from now on gets the ones that there were before
/// (getrlimit(2)).
pub fn raise_limits() {
    CALLERS.get_or_init(|| RAISED.map(getrlimit));
    for resource in RAISED {
        raise(resource);
    }
}

fn raise(resource: Resource) {
    let maximum = getrlimit(resource).maximum;
    // At its hard limit of processor time a process is killed; who may, has none.
    let unlimited = Rlimit { current: None, maximum: None };
    if resource == Resource::Cpu && setrlimit(resource, unlimited).is_ok() {
        return;
    }
    let wanted = match (resource, maximum) {
        // Some systems refuse more than this (setrlimit(2), OPEN_MAX).
        (Resource::Nofile, most) if cfg!(not(target_os = "linux")) => {
            Some(most.map_or(10_240, |most| most.min(10_240)))
        }
        (_, most) => most,
    };
    let _as_it_was = setrlimit(resource, Rlimit { current: wanted, maximum });
}

/// How many files this process may have open.
pub fn open_files_limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// How many folders this user may have watched (inotify(7)); `None` where there is no such limit.
pub fn folder_watches_limit() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/sys/fs/inotify/max_user_watches").ok()?;
    text.trim().parse().ok()
}

/// How many processes this user has; `None` where that is not told.
pub fn count_own_processes() -> Option<u64> {
    let is_own = |entry: &DirEntry| {
        let name = entry.file_name();
        let is_process = name.to_string_lossy().starts_with(|c: char| c.is_ascii_digit());
        is_process && entry.metadata().is_ok_and(|data| data.uid() == own_uid())
    };
    let entries = std::fs::read_dir("/proc").ok()?.flatten();
    u64::try_from(entries.filter(is_own).count()).ok()
}

/// Puts the caller's limits back, if they were raised. It neither allocates nor locks.
///
/// # Errors
///
/// Those of setrlimit(2).
pub fn restore_limits() -> io::Result<()> {
    for (resource, limit) in RAISED.into_iter().zip(CALLERS.get().into_iter().flatten()) {
        setrlimit(resource, *limit)?;
    }
    Ok(())
}

/// Has a command start with the caller's limits.
pub fn with_callers_limits(command: &mut Command) {
    let raised = CALLERS.get().is_some_and(|callers| *callers != RAISED.map(getrlimit));
    // Whatever is to be done in the child makes its start dearer: the standard library forks then.
    if !raised {
        return;
    }
    // SAFETY: system calls alone, which neither allocate nor lock.
    unsafe { command.pre_exec(restore_limits) };
}

/// Sets how many files this process may open, for good. It neither allocates nor locks.
pub(super) fn set_open_files(limit: u64) -> io::Result<()> {
    let limit = Some(limit);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: limit })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_started_has_the_limits_of_before() {
        let before = RAISED.map(getrlimit).map(|limit| limit.current);
        raise_limits();
        #[expect(clippy::disallowed_methods, reason = "the limits of another process are read")]
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -Sn; ulimit -St"]);
        with_callers_limits(&mut command);
        let out = command.output().expect("it runs").stdout;
        let shown = |limit: Option<u64>| limit.map_or("unlimited".to_owned(), |n| n.to_string());
        let expected = format!("{}\n{}\n", shown(before[0]), shown(before[1]));
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
