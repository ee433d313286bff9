//! `READY=1`: how a service says itself that it is ready (sd_notify(3)).
//!
//! The keeper holds the socket, so that no word is lost while the supervisor is away, and listens
//! to processes of the unit alone: the kernel tells who has sent a datagram, and that process must
//! be in the tree. The socket has a name and no file: a service that runs as another user could
//! not reach into the runtime folder.

use std::{io, os::fd::AsFd, os::fd::BorrowedFd};

use serde::{Deserialize, Serialize};

use super::{
    keep::Keeper,
    protocol::{FromKeeper, UnitId},
    unit::Unit,
};
use crate::platform::{Entry, NotifySocket};

/// The variable that names the socket.
pub(super) const VARIABLE: &str = "NOTIFY_SOCKET";

/// The socket of one unit, and whether it has brought the word.
#[derive(Debug)]
pub(super) struct Notify {
    name: String,
    socket: NotifySocket,
    pub(super) heard: bool,
}

/// The same, as a keeper that takes over has to know it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    name: String,
    heard: bool,
}

impl Notify {
    pub(super) fn bind(name: &str) -> io::Result<Self> {
        let socket = NotifySocket::bind(name)?;
        Ok(Self { name: name.to_owned(), socket, heard: false })
    }

    /// [`VARIABLE`] with its value: `@` stands for the zero byte that such names begin with.
    pub(super) fn assignment(&self) -> String {
        format!("{VARIABLE}=@{}", self.name)
    }

    pub(super) fn record(&self) -> Record {
        Record { name: self.name.clone(), heard: self.heard }
    }

    /// The socket of a keeper that is gone, under the same name. What was sent in between has
    /// failed for the sender.
    pub(super) fn take_over(record: Record) -> Option<Self> {
        let Record { name, heard } = record;
        let notify = Self::bind(&name).ok()?;
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

    /// Takes in what was sent to a unit's socket.
    pub(super) fn notified(&mut self, token: u64) {
        let Some(id) = self.notifies.get(&token) else { return };
        let Some(unit) = self.units.get_mut(id) else { return };
        let Some(notify) = &unit.notify else { return };
        let mut ready = false;
        while let Some((sender, text)) = notify.socket.receive() {
            let says_ready = text.split(|&byte| byte == b'\n').any(|line| line == b"READY=1");
            ready |= says_ready && is_member(unit, sender);
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

/// Whether a process is of a unit: its main one, a descendant, or one that carries its mark.
fn is_member(unit: &Unit, pid: u32) -> bool {
    let mut at = Entry::read(pid);
    while let Some(entry) = at {
        if entry.id == unit.main || unit.known.contains(&entry.id) {
            return true;
        }
        at = Entry::read(entry.parent).filter(|parent| parent.id.pid > 1);
    }
    Entry::read(pid).and_then(|entry| entry.mark()).is_some_and(|mark| mark == unit.mark)
}
