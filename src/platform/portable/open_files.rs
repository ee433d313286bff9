//! What is open: names of open files. Ways to them are not to be had here.

use std::{
    io,
    os::fd::AsFd,
    path::{Path, PathBuf},
};

use rustix::fs::{Mode, OFlags};

/// How a file is opened that is not to be read: there is no other way here.
pub(in crate::platform) const TO_KNOW_BY: OFlags = OFlags::RDONLY;

/// The name of an open file as of now (fcntl(2), F_GETPATH).
///
/// # Errors
///
/// Those of fcntl(2); `Unsupported` where there is no such question.
#[cfg(target_vendor = "apple")]
pub(in crate::platform) fn name_of_open(file: impl AsFd) -> io::Result<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    let name = rustix::fs::getpath(file)?;
    Ok(std::ffi::OsString::from_vec(name.into_bytes()).into())
}

/// The name of an open file is not told here.
///
/// # Errors
///
/// Always.
#[cfg(not(target_vendor = "apple"))]
pub(in crate::platform) fn name_of_open(_file: impl AsFd) -> io::Result<PathBuf> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether a file was removed is not told here.
pub(in crate::platform) fn without_removed(_name: &Path) -> Option<PathBuf> {
    None
}

/// There is no way to an open file but by its name.
pub(in crate::platform) fn through_this_process(_file: impl AsFd) -> Option<PathBuf> {
    None
}

/// What another process has open is not told here.
pub(in crate::platform) fn open_files(_pid: u32) -> impl Iterator<Item = PathBuf> {
    std::iter::empty()
}

/// Changes the mode of an open file by its name.
///
/// # Errors
///
/// Those of chmod(2).
pub(in crate::platform) fn chmod_open(_file: impl AsFd, name: &Path, mode: Mode) -> io::Result<()> {
    Ok(rustix::fs::chmod(name, mode)?)
}

/// When a file was born is not asked here.
pub(in crate::platform) fn birth_time(_file: impl AsFd) -> Option<u64> {
    None
}

/// The program that runs, by its name.
///
/// # Errors
///
/// Those of finding it.
pub fn own_program() -> io::Result<PathBuf> {
    std::env::current_exe()
}
