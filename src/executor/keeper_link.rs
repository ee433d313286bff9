//! The supervisor's end of the socketpair to its keeper.

use std::{
    cell::RefCell, collections::BTreeMap, io, os::fd::OwnedFd,
    os::unix::net::UnixStream as StdStream, rc::Rc,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::{UnixStream, unix::OwnedWriteHalf},
    sync::{Notify, mpsc},
};

use crate::keeper::{
    framing::Unsent,
    protocol::{FromKeeper, SpawnSpec, ToKeeper},
};

/// Messages to the keeper: gathered during a turn, sent in this order at its end, after what the
/// keeper is to keep, and before any client hears of the turn. A supervisor that dies in between
/// is succeeded by one that knows what was about to be done and what was told.
#[derive(Debug)]
pub(super) struct KeeperLink {
    outgoing: Rc<Outgoing>,
    gathered: RefCell<Vec<ToKeeper>>,
    /// The environment that the keeper has been told last.
    environment: RefCell<BTreeMap<String, String>>,
}

/// So many messages are sent together.
const TOGETHER: usize = 32;

/// What is on its way.
#[derive(Debug)]
struct Outgoing {
    half: OwnedWriteHalf,
    unsent: RefCell<Unsent>,
    /// Something is left that the socket did not take at once.
    more: Notify,
}

impl Outgoing {
    /// Sends what the socket takes at once. The reader notices the keeper's end, too, and says so.
    fn write(&self) {
        if self.unsent.borrow_mut().send(|bytes| self.half.try_write(bytes)) {
            self.more.notify_one();
        }
    }
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
        let (reader, half) = UnixStream::from_std(stream)?.into_split();
        let outgoing = Rc::new(Outgoing { half, unsent: RefCell::default(), more: Notify::new() });
        let rest = Rc::clone(&outgoing);
        tokio::task::spawn_local(async move {
            loop {
                rest.more.notified().await;
                if rest.half.writable().await.is_err() {
                    return;
                }
                rest.write();
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
                    Err(error) => {
                        tracing::warn!(%error, "received a malformed message from the keeper");
                    }
                }
            }
        });
        Ok(Self { outgoing, gathered: RefCell::default(), environment: RefCell::default() })
    }

    /// Puts a message to those of this turn.
    pub(super) fn send(&self, message: ToKeeper) {
        self.gathered.borrow_mut().push(message);
    }

    /// Has a unit started, whose environment is told by what it has beside that of the `caller`.
    pub(super) fn spawn(&self, spec: SpawnSpec, caller: &BTreeMap<String, String>) {
        if *self.environment.borrow() != *caller {
            self.environment.borrow_mut().clone_from(caller);
            let variables = caller.clone().into_iter().collect();
            self.send(ToKeeper::Environment { variables });
        }
        self.send(ToKeeper::Spawn(Box::new(spec)));
    }

    /// Ends the turn: sends what is to be kept, then everything else.
    pub(super) fn flush(&self, kept: &[ToKeeper]) {
        let add = |message: &ToKeeper| {
            if let Err(error) = self.outgoing.unsent.borrow_mut().add(message) {
                tracing::error!(%error, "a message to the keeper cannot be encoded");
            }
        };
        // At once: who comes after us is to know all of it or nothing.
        kept.iter().for_each(add);
        self.outgoing.write();
        // The keeper begins with the first ones while the others are written down.
        for some in self.gathered.take().chunks(TOGETHER) {
            some.iter().for_each(add);
            self.outgoing.write();
        }
    }
}
