//! `READY=1`: how a service says itself that it is ready (sd_notify(3)).
//!
//! The keeper holds the socket, so that no message is lost while the supervisor is away, and listens
//! to processes of the unit alone: the kernel tells who has sent a datagram, and that process must
//! be in the tree. The socket has a name and no file: a service that runs as another user could
//! not reach into the runtime folder. The name cannot be guessed, and so not be taken before.
//!
//! A helper such as systemd-notify(1) exits as soon as it has sent its message. Until it is reaped,
//! its tag and its parents still tell whose it is. Where its parent was faster than we are, only its
//! number and its user are left: then the user must be the unit's, and the name of the socket counts
//! as the proof, which is in the environment of the unit alone. (Another process of the same user
//! can look it up there, send the message, and exit before we look: it could as well trace the
//! service, or signal it.)

use std::{
    hash::{BuildHasher, RandomState},
    io,
    os::fd::{AsFd, BorrowedFd},
};

use serde::{Deserialize, Serialize};

use crate::platform::{self, Entry, KernelTag, NotifySocket, ProcId, Sender};

/// The variable that names the socket.
pub(in crate::keeper) const VARIABLE: &str = "NOTIFY_SOCKET";

/// The socket of one unit, and whether the unit has said that it is ready.
#[derive(Debug)]
pub(in crate::keeper) struct Notify {
    name: String,
    socket: NotifySocket,
    heard: bool,
    /// The user that the unit was started as.
    user: u32,
}

/// The same, as a keeper that takes over has to know it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::keeper) struct Record {
    name: String,
    heard: bool,
    #[serde(default = "platform::own_uid")]
    user: u32,
}

impl Notify {
    /// A socket for a unit of this user; `place` tells people whose it is.
    pub(in crate::keeper) fn create(place: &str, user: u32) -> io::Result<Self> {
        // Seeded by the system for each.
        let random = RandomState::new().hash_one(place);
        Self::bind(format!("{place}-{random:016x}"), user)
    }

    fn bind(name: String, user: u32) -> io::Result<Self> {
        let socket = NotifySocket::bind(&name)?;
        Ok(Self { name, socket, heard: false, user })
    }

    /// [`VARIABLE`] with its value: `@` stands for the zero byte that such names begin with.
    pub(in crate::keeper) fn assignment(&self) -> String {
        format!("{VARIABLE}=@{}", self.name)
    }

    pub(in crate::keeper) fn record(&self) -> Record {
        Record { name: self.name.clone(), heard: self.heard, user: self.user }
    }

    /// The socket of a keeper that is gone, under the same name. What was sent in between has
    /// failed for the sender.
    pub(super) fn take_over(record: Record) -> Option<Self> {
        let Record { name, heard, user } = record;
        let notify = Self::bind(name, user).ok()?;
        Some(Self { heard, ..notify })
    }

    pub(super) fn is_ready(&self) -> bool {
        self.heard
    }

    /// Takes in what was sent; whether the unit says for the first time that it is ready.
    pub(super) fn take_ready(&mut self, senders: Senders<'_>) -> bool {
        let mut ready = false;
        while let Some((sender, text)) = self.socket.receive() {
            let says_ready = text.split(|&byte| byte == b'\n').any(|line| line == b"READY=1");
            ready |= says_ready && sender.is_some_and(|it| senders.include(it, self.user));
        }
        ready && !std::mem::replace(&mut self.heard, true)
    }
}

impl AsFd for Notify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Whose messages count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Senders<'a> {
    pub(super) main: ProcId,
    pub(super) known: &'a [ProcId],
    pub(super) mark: &'a [u8],
}

impl Senders<'_> {
    /// Whether a message is from the main process, a descendant, or a process that carries the
    /// unit's tag or its mark; where there is no such process any more, whether its user is the
    /// unit's.
    fn include(&self, sender: Sender, user: u32) -> bool {
        let Some(entry) = Entry::read(sender.pid) else {
            // The main process may have become another user.
            return sender.uid == user || Some(sender.uid) == platform::user_of(self.main.pid);
        };
        if entry.tag() == Some(KernelTag::of_mark(self.mark))
            || entry.mark().is_some_and(|mark| mark == self.mark)
        {
            return true;
        }
        let parent = |entry: &Entry| Entry::read(entry.parent).filter(|parent| parent.id.pid > 1);
        let mut ancestors = std::iter::successors(Some(entry), parent);
        ancestors.any(|entry| entry.id == self.main || self.known.contains(&entry.id))
    }
}
