//! The terminals of services, and those who want to use them.
//!
//! Whoever connects to the socket of a terminal and is the same user gets the terminal itself:
//! what is typed goes there, and so does the size of the window. What it shows is in the log, as
//! of any other service; nobody but the keeper reads from it.

use std::{
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixListener,
    },
};

use super::main_loop::Keeper;
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
    fn open(key: u64, master: OwnedFd, endpoint: &Endpoint) -> io::Result<Self> {
        let socket = endpoint.listen()?;
        socket.set_nonblocking(true)?;
        Ok(Self { key, master, socket })
    }

    /// Gives it to everybody who asks and may have it.
    fn hand_over(&self) {
        while let Ok((stream, _)) = self.socket.accept() {
            if Peer::of(&stream).is_ok_and(Peer::is_own) {
                let _gone_already = platform::send_descriptor(&stream, self.master.as_fd());
            }
        }
    }
}

impl Keeper {
    /// Lets others use the terminal of an output of a service.
    pub(super) fn open_terminal(&mut self, key: u64, master: OwnedFd, service: &str) {
        let token = self.next_token;
        let opened = Terminal::open(key, master, &self.places.terminal(service))
            .and_then(|terminal| self.poller.add(&terminal.socket, token).map(|()| terminal));
        match opened {
            Ok(terminal) => {
                self.next_token += 1;
                self.terminals.insert(token, terminal);
            }
            Err(error) => self.trouble(format!("a terminal cannot be attached to: {error}")),
        }
    }

    /// Hands over the terminal that a token stands for; whether there is one.
    pub(super) fn hand_over(&self, token: u64) -> bool {
        self.terminals.get(&token).map(Terminal::hand_over).is_some()
    }

    /// Nobody uses the terminal of that output any more.
    pub(super) fn close_terminal(&mut self, key: u64) {
        let closed = self.terminals.extract_if(|_, terminal| terminal.key == key);
        closed.for_each(|(_, terminal)| self.poller.remove(&terminal.socket));
    }

    /// Says whether the next program of this process gets the terminals.
    pub(super) fn keep_terminals(&self, keep: bool) -> io::Result<()> {
        self.terminals.values().try_for_each(|one| platform::keep_open(&one.master, keep))
    }
}
