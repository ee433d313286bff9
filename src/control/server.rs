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
            tokio::spawn(connection(last, stream, incoming.clone(), WRITE_TIMEOUT));
        }
    }
}

/// Serves one client, which may take no longer than `patience` to read an answer.
pub(super) async fn connection(
    id: ConnectionId,
    stream: UnixStream,
    incoming: mpsc::Sender<Incoming>,
    patience: Duration,
) {
    let (reader, writer) = stream.into_split();
    let (sender, answers) = mpsc::channel(MAX_UNREAD);
    if incoming.send(Incoming::Opened(id, Outbox(sender))).await.is_err() {
        return;
    }
    let writing = tokio::spawn(write(writer, answers, patience));
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

async fn write(
    mut writer: OwnedWriteHalf,
    mut answers: mpsc::Receiver<Answer>,
    patience: Duration,
) -> io::Result<()> {
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
        tokio::time::timeout(patience, writer.write_all(&bytes)).await??;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::control::{Reply, Request};

    /// What the loop is told of a client that sends these pieces and hangs up.
    async fn heard(pieces: Vec<Vec<u8>>) -> Vec<Ask> {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (sender, mut incoming) = mpsc::channel(64);
        let (mut answers, mut ours) = ours.into_split();
        tokio::spawn(connection(7, theirs, sender, WRITE_TIMEOUT));
        let writing = tokio::spawn(async move {
            for piece in pieces {
                // Dropped in the middle is one of the things that happen.
                if ours.write_all(&piece).await.is_err() {
                    return;
                }
                tokio::task::yield_now().await;
            }
        });
        let Some(Incoming::Opened(7, outbox)) = incoming.recv().await else { panic!("not opened") };
        let mut asks = Vec::new();
        loop {
            match incoming.recv().await {
                Some(Incoming::Asked(7, ask)) => asks.push(*ask),
                Some(Incoming::Closed(7)) => break,
                other => panic!("{other:?}"),
            }
        }
        drop(outbox);
        let mut rest = Vec::new();
        // An end or a reset: in any case it is hung up on.
        let _reset = answers.read_to_end(&mut rest).await;
        writing.await.unwrap();
        assert_eq!(rest, b"", "nobody has answered");
        asks
    }

    /// What is to be heard of these bytes: every message up to the first that is none.
    fn messages(bytes: &[u8]) -> Vec<Ask> {
        let mut asks = Vec::new();
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
        for line in bytes[..whole].split(|byte| *byte == b'\n') {
            let limit = if asks.is_empty() { MAX_HELLO } else { MAX_MESSAGE };
            match serde_json::from_slice(line) {
                Ok(ask) if line.len() < limit => asks.push(ask),
                Ok(_) | Err(_) => break,
            }
        }
        asks
    }

    fn line() -> impl Strategy<Value = Vec<u8>> {
        let request = prop_oneof![
            Just(Request::Status),
            any::<u32>().prop_map(|pid| Request::Hello { protocol: 1, version: "1".into(), pid }),
            "[a-z/]{0,5000}".prop_map(|path| Request::Upgrade { program: path.into() }),
        ];
        let whole = (any::<u64>(), request)
            .prop_map(|(id, request)| serde_json::to_vec(&Ask { id, request }).unwrap());
        let spoilt = (whole.clone(), any::<prop::sample::Index>(), any::<u8>()).prop_map(
            |(mut bytes, at, byte)| {
                let at = at.index(bytes.len());
                bytes[at] = byte;
                bytes
            },
        );
        let noise = vec(any::<u8>(), 0..80);
        prop_oneof![6 => whole, 1 => spoilt, 1 => noise].prop_map(|mut bytes| {
            bytes.push(b'\n');
            bytes
        })
    }

    /// A client that is served, and where its answers go.
    async fn client(
        id: ConnectionId,
        patience: Duration,
    ) -> (UnixStream, Outbox, mpsc::Receiver<Incoming>) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (sender, mut incoming) = mpsc::channel(64);
        tokio::spawn(connection(id, theirs, sender, patience));
        match incoming.recv().await {
            Some(Incoming::Opened(_, outbox)) => (ours, outbox, incoming),
            other => panic!("{other:?}"),
        }
    }

    fn answer(id: u64) -> Answer {
        Answer { id, reply: Reply::Error { message: "x".repeat(1000) } }
    }

    /// More than any socket takes.
    const FLOOD: u64 = 20_000;

    fn block_on(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test);
    }

    #[test]
    fn who_never_reads_is_dropped() {
        block_on(async {
            let (silent, outbox, mut incoming) = client(7, Duration::from_millis(20)).await;
            assert!((0..FLOOD).all(|id| outbox.send(answer(id))), "so much may be unread");
            assert!(matches!(incoming.recv().await, Some(Incoming::Closed(7))));
            assert!(!outbox.send(answer(FLOOD)));
            // It is hung up on: after what it had been sent comes the end.
            let mut silent = silent;
            let mut sent = Vec::new();
            let _reset = silent.read_to_end(&mut sent).await;
            assert!(sent.len() < 1000 * FLOOD as usize);
        });
    }

    #[test]
    fn who_reads_slowly_delays_nobody_and_loses_nothing() {
        block_on(async {
            // However slow this machine is, nobody's time is up.
            let (mut slow, for_slow, _slow) = client(1, 100 * WRITE_TIMEOUT).await;
            let (quick, for_quick, _quick) = client(2, 100 * WRITE_TIMEOUT).await;
            for id in 0..FLOOD {
                assert!(for_slow.send(answer(id)) && for_quick.send(answer(id)));
            }
            // The slow one has not read a byte when the quick one has got everything.
            let mut lines = BufReader::new(quick).lines();
            for id in 0..FLOOD {
                let line = lines.next_line().await.unwrap().unwrap();
                assert_eq!(serde_json::from_str::<Answer>(&line).unwrap(), answer(id));
            }
            assert!(for_slow.0.capacity() < MAX_UNREAD, "much of it is still to be read");
            let mut lines = BufReader::new(&mut slow).lines();
            for id in 0..FLOOD {
                let line = lines.next_line().await.unwrap().unwrap();
                assert_eq!(serde_json::from_str::<Answer>(&line).unwrap(), answer(id));
            }
        });
    }

    #[test]
    fn who_leaves_too_much_unread_is_told_nothing_more() {
        block_on(async {
            let (_silent, outbox, _incoming) = client(7, WRITE_TIMEOUT).await;
            let sent = (0..).take_while(|id| outbox.send(answer(*id))).count();
            assert!(sent >= MAX_UNREAD, "{sent}");
        });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn whatever_comes_is_heard_up_to_the_first_that_is_no_message(
            lines in vec(line(), 0..6),
            torn in vec(any::<u8>().prop_filter("no end", |byte| *byte != b'\n'), 0..30),
            piece in 1..700_usize,
        ) {
            let bytes: Vec<u8> = lines.concat().into_iter().chain(torn).collect();
            let pieces = bytes.chunks(piece).map(<[u8]>::to_vec).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            prop_assert_eq!(runtime.block_on(heard(pieces)), messages(&bytes));
        }
    }
}
