//! The supervisor's end of the socketpair to its keeper.

use std::{io, os::fd::OwnedFd, os::unix::net::UnixStream as StdStream};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
    sync::mpsc,
};

use crate::keeper::protocol::{FromKeeper, ToKeeper};

/// Messages to the keeper: queued, and written in this order.
#[derive(Debug, Clone)]
pub(super) struct KeeperLink(mpsc::UnboundedSender<ToKeeper>);

impl KeeperLink {
    /// Takes over the descriptor; what the keeper says comes out of `news`, which ends with the
    /// keeper.
    pub(super) fn open(
        descriptor: OwnedFd,
        news: mpsc::UnboundedSender<FromKeeper>,
    ) -> io::Result<Self> {
        let stream = StdStream::from(descriptor);
        stream.set_nonblocking(true)?;
        let (reader, mut writer) = UnixStream::from_std(stream)?.into_split();
        let (sender, mut messages) = mpsc::unbounded_channel::<ToKeeper>();
        tokio::task::spawn_local(async move {
            let mut bytes = Vec::new();
            while let Some(message) = messages.recv().await {
                bytes.clear();
                encode(&mut bytes, &message);
                while let Ok(next) = messages.try_recv() {
                    encode(&mut bytes, &next);
                }
                if let Err(error) = writer.write_all(&bytes).await {
                    // The reader notices the keeper's end, too, and says so.
                    tracing::warn!(%error, "cannot write to the keeper");
                    return;
                }
            }
        });
        tokio::task::spawn_local(async move {
            let mut lines = BufReader::new(reader).split(b'\n');
            while let Ok(Some(line)) = lines.next_segment().await {
                match serde_json::from_slice(&line) {
                    Ok(message) => {
                        if news.send(message).is_err() {
                            return;
                        }
                    }
                    Err(error) => tracing::warn!(%error, "a message of the keeper makes no sense"),
                }
            }
        });
        Ok(Self(sender))
    }

    /// Queues a message.
    pub(super) fn send(&self, message: ToKeeper) {
        // The writer has ended with the keeper if this fails; the reader tells.
        let _ = self.0.send(message);
    }
}

fn encode(bytes: &mut Vec<u8>, message: &ToKeeper) {
    if let Err(error) = serde_json::to_writer(&mut *bytes, message) {
        tracing::error!(%error, "a message to the keeper cannot be encoded");
        return;
    }
    bytes.push(b'\n');
}
