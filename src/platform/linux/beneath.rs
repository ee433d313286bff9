//! Opening what is below a folder, by openat2(2): the kernel itself sees to it that no link is
//! followed and the folder is not left, whatever others rename meanwhile.

use std::{
    ffi::OsString,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::ffi::OsStringExt,
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2, readlinkat},
    io::{Errno, Result},
};

use crate::platform::beneath::open_by_components;

/// How often the kernel may find that another process renames at this moment.
const RACES: u32 = 100;

/// Opens `path` below a folder, through mount points too if `across`.
///
/// # Errors
///
/// Those of openat2(2): ELOOP for a link, EXDEV for what is outside or, unless `across`, behind a
/// mount point.
pub(in crate::platform) fn open_beneath(
    folder: BorrowedFd<'_>,
    path: &Path,
    flags: OFlags,
    mode: Mode,
    across: bool,
) -> Result<OwnedFd> {
    let mut how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    how.set(ResolveFlags::NO_XDEV, !across);
    for _ in 0..RACES {
        match openat2(folder, path, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, mode, how) {
            Err(Errno::AGAIN) => {}
            // Before Linux 5.6, and where a filter of system calls does not know it.
            Err(Errno::NOSYS | Errno::PERM) => {
                return open_by_components(folder, path, flags, mode);
            }
            opened => return opened,
        }
    }
    Err(Errno::AGAIN)
}

/// Whose a link in a folder is, and where it leads; `None` if that is no link, or is not there.
///
/// # Errors
///
/// Those of open(2) and readlinkat(2).
pub(in crate::platform) fn read_link(
    folder: BorrowedFd<'_>,
    name: &Path,
) -> Result<Option<(u32, PathBuf)>> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let link = match openat(folder, name, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        opened => opened?,
    };
    let stat = fstat(&link)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
        return Ok(None);
    }
    // By its descriptor: the name may be another link's by now.
    let target = readlinkat(&link, "", Vec::new())?;
    Ok(Some((stat.st_uid, OsString::from_vec(target.into_bytes()).into())))
}
