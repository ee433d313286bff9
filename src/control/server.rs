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
    /// The turn of a large one, until somebody has taken it.
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
    // The loop has ended if this fails: nobody is left to be told.
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
mod tests {
    use proptest::{collection::vec, prelude::*};
    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::control::{Reply, Request};

    /// What the loop is told of a client that sends these pieces and hangs up.
    async fn heard(pieces: Vec<Vec<u8>>) -> Vec<Ask> {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (sender, mut incoming) = mpsc::channel(64);
        let (mut answers, mut ours) = ours.into_split();
        tokio::spawn(connection(7, theirs, Shared::new(sender)));
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
                Some(Incoming::Asked(7, message)) => asks.push(message.into_ask()),
                Some(Incoming::Closed(7)) => break,
                other => panic!("{other:?}"),
            }
        }
        drop(outbox);
        let mut rest = Vec::new();
        // An end or a reset: in any case it is hung up on.
        let _reset = answers.read_to_end(&mut rest).await;
        writing.await.unwrap();
        let rest = String::from_utf8(rest).unwrap();
        assert!(rest.is_empty() || rest.contains("long at most"), "nobody has answered: {rest}");
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
        let shared = Shared { patience, ..Shared::new(sender) };
        tokio::spawn(connection(id, theirs, shared));
        match incoming.recv().await {
            Some(Incoming::Opened(_, outbox)) => (ours, outbox, incoming),
            other => panic!("{other:?}"),
        }
    }

    fn answer(id: u64) -> Answer {
        Answer { id, reply: Reply::Error { message: "x".repeat(1000) } }
    }

    /// More than any socket takes, and less than is too much.
    const FLOOD: u64 = 5000;

    fn block_on(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test);
    }

    #[test]
    fn who_never_reads_is_dropped() {
        block_on(async {
            let (silent, outbox, mut incoming) = client(7, Duration::from_millis(20)).await;
            assert!((0..FLOOD).all(|id| outbox.send(&answer(id))), "so much may be unread");
            assert!(matches!(incoming.recv().await, Some(Incoming::Closed(7))));
            assert!(!outbox.send(&answer(FLOOD)));
            // It is hung up on: after what it had been sent comes the end.
            let mut silent = silent;
            let mut sent = Vec::new();
            let _reset = silent.read_to_end(&mut sent).await;
            assert!(sent.len() < 1000 * FLOOD as usize);
        });
    }

    #[test]
    fn who_reads_slowly_delays_nobody_and_loses_no_answer() {
        block_on(async {
            // However slow this machine is, nobody's time is up.
            let (mut slow, for_slow, _slow) = client(1, 100 * WRITE_TIMEOUT).await;
            let (quick, for_quick, _quick) = client(2, 100 * WRITE_TIMEOUT).await;
            for id in 0..FLOOD {
                assert!(for_slow.send(&answer(id)) && for_quick.send(&answer(id)));
            }
            // The slow one has not read a byte when the quick one has got everything.
            let mut lines = BufReader::new(quick).lines();
            for id in 0..FLOOD {
                let line = lines.next_line().await.unwrap().unwrap();
                assert_eq!(serde_json::from_str::<Answer>(&line).unwrap(), answer(id));
            }
            let drained = timeout(Duration::ZERO, for_slow.drained()).await;
            assert!(drained.is_err(), "much of it is still to be read");
            let mut lines = BufReader::new(&mut slow).lines();
            for id in 0..FLOOD {
                let line = lines.next_line().await.unwrap().unwrap();
                assert_eq!(serde_json::from_str::<Answer>(&line).unwrap(), answer(id));
            }
        });
    }

    #[test]
    fn a_message_that_is_too_long_is_refused_in_words() {
        block_on(async {
            let (mut rude, _outbox, _incoming) = client(7, WRITE_TIMEOUT).await;
            rude.write_all(&vec![b'x'; 2 * MAX_HELLO]).await.unwrap();
            let mut said = String::new();
            let _reset = rude.read_to_string(&mut said).await;
            assert!(said.contains("may be 4 KiB long at most"), "{said}");
        });
    }

    #[test]
    fn who_says_nothing_or_stops_in_the_midst_is_dropped() {
        block_on(async {
            for said in ["", "{\"id\": 1"] {
                let (ours, theirs) = UnixStream::pair().unwrap();
                let (sender, mut incoming) = mpsc::channel(64);
                let silence = Duration::from_millis(20);
                tokio::spawn(connection(7, theirs, Shared { silence, ..Shared::new(sender) }));
                let (_answers, mut ours) = ours.into_split();
                ours.write_all(said.as_bytes()).await.unwrap();
                assert!(matches!(incoming.recv().await, Some(Incoming::Opened(7, _))));
                assert!(matches!(incoming.recv().await, Some(Incoming::Closed(7))), "{said}");
            }
        });
    }

    #[test]
    fn large_messages_are_read_a_few_at_a_time() {
        block_on(async {
            let (sender, mut incoming) = mpsc::channel(64);
            let shared = Shared::new(sender);
            let mut ends = Vec::new();
            let mut writing = Vec::new();
            for id in 1..=6 {
                let (ours, theirs) = UnixStream::pair().unwrap();
                tokio::spawn(connection(id, theirs, shared.clone()));
                let (answers, mut ours) = ours.into_split();
                ends.push(answers);
                writing.push(tokio::spawn(async move {
                    let hello = Request::Hello { protocol: 1, version: "1".into(), pid: 1 };
                    let large = Request::Upgrade { program: "x".repeat(4 * SMALL).into() };
                    for request in [hello, large] {
                        let mut bytes = serde_json::to_vec(&Ask { id: 1, request }).unwrap();
                        bytes.push(b'\n');
                        ours.write_all(&bytes).await.unwrap();
                    }
                    ours
                }));
            }
            // As long as nobody has taken them, no others are read.
            let mut taken = Vec::new();
            while taken.len() < 6 {
                match incoming.recv().await.unwrap() {
                    Incoming::Asked(_, message) if message.turn.is_some() => {
                        assert!(shared.turns.available_permits() < LARGE_AT_ONCE);
                        taken.push(message);
                        if taken.len() % LARGE_AT_ONCE == 0 {
                            assert_eq!(shared.turns.available_permits(), 0);
                            taken.iter_mut().for_each(|message| drop(message.turn.take()));
                        }
                    }
                    Incoming::Asked(..) | Incoming::Opened(..) => {}
                    Incoming::Closed(id) => panic!("{id} is gone"),
                }
            }
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
