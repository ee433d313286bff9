//! Where everything of a stack is.
//!
//! A stack is its folder ([`StackId`]), which is held open by the owner of its [`StackPaths`]: what it is
//! called now is asked of the system. What lasts is in `.stackrun/` in it. What lives as long as
//! the keeper is in a [`RuntimeFolder`].

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::{
    fs::{FileType, Mode, OFlags, Stat},
    process::geteuid,
};

use super::{Endpoint, FolderLock, Refused, RuntimeFolder, StackId, lock::lock_open_folder};
use crate::model::{STATE_FOLDER, fnv1a};

/// Every path of one stack.
#[derive(Debug, Clone)]
pub struct StackPaths {
    /// The stack's folder, by the name that it had when it was looked at: absolute, without links.
    pub folder: PathBuf,
    /// What lasts: `.stackrun/` in it.
    pub state: PathBuf,
    /// Which stack it is.
    pub id: StackId,
    /// What lives as long as the keeper: `/run/user/UID/stackrun/ID`, or the like; as it was when
    /// it was looked at, be it where one would be made.
    pub runtime: PathBuf,
    /// The folder itself.
    held: Arc<OwnedFd>,
}

/// Whether a folder is where its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    /// It is.
    There,
    /// It was removed.
    Removed,
    /// Its name leads elsewhere: something is mounted over it, or its file system was taken away.
    Hidden,
}

/// A folder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StackPathsError {
    /// The system said no.
    #[error("{path}: {error}")]
    Io {
        /// To which path.
        path: PathBuf,
        /// What.
        error: io::Error,
    },
    /// It is there, and another user may have made or may change it.
    #[error("{path} {why}; it is not used")]
    Unsafe {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The same, as it was found when it was opened.
    #[error("{0} ({advice}); it is not used", advice = .0.why.advice())]
    Refused(#[from] Refused),
}

impl StackPathsError {
    pub(super) fn at(path: &Path, error: io::Error) -> Self {
        match Refused::of(&error) {
            Some(refused) => Self::Refused(refused.clone()),
            None => Self::Io { path: path.to_owned(), error },
        }
    }
}

impl StackPaths {
    /// The places of the stack in `folder`, which must exist. Nothing is made.
    ///
    /// # Errors
    ///
    /// Those of opening the folder.
    pub fn of(folder: &Path) -> Result<Self, StackPathsError> {
        let held = open_folder(folder).map_err(at(folder))?;
        let id = StackId::of(&held).map_err(at(folder))?;
        let named = name_of(&held, id).map(|(name, _)| name);
        // Where the system does not tell the name of what is open.
        let named = named.or_else(|_| folder.canonicalize()).map_err(at(folder))?;
        Ok(Self::named(named, id, held))
    }

    /// The places of the stack in an open folder, which may be removed by now.
    ///
    /// # Errors
    ///
    /// Those of fstat(2) and readlink(2).
    fn held(held: OwnedFd) -> io::Result<Self> {
        let id = StackId::of(&held)?;
        let (folder, _) = name_of(&held, id)?;
        Ok(Self::named(folder, id, held))
    }

    fn named(folder: PathBuf, id: StackId, held: OwnedFd) -> Self {
        let runtime = RuntimeFolder::expected(id);
        Self { state: folder.join(STATE_FOLDER), folder, id, runtime, held: Arc::new(held) }
    }

    /// The places of the stack in a folder that is open for another use.
    ///
    /// # Errors
    ///
    /// Those of openat(2), fstat(2) and readlink(2).
    pub fn open_in(folder: impl AsFd) -> io::Result<Self> {
        let flags = super::os::TO_KNOW_BY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Self::held(rustix::fs::openat(folder, c".", flags, Mode::empty())?)
    }

    /// The places of a stack that its keeper, this process, holds.
    pub fn held_by(id: StackId, keeper: u32) -> Option<Self> {
        let folder = super::os::open_files(keeper)
            .find(|path| StackId::at(path).is_ok_and(|found| found == id))?;
        Self::of(&folder).ok()
    }

    /// The places of a stack, as long as its folder can be found: by the name that a keeper has
    /// written down, or through its keeper.
    pub fn of_stack(id: StackId) -> Option<Self> {
        let by_name = RuntimeFolder::folder_of(id)
            .filter(|folder| StackId::at(folder).is_ok_and(|found| found == id));
        match by_name {
            Some(folder) => Self::of(&folder).ok(),
            None => Self::held_by(id, super::keeper_of(id)?.pid?),
        }
    }

    /// What the folder is called now, and whether that leads to it.
    pub fn present_name(&self) -> (PathBuf, Whereabouts) {
        name_of(&self.held, self.id).unwrap_or_else(|_| (self.folder.clone(), Whereabouts::Hidden))
    }

    /// The folder's new name, if it was moved.
    pub fn moved(&self) -> Option<PathBuf> {
        let (name, whereabouts) = self.present_name();
        (whereabouts == Whereabouts::There && name != self.folder).then_some(name)
    }

    /// Takes note of the folder's present name.
    pub fn rename(&mut self) {
        self.folder = self.present_name().0;
        self.state = self.folder.join(STATE_FOLDER);
    }

    /// A path to the folder for a process that is started now: its name, or, where that does not
    /// lead to it, the way through this process, which must live until it has been used.
    pub fn to_hand_over(&self) -> PathBuf {
        match self.present_name() {
            (name, Whereabouts::There) => name,
            (name, Whereabouts::Removed | Whereabouts::Hidden) => {
                super::os::through_this_process(&self.held).unwrap_or(name)
            }
        }
    }

    /// Takes the lock of the folder; `None` if it is taken.
    ///
    /// # Errors
    ///
    /// Those of open(2) and flock(2).
    pub fn lock(&self) -> io::Result<Option<FolderLock>> {
        lock_open_folder(&self.held)
    }

    /// A number for something of this stack: the same at every start, another one in a copy of
    /// its folder.
    pub fn hash_of(&self, what: &str) -> u64 {
        let folder = self.folder.as_os_str().as_encoded_bytes();
        fnv1a(&[folder, b"\0", what.as_bytes()].concat())
    }

    /// Where its supervisor is to be reached.
    pub fn control(&self) -> Endpoint {
        Endpoint::control(self.id, &self.runtime)
    }

    /// Where the terminal of a service is to be had.
    pub fn terminal(&self, service: &str) -> Endpoint {
        Endpoint::terminal(self.id, &self.runtime, service)
    }

    /// Something in the runtime folder: the named pipe of an output.
    pub fn fifo(&self, name: &str) -> PathBuf {
        self.runtime.join(name)
    }

    /// The keeper's own record of what it holds, for one that takes over.
    pub fn units(&self) -> PathBuf {
        self.runtime.join("units")
    }

    /// Every such record that keepers of this stack have left in any place.
    pub fn all_units(&self) -> Vec<PathBuf> {
        Self::all_units_of(self.id)
    }

    /// The same of any stack of this user.
    pub fn all_units_of(stack: StackId) -> Vec<PathBuf> {
        RuntimeFolder::all_of(stack).iter().map(|folder| folder.join("units")).collect()
    }

    /// Where the logs are.
    pub fn logs(&self) -> PathBuf {
        self.state.join("logs")
    }

    /// The log of a service or task.
    pub fn log(&self, name: &str) -> PathBuf {
        self.logs().join(format!("{name}.log"))
    }

    /// The folder of a service's or task's own.
    pub fn data(&self, name: &str) -> PathBuf {
        self.state.join("data").join(name)
    }

    /// What the latest run of a task has written down as it went.
    pub fn journal(&self, task: &str) -> PathBuf {
        self.state.join("runs").join(task)
    }

    /// Removes what keepers that were killed have left of the stack, unless a keeper holds it.
    ///
    /// # Errors
    ///
    /// Those of taking the lock.
    pub fn tidy_runtime(&self) -> io::Result<()> {
        if !RuntimeFolder::all_of(self.id).is_empty()
            && let Some(_nobody_else) = self.lock()?
        {
            RuntimeFolder::remove_all(self.id);
        }
        Ok(())
    }
}

/// The folder itself.
impl AsFd for StackPaths {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.held.as_fd()
    }
}

/// Opens a folder to know it by.
pub(super) fn open_folder(folder: &Path) -> io::Result<OwnedFd> {
    let flags = super::os::TO_KNOW_BY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(folder, flags, Mode::empty())?)
}

/// What an open folder is called now; what it was called last, if it has no name any more.
fn name_of(held: &OwnedFd, id: StackId) -> io::Result<(PathBuf, Whereabouts)> {
    let told = super::os::name_of_open(held)?;
    if StackId::at(&told).is_ok_and(|found| found == id) {
        return Ok((told, Whereabouts::There));
    }
    Ok(match super::os::without_removed(&told) {
        Some(name) => (name, Whereabouts::Removed),
        None => (told, Whereabouts::Hidden),
    })
}

/// Whether users other than its owner may write to a folder.
fn is_open_to_writers(stat: &Stat) -> bool {
    Mode::from_raw_mode(stat.st_mode).intersects(Mode::WGRP | Mode::WOTH)
}

/// A folder that no other user may have made or may write to.
pub(super) fn check_own(folder: &Path, stat: &Stat) -> Result<(), StackPathsError> {
    let refuse = |why| Err(StackPathsError::Unsafe { path: folder.to_owned(), why });
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {}
        FileType::Symlink => return refuse("is a link, which may lead anywhere (remove it)"),
        _ => return refuse("is not a directory (remove it)"),
    }
    if stat.st_uid != geteuid().as_raw() {
        return refuse("belongs to another user (run stackrun as that user, or remove it)");
    }
    if is_open_to_writers(stat) {
        return refuse("can be written to by other users (`chmod go-w` fixes that)");
    }
    Ok(())
}

pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> StackPathsError {
    let path = path.to_owned();
    move |error| StackPathsError::at(&path, error)
}
