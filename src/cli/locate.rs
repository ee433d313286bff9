//! Which stack is meant.

use std::{
    cell::OnceCell,
    path::{Path, PathBuf},
};

use super::{
    ambient,
    error::Error,
    global::Global,
    running_stacks::{self, Running},
    site::{self, FILE, Site, is_there},
};
use crate::{
    control::ClientError,
    platform::{StackPaths, StackPathsError},
};

/// What was said of the stack that is meant.
#[derive(Debug)]
pub(super) struct Locator {
    /// Its file.
    file: Option<PathBuf>,
    /// The name or identity of a running one.
    stack: Option<String>,
    /// The running one of that name, once it was looked for.
    chosen: OnceCell<Running>,
}

impl Locator {
    /// As the options say.
    pub(super) fn new(global: &Global) -> Self {
        let (file, stack) = (global.file.clone(), global.stack.clone());
        Self { file, stack, chosen: OnceCell::new() }
    }

    /// The stack file: as named, else the nearest one upwards.
    pub(super) fn file(&self) -> Result<PathBuf, Error> {
        if let Some(named) = self.named_file() {
            let file = if named.is_dir() { named.join(FILE) } else { named };
            let file = std::path::absolute(&file)
                .map_err(|error| Error::Io { path: file.clone(), error })?;
            return if is_there(&file) { Ok(file) } else { Err(Error::FileMissing(file)) };
        }
        if let Some(name) = &self.stack {
            let stack = self.chosen(name)?;
            let file = stack.places.folder.join(&stack.file);
            return if is_there(&file) { Ok(file) } else { Err(Error::FileMissing(file)) };
        }
        match site::nearest()? {
            Site::File(file) => Ok(file),
            Site::Running(places) => Err(Error::FileMissing(places.folder.join(FILE))),
            Site::Stopped { from, .. } | Site::Nothing { from } => Err(Error::NoFile { from }),
        }
    }

    fn named_file(&self) -> Option<PathBuf> {
        self.file.clone().or_else(|| ambient::path_variable("STACKRUN_FILE"))
    }

    /// The running stack of that name, which is looked for once.
    fn chosen(&self, name: &str) -> Result<&Running, Error> {
        match self.chosen.get() {
            Some(stack) => Ok(stack),
            None => {
                let found = running_stacks::find(name)?;
                Ok(self.chosen.get_or_init(|| found))
            }
        }
    }

    /// Where the stack is, whether or not its file, or its folder, is still there.
    pub(super) fn places(&self) -> Result<StackPaths, Error> {
        let folder = match (self.named_file(), &self.stack) {
            (None, Some(name)) => return Ok(self.chosen(name)?.places.clone()),
            (None, None) => match site::nearest()? {
                Site::Running(places) | Site::Stopped { places, .. } => return Ok(places),
                Site::File(file) => file,
                Site::Nothing { from } => return Err(Error::NoFile { from }),
            },
            (Some(_), _) => match self.file() {
                Ok(file) => file,
                // The file was deleted, and what it described may still run.
                Err(Error::FileMissing(file)) => file,
                Err(error) => return Err(error),
            },
        };
        let folder = folder.parent().unwrap_or(Path::new("."));
        StackPaths::of(folder).map_err(|error| match error {
            StackPathsError::Io { path, error } => Error::Io { path, error },
            unsafe_place @ (StackPathsError::Unsafe { .. } | StackPathsError::Refused(_)) => {
                ClientError::from(unsafe_place).into()
            }
        })
    }
}
