//! What the parts of a keeper have in common: descriptors to wait for, messages to the supervisor,
//! the journal, and where the stack is.

use std::{io, os::fd::AsFd, time::Duration};

use super::{journal::Journal, outbox::Outbox};
use crate::platform::{Poller, Readiness, StackPaths, Subfolder};

/// What each part is given to work with.
pub(super) struct Io {
    pub(super) paths: StackPaths,
    /// The folder of the logs.
    pub(super) logs: Subfolder,
    pub(super) sources: Sources,
    pub(super) outbox: Outbox,
    pub(super) journal: Journal,
}

/// The connection to the supervisor.
pub(super) const SUPERVISOR: u64 = 0;
/// What other threads wake the main thread by.
pub(super) const WAKER: u64 = 1;
pub(super) const SIGNALS: u64 = 2;
pub(super) const RUNTIME_DIR: u64 = 3;
/// The first token that is free.
const FIRST: u64 = 4;

/// The descriptors that wake the main thread: some under fixed tokens, all others under a token of
/// their own, which is not used again.
#[derive(Debug)]
pub(super) struct Sources {
    poller: Poller,
    next: u64,
}

impl Sources {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { poller: Poller::new()?, next: FIRST })
    }

    /// A token for what is not a descriptor.
    pub(super) fn token(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    /// Waits for a descriptor from now on; its token.
    pub(super) fn add(&mut self, source: impl AsFd) -> io::Result<u64> {
        let token = self.token();
        self.poller.add(source, token).map(|()| token)
    }

    /// The poller itself, for what has a fixed token.
    pub(super) fn poller(&self) -> &Poller {
        &self.poller
    }

    /// Waits no longer; to be called before the descriptor is closed.
    pub(super) fn remove(&self, source: impl AsFd) {
        self.poller.remove(source);
    }

    /// Waits until something happens, or the time is over.
    pub(super) fn wait(
        &self,
        ready: &mut Vec<Readiness>,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        self.poller.wait(ready, timeout)
    }
}
