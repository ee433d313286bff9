//! The file that a step writes to: written aside, and renamed into place only on success.

use std::{
    ffi::OsString,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use super::journal::ASIDE;
use crate::platform::{UserPath, unguessable_name};

/// Where the output of a step goes.
#[derive(Debug)]
pub(super) struct Target {
    place: UserPath,
    file: File,
    /// What it is called until all is well; a device or a pipe is written to as it is.
    aside: Option<OsString>,
}

impl Target {
    /// Opens it, for the stack in that folder; `announce` is told of the file beside it before that
    /// exists.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn open(
        path: &Path,
        stack: &Path,
        announce: impl FnOnce(PathBuf),
    ) -> io::Result<Self> {
        // What a link points to is replaced, not the link.
        let place = UserPath::make(path, stack)?;
        if let Some(file) = place.open_special()? {
            return Ok(Self { place, file, aside: None });
        }
        let aside = unguessable_name(&place.name, ASIDE);
        announce(place.folder.path().join(&aside));
        let file = place.create_beside(&aside)?;
        Ok(Self { place, file, aside: Some(aside) })
    }

    pub(super) fn path(&self) -> PathBuf {
        self.place.path()
    }

    /// For the program that writes.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn writer(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// All is well: brings it to the disk, then into place.
    ///
    /// # Errors
    /// The system's, with the file.
    pub(super) fn keep(mut self) -> Result<(), (PathBuf, io::Error)> {
        let Some(aside) = self.aside.take() else { return Ok(()) };
        let folder = &self.place.folder;
        let kept = self.file.sync_all().and_then(|()| folder.rename(&aside, &self.place.name));
        // The rename itself is safe once the folder is on the disk.
        kept.and_then(|()| folder.sync()).map_err(|error| {
            let _ = folder.remove(&aside);
            (self.path(), error)
        })
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(aside) = &self.aside {
            // What was there before stays.
            let _ = self.place.folder.remove(aside);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::Write,
        os::unix::fs::{PermissionsExt, symlink},
    };

    use super::*;

    #[test]
    fn it_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/out.sql");
        let write = |text: &[u8]| {
            let target = Target::open(&path, folder.path(), |_| {}).unwrap();
            target.writer().unwrap().write_all(text).unwrap();
            target
        };
        drop(write(b"half"));
        assert!(!path.exists());
        write(b"\0\xff\n").keep().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"\0\xff\n");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        drop(write(b"half"));
        write(b"2").keep().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"2");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing beside it");
    }

    #[test]
    fn a_link_stays_one_and_a_device_is_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "old").unwrap();
        symlink(&real, &link).unwrap();
        let target = Target::open(&link, folder.path(), |_| {}).unwrap();
        target.writer().unwrap().write_all(b"new").unwrap();
        target.keep().unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        let null = Target::open(Path::new("/dev/null"), folder.path(), |_| unreachable!()).unwrap();
        null.keep().unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
