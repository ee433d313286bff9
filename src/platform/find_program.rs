//! Where a program is that a command names.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

/// Why a program cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// None of the folders in this PATH has it.
    #[error("there is no program `{program}` in PATH ({})", path.display())]
    NotInPath {
        /// Its name.
        program: String,
        /// The PATH that was searched.
        path: OsString,
    },
    /// Nothing is at this place.
    #[error("there is no program {}", .0.display())]
    NotThere(PathBuf),
    /// What is at this place is a folder, or may not be executed.
    #[error("{} is not executable", .0.display())]
    NotExecutable(PathBuf),
}

/// Finds a program by its name in the folders of a PATH, or by its path from a folder.
///
/// # Errors
///
/// [`ProgramError`].
pub fn find_program(
    program: impl AsRef<OsStr>,
    path: &OsStr,
    dir: &Path,
) -> Result<PathBuf, ProgramError> {
    let program = program.as_ref();
    which::which_in(program, Some(path), dir).map_err(|_| {
        let shown = program.to_string_lossy();
        if !shown.contains('/') {
            let (program, path) = (shown.into_owned(), path.to_owned());
            return ProgramError::NotInPath { program, path };
        }
        let place = dir.join(Path::new(program).strip_prefix("./").unwrap_or(program.as_ref()));
        match place.exists() {
            true => ProgramError::NotExecutable(place),
            false => ProgramError::NotThere(place),
        }
    })
}
