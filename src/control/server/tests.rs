//! Clients that behave and clients that do not.

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
        // However slow this machine is, no time limit is reached.
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
        // As long as they are not taken, no others are read.
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
