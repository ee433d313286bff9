//! The supervisor's side of the connection: bytes to messages and back, without any I/O of its
//! own, so that it fits any runtime.

use std::{marker::PhantomData, os::fd::RawFd};

use serde::{Serialize, de::DeserializeOwned};

use super::protocol::ToKeeper;

/// The supervisor's descriptor of its end of the connection to the keeper.
pub const CONNECTION: RawFd = 3;

/// The supervisor's descriptor of the listening control socket.
pub const CONTROL: RawFd = 4;

/// A message as it is sent: a line of JSON.
pub fn encode(message: &ToKeeper) -> Vec<u8> {
    line(message)
}

pub(super) fn line(message: &impl Serialize) -> Vec<u8> {
    // Messages are plain data with names as keys; such a thing cannot fail to be written.
    let mut bytes = serde_json::to_vec(message).unwrap_or_default();
    bytes.push(b'\n');
    bytes
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
            self.partial.extend_from_slice(&rest[..end]);
            messages.push(serde_json::from_slice(&self.partial));
            self.partial.clear();
            rest = &rest[end + 1..];
        }
        self.partial.extend_from_slice(rest);
        messages
    }
}

#[cfg(test)]
mod tests {
    use super::{super::protocol::Paper, *};

    #[test]
    fn messages_survive_any_cut() {
        let note = ToKeeper::Keep { paper: Paper::Note, text: "a\nb".to_owned() };
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
}
