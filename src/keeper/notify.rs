//! `READY=1`: how a service says itself that it is ready (sd_notify(3)).
//!
//! The keeper holds the socket, so that no word is lost while the supervisor is away, and listens
//! to processes of the unit alone: the kernel tells who has sent a datagram, and that process must
//! be in the tree. The socket has a name and no file: a service that runs as another user could
//! not reach into the runtime folder. Nobody can guess the name, and so take it before.
//!
//! A helper such as systemd-notify(1) ends as soon as it has sent the word. As long as nobody has
//! reaped it, its tag and its parents still tell whose it is. Where its parent was faster than we
//! are, only its number and its user are left: then the user must be the unit's, and the name of
//! the socket counts as the proof, which is in the environment of the unit alone. (Another process
//! of the same user can look it up there, and send the word, and end before we look: it could as
//! well trace the service, or signal it.)

use std::{
    hash::{BuildHasher, RandomState},
    io,
    os::fd::{AsFd, BorrowedFd},
};

use serde::{Deserialize, Serialize};

use super::{
    main_loop::Keeper,
    protocol::{FromKeeper, UnitId},
    unit::Unit,
};
use crate::platform::{self, Entry, NotifySocket, Sender};

/// The variable that names the socket.
pub(super) const VARIABLE: &str = "NOTIFY_SOCKET";

/// The socket of one unit, and whether it has brought the word.
#[derive(Debug)]
pub(super) struct Notify {
    name: String,
    socket: NotifySocket,
    pub(super) heard: bool,
    /// The user that the unit was started as.
    user: u32,
}

/// The same, as a keeper that takes over has to know it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    name: String,
    heard: bool,
    #[serde(default = "platform::own_uid")]
    user: u32,
}

impl Notify {
    /// A socket for a unit of this user; `place` tells people whose it is.
    pub(super) fn create(place: &str, user: u32) -> io::Result<Self> {
        // Seeded by the system for each.
        let random = RandomState::new().hash_one(place);
        Self::bind(format!("{place}-{random:016x}"), user)
    }

    fn bind(name: String, user: u32) -> io::Result<Self> {
        let socket = NotifySocket::bind(&name)?;
        Ok(Self { name, socket, heard: false, user })
    }

    /// [`VARIABLE`] with its value: `@` stands for the zero byte that such names begin with.
    pub(super) fn assignment(&self) -> String {
        format!("{VARIABLE}=@{}", self.name)
    }

    pub(super) fn record(&self) -> Record {
        Record { name: self.name.clone(), heard: self.heard, user: self.user }
    }

    /// The socket of a keeper that is gone, under the same name. What was sent in between has
    /// failed for the sender.
    pub(super) fn take_over(record: Record) -> Option<Self> {
        let Record { name, heard, user } = record;
        let notify = Self::bind(name, user).ok()?;
        Some(Self { heard, ..notify })
    }
}

impl AsFd for Notify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Keeper {
    /// Has the words of a unit wake us.
    pub(super) fn listen_to(&mut self, unit: &Unit) {
        let Some(notify) = &unit.notify else { return };
        let token = self.next_token;
        self.next_token += 1;
        // Out of memory: then it is never ready, and says so.
        if self.poller.add(notify, token).is_ok() {
            self.notifies.insert(token, unit.id.clone());
        }
    }

    /// Takes in what was sent to the sockets of all units.
    pub(super) fn hear_notifies(&mut self) {
        let tokens: Vec<u64> = self.notifies.keys().copied().collect();
        tokens.into_iter().for_each(|token| self.notified(token));
    }

    /// Takes in what was sent to a unit's socket.
    pub(super) fn notified(&mut self, token: u64) {
        let Some(id) = self.notifies.get(&token) else { return };
        let Some(unit) = self.units.get_mut(id) else { return };
        let Some(notify) = &unit.notify else { return };
        let mut ready = false;
        while let Some((sender, text)) = notify.socket.receive() {
            let says_ready = text.split(|&byte| byte == b'\n').any(|line| line == b"READY=1");
            ready |= says_ready && sender.is_some_and(|sender| is_of(unit, notify, sender));
        }
        if let (Some(notify), true) = (&mut unit.notify, ready)
            && !notify.heard
        {
            notify.heard = true;
            unit.changed = true;
            let unit: UnitId = id.clone();
            self.tell(FromKeeper::Notified { unit });
        }
    }
}

/// Whether the sender of a word is of a unit: its main process, a descendant, or one that carries
/// its tag or its mark; one that nobody can look at any more, if its user is the unit's.
fn is_of(unit: &Unit, notify: &Notify, sender: Sender) -> bool {
    let Some(entry) = Entry::read(sender.pid) else {
        // The main process may have become another user.
        return sender.uid == notify.user || Some(sender.uid) == platform::user_of(unit.main.pid);
    };
    if entry.tag() == Some(unit.tag()) || entry.mark().is_some_and(|mark| mark == unit.mark) {
        return true;
    }
    let parent = |entry: &Entry| Entry::read(entry.parent).filter(|parent| parent.id.pid > 1);
    let mut line = std::iter::successors(Some(entry), parent);
    line.any(|entry| entry.id == unit.main || unit.known.contains(&entry.id))
}
