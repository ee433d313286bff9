//! The stack's folder, held by its descriptor, and the folders in it in which stackrun keeps what
//! lasts. If the stack's folder is moved while the stack runs, they move with it.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FileType, Mode, Stat},
    process::geteuid,
};

use super::{Dir, Refusal, Refused, StackPaths, StackPathsError, Subfolder};
use crate::model::STATE_FOLDER;

/// The folder of a stack and those in it that are stackrun's own.
#[derive(Debug, Clone)]
pub struct StackDir {
    root: Dir,
    /// `.stackrun` itself: the ledger, and the numbers of open ports.
    pub state: Subfolder,
    /// The logs.
    pub logs: Subfolder,
    /// What the latest run of each task has written down as it went.
    pub runs: Subfolder,
    /// The fingerprints of tasks' inputs.
    pub inputs: Subfolder,
    /// The folders of services' and tasks' own.
    pub data: Subfolder,
}

impl StackDir {
    /// Opens the folder of this user's stack.
    ///
    /// # Errors
    ///
    /// Those of open(2).
    pub fn open(folder: &Path) -> io::Result<Self> {
        Ok(Self::with(Dir::open(folder)?, Subfolder::own))
    }

    /// The same of a folder that is held already.
    ///
    /// # Errors
    ///
    /// Those of open(2).
    pub fn of(places: &StackPaths) -> io::Result<Self> {
        Ok(Self::with(Dir::again(places, &places.folder)?, Subfolder::own))
    }

    /// The folder of a stack that may be another user's, to look into it.
    ///
    /// # Errors
    ///
    /// Those of open(2).
    pub fn to_read(places: &StackPaths) -> io::Result<Self> {
        Ok(Self::with(Dir::again(places, &places.folder)?, Subfolder::to_read))
    }

    fn with(root: Dir, subfolder: fn(&Dir, PathBuf) -> Subfolder) -> Self {
        let below = |name: &str| subfolder(&root, Path::new(STATE_FOLDER).join(name));
        Self {
            state: subfolder(&root, STATE_FOLDER.into()),
            logs: below("logs"),
            runs: below("runs"),
            inputs: below("inputs"),
            data: below("data"),
            root,
        }
    }

    /// The stack's folder.
    pub fn root(&self) -> &Dir {
        &self.root
    }

    /// Makes the folders that are always there, and tells git to leave them alone. Says which of
    /// them others could write to until now: where they may write to the stack's folder itself, as
    /// in one that a team shares, that is nothing unusual, and ends here.
    ///
    /// # Errors
    ///
    /// [`StackPathsError::Refused`] if one is there that others have made, or may have written to;
    /// those of making folders: a read-only one, a full disk.
    pub fn create(&self) -> Result<Option<PathBuf>, StackPathsError> {
        // A Windows drive under WSL shows every folder as open to everybody.
        let shared = is_open_to_writers(&rustix::fs::fstat(&self.root).map_err(io::Error::from));
        let open: Vec<&Subfolder> = [&self.state, &self.logs, &self.runs, &self.inputs]
            .into_iter()
            .filter(|folder| is_own_and_open(&folder.raw_here()))
            .collect();
        // An older version left the other two to the umask.
        let refused = |folder: &&&Subfolder| {
            !shared && [&self.state, &self.logs].iter().any(|one| one.path() == folder.path())
        };
        if let Some(folder) = open.iter().find(refused) {
            return Err(Refused { path: folder.path(), why: Refusal::Writable }.into());
        }
        let state = self.state.make().map_err(at(&self.state))?;
        self.logs.make().map_err(at(&self.logs))?;
        match state.create(".gitignore").and_then(|mut file| file.write_all(b"*\n")) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made.map_err(at(&self.state))?,
        }
        open.iter().try_for_each(|folder| folder.make().map(drop).map_err(at(folder)))?;
        // A file system without modes has it as it was.
        let closed = open.iter().find(|folder| !is_own_and_open(&folder.raw_here()));
        Ok(closed.map(|folder| folder.path()))
    }
}

fn is_own_and_open(stat: &io::Result<Stat>) -> bool {
    stat.as_ref().is_ok_and(|stat| {
        FileType::from_raw_mode(stat.st_mode) == FileType::Directory
            && stat.st_uid == geteuid().as_raw()
    }) && is_open_to_writers(stat)
}

/// Whether users other than its owner may write to a folder.
fn is_open_to_writers(stat: &io::Result<Stat>) -> bool {
    let writers = Mode::WGRP | Mode::WOTH;
    stat.as_ref().is_ok_and(|stat| Mode::from_raw_mode(stat.st_mode).intersects(writers))
}

fn at(folder: &Subfolder) -> impl Fn(io::Error) -> StackPathsError {
    let path = folder.path();
    move |error| StackPathsError::at(&path, error)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt, symlink},
    };

    use super::*;

    fn set(folder: &Path, mode: u32) {
        fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_folder_that_others_may_change_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let stack = StackDir::open(dir.path()).unwrap();
        assert_eq!(stack.create().unwrap(), None);
        for folder in [&stack.state, &stack.logs] {
            set(&folder.path(), 0o775);
            let error = stack.create().unwrap_err().to_string();
            assert!(error.contains("can be written to by other users (`chmod go-w`"), "{error}");
            set(&folder.path(), 0o755);
            assert_eq!(stack.create().unwrap(), None);
            assert_eq!(mode(&folder.path()), 0o700);
        }
        let (state, elsewhere) = (stack.state.path(), dir.path().join("elsewhere"));
        fs::rename(&state, &elsewhere).unwrap();
        symlink(&elsewhere, &state).unwrap();
        let again = || StackDir::open(dir.path()).unwrap().create();
        assert!(again().unwrap_err().to_string().contains("is a link"));
        fs::remove_file(&state).unwrap();
        fs::write(&state, "").unwrap();
        assert!(again().unwrap_err().to_string().contains("is not a folder"));
    }

    #[test]
    fn in_a_shared_folder_it_is_closed_and_told() {
        let dir = tempfile::tempdir().unwrap();
        set(dir.path(), 0o777);
        let stack = StackDir::open(dir.path()).unwrap();
        assert_eq!(stack.create().unwrap(), None);
        let runs = stack.runs.make().unwrap();
        set(runs.path(), 0o777);
        set(&stack.logs.path(), 0o777);
        assert_eq!(stack.create().unwrap(), Some(stack.logs.path()));
        assert_eq!(mode(&stack.logs.path()), 0o700);
        assert_eq!(mode(runs.path()), 0o700);
        assert_eq!(stack.create().unwrap(), None, "told once");
    }
}
