//! The file that a step writes to: written aside, and renamed into place only on success.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use super::journal;

/// Where the output of a step goes.
#[derive(Debug)]
pub(super) struct Target {
    path: PathBuf,
    file: File,
    /// Where it is written until all is well; a device or a pipe is written to as it is.
    aside: Option<PathBuf>,
}

impl Target {
    /// Opens it; `announce` is told of the file beside it before that exists.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn open(path: &Path, announce: impl FnOnce(PathBuf)) -> io::Result<Self> {
        // What a link points to is replaced, not the link.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let before = fs::metadata(&path).ok();
        if before.as_ref().is_some_and(|metadata| !metadata.is_file()) {
            let file = OpenOptions::new().write(true).open(&path)?;
            return Ok(Self { path, file, aside: None });
        }
        fs::create_dir_all(path.parent().ok_or(io::ErrorKind::InvalidInput)?)?;
        let aside = journal::aside(&path)?;
        announce(aside.clone());
        let file = File::create(&aside)?;
        if let Some(before) = before {
            // As `>` would leave it.
            file.set_permissions(before.permissions())?;
        }
        Ok(Self { path, file, aside: Some(aside) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
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
        let kept = self.file.sync_all().and_then(|()| fs::rename(&aside, &self.path));
        let kept = kept.and_then(|()| {
            // The rename itself is safe once the folder is on the disk.
            File::open(self.path.parent().unwrap_or(Path::new("/")))?.sync_all()
        });
        kept.map_err(|error| {
            let _ = fs::remove_file(&aside);
            (self.path.clone(), error)
        })
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(aside) = &self.aside {
            // What was there before stays.
            let _ = fs::remove_file(aside);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        os::unix::fs::{PermissionsExt, symlink},
    };

    use super::*;

    #[test]
    fn it_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/out.sql");
        let write = |text: &[u8]| {
            let target = Target::open(&path, |_| {}).unwrap();
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
        let target = Target::open(&link, |_| {}).unwrap();
        target.writer().unwrap().write_all(b"new").unwrap();
        target.keep().unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        let null = Target::open(Path::new("/dev/null"), |_| unreachable!()).unwrap();
        null.keep().unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
