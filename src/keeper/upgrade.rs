//! Going on as another program: the same process, with its children, its lock and its socket.
//!
//! It is a take-over by the keeper itself: the journal tells what there is, and since the process
//! stays the same, so do its children, and how they end is known exactly.

use std::{
    ffi::{CString, OsString},
    io,
    os::fd::{AsRawFd, OwnedFd, RawFd},
    path::Path,
    str::FromStr,
};

use super::keep::Keeper;
use crate::platform::{self, FolderLock};

/// What the program before has left to this one: the argument of `keeper --resume`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resume {
    pub(super) lock: RawFd,
    pub(super) control: RawFd,
}

/// Not two descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not two descriptors: `LOCK,CONTROL`")]
pub struct NoResume;

impl FromStr for Resume {
    type Err = NoResume;

    fn from_str(text: &str) -> Result<Self, NoResume> {
        let (lock, control) = text.split_once(',').ok_or(NoResume)?;
        let number = |text: &str| text.parse().map_err(|_| NoResume);
        Ok(Self { lock: number(lock)?, control: number(control)? })
    }
}

/// What the next program needs of this one.
#[derive(Debug)]
pub(super) struct Estate {
    pub(super) lock: FolderLock,
    pub(super) control: OwnedFd,
}

impl Keeper {
    /// Goes on as `program`; returns only if that fails.
    pub(super) fn upgrade(&mut self, program: &Path) {
        self.send();
        if let Some(limits) = self.open_files {
            let _only_lowered = platform::restore_open_files(limits);
        }
        let Err(error) = self.execute(program);
        let _as_before = platform::raise_open_files();
        let _as_before = self.keep_terminals(false);
        self.trouble(format!("cannot go on as {}: {error}", program.display()));
    }

    fn execute(&self, program: &Path) -> io::Result<std::convert::Infallible> {
        let lock = platform::inheritable(&self.estate.lock)?;
        let control = platform::inheritable(&self.estate.control)?;
        let resume = format!("{},{}", lock.as_raw_fd(), control.as_raw_fd());
        let text = |text: OsString| CString::new(text.into_encoded_bytes());
        let argv = [
            c"stackrun".into(),
            c"keeper".into(),
            c"--dir".into(),
            text(self.places.folder.clone().into())?,
            c"--resume".into(),
            text(resume.into())?,
        ];
        let program = text(program.into())?;
        self.keep_terminals(true)?;
        Err(platform::execute(&program, &argv, &platform::environment()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_descriptors_are_read() {
        assert_eq!("5,17".parse(), Ok(Resume { lock: 5, control: 17 }));
        assert_eq!("5".parse::<Resume>(), Err(NoResume));
        assert_eq!("5,x".parse::<Resume>(), Err(NoResume));
    }
}
