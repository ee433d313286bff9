//! What is open: names of open files, and ways to them (proc_pid_fd(5)).

use std::{
    ffi::{OsStr, OsString},
    io,
    os::{
        fd::{AsFd, AsRawFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::{Path, PathBuf},
};

use rustix::fs::{Mode, OFlags};

/// How a file is opened that is not to be read, only to be known by.
pub(in crate::platform) const TO_KNOW_BY: OFlags = OFlags::PATH;

/// What the kernel puts behind the last name of a file that was removed.
const REMOVED: &[u8] = b" (deleted)";

/// The name of an open file as of now, as the kernel tells it.
///
/// # Errors
///
/// Those of readlink(2).
pub(in crate::platform) fn name_of_open(file: impl AsFd) -> io::Result<PathBuf> {
    let link = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
    let name = rustix::fs::readlink(link, Vec::new())?;
    Ok(OsString::from_vec(name.into_bytes()).into())
}

/// The last name of a file, where the kernel says that it was removed.
pub(in crate::platform) fn without_removed(name: &Path) -> Option<PathBuf> {
    let name = name.as_os_str().as_bytes().strip_suffix(REMOVED)?;
    Some(OsStr::from_bytes(name).into())
}

/// The way to an open file, whether or not it has a name, for others of this user; as long as this
/// process has it open.
pub(in crate::platform) fn through_this_process(file: impl AsFd) -> Option<PathBuf> {
    let pid = std::process::id();
    Some(format!("/proc/{pid}/fd/{}", file.as_fd().as_raw_fd()).into())
}

/// The ways to all that a process has open, as far as we may know.
pub(in crate::platform) fn open_files(pid: u32) -> impl Iterator<Item = PathBuf> {
    let folder = std::fs::read_dir(format!("/proc/{pid}/fd"));
    folder.into_iter().flatten().flatten().map(|entry| entry.path())
}

/// Changes the mode of an open file, be it one that was opened only to know it by.
///
/// # Errors
///
/// Those of chmod(2).
pub(in crate::platform) fn chmod_open(file: impl AsFd, _name: &Path, mode: Mode) -> io::Result<()> {
    // fchmod(2) refuses what was opened with O_PATH.
    Ok(rustix::fs::chmod(format!("/proc/self/fd/{}", file.as_fd().as_raw_fd()), mode)?)
}

/// The program that runs: the very file, also when another one has its name by now.
///
/// # Errors
///
/// None.
pub fn own_program() -> io::Result<PathBuf> {
    Ok("/proc/self/exe".into())
}
