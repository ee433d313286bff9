//! Removing a folder with all that is in it.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::fd::AsFd,
};

use rustix::{
    fs::{AtFlags, Mode, unlinkat},
    io::Errno,
};

use super::{Dir, FOLDER, Refusal, open_beneath, single};

/// A folder that is being emptied.
struct Emptied {
    name: OsString,
    dir: Dir,
    /// What is still in it.
    names: Vec<OsString>,
}

impl Dir {
    /// Removes what has that name in it, with all that is below. Links are removed, not followed,
    /// and what is mounted somewhere below stays.
    ///
    /// # Errors
    ///
    /// Those of open(2) and unlinkat(2); [`super::Refused`] for a mount point. The rest is gone
    /// then, or some of it.
    pub fn remove_all(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        // Not by recursion: others may have made folders deeper than the stack of this thread.
        let mut open: Vec<Emptied> = Vec::new();
        open.extend(self.remove_or_open(name.as_ref())?);
        while let Some(last) = open.last_mut() {
            match last.names.pop() {
                Some(name) => {
                    let below = last.dir.remove_or_open(&name)?;
                    open.extend(below);
                }
                None => {
                    let Some(empty) = open.pop() else { break };
                    let parent = open.last().map_or(self, |last| &last.dir);
                    parent.remove_folder(&empty.name)?;
                }
            }
        }
        Ok(())
    }

    /// Removes an empty folder.
    ///
    /// # Errors
    ///
    /// Those of unlinkat(2).
    pub fn remove_folder(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        match unlinkat(self, single(name.as_ref())?, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes what is no folder; opens what is one.
    fn remove_or_open(&self, name: &OsStr) -> io::Result<Option<Emptied>> {
        let path = single(name)?;
        match open_beneath(self.as_fd(), path, FOLDER, Mode::empty(), false) {
            Ok(descriptor) => {
                let dir = Self::held(descriptor, &self.path.join(name), false);
                let names = dir.names()?;
                Ok(Some(Emptied { name: name.to_owned(), dir, names }))
            }
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::NOTDIR | Errno::LOOP | Errno::MLINK) => match self.remove(name) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                removed => removed.map(|()| None),
            },
            Err(Errno::XDEV) => Err(Refusal::MountPoint.at(self.path.join(name))),
            // What may not be looked into may be removed if it is empty.
            Err(Errno::ACCESS) => self.remove_folder(name).map(|()| None),
            Err(error) => Err(self.explain(error, path)),
        }
    }
}
