//! What the fuzz targets try of this layer: both ends of the control socket.

#![expect(clippy::disallowed_methods, reason = "the connection is a task of its own")]

use std::{cell::LazyCell, io::Write, net::Shutdown, os::unix::net};

use tokio::{io::AsyncWriteExt, net::UnixStream, runtime::Runtime, sync::mpsc};

use super::{
    protocol::{Answer, Ask},
    server::{self, Incoming, Shared},
    wire::Wire,
};

thread_local! {
    static RUNTIME: LazyCell<Runtime> = LazyCell::new(|| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().expect("a runtime")
    });
}

/// What the supervisor hears of a client that sends these bytes and hangs up.
pub fn requests(bytes: &[u8]) -> Vec<Ask> {
    RUNTIME.with(|runtime| runtime.block_on(heard(bytes)))
}

async fn heard(bytes: &[u8]) -> Vec<Ask> {
    let (mut ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    let (sender, mut incoming) = mpsc::channel(64);
    tokio::spawn(server::connection(1, theirs, Shared::new(sender)));
    let sending = async {
        // It may have been hung up on.
        let _sent = ours.write_all(bytes).await;
        let _closed = ours.shutdown().await;
    };
    let hearing = async {
        let (mut asked, mut outbox) = (Vec::new(), None);
        while let Some(incoming) = incoming.recv().await {
            match incoming {
                Incoming::Opened(_, opened) => outbox = Some(opened),
                Incoming::Asked(_, message) => asked.push(message.into_ask()),
                Incoming::Closed(_) => break,
            }
        }
        drop(outbox);
        asked
    };
    tokio::join!(sending, hearing).1
}

/// What a client understands of these bytes, up to the first line that is no answer. Nothing of
/// more than a socket takes at once.
pub fn answers(bytes: &[u8]) -> Vec<Answer> {
    let (mut theirs, ours) = net::UnixStream::pair().expect("a pair of sockets");
    theirs.set_nonblocking(true).expect("a socket");
    if theirs.write_all(bytes).is_err() {
        return Vec::new();
    }
    theirs.shutdown(Shutdown::Write).expect("a socket");
    let mut wire = Wire::new(ours, None);
    let mut answers = Vec::new();
    while let Ok(Some(answer)) = wire.next(None) {
        answers.push(answer);
    }
    answers
}
