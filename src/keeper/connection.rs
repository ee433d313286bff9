//! The keeper's end of the connection to its supervisor.

use std::{
    io::{self, ErrorKind, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
};

use super::{
    framing::{Decoder, Unsent},
    protocol::{FromKeeper, ToKeeper},
};

/// So many bytes are read at once: those of a few hundred starts.
const AT_ONCE: usize = 128 << 10;

/// A connection, with what has still to be sent.
#[derive(Debug)]
pub(super) struct Connection {
    stream: UnixStream,
    buffer: Box<[u8]>,
    decoder: Decoder<ToKeeper>,
    unsent: Unsent,
}

/// What was read at once.
#[derive(Debug)]
pub(super) struct Received {
    /// The messages that came, in order.
    pub(super) messages: Vec<Result<ToKeeper, serde_json::Error>>,
    /// There was nothing to read, for now or for ever.
    pub(super) is_empty: bool,
    /// The supervisor has closed it or is gone.
    pub(super) ended: bool,
}

impl Connection {
    pub(super) fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let buffer = vec![0; AT_ONCE].into();
        Ok(Self { stream, buffer, decoder: Decoder::default(), unsent: Unsent::default() })
    }

    /// Reads some of what is there: a bounded amount, so that a long list of starts does not hold
    /// up everything else.
    pub(super) fn receive(&mut self) -> Received {
        let ended = match self.stream.read(&mut self.buffer) {
            Ok(0) => true,
            Ok(count) => {
                let messages = self.decoder.push(&self.buffer[..count]);
                return Received { messages, is_empty: false, ended: false };
            }
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        };
        Received { messages: Vec::new(), is_empty: true, ended }
    }

    /// Puts a message in the queue.
    pub(super) fn send(&mut self, message: &FromKeeper) {
        // Messages are plain data with names as keys; such a thing cannot fail to be written.
        let _ = self.unsent.add(message);
    }

    /// Sends what can be sent without waiting; whether something is left.
    pub(super) fn flush(&mut self) -> bool {
        let mut stream = &self.stream;
        self.unsent.send(|bytes| stream.write(bytes))
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
