//! The supervisor as the main thread knows it: who has connected, and what was given to keep for the
//! next one.

use std::{
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::{Arc, mpsc::Receiver},
};

use super::{
    journal::{Journal, Line},
    protocol::{Checkpoint, CheckpointPart},
};

/// This supervisor and the next one.
pub(super) struct Supervisor {
    /// Where new connections come from.
    connections: Receiver<UnixStream>,
    /// One that has not been let in yet.
    arrived: Option<UnixStream>,
    /// Whether one was let in before.
    had_one: bool,
    checkpoint: Checkpoint,
    /// The listening control socket.
    control: Arc<OwnedFd>,
}

impl Supervisor {
    pub(super) fn new(connections: Receiver<UnixStream>, control: Arc<OwnedFd>) -> Self {
        let checkpoint = Checkpoint::new();
        Self { connections, arrived: None, had_one: false, checkpoint, control }
    }

    pub(super) fn control(&self) -> &OwnedFd {
        &self.control
    }

    /// Takes in who has connected; the last one counts.
    pub(super) fn take_arrivals(&mut self) {
        if let Some(stream) = self.connections.try_iter().last() {
            self.arrived = Some(stream);
        }
    }

    /// Whether one waits to be let in.
    pub(super) fn has_arrived(&self) -> bool {
        self.arrived.is_some()
    }

    /// Lets the one in that waits, and says whether another one was there before.
    pub(super) fn admit(&mut self) -> Option<(UnixStream, bool)> {
        let stream = self.arrived.take()?;
        Some((stream, std::mem::replace(&mut self.had_one, true)))
    }

    pub(super) fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Takes over what another keeper has kept.
    pub(super) fn resume(&mut self, checkpoint: Checkpoint) {
        self.checkpoint.extend(checkpoint);
    }

    /// Keeps a part of the checkpoint.
    pub(super) fn keep(&mut self, part: CheckpointPart, text: String, journal: &mut Journal) {
        if part.outlives_the_keeper() {
            journal.add(&Line::CheckpointPart(part, text.clone()));
        }
        self.checkpoint.insert(part, text);
    }

    /// Adds to a part of the checkpoint.
    pub(super) fn append(&mut self, part: CheckpointPart, text: String, journal: &mut Journal) {
        self.checkpoint.entry(part).or_default().push_str(&text);
        if part.outlives_the_keeper() {
            journal.add(&Line::CheckpointPartAppended(part, text));
        }
    }

    /// What a new journal says of the checkpoint.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line> {
        let lasting = self.checkpoint.iter().filter(|(part, _)| part.outlives_the_keeper());
        lasting.map(|(part, text)| Line::CheckpointPart(*part, text.clone()))
    }
}

#[cfg(test)]
mod tests {
    use std::{os::fd::AsFd, sync::mpsc::channel};

    use super::*;

    #[test]
    fn the_last_one_to_connect_is_let_in() {
        let (sender, connections) = channel();
        let null = crate::platform::null().expect("/dev/null");
        let mut supervisor = Supervisor::new(connections, Arc::new(null));
        supervisor.take_arrivals();
        assert!(!supervisor.has_arrived());
        let pairs = [0; 3].map(|_| UnixStream::pair().expect("a pair"));
        let [first, second, third] = pairs.map(|(ours, _theirs)| ours);
        let last = rustix::fs::fstat(second.as_fd()).expect("a socket").st_ino;
        sender.send(first).expect("a receiver");
        sender.send(second).expect("a receiver");
        supervisor.take_arrivals();
        let (stream, had_one) = supervisor.admit().expect("one has connected");
        assert_eq!(rustix::fs::fstat(stream.as_fd()).expect("a socket").st_ino, last);
        assert!(!had_one && supervisor.admit().is_none());
        sender.send(third).expect("a receiver");
        supervisor.take_arrivals();
        assert!(supervisor.admit().is_some_and(|(_, had_one)| had_one));
    }
}
