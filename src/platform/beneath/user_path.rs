//! Files that the stack file or the command line names: they may be anywhere, and links lead to
//! them as for any program, with one exception. A user who may write to the stack's folder could have
//! this user, who may be root, read or write another file by a link in it: there a link counts only
//! if this user or root has made it.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read, Write},
    os::fd::{AsFd, OwnedFd},
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, Stat},
    io::Errno,
    process::geteuid,
};

use super::{Dir, FILE, Refusal, explain, single, unguessable_name};
use crate::platform::os::{open_beneath, read_link};

/// How many links may lead from one to the next (as in path_resolution(7)).
const LINKS: u32 = 40;

/// Opens a file that a user has named, to read; never waits for a named pipe.
///
/// # Errors
///
/// Those of open(2); [`super::Refused`] for what is no regular file.
pub fn open_file(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | FILE | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty());
    let opened = opened.map_err(|error| {
        let stat = rustix::fs::stat(path).ok();
        explain(error, stat.as_ref(), || path.to_owned())
    })?;
    match Refusal::of_kind(&rustix::fs::fstat(&opened)?) {
        None => Ok(opened.into()),
        Some(why) => Err(why.at(path.to_owned())),
    }
}

/// What is in a file that a user has named.
///
/// # Errors
///
/// Those of [`open_file`] and read(2).
pub fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_file(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Where a path leads: a name in a folder that is held.
#[derive(Debug)]
pub struct UserPath {
    /// The folder.
    pub folder: Dir,
    /// The name in it.
    pub name: OsString,
    /// It is not in the stack's folder: a link by that name is followed.
    outside: bool,
}

impl UserPath {
    /// Follows a path of the stack in `stack`; what it leads to need not be there.
    ///
    /// # Errors
    ///
    /// Those of open(2); [`super::Refused`] for a link in the stack's folder that another user has
    /// made.
    pub fn find(path: &Path, stack: &Path) -> io::Result<Self> {
        Self::walk(path, stack, false)
    }

    /// The same, and makes the folders on the way.
    ///
    /// # Errors
    ///
    /// As [`Self::find`], and those of mkdir(2).
    pub fn make(path: &Path, stack: &Path) -> io::Result<Self> {
        Self::walk(path, stack, true)
    }

    fn walk(path: &Path, stack: &Path, make: bool) -> io::Result<Self> {
        let Ok(below) = path.strip_prefix(stack) else { return Self::outside(path, make) };
        let root = Dir::open(stack)?;
        let mut folder = root.clone();
        let mut rest = names(below);
        let mut links = 0;
        while let Some(name) = rest.pop() {
            let step = if rest.is_empty() { folder.last(&name) } else { folder.next(&name, make) };
            let target = match step? {
                Step::Last => return Ok(Self { folder, name, outside: false }),
                Step::Into(next) => {
                    folder = next;
                    continue;
                }
                Step::Link(_) if links == LINKS => return Err(Errno::LOOP.into()),
                Step::Link(target) => target,
            };
            links += 1;
            match target.strip_prefix(stack) {
                Ok(below) => {
                    folder = root.clone();
                    rest.extend(names(below));
                }
                Err(_) if target.is_absolute() => {
                    let path = rest.iter().rev().fold(target, |path, name| path.join(name));
                    return Self::outside(&path, make);
                }
                Err(_) => rest.extend(names(&target)),
            }
        }
        Err(Refusal::Folder.at(path.to_owned()))
    }

    /// Anywhere else links lead where they lead.
    fn outside(path: &Path, make: bool) -> io::Result<Self> {
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Refusal::Folder.at(path));
        };
        if make {
            std::fs::create_dir_all(folder)?;
        }
        Ok(Self { folder: Dir::open(folder)?, name: name.to_owned(), outside: true })
    }

    /// Opens what is there, to read; a device too, and never waits.
    ///
    /// # Errors
    ///
    /// Those of open(2); [`super::Refused`] for what cannot be read to its end.
    pub fn open_read(&self) -> io::Result<File> {
        let opened = self.open(OFlags::RDONLY)?;
        let stat = rustix::fs::fstat(&opened)?;
        match (FileType::from_raw_mode(stat.st_mode), Refusal::of_kind(&stat)) {
            (FileType::CharacterDevice, _) | (_, None) => blocking(opened),
            (_, Some(why)) => Err(why.at(self.path())),
        }
    }

    /// Opens what is there and is no regular file, to write; `None` if it is one, or is not there.
    ///
    /// # Errors
    ///
    /// Those of open(2); [`super::Refused`] for a folder, a socket, and a named pipe that no process
    /// reads.
    pub fn open_special(&self) -> io::Result<Option<File>> {
        match self.stat() {
            Err(Errno::NOENT) => return Ok(None),
            Ok(stat) if Refusal::of_kind(&stat).is_none() => return Ok(None),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let opened = self.open(OFlags::WRONLY)?;
        match Refusal::of_kind(&rustix::fs::fstat(&opened)?) {
            None => Ok(None),
            Some(_) => blocking(opened).map(Some),
        }
    }

    /// Makes a new file beside it, which can be renamed to it: with the permissions that a shell's
    /// `>` would leave.
    ///
    /// # Errors
    ///
    /// Those of open(2).
    pub fn create_beside(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | FILE;
        let mode = |bits| Mode::from_bits_truncate(bits);
        let before = self.stat().ok().map(|stat| Mode::from_raw_mode(stat.st_mode));
        // A user who could not open what was there must not be able to open it before.
        let first = if before.is_some() { mode(0o600) } else { mode(0o666) };
        let name = single(name)?;
        let new = open_beneath(self.folder.as_fd(), name, flags, first, true)
            .map_err(|error| self.folder.explain(error, name))?;
        if let Some(before) = before {
            rustix::fs::fchmod(&new, before)?;
        }
        Ok(new.into())
    }

    /// Writes a new file beside it and renames that, so that it is whole at every moment.
    ///
    /// # Errors
    ///
    /// Those of open(2), write(2), fsync(2) and rename(2); what was there is still there then.
    pub fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        let aside = unguessable_name(&self.name, "new");
        let mut file = self.create_beside(&aside)?;
        let written = file
            .write_all(bytes)
            .and_then(|()| file.sync_data())
            .and_then(|()| self.folder.rename(&aside, &self.name));
        if written.is_err() {
            let _renamed_already = self.folder.remove(&aside);
        }
        written
    }

    fn stat(&self) -> Result<Stat, Errno> {
        let follow = if self.outside { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
        rustix::fs::statat(&self.folder, Path::new(&self.name), follow)
    }

    /// The path, without links.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }

    fn open(&self, flags: OFlags) -> io::Result<OwnedFd> {
        let (name, flags) = (Path::new(&self.name), flags | FILE | OFlags::CLOEXEC);
        let opened = match self.outside {
            true => rustix::fs::openat(&self.folder, name, flags, Mode::empty()),
            false => open_beneath(self.folder.as_fd(), name, flags, Mode::empty(), true),
        };
        opened.map_err(|error| explain(error, self.stat().ok().as_ref(), || self.path()))
    }
}

/// What the next component of a path is.
enum Step {
    /// A folder.
    Into(Dir),
    /// A link that may be followed.
    Link(PathBuf),
    /// The end.
    Last,
}

impl Dir {
    /// Goes on to a folder.
    fn next(&self, name: &OsString, make: bool) -> io::Result<Step> {
        if name == ".." {
            let parent = self.path().parent().unwrap_or(Path::new("/")).to_owned();
            return Ok(Step::Into(Self::again(
                rustix::fs::openat(self, "..", super::FOLDER | OFlags::CLOEXEC, Mode::empty())?,
                &parent,
            )?));
        }
        match self.dir(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && make => {
                // As `mkdir` would make it: it is the user's.
                match rustix::fs::mkdirat(self, Path::new(name), Mode::from_bits_truncate(0o777)) {
                    Ok(()) | Err(Errno::EXIST) => self.dir(name).map(Step::Into),
                    Err(error) => Err(error.into()),
                }
            }
            Err(error) => Ok(Step::Link(self.own_link(name)?.ok_or(error)?)),
            Ok(dir) => Ok(Step::Into(dir)),
        }
    }

    /// Looks at the last name of a path.
    fn last(&self, name: &OsString) -> io::Result<Step> {
        Ok(self.own_link(name)?.map_or(Step::Last, Step::Link))
    }

    /// Where a link leads that this user or root has made; `None` if it is no link.
    fn own_link(&self, name: &OsString) -> io::Result<Option<PathBuf>> {
        let Some((owner, target)) = read_link(self.as_fd(), Path::new(name))? else {
            return Ok(None);
        };
        if ![0, geteuid().as_raw()].contains(&owner) {
            return Err(Refusal::ForeignLink.at(self.path().join(name)));
        }
        Ok(Some(target))
    }
}

/// The names of a relative path, the first one last.
fn names(path: &Path) -> Vec<OsString> {
    let components = path.components().filter(|one| !matches!(one, Component::CurDir));
    components.rev().map(|one| one.as_os_str().to_owned()).collect()
}

/// For a program that does not expect otherwise: its reads and writes wait.
fn blocking(opened: OwnedFd) -> io::Result<File> {
    let flags = rustix::fs::fcntl_getfl(&opened)?;
    rustix::fs::fcntl_setfl(&opened, flags - OFlags::NONBLOCK)?;
    Ok(opened.into())
}
