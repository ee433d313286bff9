//! No socket here tells which process has sent a datagram.

use std::{
    convert::Infallible,
    io,
    os::fd::{AsFd, BorrowedFd},
};

use crate::platform::Sender;

/// Never made.
#[derive(Debug)]
pub struct NotifySocket(Infallible);

impl NotifySocket {
    /// Not to be had.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn bind(_name: &str) -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "this system does not tell the sender"))
    }

    /// The next datagram with its sender.
    pub fn receive(&self) -> Option<(Option<Sender>, Vec<u8>)> {
        match self.0 {}
    }
}

impl AsFd for NotifySocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self.0 {}
    }
}
