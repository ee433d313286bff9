//! What is not used, though it is there.

use std::{
    io,
    path::{Path, PathBuf},
};

use rustix::fs::{FileType, Stat};

/// Why a file or a folder is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A symbolic link, or something behind one.
    #[error("is a link, which may lead anywhere")]
    Link,
    /// A symbolic link that neither this user nor root has made.
    #[error("is a link that another user has made, which may lead anywhere")]
    ForeignLink,
    /// Something else where a folder is needed.
    #[error("is not a folder")]
    NotAFolder,
    /// A folder where a file is needed.
    #[error("is a folder, not a file")]
    Folder,
    /// A FIFO: opening one may block for ever.
    #[error("is a named pipe, not a file")]
    Pipe,
    /// A socket.
    #[error("is a socket, not a file")]
    Socket,
    /// A device.
    #[error("is a device, not a file")]
    Device,
    /// Its owner is another user.
    #[error("belongs to another user")]
    Foreign,
    /// What is written to it shows up under its other names too.
    #[error("has another name elsewhere (a hard link)")]
    HardLink,
    /// Others may have put there what is in it.
    #[error("can be written to by other users")]
    Writable,
    /// Another file system, or another part of one.
    #[error("is a mount point, and what is mounted there is left alone")]
    MountPoint,
}

/// A file or folder that is not used, and why; the payload of an [`io::Error`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path} {why}", path = path.display())]
pub struct Refused {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub why: Refusal,
}

impl Refused {
    /// What an error says of a refusal, if it is one.
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// An error about `path`, in one line. A refusal names its path itself: it may be a folder
    /// above.
    pub fn describe(path: &Path, error: &io::Error) -> String {
        match Self::of(error) {
            Some(refused) => refused.to_string(),
            None => format!("{}: {error}", path.display()),
        }
    }
}

impl Refusal {
    /// What to do about something of stackrun's own that is refused.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Foreign => "run it as that user, or remove it",
            Self::Writable => "`chmod go-w` fixes that",
            Self::MountPoint => "unmount it",
            Self::Link
            | Self::ForeignLink
            | Self::NotAFolder
            | Self::Folder
            | Self::Pipe
            | Self::Socket
            | Self::Device
            | Self::HardLink => "remove it",
        }
    }

    /// The error that says so of `path`.
    pub(in crate::platform) fn at(self, path: PathBuf) -> io::Error {
        io::Error::other(Refused { path, why: self })
    }

    /// Why something of this kind is no file to read or write; `None` if it is one.
    pub(super) fn of_kind(stat: &Stat) -> Option<Self> {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => None,
            FileType::Directory => Some(Self::Folder),
            FileType::Symlink => Some(Self::Link),
            FileType::Fifo => Some(Self::Pipe),
            FileType::Socket => Some(Self::Socket),
            FileType::CharacterDevice | FileType::BlockDevice | FileType::Unknown => {
                Some(Self::Device)
            }
        }
    }
}
