//! The terminal of a service, and those who want to use it.
//!
//! A process of the same user that connects to the socket of a terminal gets the terminal itself:
//! what is typed goes there, and so does the size of the window. What it shows is in the log, as
//! of any other service; only the keeper reads from it.

use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixListener,
    },
};

use crate::platform::{self, Endpoint, Peer};

/// The terminal of a unit.
#[derive(Debug)]
pub(super) struct Terminal {
    /// The output that comes from it.
    key: u64,
    master: OwnedFd,
    socket: UnixListener,
}

impl Terminal {
    /// Opens a terminal to those who connect to `endpoint`.
    pub(super) fn open(key: u64, master: OwnedFd, endpoint: &Endpoint) -> io::Result<Self> {
        let socket = endpoint.listen()?;
        socket.set_nonblocking(true)?;
        Ok(Self { key, master, socket })
    }

    /// Gives it to all who ask and may have it.
    pub(super) fn hand_over(&self) {
        while let Ok((stream, _)) = self.socket.accept() {
            if Peer::of(&stream).is_ok_and(Peer::is_own) {
                let _gone_already = platform::send_descriptor(&stream, self.master.as_fd());
            }
        }
    }

    /// Whether it is the terminal of that output.
    pub(super) fn is_of(&self, key: u64) -> bool {
        self.key == key
    }

    /// Says whether the next program of this process gets it.
    pub(super) fn keep(&self, keep: bool) -> io::Result<()> {
        platform::keep_open(&self.master, keep)
    }
}

/// Where those come who ask for it.
impl AsFd for Terminal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
