//! The supervisor's end of the control socket (tokio).
//!
//! Each connection has a reader and a writer of its own. A peer of another user, one that sends
//! what is not a message, or one that does not read its answers is dropped: it must not hurt
//! anybody else.

#![expect(clippy::disallowed_methods, reason = "the server spawns its connections' tasks")]

use std::{io, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
};

use super::protocol::{Answer, Ask, MAX_MESSAGE};

/// The longest first message: a handshake, nothing else.
const MAX_HELLO: usize = 4096;
/// How many answers a client may leave unread before it is dropped.
const MAX_UNREAD: usize = 65_536;
/// How long a client may take to read one answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// A client's connection, counted from 1.
pub type ConnectionId = u64;

/// What a connection tells the supervisor.
#[derive(Debug)]
pub enum Incoming {
    /// A client connected; answers to it go here.
    Opened(ConnectionId, Outbox),
    /// It asked for something.
    Asked(ConnectionId, Box<Ask>),
    /// It is gone.
    Closed(ConnectionId),
}

/// Where answers to one client go.
#[derive(Debug, Clone)]
pub struct Outbox(mpsc::Sender<Answer>);

impl Outbox {
    /// Queues an answer. `false`: the client is gone, or reads so slowly that it is dropped.
    pub fn send(&self, answer: Answer) -> bool {
        self.0.try_send(answer).is_ok()
    }

    /// Waits until everything queued so far has been taken by the writer or the client is gone.
    pub async fn drained(&self) {
        while self.0.capacity() < self.0.max_capacity() && !self.0.is_closed() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Accepts clients for ever. Ends only when `incoming` is closed.
pub async fn serve(listener: UnixListener, incoming: mpsc::Sender<Incoming>) {
    let own_uid = crate::platform::own_uid();
    let mut last: ConnectionId = 0;
    while !incoming.is_closed() {
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
            tokio::spawn(connection(last, stream, incoming.clone()));
        }
    }
}

async fn connection(id: ConnectionId, stream: UnixStream, incoming: mpsc::Sender<Incoming>) {
    let (reader, writer) = stream.into_split();
    let (sender, answers) = mpsc::channel(MAX_UNREAD);
    if incoming.send(Incoming::Opened(id, Outbox(sender))).await.is_err() {
        return;
    }
    let writing = tokio::spawn(write(writer, answers));
    let asking = async {
        if let Err(error) = read(id, reader, &incoming).await {
            tracing::debug!(id, %error, "dropped a client");
        }
    };
    tokio::select! {
        () = asking => {}
        // A client that does not read is dropped as a whole.
        _ = writing => {}
    }
    // The loop has ended if this fails: nobody is left to be told.
    let _ = incoming.send(Incoming::Closed(id)).await;
}

async fn read(
    id: ConnectionId,
    reader: OwnedReadHalf,
    incoming: &mpsc::Sender<Incoming>,
) -> io::Result<()> {
    let mut reader = BufReader::new(reader);
    let mut limit = MAX_HELLO;
    loop {
        let Some(line) = read_line(&mut reader, limit).await? else { return Ok(()) };
        let ask: Ask = serde_json::from_slice(&line)?;
        limit = MAX_MESSAGE;
        if incoming.send(Incoming::Asked(id, Box::new(ask))).await.is_err() {
            return Ok(());
        }
    }
}

/// One line, without its end; `None` at the end of the stream.
async fn read_line(
    reader: &mut BufReader<OwnedReadHalf>,
    limit: usize,
) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let read = reader.take(limit as u64).read_until(b'\n', &mut line).await?;
    match line.pop() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(_) if read >= limit => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "the message is too long"))
        }
        Some(_) => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

async fn write(mut writer: OwnedWriteHalf, mut answers: mpsc::Receiver<Answer>) -> io::Result<()> {
    let mut bytes = Vec::new();
    while let Some(answer) = answers.recv().await {
        bytes.clear();
        serde_json::to_writer(&mut bytes, &answer)?;
        bytes.push(b'\n');
        // What is queued already goes out in the same write.
        while bytes.len() < 65_536 {
            let Ok(next) = answers.try_recv() else { break };
            serde_json::to_writer(&mut bytes, &next)?;
            bytes.push(b'\n');
        }
        tokio::time::timeout(WRITE_TIMEOUT, writer.write_all(&bytes)).await??;
    }
    Ok(())
}
