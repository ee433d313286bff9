//! The supervisor's end of the socketpair to its keeper.

use std::{cell::RefCell, io, os::fd::OwnedFd, os::unix::net::UnixStream as StdStream};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
    sync::mpsc,
};

use crate::keeper::protocol::{FromKeeper, ToKeeper};

/// Messages to the keeper: gathered during a turn, sent in this order at its end, after what the
/// keeper is to keep. A supervisor that dies in between is succeeded by one that knows what was
/// about to be done, and never by one that does not know what was.
#[derive(Debug)]
pub(super) struct KeeperLink {
    writer: mpsc::UnboundedSender<Vec<ToKeeper>>,
    gathered: RefCell<Vec<ToKeeper>>,
}

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
        let (sender, mut messages) = mpsc::unbounded_channel::<Vec<ToKeeper>>();
        tokio::task::spawn_local(async move {
            let mut bytes = Vec::new();
            while let Some(turn) = messages.recv().await {
                bytes.clear();
                turn.iter().for_each(|message| encode(&mut bytes, message));
                while let Ok(next) = messages.try_recv() {
                    next.iter().for_each(|message| encode(&mut bytes, message));
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
        Ok(Self { writer: sender, gathered: RefCell::default() })
    }

    /// Puts a message to those of this turn.
    pub(super) fn send(&self, message: ToKeeper) {
        self.gathered.borrow_mut().push(message);
    }

    /// Ends the turn: sends what is to be kept, then everything else.
    pub(super) fn flush(&self, mut kept: Vec<ToKeeper>) {
        kept.append(&mut self.gathered.borrow_mut());
        if !kept.is_empty() {
            // The writer has ended with the keeper if this fails; the reader tells.
            let _ = self.writer.send(kept);
        }
    }
}

fn encode(bytes: &mut Vec<u8>, message: &ToKeeper) {
    if let Err(error) = serde_json::to_writer(&mut *bytes, message) {
        tracing::error!(%error, "a message to the keeper cannot be encoded");
        return;
    }
    bytes.push(b'\n');
}
