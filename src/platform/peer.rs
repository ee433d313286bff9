//! Who is at the other end of a Unix socket.

use std::{io, os::fd::AsFd};

use super::own_uid;

/// Who was at the other end when it called listen(2), connect(2) or socketpair(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The user, as our namespace of users has it.
    pub uid: u32,
    /// The process, be it dead by now; `None` where it is not told, or lives in a namespace of
    /// processes that we do not see.
    pub pid: Option<u32>,
}

impl Peer {
    /// Asks the system.
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2) or getpeereid(3).
    pub fn of(socket: impl AsFd) -> io::Result<Self> {
        super::os::peer_of(socket.as_fd())
    }

    /// Whether it is our own user.
    pub fn is_own(self) -> bool {
        self.uid == own_uid()
    }
}
