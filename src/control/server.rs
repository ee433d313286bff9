//! The supervisor's end of the control socket (tokio).
//!
//! Each connection has a reader and a writer of its own. A peer of another user, one that sends
//! what is not a message, one that stops in the midst of a message, or one that does not read its
//! answers is dropped: it must not hurt anybody else. What all of them together may have us keep
//! is bounded in bytes, both ways.

#![expect(clippy::disallowed_methods, reason = "the server spawns its connections' tasks")]

use std::{io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::timeout,
};

pub use super::outbox::{Outbox, Records};
use super::{
    outbox::Total,
    protocol::{Answer, Ask, MAX_MESSAGE, Reply, too_long},
};
use crate::platform::{give_back_memory, own_uid};

/// The longest first message: a handshake, nothing else.
const MAX_HELLO: usize = 4096;
/// A message that is longer than this waits for its turn.
const SMALL: usize = 64 << 10;
/// How many longer ones are read at a time, over all clients.
const LARGE_AT_ONCE: usize = 2;
/// How long a client may be silent before it says who it is, or in the midst of a message.
const SILENCE: Duration = Duration::from_secs(10);
/// How long a client may take to read what is sent at once.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one that is dropped may take to read why.
const LAST_WORD: Duration = Duration::from_secs(1);

/// A client's connection, counted from 1.
pub type ConnectionId = u64;

/// What a connection tells the supervisor.
#[derive(Debug)]
pub enum Incoming {
    /// A client connected; answers to it go here.
    Opened(ConnectionId, Outbox),
    /// It asked for something.
    Asked(ConnectionId, Box<Message>),
    /// It is gone.
    Closed(ConnectionId),
}

/// A message that came.
#[derive(Debug)]
pub struct Message {
    ask: Ask,
    /// The turn of a large one, until it has been taken.
    turn: Option<OwnedSemaphorePermit>,
}

impl Message {
    /// What it says; the next large one may come.
    pub fn into_ask(self) -> Ask {
        drop(self.turn);
        self.ask
    }
}

/// What all connections share.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    incoming: mpsc::Sender<Incoming>,
    /// Turns for large messages.
    turns: Arc<Semaphore>,
    unread: Total,
    /// How long a client may take to read what is sent at once.
    patience: Duration,
    /// How long it may be silent where something is due.
    silence: Duration,
}

impl Shared {
    pub(super) fn new(incoming: mpsc::Sender<Incoming>) -> Self {
        let turns = Arc::new(Semaphore::new(LARGE_AT_ONCE));
        Self {
            incoming,
            turns,
            unread: Total::default(),
            patience: WRITE_TIMEOUT,
            silence: SILENCE,
        }
    }
}

/// Accepts clients for ever. Ends only when `incoming` is closed.
pub async fn serve(listener: UnixListener, incoming: mpsc::Sender<Incoming>) {
    let own_uid = own_uid();
    let shared = Shared::new(incoming);
    let mut last: ConnectionId = 0;
    while !shared.incoming.is_closed() {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, most likely: the client waits in the backlog meanwhile.
                tracing::warn!(%error, "cannot accept a client");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        if stream.peer_cred().is_ok_and(|peer| peer.uid() == own_uid || peer.uid() == 0) {
            last += 1;
            tokio::spawn(connection(last, stream, shared.clone()));
        }
    }
}

/// Serves one client.
pub(super) async fn connection(id: ConnectionId, stream: UnixStream, shared: Shared) {
    let (reader, writer) = stream.into_split();
    let outbox = Outbox::new(shared.unread.clone());
    if shared.incoming.send(Incoming::Opened(id, outbox.clone())).await.is_err() {
        return;
    }
    let writing = tokio::spawn(write(writer, outbox.clone(), shared.patience));
    let asking = async {
        if let Err(error) = read(id, reader, &shared).await {
            tracing::debug!(id, %error, "dropped a client");
            if error.kind() == io::ErrorKind::FileTooLarge {
                let message = error.to_string();
                outbox.send(&Answer { id: 0, reply: Reply::Error { message } });
                let _it_may_not_read_it = timeout(LAST_WORD, outbox.drained()).await;
            }
        }
    };
    tokio::select! {
        () = asking => {}
        // A client that does not read is dropped as a whole.
        _ = writing => {}
    }
    outbox.close();
    if outbox.most() > SMALL {
        give_back_memory();
    }
    // The loop has ended if this fails: there is nothing left to tell.
    let _ = shared.incoming.send(Incoming::Closed(id)).await;
}

async fn read(id: ConnectionId, reader: OwnedReadHalf, shared: &Shared) -> io::Result<()> {
    let mut reader = BufReader::new(reader);
    let mut limit = MAX_HELLO;
    loop {
        // Who has said who it is may ask whenever it likes.
        let first = reader.fill_buf();
        let silent = match limit {
            MAX_HELLO => timeout(shared.silence, first).await??.is_empty(),
            _ => first.await?.is_empty(),
        };
        if silent {
            return Ok(());
        }
        let (line, turn) = read_line(&mut reader, limit, shared).await?;
        let message = Message { ask: serde_json::from_slice(&line)?, turn };
        drop(line);
        limit = MAX_MESSAGE;
        if shared.incoming.send(Incoming::Asked(id, Box::new(message))).await.is_err() {
            return Ok(());
        }
    }
}

/// One line, without its end, that has begun to come.
async fn read_line(
    reader: &mut BufReader<OwnedReadHalf>,
    limit: usize,
    shared: &Shared,
) -> io::Result<(Vec<u8>, Option<OwnedSemaphorePermit>)> {
    let mut line = Vec::new();
    let mut turn = None;
    loop {
        if line.len() > SMALL && turn.is_none() {
            turn = Some(Arc::clone(&shared.turns).acquire_owned().await.map_err(io::Error::other)?);
        }
        let some = timeout(shared.silence, reader.fill_buf()).await??;
        if some.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let end = memchr::memchr(b'\n', some);
        let taken = end.unwrap_or(some.len());
        if line.len() + taken >= limit {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, too_long(limit)));
        }
        line.extend_from_slice(&some[..taken]);
        reader.consume(taken + usize::from(end.is_some()));
        if end.is_some() {
            return Ok((line, turn));
        }
    }
}

async fn write(mut writer: OwnedWriteHalf, outbox: Outbox, patience: Duration) -> io::Result<()> {
    let mut bytes = Vec::new();
    while outbox.next(&mut bytes).await {
        timeout(patience, writer.write_all(&bytes)).await??;
        bytes.clear();
        // What a large answer took is given back.
        bytes.shrink_to(SMALL);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
