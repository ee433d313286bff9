//! Making, writing, renaming and removing files in a folder.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    hash::{BuildHasher, Hasher, RandomState},
    io::{self, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::Path,
};

use rustix::{
    fs::{AtFlags, Mode, OFlags},
    io::Errno,
};

use super::{
    Dir, FILE, RACES, Refusal, check_owner,
    mode::{PRIVATE, mode_of, set_mode},
    open_beneath, single,
};

/// How much of another name a name may have in it, so that it is not too long (NAME_MAX: 255).
const LONGEST: usize = 200;

impl Dir {
    /// A new file in it, which is there under no name yet.
    ///
    /// # Errors
    ///
    /// Those of open(2).
    pub fn create(&self, name: impl AsRef<OsStr>) -> io::Result<File> {
        let name = single(name.as_ref())?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | FILE;
        let file = self.open_at(name, flags, PRIVATE)?;
        set_mode(&file, mode_of(&rustix::fs::fstat(&file)?), PRIVATE);
        Ok(file.into())
    }

    /// A file in it to read and write, made if it is not there.
    ///
    /// # Errors
    ///
    /// Those of open(2); [`super::Refused`] for whatever is no regular file, belongs to another user or
    /// has another name.
    pub fn open_write(&self, name: impl AsRef<OsStr>) -> io::Result<File> {
        self.open_own_file(name.as_ref(), OFlags::RDWR)
    }

    /// The same, and whatever is written goes to its end.
    ///
    /// # Errors
    ///
    /// As [`Self::open_write`].
    pub fn append(&self, name: impl AsRef<OsStr>) -> io::Result<File> {
        self.open_own_file(name.as_ref(), OFlags::RDWR | OFlags::APPEND)
    }

    fn open_own_file(&self, name: &OsStr, flags: OFlags) -> io::Result<File> {
        let name = single(name)?;
        let new = flags | OFlags::CREATE | OFlags::EXCL | FILE;
        for _ in 0..RACES {
            match open_beneath(self.as_fd(), name, flags | FILE, Mode::empty(), true) {
                Ok(file) => return self.own_file(file, name).map(File::from),
                Err(Errno::NOENT) => {}
                Err(Errno::ACCESS) if self.restore_mode(name, PRIVATE)? => {
                    continue;
                }
                Err(error) => return Err(self.explain(error, name)),
            }
            match open_beneath(self.as_fd(), name, new, PRIVATE, true) {
                Ok(file) => {
                    set_mode(&file, mode_of(&rustix::fs::fstat(&file)?), PRIVATE);
                    return Ok(file.into());
                }
                Err(Errno::EXIST) => {}
                Err(error) => return Err(self.explain(error, name)),
            }
        }
        Err(Errno::AGAIN.into())
    }

    /// A file that is there, as one of stackrun's own.
    fn own_file(&self, file: OwnedFd, name: &Path) -> io::Result<OwnedFd> {
        let stat = self.regular(&file, name)?;
        check_owner(&stat, || self.path.join(name))?;
        // Not `!= 1`: removed just now, it has none.
        if stat.st_nlink > 1 {
            return Err(Refusal::HardLink.at(self.path.join(name)));
        }
        let mode = mode_of(&stat);
        set_mode(&file, mode, mode & Mode::RWXU);
        Ok(file)
    }

    /// Puts a file with these bytes in place of what is there, in one step; gives the new file, to
    /// write on. It waits for no disk.
    ///
    /// # Errors
    ///
    /// Those of open(2), write(2) and rename(2); what was there is still there then.
    pub fn put(&self, name: impl AsRef<OsStr>, bytes: &[u8]) -> io::Result<File> {
        self.put_after(name.as_ref(), bytes, |_| Ok(()))
    }

    /// The same, so that a crash of the machine leaves the one or the other.
    ///
    /// # Errors
    ///
    /// As [`Self::put`], and those of fsync(2).
    pub fn replace(&self, name: impl AsRef<OsStr>, bytes: &[u8]) -> io::Result<File> {
        let file = self.put_after(name.as_ref(), bytes, File::sync_data)?;
        // The rename itself is safe once the folder is on the disk.
        self.sync()?;
        Ok(file)
    }

    fn put_after(
        &self,
        name: &OsStr,
        bytes: &[u8],
        ready: impl FnOnce(&File) -> io::Result<()>,
    ) -> io::Result<File> {
        let name = single(name)?;
        let aside = unguessable_name(name.as_os_str(), "new");
        let mut file = self.create(&aside)?;
        let written = file
            .write_all(bytes)
            .and_then(|()| ready(&file))
            .and_then(|()| self.rename(&aside, name));
        match written {
            Ok(()) => Ok(file),
            Err(error) => {
                let _renamed_already = self.remove(&aside);
                Err(error)
            }
        }
    }

    /// Gives something in it another name in it, in place of what has that name.
    ///
    /// # Errors
    ///
    /// Those of renameat(2).
    pub fn rename(&self, from: impl AsRef<OsStr>, to: impl AsRef<OsStr>) -> io::Result<()> {
        let (from, to) = (single(from.as_ref())?, single(to.as_ref())?);
        Ok(rustix::fs::renameat(self, from, self, to)?)
    }

    /// Removes a name in it that is no folder's.
    ///
    /// # Errors
    ///
    /// Those of unlinkat(2).
    pub fn remove(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(self, single(name.as_ref())?, AtFlags::empty())?)
    }

    /// Brings the names in it to the disk.
    ///
    /// # Errors
    ///
    /// Those of fsync(2).
    pub fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(self)?)
    }
}

/// A name for a file that is to be renamed to another one, which no other user can have made something
/// under.
pub fn unguessable_name(of: &OsStr, extension: &str) -> OsString {
    // Keyed by the system's random numbers.
    let number = RandomState::new().build_hasher().finish();
    let of = of.as_bytes();
    let mut name = b".".to_vec();
    name.extend_from_slice(&of[..of.len().min(LONGEST)]);
    name.extend(format!(".{number:016x}.{extension}").into_bytes());
    OsString::from_vec(name)
}
