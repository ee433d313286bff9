//! Reaching the keeper of a stack.

use std::os::unix::net::UnixStream;

use super::{Endpoint, Entry, Found, Peer, StackId};

/// Who was reached.
#[derive(Debug)]
pub enum Reached {
    /// The keeper that lives, or its supervisor.
    Keeper(UnixStream, Peer),
    /// Only the supervisor of a keeper that has died, which is about to notice.
    Orphan,
    /// A process that has not accepted a connection for long.
    Full,
    /// This other user, who may hold the stack, or only its name.
    Stranger(u32),
    /// No process.
    Nobody,
}

/// Connects to the one keeper among all that listen at an endpoint, where it usually does.
pub fn reach(endpoint: &Endpoint) -> Reached {
    choose(endpoint.find())
}

/// The same, wherever else it may have had to listen.
pub fn reach_anywhere(endpoint: &Endpoint) -> Reached {
    let mut found = endpoint.find();
    found.extend(endpoint.find_others());
    choose(found)
}

fn choose(found: Vec<Found>) -> Reached {
    let mut best = Reached::Nobody;
    for one in found {
        best = match (one, best) {
            (Found::Listening(stream, peer), _) if peer.is_own() && lives(peer) => {
                return Reached::Keeper(stream, peer);
            }
            (Found::Full, _) | (_, Reached::Full) => Reached::Full,
            (Found::Listening(_, peer), _) if peer.is_own() => Reached::Orphan,
            (Found::Listening(..), Reached::Orphan) => Reached::Orphan,
            (Found::Listening(_, peer), _) => Reached::Stranger(peer.uid),
        };
    }
    best
}

/// The keeper that holds a stack, as far as it can be seen, whether or not it answers.
pub fn keeper_of(stack: StackId) -> Option<Peer> {
    let endpoint = Endpoint::control(stack, &super::RuntimeFolder::expected(stack));
    match reach_anywhere(&endpoint) {
        Reached::Keeper(_, peer) => Some(peer),
        Reached::Orphan | Reached::Full | Reached::Stranger(_) | Reached::Nobody => None,
    }
}

/// Whether a process lives, as far as we may know. One that waits to be reaped does not.
fn lives(peer: Peer) -> bool {
    let Some(pid) = peer.pid else { return true };
    Entry::read(pid).is_some_and(|entry| !entry.is_dead())
}
