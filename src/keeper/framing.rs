//! The supervisor's side of the connection: bytes to messages and back, without any I/O of its
//! own, so that it fits any runtime.

use std::{
    io::{self, ErrorKind},
    marker::PhantomData,
    os::fd::RawFd,
};

use serde::{Serialize, de::DeserializeOwned};

use super::protocol::ToKeeper;

/// The supervisor's descriptor of its end of the connection to the keeper.
pub const CONNECTION: RawFd = 3;

/// The supervisor's descriptor of the listening control socket.
pub const CONTROL: RawFd = 4;

/// A message as it is sent: a line of JSON.
pub fn encode(message: &ToKeeper) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Messages are plain data with names as keys; such a thing cannot fail to be written.
    let _ = add_line(&mut bytes, message);
    bytes
}

/// Adds a line of JSON; nothing, if it cannot be written.
pub(super) fn add_line(bytes: &mut Vec<u8>, message: &impl Serialize) -> serde_json::Result<()> {
    let length = bytes.len();
    let written = serde_json::to_writer(&mut *bytes, message);
    match written {
        Ok(()) => bytes.push(b'\n'),
        Err(_) => bytes.truncate(length),
    }
    written
}

/// Messages on their way: what the other side has not taken yet.
#[derive(Debug, Default)]
pub struct Unsent {
    bytes: Vec<u8>,
    sent: usize,
}

impl Unsent {
    /// Puts a message behind the others.
    ///
    /// # Errors
    ///
    /// Those of writing it as JSON; nothing is added then.
    pub fn add(&mut self, message: &impl Serialize) -> serde_json::Result<()> {
        add_line(&mut self.bytes, message)
    }

    /// Sends what `write` takes without waiting; whether something is left. A receiver that
    /// is gone is noticed by reading: then nothing is left.
    pub fn send(&mut self, mut write: impl FnMut(&[u8]) -> io::Result<usize>) -> bool {
        while self.sent < self.bytes.len() {
            match write(&self.bytes[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(_) => break,
            }
        }
        self.bytes.clear();
        self.sent = 0;
        false
    }
}

/// Puts messages together from what was read.
#[derive(Debug)]
pub struct Decoder<M> {
    /// The beginning of a line whose end has not come yet.
    partial: Vec<u8>,
    message: PhantomData<fn() -> M>,
}

impl<M> Default for Decoder<M> {
    fn default() -> Self {
        Self { partial: Vec::new(), message: PhantomData }
    }
}

impl<M: DeserializeOwned> Decoder<M> {
    /// Takes what was read, and returns each message that is complete; one that cannot be
    /// understood is an error in its place.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Result<M, serde_json::Error>> {
        let mut messages = Vec::new();
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            if self.partial.is_empty() {
                messages.push(serde_json::from_slice(&rest[..end]));
            } else {
                self.partial.extend_from_slice(&rest[..end]);
                messages.push(serde_json::from_slice(&self.partial));
                self.partial.clear();
            }
            rest = &rest[end + 1..];
        }
        self.partial.extend_from_slice(rest);
        messages
    }
}

#[cfg(test)]
mod tests {
    use super::{super::protocol::CheckpointPart, *};

    #[test]
    fn messages_survive_any_cut() {
        let note = ToKeeper::Keep { part: CheckpointPart::Note, text: "a\nb".to_owned() };
        let messages = [note, ToKeeper::Finish];
        let bytes: Vec<u8> = messages.iter().flat_map(encode).collect();
        for cut in 0..bytes.len() {
            let mut decoder = Decoder::<ToKeeper>::default();
            let mut got = decoder.push(&bytes[..cut]);
            got.extend(decoder.push(&bytes[cut..]));
            let got: Vec<ToKeeper> = got.into_iter().map(Result::unwrap).collect();
            assert_eq!(got, messages);
        }
    }

    #[test]
    fn what_was_not_taken_is_sent_later() {
        let mut unsent = Unsent::default();
        unsent.add(&ToKeeper::Finish).unwrap();
        let mut taken = Vec::new();
        let mut sips = 0;
        // Takes a byte, is interrupted, takes a byte, is full.
        let mut sip = |bytes: &[u8]| {
            sips += 1;
            match sips % 4 {
                0 => return Err(ErrorKind::WouldBlock.into()),
                2 => return Err(ErrorKind::Interrupted.into()),
                _ => taken.push(bytes[0]),
            }
            Ok(1)
        };
        assert!(unsent.send(&mut sip));
        unsent.add(&ToKeeper::Finish).unwrap();
        while unsent.send(&mut sip) {}
        assert_eq!(taken, encode(&ToKeeper::Finish).repeat(2));
        unsent.add(&ToKeeper::Finish).unwrap();
        assert!(!unsent.send(|_| Err(ErrorKind::BrokenPipe.into())), "the receiver is gone");
    }
}
