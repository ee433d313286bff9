//! Where everything of a stack is.
//!
//! What lasts is in `.stackrun/` beside the stack file. What lives as long as the keeper, its
//! socket and pipes, is in a folder chosen by user and stack alone, never by the environment: two
//! shells must not make two keepers.

use std::{
    borrow::Cow,
    ffi::OsString,
    io,
    os::unix::{ffi::OsStringExt, fs::DirBuilderExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FileType, Mode, Stat},
    process::geteuid,
};

/// The longest path of a Unix socket, its final NUL left out (unix(7): 108; 104 elsewhere).
const SOCKET_PATH_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// How many races for the folder of all stacks may be lost before that is an error.
const RACES: u32 = 1000;

/// Every path of one stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The stack's folder, as the system knows it: absolute, without links.
    pub folder: PathBuf,
    /// What lasts: `.stackrun/` in it.
    pub state: PathBuf,
    /// What lives as long as the keeper: `/run/user/UID/stackrun/HASH`, or the like.
    pub runtime: PathBuf,
}

/// A folder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlacesError {
    /// The system said no.
    #[error("{path}: {error}")]
    Io {
        /// To which path.
        path: PathBuf,
        /// What.
        error: io::Error,
    },
    /// It is there, and somebody else may have made or may change it.
    #[error("{path} {why}; it is not used")]
    Unsafe {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl Places {
    /// The places of the stack in `folder`, which must exist. Nothing is made.
    ///
    /// # Errors
    ///
    /// Those of resolving the folder.
    pub fn of(folder: &Path) -> Result<Self, PlacesError> {
        let folder = folder.canonicalize().map_err(at(folder))?;
        let runtime = Self::runtime_of(&folder);
        Ok(Self { state: folder.join(".stackrun"), folder, runtime })
    }

    /// A number for something of this stack: the same at every start, another one in a copy of
    /// its folder.
    pub fn hash_of(&self, what: &str) -> u64 {
        let folder = self.folder.as_os_str().as_encoded_bytes();
        fnv1a(&[folder, b"\0", what.as_bytes()].concat())
    }

    /// The control socket.
    pub fn socket(&self) -> PathBuf {
        self.runtime.join("socket")
    }

    /// Whose runtime folder this is: the stack's folder.
    pub fn whose(&self) -> PathBuf {
        self.runtime.join("folder")
    }

    /// The folders of all stacks of this user that have, or had, a keeper since boot.
    pub fn all() -> Vec<PathBuf> {
        let base = base(geteuid().as_raw());
        let folders = std::fs::read_dir(base).into_iter().flatten().flatten();
        let named = folders.filter_map(|folder| std::fs::read(folder.path().join("folder")).ok());
        let mut all: Vec<PathBuf> = named.map(|bytes| OsString::from_vec(bytes).into()).collect();
        all.sort();
        all
    }

    /// The runtime folder of the stack in a folder that may be gone by now.
    pub fn runtime_of(folder: &Path) -> PathBuf {
        let hash = fnv1a(folder.as_os_str().as_encoded_bytes());
        base(geteuid().as_raw()).join(format!("{hash:016x}"))
    }

    /// The name of the runtime folder, by which the processes of a stack tell whose they are.
    pub fn runtime_name(&self) -> Cow<'_, str> {
        self.runtime.file_name().unwrap_or_default().to_string_lossy()
    }

    /// The folder of the stack that has this runtime folder's name, as long as it has a keeper.
    pub fn folder_of(runtime: &str) -> Option<PathBuf> {
        let whose = base(geteuid().as_raw()).join(runtime).join("folder");
        std::fs::read(whose).ok().map(|bytes| OsString::from_vec(bytes).into())
    }

    /// The named pipe of an output.
    pub fn fifo(&self, name: &str) -> PathBuf {
        self.runtime.join(name)
    }

    /// Where the terminal of a service is to be had.
    pub fn terminal(&self, name: &str) -> PathBuf {
        self.runtime.join(format!("{:016x}.tty", fnv1a(name.as_bytes())))
    }

    /// The keeper's own record of what it holds, for one that takes over.
    pub fn units(&self) -> PathBuf {
        self.runtime.join("units")
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

    /// The ledger of events.
    pub fn ledger(&self) -> PathBuf {
        self.state.join("ledger")
    }

    /// What the supervisor writes to its stderr: nothing, unless it is in trouble.
    pub fn supervisor_stderr(&self) -> PathBuf {
        self.state.join("supervisor.stderr")
    }

    /// Makes the folder that lasts, and tells git to leave it alone.
    ///
    /// # Errors
    ///
    /// [`PlacesError::Unsafe`] if one is there that others may change; those of making folders: a
    /// read-only one, a full disk.
    pub fn create_state(&self) -> Result<(), PlacesError> {
        // Who may write to the stack's own folder may change the stack file: nothing below it is
        // safer than that. (A Windows drive under WSL shows every folder as open to everybody.)
        let shared = rustix::fs::stat(&self.folder).is_ok_and(|stat| is_open_to_writers(&stat));
        for folder in [&self.state, &self.logs()] {
            let made = make_folders(folder);
            match rustix::fs::lstat(folder) {
                Ok(stat) => check_own(folder, &stat, shared)?,
                Err(_) => made.map_err(at(folder))?,
            }
        }
        let ignore = self.state.join(".gitignore");
        if !ignore.exists() {
            std::fs::write(&ignore, "*\n").map_err(at(&ignore))?;
        }
        Ok(())
    }

    /// Makes the runtime folder: ours, no link, closed to everybody else.
    ///
    /// # Errors
    ///
    /// Those of making folders; [`PlacesError::Unsafe`] if one is there that is not ours alone.
    pub fn create_runtime(&self) -> Result<(), PlacesError> {
        // The last keeper of another stack may remove the folder of all stacks just before ours
        // is in it. Once ours is, nobody can.
        for _ in 0..RACES {
            match self.try_create_runtime() {
                Err(PlacesError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {}
                made => return made,
            }
        }
        self.try_create_runtime()
    }

    fn try_create_runtime(&self) -> Result<(), PlacesError> {
        for folder in self.runtime.parent().into_iter().chain([&*self.runtime]) {
            match rustix::fs::mkdir(folder, Mode::RWXU) {
                Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                Err(error) => return Err(at(folder)(error.into())),
            }
            check_private(folder)?;
        }
        let socket = self.socket();
        if socket.as_os_str().len() > SOCKET_PATH_MAX {
            return Err(PlacesError::Unsafe { path: socket, why: "is too long for a socket" });
        }
        let whose = self.whose();
        std::fs::write(&whose, self.folder.as_os_str().as_encoded_bytes()).map_err(at(&whose))?;
        Ok(())
    }

    /// Removes a runtime folder that nobody uses, which a keeper that was killed has left.
    ///
    /// # Errors
    ///
    /// Those of taking the lock.
    pub fn tidy_runtime(&self) -> io::Result<()> {
        if self.runtime.exists()
            && let Some(_nobody_else) = super::lock_folder(&self.folder)?
        {
            self.remove_runtime();
        }
        Ok(())
    }

    /// Removes the runtime folder with what is in it.
    pub fn remove_runtime(&self) {
        let _gone_already = std::fs::remove_dir_all(&self.runtime);
        if let Some(parent) = self.runtime.parent() {
            let _used_by_others = std::fs::remove_dir(parent);
        }
    }
}

/// `/run/user/UID/stackrun`; where nobody logs in, as in a container, `/dev/shm/stackrun-UID`, which
/// is in memory too: a start must not wait for a disk that stalls; else `/tmp/stackrun-UID`.
fn base(uid: u32) -> PathBuf {
    let run = PathBuf::from(format!("/run/user/{uid}"));
    if folder(&run).is_some_and(|stat| stat.st_uid == uid) {
        return run.join("stackrun");
    }
    let memory = Path::new("/dev/shm");
    let parent = if is_everybodys(memory) { memory } else { Path::new("/tmp") };
    parent.join(format!("stackrun-{uid}"))
}

/// Whether everybody may make something in a folder, and nobody may remove what is another's.
fn is_everybodys(path: &Path) -> bool {
    let writable = || rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok();
    folder(path).is_some_and(|stat| stat.st_uid == 0 && stat.st_mode & 0o7777 == 0o1777)
        && writable()
}

/// A folder's, if it is one, and no link.
fn folder(path: &Path) -> Option<Stat> {
    let stat = rustix::fs::lstat(path).ok()?;
    (FileType::from_raw_mode(stat.st_mode) == FileType::Directory).then_some(stat)
}

/// Makes a folder and those above it, which nobody else may write to, whatever the umask says.
///
/// # Errors
///
/// Those of mkdir(2); none if it is there.
pub fn make_folders(folder: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o755).create(folder)
}

/// A folder that nobody else may look into.
fn check_private(folder: &Path) -> Result<(), PlacesError> {
    let stat = rustix::fs::lstat(folder).map_err(|error| at(folder)(error.into()))?;
    check_own(folder, &stat, false)?;
    if Mode::from_raw_mode(stat.st_mode).intersects(Mode::RWXG | Mode::RWXO) {
        let why = "is open to other users (`chmod 700` mends that)";
        return Err(PlacesError::Unsafe { path: folder.to_owned(), why });
    }
    Ok(())
}

/// Whether users other than its owner may write to a folder.
fn is_open_to_writers(stat: &Stat) -> bool {
    Mode::from_raw_mode(stat.st_mode).intersects(Mode::WGRP | Mode::WOTH)
}

/// A folder that nobody else may have made, or, unless it lies in a `shared` one, may write to.
fn check_own(folder: &Path, stat: &Stat, shared: bool) -> Result<(), PlacesError> {
    let refuse = |why| Err(PlacesError::Unsafe { path: folder.to_owned(), why });
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {}
        FileType::Symlink => return refuse("is a link, which may lead anywhere (remove it)"),
        _ => return refuse("is no folder (remove it)"),
    }
    if stat.st_uid != geteuid().as_raw() {
        return refuse("belongs to another user (be that user, or remove it)");
    }
    if !shared && is_open_to_writers(stat) {
        return refuse("can be written to by other users (`chmod go-w` mends that)");
    }
    Ok(())
}

fn at(path: &Path) -> impl Fn(io::Error) -> PlacesError {
    let path = path.to_owned();
    move |error| PlacesError::Io { path: path.clone(), error }
}

/// The FNV-1a hash of 64 bits: the same in every version of this program.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv1a() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn stacks_that_come_and_go_are_in_nobodys_way() {
        let dir = tempfile::tempdir().unwrap();
        let stack = |name: &str| Places {
            folder: dir.path().to_owned(),
            state: dir.path().join(".stackrun"),
            runtime: dir.path().join("all").join(name),
        };
        std::thread::scope(|scope| {
            for name in ["a", "b", "c"] {
                let places = stack(name);
                scope.spawn(move || {
                    for _ in 0..1000 {
                        places.create_runtime().unwrap();
                        places.remove_runtime();
                    }
                });
            }
        });
    }

    #[test]
    fn a_folder_open_to_others_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let set = |mode| {
            std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        };
        set(0o700);
        assert!(check_private(dir.path()).is_ok());
        set(0o720);
        assert!(matches!(check_private(dir.path()), Err(PlacesError::Unsafe { .. })));
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("/", &link).unwrap();
        assert!(matches!(check_private(&link), Err(PlacesError::Unsafe { .. })));
    }

    #[test]
    fn a_state_folder_that_others_may_change_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let places = Places::of(dir.path()).unwrap();
        places.create_state().unwrap();
        let set = |folder: &Path, mode| {
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        for folder in [&places.state, &places.logs()] {
            set(folder, 0o775);
            let error = places.create_state().unwrap_err().to_string();
            assert!(error.contains("chmod go-w"), "{error}");
            set(dir.path(), 0o777);
            places.create_state().unwrap();
            set(dir.path(), 0o700);
            set(folder, 0o755);
            places.create_state().unwrap();
        }
        let elsewhere = dir.path().join("elsewhere");
        std::fs::rename(&places.state, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &places.state).unwrap();
        assert!(matches!(places.create_state(), Err(PlacesError::Unsafe { .. })));
        std::fs::remove_file(&places.state).unwrap();
        std::fs::write(&places.state, "").unwrap();
        assert!(matches!(places.create_state(), Err(PlacesError::Unsafe { .. })));
    }
}
