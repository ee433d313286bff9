//! The folder for what lives as long as a keeper: its record, and the names of its pipes.
//!
//! It is a convenience. Which stack is which, who holds it and how to reach that are told by the
//! stack's folder ([`super::StackId`]), its lock, and the [`super::Endpoint`], wherever this one
//! is. There are several places for it, none of which is always there (the `Endpoint` of Linux
//! says why). The keeper takes the first that can be used and holds it by descriptor; when it is
//! taken away, another one is made. What a keeper has left is looked for in all places.

use std::{
    ffi::OsString,
    io::{self, Write},
    os::{
        fd::OwnedFd,
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FileType, Mode, OFlags, Stat},
    process::geteuid,
};

use super::{
    StackId, StackPathsError, os,
    stack_paths::{at, check_own, open_folder},
};

/// How many races for the folder of all stacks may be lost before that is an error.
const RACES: u32 = 1000;
/// The file in it that names the stack's folder.
const FOLDER: &str = "folder";

/// The runtime folder of a stack, held open.
#[derive(Debug)]
pub struct RuntimeFolder {
    path: PathBuf,
    held: OwnedFd,
}

impl RuntimeFolder {
    /// Makes one for the stack in `folder`: `preferred`, if that can be used.
    ///
    /// # Errors
    ///
    /// Why the best place cannot be used, if none can.
    pub fn make(
        stack: StackId,
        folder: &Path,
        preferred: Option<&Path>,
    ) -> Result<Self, StackPathsError> {
        let name = stack.to_string();
        let places = bases().into_iter().map(|base| base.join(&name));
        let mut refusal = None;
        for path in preferred.map(Path::to_owned).into_iter().chain(places) {
            match Self::make_at(&path, folder) {
                Ok(made) => return Ok(made),
                Err(error) => drop(refusal.get_or_insert(error)),
            }
        }
        let none = || at(folder)(io::Error::new(io::ErrorKind::NotFound, "no runtime folder"));
        Err(refusal.unwrap_or_else(none))
    }

    fn make_at(path: &Path, folder: &Path) -> Result<Self, StackPathsError> {
        // The last keeper of another stack may remove the folder of all stacks just before ours
        // is in it. Once ours is, no other user can.
        for _ in 0..RACES {
            match Self::try_make_at(path, folder) {
                Err(StackPathsError::Io { error, .. })
                    if error.kind() == io::ErrorKind::NotFound => {}
                made => return made,
            }
        }
        Self::try_make_at(path, folder)
    }

    fn try_make_at(path: &Path, folder: &Path) -> Result<Self, StackPathsError> {
        if let Some(base) = path.parent() {
            make_private(base)?;
        }
        let held = make_private(path)?;
        let made = Self { path: path.to_owned(), held };
        made.name(folder).map_err(at(&path.join(FOLDER)))?;
        Ok(made)
    }

    /// Writes down what the stack's folder is called.
    ///
    /// # Errors
    ///
    /// Those of writing a file.
    pub fn name(&self, folder: &Path) -> io::Result<()> {
        write_private(&self.path.join(FOLDER), folder.as_os_str().as_bytes()).map(drop)
    }

    /// Where it was made.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is still to be found there.
    pub fn is_in_place(&self) -> bool {
        let of = |stat: Stat| (stat.st_dev, stat.st_ino);
        let held = rustix::fs::fstat(&self.held).map(of);
        held.is_ok() && held == rustix::fs::lstat(&self.path).map(of)
    }

    /// Every one that keepers of a stack have left, in the order in which the places are tried.
    pub fn all_of(stack: StackId) -> Vec<PathBuf> {
        let all = own_bases().into_iter().map(|base| base.join(stack.to_string()));
        all.filter(|path| is_own(path)).collect()
    }

    /// Where that of a stack is; where one would be made, if there is none.
    pub fn expected(stack: StackId) -> PathBuf {
        let usual = || bases().into_iter().next().unwrap_or_else(|| "/tmp".into());
        let first = Self::all_of(stack).into_iter().next();
        first.unwrap_or_else(|| usual().join(stack.to_string()))
    }

    /// The stacks that have one.
    pub fn stacks() -> Vec<StackId> {
        let names = own_bases().into_iter().filter_map(|base| std::fs::read_dir(base).ok());
        let names = names.flatten().flatten().map(|entry| entry.file_name());
        let mut stacks: Vec<StackId> =
            names.filter_map(|name| name.to_str()?.parse().ok()).collect();
        stacks.sort_unstable();
        stacks.dedup();
        stacks
    }

    /// The name that a stack's folder had when its keeper wrote it down.
    pub fn folder_of(stack: StackId) -> Option<PathBuf> {
        let named = Self::all_of(stack).into_iter();
        let mut named = named.filter_map(|folder| std::fs::read(folder.join(FOLDER)).ok());
        named.next().map(|bytes| OsString::from_vec(bytes).into())
    }

    /// Removes all of a stack. For the holder of its lock.
    pub fn remove_all(stack: StackId) {
        Self::remove_all_but(stack, None);
    }

    /// Removes those that this one has taken the place of.
    pub fn remove_others(&self, stack: StackId) {
        Self::remove_all_but(stack, Some(&self.path));
    }

    fn remove_all_but(stack: StackId, kept: Option<&Path>) {
        for folder in Self::all_of(stack).iter().filter(|folder| Some(&***folder) != kept) {
            let _gone_already = std::fs::remove_dir_all(folder);
            if let Some(base) = folder.parent() {
                let _used_by_others = std::fs::remove_dir(base);
            }
        }
    }
}

/// The folders of all stacks of this user that can be had now, the best first:
/// `/run/user/UID/stackrun`; `/dev/shm/stackrun-UID`, which is in memory too, so that no start
/// waits for a disk that stalls; `/tmp/stackrun-UID`.
fn bases() -> Vec<PathBuf> {
    let all = all_bases().into_iter();
    let can_be_had = |(parent, base): (PathBuf, PathBuf)| {
        let stat = folder(&parent)?;
        let is_everybodys = stat.st_mode & 0o1002 == 0o1002;
        // One that nothing is mounted at is what a login or a logout has not come to the end with,
        // and which it could not remove if something were in it.
        let is_mounted = || folder(parent.parent()?).map(|above| above.st_dev != stat.st_dev);
        let is_own = stat.st_uid == geteuid().as_raw() && is_mounted() == Some(true);
        (is_own || is_everybodys).then_some(base)
    };
    all.filter_map(can_be_had).collect()
}

/// Those that are there and no other user may have written to.
fn own_bases() -> Vec<PathBuf> {
    all_bases().into_iter().map(|(_, base)| base).filter(|base| is_own(base)).collect()
}

/// Each with the folder that it is in.
fn all_bases() -> [(PathBuf, PathBuf); 3] {
    let uid = geteuid().as_raw();
    let login = PathBuf::from(format!("/run/user/{uid}"));
    let of_all = |parent: &str| (parent.into(), Path::new(parent).join(format!("stackrun-{uid}")));
    [(login.clone(), login.join("stackrun")), of_all("/dev/shm"), of_all("/tmp")]
}

fn is_own(path: &Path) -> bool {
    rustix::fs::lstat(path).is_ok_and(|stat| check_own(path, &stat).is_ok())
}

/// A folder's, if it is one, and no link.
fn folder(path: &Path) -> Option<Stat> {
    let stat = rustix::fs::lstat(path).ok()?;
    (FileType::from_raw_mode(stat.st_mode) == FileType::Directory).then_some(stat)
}

/// Makes a folder that no other user may look into, whatever the umask says. One that is ours
/// already is closed to others; one that others could write to may hold what is theirs.
fn make_private(path: &Path) -> Result<OwnedFd, StackPathsError> {
    match rustix::fs::mkdir(path, Mode::RWXU) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(error) => return Err(at(path)(error.into())),
    }
    let stat = rustix::fs::lstat(path).map_err(|error| at(path)(error.into()))?;
    check_own(path, &stat)?;
    let held = open_folder(path).map_err(at(path))?;
    let opened = rustix::fs::fstat(&held).map_err(|error| at(path)(error.into()))?;
    if (opened.st_dev, opened.st_ino) != (stat.st_dev, stat.st_ino) {
        return Err(StackPathsError::Unsafe {
            path: path.to_owned(),
            why: "was replaced meanwhile",
        });
    }
    if opened.st_mode & 0o7777 != Mode::RWXU.as_raw_mode() {
        os::chmod_open(&held, path, Mode::RWXU).map_err(at(path))?;
    }
    Ok(held)
}

/// Writes a file that no other user may read, whatever the umask says.
///
/// # Errors
///
/// Those of unlink(2), open(2) and write(2).
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<std::fs::File> {
    // One whose mode a umask has spoilt cannot be opened, but removed.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?;
    rustix::fs::fchmod(&file, Mode::RUSR | Mode::WUSR)?;
    let mut file = std::fs::File::from(file);
    file.write_all(bytes)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn stacks_that_come_and_go_are_in_nobodys_way() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("all");
        std::thread::scope(|scope| {
            for name in ["a", "b", "c"] {
                let path = base.join(name);
                scope.spawn(move || {
                    for _ in 0..1000 {
                        RuntimeFolder::make_at(&path, Path::new("/")).unwrap();
                        fs::remove_dir_all(&path).unwrap();
                        let _used_by_others = fs::remove_dir(path.parent().unwrap());
                    }
                });
            }
        });
    }

    #[test]
    fn one_that_others_may_have_written_to_is_refused_and_a_spoilt_one_is_repaired() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("all/one");
        let made = RuntimeFolder::make_at(&path, Path::new("/a")).unwrap();
        assert!(made.is_in_place());
        assert_eq!((mode(&path), mode(&path.join(FOLDER))), (0o700, 0o600));
        for spoilt in [0o000, 0o500, 0o755] {
            set(&path.join(FOLDER), 0o000);
            set(&path, spoilt);
            RuntimeFolder::make_at(&path, Path::new("/a")).unwrap();
            assert_eq!((mode(&path), mode(&path.join(FOLDER))), (0o700, 0o600));
        }
        set(&path, 0o770);
        let refused = RuntimeFolder::make_at(&path, Path::new("/a"));
        assert!(matches!(refused, Err(StackPathsError::Unsafe { .. })));
        set(&path, 0o700);
        let beside = dir.path().join("all/beside");
        fs::rename(&path, &beside).unwrap();
        assert!(!made.is_in_place());
        std::os::unix::fs::symlink(&beside, &path).unwrap();
        let refused = RuntimeFolder::make_at(&path, Path::new("/a"));
        assert!(matches!(refused, Err(StackPathsError::Unsafe { .. })) && !made.is_in_place());
    }
}
