//! Files and folders below a folder that is held by its descriptor.
//!
//! A path is looked up again by every system call, and a user who may write to a folder on the way can
//! put something else there in between. So what stackrun keeps for itself is opened, made, renamed
//! and removed below a [`Dir`]: no link is followed, nothing outside of the folder is reached, and
//! no call waits for the other end of a named pipe. What was opened is looked at by
//! its descriptor: a file must be a regular one. In a folder of stackrun's own it must belong to
//! this user too, and have no other name; folders are 0700 and files 0600, whatever the umask says.

mod mode;
mod refusal;
mod remove;
mod subfolder;
mod user_path;
mod walk;
mod write;

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Component, Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustix::{
    fs::{AtFlags, Mode, OFlags, Stat},
    io::Errno,
    process::geteuid,
};

use self::mode::{mode_of, set_mode};
pub(super) use self::walk::open_by_components;
pub use self::{
    refusal::{Refusal, Refused},
    subfolder::{GrowingFile, Open, Subfolder},
    user_path::{UserPath, open_file, read_file},
    write::unguessable_name,
};
use super::{FileId, os::open_beneath};

/// How a folder is opened.
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);

/// How a file is opened, besides: a named pipe is not waited for, a terminal does not become ours.
const FILE: OFlags = OFlags::NONBLOCK.union(OFlags::NOCTTY);

/// How often another process may make or remove a name just before we do.
const RACES: u32 = 100;

/// A folder that is held by its descriptor: whatever becomes of its path, it stays the same one.
#[derive(Debug, Clone)]
pub struct Dir {
    descriptor: Arc<OwnedFd>,
    /// Where it was when it was opened, for messages.
    path: Arc<Path>,
    /// It is stackrun's own: so must be the files in it.
    own: bool,
}

impl Dir {
    /// Opens a folder that a user has named: links in its path are followed.
    ///
    /// # Errors
    ///
    /// Those of open(2).
    pub fn open(path: &Path) -> io::Result<Self> {
        let descriptor = rustix::fs::open(path, FOLDER | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self::held(descriptor, path, false))
    }

    /// Opens the folder that a descriptor stands for once more.
    ///
    /// # Errors
    ///
    /// Those of open(2).
    pub fn again(folder: impl AsFd, path: &Path) -> io::Result<Self> {
        let descriptor = rustix::fs::openat(folder, ".", FOLDER | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self::held(descriptor, path, false))
    }

    /// Opens a folder of stackrun's own that is there: no link, and this user's.
    ///
    /// # Errors
    ///
    /// Those of open(2); [`Refused`].
    pub fn open_own(path: &Path) -> io::Result<Self> {
        let flags = FOLDER | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::open(path, flags, Mode::empty());
        let descriptor = opened.map_err(|error| {
            let stat = rustix::fs::lstat(path).ok();
            explain(error, stat.as_ref(), || path.to_owned())
        })?;
        check_owner(&rustix::fs::fstat(&descriptor)?, || path.to_owned())?;
        Ok(Self::held(descriptor, path, true))
    }

    fn held(descriptor: OwnedFd, path: &Path, own: bool) -> Self {
        Self { descriptor: Arc::new(descriptor), path: path.into(), own }
    }

    /// Where it was when it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which it is.
    ///
    /// # Errors
    ///
    /// Those of fstat(2).
    pub fn id(&self) -> io::Result<FileId> {
        Ok(FileId::from(&rustix::fs::fstat(&self.descriptor)?))
    }

    /// What is at a path below it. The last component is not followed if it is a link; what is said
    /// of what is behind another link may be false, and is good for comparing only.
    ///
    /// # Errors
    ///
    /// Those of fstatat(2).
    pub fn stat(&self, below: impl AsRef<Path>) -> io::Result<FileFacts> {
        self.raw_stat(below.as_ref()).map(|stat| FileFacts::from(&stat))
    }

    fn raw_stat(&self, below: &Path) -> io::Result<Stat> {
        let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
        Ok(rustix::fs::statat(&self.descriptor, below, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// The names in it, in no order.
    ///
    /// # Errors
    ///
    /// Those of getdents(2).
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.descriptor)? {
            let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// A folder below it, which is there.
    ///
    /// # Errors
    ///
    /// Those of open(2); [`Refused`].
    pub fn dir(&self, below: impl AsRef<Path>) -> io::Result<Self> {
        let below = below.as_ref();
        let descriptor = self.open_at(below, FOLDER, Mode::empty())?;
        Ok(Self::held(descriptor, &self.path.join(below), false))
    }

    /// A file below it, to read.
    ///
    /// # Errors
    ///
    /// Those of open(2); [`Refused`] for whatever is no regular file, and in a folder of stackrun's
    /// own for what belongs to another user.
    pub fn open_read(&self, below: impl AsRef<Path>) -> io::Result<File> {
        let below = below.as_ref();
        let file = self.open_at(below, OFlags::RDONLY | FILE, Mode::empty())?;
        let stat = self.regular(&file, below)?;
        if self.own {
            check_owner(&stat, || self.path.join(below))?;
        }
        Ok(file.into())
    }

    /// What is in a file below it.
    ///
    /// # Errors
    ///
    /// Those of [`Self::open_read`] and read(2).
    pub fn read(&self, below: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open_read(below)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// A folder of stackrun's own in it, made if it is not there: this user's, and closed to
    /// everybody else from now on. One that others may only pass through stays so.
    ///
    /// # Errors
    ///
    /// Those of mkdir(2) and open(2); [`Refused`].
    pub fn make_dir(&self, name: impl AsRef<OsStr>) -> io::Result<Self> {
        let name = single(name.as_ref())?;
        let mut made = false;
        for _ in 0..RACES {
            match open_beneath(self.as_fd(), name, FOLDER, Mode::empty(), true) {
                Ok(descriptor) => {
                    return Self::checked(descriptor, &self.path.join(name), made);
                }
                Err(Errno::NOENT) => match rustix::fs::mkdirat(self, name, Mode::RWXU) {
                    Ok(()) => made = true,
                    Err(Errno::EXIST) => {}
                    Err(error) => return Err(error.into()),
                },
                // A umask has taken away what its owner needs, now or some other time.
                Err(Errno::ACCESS) if self.restore_mode(name, Mode::RWXU)? => made = true,
                Err(error) => return Err(self.explain(error, name)),
            }
        }
        Err(Errno::AGAIN.into())
    }

    /// The same for folders in one another.
    ///
    /// # Errors
    ///
    /// As [`Self::make_dir`].
    pub fn make_dirs(&self, below: impl AsRef<Path>) -> io::Result<Self> {
        below.as_ref().iter().try_fold(self.clone(), |dir, name| dir.make_dir(name))
    }

    /// A folder as one of stackrun's own.
    fn checked(descriptor: OwnedFd, path: &Path, made: bool) -> io::Result<Self> {
        let stat = rustix::fs::fstat(&descriptor)?;
        if made {
            set_mode(&descriptor, mode_of(&stat), Mode::RWXU);
        }
        let dir = Self::held(descriptor, path, true);
        dir.close_to_others(&stat)?;
        Ok(dir)
    }

    fn regular(&self, file: &OwnedFd, below: &Path) -> io::Result<Stat> {
        let stat = rustix::fs::fstat(file)?;
        match Refusal::of_kind(&stat) {
            None => Ok(stat),
            Some(why) => Err(why.at(self.path.join(below))),
        }
    }

    fn open_at(&self, below: &Path, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
        open_beneath(self.as_fd(), below, flags, mode, true)
            .map_err(|error| self.explain(error, below))
    }

    fn explain(&self, error: Errno, below: &Path) -> io::Error {
        let stat = self.raw_stat(below).ok();
        explain(error, stat.as_ref(), || self.path.join(below))
    }
}

/// What the system says of a file, or of whatever else has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileFacts {
    /// Which it is.
    pub id: FileId,
    /// Whether it is a regular file.
    pub is_file: bool,
    /// Whether it is a folder.
    pub is_folder: bool,
    /// Its length in bytes.
    pub length: u64,
    /// When it was last written to: the time since 1970.
    pub modified: Duration,
}

impl FileFacts {
    /// Of an open file.
    ///
    /// # Errors
    ///
    /// Those of fstat(2).
    pub fn of(file: impl AsFd) -> io::Result<Self> {
        Ok(Self::from(&rustix::fs::fstat(file)?))
    }
}

impl From<&Stat> for FileFacts {
    fn from(stat: &Stat) -> Self {
        let seconds = u64::try_from(stat.st_mtime).unwrap_or(0);
        let nanos = u32::try_from(stat.st_mtime_nsec).unwrap_or(0);
        Self {
            id: FileId::from(stat),
            is_file: Refusal::of_kind(stat).is_none(),
            is_folder: Refusal::of_kind(stat) == Some(Refusal::Folder),
            length: u64::try_from(stat.st_size).unwrap_or(0),
            modified: Duration::new(seconds, nanos),
        }
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

fn check_owner(stat: &Stat, path: impl Fn() -> PathBuf) -> io::Result<()> {
    match stat.st_uid == geteuid().as_raw() {
        true => Ok(()),
        false => Err(Refusal::Foreign.at(path())),
    }
}

/// What is wrong, if the system's word for it says little.
fn explain(error: Errno, stat: Option<&Stat>, path: impl Fn() -> PathBuf) -> io::Error {
    let kind = stat.and_then(Refusal::of_kind);
    let why = match (error, kind) {
        (Errno::LOOP | Errno::MLINK, _) | (Errno::NOTDIR, Some(Refusal::Link)) => Refusal::Link,
        (Errno::NOTDIR, _) => Refusal::NotAFolder,
        (Errno::ISDIR, _) => Refusal::Folder,
        (Errno::NXIO | Errno::OPNOTSUPP | Errno::NODEV, Some(kind)) => kind,
        _ => return error.into(),
    };
    why.at(path())
}

/// A name as what it has to be: one of something in the folder itself.
fn single(name: &OsStr) -> io::Result<&Path> {
    let path = Path::new(name);
    let mut components = path.components();
    match (components.next(), components.next()) {
        (Some(Component::Normal(only)), None) if only.len() == name.len() => Ok(path),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "not the name of a file")),
    }
}

#[cfg(test)]
mod tests;
