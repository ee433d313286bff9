//! Opening what is below a folder, component by component.

use std::{
    ffi::OsString,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::ffi::OsStringExt,
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, readlinkat, statat},
    io::{Errno, Result},
};

use crate::platform::beneath::open_by_components;

/// Opens `path` below a folder. Mount points cannot be told from other folders here.
///
/// # Errors
///
/// Those of openat(2): ELOOP or ENOTDIR for a link, EXDEV for what is outside.
pub(in crate::platform) fn open_beneath(
    folder: BorrowedFd<'_>,
    path: &Path,
    flags: OFlags,
    mode: Mode,
    _across: bool,
) -> Result<OwnedFd> {
    open_by_components(folder, path, flags, mode)
}

/// Whose a link in a folder is, and where it leads; `None` if that is no link, or is not there.
///
/// # Errors
///
/// Those of fstatat(2) and readlinkat(2).
pub(in crate::platform) fn read_link(
    folder: BorrowedFd<'_>,
    name: &Path,
) -> Result<Option<(u32, PathBuf)>> {
    let stat = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(None),
        stat => stat?,
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
        return Ok(None);
    }
    let target = readlinkat(folder, name, Vec::new())?;
    Ok(Some((stat.st_uid, OsString::from_vec(target.into_bytes()).into())))
}
