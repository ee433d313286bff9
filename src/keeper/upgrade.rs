//! Becoming another program: the same process, with its children, its lock and its socket.
//!
//! It is a take-over by the keeper itself: the journal tells what there is, and since the process
//! stays the same, so do its children, and how they end is known exactly.

use std::{
    ffi::{CString, OsString},
    fs::File,
    io::{self, Seek},
    os::fd::{AsRawFd, OwnedFd, RawFd},
    path::Path,
    str::FromStr,
    sync::Arc,
};

use super::{
    main_loop::Keeper,
    protocol::{Checkpoint, FromKeeper},
};
use crate::platform::{self, FolderLock};

/// What the program before has left to this one: the argument of `keeper --resume`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resume {
    pub(super) lock: RawFd,
    pub(super) control: RawFd,
    /// A file without a name: the checkpoint that must not be in one that has.
    pub(super) checkpoint: RawFd,
}

/// Not three descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not three descriptors: `LOCK,CONTROL,CHECKPOINT`")]
pub struct NoResume;

impl FromStr for Resume {
    type Err = NoResume;

    fn from_str(text: &str) -> Result<Self, NoResume> {
        let numbers: Result<Vec<RawFd>, _> = text.split(',').map(str::parse).collect();
        match *numbers.map_err(|_| NoResume)? {
            [lock, control, checkpoint] => Ok(Self { lock, control, checkpoint }),
            _ => Err(NoResume),
        }
    }
}

/// What the next program needs of this one.
#[derive(Debug)]
pub(super) struct Handoff {
    /// Shared with the threads that start processes.
    pub(super) lock: Arc<FolderLock>,
    /// The listening control socket, for this supervisor and the next ones.
    pub(super) control: Arc<OwnedFd>,
}

impl Resume {
    /// The checkpoint that came down from the program before.
    pub(super) fn checkpoint(&self) -> io::Result<Checkpoint> {
        let mut file = File::from(platform::inherited(self.checkpoint)?);
        file.rewind()?;
        Ok(serde_json::from_reader(file)?)
    }
}

impl Keeper {
    /// Becomes `program`; returns only if that fails.
    pub(super) fn upgrade(&mut self, program: &Path) {
        self.send();
        let _only_lowered = platform::restore_limits();
        let Err(error) = self.execute(program);
        platform::raise_limits();
        let _as_before = self.logs.keep_terminals(false);
        let error = format!("cannot upgrade to {}: {error}", program.display());
        self.io.outbox.tell(FromKeeper::UpgradeFailed { error });
    }

    fn execute(&self, program: &Path) -> io::Result<std::convert::Infallible> {
        let lock = platform::inheritable(self.spawner.lock())?;
        let control = platform::inheritable(self.supervisor.control())?;
        let mut checkpoint = self.supervisor.checkpoint().clone();
        checkpoint.retain(|part, _| !part.outlives_the_keeper());
        let checkpoint = serde_json::to_string(&checkpoint)?;
        let checkpoint = platform::input_file(&checkpoint, &self.io.paths.fifo("checkpoint"))?;
        let checkpoint = platform::inheritable(&checkpoint)?;
        let resume =
            format!("{},{},{}", lock.as_raw_fd(), control.as_raw_fd(), checkpoint.as_raw_fd());
        let text = |text: OsString| CString::new(text.into_encoded_bytes());
        let argv = [
            c"stackrun".into(),
            c"keeper".into(),
            c"--dir".into(),
            text(self.io.paths.folder.clone().into())?,
            c"--resume".into(),
            text(resume.into())?,
        ];
        let program = text(program.into())?;
        self.logs.keep_terminals(true)?;
        Err(platform::execute(&program, &argv, &platform::environment()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_descriptors_are_read() {
        assert_eq!("5,17,6".parse(), Ok(Resume { lock: 5, control: 17, checkpoint: 6 }));
        assert_eq!("5,17".parse::<Resume>(), Err(NoResume));
        assert_eq!("5,17,x".parse::<Resume>(), Err(NoResume));
    }
}
