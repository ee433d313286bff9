//! Who may do what with a folder or a file: exactly so much, whatever the umask says.

use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use rustix::{
    fs::{Gid, Mode, Stat, Uid},
    process::geteuid,
};

use super::{Dir, check_owner};
use crate::platform::RunAs;

/// What others may not do with a folder: at most they may pass through it.
const OTHERS: Mode = Mode::RGRP.union(Mode::WGRP).union(Mode::ROTH).union(Mode::WOTH);

/// The mode of a file.
pub(super) const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

impl Dir {
    /// Lets other users pass through it to what they are named and may use; nothing else.
    ///
    /// # Errors
    ///
    /// Those of fchmod(2).
    pub fn let_others_through(&self) -> io::Result<()> {
        Ok(rustix::fs::fchmod(self, Mode::RWXU | Mode::XGRP | Mode::XOTH)?)
    }

    /// Gives it to another user.
    ///
    /// # Errors
    ///
    /// Those of fchown(2).
    pub fn give_to(&self, user: &RunAs) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
        Ok(rustix::fs::fchown(self, Some(uid), Some(gid))?)
    }

    /// Gives its owner the rights that a umask has taken from something; whether that was it.
    pub(super) fn restore_mode(&self, name: &Path, mode: Mode) -> io::Result<bool> {
        let stat = self.raw_stat(name)?;
        let lost = stat.st_uid == geteuid().as_raw() && !mode_of(&stat).intersects(Mode::RWXU);
        if lost {
            set_mode_of_name(self.as_fd(), name, mode)?;
        }
        Ok(lost)
    }

    /// Closes it to others if it was open to them, as that says which is known of it.
    pub(super) fn close_to_others(&self, stat: &Stat) -> io::Result<()> {
        check_owner(stat, || self.path.to_path_buf())?;
        let mode = mode_of(stat);
        if mode.intersects(OTHERS) {
            set_mode(self, mode, mode & Mode::RWXU);
        }
        Ok(())
    }
}

pub(super) fn mode_of(stat: &Stat) -> Mode {
    Mode::from_raw_mode(stat.st_mode) & (Mode::RWXU | Mode::RWXG | Mode::RWXO)
}

/// Sets a mode. A file system that has none, and one that is read-only, stays as it is.
pub(super) fn set_mode(descriptor: impl AsFd, mode: Mode, wanted: Mode) {
    if mode != wanted {
        let _has_no_modes = rustix::fs::fchmod(descriptor, wanted);
    }
}

/// The same for what cannot be opened; a link is not followed.
pub(super) fn set_mode_of_name(folder: BorrowedFd<'_>, name: &Path, mode: Mode) -> io::Result<()> {
    let name = CString::new(name.as_os_str().as_bytes())?;
    let (folder, mode) = (folder.as_raw_fd(), mode.as_raw_mode());
    // rustix does not do this where the C library has to help.
    // SAFETY: a plain system call on a descriptor that is open and a text that ends with a zero.
    match unsafe { libc::fchmodat(folder, name.as_ptr(), mode, libc::AT_SYMLINK_NOFOLLOW) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
