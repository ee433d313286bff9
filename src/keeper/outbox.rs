//! What is said to the supervisor, and to the next one while there is none.

use std::{collections::HashSet, os::unix::net::UnixStream};

use super::{
    connection::{Connection, Received},
    io::{SUPERVISOR, Sources},
    protocol::FromKeeper,
};

/// Messages for people are kept for a supervisor that is away, up to this many.
const UNHEARD: usize = 100;

/// Messages to the supervisor.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    connection: Option<Connection>,
    unheard: Vec<FromKeeper>,
    /// What is said but once.
    said: HashSet<String>,
}

impl Outbox {
    pub(super) fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// Takes a new supervisor in the place of the one before; whether that was possible.
    pub(super) fn connect(&mut self, stream: UnixStream, sources: &Sources) -> bool {
        self.disconnect(sources);
        let connection = Connection::new(stream).ok();
        self.connection = connection.filter(|it| sources.poller().add(it, SUPERVISOR).is_ok());
        self.is_connected()
    }

    pub(super) fn disconnect(&mut self, sources: &Sources) {
        if let Some(connection) = self.connection.take() {
            sources.remove(&connection);
        }
    }

    /// Some of what the supervisor has sent; `None` if there is no supervisor.
    pub(super) fn receive(&mut self) -> Option<Received> {
        self.connection.as_mut().map(Connection::receive)
    }

    /// Tells it now; what a later supervisor needs of it is in `Hello`.
    #[expect(clippy::needless_pass_by_value, reason = "messages are made to be told")]
    pub(super) fn tell(&mut self, message: FromKeeper) {
        if let Some(connection) = &mut self.connection {
            connection.send(&message);
        }
    }

    /// Tells it now, or the next supervisor.
    pub(super) fn tell_anyone(&mut self, message: FromKeeper) {
        if self.is_connected() {
            self.tell(message);
        } else if self.unheard.len() < UNHEARD && !self.unheard.contains(&message) {
            self.unheard.push(message);
        }
    }

    /// Tells what was kept for it.
    pub(super) fn tell_unheard(&mut self) {
        for message in std::mem::take(&mut self.unheard) {
            self.tell(message);
        }
    }

    pub(super) fn trouble(&mut self, text: String) {
        self.tell_anyone(FromKeeper::Trouble { text });
    }

    /// The same, unless this keeper has said it before.
    pub(super) fn trouble_once(&mut self, text: String) {
        if self.said.insert(text.clone()) {
            self.trouble(text);
        }
    }

    /// Sends what can be sent without waiting, and what is left as soon as it can be.
    pub(super) fn flush(&mut self, sources: &Sources) {
        if let Some(connection) = &mut self.connection {
            let is_unsent = connection.flush();
            let _closed = sources.poller().also_writable(&*connection, SUPERVISOR, is_unsent);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_people_are_to_know_waits_for_the_next_supervisor() {
        let sources = Sources::new().expect("a poller");
        let mut outbox = Outbox::default();
        outbox.trouble("first".to_owned());
        outbox.trouble("first".to_owned());
        outbox.trouble_once("second".to_owned());
        outbox.trouble_once("second".to_owned());
        outbox.tell(FromKeeper::Pong);
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        assert!(outbox.connect(ours, &sources));
        outbox.tell_unheard();
        outbox.trouble_once("second".to_owned());
        outbox.flush(&sources);
        outbox.disconnect(&sources);
        let mut text = String::new();
        theirs.read_to_string(&mut text).expect("what was sent");
        assert_eq!(
            text,
            "{\"trouble\":{\"text\":\"first\"}}\n{\"trouble\":{\"text\":\"second\"}}\n"
        );
    }
}
