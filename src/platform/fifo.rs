//! Pipes of several kinds: named ones for logs, endless ones for stdin, one to wake a thread.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use super::{RunAs, os};
use rustix::fs::{FileType, Mode, OFlags, Stat};
use serde::{Deserialize, Serialize};

/// Which file, whatever its names: device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileId {
    dev: u64,
    ino: u64,
}

impl From<&Stat> for FileId {
    fn from(stat: &Stat) -> Self {
        Self { dev: device(stat), ino: stat.st_ino }
    }
}

#[cfg(not(target_vendor = "apple"))]
fn device(stat: &Stat) -> u64 {
    stat.st_dev
}

#[cfg(target_vendor = "apple")]
fn device(stat: &Stat) -> u64 {
    i64::from(stat.st_dev).cast_unsigned()
}

/// A named pipe that a service writes to and the keeper reads from (fifo(7)).
#[derive(Debug)]
pub struct Fifo {
    /// Where it is.
    pub path: PathBuf,
    /// Which it is.
    pub id: FileId,
    /// The keeper's own end: a file description of its own, so that its O_NONBLOCK does not
    /// reach the service.
    pub reader: OwnedFd,
}

impl Fifo {
    /// Makes one in place of what is there, or without a name where none can be had, for `user` to open again as `/dev/stdout`; returns
    /// with it the service's end: open for reading too, so that whichever process dies, no writer gets
    /// SIGPIPE.
    ///
    /// # Errors
    ///
    /// Those of unlink(2), mkfifo(3) and open(2).
    pub fn create(path: PathBuf, user: Option<&RunAs>) -> io::Result<(Self, OwnedFd)> {
        // A name helps a keeper that takes over, and may not be to be had: no inode is free, or the
        // folder was taken away just now.
        let made = Self::create_named(path.clone());
        let (fifo, writer) = made.or_else(|refused| {
            let (reader, writer) = os::nameless_pipe().map_err(|_| refused)?;
            Ok::<_, io::Error>((Self::of(path, reader)?, writer))
        })?;
        if let Some(RunAs { uid, gid, .. }) = user {
            let (uid, gid) = (rustix::fs::Uid::from_raw(*uid), rustix::fs::Gid::from_raw(*gid));
            // Not ours to give away without privilege; then it is not needed either.
            let _unprivileged = rustix::fs::fchown(&fifo.reader, Some(uid), Some(gid));
        }
        Ok((fifo, writer))
    }

    fn create_named(path: PathBuf) -> io::Result<(Self, OwnedFd)> {
        if let Err(error) = make(&path) {
            if error.kind() != io::ErrorKind::AlreadyExists {
                return Err(error);
            }
            rustix::fs::unlink(&path)?;
            make(&path)?;
        }
        // First the end that is soon closed again: so it has a low number, and a child that is
        // given it need not share the higher ones.
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let writer = rustix::fs::open(&path, flags, Mode::empty())?;
        Ok((Self::open(path)?, writer))
    }

    /// Opens the keeper's end of one that is there.
    ///
    /// # Errors
    ///
    /// Those of open(2); `InvalidInput` if it is no named pipe.
    pub fn open(path: PathBuf) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let reader = rustix::fs::open(&path, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&reader)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Fifo {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a named pipe"));
        }
        Ok(Self { path, id: FileId::from(&stat), reader })
    }

    fn of(path: PathBuf, reader: OwnedFd) -> io::Result<Self> {
        let id = FileId::from(&rustix::fs::fstat(&reader)?);
        Ok(Self { path, id, reader })
    }
}

#[cfg(not(target_vendor = "apple"))]
fn make(path: &Path) -> io::Result<()> {
    let mode = Mode::RUSR | Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, path, FileType::Fifo, mode, 0)?;
    // Whatever the umask says.
    rustix::fs::chmod(path, mode)?;
    Ok(())
}

#[cfg(target_vendor = "apple")]
fn make(path: &Path) -> io::Result<()> {
    use std::{ffi::CString, os::unix::ffi::OsStrExt};
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: a plain system call on a text that ends with a zero.
    match unsafe { libc::mkfifo(path.as_ptr(), libc::S_IRUSR | libc::S_IWUSR) } {
        0 => Ok(rustix::fs::chmod(path, Mode::RUSR | Mode::WUSR)?),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A stdin that never ends: a pipe whose reader is its own writer, so that the end of the
/// keeper is not the end of the input either. `at` is free for a moment's use.
///
/// # Errors
///
/// Those of mkfifo(3) and open(2).
pub fn endless_stdin(at: PathBuf) -> io::Result<OwnedFd> {
    let (fifo, both) = Fifo::create(at, None)?;
    rustix::fs::unlink(&fifo.path)?;
    Ok(both)
}

/// A file without a name that holds `text`, to be read from its beginning. `at` is free for a
/// moment's use.
///
/// # Errors
///
/// Those of memfd_create(2), or of making a temporary file, and write(2).
pub fn input_file(text: &str, at: &Path) -> io::Result<OwnedFd> {
    use std::io::{Seek, Write};
    let mut file = std::fs::File::from(os::nameless_file(at)?);
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file.into())
}

/// A pipe without a name, whose ends are not inherited and do not block: its reader and its writer.
///
/// # Errors
///
/// Those of pipe(2).
pub(super) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    // Not pipe2(2), which some systems do not have.
    let (reader, writer) = io::pipe()?;
    let (reader, writer) = (OwnedFd::from(reader), OwnedFd::from(writer));
    rustix::io::ioctl_fionbio(&reader, true)?;
    rustix::io::ioctl_fionbio(&writer, true)?;
    Ok((reader, writer))
}

/// Wakes a thread that waits for descriptors.
#[derive(Debug)]
pub struct Waker {
    reader: OwnedFd,
    writer: OwnedFd,
}

impl Waker {
    /// A new one, not woken.
    ///
    /// # Errors
    ///
    /// Those of pipe(2).
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = pipe()?;
        Ok(Self { reader, writer })
    }

    /// Wakes; a full pipe is awake already.
    pub fn wake(&self) {
        let _full = rustix::io::write(&self.writer, &[1]);
    }

    /// Takes note of having been woken.
    pub fn clear(&self) {
        let mut buffer = [0_u8; 64];
        while rustix::io::read(&self.reader, &mut buffer).is_ok_and(|count| count == buffer.len()) {
        }
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn a_pipe_that_can_have_no_name_is_one_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        for folder in [dir.path().to_owned(), dir.path().join("none")] {
            let (fifo, writer) = Fifo::create(folder.join("a.pipe"), None).unwrap();
            assert_eq!(FileId::from(&rustix::fs::fstat(&writer).unwrap()), fifo.id);
            let mut reader = std::fs::File::from(fifo.reader);
            let mut byte = [0];
            let empty = reader.read(&mut byte).unwrap_err();
            assert_eq!(empty.kind(), io::ErrorKind::WouldBlock);
            std::fs::File::from(writer).write_all(b"x").unwrap();
            assert_eq!((reader.read(&mut byte).unwrap(), byte), (1, *b"x"));
            assert_eq!(reader.read(&mut byte).unwrap(), 0, "the last writer has gone");
        }
    }
}
