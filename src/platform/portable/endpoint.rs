//! Where the keeper of a stack is to be reached: sockets in the runtime folder.

use std::{
    io,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
};

use rustix::fs::Mode;

use crate::{
    model::fnv1a,
    platform::{Peer, RuntimeFolder, StackId},
};

/// Something of a stack that can be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    path: PathBuf,
}

/// What is found there.
#[derive(Debug)]
pub enum Found {
    /// A process listens.
    Listening(UnixStream, Peer),
    /// Never found here.
    Full,
}

impl Endpoint {
    /// The supervisor of a stack with this runtime folder.
    pub fn control(_stack: StackId, runtime: &Path) -> Self {
        Self { path: runtime.join("socket") }
    }

    /// The terminal of one of its services.
    pub fn terminal(_stack: StackId, runtime: &Path, service: &str) -> Self {
        Self { path: runtime.join(format!("{:016x}.tty", fnv1a(service.as_bytes()))) }
    }

    /// Listens there, in the place of any process that did before.
    ///
    /// # Errors
    ///
    /// Those of unlink(2), bind(2) and chmod(2).
    pub fn listen(&self) -> io::Result<UnixListener> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&self.path)?;
        rustix::fs::chmod(&self.path, Mode::RUSR | Mode::WUSR)?;
        Ok(listener)
    }

    /// What listens.
    pub fn find(&self) -> Vec<Found> {
        let found = UnixStream::connect(&self.path).and_then(|stream| {
            let peer = Peer::of(&stream)?;
            Ok(Found::Listening(stream, peer))
        });
        found.into_iter().collect()
    }

    /// There is but one place.
    pub fn find_others(&self) -> Vec<Found> {
        Vec::new()
    }

    /// The stacks that have a runtime folder.
    pub fn stacks() -> Vec<StackId> {
        RuntimeFolder::stacks()
    }
}
